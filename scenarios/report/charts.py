"""What all charts have in common: how Plotly is called, axes, colours, and many peers as one line.

Plotly is imported where a chart is made, so that nobody else waits for it.
"""

import itertools
from collections.abc import Iterable, Sequence
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt

from scenarios.report.folder import Floats, Ints, Series

Chart: TypeAlias = Any
"""A ``plotly.graph_objects.Figure``."""

FONT = "system-ui, -apple-system, 'Segoe UI', Roboto, 'Helvetica Neue', Arial, sans-serif"


def chart(traces: Sequence[Any], x: str, y: str, height: int = 400, **layout: Any) -> Chart:
    """A chart with titled axes.

    Args:
        traces: Of ``plotly.graph_objects``.
        x: Title of the axis, with its unit.
        y: The same.
        height: Pixels.
        layout: What else the layout says.
    """
    from plotly import graph_objects as go

    axis = {"gridcolor": "#E3E3E3", "zeroline": False, "linecolor": "#666", "automargin": True}
    figure = go.Figure(traces)
    figure.update_layout(
        template="none",
        height=height,
        margin={"l": 60, "r": 20, "t": 40, "b": 50},
        font={"family": FONT, "size": 13, "color": "#1F2933"},
        paper_bgcolor="white",
        plot_bgcolor="white",
        hovermode="closest",
        showlegend=True,
        legend={"orientation": "h", "x": 0, "y": 1.02, "yanchor": "bottom"},
        xaxis={**axis, "title": {"text": x, "standoff": 8}},
        yaxis={**axis, "title": {"text": y, "standoff": 8}},
    )
    figure.update_layout(layout)
    return figure


def single(values: npt.ArrayLike) -> npt.NDArray[np.float32]:
    """Numbers as a page carries them: four bytes each are enough for a chart."""
    return np.asarray(values, dtype=np.float32)


def percent(shares: npt.ArrayLike) -> npt.NDArray[np.float32]:
    """Shares in [0, 1] as percent, to a thousandth: short when they are compressed."""
    return np.round(100 * np.asarray(shares, dtype=np.float64), 3).astype(np.float32)


def chained(series: Series, peers: Iterable[int]) -> tuple[Floats, Floats, Ints, Floats]:
    """The curves of some peers as one line with a gap behind each: quick to draw.

    Returns:
        Round, time in seconds, peer and value, of one length; in the gaps the value is NaN.
    """
    order = np.lexsort((series.time_s, series.peer))
    order = order[np.isin(series.peer[order], list(peers))]
    peer = series.peer[order]
    gaps = np.flatnonzero(np.diff(peer)) + 1
    return (
        np.insert(series.round[order].astype(float), gaps, np.nan),
        np.insert(series.time_s[order], gaps, np.nan),
        np.insert(peer, gaps, peer[gaps - 1] if len(gaps) else 0),
        np.insert(series.value[order], gaps, np.nan),
    )


def mean_by_round(round_: Ints, value: Floats) -> tuple[Ints, Floats]:
    """The rounds that occur, ascending, and the mean of the values of each."""
    rounds, where = np.unique(round_, return_inverse=True)
    return rounds, np.bincount(where, weights=value) / np.bincount(where)


def mean_of_cells(where: npt.NDArray[np.intp], value: Floats | Ints, cells: int) -> Floats:
    """The mean of the values of each cell; NaN where there is none."""
    count = np.bincount(where, minlength=cells)
    total = np.bincount(where, weights=value, minlength=cells)
    mean = np.full(cells, np.nan)
    mean[count > 0] = total[count > 0] / count[count > 0]
    return mean


def frames_of(rounds: int, most: int) -> list[tuple[int, int]]:
    """First and last round of each step of a slider, at most so many, as even as can be.

    >>> frames_of(5, 2)
    [(1, 2), (3, 5)]
    """
    steps = max(1, min(rounds, most))
    bounds = [k * rounds // steps for k in range(steps + 1)]
    return [(first + 1, last) for first, last in itertools.pairwise(bounds)]


def categories(labels: list[str]) -> dict[str, Any]:
    """An axis of these labels, of which as many are written as there is room for."""
    return {
        "type": "category",
        "categoryorder": "array",
        "categoryarray": labels,
        "showgrid": False,
        "nticks": 16 if len(labels) > 60 else 0,
        "range": [-0.5, len(labels) - 0.5],
    }


def whole(values: npt.ArrayLike) -> dict[str, float]:
    """Ticks of an axis of whole numbers: few of them leave no room for halves."""
    return {"dtick": 1} if np.ptp(np.asarray(values)) < 12 else {}


def slide(figure: Chart, labels: Sequence[str], prefix: str, below: int = 58) -> None:
    """Put a slider under a figure that has one frame per label, named so; it stands at the last.

    ``below`` is how many pixels under the axis.
    """
    now = {"mode": "immediate", "transition": {"duration": 0}}
    still = {**now, "frame": {"duration": 0, "redraw": True}}
    play = {**now, "frame": {"duration": 250, "redraw": True}, "fromcurrent": True}
    steps = [{"label": name, "method": "animate", "args": [[name], still]} for name in labels]
    figure.update_layout(
        sliders=[
            {
                "active": len(labels) - 1,
                "currentvalue": {"prefix": prefix, "font": {"size": 14}},
                "pad": {"t": below, "l": 10},
                "x": 0.16,
                "len": 0.84,
                "steps": steps,
            }
        ],
        updatemenus=[
            {
                "type": "buttons",
                "direction": "left",
                "showactive": False,
                "x": 0,
                "xanchor": "left",
                "y": 0,
                "yanchor": "top",
                "pad": {"t": below + 22, "r": 10},
                "buttons": [
                    {"label": "▶", "method": "animate", "args": [None, play]},
                    {"label": "❚❚", "method": "animate", "args": [[None], still]},
                ],
            }
        ],
    )
