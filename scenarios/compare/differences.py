"""How much better or worse B fared than A, round by round and by role, with paired intervals.

Method
    Of one pair of runs, each peer that has the same role in both gives one difference, B - A, and
    the interval is over peers. Of several pairs (one per seed), each pair gives one: the mean over
    its peers; the interval is over seeds. Both are the 95 % interval of the mean of n paired
    differences by Student's t with n - 1 degrees of freedom: mean ± t s / sqrt(n).

    Peers of one run train one another, so their differences are not independent: an interval over
    peers says how alike the peers fared, not what another seed would give. That an interval over
    seeds does, as far as the differences are about normal.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from math import sqrt
from statistics import fmean
from typing import NamedTuple, TypeAlias

import numpy as np
from scipy.special import stdtrit

from scenarios.compare.pairs import Pair
from scenarios.report.folder import RunFolder, Series

LEVEL = 0.95
"""Of the intervals."""


class Estimate(NamedTuple):
    """The mean of some paired differences, and its interval."""

    a: float
    """The mean in A."""
    b: float
    """The mean in B."""
    mean: float
    """Of the differences, B - A."""
    low: float | None
    """None of a single difference."""
    high: float | None
    n: int
    """How many differences."""


@dataclass(frozen=True, slots=True)
class Course:
    """One figure of the peers of one role, over the rounds that both runs have.

    Shares in [0, 1].
    """

    metric: str
    """``accuracy`` or ``asr``."""
    role: str
    rounds: tuple[int, ...]
    estimates: tuple[Estimate, ...]
    """By round."""
    last: Estimate
    """Of each peer's last evaluation."""


ROLES = {
    "benign": "benign in both",
    "benign_other": "dominated in neither",
    "benign_dominated": "dominated in both",
    "moved": "dominated in one",
    "adversary": "adversary in both",
    "server": "the server's model",
    "judged": "all whom the run is about",
}
"""Who is held against whom. The last, where the peers of the two runs are not the same ones."""


def estimate(a: Sequence[float], b: Sequence[float]) -> Estimate:
    """The mean of b - a, with its interval.

    Args:
        a: At least one number.
        b: As many.
    """
    differences = np.asarray(b, dtype=np.float64) - np.asarray(a, dtype=np.float64)
    n = len(differences)
    mean = float(differences.mean())
    half = None
    if n > 1:
        half = float(stdtrit(n - 1, (1 + LEVEL) / 2)) * float(differences.std(ddof=1)) / sqrt(n)
    low, high = (None, None) if half is None else (mean - half, mean + half)
    return Estimate(fmean(a), fmean(b), mean, low, high, n)


def courses(pairs: Sequence[Pair]) -> list[Course]:
    """All that can be held against one another: accuracy and ASR, by role."""
    roles = list(ROLES)[:-1] if all(pair.by_peer for pair in pairs) else ["judged"]
    tables = [(pair, _tables(pair.a), _tables(pair.b)) for pair in pairs]
    found = []
    for metric in ("accuracy", "asr"):
        known = [(pair, a[metric], b[metric]) for pair, a, b in tables if a[metric] and b[metric]]
        made = {role: _course(metric, role, known) for role in roles}
        if not made.get("benign_dominated") and not made.get("moved"):
            made.pop("benign_other", None)  # all of the benign
        found += [course for course in made.values() if course]
    return found


_LAST = 0
"""Stands for a round: that of each peer's last evaluation."""
_Table: TypeAlias = dict[int, dict[int, float]]
"""Value by round and peer."""


def _tables(run: RunFolder) -> dict[str, _Table]:
    return {"accuracy": _table(run.metrics.get("accuracy")), "asr": _table(run.success)}


def _table(series: Series | None) -> _Table:
    table: _Table = {}
    if series is not None:
        rows = zip(series.round.tolist(), series.peer.tolist(), series.value.tolist(), strict=True)
        for round_, peer, value in rows:
            table.setdefault(round_, {})[peer] = value
            table.setdefault(_LAST, {})[peer] = value
    return table


def _course(metric: str, role: str, known: Sequence[tuple[Pair, _Table, _Table]]) -> Course | None:
    by_round: dict[int, Estimate] = {}
    for round_ in sorted(set().union(*(a.keys() & b.keys() for _, a, b in known))):
        sides = [_values(pair, role, a.get(round_, {}), b.get(round_, {})) for pair, a, b in known]
        there = [(a, b) for a, b in sides if a and b]
        if len(known) == 1 and there and role != "judged":
            by_round[round_] = estimate(*there[0])
        elif there and len(there) == len(known):
            by_round[round_] = estimate([fmean(a) for a, _ in there], [fmean(b) for _, b in there])
    if _LAST not in by_round:
        return None
    last = by_round.pop(_LAST)
    return Course(metric, role, tuple(by_round), tuple(by_round.values()), last)


def _values(
    pair: Pair, role: str, a: dict[int, float], b: dict[int, float]
) -> tuple[list[float], list[float]]:
    """What the peers of a role have in A and in B, those that have it in both."""
    if role == "judged":
        return [a[k] for k in pair.a.judged if k in a], [b[k] for k in pair.b.judged if k in b]
    peers = [k for k in alike(pair, role) if k in a and k in b]
    return [a[k] for k in peers], [b[k] for k in peers]


def alike(pair: Pair, role: str) -> list[int]:
    """The peers that have a role, one of ``ROLES``, in both runs."""
    groups = {peer: (group, pair.b.groups[peer]) for peer, group in pair.a.groups.items()}
    return [peer for peer, of in groups.items() if _has(role, *of)]


def _has(role: str, a: str, b: str) -> bool:
    if role == "benign":
        return a.startswith("benign") and b.startswith("benign")
    if role == "moved":
        return {a, b} == {"benign_other", "benign_dominated"}
    return a == b == role
