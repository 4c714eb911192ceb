"""Centered clipping: move to the rows by steps that no row can make longer than tau.

Source
    S. P. Karimireddy, L. He, M. Jaggi. "Learning from History for Byzantine Robust Optimization."
    ICML 2021. arXiv:2012.10333.

Departs from the paper:
    It starts each round at the last round's result, as the strategy ``centered_clip`` does. A rule
    has no memory: it starts at the coordinate-wise median of the rows, or at zero, where the
    paper's first round starts.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from math import inf, isfinite
from typing import ClassVar, Literal

import torch
from jaxtyping import Float
from torch import Tensor

from p2pfl.errors import TooFewNeighbours
from p2pfl.rules.distances import norms
from p2pfl.rules.median import Median
from p2pfl.rules.selection import taken
from p2pfl.rules.sums import fast_sum
from p2pfl.types import Matrix, Permutation, Vector


@dataclass(frozen=True, slots=True, kw_only=True)
class CenteredClip:
    """Add the mean of the clipped offsets, repeatedly: ``{kind: centered_clipping, tau: 1.0}``.

    v <- v + mean of (x_i - v) min(1, tau / |x_i - v|). From zero it makes sense for updates alone.
    """

    permutation: ClassVar[Permutation] = "tolerance"

    tau: float
    """How far one row can pull in one step. Unit: that of the rows, > 0."""
    iterations: int = 1
    """Steps, >= 1. The authors' scripts use 1 with tau = 100, and 3 with tau = 10."""
    start: Literal["median", "zero"] = "median"
    """Where to start: the coordinate-wise median of the rows, or the zero vector."""
    kind: Literal["centered_clipping"] = "centered_clipping"

    def __post_init__(self) -> None:
        if not self.tau > 0:
            raise ValueError(f"tau is a distance and must be > 0, got {self.tau}")
        if self.iterations < 1:
            raise ValueError(f"iterations must be >= 1, got {self.iterations}")

    def __call__(self, rows: Matrix) -> Vector:
        """(n, d) to (d,). Raises TooFewNeighbours if there is no row.

        Rows with NaN or inf are left out, unless all are such. Time O(n d) a step.
        """
        kept, lengths = self._kept(rows)
        some = taken(rows, kept)
        return stepped(
            some,
            lengths,
            Median()(some) if self.start == "median" else None,
            self.tau,
            self.iterations,
        )[0]

    def traced(self, rows: Matrix) -> tuple[Vector, Float[Tensor, " n"]]:
        """The result, and the weight of each row in it; exact but for the start's part.

        What is left to the start is shared as the median shares it, or from zero not counted, the
        rows' weights being divided by their sum.
        """
        kept, lengths = self._kept(rows)
        some = taken(rows, kept)
        start, of_start = Median().traced(some) if self.start == "median" else (None, 0)
        out, weights = stepped(some, lengths, start, self.tau, self.iterations)
        shares = torch.zeros(len(rows), dtype=torch.float64, device=rows.device)
        shares[kept] = torch.tensor(weights, dtype=torch.float64, device=rows.device)
        shares[kept] += (1 - sum(weights)) * of_start
        return out, (shares / shares.sum()).to(rows.dtype)

    def computable(self, n: int) -> str | None:
        """Needs one row."""
        return None if n >= 1 else f"centered_clipping needs a row, got n={n}"

    def needs(self, n: int) -> str | None:
        """A row moves the result by at most tau / n a step: from n = 1."""
        return self.computable(n)

    def bears(self, n: int) -> int:
        """All rows but one."""
        return n - 1

    def kappa(self, n: int, f: int) -> float | None:
        """None is known: how far off it is depends on tau."""
        return None

    def _kept(self, rows: Matrix) -> tuple[list[int], list[float]]:
        """The rows without NaN or inf, or all where each has some, and how long these are."""
        if missing := self.computable(len(rows)):
            raise TooFewNeighbours(missing)
        lengths = norms(rows).tolist()
        kept = [i for i, length in enumerate(lengths) if isfinite(length)]
        kept = kept or list(range(len(rows)))
        return kept, [lengths[i] for i in kept]


def stepped(
    rows: Matrix,
    lengths: Sequence[float],
    start: Vector | None,
    tau: float,
    iterations: int,
) -> tuple[Vector, list[float]]:
    """Centered clipping of at least one row.

    Args:
        rows: (n, d).
        lengths: The rows' norms.
        start: (d,) where to start; None is zero.
        tau: How far one row can pull in one step.
        iterations: Steps, >= 1.

    Returns:
        The result, and each row's weight in it; what is missing to 1 is the start's own.
    """
    weights, own = [0.0] * len(rows), 0.0 if start is None else 1.0

    def reached() -> Vector:
        at = fast_sum(rows, weights)
        return at if start is None else at.add_(start, alpha=own)

    for _ in range(iterations):
        if own or any(weights):  # else it is still at zero
            lengths = norms(rows, reached()).tolist()
        factors = [
            (min(1.0, tau / length) if 0 < length < inf else 1.0) / len(rows) for length in lengths
        ]
        left = 1 - sum(factors)
        weights = [left * weight + factor for weight, factor in zip(weights, factors, strict=True)]
        own *= left
    return reached(), weights
