"""Any networkx graph to the form that the rest relies on: peers 0 ... n-1, sorted, checked."""

from collections import Counter
from collections.abc import Mapping, Sequence
from difflib import get_close_matches
from math import nan
from sys import float_info
from typing import Any

import networkx as nx

from graphs.types import Graph
from p2pfl.errors import TopologyError

EDGE_ATTRIBUTES: Mapping[str, str] = {
    "latency_ms": "a number of milliseconds in [0, 1e9]",
    "bandwidth_mbps": "a finite number of megabits per second >= 1e-6",
    "drop": "a share in [0, 1]",
}
"""What an edge may set for itself, and the range of each."""
_RANGES = {"latency_ms": (0.0, 1e9), "bandwidth_mbps": (1e-6, float_info.max), "drop": (0.0, 1.0)}


def canonical(graph: "nx.Graph[Any]") -> Graph:
    """Relabel, sort and check a graph.

    Peers are numbered by ascending original name: integers (also those written as text, if all
    are) by value, what cannot be compared by its text. The original name stays in the node
    attribute ``label`` (text), unless the node brought a ``label`` of its own, which is kept.
    Of the edges' attributes those in ``EDGE_ATTRIBUTES`` are kept, as floats; all else is left
    out, but a name that looks like one of them misspelt is refused.

    Args:
        graph: Directed or not; a multigraph without parallel edges is taken as a plain graph.

    Returns:
        A new graph whose nodes and edges are in ascending order.

    Raises:
        TopologyError: Fewer than two peers, a self loop, parallel edges, or an edge attribute out
            of its range. The message names the edge as the input does.

    Cost:
        O((n + m) log(n + m)) for n peers and m edges.
    """
    if len(graph) < 2:
        raise TopologyError(f"a graph needs at least 2 peers, got {len(graph)}")
    if loops := sorted(map(str, nx.nodes_with_selfloops(graph))):
        raise TopologyError(f"a peer cannot be its own neighbour: self loop at {_some(loops)}")
    directed = graph.is_directed()
    names = _ascending(list(graph))
    number = {name: i for i, name in enumerate(names)}
    edges = []
    for u, v, data in graph.edges(data=True):
        i, j = number[u], number[v]
        edges.append(((i, j) if directed or i < j else (j, i), _settings(u, v, data)))
    repeated = [pair for pair, times in Counter(pair for pair, _ in edges).items() if times > 1]
    if repeated:
        pairs = [f"({names[i]}, {names[j]})" for i, j in sorted(repeated)]
        raise TopologyError(f"at most one edge between two peers: parallel edges at {_some(pairs)}")
    out: Graph = nx.DiGraph() if directed else nx.Graph()
    for i, name in enumerate(names):
        out.add_node(i, label=str(graph.nodes[name].get("label", name)))
    for (i, j), settings in sorted(edges, key=lambda edge: edge[0]):
        out.add_edge(i, j, **settings)
    return out


def _ascending(names: list[Any]) -> list[Any]:
    try:
        return sorted(names, key=lambda name: (int(name), str(name)))
    except (TypeError, ValueError):
        pass
    try:
        return sorted(names)
    except TypeError:
        return sorted(names, key=str)


def _settings(u: object, v: object, data: Mapping[str, Any]) -> dict[str, float]:
    settings = {}
    for name, value in data.items():
        if name in EDGE_ATTRIBUTES:
            settings[name] = _number(f"edge ({u}, {v})", name, value)
        elif close := get_close_matches(str(name), EDGE_ATTRIBUTES, n=1):
            raise TopologyError(f"edge ({u}, {v}) has {name!r}; did you mean {close[0]!r}?")
    return settings


def _number(where: str, name: str, value: object) -> float:
    try:
        number = nan if isinstance(value, bool) else float(value)  # type: ignore[arg-type]
    except (TypeError, ValueError, OverflowError):
        number = nan
    least, most = _RANGES[name]
    if not least <= number <= most:
        raise TopologyError(f"{where}: {name} must be {EDGE_ATTRIBUTES[name]}, got {value!r}")
    return number


def _some(items: Sequence[str]) -> str:
    more = f" and {len(items) - 5} more" if len(items) > 5 else ""
    return ", ".join(items[:5]) + more
