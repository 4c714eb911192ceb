"""Zero: a model of zeros, which knows nothing.

Departs from the paper:
    A zero message is common in experiments with gradients, where it means not to move, without a
    source of its own. There it is what kind ``free_rider`` does. A zero model pulls all weights
    towards zero instead, and an average of b benign peers and a adversaries shrinks to b / (a + b)
    of itself in each round.
"""

from dataclasses import dataclass
from typing import ClassVar, Literal

import numpy as np
import torch

from p2pfl.attacks.base import Honest, to_all
from p2pfl.types import AdversaryView, Knowledge, Matrix


@dataclass(frozen=True, slots=True, kw_only=True)
class Zero(Honest):
    """Send the zero vector in place of the model: ``{kind: zero}``."""

    knowledge: ClassVar[Knowledge] = "local"

    kind: Literal["zero"] = "zero"

    @property
    def ignores_own(self) -> bool:
        """Always."""
        return True

    def craft(
        self, view: AdversaryView, state: None, rng: np.random.Generator
    ) -> tuple[Matrix, None]:
        """The same row for every target. Time O(d)."""
        return to_all(view, torch.zeros_like(view.own)), None
