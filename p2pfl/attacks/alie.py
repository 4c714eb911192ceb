"""ALIE, "a little is enough": hide within the spread of what others send.

Source
    M. Baruch, G. Baruch, Y. Goldberg. "A Little Is Enough: Circumventing Defenses For Distributed
    Learning." NeurIPS 2019. arXiv:1902.06156.

Departs from the paper:
    There the n workers of one server face one rule. Here every target has its own neighbourhood,
    which an adversary does not see. For z it takes its own closed neighbourhood for the target's:
    n is 1 + its targets, f the members of its coalition among them. In a complete graph these are
    the paper's. Members in unlike places then send unlike messages; with z set they agree.
    The paper leaves f >= n / 2 undefined: z is 1.5 there.
"""

from dataclasses import dataclass
from math import isfinite
from statistics import NormalDist
from typing import Literal

import numpy as np

from p2pfl.attacks.base import Honest, to_all
from p2pfl.attacks.known import mean_and_deviation, members_nearby, stand_ins
from p2pfl.types import AdversaryView, Matrix

_Z_OF_A_MAJORITY = 1.5


@dataclass(frozen=True, slots=True, kw_only=True)
class Alie(Honest):
    """Send mean - z * standard deviation, per coordinate, of what it knows: ``{kind: alie}``.

    ``colluding`` estimates both from what the coalition trained honestly, ``full`` takes them from
    what the benign peers trained; where it sees none of them, from its own model alone.
    """

    z: float | None = None
    """Standard deviations from the mean, >= 0; null is :func:`z_max`. Large z is damage, small z
    is cover."""
    knowledge: Literal["colluding", "full"] = "colluding"
    """Whose models it sees: its coalition's, or everybody's."""
    kind: Literal["alie"] = "alie"

    def __post_init__(self) -> None:
        if self.z is not None and not (isfinite(self.z) and self.z >= 0):
            raise ValueError(f"z must be finite and >= 0, or null for the paper's, got {self.z}")

    @property
    def ignores_own(self) -> bool:
        """With ``full``. Where it then sees nobody, it takes what it started from."""
        return self.knowledge == "full"

    def craft(
        self, view: AdversaryView, state: None, rng: np.random.Generator
    ) -> tuple[Matrix, None]:
        """The same row for every target. Time O(v d) for the v models that it looks at."""
        z = self.z
        if z is None:
            z = z_max(1 + len(view.targets), members_nearby(view))
        mean, deviation = mean_and_deviation(stand_ins(view, self.knowledge))
        return to_all(view, (mean - z * deviation).to(view.own.dtype)), None


def z_max(n: int, f: int) -> float:
    """The largest z at which, by the paper's estimate, enough benign rows are farther out.

    Args:
        n: Rows that a rule sees, the f adversarial ones included.
        f: Adversarial rows.

    Returns:
        The normal quantile of (n - f - s) / (n - f) with s = floor(n / 2 + 1) - f, the benign rows
        that must side with the adversaries for a majority; 1.5 where f >= n / 2 and none must. It
        is negative where s is more than half of the benign rows: a small f hides above the mean.
    """
    if 2 * f >= n:
        return _Z_OF_A_MAJORITY
    supporters = n // 2 + 1 - f
    return NormalDist().inv_cdf((n - f - supporters) / (n - f))
