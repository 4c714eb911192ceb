"""What the results of a sweep vary with: the share of the variance that each of its axes explains.

Of N cells, one for each combination of the axes' values, with results y and mean m:

    total      SS = sum over all cells of (y - m)^2
    axis A     SS_A = N / k * sum over its k values of (mean of y at that value - m)^2
    share      SS_A / SS, which that axis explains by itself (its main effect)
    rest       1 - the shares of all axes: what only combinations of values explain

Among seeds alone, so that their draws are not dwarfed by what was varied on purpose: the same
within each combination of the other axes, with both sums taken over all of them. What a seed moves
in one combination and not in another then counts as its own.

A share says something beside what it would be, in expectation, if the results were nothing but
noise: (k - 1) / (N - 1). With few values of an axis that is much.

Source
    R. A. Fisher. "Statistical Methods for Research Workers." 1925: the analysis of variance of a
    balanced design with one observation a cell.

Departs from the paper: no test of significance, which would need the rest to be noise.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import fsum, prod
from typing import Any

from scenarios.seeds import is_seed
from scenarios.sweep import Sweep


@dataclass(frozen=True, slots=True)
class Explained:
    """What one axis explains; None for what remains."""

    axis: str | None
    degrees_of_freedom: int
    share: float
    """In [0, 1]."""
    by_chance: float
    """What it would be, in expectation, if the axis moved nothing."""


@dataclass(frozen=True, slots=True)
class Variance:
    """The variance of one result over a sweep's cells, taken apart."""

    column: str
    among: str
    """``all cells``, or ``seeds`` within each combination of the other axes."""
    standard_deviation: float
    """Of what is taken apart: of all cells, or within the combinations; by N, in the result's unit.
    """
    parts: tuple[Explained, ...]


def variances(sweep: Sweep, rows: Sequence[Mapping[str, Any]], column: str) -> list[Variance]:
    """Take the variance of a result apart; among seeds alone too, where two or more are varied.

    Args:
        sweep: Whose cells are all combinations of its axes.
        rows: A row per cell.
        column: The result. Values of an axis under which no run has it are left out, as attacks
            without a target are of ASR.

    Raises:
        ValueError: If the design does not allow it; says why.
    """
    for axis in sweep.axes:
        if len(set(axis.names)) < len(axis.names):
            raise ValueError(f"the axis {axis.key} has a value twice")
    rows, sizes = _measurable(sweep, rows, column)
    if not sizes:
        raise ValueError("no axis of the sweep has two values")
    missing = sum(row[column] is None for row in rows)
    if missing:
        raise ValueError(
            f"{missing} of {len(rows)} cells have no {column}: without them the design is not "
            "balanced"
        )
    seeds = {key: size for key, size in sizes.items() if is_seed(key)}
    found = [_apart(rows, column, sizes, (), "all cells")]
    if len(seeds) > 1 and len(seeds) < len(sizes):
        others = tuple(key for key in sizes if key not in seeds)
        found.append(_apart(rows, column, seeds, others, "seeds"))
    return found


def _measurable(
    sweep: Sweep, rows: Sequence[Mapping[str, Any]], column: str
) -> tuple[list[Mapping[str, Any]], dict[str, int]]:
    """The cells that can have the result, and how many values that leaves each axis, if two."""
    sizes, left = {}, list(rows)
    for axis in sweep.axes:
        known = {
            row[axis.key] for row in rows if row[column] is not None or row["status"] != "done"
        }
        left = [row for row in left if row[axis.key] in known]
        if len(known) > 1:
            sizes[axis.key] = len(known)
    return left, sizes


def _apart(
    rows: Sequence[Mapping[str, Any]],
    column: str,
    sizes: Mapping[str, int],
    within: tuple[str, ...],
    among: str,
) -> Variance:
    """Within each combination of some axes, by the others; ``sizes`` says how many values each
    has."""
    groups: dict[tuple[str, ...], list[Mapping[str, Any]]] = {}
    for row in rows:
        groups.setdefault(tuple(row[key] for key in within), []).append(row)
    total = fsum(_squares(group, column) for group in groups.values())
    if total == 0:
        raise ValueError(f"{column} is the same in all cells: there is no variance to explain")
    cells = prod(sizes.values())
    parts = []
    for key, size in sizes.items():
        own = fsum(_main_effect(group, column, key) for group in groups.values())
        parts.append(Explained(key, size - 1, own / total, (size - 1) / (cells - 1)))
    if len(sizes) > 1:
        left = cells - 1 - sum(size - 1 for size in sizes.values())
        rest = max(0.0, 1 - fsum(part.share for part in parts))
        parts.append(Explained(None, left, rest, left / (cells - 1)))
    return Variance(column, among, (total / len(rows)) ** 0.5, tuple(parts))


def _squares(rows: Sequence[Mapping[str, Any]], column: str) -> float:
    mean = _mean(rows, column)
    return fsum((row[column] - mean) ** 2 for row in rows)


def _main_effect(rows: Sequence[Mapping[str, Any]], column: str, key: str) -> float:
    mean = _mean(rows, column)
    by_value: dict[str, list[Mapping[str, Any]]] = {}
    for row in rows:
        by_value.setdefault(row[key], []).append(row)
    return fsum(len(those) * (_mean(those, column) - mean) ** 2 for those in by_value.values())


def _mean(rows: Sequence[Mapping[str, Any]], column: str) -> float:
    return fsum(row[column] for row in rows) / len(rows)
