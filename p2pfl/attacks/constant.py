"""Constant: the same value in every coordinate.

Source
    L. Li, W. Xu, T. Chen, G. B. Giannakis, Q. Ling. "RSA: Byzantine-Robust Stochastic Aggregation
    Methods for Distributed Learning from Heterogeneous Datasets." AAAI 2019. arXiv:1811.03761:
    the same-value attack. Messages are models there as well.
"""

from dataclasses import dataclass
from math import isfinite
from typing import ClassVar, Literal

import numpy as np
import torch

from p2pfl.attacks.base import Honest, to_all
from p2pfl.types import AdversaryView, Knowledge, Matrix


@dataclass(frozen=True, slots=True, kw_only=True)
class Constant(Honest):
    """Send one value in place of every number of the model: ``{kind: constant, value: 5.0}``."""

    knowledge: ClassVar[Knowledge] = "local"

    value: float = 5.0
    """What every coordinate is, finite."""
    kind: Literal["constant"] = "constant"

    def __post_init__(self) -> None:
        if not isfinite(self.value):
            raise ValueError(f"value must be finite, got {self.value}; kind: non_finite has others")

    @property
    def ignores_own(self) -> bool:
        """Always."""
        return True

    def craft(
        self, view: AdversaryView, state: None, rng: np.random.Generator
    ) -> tuple[Matrix, None]:
        """The same row for every target. Time O(d)."""
        return to_all(view, torch.full_like(view.own, self.value)), None
