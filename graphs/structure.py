"""What holds the graph together: how fast benign peers agree, and what would part them."""

from collections.abc import Collection
from dataclasses import asdict, dataclass
from typing import Any

import networkx as nx
import numpy as np

from graphs.mixing import metropolis
from graphs.robustness import LARGEST, Robustness, robustness
from graphs.types import Graph

MOST_CUT = 100
"""Peers up to which the vertex cut is computed: it takes a flow for each peer and more."""


@dataclass(frozen=True, slots=True, kw_only=True)
class StructureReport:
    """Of the benign part of a graph, unless it says otherwise."""

    spectral_gap: float | None
    """1 - the second largest modulus of an eigenvalue of the Metropolis-Hastings weights among
    benign peers; 0 if they are in parts. None beyond ``LARGEST`` peers."""
    vertex_cut: int | None
    """How many benign peers would have to go before some others no longer hear of one another; one
    less than their number where all are connected with all. None beyond ``MOST_CUT`` peers."""
    robustness: Robustness
    """Of the whole graph."""

    def as_dict(self) -> dict[str, Any]:
        """Dicts, lists, numbers and None only, as JSON has them."""
        return asdict(self) | {
            "robustness": asdict(self.robustness) | {"tolerates": self.robustness.tolerates}
        }


def structure_report(graph: Graph, adversaries: Collection[int]) -> StructureReport:
    """Look at the graph as a whole. Slower than the neighbourhoods: for ``p2pfl check``.

    Cost:
        O(n^3) for n peers, but for the vertex cut, which takes O(n) flows.
    """
    benign = benign_part(graph, adversaries)
    cut = int(nx.node_connectivity(benign)) if 2 <= len(benign) <= MOST_CUT else None
    return StructureReport(
        spectral_gap=spectral_gap(benign),
        vertex_cut=cut,
        robustness=robustness(graph),
    )


def benign_part(graph: Graph, adversaries: Collection[int]) -> Graph:
    """The graph without the adversaries and their edges."""
    benign: Graph = nx.Graph() if not graph.is_directed() else nx.DiGraph()
    benign.add_nodes_from(sorted(set(graph) - set(adversaries)))
    benign.add_edges_from((i, j) for i, j in graph.edges if i in benign and j in benign)
    return benign


def spectral_gap(graph: Graph) -> float | None:
    """1 - the second largest modulus of an eigenvalue of the Metropolis-Hastings weights.

    Plain averaging shrinks what parts the models by 1 - gap a round, at least. One peer has gap 1.

    Returns:
        In [0, 1]; None of more than ``LARGEST`` peers.
    """
    n = len(graph)
    if n > LARGEST:
        return None
    if n < 2:
        return 1.0
    number = {peer: k for k, peer in enumerate(sorted(graph))}
    matrix = np.zeros((n, n))
    for peer, row in metropolis(graph).items():
        for other, weight in row.items():
            matrix[number[peer], number[other]] = weight
    values = np.linalg.eigvals(matrix) if graph.is_directed() else np.linalg.eigvalsh(matrix)
    second = float(np.sort(np.abs(values))[-2])
    return min(max(1 - second, 0.0), 1.0)
