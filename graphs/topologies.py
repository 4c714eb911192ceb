"""Who is connected with whom: the graphs that a scenario can name.

A topology is built once, from the stream (seed, "graph"). Those of ``random_graphs``, ``Rewire``,
``Generator`` and the files may give a graph in several parts; a run refuses that where it concerns
benign peers (:func:`require_connected`), unless the scenario allows it.
"""

from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, TypeAlias

import networkx as nx
import numpy as np

from graphs.canonical import canonical
from graphs.checks import check_at_least, check_even_neighbours, check_peers
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
from graphs.neighbourhoods import benign_components
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
from p2pfl.errors import TopologyError
from p2pfl.seeding import stream


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

    of: "Topology"
    """The graph to begin with, undirected, with at least two edges that share no peer."""
    swaps: int
    """How many, >= 0; ten times the edges forget most of what the graph was."""
    kind: Literal["rewire"] = "rewire"

    def __post_init__(self) -> None:
        check_at_least("swaps", self.swaps, 0)

    def build(self, rng: np.random.Generator, folder: Path) -> Graph:
        """Takes time O(swaps), about.

        Raises:
            TopologyError: If the graph is directed, or has no edges that can be swapped.
        """
        graph = canonical(self.of.build(rng, folder))
        return swapped(graph, self.swaps, rng)


Topology: TypeAlias = (
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
TOPOLOGIES = (
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


def build_graph(topology: Topology, seed: int, folder: Path) -> Graph:
    """Build the graph of a run, in the form of :func:`graphs.canonical.canonical`.

    Args:
        topology: One of ``TOPOLOGIES``.
        seed: The run's seed; the graph is a function of it and of the topology.
        folder: Where relative paths are looked for.

    Returns:
        Nodes 0 ... n-1 with the attribute ``label``; edges with those of ``latency_ms``,
        ``bandwidth_mbps`` and ``drop`` that the input sets. Both in ascending order.

    Raises:
        TopologyError: If there is no such graph, or it is not one that peers can be put on.
    """
    return canonical(topology.build(stream(seed, "graph"), folder))


def around_a_server(clients: Graph) -> Graph:
    """A star: every client of the graph, and a server that is connected with all of them.

    The server's id is the number of clients. Edges between clients are left out.
    """
    server = len(clients)
    graph: Graph = nx.Graph()
    graph.add_nodes_from(clients.nodes(data=True))
    graph.add_node(server, label="server")
    graph.add_edges_from((client, server) for client in sorted(clients))
    return graph


def without_edges_of(graph: Graph, peers: Collection[int]) -> Graph:
    """The graph in which nobody hears these peers, nor they anybody. They stay, as its nodes."""
    smaller = graph.copy()
    smaller.remove_edges_from([edge for edge in graph.edges if set(edge) & set(peers)])
    return smaller


def require_connected(graph: Graph, adversaries: Collection[int]) -> None:
    """Refuse a graph on which some benign peers cannot hear of one another, even indirectly.

    Paths lead over benign peers only; in a directed graph they must lead both ways.

    Raises:
        TopologyError: Gives the sizes of the parts and the key of the scenario that allows it.
    """
    parts = benign_components(graph, adversaries)
    if len(parts) > 1:
        sizes = ", ".join(str(len(part)) for part in parts[:8]) + (
            ", ..." if len(parts) > 8 else ""
        )
        count = len(set(adversaries))
        without = f"without {count} adversaries " if count else ""
        apart = " that do not hear one another both ways" if graph.is_directed() else ""
        raise TopologyError(
            f"the benign part of the graph is disconnected: {without}it has {len(parts)} "
            f"components{apart}, of {sizes} peers; add edges, change the seed or the "
            "placement, or say allow_disconnected: true"
        )
