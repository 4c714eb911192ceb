"""Geometric median: the point with the smallest sum of distances to the rows.

Source
    K. Pillutla, S. M. Kakade, Z. Harchaoui. "Robust Aggregation for Federated Learning." IEEE
    Transactions on Signal Processing, 2022. arXiv:1912.13445: RFA, the smoothed Weiszfeld steps.
    Y. Chen, L. Su, J. Xu. "Distributed Statistical Machine Learning in Adversarial Settings:
    Byzantine Gradient Descent." POMACS 2017. arXiv:1705.05491.

Departs from the paper:
    RFA weights rows by their claimed samples; ours count the same, unless the server's strategy
    says so (``weights: samples``). It starts from the mean, which
    a far row drags along, so that few steps end far off; we start from the coordinate-wise median
    by default. Chen et al. take the median of the means of groups of rows; here each is its own.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar, Literal

import torch
from jaxtyping import Float, Float64
from torch import Tensor

from p2pfl.errors import TooFewNeighbours
from p2pfl.rules.distances import centred_gram, gram_amid, means_to_rows
from p2pfl.rules.median import Median
from p2pfl.rules.selection import finite_indices, taken
from p2pfl.rules.sums import weighted_sum
from p2pfl.types import Matrix, Permutation, Vector


@dataclass(frozen=True, slots=True, kw_only=True)
class GeometricMedian:
    """Find the point nearest to all rows together: ``{kind: geometric_median}``.

    RFA as published is ``{kind: geometric_median, start: mean, nu: 1.0e-5, iterations: 4,
    tolerance: 1.0e-6}``. Rows enter with unlike weights, a far row with little.
    """

    permutation: ClassVar[Permutation] = "tolerance"

    nu: float = 1e-6
    """Distances below this count as this. Unit: that of the rows, > 0."""
    iterations: int = 100
    """Most Weiszfeld steps, >= 1."""
    tolerance: float = 1e-10
    """Stop when the sum of distances changes by no more than this share of it, >= 0."""
    start: Literal["median", "mean"] = "median"
    """Where to start: the coordinate-wise median, or the mean as in RFA."""
    kind: Literal["geometric_median"] = "geometric_median"

    def __post_init__(self) -> None:
        if not self.nu > 0:
            raise ValueError(f"nu is a distance and must be > 0, got {self.nu}")
        if self.iterations < 1:
            raise ValueError(f"iterations must be >= 1, got {self.iterations}")
        if not self.tolerance >= 0:
            raise ValueError(f"tolerance must be >= 0, got {self.tolerance}")

    def __call__(self, rows: Matrix) -> Vector:
        """(n, d) to (d,). Raises TooFewNeighbours if there is no row.

        Rows with NaN or inf are left out, unless all are such. Time O(n^2 d), then O(n^2) a step:
        a step needs only the rows' inner products, taken about a point amid most of them.
        """
        return self.traced(rows)[0]

    def traced(self, rows: Matrix) -> tuple[Vector, Float[Tensor, " n"]]:
        """The point, and the weight of each row in it. Exact."""
        return self.weighted(rows, [1.0] * len(rows))

    def weighted(
        self, rows: Matrix, weights: Sequence[float]
    ) -> tuple[Vector, Float[Tensor, " n"]]:
        """The same where each distance counts by a weight >= 0 of sum > 0, as in RFA.

        The coordinate-wise median, if it starts there, knows no weights.
        """
        n = len(rows)
        if missing := self.computable(n):
            raise TooFewNeighbours(missing)
        kept = finite_indices(rows)
        some = taken(rows, kept)
        shares = torch.zeros(n, dtype=torch.float64, device=rows.device)
        from_median = self.start == "median"
        gram = centred_gram(some, Median()(some)) if from_median else gram_amid(some)
        shares[kept] = self._shares(gram, gram.new_tensor([weights[k] for k in kept]))
        return weighted_sum(rows, shares.tolist()), shares.to(rows.dtype)

    def computable(self, n: int) -> str | None:
        """Needs one row."""
        return None if n >= 1 else f"geometric_median needs a row, got n={n}"

    def needs(self, n: int) -> str | None:
        """It stays near the benign rows for any minority of adversarial ones: from n = 1."""
        return self.computable(n)

    def bears(self, n: int) -> int:
        """All rows but one."""
        return n - 1

    def kappa(self, n: int, f: int) -> float | None:
        """None: 4 (1 + f / (n - 2f))^2 holds for the exact point, not after so many steps.

        Source: Y. Allouah et al. "Fixing by Mixing." AISTATS 2023. arXiv:2302.01772. For any z, the
        exact point is within 2 (n - f) / (n - 2f) times the mean distance of the benign rows from
        z, as its sum of distances to all rows is no larger than that of z.
        """
        return None

    def _shares(
        self, gram: Float64[Tensor, "n n"], counts: Float64[Tensor, " n"]
    ) -> Float64[Tensor, " n"]:
        """The shares of the rows in the last step's point; ``counts`` weigh their distances."""
        if self.start == "median":
            distances = gram.diagonal().sqrt()
        else:
            distances = means_to_rows(gram, counts / counts.sum())
        for _ in range(self.iterations):
            shares = counts / distances.clamp(min=self.nu)
            shares = shares / shares.sum()
            before, distances = (counts * distances).sum(), means_to_rows(gram, shares)
            if (before - (counts * distances).sum()).abs() <= self.tolerance * before:
                break
        return shares
