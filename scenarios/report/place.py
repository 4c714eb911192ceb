"""Charts of the final figures by place in the graph; of a server's clients, by their samples."""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

from scenarios.report.charts import Chart, chart, percent, single, whole
from scenarios.report.folder import Floats, RunFolder
from scenarios.report.spread import describe
from scenarios.report.styles import STYLES

_MOST_VALUES = 12
"""Up to so many values of a covariate each has its own mean; more are put in bins."""
_BINS = 8


class Covariate(NamedTuple):
    """Something about a benign peer that was known before the first round."""

    title: str
    values: Mapping[int, float]
    """By peer; peers without one are left out."""
    step: float
    """The smallest difference, which leaves room to draw equal ones side by side."""


def covariates(run: RunFolder) -> list[Covariate]:
    """What may explain how a benign peer fared, from the graph and the adversaries' places."""
    places = run.places
    return [
        Covariate(
            "hops to the nearest adversary (edges)",
            {peer: float(row.hops) for peer, row in places.items() if row.hops is not None},
            1.0,
        ),
        Covariate(
            "neighbours (peers)", {peer: float(row.degree) for peer, row in places.items()}, 1.0
        ),
        Covariate(
            "adversaries among the neighbours (%)",
            {peer: 100 * row.share for peer, row in places.items()},
            2.0,
        ),
    ]


def by_place(
    run: RunFolder, covariate: Covariate, last: Mapping[int, float], what: str
) -> Chart | None:
    """One mark for each benign peer, and the mean along the covariate; None without peers.

    Args:
        run: The run.
        covariate: Along the horizontal axis.
        last: Each peer's final figure, a share in [0, 1].
        what: Its name.
    """
    from plotly import graph_objects as go

    known = [peer for peer in run.benign if peer in covariate.values and peer in last]
    if not known:
        return None
    traces = []
    for group in ("benign_other", "benign_dominated"):
        peers = [peer for peer in known if run.groups[peer] == group]
        style = STYLES[group]
        traces.append(
            go.Scatter(
                x=single([covariate.values[p] + _aside(p, covariate.step) for p in peers]),
                y=percent([last[p] for p in peers]),
                mode="markers",
                marker={"color": style.colour, "symbol": style.symbol, "size": 9, "opacity": 0.75},
                customdata=[describe(run, p) for p in peers],
                hovertemplate=f"%{{customdata}}<br>{what}: %{{y:.1f}} %<extra></extra>",
                name=run.label(group),
                visible=bool(peers),
            )
        )
    places = np.array([covariate.values[p] for p in known])
    x, mean = means_along(places, np.array([last[p] for p in known]))
    traces.append(
        go.Scatter(
            x=single(x), y=percent(mean), mode="lines+markers", name="mean",
            line={"color": "#333", "width": 2}, marker={"symbol": "line-ew-open", "size": 16},
            hovertemplate="mean: %{y:.1f} %<extra></extra>",
        )
    )  # fmt: skip
    room = 0.75 * covariate.step  # or marks that stand at one value would fill the whole width
    axis: dict[str, Any] = {"range": [places.min() - room, places.max() + room]}
    if covariate.step == 1:
        axis |= whole(x)
    return chart(
        traces, covariate.title, f"{what} (%)", height=320, yaxis_range=[-3, 103], xaxis=axis,
        showlegend=False, margin={"t": 15},
    )  # fmt: skip


def by_client(run: RunFolder) -> Chart | None:
    """What weight a server gave each client, against how many samples it has; None of no merge."""
    from plotly import graph_objects as go

    rows = run.merges
    if not len(rows):
        return None
    traces = []
    for group in ("benign_other", "benign_dominated", "adversary"):
        style = STYLES[group]
        peers = [p for p in run.groups if run.groups[p] == group and (rows.sender == p).any()]
        if peers:
            traces.append(
                go.Scatter(
                    x=single([run.graph.nodes[p]["samples"] for p in peers]),
                    y=percent([rows.influence[rows.sender == p].mean() for p in peers]),
                    mode="markers",
                    marker={"color": style.colour, "symbol": style.symbol, "size": 10},
                    customdata=[describe(run, p) for p in peers],
                    hovertemplate="%{customdata}<br>influence: %{y:.2f} %<extra></extra>",
                    name=f"{run.label(group)} ({len(peers)})",
                )
            )
    return chart(
        traces, "training samples of the client", "influence on the server's model (%)", height=360,
        xaxis=whole([x for trace in traces for x in trace.x]),
    )  # fmt: skip


def means_along(x: Floats, y: Floats) -> tuple[Floats, Floats]:
    """The mean of y at each value of x; of many values, in bins of equal width, at their middle."""
    places, where = np.unique(x, return_inverse=True)
    if len(places) > _MOST_VALUES:
        bounds = np.linspace(places[0], places[-1], _BINS + 1)
        where = np.clip(np.searchsorted(bounds, x, side="right") - 1, 0, _BINS - 1)
        places = (bounds[:-1] + bounds[1:]) / 2
    count = np.bincount(where, minlength=len(places))
    total = np.bincount(where, weights=y, minlength=len(places))
    full = count > 0
    return places[full], total[full] / count[full]


def table_of(run: RunFolder, columns: Mapping[str, Mapping[int, float]]) -> list[Sequence[str]]:
    """One row per peer for the table of all: id, role, place, and its final figures in %."""
    header = ["peer", "role", "samples", "neighbours", "adversaries among them", "hops"]
    rows: list[Sequence[str]] = [[*header, *(f"{name} (%)" for name in columns)]]
    for peer, group in run.groups.items():
        place = run.places.get(peer)
        spot = (
            (place.degree, place.adversaries, "–" if place.hops is None else place.hops)
            if place
            else ("–",) * 3
        )
        figures = (f"{100 * of[peer]:.1f}" if peer in of else "–" for of in columns.values())
        samples = run.graph.nodes[peer]["samples"]
        row = (peer, run.label(group), samples, *spot)
        rows.append([*map(str, row), *figures])
    return rows


def _aside(peer: int, step: float) -> float:
    """A small shift that differs from peer to peer, so that equal marks are seen."""
    return 0.3 * step * ((peer * 0.6180339887) % 1 - 0.5)
