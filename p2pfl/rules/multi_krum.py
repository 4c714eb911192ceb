"""Multi-Krum: average the m rows with the best Krum scores.

Source
    P. Blanchard, E. M. El Mhamdi, R. Guerraoui, J. Stainer. "Machine Learning with Adversaries:
    Byzantine Tolerant Gradient Descent." NeurIPS 2017. arXiv:1703.02757.

Rows are scored once, as in the paper; some later code removes the best row and scores again. At a
server the selected ones may be averaged by claimed samples, as in FedGrad's tables.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from math import fsum
from typing import ClassVar, Literal

from jaxtyping import Float
from torch import Tensor

from p2pfl.errors import TooFewNeighbours
from p2pfl.rules.krum import krum_kappa, ranking
from p2pfl.rules.selection import averaged
from p2pfl.rules.sums import weighted_sum
from p2pfl.types import Matrix, Permutation, Vector


@dataclass(frozen=True, slots=True, kw_only=True)
class MultiKrum:
    """Average the m rows with the best Krum scores: ``{kind: multi_krum, f: 1, m: 3}``.

    Shuffled rows give the same result up to rounding as long as no two scores are equal; a tie goes
    to the smallest row index. m = 1 is Krum.
    """

    permutation: ClassVar[Permutation] = "ties"

    f: int
    """Upper bound on the number of adversarial rows. Unit: rows, >= 0."""
    m: int | None = None
    """How many rows to average, >= 1; null is n - f."""
    kind: Literal["multi_krum"] = "multi_krum"

    def __post_init__(self) -> None:
        if self.f < 0:
            raise ValueError(f"f counts rows and must be >= 0, got {self.f}")
        if self.m is not None and self.m < 1:
            raise ValueError(f"m counts rows and must be >= 1, or null for n - f, got {self.m}")

    def __call__(self, rows: Matrix) -> Vector:
        """(n, d) to (d,). Raises TooFewNeighbours where it cannot be computed. Time O(n^2 d).

        A row with NaN or inf is never averaged, unless all rows are such.
        """
        return self.traced(rows)[0]

    def traced(self, rows: Matrix) -> tuple[Vector, Float[Tensor, " n"]]:
        """The average, and an equal share for every row in it. Exact."""
        n = len(rows)
        if missing := self.computable(n):
            raise TooFewNeighbours(missing)
        return averaged(rows, ranking(rows, self.f)[: self._count(n)])

    def weighted(
        self, rows: Matrix, weights: Sequence[float]
    ) -> tuple[Vector, Float[Tensor, " n"]]:
        """The rows with the best scores averaged by weights >= 0, and each row's share.

        Scores know no weights. Where the averaged rows weigh nothing, zeros, and no share.
        """
        n = len(rows)
        if missing := self.computable(n):
            raise TooFewNeighbours(missing)
        chosen = sorted(ranking(rows, self.f)[: self._count(n)])
        total = fsum(weights[k] for k in chosen)
        shares = [0.0] * n
        for k in chosen if total else ():
            shares[k] = weights[k] / total
        return weighted_sum(rows, shares), rows.new_tensor(shares)

    def computable(self, n: int) -> str | None:
        """Needs one other row to measure against, and m rows to average."""
        if n < 2:
            return f"multi_krum needs another row to measure against, got n={n}"
        if self.m is None and n <= self.f:
            return f"multi_krum averages n - f rows and needs n > f, got n={n}, f={self.f}"
        if self.m is not None and n < self.m:
            return f"multi_krum needs n >= m rows, got n={n}, m={self.m}"
        return None

    def needs(self, n: int) -> str | None:
        """Its guarantee needs n > 2f + 2, as Krum's, and m <= n - f."""
        if missing := self.computable(n):
            return missing
        if n <= 2 * self.f + 2:
            return f"multi_krum needs n > 2f + 2, got n={n}, f={self.f}"
        if self._count(n) > n - self.f:
            return f"multi_krum needs m <= n - f, got n={n}, f={self.f}, m={self.m}"
        return None

    def bears(self, n: int) -> int:
        """All rows but one."""
        return n - 1

    def kappa(self, n: int, f: int) -> float | None:
        """As Krum's, for the f of the rule, which covers any smaller one.

        Worked out here: Krum's proof bounds the mean over the m selected rows of their squared
        distance to the benign mean, since the sum of the m smallest scores is at most m times the
        mean benign score for m <= n - f; and the average of the rows is no farther than they are on
        average. G. Bareilles et al. (2026, arXiv:2602.03899) prove that there is one, too.
        """
        return None if f > self.f or self.needs(n) is not None else krum_kappa(n, self.f)

    def _count(self, n: int) -> int:
        return n - self.f if self.m is None else self.m
