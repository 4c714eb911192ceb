"""Fang et al.'s attack on Krum: as far against the benign direction as Krum still selects.

Source
    M. Fang, X. Cao, J. Jia, N. Z. Gong. "Local Model Poisoning Attacks to Byzantine-Robust
    Federated Learning." USENIX Security 2020. arXiv:1911.11815, section 4.2.

Departs from the paper:
    Messages are models there as well. The received global model is the adversary's own start here.
    What the target receives is estimated by the adversary's own closed neighbourhood: the benign
    models are those of its benign targets, and the copies are as many as members are in it. In a
    complete graph that is exact.
    The first strength tried is an upper bound, which we take from Krum's squared distances; the
    paper's bound sums distances that are not squared. Where copies alone fill Krum's neighbours
    there is no bound, and the first strength is 1 as with partial knowledge; Krum selects it, so
    ``first`` is then the strength.
"""

from dataclasses import dataclass
from math import inf, isfinite
from typing import Literal

import numpy as np
import torch

from p2pfl.attacks.base import Honest, to_all
from p2pfl.attacks.known import benign_nearby, members_nearby, stand_ins
from p2pfl.rules.distances import squared_distances
from p2pfl.rules.krum import ranking
from p2pfl.rules.sums import average
from p2pfl.seeding import stream
from p2pfl.types import AdversaryView, Matrix, Vector

_SMALLEST = 1e-5


@dataclass(frozen=True, slots=True, kw_only=True)
class KrumAttack(Honest):
    """Send ``start - strength * sign(mean - start)``: ``{kind: krum_attack}``.

    The strength is halved until Krum, simulated on what the adversary knows, selects the result.
    ``full`` knows the benign models. ``colluding`` puts what its coalition trained in their place,
    tries one copy first, and more where one is never selected.
    """

    first: float | None = None
    """The strength that is tried first, finite and > 0; null: the bound beyond which Krum cannot
    select, and 1 where there is none."""
    spread: float = 0.01
    """Members but the first send a point this far from the selected one at most, >= 0, so that
    they are not copies of one another."""
    knowledge: Literal["colluding", "full"] = "full"
    """Whose models it sees: its coalition's, or the benign peers'."""
    kind: Literal["krum_attack"] = "krum_attack"

    def __post_init__(self) -> None:
        if self.first is not None and not 0 < self.first < inf:
            raise ValueError(f"first must be finite and > 0, or null, got {self.first}")
        if not (isfinite(self.spread) and self.spread >= 0):
            raise ValueError(f"spread must be finite and >= 0, got {self.spread}")

    def craft(
        self, view: AdversaryView, state: None, rng: np.random.Generator
    ) -> tuple[Matrix, None]:
        """The same row for every target.

        Time O(n^2 d) for n rows of the simulated Krum, some 20 times; with ``colluding`` as often
        for every number of copies.
        """
        seed = int(rng.integers(2**63))
        members = members_nearby(view)
        if self.knowledge == "full":
            rows, copies = benign_nearby(view), [members]
        else:
            rows, copies = stand_ins(view, "colluding"), list(range(1, members + 1))
        p = view.layout.p  # Krum acts on the parameters
        direction = (average(rows) - view.start).sign()
        crafted = view.start
        for count in copies:
            strength = self._first(rows[:, :p], view.start[:p], direction[:p], count)
            while _SMALLEST <= strength < inf:  # a diverged model gives inf or NaN
                crafted = view.start - strength * direction
                if _selected(crafted[:p], rows[:, :p], count):
                    return to_all(view, self._astray(view, crafted, seed)), None
                strength /= 2
        return to_all(view, self._astray(view, crafted, seed)), None

    def _first(self, rows: Matrix, start: Vector, direction: Vector, copies: int) -> float:
        """A strength beyond which Krum cannot select ``copies`` equal rows, unless one is given."""
        if self.first is not None:
            return self.first
        # Each copy has the others at distance 0, and needs so many of the benign rows.
        needed = len(rows) - copies - 1
        length = float(direction.norm())
        if self.knowledge == "colluding" or needed < 1 or length == 0:
            return 1.0
        # A benign row scores over n - f - 2 others, of which the nearest benign ones bound it.
        nearest = squared_distances(rows).sort(dim=1).values[:, 1 : len(rows) - 1]
        best = float(nearest.sum(dim=1).min()) / needed
        farthest = max(float((row - start).double().norm()) for row in rows)
        return float(best**0.5 + farthest) / length

    def _astray(self, view: AdversaryView, crafted: Vector, seed: int) -> Vector:
        """The crafted point for the first member, one near to it for each other."""
        if view.me == min(view.members) or self.spread == 0:
            return crafted
        own_rng = stream(seed, "krum_attack", view.me)
        noise = torch.from_numpy(own_rng.standard_normal(len(crafted))).to(crafted.device)
        return crafted.add((noise * (self.spread * own_rng.random() / noise.norm())).float())


def _selected(crafted: Vector, rows: Matrix, copies: int) -> bool:
    """Whether Krum with f = copies selects one of the copies among the rows."""
    return ranking(torch.cat([crafted.expand(copies, -1), rows]), copies)[0] < copies
