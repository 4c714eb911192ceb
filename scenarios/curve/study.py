"""A sweep's curves: made of its rows, written as tables, and told in words."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import inf, isinf
from typing import Any

from p2pfl.errors import ScenarioError
from scenarios.curve.breaks import Break, break_of
from scenarios.curve.lines import Curve, Curves, Interval, curves, differences, points
from scenarios.curve.plan import CurvePlan
from scenarios.report.study_page import weakened
from scenarios.sweep import Sweep
from scenarios.sweep_files import write_csv

_BOUNDS = ("mean", "low", "high", "seeds")
_DIFFERENCE = ("difference", "difference_low", "difference_high", "pairs")


@dataclass(frozen=True, slots=True)
class Figure:
    """One result of all lines."""

    column: str
    points: tuple[tuple[Interval | None, ...], ...]
    """By line, by x."""
    differences: tuple[tuple[Interval | None, ...], ...]
    """From the first line, which has none."""
    breaks: tuple[Break | None, ...]
    """By line."""


@dataclass(frozen=True, slots=True)
class Study:
    """All curves of a sweep."""

    curves: Curves
    plan: CurvePlan
    figures: tuple[Figure, ...]
    alarms: tuple[str, ...]
    """Cells that did not run to their end, and what weakened in others, in words."""

    def as_dict(self) -> dict[str, Any]:
        """What a program would read: where each line breaks, by figure; None is not known."""
        return {
            figure.column: {
                line.name: None if found is None else _ends(found)
                for line, found in zip(self.curves.lines, figure.breaks, strict=True)
            }
            for figure in self.figures
        }


def _ends(found: Break) -> dict[str, float | str | int]:
    numbers = {"at": found.at, "low": found.low, "high": found.high}
    # JSON has no infinity.
    texts = {-inf: "from the start", inf: "holds throughout"}
    return {name: texts.get(value, value) for name, value in numbers.items()} | {"seeds": found.n}


def make_study(sweep: Sweep, rows: Sequence[Mapping[str, Any]], plan: CurvePlan) -> Study:
    """Make the curves of a sweep that was run.

    Raises:
        ScenarioError: If its axes do not make a curve, or no run has what is to be drawn.
    """
    made = curves(sweep, rows, plan)
    figures = tuple(
        _figure(made, column, plan)
        for column in plan.figures
        if any(row[column] is not None for row in rows)
    )
    if not figures:
        raise ScenarioError(f"curve.figures: no run has any of {', '.join(plan.figures)}")
    failed = [f"{row['folder']} failed: {row['error']}" for row in rows if row["status"] != "done"]
    return Study(made, plan, figures, (*failed, *weakened(rows)))


def _figure(made: Curves, column: str, plan: CurvePlan) -> Figure:
    first = made.lines[0]

    def above(line: Curve) -> tuple[Interval | None, ...]:
        none: list[Interval | None] = [None] * len(made.x)
        return tuple(none if line is first else differences(line, first, column))

    return Figure(
        column,
        tuple(tuple(points(line, column)) for line in made.lines),
        tuple(map(above, made.lines)),
        tuple(break_of(line, made.x, column, plan) for line in made.lines),
    )


def write_study(sweep: Sweep, study: Study) -> None:
    """Replace curve.csv and breaks.csv in the sweep's folder."""
    made = study.curves
    keys = list(made.lines[0].at)
    over = (made.over, "x")
    rows, breaks = [], []
    for figure in study.figures:
        for k, line in enumerate(made.lines):
            head = {"result": figure.column, **line.at}
            for i, (name, x) in enumerate(zip(made.names, made.x, strict=True)):
                mean = _bounds(_BOUNDS, figure.points[k][i])
                difference = _bounds(_DIFFERENCE, figure.differences[k][i])
                rows.append(head | dict(zip(over, (name, x), strict=True)) | mean | difference)
            found = figure.breaks[k]
            ends = dict.fromkeys(("at", "low", "high", "seeds")) if found is None else {
                "at": found.at, "low": found.low, "high": found.high, "seeds": found.n
            }  # fmt: skip
            breaks.append(head | ends)
    columns = ["result", *keys, *over, *_BOUNDS, *_DIFFERENCE]
    write_csv(sweep.folder / "curve.csv", columns, rows)
    write_csv(sweep.folder / "breaks.csv", ["result", *keys, "at", "low", "high", "seeds"], breaks)


def _bounds(names: Sequence[str], found: Interval | None) -> dict[str, Any]:
    values = (None, None, None, 0) if found is None else found
    return dict(zip(names, values, strict=True))


def place_text(x: float, study: Study) -> str:
    """Where something is on the axis across, in words; beyond its ends, that."""
    first, last = study.curves.x[0], study.curves.x[-1]
    if isinf(x):
        return f"below {_short(first, study)}" if x < 0 else f"above {_short(last, study)}"
    return _short(x, study)


def _short(x: float, study: Study) -> str:
    return f"{100 * x:.1f} %" if in_percent(study) else f"{x:.4g}"


def in_percent(study: Study) -> bool:
    """Whether what goes across is a share of the graph's numbers."""
    against = study.plan.against or ""
    return "share" in against or against == "delta_max"


def break_rows(study: Study, figure: Figure) -> list[list[str]]:
    """Where each line breaks, as a table of words."""
    rows = [["", "breaks at", "95 % interval", "seeds"]]
    for line, found in zip(study.curves.lines, figure.breaks, strict=True):
        if found is None:
            rows.append([line.name, "not told", "-", "-"])
            continue
        at = (
            "from the start" if found.at == -inf
            else "holds throughout" if found.at == inf
            else place_text(found.at, study)
        )  # fmt: skip
        ends = f"{place_text(found.low, study)} to {place_text(found.high, study)}"
        if found.low == found.high and isinf(found.low):
            ends = at
        rows.append([line.name, at, ends, str(found.n)])
    return rows


def means_when(figure: Figure, plan: CurvePlan) -> str:
    """What it means to break, in words."""
    if figure.column == "asr":
        return f"where the ASR rises above {100 * plan.success:g} %"
    return (
        f"where it falls below local_only + {plan.halfway:g} (benign_only - local_only), of the "
        "same seed and value"
    )
