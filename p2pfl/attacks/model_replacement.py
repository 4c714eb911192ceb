"""Model replacement: scale the backdoored update, so that it survives the averaging.

Source
    E. Bagdasaryan, A. Veit, Y. Hua, D. Estrin, V. Shmatikov. "How To Backdoor Federated Learning."
    AISTATS 2020. arXiv:1807.00459.

Departs from the paper:
    There gamma is n / eta for the n clients and the rate of one server. Here each receiver has a
    neighbourhood of its own; null takes the adversary's for the receivers', and members of a
    coalition share the scale, as there is one attacker in the paper. The whole message is scaled,
    running statistics included.
"""

from dataclasses import dataclass
from typing import ClassVar, Literal

import numpy as np

from p2pfl.attacks.base import Honest, to_all
from p2pfl.attacks.with_backdoor import WithBackdoor, check_every, check_gamma, scaled
from p2pfl.types import AdversaryView, Knowledge, Matrix


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelReplacement(WithBackdoor, Honest):
    """Send ``start + gamma * (own - start)``: ``{kind: model_replacement, gamma: 10.0}``."""

    knowledge: ClassVar[Knowledge] = "local"

    gamma: float | None = None
    """Length of what is sent relative to the own update, > 0; null: the peers of the own closed
    neighbourhood per member of the coalition there. A client's neighbourhood is its server alone,
    so there null is 2, whoever takes part: give a number."""
    scale_every: int = 1
    """Scale in each so many rounds, counted from 1, and send the trained model as it is in the
    others, >= 1; FedGrad's authors have 5."""
    kind: Literal["model_replacement"] = "model_replacement"

    def __post_init__(self) -> None:
        check_gamma(self.gamma)
        check_every(self.scale_every)

    def craft(
        self, view: AdversaryView, state: None, rng: np.random.Generator
    ) -> tuple[Matrix, None]:
        """The same row for every target. Time O(d)."""
        return to_all(view, scaled(view, view.own, self.gamma, self.scale_every)), None
