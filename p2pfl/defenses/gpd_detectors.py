"""Whom GPD suspects, given what it recorded of each neighbour in one window.

The paper's text is not at hand; its abstracts name a check of consistency over the history and no
statistic. All rules and thresholds here are our own, measured on small simulations.
"""

from dataclasses import dataclass
from itertools import pairwise
from math import ceil, inf, isfinite
from statistics import median
from typing import ClassVar, Literal, TypeAlias

import numpy as np

from p2pfl.defenses.gpd_evidence import Evidence, jump
from p2pfl.defenses.sketch import norms


@dataclass(frozen=True, slots=True, kw_only=True)
class Judge:
    """What the detectors have in common."""

    judges: ClassVar[bool] = True

    def clears(self, excluded: Evidence, live: Evidence) -> set[int]:
        """Those of the excluded that look benign: consistent (chi below 0.2), about as long (ratio
        from 0.4 to 2.5), the same way (cosine above 0.3)."""
        known = zip(excluded.senders, excluded.chi, excluded.ratio, excluded.cosine, strict=True)
        return {s for s, chi, ratio, cos in known if chi < 0.2 and 0.4 < ratio < 2.5 and cos > 0.3}


@dataclass(frozen=True, slots=True, kw_only=True)
class Consistency(Judge):
    """Whose record drifts from the own one: ``{kind: consistency}``.

    For benign neighbours D stays bounded however long the window, on like and unlike data, since
    both follow the same average; a lasting manipulation adds up. But chi grows with unlike data and
    as the graph's spectral gap shrinks, so that on sparse graphs no limit on it tells well. There,
    and everywhere else, the answer and the persistence do, which ask of a neighbour only that it
    mixes. Three tasks, rings and regular graphs, IID to Dirichlet 0.1, seeds that no table reports,
    who sends a model trained on poisoned data: both find 92 % of the hostile edges at the first
    check and more than 99 at the second, and accuse 2.4 and 1.3 % of the benign; the answer alone
    99 and 100, but 15 and 18 % (``scenarios/library/papers/gpd.md``).
    """

    tau_first: float = 0.7
    """At the first check chi above this is suspect, > 0."""
    tau: float = 0.6
    """The same at later checks, > 0."""
    peel: float = 0.6
    """Of those above tau only chi of at least this share of the largest is, in [0, 1]: who has
    attackers for neighbours is off as well, and looks clean once they are out."""
    gap: float = 1.4
    """Where a chi is so many times the next smaller one, it and all above are suspect, > 1 ..."""
    tau_gap_first: float = 0.45
    """... if it is above this, at the first check, > 0 ..."""
    tau_gap: float = 0.3
    """... or above this, at later ones, > 0, unless their answer is twice ``deaf`` or more: among
    few neighbours, on unlike data or where messages are lost, benign ones make such gaps."""
    shrunk: float = 0.4
    """A ratio below this is suspect, >= 0: inner product manipulation, free riders."""
    opposed: float = -0.2
    """A cosine below this is suspect, in [-1, 1]."""
    rift: float = 1.5
    """Where a pull is so many times the next smaller one, > 1, and three neighbours and three in
    eight at least are below it, it and all above are suspect ..."""
    displaced: float | None = 2.0
    """... if they pull more than so many times the median below it, > 1, and at least ``peel`` of
    the largest; null: nobody is. This sees who mixes as it should and trains on poisoned data,
    where benign data are like."""
    deaf: float | None = 0.3
    """An answer below this is suspect: who does not mix what it receives ... Null: nobody is, as it
    has to be where a neighbour need not hear this peer (a directed graph). Without effect where
    nobody is asked: with own gradients, and of peers that go their own pace."""
    persistent: float = 0.2
    """... unless its persistence, in [-2, 2], is no more than this: where unlike data draw the
    benign apart as fast as mixing brings them together, they do not answer either ..."""
    far: float = 4.0
    """... and its reach no more than this, > 0: mixing holds the benign together."""
    kind: Literal["consistency"] = "consistency"

    def __post_init__(self) -> None:
        for name, value, low, high in (
            ("tau_first", self.tau_first, 0.0, inf),
            ("tau", self.tau, 0.0, inf),
            ("peel", self.peel, 0.0, 1.0),
            ("tau_gap_first", self.tau_gap_first, 0.0, inf),
            ("tau_gap", self.tau_gap, 0.0, inf),
            ("gap", self.gap, 1.0, inf),
            ("rift", self.rift, 1.0, inf),
            ("shrunk", self.shrunk, 0.0, inf),
            ("opposed", self.opposed, -1.0, 1.0),
            ("persistent", self.persistent, -2.0, 2.0),
            ("far", self.far, 0.0, inf),
        ):
            if not (isfinite(value) and low <= value <= high):
                raise ValueError(f"{name} must be finite, in [{low}, {high}], got {value}")
        if self.deaf is not None and not isfinite(self.deaf):
            raise ValueError(f"deaf must be finite, or null, got {self.deaf}")
        if self.displaced is not None and not (isfinite(self.displaced) and self.displaced > 1):
            raise ValueError(f"displaced must be finite and > 1, or null, got {self.displaced}")

    def suspects(self, evidence: Evidence) -> set[int]:
        """By a limit, a gap, shrunk sums, opposed sums, the pull, and the answer."""
        chi = dict(zip(evidence.senders, evidence.chi, strict=True))
        tau = self.tau_first if evidence.first else self.tau
        worst = max(chi.values(), default=0.0)
        limit = max(tau, self.peel * worst)
        absolute = {s for s, value in chi.items() if value > tau and value >= limit}
        rows = zip(evidence.senders, evidence.ratio, evidence.cosine, strict=True)
        odd = {s for s, ratio, cosine in rows if ratio < self.shrunk or cosine < self.opposed}
        return (
            absolute
            | odd
            | self._above_the_gap(evidence)
            | self._displaced(evidence)
            | self._deaf(evidence)
        )

    def clears(self, excluded: Evidence, live: Evidence) -> set[int]:
        """Those that look benign and do not pull more than the live."""
        benign = Judge.clears(self, excluded, live)
        if self.displaced is None or not live.pull:
            return benign
        limit = self.displaced * median(live.pull)
        pulls = zip(excluded.senders, excluded.pull, strict=True)
        return benign - {sender for sender, pull in pulls if pull > limit}

    def _deaf(self, evidence: Evidence) -> set[int]:
        """Those who do not come towards this peer, but for those who stay near and take their steps
        back."""
        least = -inf if self.deaf is None else self.deaf
        away = {s for s, x in zip(evidence.senders, evidence.answer, strict=True) if x < least}
        rows = zip(evidence.senders, evidence.persistence, evidence.reach, strict=True)
        # Not a number clears nobody: nothing is known of its steps.
        return away - {s for s, on, x in rows if on <= self.persistent and x <= self.far}

    def _displaced(self, evidence: Evidence) -> set[int]:
        """Those beyond the rift."""
        values = sorted(evidence.pull)
        least = max(3, ceil(3 / 8 * len(values)))
        rifts = [(jump(values[k - 1], values[k]), k) for k in range(least, len(values))]
        widest, above = max(rifts, default=(0.0, 0))
        if self.displaced is None or widest < self.rift:
            return set()
        low, bottom = median(values[:above]), max(values[above], self.peel * values[-1])
        pulls = zip(evidence.senders, evidence.pull, strict=True)
        return {s for s, pull in pulls if pull >= bottom and pull > self.displaced * low}

    def _above_the_gap(self, evidence: Evidence) -> set[int]:
        """Those above the widest jump; of equal jumps the upper one, which accuses fewer."""
        tau = self.tau_gap_first if evidence.first else self.tau_gap
        pairs = pairwise(sorted(evidence.chi))
        widest, bottom = max(
            ((jump(low, high), high) for low, high in pairs if high > tau), default=(0.0, inf)
        )
        if widest < self.gap:
            return set()
        clear = inf if self.deaf is None else 2 * self.deaf
        rows = zip(evidence.senders, evidence.chi, evidence.answer, strict=True)
        # Not a number does not clear: that one cannot be asked.
        return {s for s, chi, answer in rows if chi >= bottom and not answer >= clear}


@dataclass(frozen=True, slots=True, kw_only=True)
class Cosine(Judge):
    """Whose sum of gradients points elsewhere than the own: ``{kind: cosine}``. For comparison."""

    least: float = 0.0
    """A cosine below this is suspect, in [-1, 1]."""
    kind: Literal["cosine"] = "cosine"

    def __post_init__(self) -> None:
        if not -1 <= self.least <= 1:
            raise ValueError(f"least is a cosine in [-1, 1], got {self.least}")

    def suspects(self, evidence: Evidence) -> set[int]:
        """All below the limit."""
        rows = zip(evidence.senders, evidence.cosine, strict=True)
        return {s for s, cosine in rows if cosine < self.least}


@dataclass(frozen=True, slots=True, kw_only=True)
class Safeguard(Judge):
    """Whose sum is far from the medoid of the neighbourhood: ``{kind: safeguard}``.

    Z. Allen-Zhu, F. Ebrahimianghazani, J. Li, D. Alistarh. "Byzantine-Resilient Non-Convex
    Stochastic Gradient Descent." ICLR 2021. arXiv:2012.14368. One window, where it has two, and no
    noise on the model. Needs a benign majority of the judged and the peer itself.
    """

    times: float = 2.0
    """Suspect beyond so many times the radius of the medoid's nearer half, > 0."""
    kind: Literal["safeguard"] = "safeguard"

    def __post_init__(self) -> None:
        if not (isfinite(self.times) and self.times > 0):
            raise ValueError(f"times must be finite and > 0, got {self.times}")

    def suspects(self, evidence: Evidence) -> set[int]:
        """The peer itself counts among the points, at 0, and is first where medoids tie."""
        points = np.vstack([np.zeros((1, evidence.off.shape[1])), evidence.off])
        apart = np.stack([norms(points - point) for point in points])
        # With itself at distance 0, so many are a majority of all.
        radii = np.sort(apart, axis=1)[:, len(points) // 2]
        medoid = int(np.argmin(radii))
        far = apart[medoid, 1:] > self.times * radii[medoid]
        return {s for s, out in zip(evidence.senders, far.tolist(), strict=True) if out}


@dataclass(frozen=True, slots=True, kw_only=True)
class Oracle(Judge):
    """Who truly is an adversary, from the first check on: ``{kind: oracle, adversaries: [3]}``.

    No defense has it: it shows what the mitigation alone is worth.
    """

    adversaries: tuple[int, ...]
    """Their ids."""
    kind: Literal["oracle"] = "oracle"

    def suspects(self, evidence: Evidence) -> set[int]:
        """The adversaries."""
        return set(evidence.senders) & set(self.adversaries)

    def clears(self, excluded: Evidence, live: Evidence) -> set[int]:
        """The others."""
        return set(excluded.senders) - set(self.adversaries)


@dataclass(frozen=True, slots=True, kw_only=True)
class Nobody(Judge):
    """Suspects nobody and heeds no notice, so that GPD is plain D-PSGD: ``{kind: none}``."""

    judges: ClassVar[bool] = False

    kind: Literal["none"] = "none"

    def suspects(self, evidence: Evidence) -> set[int]:
        """Nobody."""
        return set()


Detector: TypeAlias = Consistency | Cosine | Safeguard | Oracle | Nobody
