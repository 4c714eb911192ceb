"""Multinomial logistic regression: one linear layer, a convex loss."""

from dataclasses import dataclass
from math import prod
from typing import Literal

from torch import nn

from p2pfl.models.warm_start import Warmable


@dataclass(frozen=True, slots=True, kw_only=True)
class Logistic(Warmable):
    """One linear layer on the flattened input: ``{kind: logistic}``. Takes any shape."""

    kind: Literal["logistic"] = "logistic"

    def build(self, shape: tuple[int, ...], classes: int) -> nn.Module:
        """(n, *shape) to (n, classes) logits."""
        return nn.Sequential(nn.Flatten(), nn.Linear(prod(shape), classes))
