"""Charts of how the peers' models fared: over rounds, and over virtual time."""

from typing import Literal

import numpy as np

from scenarios.report.charts import Chart, chained, chart, mean_by_round, percent, single, whole
from scenarios.report.folder import Floats, RunFolder, Series
from scenarios.report.styles import STYLES

_MOST_TIMES = 200
"""Points of a mean over time."""
_FEW_ROUNDS = 30
"""Up to so many, means have a mark at each round."""

_FEW_PEERS = 30
"""Above so many, single peers are fainter."""

Over = Literal["round", "time"]


def curves(run: RunFolder, series: Series, what: str, over: Over) -> Chart:
    """A thin line for each peer, a thick one for the mean of its group."""
    from plotly import graph_objects as go

    marked = over == "round" and len(np.unique(series.round)) <= _FEW_ROUNDS
    at = "round %{x}" if over == "round" else "at %{x:.2f} s"
    each: list[Chart] = []
    means: list[Chart] = []
    for group, style in STYLES.items():
        peers = [peer for peer in run.groups if run.groups[peer] == group]
        rounds, times, peer, value = chained(series, peers)
        if not len(value):
            continue
        x, mean = mean_of(series, peers, over)
        each.append(
            go.Scatter(
                x=single(rounds if over == "round" else times),
                y=percent(value),
                customdata=peer,
                mode="lines",
                line={"color": style.colour, "width": 1},
                opacity=0.45 if len(run.groups) <= _FEW_PEERS else 0.2,
                hovertemplate=f"peer %{{customdata}}, {run.label(group)}<br>{at}: "
                "%{y:.1f} %<extra></extra>",
                showlegend=False,
                legendgroup=group,
            )
        )
        means.append(
            go.Scatter(
                x=single(x),
                y=percent(mean),
                mode="lines+markers" if marked else "lines",
                line={"color": style.colour, "width": 3, "dash": style.dash,
                      "shape": "linear" if over == "round" else "hv"},
                marker={"symbol": style.symbol, "size": 8},
                hovertemplate=f"mean, {run.label(group)}<br>{at}: %{{y:.1f}} %<extra></extra>",
                name=f"{run.label(group)} ({len(peers)})",
                legendgroup=group,
            )
        )  # fmt: skip
    top = max(5.0, 104 * float(series.value.max()))
    title = "round" if over == "round" else "virtual time (s)"
    ticks = whole(series.round) if over == "round" else {}
    # The means in front of all peers.
    traces = each + means
    return chart(traces, title, f"{what} (%)", yaxis_range=[-2, min(102.0, top)], xaxis=ticks)


def mean_of(series: Series, peers: list[int], over: Over) -> tuple[Floats, Floats]:
    """The mean of some peers' values by round; over time, of the last value of each until then.

    A peer counts from its first value on.
    """
    own = np.flatnonzero(np.isin(series.peer, peers))
    if over == "round":
        rounds, means = mean_by_round(series.round[own], series.value[own])
        return rounds.astype(float), means
    order = own[np.argsort(series.time_s[own], kind="stable")]
    latest: dict[int, float] = {}
    total, means_then = 0.0, []
    for peer, now in zip(series.peer[order].tolist(), series.value[order].tolist(), strict=True):
        total += now - latest.get(peer, 0.0)
        latest[peer] = now
        means_then.append(total / len(latest))
    shown = np.unique(np.linspace(0, len(order) - 1, _MOST_TIMES).astype(int))
    return series.time_s[order][shown], np.array(means_then)[shown]
