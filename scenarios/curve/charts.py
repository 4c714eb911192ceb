"""The charts of a curve: lines with their bands, and how far each is above the first."""

from collections.abc import Callable, Sequence
from math import fsum, isfinite
from operator import itemgetter
from typing import Any

from scenarios.curve.breaks import threshold
from scenarios.curve.lines import Interval
from scenarios.curve.study import Figure, Study, in_percent
from scenarios.report.charts import Chart, chart
from scenarios.report.styles import COLOURS

SYMBOLS = ("circle", "square", "triangle-up", "diamond", "cross", "triangle-down", "star")
DASHES = ("solid", "dash", "dot", "dashdot", "longdash")
_GREY = "#6B7280"


def result_chart(study: Study, figure: Figure) -> Chart:
    """A line for each defense, its band, its break, and what it is held against."""
    from plotly import graph_objects as go

    traces = _references(study, figure)
    for number in range(len(study.curves.lines)):
        traces += _line(study, number, figure.points[number], "%{y:.1f} %")
    bound = _mean_threshold(study, figure)
    for number, found in enumerate(figure.breaks):
        if found is not None and isfinite(found.at):
            y = _between(study.curves.x, bound, found.at)
            traces.append(
                go.Scatter(
                    x=[_scaled(study, found.at)], y=[y], mode="markers", showlegend=False,
                    marker={"symbol": "x", "size": 13, "color": COLOURS[number % len(COLOURS)],
                            "line": {"color": "white", "width": 1.5}},
                    hovertemplate=f"{study.curves.lines[number].name} breaks at %{{x:.4g}}"
                    "<extra></extra>",
                )
            )  # fmt: skip
    name = "ASR" if figure.column == "asr" else "test accuracy"
    return chart(traces, _across(study), f"{name} (%)", height=480, yaxis_range=[-2, 102])


def above_first(study: Study, figure: Figure) -> Chart:
    """How far each line is above the first, with paired intervals."""
    traces = []
    for number in range(1, len(study.curves.lines)):
        traces += _line(study, number, figure.differences[number], "%{y:+.1f} points")
    name = "ASR" if figure.column == "asr" else "test accuracy"
    drawn = chart(traces, _across(study), f"{name}, difference (points)", height=380)
    drawn.add_hline(y=0, line={"color": _GREY, "width": 1})
    return drawn


def _across(study: Study) -> str:
    return f"{study.curves.title} (%)" if in_percent(study) else study.curves.title


def _scaled(study: Study, x: float) -> float:
    return 100 * x if in_percent(study) else x


def _line(study: Study, number: int, points: Sequence[Interval | None], value: str) -> list[Any]:
    """A band and a line with marks."""
    from plotly import graph_objects as go

    colour = COLOURS[number % len(COLOURS)]
    name = study.curves.lines[number].name
    known = [(x, p) for x, p in zip(study.curves.x, points, strict=True) if p is not None]
    places = [_scaled(study, x) for x, _ in known]
    bounded = [(x, p.low, p.high) for x, p in known if p.low is not None and p.high is not None]
    band = go.Scatter(
        x=[_scaled(study, x) for x, _, _ in (*bounded, *reversed(bounded))],
        y=[100 * low for _, low, _ in bounded] + [100 * high for _, _, high in reversed(bounded)],
        mode="lines", line={"width": 0}, fill="toself", fillcolor=_faint(colour),
        hoverinfo="skip", showlegend=False, legendgroup=name,
    )  # fmt: skip
    line = go.Scatter(
        x=places,
        y=[100 * p.mean for _, p in known],
        mode="lines+markers",
        line={"color": colour, "width": 2.5, "dash": DASHES[number // len(COLOURS) % len(DASHES)]},
        marker={"symbol": SYMBOLS[number % len(SYMBOLS)], "size": 9},
        customdata=[_said(p) for _, p in known],
        name=name,
        legendgroup=name,
        hovertemplate=f"{name}<br>at %{{x:.4g}}: {value}%{{customdata}}<extra></extra>",
    )
    return [band, line]


def _said(point: Interval) -> str:
    if point.low is None or point.high is None:
        return ", one seed"
    return f" ({100 * point.low:.1f} to {100 * point.high:.1f}), {point.n} seeds"


def _faint(colour: str) -> str:
    red, green, blue = (int(colour[k : k + 2], 16) for k in (1, 3, 5))
    return f"rgba({red},{green},{blue},0.16)"


def _references(study: Study, figure: Figure) -> list[Any]:
    """Grey lines: the reference runs, and the threshold."""
    from plotly import graph_objects as go

    def grey(values: list[float | None], name: str, dash: str) -> Any:
        return go.Scatter(
            x=[_scaled(study, x) for x in study.curves.x], y=values, mode="lines", name=name,
            line={"color": _GREY, "width": 1.5, "dash": dash}, connectgaps=False,
            hovertemplate=f"{name}: %{{y:.1f}} %<extra></extra>",
        )  # fmt: skip

    traces = []
    if figure.column != "asr":
        for name, dash in (("local_only", "longdash"), ("benign_only", "dashdot")):
            means = _means(study, itemgetter(name))
            if any(mean is not None for mean in means):
                traces.append(grey(means, name, dash))
    bound = _mean_threshold(study, figure)
    if any(mean is not None for mean in bound):
        traces.append(grey(bound, "threshold", "dot"))
    return traces


def _mean_threshold(study: Study, figure: Figure) -> list[float | None]:
    return _means(study, lambda row: threshold(row, figure.column, study.plan))


def _means(study: Study, of: Callable[[Any], float | None]) -> list[float | None]:
    """By x, the mean over all lines' rows, in percent."""
    means: list[float | None] = []
    for k in range(len(study.curves.x)):
        rows = (row for line in study.curves.lines for row in line.rows[k].values())
        known = [value for row in rows if (value := of(row)) is not None]
        means.append(100 * fsum(known) / len(known) if known else None)
    return means


def _between(x: Sequence[float], y: Sequence[float | None], at: float) -> float | None:
    """A value on the straight line between two points."""
    for k in range(1, len(x)):
        before, after = y[k - 1], y[k]
        if x[k - 1] <= at <= x[k] and before is not None and after is not None:
            return before + (after - before) * (at - x[k - 1]) / (x[k] - x[k - 1])
    return None
