"""Topologies that stay as they are: all that is next to whom from the first round to the last.

Those of ``random_graphs``, ``Rewire``, ``Generator`` and the files may give a graph in several
parts.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Literal, TypeAlias

import networkx as nx
import numpy as np

from graphs.canonical import canonical
from graphs.checks import check_at_least, check_even_neighbours, check_peers, check_size
from graphs.files import GML, AdjacencyList, EdgeList, GraphML, NodeLink
from graphs.generators import Generator
from graphs.lattices import (
    BinaryTree,
    Caveman,
    Dumbbell,
    Exponential,
    Grid,
    Hypercube,
    Line,
    Torus,
    TwoCliques,
)
from graphs.random_graphs import (
    BarabasiAlbert,
    ErdosRenyi,
    RandomGeometric,
    RandomRegular,
    StochasticBlock,
    WattsStrogatz,
)
from graphs.swaps import swapped
from graphs.two_rings import TwoRings
from graphs.types import Graph


@dataclass(frozen=True, slots=True, kw_only=True)
class Ring:
    """A circle on which each peer is connected with its nearest ones on both sides."""

    peers: int
    """Number of peers, at least neighbours + 1."""
    neighbours: int = 2
    """Neighbours of each peer, half of them on each side: even, >= 2."""
    kind: Literal["ring"] = "ring"

    def __post_init__(self) -> None:
        check_peers(self.peers)
        check_even_neighbours("neighbours", self.neighbours, self.peers)
        check_size("peers and neighbours", self.peers, self.peers * self.neighbours // 2)

    def build(self, rng: np.random.Generator, folder: Path) -> Graph:
        """Draws nothing."""
        return nx.circulant_graph(self.peers, list(range(1, self.neighbours // 2 + 1)))


@dataclass(frozen=True, slots=True, kw_only=True)
class Complete:
    """Everybody is connected with everybody."""

    peers: int
    """Number of peers, in [2, 3000]: more than some four million edges fit no laptop."""
    kind: Literal["complete"] = "complete"

    def __post_init__(self) -> None:
        check_peers(self.peers)
        if self.peers > 3000:
            edges = self.peers * (self.peers - 1) // 2
            raise ValueError(
                f"peers must be at most 3000, got {self.peers}: they would have {edges:,} edges; "
                "random_regular takes as many peers with few edges each"
            )

    def build(self, rng: np.random.Generator, folder: Path) -> Graph:
        """Draws nothing."""
        graph: Graph = nx.complete_graph(self.peers)
        return graph


@dataclass(frozen=True, slots=True, kw_only=True)
class Star:
    """All peers are connected with peer 0, the hub, and with nobody else."""

    peers: int
    """Number of peers with the hub, >= 2."""
    kind: Literal["star"] = "star"

    def __post_init__(self) -> None:
        check_peers(self.peers)

    def build(self, rng: np.random.Generator, folder: Path) -> Graph:
        """Draws nothing."""
        graph: Graph = nx.star_graph(self.peers - 1)
        return graph


@dataclass(frozen=True, slots=True, kw_only=True)
class Clients:
    """Peers that only talk to a server: no edge between any two. Needs the section ``server``."""

    peers: int
    """Number of clients, the server not counted, >= 1."""
    kind: Literal["clients"] = "clients"

    def __post_init__(self) -> None:
        if self.peers < 1:
            raise ValueError(f"peers must be >= 1, got {self.peers}")
        check_size("peers", self.peers)

    def build(self, rng: np.random.Generator, folder: Path) -> Graph:
        """Draws nothing."""
        graph: Graph = nx.empty_graph(self.peers)
        return graph


@dataclass(frozen=True, slots=True, kw_only=True)
class Rewire:
    """Another graph after so many double-edge swaps: every degree stays (Maslov & Sneppen 2002).

    A swap takes two edges a-b and c-d and puts a-d and c-b in their place, where neither is there
    yet. New edges have no settings of their own. The outcome may be in several parts.
    """

    of: "Fixed"
    """The graph to begin with, undirected, with at least two edges that share no peer."""
    swaps: int
    """How many, >= 0; ten times the edges forget most of what the graph was."""
    kind: Literal["rewire"] = "rewire"

    def __post_init__(self) -> None:
        check_at_least("swaps", self.swaps, 0)
        check_size("swaps", 0, self.swaps)

    def build(self, rng: np.random.Generator, folder: Path) -> Graph:
        """Takes time O(swaps), about.

        Raises:
            TopologyError: If the graph is directed, or has no edges that can be swapped.
        """
        graph = canonical(self.of.build(rng, folder))
        return swapped(graph, self.swaps, rng)


Fixed: TypeAlias = (
    Ring
    | Line
    | Grid
    | Torus
    | Hypercube
    | BinaryTree
    | Exponential
    | Complete
    | Star
    | Clients
    | RandomRegular
    | ErdosRenyi
    | WattsStrogatz
    | BarabasiAlbert
    | StochasticBlock
    | RandomGeometric
    | Dumbbell
    | TwoCliques
    | Caveman
    | TwoRings
    | Rewire
    | Generator
    | EdgeList
    | AdjacencyList
    | GraphML
    | GML
    | NodeLink
)
FIXED = (
    Ring,
    Line,
    Grid,
    Torus,
    Hypercube,
    BinaryTree,
    Exponential,
    Complete,
    Star,
    Clients,
    RandomRegular,
    ErdosRenyi,
    WattsStrogatz,
    BarabasiAlbert,
    StochasticBlock,
    RandomGeometric,
    Dumbbell,
    TwoCliques,
    Caveman,
    TwoRings,
    Rewire,
    Generator,
    EdgeList,
    AdjacencyList,
    GraphML,
    GML,
    NodeLink,
)
