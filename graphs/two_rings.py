"""The graphs of DFL-Dual's experiments: a ring of benign peers, and a ring of Byzantine ones.

Source
    P. Sun, X. Liu, Z. Wang, B. Liu. "Byzantine-robust Decentralized Federated Learning via
    Dual-domain Clustering and Trust Bootstrapping." CVPR 2024.

Departs from the paper:
    Its supplement, which has the graphs, was not to be had. These keep what its text says: benign
    peers are connected among themselves, and where at least half of all are Byzantine, each benign
    peer hears more of these than of benign ones.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import networkx as nx
import numpy as np

from graphs.checks import check_size


@dataclass(frozen=True, slots=True, kw_only=True)
class TwoRings:
    """Two rings with links between: ``{kind: two_rings, benign: 4, byzantine: 6}``.

    Peers 0 to benign - 1 are meant to be benign; say so by a placement of ``kind: nodes``. In turn
    they get the next few of the others for neighbours. Where these are at least half of all, that
    is one more than a benign peer has benign neighbours, or all if they are fewer; else one.
    """

    benign: int
    """Peers of the first ring, >= 2; two are one edge."""
    byzantine: int
    """Peers of the second ring, >= 1; one stands alone, two are one edge."""
    kind: Literal["two_rings"] = "two_rings"

    def __post_init__(self) -> None:
        if self.benign < 2:
            raise ValueError(f"benign must be >= 2, got {self.benign}")
        if self.byzantine < 1:
            raise ValueError(f"byzantine must be >= 1, got {self.byzantine}")
        check_size("benign and byzantine", self.benign + self.byzantine)

    def build(self, rng: np.random.Generator, folder: Path) -> "nx.Graph[Any]":
        """Draws nothing."""
        graph: nx.Graph[Any] = nx.Graph()
        others = range(self.benign, self.benign + self.byzantine)
        graph.add_nodes_from((*range(self.benign), *others))
        graph.add_edges_from(_ring(range(self.benign)))
        graph.add_edges_from(_ring(others))
        turn = 0
        for peer in range(self.benign):
            for _ in range(self._links(graph.degree[peer])):
                graph.add_edge(peer, others[turn % len(others)])
                turn += 1
        return graph

    def _links(self, benign_neighbours: int) -> int:
        """How many of the second ring a benign peer hears."""
        if self.byzantine < self.benign:
            return max(1, min(self.byzantine, benign_neighbours - 1))
        return min(self.byzantine, benign_neighbours + 1)


def _ring(peers: range) -> list[tuple[int, int]]:
    edges = [(a, a + 1) for a in peers[:-1]]
    if len(peers) > 2:
        edges.append((peers[-1], peers[0]))
    return edges
