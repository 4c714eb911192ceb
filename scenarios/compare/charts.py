"""Charts of a comparison: B less A over rounds, peer by peer, and in the graph."""

from collections.abc import Mapping, Sequence
from typing import Any

from scenarios.compare.differences import ROLES, Course
from scenarios.compare.pairs import Pair
from scenarios.report.charts import Chart, chart, percent, single, whole
from scenarios.report.folder import RunFolder
from scenarios.report.layout import places
from scenarios.report.styles import STYLES, UNKNOWN, Style

_INK = "#000000"
_STYLES = {
    "benign": Style("", "#000000", "", "", "circle", "solid"),
    "judged": Style("", "#000000", "", "", "circle", "solid"),
    "moved": Style("", "#CC79A7", "", "", "cross", "dashdot"),
    **STYLES,
}
"""By role, as ``ROLES`` has them."""
_ONLY = {"A": ("#D55E00", "dash"), "B": ("#0072B2", "solid")}
"""How an edge is drawn that one of the graphs alone has."""
_DIVERGING = "PuOr"


def both_means(courses: Sequence[Course], what: str) -> Chart:
    """The mean of each role by round: A dotted, B solid."""
    from plotly import graph_objects as go

    traces = []
    for course in _without_whole(courses):
        style = _STYLES[course.role]
        for side, dash in (("A", "dot"), ("B", "solid")):
            values = [each.a if side == "A" else each.b for each in course.estimates]
            traces.append(
                go.Scatter(
                    x=single(course.rounds),
                    y=percent(values),
                    mode="lines+markers" if len(course.rounds) <= 30 else "lines",
                    line={"color": style.colour, "width": 2.5, "dash": dash},
                    marker={"symbol": style.symbol + ("-open" if side == "A" else ""), "size": 8},
                    name=f"{side}: {ROLES[course.role]}",
                    hovertemplate=f"{side}, {ROLES[course.role]}<br>round %{{x}}: %{{y:.1f}} %"
                    "<extra></extra>",
                )
            )
    return chart(traces, "round", f"{what} (%)", height=430, xaxis=_ticks(courses))


def gains(courses: Sequence[Course], what: str) -> Chart:
    """B less A by round, with its interval as a band, of each role but adversaries."""
    from plotly import graph_objects as go

    traces = []
    for course in courses:
        if course.role == "adversary":
            continue
        style, name = _STYLES[course.role], ROLES[course.role]
        x = single(course.rounds)
        bounded = all(each.low is not None for each in course.estimates)
        if bounded:
            traces += [
                go.Scatter(
                    x=x, y=percent([getattr(each, end) for each in course.estimates]),
                    mode="lines", line={"color": style.colour, "width": 0.5},
                    fill="tonexty" if end == "high" else None,
                    fillcolor=_faint(style.colour), legendgroup=course.role, showlegend=False,
                    hoverinfo="skip",
                )
                for end in ("low", "high")
            ]  # fmt: skip
        traces.append(
            go.Scatter(
                x=x, y=percent([each.mean for each in course.estimates]),
                mode="lines+markers" if len(x) <= 30 else "lines",
                line={"color": style.colour, "width": 2.5, "dash": style.dash},
                marker={"symbol": style.symbol, "size": 8},
                customdata=[_said(each.low, each.high) for each in course.estimates],
                name=f"{name} (n = {course.last.n})", legendgroup=course.role,
                hovertemplate=f"{name}<br>round %{{x}}: %{{y:+.1f}} points%{{customdata}}"
                "<extra></extra>",
            )
        )  # fmt: skip
    figure = chart(
        traces, "round", f"{what}, B − A (points)", height=430, xaxis=_ticks(courses),
        yaxis_range=_room(courses),
    )  # fmt: skip
    figure.add_hline(y=0, line={"color": "#666", "width": 1})
    return figure


def _room(courses: Sequence[Course]) -> list[float] | None:
    """What the axis shows: all means, and of the bands as much again on either side.

    The band of two or three peers may be ten times as wide as all that happened.
    """
    means = [100 * e.mean for c in courses if c.role != "adversary" for e in c.estimates]
    if not means:
        return None
    low, high = min(0.0, *means), max(0.0, *means)
    more = max(5.0, high - low)
    return [low - more, high + more]


def by_peer(pair: Pair, what: str, a: Mapping[int, float], b: Mapping[int, float]) -> Chart | None:
    """What each peer had last in A and in B, by what it gained; None of no peer with both."""
    from plotly import graph_objects as go

    peers = sorted(a.keys() & b.keys(), key=lambda peer: (b[peer] - a[peer], peer))
    if not peers:
        return None
    names = [f"{peer}" for peer in peers]
    gap = float("nan")
    groups = [(pair.a.groups[peer], pair.b.groups[peer]) for peer in peers]
    traces = [
        go.Scatter(
            x=percent([x for peer in peers for x in (a[peer], b[peer], gap)]),
            y=[name for name in names for _ in range(3)],
            mode="lines", line={"color": UNKNOWN, "width": 2}, hoverinfo="skip", showlegend=False,
        )
    ]  # fmt: skip
    for k, (side, values) in enumerate((("A", a), ("B", b))):
        styles = [STYLES[of[k]] for of in groups]
        traces.append(
            go.Scatter(
                x=percent([values[peer] for peer in peers]), y=names, mode="markers",
                marker={
                    "size": 10 if len(peers) <= 60 else 6,
                    "symbol": [s.symbol + ("-open" if side == "A" else "") for s in styles],
                    "color": [s.colour for s in styles],
                    "line": {"width": 1.5, "color": [s.colour for s in styles]},
                },
                customdata=[s.label for s in styles], showlegend=False,
                hovertemplate=f"peer %{{y}} in {side}, %{{customdata}}<br>{what}: %{{x:.1f}} %"
                "<extra></extra>",
            )
        )  # fmt: skip
    traces += [
        go.Scatter(
            x=[None], y=[None], mode="markers", name=name,
            marker={"symbol": symbol, "size": 10, "color": _INK,
                    "line": {"width": 1.5, "color": _INK}},
        )
        for name, symbol in (("A (hollow)", "circle-open"), ("B (filled)", "circle"))
    ]  # fmt: skip
    return chart(
        traces, f"last {what} (%)", "peer", height=170 + 16 * max(10, min(len(peers), 60)),
        yaxis={"type": "category", "categoryorder": "array", "categoryarray": names,
               "dtick": 1 if len(peers) <= 60 else None, "showgrid": len(peers) <= 60},
    )  # fmt: skip


def in_the_graph(
    pair: Pair, what: str, a: Mapping[int, float], b: Mapping[int, float]
) -> Chart | None:
    """B's graph, coloured by what each benign peer gained, and the edges that one alone has.

    None of no peer with both.
    """
    from plotly import graph_objects as go

    gained = {peer: b[peer] - a[peer] for peer in pair.b.groups if peer in a and peer in b}
    if not gained:
        return None
    place = places(pair.b.graph, pair.b.server)
    one, other = (_edges(run) for run in (pair.a, pair.b))
    traces = [
        _lines(place, one & other, "in both", UNKNOWN, "solid", 1),
        _lines(place, one - other, "edge in A only", *_ONLY["A"], 2.5),
        _lines(place, other - one, "edge in B only", *_ONLY["B"], 2.5),
    ]
    traces = [trace for trace in traces if trace is not None]
    most = max(1.0, *(100 * abs(gain) for gain in gained.values()))
    for group, style in STYLES.items():
        here = [peer for peer, of in pair.b.groups.items() if of == group]
        if not here:
            continue
        shown = group != "adversary"
        fill: dict[str, Any] = {"color": style.colour}
        if shown:
            # Of whom nothing is known keeps the grey of the mark below.
            known = [int(peer in gained) for peer in here]
            fill = {"color": percent([gained.get(peer, 0.0) for peer in here]), "opacity": known}
            fill["coloraxis"] = "coloraxis"
        size = 17 if len(place) <= 60 else 10
        shape = {"symbol": style.symbol, "size": size, "line": {"width": 1, "color": "#333"}}
        spot = {
            "x": single([place[peer][0] for peer in here]),
            "y": single([place[peer][1] for peer in here]),
            "showlegend": False,
        }
        if shown and not all(peer in gained for peer in here):
            below = shape | {"color": UNKNOWN}
            traces.append(go.Scatter(**spot, mode="markers", marker=below, hoverinfo="skip"))
        traces.append(
            go.Scatter(
                **spot,
                mode="markers+text" if len(place) <= 60 else "markers",
                text=[_label(pair, peer) for peer in here],
                textposition="top center",
                textfont={"size": 11},
                marker=shape | fill,
                customdata=[
                    f"{100 * a[peer]:.1f} → {100 * b[peer]:.1f} %" if peer in gained else "unknown"
                    for peer in here
                ],
                hovertemplate=f"peer %{{text}}, {style.label}<br>{what}: %{{customdata}}"
                "<extra></extra>",
            )
        )
        key = {"symbol": style.symbol, "size": 10, "line": {"width": 1, "color": "#333"}}
        key["color"] = "white" if shown else style.colour
        traces.append(
            go.Scatter(x=[None], y=[None], mode="markers", marker=key, name=pair.b.label(group))
        )
    return chart(
        traces, "", "", height=600,
        xaxis={"visible": False}, yaxis={"visible": False, "scaleanchor": "x"},
        coloraxis={
            "colorscale": _DIVERGING, "cmin": -most, "cmax": most,
            "colorbar": {"title": {"text": f"{what}, B − A (points)", "side": "right"},
                         "thickness": 14},
        },
    )  # fmt: skip


def _label(pair: Pair, peer: int) -> str:
    """The peer's number, and what it was, if that changed."""
    was, now = (run.groups.get(peer, "").partition("_")[0] for run in (pair.a, pair.b))
    return str(peer) if was == now else f"{peer} (was {was})"


def _edges(run: RunFolder) -> set[tuple[int, int]]:
    return {(min(edge), max(edge)) for edge in run.graph.edges}


def _lines(
    place: Mapping[int, tuple[float, float]],
    edges: set[tuple[int, int]],
    name: str,
    colour: str,
    dash: str,
    width: float,
) -> Chart | None:
    from plotly import graph_objects as go

    if not edges:
        return None
    gap = float("nan")
    ends = [(place[i], place[j]) for i, j in sorted(edges)]
    return go.Scatter(
        x=single([x for i, j in ends for x in (i[0], j[0], gap)]),
        y=single([y for i, j in ends for y in (i[1], j[1], gap)]),
        mode="lines",
        line={"width": width, "color": colour, "dash": dash},
        hoverinfo="skip",
        name=name,
    )


def _without_whole(courses: Sequence[Course]) -> Sequence[Course]:
    """Without that of all benign peers, where their parts are there too."""
    parts = [course for course in courses if course.role != "benign"]
    return parts if any(course.role.startswith("benign_") for course in parts) else courses


def _ticks(courses: Sequence[Course]) -> dict[str, float]:
    return whole([round_ for course in courses for round_ in course.rounds])


def _faint(colour: str) -> str:
    red, green, blue = (int(colour[k : k + 2], 16) for k in (1, 3, 5))
    return f"rgba({red},{green},{blue},0.13)"


def _said(low: float | None, high: float | None) -> str:
    if low is None or high is None:
        return ""
    return f" ({100 * low:+.1f} to {100 * high:+.1f})"
