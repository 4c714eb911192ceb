"""Where each line of a curve breaks: its threshold, the point, and how sure that is.

    An accuracy breaks where it falls below local_only + halfway * (benign_only - local_only), each
    of the same seed and value: where less than that share is left of what peers gain from one
    another. An attack's success breaks a defense where it rises above a share.

    The margin of a seed at a value is how far its result is on the good side of its threshold. The
    line breaks where the mean margin over the seeds first goes below 0, interpolated in a straight
    line between the two values around that. If it is below from the first value on, the line is
    broken from the start; if it never is, it holds throughout.

    The 95 % interval is by bootstrap over seeds (percentiles): 2,000 times, as many seeds as there
    are are drawn with replacement, all values and all lines with the same ones, and the point is
    computed anew. Of few seeds such an interval is rather too narrow. Draws come from the stream
    (0, "curve", "breaks").

Source
    B. Efron. "Bootstrap Methods: Another Look at the Jackknife." Annals of Statistics 7, 1979.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import inf
from typing import Any

import numpy as np
import numpy.typing as npt

from p2pfl.seeding import stream
from scenarios.curve.lines import LEVEL, Curve
from scenarios.curve.plan import RISES, CurvePlan

RESAMPLES = 2000

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Break:
    """Where a line breaks: -inf from the start, inf not within the values."""

    at: float
    low: float
    high: float
    n: int
    """Seeds that ran to their end at every value, and of which it is made."""


def threshold(row: Mapping[str, Any], column: str, plan: CurvePlan) -> float | None:
    """What a row's result is held against; None where its reference runs are missing."""
    if column in RISES:
        return plan.success
    alone, benign = row["local_only"], row["benign_only"]
    if alone is None or benign is None:
        return None
    return float(alone + plan.halfway * (benign - alone))


def margins(line: Curve, column: str, plan: CurvePlan) -> dict[str, list[float]]:
    """How far each seed is on the good side, by value; of seeds that have all of them."""
    sign = -1 if column in RISES else 1
    found: dict[str, list[float]] = {}
    for rows in line.rows:
        for seed, row in rows.items():
            bound = threshold(row, column, plan)
            if row[column] is not None and bound is not None:
                found.setdefault(seed, []).append(sign * (row[column] - bound))
    return {seed: own for seed, own in found.items() if len(own) == len(line.rows)}


def break_of(line: Curve, x: Sequence[float], column: str, plan: CurvePlan) -> Break | None:
    """Where a line breaks; None where fewer than two seeds have all values and references."""
    own = margins(line, column, plan)
    n = len(own)
    if n < 2:
        return None
    table = np.array([own[seed] for seed in sorted(own)])
    places = np.asarray(x, dtype=np.float64)
    drawn = stream(0, "curve", "breaks").integers(n, size=(RESAMPLES, n))
    resampled = table[drawn].mean(axis=1)
    crossings = np.array([crossing(places, each) for each in resampled])
    tail = (1 - LEVEL) / 2
    low, high = np.quantile(crossings, [tail, 1 - tail], method="inverted_cdf")
    return Break(crossing(places, table.mean(axis=0)), float(low), float(high), n)


def crossing(x: Floats, margin: Floats) -> float:
    """Where a margin first goes below 0, between points in a straight line.

    >>> crossing(np.array([0.0, 1.0, 2.0]), np.array([2.0, 1.0, -1.0]))
    1.5
    """
    below = np.flatnonzero(margin < 0)
    if not len(below):
        return inf
    k = int(below[0])
    if k == 0:
        return -inf
    before, after = float(margin[k - 1]), float(margin[k])
    return float(x[k - 1] + (x[k] - x[k - 1]) * before / (before - after))
