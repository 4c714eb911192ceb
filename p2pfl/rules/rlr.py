"""RLR, robust learning rate: average, and reverse the coordinates whose signs do not agree.

Source
    M. S. Ozdayi, M. Kantarcioglu, Y. R. Gel. "Defending against Backdoors in Federated Learning
    with Robust Learning Rate." AAAI 2021. arXiv:2007.03767.

Departs from the paper:
    Rows are not weighted by their claimed samples unless the server's strategy says so, and its
    learning rate is 1. To reverse makes sense for updates alone: minus a model's parameter is no
    model.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from math import fsum
from typing import ClassVar, Literal

import torch
from jaxtyping import Float
from torch import Tensor

from p2pfl.errors import TooFewNeighbours
from p2pfl.rules.selection import finite_indices, taken
from p2pfl.rules.sign_majority import votes
from p2pfl.rules.sums import average, weighted_sum
from p2pfl.types import Matrix, Permutation, Vector


@dataclass(frozen=True, slots=True, kw_only=True)
class Rlr:
    """Average, times -1 where fewer than theta signs agree: ``{kind: rlr, theta: 4}``. For updates.

    theta signs agree on a coordinate where the rows above zero are at least theta more than those
    below, or the other way round.
    """

    permutation: ClassVar[Permutation] = "tolerance"

    theta: int
    """Agreement from which a coordinate keeps its direction. Unit: rows, >= 1."""
    kind: Literal["rlr"] = "rlr"

    def __post_init__(self) -> None:
        if self.theta < 1:
            raise ValueError(f"theta counts rows and must be >= 1, got {self.theta}")

    def __call__(self, rows: Matrix) -> Vector:
        """(n, d) to (d,). Raises TooFewNeighbours if there is no row. Time O(n d).

        Rows with NaN or inf are left out, unless all are such.
        """
        if missing := self.computable(len(rows)):
            raise TooFewNeighbours(missing)
        some = taken(rows, finite_indices(rows))
        mean = average(some)
        return torch.where(votes(some).abs() >= self.theta, mean, -mean)

    def traced(self, rows: Matrix) -> tuple[Vector, Float[Tensor, " n"]]:
        """The result, and an equal share for every row, reversed or not."""
        out = self(rows)
        kept = finite_indices(rows)
        shares = torch.zeros(len(rows), dtype=rows.dtype, device=rows.device)
        shares[kept] = 1 / len(kept)
        return out, shares

    def weighted(
        self, rows: Matrix, weights: Sequence[float]
    ) -> tuple[Vector, Float[Tensor, " n"]]:
        """The average by weights >= 0 of sum > 0, reversed where signs do not agree: one row, one
        vote, as in the authors' code. And each row's share."""
        if missing := self.computable(len(rows)):
            raise TooFewNeighbours(missing)
        kept = finite_indices(rows)
        total = fsum(weights[k] for k in kept)
        shares = [0.0] * len(rows)
        for k in kept:
            shares[k] = weights[k] / total
        mean = weighted_sum(rows, shares)
        agreed = votes(taken(rows, kept)).abs() >= self.theta
        return torch.where(agreed, mean, -mean), rows.new_tensor(shares)

    def computable(self, n: int) -> str | None:
        """Needs one row."""
        return None if n >= 1 else f"rlr needs a row, got n={n}"

    def needs(self, n: int) -> str | None:
        """With n < theta rows it reverses everything."""
        if missing := self.computable(n):
            return missing
        return None if n >= self.theta else f"rlr needs n >= theta, got n={n}, theta={self.theta}"

    def bears(self, n: int) -> int:
        """All rows but one."""
        return n - 1

    def kappa(self, n: int, f: int) -> float | None:
        """None: a long row moves the mean as far as it likes."""
        return None
