"""NaN or infinity in place of the message.

Source
    None of its own: a hostile peer may send any bytes. Rules in public code have selected rows of
    NaN. Here a receiver checks each message first, counts it as rejected, and goes on without it.
"""

from dataclasses import dataclass
from typing import ClassVar, Literal

import numpy as np
import torch

from p2pfl.attacks.base import Honest, to_all
from p2pfl.types import AdversaryView, Knowledge, Matrix


@dataclass(frozen=True, slots=True, kw_only=True)
class NonFinite(Honest):
    """Send what is no number: ``{kind: non_finite, value: nan}``. As good as sending nothing."""

    knowledge: ClassVar[Knowledge] = "local"

    value: Literal["nan", "inf"] = "nan"
    """What every coordinate is."""
    kind: Literal["non_finite"] = "non_finite"

    @property
    def ignores_own(self) -> bool:
        """Always."""
        return True

    def craft(
        self, view: AdversaryView, state: None, rng: np.random.Generator
    ) -> tuple[Matrix, None]:
        """The same row for every target. Time O(d)."""
        return to_all(view, torch.full_like(view.own, float(self.value))), None
