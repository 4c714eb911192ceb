"""The graph with its roles, coloured by what became of each peer, with a slider over the rounds."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from graphs.types import Graph
from scenarios.report.charts import Chart, chart, frames_of, mean_of_cells, percent, single, slide
from scenarios.report.folder import Floats, Merges, RunFolder, Series
from scenarios.report.layout import places
from scenarios.report.styles import SCALE, STYLES, UNKNOWN

MOST_STEPS = 100
"""Of the slider."""
_MOST_LABELS = 40
"""Peers up to which each has its id beside it."""


def by_round(run: RunFolder, series: Series, what: str) -> Chart:
    """The graph coloured by what each benign peer had after a round, with a slider over them."""
    rounds = some_rounds(series, MOST_STEPS)
    ends = (float(series.time_s[series.round == r].max()) for r in rounds)
    labels = [f"{r} ({end:.1f} s)" for r, end in zip(rounds, ends, strict=True)]
    return spread(run, after_each(series, list(run.groups), rounds), labels, what)


def by_influence(run: RunFolder) -> Chart | None:
    """A server's clients, coloured by their share in its model; None if it merged nothing."""
    rows = run.merges
    if not len(rows):
        return None
    frames = frames_of(int(rows.round.max()), MOST_STEPS)
    labels = [str(a) if a == b else f"{a}–{b}" for a, b in frames]
    return spread(run, heeded(rows, list(run.groups), frames), labels, "influence")


def spread(run: RunFolder, table: Floats, labels: Sequence[str], what: str) -> Chart:
    """Draw the graph once for each step of a slider.

    Args:
        run: Whose graph it is.
        table: Shape (steps, peers), peers by ascending id: shares in [0, 1], NaN where unknown.
        labels: Of the steps.
        what: The shares are of, as the colour bar says.
    """
    from plotly import graph_objects as go

    place = places(run.graph, run.server)
    peers = list(run.groups)
    traces = [_edges(run.graph, place)]
    columns = []
    for group, style in STYLES.items():
        members = [k for k, peer in enumerate(peers) if run.groups[peer] == group]
        if not members:
            continue
        here = [peers[k] for k in members]
        # Adversaries and the server are not what an infection is read from: they keep one colour.
        coloured = group.startswith("benign")
        fill = _fill(table[-1, members]) if coloured else {"color": style.colour}
        size = 17 if len(peers) <= _MOST_LABELS else 10
        shape = {"symbol": style.symbol, "size": size, "line": {"width": 1, "color": "#333"}}
        spot = {
            "x": single([place[peer][0] for peer in here]),
            "y": single([place[peer][1] for peer in here]),
            "showlegend": False,
        }
        text = here if len(peers) <= _MOST_LABELS else None
        if coloured and np.isnan(table[:, members]).any():
            below = shape | {"color": UNKNOWN}
            traces.append(go.Scatter(**spot, mode="markers", marker=below, hoverinfo="skip"))
        traces.append(
            go.Scatter(
                **spot,
                mode="markers+text" if text else "markers",
                text=text,
                textposition="top center",
                textfont={"size": 11},
                customdata=[describe(run, peer) for peer in here],
                marker=shape | fill,
                hovertemplate="%{customdata}"
                + (f"<br>{what}: %{{marker.color:.1f}} %" if coloured else "")
                + "<extra></extra>",
            )
        )
        if coloured:
            columns.append((len(traces) - 1, members))
        key = {"symbol": style.symbol, "size": 10, "color": style.colour}
        key |= {"color": "white", "line": {"width": 1, "color": "#333"}} if coloured else {}
        name = f"{run.label(group)} ({len(here)})"
        traces.append(go.Scatter(x=[None], y=[None], mode="markers", marker=key, name=name))
    figure = chart(
        traces, "", "", height=620,
        xaxis={"visible": False}, yaxis={"visible": False, "scaleanchor": "x"},
        legend={"itemsizing": "constant"},
        coloraxis={
            "colorscale": SCALE, "cmin": 0, "cmax": _ceiling(table),
            "colorbar": {"title": {"text": f"{what} (%)", "side": "right"}, "thickness": 14},
        },
    )  # fmt: skip
    figure.frames = [
        go.Frame(
            name=label,
            data=[{"type": "scatter", "marker": _fill(row[of])} for _, of in columns],
            traces=[trace for trace, _ in columns],
        )
        for label, row in zip(labels, table, strict=True)
    ]
    slide(figure, labels, "after round ")
    return figure


def some_rounds(series: Series, most: int) -> list[int]:
    """The rounds with values, ascending; of too many, so many that are evenly apart."""
    rounds = np.unique(series.round)
    shown = np.unique(np.linspace(0, len(rounds) - 1, min(len(rounds), most)).astype(int))
    return [int(round_) for round_ in rounds[shown]]


def after_each(series: Series, peers: Sequence[int], rounds: Sequence[int]) -> Floats:
    """What each peer had last after some rounds.

    Args:
        series: Of one metric.
        peers: Ids.
        rounds: Ascending.

    Returns:
        Shape (rounds, peers); NaN before a peer's first value.
    """
    table = np.full((len(rounds), len(peers)), np.nan)
    for k, peer in enumerate(peers):
        own = series.peer == peer
        at = np.searchsorted(series.round[own], rounds, side="right") - 1
        known = at >= 0
        table[known, k] = series.value[own][at[known]]
    return table


def heeded(merges: Merges, peers: Sequence[int], frames: Sequence[tuple[int, int]]) -> Floats:
    """The mean share of each sender in a server's models of some rounds; NaN: it sent none."""
    frame = np.searchsorted([last for _, last in frames], merges.round)
    where = frame * len(peers) + np.searchsorted(peers, merges.sender)
    mean = mean_of_cells(where, merges.influence, len(frames) * len(peers))
    return mean.reshape(len(frames), len(peers))


def describe(run: RunFolder, peer: int) -> str:
    """A peer in some words: role, place, samples."""
    data = run.graph.nodes[peer]
    text = f"peer {peer}, {run.label(run.groups[peer])}"
    if "attack" in data:
        text += f" ({data['attack']})"
    text += f"<br>{data['samples']:,} training samples"
    if place := run.places.get(peer):
        text += f"<br>hears {place.degree} peers, {place.adversaries} of them adversaries"
        if place.hops is not None:
            text += f"<br>{place.hops} hops from the nearest adversary"
    return text


def _fill(shares: Floats) -> dict[str, Any]:
    """The colours of some marks; one that is not known is let through to the grey one below it."""
    known = (~np.isnan(shares)).astype(np.uint8)
    return {"color": percent(shares), "opacity": known, "coloraxis": "coloraxis"}


def _edges(graph: Graph, place: dict[int, tuple[float, float]]) -> Chart:
    from plotly import graph_objects as go

    ends = [(place[a], place[b]) for a, b in graph.edges]
    gap = float("nan")
    return go.Scatter(
        x=single([x for a, b in ends for x in (a[0], b[0], gap)]),
        y=single([y for a, b in ends for y in (a[1], b[1], gap)]),
        mode="lines",
        line={"width": 1 if len(ends) <= 300 else 0.5, "color": UNKNOWN},
        opacity=1.0 if len(ends) <= 300 else 0.5,
        hoverinfo="skip",
        showlegend=False,
    )


def _ceiling(table: Floats) -> float:
    """The end of the colour scale in %: a round number above all that is known."""
    known = table[~np.isnan(table)]
    most = 100 * float(known.max()) if len(known) else 100.0
    return min(100.0, 5.0 * (1 + int(most / 5)))
