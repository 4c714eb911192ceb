"""The mean: every row counts the same.

Source
    B. McMahan, E. Moore, D. Ramage, S. Hampson, B. Agüera y Arcas. "Communication-Efficient
    Learning of Deep Networks from Decentralized Data." AISTATS 2017. arXiv:1602.05629.

Departs from the paper:
    Rows are not weighted by the samples behind them, which a sender can claim at will.
"""

from dataclasses import dataclass
from typing import ClassVar, Literal

import torch
from jaxtyping import Float
from torch import Tensor

from p2pfl.errors import TooFewNeighbours
from p2pfl.rules.sums import fast_sum
from p2pfl.types import Matrix, Permutation, Vector


@dataclass(frozen=True, slots=True, kw_only=True)
class Mean:
    """Average all rows: ``{kind: mean}``. One adversarial row moves it anywhere.

    One product of a vector and a matrix in float32: nothing is faster, and since each row is
    weighed before it is added, huge rows do not overflow. The last bit depends on the order of the
    rows, and the mean of equal rows may be off by as much.
    """

    permutation: ClassVar[Permutation] = "tolerance"

    kind: Literal["mean"] = "mean"

    def __call__(self, rows: Matrix) -> Vector:
        """(n, d) to (d,). Raises TooFewNeighbours if there is no row. Time O(n d)."""
        if missing := self.computable(len(rows)):
            raise TooFewNeighbours(missing)
        return fast_sum(rows, [1 / len(rows)] * len(rows))

    def traced(self, rows: Matrix) -> tuple[Vector, Float[Tensor, " n"]]:
        """The mean, and 1 / n for every row."""
        n = len(rows)
        return self(rows), torch.full((n,), 1 / n, dtype=rows.dtype, device=rows.device)

    def computable(self, n: int) -> str | None:
        """Needs one row."""
        return None if n >= 1 else f"mean needs a row, got n={n}"

    def needs(self, n: int) -> str | None:
        """It promises nothing against adversaries, and to be the mean it needs one row."""
        return self.computable(n)

    def bears(self, n: int) -> int:
        """None: a single NaN makes the result NaN."""
        return 0

    def kappa(self, n: int, f: int) -> float | None:
        """0 with no adversarial row; else there is no bound."""
        return 0.0 if n >= 1 and f == 0 else None
