"""Double-edge swaps: another graph with the same degrees.

Source
    S. Maslov, K. Sneppen. "Specificity and Stability in Topology of Protein Networks." Science
    296, 2002.
"""

import numpy as np

from graphs.types import Graph
from p2pfl.errors import TopologyError

TRIES_PER_SWAP = 200
"""After so many draws in a row without a swap, the graph is taken for one that has none."""


def swapped(graph: Graph, swaps: int, rng: np.random.Generator) -> Graph:
    """The graph after so many swaps of two edges' ends.

    Two edges are drawn, and for the second which end is which. It is a swap if their four ends
    differ and neither new edge is there yet; else it is drawn anew.

    Args:
        graph: Undirected, nodes and edges ascending. Not modified.
        swaps: How many.
        rng: Whence draws are taken.

    Returns:
        A graph with the same degrees; edges that were not swapped keep their settings.

    Raises:
        TopologyError: If the graph is directed, or no swap was found in many tries.

    Cost:
        O(m + swaps) for m edges, about.
    """
    if graph.is_directed():
        raise TopologyError("rewire swaps undirected edges; the graph is directed")
    out = graph.copy()
    edges = sorted(tuple(sorted(edge)) for edge in graph.edges)
    for done in range(swaps):
        for _ in range(TRIES_PER_SWAP if len(edges) > 1 else 0):
            first, second, turn = rng.integers((len(edges), len(edges), 2)).tolist()
            a, b = edges[first]
            c, d = edges[second] if turn else edges[second][::-1]
            if len({a, b, c, d}) == 4 and not out.has_edge(a, d) and not out.has_edge(c, b):
                break
        else:
            raise TopologyError(
                f"rewire: after {done} of {swaps} swaps no two edges can change ends: "
                f"the graph has {len(graph)} peers and {len(edges)} edges"
            )
        out.remove_edges_from(((a, b), (c, d)))
        out.add_edges_from(((a, d), (c, b)))
        edges[first], edges[second] = (min(a, d), max(a, d)), (min(c, b), max(c, b))
    return out
