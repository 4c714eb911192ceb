"""Random: independent uniform values in place of the message.

Source
    None of its own: random messages are the simplest attack of many papers' experiments.

The interval is a choice of ours: [-1, 1] is wide beside the weights of a trained model.
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
class RandomUniform(Honest):
    """Send uniform values, fresh per adversary and round: ``{kind: random, low: -1.0, high: 1.0}``.

    For normal values see kind ``gaussian``.
    """

    knowledge: ClassVar[Knowledge] = "local"

    low: float = -1.0
    """Smallest value of a coordinate, finite."""
    high: float = 1.0
    """Largest value of a coordinate, finite, > low."""
    kind: Literal["random"] = "random"

    def __post_init__(self) -> None:
        if not (isfinite(self.low) and isfinite(self.high) and self.low < self.high):
            raise ValueError(f"needs finite low < high, got low: {self.low}, high: {self.high}")

    @property
    def ignores_own(self) -> bool:
        """Always."""
        return True

    def craft(
        self, view: AdversaryView, state: None, rng: np.random.Generator
    ) -> tuple[Matrix, None]:
        """The same row for every target. Time O(d)."""
        # The coalition shares rng: its members draw the same number here, and differ by their ids.
        own_rng = stream(int(rng.integers(2**63)), "random", view.me)
        drawn = own_rng.random(len(view.own), dtype=np.float32)
        message = self.low + np.float32(self.high - self.low) * drawn
        return to_all(view, torch.from_numpy(message.astype(np.float32)).to(view.own.device)), None
