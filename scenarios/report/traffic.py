"""Charts of the network: what each edge carried, what was lost or late, how long things took."""

import numpy as np
import numpy.typing as npt

from scenarios.report.charts import Chart, categories, chart, mean_of_cells, single, whole
from scenarios.report.folder import Floats, RunFolder
from scenarios.report.styles import SCALE, STYLES

MOST_CELLS = 250_000
"""Pairs of peers that the map of edges shows, each with every measure."""
_FATES = (
    ("accepted", "accepted", "#0072B2", ""),
    ("late", "too late", "#E69F00", "/"),
    ("rejected", "rejected: malformed or not finite", "#B23A00", "x"),
    ("dropped", "lost on the link", "#000000", "\\"),
    ("waiting", "arrived, not looked at", "#56B4E9", "."),
    ("in_flight", "under way at the end", "#BDBDBD", "-"),
)
_OVER = {"fgcolor": "white", "fillmode": "overlay"}
_MEASURES = {
    "dropped": "lost on the link (% of the sent)",
    "late": "too late (% of the sent)",
    "rejected": "rejected (% of the sent)",
    "accepted": "accepted (% of the sent)",
}


def edge_map(run: RunFolder) -> Chart | None:
    """Each directed edge, one measure at a time; None without any, or if it is too large."""
    from plotly import graph_objects as go

    peers, edges = list(run.groups), run.edges
    if not _any_sent(run) or len(peers) ** 2 > MOST_CELLS:
        return None
    at = np.searchsorted(peers, edges["destination"]), np.searchsorted(peers, edges["source"])
    x = [f"{'adv. ' if run.groups[peer] == 'adversary' else ''}{peer}" for peer in peers]
    measures = _measures(run)
    traces: list[Chart] = []
    for title, amount in measures.items():
        table = np.full((len(peers), len(peers)), np.nan, dtype=np.float32)
        table[at] = amount
        traces.append(
            go.Heatmap(
                x=x, y=x, z=np.round(table, 5), zmin=0, zmax=_most(table),
                colorscale=SCALE, hoverongaps=False,
                colorbar={"title": {"text": title, "side": "right"}, "thickness": 14},
                xgap=1 if len(peers) <= 50 else 0, ygap=1 if len(peers) <= 50 else 0,
                visible=not traces,
                hovertemplate=f"from %{{x}} to %{{y}}<br>{title}: %{{z:.4g}}<extra></extra>",
            )
        )  # fmt: skip
    buttons = [
        {"label": title, "method": "restyle", "args": ["visible", [t == title for t in measures]]}
        for title in measures
    ]
    figure = chart(
        traces, "from", "to", height=520, plot_bgcolor="#E6E6E6",
        xaxis=categories(x), yaxis=categories(x),
    )  # fmt: skip
    menu = {"x": 1, "xanchor": "right", "y": 1.02, "yanchor": "bottom", "buttons": buttons}
    figure.update_layout(updatemenus=[menu])
    return figure


def _measures(run: RunFolder) -> dict[str, Floats]:
    """What the map of edges can show, by title; one value for each row of messages.csv."""
    edges, delays_of = run.edges, run.delays
    sent = np.maximum(1, edges["sent"])
    measures = {"sent (MB)": edges["bytes"] / 1e6}
    measures |= {title: 100 * edges[column] / sent for column, title in _MEASURES.items()}
    if len(delays_of):
        size = 1 + max(run.groups)
        means = mean_of_cells(
            delays_of.source * size + delays_of.destination, delays_of.value, size * size
        )
        measures["mean delay (ms)"] = 1000 * means[edges["source"] * size + edges["destination"]]
    return measures


def _most(table: npt.NDArray[np.float32]) -> float:
    """The end of a colour scale: 1 if all is 0 or nothing is known."""
    return float(np.nan_to_num(table).max()) or 1.0


def _bins(count: int) -> int:
    return min(60, 5 + int(count**0.5))


def _any_sent(run: RunFolder) -> bool:
    return bool(run.edges) and bool(run.edges["sent"].any())


def fates(run: RunFolder) -> Chart | None:
    """What became of the messages, by role of sender and receiver; None if none was counted."""
    from plotly import graph_objects as go

    if not _any_sent(run):
        return None
    roles = {peer: group.partition("_")[0] for peer, group in run.groups.items()}
    kinds = [
        f"{roles[a]} to {roles[b]}"
        for a, b in zip(
            run.edges["source"].tolist(), run.edges["destination"].tolist(), strict=True
        )
    ]
    names = sorted(set(kinds))
    sent = dict.fromkeys(names, 0)
    for kind, count in zip(kinds, run.edges["sent"].tolist(), strict=True):
        sent[kind] += count
    traces = []
    for column, label, colour, shape in _FATES:
        counts = dict.fromkeys(names, 0)
        for kind, count in zip(kinds, run.edges[column].tolist(), strict=True):
            counts[kind] += count
        if not any(counts.values()):
            continue
        traces.append(
            go.Bar(
                y=names, x=single([100 * counts[n] / max(1, sent[n]) for n in names]),
                customdata=[counts[n] for n in names], orientation="h", name=label,
                marker={"color": colour, "pattern": {"shape": shape, **_OVER}},
                hovertemplate=f"%{{y}}, {label}<br>%{{customdata:,}} messages, %{{x:.1f}} %"
                "<extra></extra>",
            )
        )  # fmt: skip
    return chart(
        traces, "messages sent (%)", "", height=190 + 45 * len(names),
        barmode="stack", legend={"traceorder": "normal"}, bargap=0.35,
        xaxis_range=[0, 100], margin={"t": 70},
    )  # fmt: skip


def staleness(run: RunFolder) -> Chart | None:
    """How old the merged models were, by the role of their sender; None without merges."""
    from plotly import graph_objects as go

    rows = run.merges
    if not len(rows):
        return None
    hostile = np.isin(rows.sender, run.adversaries)
    traces = []
    for group, of in (("benign_other", ~hostile), ("adversary", hostile)):
        if of.any():
            ages, counts = np.unique(rows.staleness[of], return_counts=True)
            style = STYLES[group]
            label = "benign senders" if group == "benign_other" else "adversaries"
            traces.append(
                go.Bar(
                    x=single(ages), y=single(100 * counts / counts.sum()), name=label,
                    marker={"color": style.colour,
                            "pattern": {"shape": "/" if group == "adversary" else ""}},
                    customdata=counts,
                    hovertemplate=f"{label}, %{{x}} rounds old<br>%{{customdata:,}} models, "
                    "%{y:.1f} %<extra></extra>",
                )
            )  # fmt: skip
    return chart(
        traces, "age of the merged model (rounds)", "models (%)", height=340,
        barmode="group", xaxis={"dtick": 1} if rows.staleness.max() < 12 else {},
    )  # fmt: skip


def round_times(run: RunFolder) -> Chart | None:
    """How long a round took in virtual time, over the peers; None if none ended."""
    from plotly import graph_objects as go

    series = run.durations
    if not len(series):
        return None
    traces = []
    for name, dash, of in (
        ("slowest peer", "dot", np.max),
        ("median peer", "solid", np.median),
        ("fastest peer", "dash", np.min),
    ):
        rounds = np.unique(series.round)
        values = [float(of(series.value[series.round == r])) for r in rounds]
        traces.append(
            go.Scatter(
                x=single(rounds), y=single(values), name=name, mode="lines",
                line={"color": "#0072B2", "width": 2, "dash": dash},
                hovertemplate=f"{name}<br>round %{{x}}: %{{y:.3f}} s<extra></extra>",
            )
        )  # fmt: skip
    return chart(
        traces,
        "round",
        "round length (s, virtual)",
        height=340,
        yaxis_rangemode="tozero",
        xaxis=whole(series.round),
    )


def delays(run: RunFolder) -> Chart | None:
    """How long messages were under way; None if single messages were not recorded."""
    from plotly import graph_objects as go

    if not len(run.delays):
        return None
    counts, bounds = np.histogram(1000 * run.delays.value, bins=_bins(len(run.delays)))
    middle = (bounds[:-1] + bounds[1:]) / 2
    bars = go.Bar(
        x=single(middle), y=single(100 * counts / counts.sum()), customdata=counts,
        width=single(np.diff(bounds)), marker={"color": "#0072B2"},
        hovertemplate="about %{x:.1f} ms<br>%{customdata:,} messages, %{y:.1f} %<extra></extra>",
    )  # fmt: skip
    return chart(
        [bars],
        "from sending to arriving (ms, virtual)",
        "messages (%)",
        height=340,
        bargap=0,
        showlegend=False,
    )
