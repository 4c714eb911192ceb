"""SPMC's client half: a local training whose steps do not unlearn what the others agree on.

Source
    As :mod:`p2pfl.strategies.spmc`. The rule is ProGrad's: B. Zhu, Y. Niu, Y. Han, Y. Wu, H. Zhang.
    "Prompt-aligned Gradient for Prompt Tuning." ICCV 2023. arXiv:2205.14865.
"""

from collections.abc import Sequence
from copy import deepcopy
from dataclasses import dataclass
from math import isfinite
from typing import Literal, TypeAlias

import torch
from jaxtyping import Float
from torch import Tensor

from p2pfl.defenses.mixing import float32
from p2pfl.precision import Precision, logits_of
from p2pfl.types import Vector
from p2pfl.vectors import FlatModel, TensorSlice

Granularity: TypeAlias = Literal["tensor", "vector"]
Denominator: TypeAlias = Literal["squared", "norm"]
TeacherMode: TypeAlias = Literal["train", "eval"]

_LEAST_OTHERS = 1e-8


def without(mixture: Vector, alpha: float, own: Vector) -> Vector | None:
    """(mixture - alpha own) / (1 - alpha): what is left of a mixture (d,) without one's share.

    None where alpha is 1 but for 1e-8: nothing is left.
    """
    if 1 - alpha < _LEAST_OTHERS:
        return None
    return float32(mixture.double().sub_(own.double(), alpha=alpha).div_(1 - alpha))


def teacher_of(module: torch.nn.Module, vector: Vector, mode: TeacherMode) -> torch.nn.Module:
    """A copy of the module at ``vector``, for forward passes. Its running statistics may drift."""
    flat = FlatModel(deepcopy(module))
    flat.load(vector)
    return flat.module.train(mode == "train")


def project(
    gradient: Float[Tensor, " p"],
    second: Float[Tensor, " p"],
    parts: Sequence[slice],
    lam: float,
    denominator: Denominator,
) -> None:
    """In place, part by part: where g and s conflict, g <- g - lam <g, s> / |s|^2 s.

    With ``denominator: norm`` it is |s|. Parts that do not conflict keep every bit; so do those
    whose s is 0 or is not finite. Dot products in float64.
    """
    for part in parts:
        ours, theirs = gradient[part], second[part]
        exact = theirs.double()
        dot = float(torch.dot(ours.double(), exact))
        square = float(torch.dot(exact, exact))
        if not (dot < 0 and square > 0 and isfinite(square)):
            continue
        length = square if denominator == "squared" else square**0.5
        # The factor may be too large for float32 where s is tiny.
        ours.copy_(ours.double().sub_(exact, alpha=lam * dot / length))


@dataclass(frozen=True, slots=True, kw_only=True)
class Purifier:
    """Projects each step's gradient off the conflict with a frozen teacher's predictions."""

    teacher: torch.nn.Module
    temperature: float
    parameters: tuple[TensorSlice, ...]
    lam: float
    granularity: Granularity
    denominator: Denominator
    precision: Precision
    """In which the teacher computes: as the model in training."""

    def loss(
        self, inputs: Float[Tensor, "b ..."], logits: Float[Tensor, "b classes"]
    ) -> Float[Tensor, ""]:
        """Of the gradient of a cross-entropy, its labels the teacher's softened predictions.

        Times temperature^2. That gradient is the Kullback-Leibler divergence's as well. The value
        is another: by hand, the gradient at the logits is 0 to the bit where both predict the same,
        as in the first step of a round whose teacher is the global model. Autograd's has rounding
        noise there, whose direction would be taken out of the task's gradient.
        """
        with torch.no_grad():
            labels = logits_of(self.teacher, inputs, self.precision) / self.temperature
            excess = logits.softmax(dim=1) - labels.softmax(dim=1)
        return (excess * logits).sum() * (self.temperature**2 / len(logits))

    def gradient(self, gradient: Vector, second: Vector) -> None:
        """See :func:`project`: by tensor, or of all parameters as one vector."""
        parts = [slice(len(gradient))]
        if self.granularity == "tensor":
            parts = [part.slice for part in self.parameters]
        project(gradient, second, parts, self.lam, self.denominator)
