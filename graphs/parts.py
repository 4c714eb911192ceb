"""Graphs that have some of another's edges."""

from collections.abc import Iterable, Iterator

import networkx as nx

from graphs.types import Graph


def edges_as(union: Graph, graph: Graph) -> Iterator[tuple[int, int, dict[str, float]]]:
    """A graph's edges and their settings; both ways if the union is directed and it is not."""
    for i, j, settings in graph.edges(data=True):
        yield i, j, settings
        if union.is_directed() and not graph.is_directed():
            yield j, i, settings


def part(union: Graph, edges: Iterable[tuple[int, int]]) -> Graph:
    """The union with these of its edges alone, and their settings there."""
    part: Graph = nx.DiGraph() if union.is_directed() else nx.Graph()
    part.add_nodes_from(union.nodes(data=True))
    part.add_edges_from((i, j, union.edges[i, j]) for i, j in sorted(edges))
    return part
