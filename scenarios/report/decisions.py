"""Charts of what the defense decided: peer by neighbour, against the truth."""

import numpy as np
import numpy.typing as npt

from scenarios.report.charts import (
    Chart,
    categories,
    chart,
    frames_of,
    mean_by_round,
    mean_of_cells,
    percent,
    single,
    slide,
    whole,
)
from scenarios.report.folder import Floats, Ints, RunFolder
from scenarios.report.styles import SCALE, STYLES

MOST_CELLS = 1_500_000
"""Of the map over all its steps; a larger run has steps of several rounds."""
MOST_STEPS = 100

_RATES = {
    "adversary_influence": ("influence of adversaries", STYLES["adversary"].colour, "solid"),
    "tpr": ("adversaries flagged (TPR)", "#000000", "dash"),
    "fpr": ("benign flagged (FPR)", "#56B4E9", "dot"),
}


def rates(run: RunFolder) -> Chart | None:
    """How well adversaries were told from benign senders in each round; None without adversaries.

    The mean over the merges of a round.
    """
    from plotly import graph_objects as go

    traces = []
    for metric, (name, colour, dash) in _RATES.items():
        series = run.metrics.get(metric)
        if series is None:
            continue
        rounds, mean = mean_by_round(series.round, series.value)
        traces.append(
            go.Scatter(
                x=single(rounds), y=percent(mean), name=name,
                mode="lines+markers" if len(rounds) <= 30 else "lines",
                line={"color": colour, "width": 2.5, "dash": dash},
                hovertemplate=f"{name}<br>round %{{x}}: %{{y:.1f}} %<extra></extra>",
            )
        )  # fmt: skip
    if not traces:
        return None
    return chart(traces, "round", "share (%)", yaxis_range=[-3, 103], xaxis=whole(rounds))


def decision_map(run: RunFolder) -> Chart | None:
    """Who listened to whom, with a slider; None without merges, or if it would be too large.

    A row for each peer that merges, a column for each sender: the benign first, then the
    adversaries. Of a step of several rounds, the mean influence, and whoever was flagged in half
    of the merges or more.
    """
    from plotly import graph_objects as go

    rows = run.merges
    receivers = sorted(set(rows.peer.tolist()))
    senders = [*run.benign, *run.adversaries]
    cells = len(receivers) * len(senders)
    if not len(rows) or cells > MOST_CELLS:
        return None
    frames = frames_of(int(rows.round.max()), min(MOST_STEPS, MOST_CELLS // cells))
    line = np.searchsorted(receivers, rows.peer)
    spots = {sender: k for k, sender in enumerate(senders)}
    column = np.array([spots[sender] for sender in rows.sender.tolist()])
    step = np.searchsorted([last for _, last in frames], rows.round)
    order = np.argsort(step, kind="stable")
    bounds = np.searchsorted(step[order], range(len(frames) + 1))
    x = [f"{'adv. ' if sender in set(run.adversaries) else ''}{sender}" for sender in senders]
    y = [str(peer) for peer in receivers]
    hostile = len(run.benign)
    steps = []
    for k in range(len(frames)):
        here = order[bounds[k] : bounds[k + 1]]
        where = line[here] * len(senders) + column[here]
        share = mean_of_cells(where, rows.influence[here], cells).reshape(len(y), len(x))
        flags = mean_of_cells(where, rows.flagged[here], cells).reshape(len(y), len(x))
        with np.errstate(invalid="ignore"):
            flagged = np.argwhere(flags >= 0.5)
        steps.append((percent(share), *_marks(flagged, x, y, hostile)))
    names = [str(first) if first == last else f"{first}–{last}" for first, last in frames]
    shares, right, wrong = steps[-1]
    most = float(100 * rows.influence.max()) or 100.0
    who = "peer" if run.server is None else "server"
    traces = [
        go.Heatmap(
            x=x, y=y, z=shares, zmin=0, zmax=most, colorscale=SCALE, hoverongaps=False,
            xgap=1 if cells <= 2500 else 0, ygap=1 if cells <= 2500 else 0,
            colorbar={"title": {"text": "influence (%)", "side": "right"}, "thickness": 14},
            hovertemplate=f"{who} %{{y}} gave %{{x}}<br>%{{z:.2f}} % of its model<extra></extra>",
        ),
        *(
            go.Scatter(
                **marks, mode="markers", name=name, showlegend=True,
                marker={"symbol": symbol, "size": 9 if cells <= 2500 else 5, "color": colour,
                        "line": {"width": 1.5, "color": colour}},
                hovertemplate=f"{name}<br>{who} %{{y}}, sender %{{x}}<extra></extra>",
            )
            for marks, name, symbol, colour in (
                (right, "flagged, an adversary (right)", "square-open", "#56B4E9"),
                (wrong, "flagged, benign (wrong)", "x-thin", "#FF6B3D"),
            )
        ),
    ]  # fmt: skip
    figure = chart(
        traces,
        "sender: benign, then adversaries (adv.)",
        "merging peer" if run.server is None else "server",
        height=380 + min(420, 14 * len(y)),
        plot_bgcolor="#E6E6E6",
        xaxis=categories(x),
        yaxis=categories(y),
    )
    if 0 < hostile < len(x):
        figure.add_vline(x=hostile - 0.5, line={"color": "#B23A00", "width": 2, "dash": "dash"})
    figure.frames = [
        go.Frame(
            name=name,
            traces=[0, 1, 2],
            data=[{"type": "heatmap", "z": z}, {"type": "scatter", **hit},
                  {"type": "scatter", **miss}],
        )
        for name, (z, hit, miss) in zip(names, steps, strict=True)
    ]  # fmt: skip
    slide(figure, names, "round ", below=95)
    return figure


def measured(run: RunFolder) -> Chart | None:
    """What the defense measured of senders, by truth, one quantity at a time; None without any."""
    from plotly import graph_objects as go

    traces: list[Chart] = []
    buttons: list[tuple[str, int, int]] = []
    for name, (rounds, senders, values) in run.measured.items():
        finite = np.isfinite(values)
        hostile = np.isin(senders, run.adversaries)
        own = []
        for group, of in (("benign_other", ~hostile), ("adversary", hostile)):
            style, some = STYLES[group], finite & of
            label = "benign senders" if group == "benign_other" else "adversaries"
            for part, x, y in _quartiles(rounds[some], values[some]):
                own.append(
                    go.Scatter(
                        x=single(x), y=single(y), mode="lines",
                        line={"color": style.colour, "width": 3 if part == "median" else 1,
                              "dash": style.dash},
                        fill="tonexty" if part == "upper quarter" else None,
                        name=label, legendgroup=group, showlegend=part == "median",
                        hovertemplate=f"{label}, {part}<br>round %{{x}}: %{{y:.4g}}<extra></extra>",
                        visible=not buttons,
                    )
                )  # fmt: skip
        first = len(traces)
        traces += own
        buttons.append((name, first, len(own)))
    if not traces:
        return None
    below = {"orientation": "h", "x": 0, "y": -0.18, "yanchor": "top"}
    ticks = whole(next(iter(run.measured.values()))[0])
    figure = chart(traces, "round", buttons[0][0], legend=below, xaxis=ticks)
    figure.update_layout(
        updatemenus=[
            {
                "x": 1, "xanchor": "right", "y": 1.02, "yanchor": "bottom",
                "buttons": [
                    {
                        "label": name,
                        "method": "update",
                        "args": [
                            {"visible": [first <= k < first + n for k in range(len(traces))]},
                            {"yaxis.title.text": name},
                        ],
                    }
                    for name, first, n in buttons
                ],
            }
        ]
    )  # fmt: skip
    return figure


def _quartiles(rounds: Ints, values: Floats) -> list[tuple[str, Floats, Floats]]:
    """Lower quarter, upper quarter and median of the values of each round, with the rounds."""
    if not len(rounds):
        return []
    order = np.argsort(rounds, kind="stable")
    present, first = np.unique(rounds[order], return_index=True)
    parts = np.split(values[order], first[1:])
    return [
        (name, present.astype(float), np.array([np.quantile(part, q) for part in parts]))
        for name, q in (("lower quarter", 0.25), ("upper quarter", 0.75), ("median", 0.5))
    ]


def _marks(
    flagged: npt.NDArray[np.intp], x: list[str], y: list[str], hostile: int
) -> tuple[dict[str, list[str]], dict[str, list[str]]]:
    """Where to mark flags: those of adversaries, those of benign senders."""
    right = [(x[column], y[line]) for line, column in flagged.tolist() if column >= hostile]
    wrong = [(x[column], y[line]) for line, column in flagged.tolist() if column < hostile]
    hit, miss = ({"x": [a for a, _ in of], "y": [b for _, b in of]} for of in (right, wrong))
    return hit, miss
