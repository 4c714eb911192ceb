"""side_by_side.png: methods over rounds, what they sent and virtual time, a line for each."""

import json
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from itertools import product
from math import ceil
from pathlib import Path
from statistics import fmean
from textwrap import fill
from typing import Any, NamedTuple

from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from p2pfl.metrics import overall_value, resistance
from scenarios.files import read_table
from scenarios.methods import METHOD
from scenarios.report.styles import COLOURS
from scenarios.seeds import is_seed
from scenarios.sweep import Sweep

ACROSS = ("time_s", "bytes_sent", "round")
MARKERS = ("o", "s", "^", "D", "v", "P", "X", "*", "p")
MARKED = 12
"""About how many points of a line have a marker."""


class Point(NamedTuple):
    """Where a method stood. Shares in [0, 1], those behind the accuracy None if untargeted."""

    time_s: float
    bytes_sent: float
    round: float
    accuracy: float
    asr: float | None = None
    """Over inputs that are not of the target class anyway, where there are any."""
    resistance: float | None = None
    """R = 1 - ASR over all inputs."""
    overall_value: float | None = None
    """V = (accuracy + R) / 2."""


SHARES = {
    "accuracy": "test accuracy A (%)",
    "asr": "ASR (%)",
    "resistance": "R, target class included (%)",
    "overall_value": "V = (A + R) / 2 (%)",
}
"""What is drawn, a row of panels each; of untargeted attacks the accuracy alone."""


class Course(NamedTuple):
    """One method: the mean over its seeds, and from the lowest to the highest of them."""

    name: str
    server: bool
    points: tuple[Point, ...]
    lowest: tuple[Point, ...]
    highest: tuple[Point, ...]


def course(folder: Path) -> list[Point]:
    """How a run went, from its metrics.csv: the mean over the benign peers, or the server.

    A point each time that as many evaluations have come in as there are peers, and at the end;
    each peer counts with its latest.
    """
    rows = read_table(folder / "metrics.csv")
    role = "server" if any(row["role"] == "server" for row in rows) else "benign"
    own = [row for row in rows if row["role"] == role and row["peer"]]
    peers = {row["peer"] for row in own if row["metric"] == "accuracy"}
    latest: dict[str, Point] = {}
    points: list[Point] = []
    values: dict[str, float] = {}
    since = 0
    for row in own:
        values[row["metric"]] = float(row["value"])
        if row["metric"] != "bytes_sent":  # the last of an evaluation
            continue
        last = latest[row["peer"]] = _point(float(row["time_s"]), int(row["round"]), values)
        values, since = {}, since + 1
        if len(latest) == len(peers) and since >= len(peers):
            points.append(_at(last, latest.values()))
            since = 0
    if since and len(latest) == len(peers):
        points.append(_at(max(latest.values()), latest.values()))
    return points


def _point(time_s: float, round_: int, values: Mapping[str, float]) -> Point:
    accuracy, asr = values["accuracy"], values.get("asr")
    point = Point(time_s, values["bytes_sent"], round_, accuracy)
    if asr is None:
        return point
    return point._replace(
        asr=values.get("asr_excluding_target", asr),
        resistance=resistance(asr),
        overall_value=overall_value(accuracy, asr),
    )


def _at(point: Point, points: Iterable[Point]) -> Point:
    """The mean of some points' shares, where one of them stands."""
    return _over(fmean, points)._replace(**{name: getattr(point, name) for name in ACROSS})


def _over(pick: Callable[[Sequence[float]], float], points: Iterable[Point]) -> Point:
    """Some points as one, field by field."""
    known = ([v for v in column if v is not None] for column in zip(*points, strict=True))
    return Point(*(pick(column) if column else None for column in known))  # type: ignore[arg-type]


def over_seeds(name: str, server: bool, courses: Sequence[Sequence[Point]]) -> Course:
    """Point by point: the first of each course, the second ..., and the last of each."""
    count = min(map(len, courses))
    found: list[tuple[Point, Point, Point]] = []
    for k in range(count):
        those = [each[-1] if k == count - 1 else each[k] for each in courses]
        mean, low, high = (_over(pick, those) for pick in (fmean, min, max))
        found.append((mean, low, high))
    points, lowest, highest = zip(*found, strict=True) if found else ((), (), ())
    return Course(name, server, tuple(points), tuple(lowest), tuple(highest))


def draw_comparison(sweep: Sweep, rows: Sequence[Mapping[str, Any]]) -> None:
    """Draw a picture for each combination of the other axes' values but seeds.

    Args:
        sweep: With methods as its first axis.
        rows: A row per cell; those that failed are left out.
    """
    done = {
        cell.names: cell.folder
        for cell, row in zip(sweep.cells, rows, strict=True)
        if row["status"] == "done"
    }
    for path, chosen in _pictures(sweep):
        folders: dict[str, list[Path]] = {}
        for names, folder in done.items():
            if all(chosen.get(a.key, n) == n for a, n in zip(sweep.axes, names, strict=True)):
                folders.setdefault(names[0], []).append(folder)
        if folders:
            title = ", ".join(f"{key}: {name}" for key, name in chosen.items())
            draw_side_by_side(path, folders, title)


def pictures(sweep: Sweep) -> list[Path]:
    """The pictures of a comparison that are there; none of a plain sweep."""
    return [path for path, _ in _pictures(sweep) if path.exists()] if sweep.compares else []


def _pictures(sweep: Sweep) -> Iterator[tuple[Path, dict[str, str]]]:
    """Each picture's path, and what is the same for all of its lines."""
    axes = [axis for axis in sweep.axes if axis.key != METHOD and not is_seed(axis.key)]
    for names in product(*(axis.names for axis in axes)):
        words = "_".join(re.sub(r"[^\w.-]+", "-", name) for name in names)
        path = sweep.folder / (f"side_by_side_{words}.png" if words else "side_by_side.png")
        yield path, {axis.key: name for axis, name in zip(axes, names, strict=True)}


def draw_side_by_side(path: Path, folders: Mapping[str, Sequence[Path]], title: str = "") -> None:
    """Draw accuracy, and of targeted attacks ASR, R and V, against rounds, bytes and time.

    Against rounds where no budget ends the runs: with one, methods do not have as many.

    Args:
        path: Of the picture, replaced if it is there.
        folders: By method, its run folders: one per seed.
        title: What the runs have in common beside what their summaries say.
    """
    summaries = {
        name: json.loads((of[0] / "summary.json").read_text("utf-8"))
        for name, of in folders.items()
    }
    courses = [
        over_seeds(name, summaries[name]["peers"]["server"] > 0, list(map(course, of)))
        for name, of in folders.items()
    ]
    targeted = any(point.asr is not None for each in courses for point in each.points)
    shares = list(SHARES) if targeted else ["accuracy"]
    first = next(iter(summaries.values()))
    budget = first["budget"] or {}
    most_bytes = max((p.bytes_sent for each in courses for p in each.points), default=0)
    most_s = max((p.time_s for each in courses for p in each.points), default=0)
    across: list[tuple[str, str, float, float | None]] = [
        (
            "bytes_sent",
            *_bytes_unit(max(most_bytes, budget.get("bytes") or 0)),
            budget.get("bytes"),
        ),
        ("time_s", *_time_unit(max(most_s, budget.get("virtual_s") or 0)), budget.get("virtual_s")),
    ]
    if not budget:
        across.insert(0, ("round", "round", 1.0, None))
    size = (1 + 5 * len(across), 1.9 + 3.1 * len(shares))
    figure = Figure(figsize=size, layout="constrained")
    FigureCanvasAgg(figure)
    panels = figure.subplots(len(shares), len(across), squeeze=False, sharey="row")
    for share, line in zip(shares, panels, strict=True):
        for axes, (what, label, unit, limit) in zip(line, across, strict=True):
            for number, each in enumerate(courses):
                _draw_course(axes, number, each, what, unit, share)
            if limit:
                axes.axvline(limit / unit, color="#555555", ls=":", lw=1.2, label="budget")
            axes.set(xlabel=label, ylim=(-2, 102))
            axes.set_xlim(left=0)
            axes.grid(alpha=0.3)
        line[0].set_ylabel(SHARES[share])
        if share == "asr":
            rest = line[-1].secondary_yaxis("right", functions=(lambda y: 100 - y,) * 2)
            rest.set_ylabel("R without the target class (%)")
    handles, labels = panels[0, 0].get_legend_handles_labels()
    for axes in panels[0, 1:]:
        for handle, label in zip(*axes.get_legend_handles_labels(), strict=True):
            if label not in labels:
                handles.append(handle)
                labels.append(label)
    figure.legend(handles, labels, loc="outside right upper", fontsize=9)
    figure.suptitle(_title(first, title), fontsize=11)
    seeds = max(map(len, folders.values()))
    caption = _caption(seeds, targeted, first)
    figure.supxlabel(fill(caption, 75 * len(across)), fontsize=9)
    part = path.with_suffix(".part.png")
    figure.savefig(part, dpi=110)
    part.replace(path)


def _draw_course(axes: Axes, number: int, each: Course, what: str, unit: float, share: str) -> None:
    def column(points: Sequence[Point], name: str, factor: float) -> list[float]:
        return [float("nan") if (v := getattr(p, name)) is None else v * factor for p in points]

    colour = COLOURS[number % len(COLOURS)]
    x = column(each.points, what, 1 / unit)
    axes.plot(
        x,
        column(each.points, share, 100),
        "--" if each.server else "-",
        color=colour,
        marker=MARKERS[number % len(MARKERS)],
        markerfacecolor="white" if each.server else colour,
        markersize=5,
        markevery=ceil(len(x) / MARKED) or 1,
        label=each.name,
    )
    low, high = column(each.lowest, share, 100), column(each.highest, share, 100)
    axes.fill_between(x, low, high, color=colour, alpha=0.15, lw=0)


def _bytes_unit(most: float) -> tuple[str, float]:
    unit, name = (1e9, "GB") if most >= 1e10 else (1e6, "MB") if most >= 1e5 else (1e3, "kB")
    return f"sent by all together ({name})", unit


def _time_unit(most_s: float) -> tuple[str, float]:
    unit, name = (3600.0, "h") if most_s >= 7200 else (1.0, "s")
    return f"virtual time ({name})", unit


def _title(summary: Mapping[str, Any], more: str) -> str:
    peers = summary["peers"]
    text = f"{summary['name']}: {summary['dataset']}, {peers['benign']} benign peers"
    if peers["adversary"]:
        text += f" and {peers['adversary']} adversaries, attack {summary['attack']}"
    return f"{text}; {more}" if more else text


def _caption(seeds: int, targeted: bool, summary: Mapping[str, Any]) -> str:
    text = "Accuracy on the test set"
    if targeted:
        text += (
            ", share of triggered inputs taken for the target class (ASR, without inputs of that "
            "class where there are others), share of all triggered inputs that are not (R), and "
            "the mean of accuracy and R (V)"
        )
    text += (
        ": mean over the benign peers (full lines), or of the server's model (dashed), against "
        f"{'' if summary['budget'] else 'rounds, '}the bytes that all peers and the server had put "
        "on their links and virtual time. Equal split, adversaries and seeds. "
    )
    if held_out := summary.get("held_out"):
        text += f"{held_out:,} training samples are held out from the peers of all methods. "
    if seeds > 1:
        text += f"Mean of {seeds} seeds; the band is from the lowest to the highest of them. "
    budget = summary["budget"]
    if not budget:
        return text + "No budget: each line ends after its rounds."
    return text + "A line ends with the budget, or with the method's rounds."
