"""The points of a curve: a mean over seeds with its interval, for each defense at each value.

Method
    A point is the mean over n seeds and its 95 % interval by Student's t with n - 1 degrees of
    freedom: mean ± t s / sqrt(n). Differences from the first line are paired: each seed gives one,
    as the runs of a seed share all draws but those of what differs, and the interval is that of the
    mean of n differences.

    Both suppose that seeds' results are about normal. An interval may reach beyond 0 % or 100 %.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from math import fsum, sqrt
from statistics import stdev
from typing import Any, NamedTuple

from scipy.special import stdtrit

from p2pfl.errors import ScenarioError
from scenarios.curve.plan import CurvePlan
from scenarios.seeds import is_seed
from scenarios.sweep import Axis, Sweep

LEVEL = 0.95
"""Of all intervals."""


class Interval(NamedTuple):
    """A mean over seeds; its bounds are None of a single one."""

    mean: float
    low: float | None
    high: float | None
    n: int


@dataclass(frozen=True, slots=True)
class Curve:
    """One defense, or one combination of the values of all axes but that across and the seed."""

    name: str
    at: Mapping[str, str]
    """Those values."""
    rows: tuple[Mapping[str, Mapping[str, Any]], ...]
    """At each x, a row per seed that ran to its end, by the seed's name."""

    def values(self, column: str) -> list[dict[str, float]]:
        """At each x, the result by seed."""
        return [
            {seed: row[column] for seed, row in rows.items() if row[column] is not None}
            for rows in self.rows
        ]


@dataclass(frozen=True, slots=True)
class Curves:
    """All lines over the same values."""

    title: str
    """Of the axis across."""
    over: str
    """The sweep's axis that goes across."""
    names: tuple[str, ...]
    """Its values, in the order of ``x``."""
    x: tuple[float, ...]
    """Where they are drawn, ascending."""
    seeds: tuple[str, ...]
    lines: tuple[Curve, ...]


def curves(sweep: Sweep, rows: Sequence[Mapping[str, Any]], plan: CurvePlan) -> Curves:
    """Sort a sweep's rows into lines.

    Args:
        sweep: Which was run.
        rows: A row per cell.
        plan: What goes across.

    Raises:
        ScenarioError: If the sweep has no such axis, no numbers to draw it at, or not one seed of
            two values or more.
    """
    over, seed = axes_of(sweep, plan)
    others = [axis for axis in sweep.axes if axis not in (over, seed)]
    named: dict[tuple[str, ...], dict[str, dict[str, Mapping[str, Any]]]] = {}
    for row in rows:
        line = named.setdefault(tuple(row[axis.key] for axis in others), {})
        found = line.setdefault(row[over.key], {})
        if row["status"] == "done":
            found[row[seed.key]] = row
    x = _positions(over, rows, plan)
    order = sorted(over.names, key=x.__getitem__)
    for one, two in pairwise(order):
        if x[one] == x[two]:
            raise ScenarioError(
                f"curve: {over.key} {one} and {two} have the same {plan.against or 'value'}, "
                f"{x[one]:.4g}; each point needs a place of its own"
            )
    varied = [axis.key for axis in others if len(axis.names) > 1]
    lines = []
    for names, by_x in named.items():
        at = {axis.key: name for axis, name in zip(others, names, strict=True)}
        name = ", ".join(at[key] for key in varied) or "all"
        lines.append(Curve(name, at, tuple(by_x[each] for each in order)))
    title = over.key if plan.against is None else _TITLES.get(plan.against, plan.against)
    return Curves(
        title, over.key, tuple(order), tuple(x[each] for each in order), seed.names, tuple(lines)
    )


_TITLES = {
    "hostile_share_mean": "adversarial share of a neighbourhood, mean",
    "hostile_share_max": "adversarial share of a neighbourhood, greatest",
    "dominated_share": "share of the benign peers that are dominated",
    "delta_max": "greatest weight that a benign peer gives to adversaries",
}


def axes_of(sweep: Sweep, plan: CurvePlan) -> tuple[Axis, Axis]:
    """The axis that goes across, and that of the seeds.

    Raises:
        ScenarioError: As for :func:`curves`; before anything is run.
    """
    seeds = [axis for axis in sweep.axes if is_seed(axis.key) and len(axis.names) > 1]
    if len(seeds) != 1:
        came = " and ".join(axis.key for axis in seeds) or "none"
        raise ScenarioError(
            "curve: its intervals are over seeds, which must be drawn independently: sweep one of "
            f"them, such as seed: {{from: 1, to: 5}}; came {came}"
        )
    plain = [axis for axis in sweep.axes if not is_seed(axis.key)]
    if plan.over is None:
        numbers = [axis for axis in plain if axis.numbers is not None and len(axis.names) > 1]
        if len(numbers) != 1:
            came = ", ".join(axis.key for axis in numbers) or "none"
            raise ScenarioError(
                f"curve: give `over`, the axis that goes across; axes of numbers are {came}"
            )
        over = numbers[0]
    else:
        keys = {axis.key: axis for axis in plain}
        if plan.over not in keys:
            raise ScenarioError(
                f"curve.over: came {plan.over}; the sweep's axes but seeds are {', '.join(keys)}"
            )
        over = keys[plan.over]
    if over.numbers is None and plan.against is None:
        raise ScenarioError(
            f"curve: the values of {over.key} are no numbers; say against which of the graph's "
            "numbers to draw them: curve.against"
        )
    if len(over.names) < 2:
        raise ScenarioError(f"curve: {over.key} has one value; a curve needs two or more")
    return over, seeds[0]


def _positions(over: Axis, rows: Sequence[Mapping[str, Any]], plan: CurvePlan) -> dict[str, float]:
    """Where each value is drawn: by its number, or by the mean of the graph's over all its rows."""
    if plan.against is None:
        assert over.numbers is not None
        return dict(zip(over.names, map(float, over.numbers), strict=True))
    found: dict[str, float] = {}
    for name in over.names:
        known = [
            row[plan.against]
            for row in rows
            if row[over.key] == name and row[plan.against] is not None
        ]
        if not known:
            raise ScenarioError(f"curve: no cell with {over.key} {name} has a {plan.against}")
        found[name] = fsum(known) / len(known)
    return found


def interval(values: Sequence[float]) -> Interval | None:
    """The mean of some values and its 95 % interval; None of no values."""
    n = len(values)
    if not n:
        return None
    mean = fsum(values) / n
    if n == 1:
        return Interval(mean, None, None, n)
    half = float(stdtrit(n - 1, (1 + LEVEL) / 2)) * stdev(values) / sqrt(n)
    return Interval(mean, mean - half, mean + half, n)


def points(line: Curve, column: str) -> list[Interval | None]:
    """A line's points, by x."""
    return [interval(list(of.values())) for of in line.values(column)]


def differences(line: Curve, first: Curve, column: str) -> list[Interval | None]:
    """How far a line is above the first, by x: paired by seed."""
    pairs = zip(line.values(column), first.values(column), strict=True)
    return [
        interval([own[seed] - other[seed] for seed in own if seed in other]) for own, other in pairs
    ]
