"""Topologies that are drawn: each from the generator that it is given, and from nothing else.

Any of them may come out in several parts, Barabasi and Albert's apart.
"""

from dataclasses import dataclass
from math import hypot
from pathlib import Path
from typing import Literal

import networkx as nx
import numpy as np

from graphs.checks import (
    check_at_least,
    check_even_neighbours,
    check_peers,
    check_share,
    check_size,
)
from graphs.generators import drawn_seed
from graphs.types import Graph


@dataclass(frozen=True, slots=True, kw_only=True)
class RandomRegular:
    """A random graph in which every peer has as many neighbours (Steger & Wormald 1999).

    May come out in several parts.
    """

    peers: int
    """Number of peers, >= 2."""
    degree: int
    """Neighbours of each peer, in [1, peers); peers * degree must be even."""
    kind: Literal["random_regular"] = "random_regular"

    def __post_init__(self) -> None:
        check_peers(self.peers)
        check_degree(self.peers, self.degree)

    def build(self, rng: np.random.Generator, folder: Path) -> Graph:
        """Takes time O(peers * degree^2), about; draws the complement of a dense graph."""
        absent = self.peers - 1 - self.degree
        # A dense graph is seldom hit upon: networkx needs minutes for 100 peers of degree 90.
        drawn = min(self.degree, absent)
        graph: Graph = nx.random_regular_graph(drawn, self.peers, seed=drawn_seed(rng))
        return graph if drawn == self.degree else nx.complement(graph)


def check_degree(peers: int, degree: int) -> None:
    """Whether there is a graph of that degree."""
    if not 1 <= degree < peers:
        raise ValueError(
            f"degree must be in [1, peers): with peers={peers} 1 to {peers - 1} is possible, "
            f"got {degree}"
        )
    if peers * degree % 2:
        raise ValueError(
            f"peers * degree must be even, got peers={peers}, degree={degree}; "
            f"degree {degree - 1 or degree + 1} would do, or {peers + 1} peers"
        )
    check_size("peers and degree", peers, peers * degree // 2)


@dataclass(frozen=True, slots=True, kw_only=True)
class ErdosRenyi:
    """Each pair is connected with the same probability, independently (Gilbert 1959).

    May come out in several parts.
    """

    peers: int
    """Number of peers, >= 2."""
    p: float
    """Probability of each edge, in [0, 1]."""
    kind: Literal["erdos_renyi"] = "erdos_renyi"

    def __post_init__(self) -> None:
        check_peers(self.peers)
        check_size("peers", self.peers, pairs(self.peers))
        check_share("p", self.p)

    def build(self, rng: np.random.Generator, folder: Path) -> Graph:
        """Takes time O(peers^2)."""
        graph: Graph = nx.gnp_random_graph(self.peers, self.p, seed=drawn_seed(rng))
        return graph


@dataclass(frozen=True, slots=True, kw_only=True)
class WattsStrogatz:
    """A ring some of whose edges are rewired at random: a small world (Watts & Strogatz 1998).

    May come out in several parts.
    """

    peers: int
    """Number of peers, at least k + 1."""
    k: int
    """Neighbours of each peer on the ring: even, >= 2."""
    p: float
    """Probability that an edge is rewired, in [0, 1]."""
    kind: Literal["watts_strogatz"] = "watts_strogatz"

    def __post_init__(self) -> None:
        check_peers(self.peers)
        check_even_neighbours("k", self.k, self.peers)
        check_size("peers and k", self.peers, self.peers * self.k // 2)
        check_share("p", self.p)

    def build(self, rng: np.random.Generator, folder: Path) -> Graph:
        """Takes time O(peers * k)."""
        graph: Graph = nx.watts_strogatz_graph(self.peers, self.k, self.p, seed=drawn_seed(rng))
        return graph


@dataclass(frozen=True, slots=True, kw_only=True)
class BarabasiAlbert:
    """Peers come one by one and prefer those with many neighbours (Barabasi & Albert 1999)."""

    peers: int
    """Number of peers, >= m + 1."""
    m: int
    """Edges that each brings, >= 1."""
    kind: Literal["barabasi_albert"] = "barabasi_albert"

    def __post_init__(self) -> None:
        check_peers(self.peers)
        if not 1 <= self.m < self.peers:
            raise ValueError(
                f"m must be in [1, peers): with peers={self.peers} 1 to {self.peers - 1} is "
                f"possible, got {self.m}"
            )
        check_size("peers and m", self.peers, self.peers * self.m)

    def build(self, rng: np.random.Generator, folder: Path) -> Graph:
        """Takes time O(peers * m). The first m + 1 peers begin as a star. Always connected."""
        graph: Graph = nx.barabasi_albert_graph(self.peers, self.m, seed=drawn_seed(rng))
        return graph


@dataclass(frozen=True, slots=True, kw_only=True)
class StochasticBlock:
    """Groups; a pair is connected with one probability inside, another between (Holland 1983).

    May come out in several parts.
    """

    sizes: tuple[int, ...]
    """Peers of each group, >= 1; ids follow one another, group after group."""
    p_in: float
    """Probability of an edge inside a group, in [0, 1]."""
    p_out: float
    """Probability of an edge between groups, in [0, 1]."""
    kind: Literal["stochastic_block"] = "stochastic_block"

    def __post_init__(self) -> None:
        for size in self.sizes:
            check_at_least("sizes", size, 1)
        if sum(self.sizes) < 2:
            raise ValueError(f"sizes must come to >= 2 peers, got {list(self.sizes)}")
        check_size("sizes", sum(self.sizes), pairs(sum(self.sizes)))
        check_share("p_in", self.p_in)
        check_share("p_out", self.p_out)

    def build(self, rng: np.random.Generator, folder: Path) -> Graph:
        """Takes time O(peers^2)."""
        groups = len(self.sizes)
        p = [[self.p_in if a == b else self.p_out for b in range(groups)] for a in range(groups)]
        drawn = nx.stochastic_block_model(list(self.sizes), p, seed=drawn_seed(rng))
        graph: Graph = nx.Graph(drawn.edges)
        graph.add_nodes_from(drawn)
        return graph


@dataclass(frozen=True, slots=True, kw_only=True)
class RandomGeometric:
    """Peers at random places of the unit square hear those within a radius (Gilbert 1961).

    May come out in several parts.
    """

    peers: int
    """Number of peers, >= 2."""
    radius: float
    """Distance up to which two are connected, > 0; sqrt(2) connects all."""
    kind: Literal["random_geometric"] = "random_geometric"

    def __post_init__(self) -> None:
        check_peers(self.peers)
        check_size("peers", self.peers, pairs(self.peers))
        check_radius(self.radius)

    def build(self, rng: np.random.Generator, folder: Path) -> Graph:
        """Takes time O(peers^2)."""
        return within(rng.random((self.peers, 2)).tolist(), self.radius)


def pairs(peers: int) -> int:
    """How many there are."""
    return peers * (peers - 1) // 2


def check_radius(radius: float) -> None:
    """A distance on the unit square."""
    if not 0 < radius < float("inf"):
        raise ValueError(f"radius must be a finite number > 0, got {radius}")


def within(places: list[list[float]], radius: float) -> Graph:
    """Peers at these places of the plane; two are connected up to a distance."""
    graph: Graph = nx.empty_graph(len(places))
    graph.add_edges_from(
        (i, j)
        for i, (x, y) in enumerate(places)
        for j, (u, v) in enumerate(places[:i])
        if hypot(x - u, y - v) <= radius
    )
    return graph
