"""Constrain-and-scale: train with a penalty for looking odd, then scale.

Source
    E. Bagdasaryan, A. Veit, Y. Hua, D. Estrin, V. Shmatikov. "How To Backdoor Federated Learning."
    AISTATS 2020. arXiv:1807.00459: equation 4, and model replacement.

Departs from the paper:
    The paper leaves the anomaly term open. Here it is the distance (not squared, as in published
    code) or one minus the cosine between the trained parameters and those at the round's start.
    The scale is that of ``model_replacement``.
"""

from dataclasses import dataclass
from typing import ClassVar, Literal

import numpy as np

from p2pfl.attacks.base import Honest, to_all
from p2pfl.attacks.steering import away_from, turn_from
from p2pfl.attacks.with_backdoor import WithBackdoor, check_every, check_gamma, scaled
from p2pfl.types import AdversaryView, Knowledge, Matrix, Vector


@dataclass(frozen=True, slots=True, kw_only=True)
class ConstrainAndScale(WithBackdoor, Honest):
    """Minimise alpha * loss + (1 - alpha) * oddness, scale: ``{kind: constrain_and_scale}``."""

    knowledge: ClassVar[Knowledge] = "local"

    alpha: float = 0.7
    """Weight of the loss on its data, in [0, 1]; the rest is that of the penalty."""
    distance: Literal["l2", "cosine"] = "l2"
    """The penalty: the distance from the round's start, or one minus the cosine to it."""
    gamma: float | None = None
    """As in model_replacement; 1 does not scale."""
    scale_every: int = 1
    """As in model_replacement."""
    kind: Literal["constrain_and_scale"] = "constrain_and_scale"

    def __post_init__(self) -> None:
        check_gamma(self.gamma)
        check_every(self.scale_every)
        if not 0 <= self.alpha <= 1:
            raise ValueError(f"alpha must be in [0, 1], got {self.alpha}")

    def steer(self, start: Vector, round_: int) -> "_Penalised":
        """Add the penalty's gradient to that of the loss. Time O(d) a step."""
        return _Penalised(start, self.alpha, self.distance)

    def craft(
        self, view: AdversaryView, state: None, rng: np.random.Generator
    ) -> tuple[Matrix, None]:
        """The same row for every target. Time O(d)."""
        return to_all(view, scaled(view, view.own, self.gamma, self.scale_every)), None


@dataclass(frozen=True, slots=True)
class _Penalised:
    start: Vector
    alpha: float
    distance: Literal["l2", "cosine"]

    def gradient(self, weights: Vector, gradient: Vector) -> None:
        anchor = self.start[: len(weights)]
        slope = away_from(anchor, weights) if self.distance == "l2" else turn_from(anchor, weights)
        gradient.mul_(self.alpha).add_(slope, alpha=1 - self.alpha)

    def weights(self, weights: Vector) -> None:
        pass
