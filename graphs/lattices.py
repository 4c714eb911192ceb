"""Topologies that draw nothing: lattices, trees, cliques and the exponential graph."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import networkx as nx
import numpy as np

from graphs.checks import check_at_least, check_peers, check_size


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """A chain: each peer is connected with the one before it and the one behind it."""

    peers: int
    """Number of peers, >= 2."""
    kind: Literal["line"] = "line"

    def __post_init__(self) -> None:
        check_peers(self.peers)

    def build(self, rng: np.random.Generator, folder: Path) -> "nx.Graph[Any]":
        """Draws nothing."""
        graph: nx.Graph[Any] = nx.path_graph(self.peers)
        return graph


@dataclass(frozen=True, slots=True, kw_only=True)
class Grid:
    """Rows and columns; up to four neighbours each. Peers are numbered row by row."""

    rows: int
    """Number of rows, >= 1."""
    columns: int
    """Number of columns, >= 1; rows * columns >= 2."""
    kind: Literal["grid"] = "grid"

    def __post_init__(self) -> None:
        check_at_least("rows", self.rows, 1)
        check_at_least("columns", self.columns, 1)
        if self.rows * self.columns < 2:
            raise ValueError("rows * columns must be >= 2 peers, got 1")
        check_size("rows * columns", self.rows * self.columns)

    def build(self, rng: np.random.Generator, folder: Path) -> "nx.Graph[Any]":
        """Draws nothing."""
        return _numbered(nx.grid_2d_graph(self.rows, self.columns))


@dataclass(frozen=True, slots=True, kw_only=True)
class Torus:
    """A grid whose rows and columns close to rings; four neighbours each."""

    rows: int
    """Number of rows, >= 3: fewer would be the same edge twice."""
    columns: int
    """Number of columns, >= 3."""
    kind: Literal["torus"] = "torus"

    def __post_init__(self) -> None:
        check_at_least("rows", self.rows, 3)
        check_at_least("columns", self.columns, 3)
        check_size("rows * columns", self.rows * self.columns)

    def build(self, rng: np.random.Generator, folder: Path) -> "nx.Graph[Any]":
        """Draws nothing."""
        return _numbered(nx.grid_2d_graph(self.rows, self.columns, periodic=True))


@dataclass(frozen=True, slots=True, kw_only=True)
class Hypercube:
    """2**dimensions peers; two are connected if their ids differ in one binary digit."""

    dimensions: int
    """Neighbours of each peer, in [1, 16]."""
    kind: Literal["hypercube"] = "hypercube"

    def __post_init__(self) -> None:
        if not 1 <= self.dimensions <= 16:
            raise ValueError(f"dimensions must be in [1, 16], got {self.dimensions}")

    def build(self, rng: np.random.Generator, folder: Path) -> "nx.Graph[Any]":
        """Draws nothing."""
        graph: nx.Graph[Any] = nx.empty_graph(2**self.dimensions)
        graph.add_edges_from(
            (peer, peer ^ 1 << digit) for peer in graph for digit in range(self.dimensions)
        )
        return graph


@dataclass(frozen=True, slots=True, kw_only=True)
class BinaryTree:
    """Peer k is the parent of peers 2k + 1 and 2k + 2; peer 0 is the root."""

    peers: int
    """Number of peers, >= 2; the last level may be incomplete."""
    kind: Literal["binary_tree"] = "binary_tree"

    def __post_init__(self) -> None:
        check_peers(self.peers)

    def build(self, rng: np.random.Generator, folder: Path) -> "nx.Graph[Any]":
        """Draws nothing."""
        graph: nx.Graph[Any] = nx.full_rary_tree(2, self.peers)
        return graph


@dataclass(frozen=True, slots=True, kw_only=True)
class Exponential:
    """Each peer sends to those 1, 2, 4, 8, ... places on (Ying et al. 2021); directed.

    Degrees grow as log2(peers), and so slowly does the inverse of the spectral gap. Among those
    that change (``one_peer_exponential``) is the same with one of these edges a round.
    """

    peers: int
    """Number of peers, >= 2."""
    kind: Literal["exponential"] = "exponential"

    def __post_init__(self) -> None:
        check_peers(self.peers)

    def build(self, rng: np.random.Generator, folder: Path) -> "nx.Graph[Any]":
        """Draws nothing."""
        graph: nx.DiGraph[Any] = nx.DiGraph()
        graph.add_nodes_from(range(self.peers))
        for hop in hops_of_two(self.peers):
            graph.add_edges_from((peer, (peer + hop) % self.peers) for peer in range(self.peers))
        return graph


def hops_of_two(peers: int) -> tuple[int, ...]:
    """1, 2, 4, ... below the number of peers."""
    return tuple(2**k for k in range((peers - 1).bit_length()))


@dataclass(frozen=True, slots=True, kw_only=True)
class Dumbbell:
    """Two cliques, and a chain of peers between them."""

    clique: int
    """Peers of each clique, >= 2."""
    bridge: int = 0
    """Peers of the chain, >= 0; 0 is one edge from clique to clique."""
    kind: Literal["dumbbell"] = "dumbbell"

    def __post_init__(self) -> None:
        check_at_least("clique", self.clique, 2)
        check_at_least("bridge", self.bridge, 0)
        check_size("clique and bridge", 2 * self.clique + self.bridge, self.clique**2)

    def build(self, rng: np.random.Generator, folder: Path) -> "nx.Graph[Any]":
        """Draws nothing. The first clique, the chain and the second clique follow one another."""
        graph: nx.Graph[Any] = nx.barbell_graph(self.clique, self.bridge)
        return graph


@dataclass(frozen=True, slots=True, kw_only=True)
class TwoCliques:
    """Two cliques with edges between: peer k of the first and peer k of the second."""

    size: int
    """Peers of each clique, >= 2."""
    bridges: int = 1
    """Edges between them, in [0, size]."""
    kind: Literal["two_cliques"] = "two_cliques"

    def __post_init__(self) -> None:
        check_at_least("size", self.size, 2)
        check_size("size", 2 * self.size, self.size**2)
        if not 0 <= self.bridges <= self.size:
            raise ValueError(
                f"bridges must be in [0, size]: with size={self.size} 0 to {self.size} is "
                f"possible, got {self.bridges}"
            )

    def build(self, rng: np.random.Generator, folder: Path) -> "nx.Graph[Any]":
        """Draws nothing. The second clique begins at id ``size``."""
        one: nx.Graph[Any] = nx.complete_graph(self.size)
        graph: nx.Graph[Any] = nx.disjoint_union(one, one)
        graph.add_edges_from((k, self.size + k) for k in range(self.bridges))
        return graph


@dataclass(frozen=True, slots=True, kw_only=True)
class Caveman:
    """Cliques in a ring, each with one edge turned to the next (Watts 1999)."""

    cliques: int
    """Number of cliques, >= 2."""
    size: int
    """Peers of each, >= 3."""
    kind: Literal["caveman"] = "caveman"

    def __post_init__(self) -> None:
        check_at_least("cliques", self.cliques, 2)
        check_at_least("size", self.size, 3)
        peers = self.cliques * self.size
        check_size("cliques and size", peers, peers * self.size // 2)

    def build(self, rng: np.random.Generator, folder: Path) -> "nx.Graph[Any]":
        """Draws nothing."""
        graph: nx.Graph[Any] = nx.connected_caveman_graph(self.cliques, self.size)
        return graph


def _numbered(graph: "nx.Graph[Any]") -> "nx.Graph[Any]":
    return nx.convert_node_labels_to_integers(graph, ordering="sorted")
