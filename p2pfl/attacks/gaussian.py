"""Gaussian noise in place of the message, or on top of it.

Source
    P. Blanchard, E. M. El Mhamdi, R. Guerraoui, J. Stainer. "Machine Learning with Adversaries:
    Byzantine Tolerant Gradient Descent." NeurIPS 2017. arXiv:1703.02757: there, in the
    experiments, the message is noise.

Departs from the paper:
    The message is a gradient in the paper and a model here. ``around: zero`` is the published
    form to the letter; ``around: own`` adds the noise to the trained model.
"""

from dataclasses import dataclass
from math import isfinite
from typing import ClassVar, Literal

import numpy as np
import torch

from p2pfl.attacks.base import Honest, to_all
from p2pfl.seeding import stream
from p2pfl.types import AdversaryView, Knowledge, Matrix


@dataclass(frozen=True, slots=True, kw_only=True)
class Gaussian(Honest):
    """Send independent normal values, fresh per adversary and round: ``{kind: gaussian}``."""

    knowledge: ClassVar[Knowledge] = "local"

    std: float = 2.0
    """Standard deviation of every coordinate, > 0."""
    around: Literal["zero", "own"] = "zero"
    """Mean of the noise: the zero vector, or the adversary's trained model."""
    kind: Literal["gaussian"] = "gaussian"

    def __post_init__(self) -> None:
        if not (isfinite(self.std) and self.std > 0):
            raise ValueError(f"std must be finite and > 0, got {self.std}")

    @property
    def ignores_own(self) -> bool:
        """Around zero."""
        return self.around == "zero"

    def craft(
        self, view: AdversaryView, state: None, rng: np.random.Generator
    ) -> tuple[Matrix, None]:
        """The same row for every target. Time O(d)."""
        # The coalition shares rng: its members draw the same number here, and differ by their ids.
        own_rng = stream(int(rng.integers(2**63)), "gaussian", view.me)
        noise = own_rng.standard_normal(len(view.own), dtype=np.float32) * np.float32(self.std)
        message = torch.from_numpy(noise).to(view.own.device)
        return to_all(view, message + view.own if self.around == "own" else message), None
