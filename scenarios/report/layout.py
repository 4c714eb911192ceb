"""Where to draw the peers of a graph."""

import networkx as nx

from graphs.types import Graph

Places = dict[int, tuple[float, float]]

_STEPS = 50_000
"""Moves of single peers until a layout must do; 50 of each of 1,000."""


def places(graph: Graph, server: int | None = None) -> Places:
    """Around the server; what holds a ring as a ring; all else by springs, from a fixed start."""
    if server is not None:
        clients = sorted(set(graph) - {server})
        found = nx.shell_layout(graph, [[server], clients])
    elif holds_ring(graph) or all(degree <= 2 for _, degree in graph.degree):
        ordered: Graph = nx.Graph()
        ordered.add_nodes_from(sorted(graph))
        found = nx.circular_layout(ordered)
    else:
        # An iteration takes a time that grows with the square of the peers: many get fewer.
        iterations = max(5, min(50, _STEPS // len(graph)))
        found = nx.spring_layout(graph, seed=1, iterations=iterations)
    return {peer: (float(x), float(y)) for peer, (x, y) in found.items()}


def holds_ring(graph: Graph) -> bool:
    """Whether each peer is next to the one with the next id, and the last to the first."""
    peers = sorted(graph)
    around = zip(peers, peers[1:] + peers[:1], strict=True)
    return all(graph.has_edge(a, b) or graph.has_edge(b, a) for a, b in around)
