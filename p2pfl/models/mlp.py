"""A multi-layer perceptron: linear layers with ReLU between them."""

from dataclasses import dataclass
from itertools import pairwise
from math import prod
from typing import Literal

from torch import nn

from p2pfl.models.warm_start import Warmable


@dataclass(frozen=True, slots=True, kw_only=True)
class Mlp(Warmable):
    """Hidden layers on the flattened input: ``{kind: mlp, hidden: [64]}``. Takes any shape."""

    hidden: tuple[int, ...] = (64,)
    """Units of each hidden layer, at least one layer, each >= 1."""
    kind: Literal["mlp"] = "mlp"

    def __post_init__(self) -> None:
        if not self.hidden or min(self.hidden) < 1:
            raise ValueError(
                "hidden must name at least one layer, each of >= 1 units, got "
                f"{list(self.hidden)}; kind: logistic has none"
            )

    def build(self, shape: tuple[int, ...], classes: int) -> nn.Module:
        """(n, *shape) to (n, classes) logits."""
        layers: list[nn.Module] = [nn.Flatten()]
        for inputs, outputs in pairwise((prod(shape), *self.hidden)):
            layers += [nn.Linear(inputs, outputs), nn.ReLU()]
        return nn.Sequential(*layers, nn.Linear(self.hidden[-1], classes))
