"""report.png: accuracy per role over rounds, and the graph with its adversaries drawn."""

import json
from collections import defaultdict
from pathlib import Path
from statistics import fmean
from typing import Any

import networkx as nx
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from graphs.types import Graph
from p2pfl.errors import ScenarioError
from scenarios.files import read_table
from scenarios.report.layout import places
from scenarios.report.styles import STYLES, group_of

MOST_LABELS = 60
"""Peers up to which the graph shows their ids."""


def draw(folder: Path) -> Path | None:
    """Draw report.png from the folder's metrics.csv, topology.graphml and summary.json.

    Returns:
        The picture's path, or None if nothing was evaluated yet.
    """
    rows = [row for row in read_table(folder / "metrics.csv") if row["metric"] == "accuracy"]
    if not rows:
        return None
    summary = json.loads((folder / "summary.json").read_text(encoding="utf-8"))
    graph = nx.read_graphml(folder / "topology.graphml", node_type=int)
    nodes = graph.nodes(data=True)
    groups = {node: group_of(data["role"], data["dominated"]) for node, data in nodes}
    figure = Figure(figsize=(12, 5), layout="constrained")
    FigureCanvasAgg(figure)
    left, right = figure.subplots(1, 2, width_ratios=(1.2, 1))
    _accuracy(left, rows, groups)
    draw_graph(right, graph, groups)
    figure.suptitle(_title(summary), fontsize=11)
    path = folder / "report.png"
    part = folder / "report.part.png"
    figure.savefig(part, dpi=110)
    part.replace(path)
    return path


def draw_places(graph: Graph, groups: dict[int, str], title: str, path: Path) -> None:
    """Draw a graph alone, as ``p2pfl check --png`` does.

    Raises:
        ScenarioError: If the file cannot be written.
    """
    figure = Figure(figsize=(7, 6.5), layout="constrained")
    FigureCanvasAgg(figure)
    draw_graph(figure.subplots(), graph, groups)
    figure.suptitle(title, fontsize=11)
    try:
        figure.savefig(path, dpi=130, format="png")
    except OSError as error:
        raise ScenarioError(f"--png {path} cannot be written: {error.strerror}") from error


def _title(summary: dict[str, Any]) -> str:
    peers = summary["peers"]
    defense = summary["defense"]
    return (
        f"{summary['name']}: {summary['dataset']}, {peers['benign']} benign peers and "
        f"{peers['adversary']} adversaries; attack {summary['attack']}, defense {defense}"
        + ("" if summary["status"] == "done" else f" ({summary['status']})")
    )


def _accuracy(axes: Axes, rows: list[dict[str, str]], groups: dict[int, str]) -> None:
    """Mean over the peers of a group as a line, worst to best as a band."""
    values: dict[str, dict[int, list[float]]] = defaultdict(lambda: defaultdict(list))
    for row in rows:
        values[groups[int(row["peer"])]][int(row["round"])].append(100 * float(row["value"]))
    for group, (label, colour, marker, line, _, _) in STYLES.items():
        if group not in values:
            continue
        rounds = sorted(values[group])
        each = [values[group][r] for r in rounds]
        few = marker if len(rounds) <= 30 else None
        axes.plot(rounds, [fmean(v) for v in each], line, color=colour, marker=few, label=label)
        axes.fill_between(
            rounds, [min(v) for v in each], [max(v) for v in each], color=colour, alpha=0.15, lw=0
        )
    axes.set(xlabel="round", ylabel="test accuracy (%)", ylim=(0, 101))
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    axes.grid(alpha=0.3)
    axes.legend(loc="best", fontsize=9)
    axes.set_title("accuracy by role: mean, and worst to best peer", fontsize=10)


def draw_graph(axes: Axes, graph: Graph, groups: dict[int, str]) -> None:
    """Who is next to whom, each peer in the style of its group."""
    position = places(graph)
    many = len(graph) > MOST_LABELS
    size = 60 if many else 330
    nx.draw_networkx_edges(graph, position, ax=axes, alpha=0.35, arrows=False)
    for group, (label, colour, marker, _, _, _) in STYLES.items():
        nodes = [node for node in graph if groups[node] == group]
        if nodes:
            nx.draw_networkx_nodes(
                graph, position, nodelist=nodes, node_color=colour, node_shape=marker,
                node_size=size, ax=axes, label=f"{label} ({len(nodes)})",
            )  # fmt: skip
    if not many:
        nx.draw_networkx_labels(graph, position, font_size=8, font_color="white", ax=axes)
    axes.legend(loc="upper center", bbox_to_anchor=(0.5, 0.0), ncols=3, fontsize=8, frameon=False)
    axes.set_title("who is next to whom", fontsize=10)
    axes.set_axis_off()
