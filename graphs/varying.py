"""Topologies that change in the course of a run, by rounds or by time.

By rounds, a peer in its round r tells and hears its neighbours of round r. By time, links open and
close under whatever is sent. Each is built with all edges that may ever be open, and ``graphs``
gives one graph after the other, for as long as it is asked. Plain averaging takes the weights of
the round's graph; by time, those of all edges that may be open.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, TypeAlias

import networkx as nx
import numpy as np

from graphs.canonical import canonical
from graphs.checks import check_at_least, check_lasts, check_peers, check_share
from graphs.edge_schedule import Schedule
from graphs.fixed import Fixed
from graphs.lattices import Exponential, hops_of_two
from graphs.parts import edges_as, part
from graphs.random_graphs import RandomRegular, check_degree, check_radius, within
from graphs.types import Graph
from p2pfl.errors import TopologyError
from p2pfl.seeding import stream

MOST_PEERS = 3000
"""Of a topology in which anybody may meet anybody."""


def _check_every(every_rounds: int, every_s: float | None) -> None:
    check_at_least("every_rounds", every_rounds, 1)
    if every_s is not None:
        check_lasts("every_s", every_s)


def _check_few(peers: int) -> None:
    check_peers(peers)
    if peers > MOST_PEERS:
        raise ValueError(f"peers must be at most {MOST_PEERS} where all may meet, got {peers}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Periodic:
    """Several graphs in turn, of the same peers.

    An edge has the settings that it has in the first graph with it.
    """

    graphs_in_turn: tuple[Fixed, ...]
    """The graphs, at least one; after the last comes the first again."""
    every_rounds: int = 1
    """How many rounds each stays."""
    every_s: float | None = None
    """How many virtual seconds each stays, instead of rounds; null: by rounds."""
    kind: Literal["periodic"] = "periodic"

    def __post_init__(self) -> None:
        _check_every(self.every_rounds, self.every_s)
        if not self.graphs_in_turn:
            raise ValueError("graphs_in_turn must name a graph, got []")

    def build(self, rng: np.random.Generator, folder: Path) -> Graph:
        """All edges of all of them; directed if one is.

        Raises:
            TopologyError: If they have different numbers of peers.
        """
        each = self._each(rng, folder)
        union: Graph = nx.DiGraph() if any(g.is_directed() for g in each) else nx.Graph()
        for graph in reversed(each):
            union.add_nodes_from(graph)
            union.add_edges_from(edges_as(union, graph))
        return union

    def graphs(self, union: Graph, seed: int, folder: Path) -> Iterator[Graph]:
        """One after the other, and again."""
        each = self._each(stream(seed, "graph"), folder)
        graphs = [part(union, ((i, j) for i, j, _ in edges_as(union, graph))) for graph in each]
        while True:
            yield from graphs

    def _each(self, rng: np.random.Generator, folder: Path) -> list[Graph]:
        each = [canonical(topology.build(rng, folder)) for topology in self.graphs_in_turn]
        if len({len(graph) for graph in each}) > 1:
            sizes = ", ".join(str(len(graph)) for graph in each)
            raise TopologyError(f"periodic: its graphs have {sizes} peers, not the same")
        return each


@dataclass(frozen=True, slots=True, kw_only=True)
class OnePeerExponential:
    """Each sends to one peer at a time: 1, 2, 4, ... places on, in turn (Ying et al. 2021).

    Directed. Over log2(peers) rounds everybody's model reaches everybody, if peers is a power of 2
    exactly by averaging with halves.
    """

    peers: int
    """Number of peers, >= 2."""
    every_rounds: int = 1
    """How many rounds each graph stays."""
    every_s: float | None = None
    """How many virtual seconds each stays, instead of rounds; null: by rounds."""
    kind: Literal["one_peer_exponential"] = "one_peer_exponential"

    def __post_init__(self) -> None:
        check_peers(self.peers)
        _check_every(self.every_rounds, self.every_s)

    def build(self, rng: np.random.Generator, folder: Path) -> Graph:
        """Draws nothing."""
        return Exponential(peers=self.peers).build(rng, folder)

    def graphs(self, union: Graph, seed: int, folder: Path) -> Iterator[Graph]:
        """One hop after the other, and again."""
        graphs = [
            part(union, ((peer, (peer + hop) % self.peers) for peer in union))
            for hop in hops_of_two(self.peers)
        ]
        while True:
            yield from graphs


@dataclass(frozen=True, slots=True, kw_only=True)
class RandomRegularAnew:
    """Another random regular graph each time, drawn from the stream (seed, "graph", step)."""

    peers: int
    """Number of peers, >= 2."""
    degree: int
    """Neighbours of each peer, in [1, peers); peers * degree must be even."""
    every_rounds: int = 1
    """How many rounds each graph stays."""
    every_s: float | None = None
    """How many virtual seconds each stays, instead of rounds; null: by rounds."""
    kind: Literal["random_regular_anew"] = "random_regular_anew"

    def __post_init__(self) -> None:
        _check_few(self.peers)
        check_degree(self.peers, self.degree)
        _check_every(self.every_rounds, self.every_s)

    def build(self, rng: np.random.Generator, folder: Path) -> Graph:
        """Draws nothing: any two may meet."""
        graph: Graph = nx.complete_graph(self.peers)
        return graph

    def graphs(self, union: Graph, seed: int, folder: Path) -> Iterator[Graph]:
        """A fresh one each time."""
        topology = RandomRegular(peers=self.peers, degree=self.degree)
        step = 0
        while True:
            yield part(union, topology.build(stream(seed, "graph", step), folder).edges)
            step += 1


@dataclass(frozen=True, slots=True, kw_only=True)
class EdgeMarkov:
    """Each edge goes and comes by itself, with memory (edge-Markovian, Clementi et al. 2008).

    An edge is there for p_on / (p_on + p_off) of the time, in runs of 1 / p_off steps on the mean;
    it begins with this share. Draws are from the stream (seed, "edge", i, j) of each edge.
    """

    of: Fixed
    """The edges that come and go."""
    p_off: float
    """Probability that an edge that is there is gone at the next step, in [0, 1]."""
    p_on: float
    """Probability that an edge that is gone is there at the next step. Together > 0."""
    every_rounds: int = 1
    """How many rounds a step takes."""
    every_s: float | None = None
    """How many virtual seconds a step takes, instead of rounds; null: by rounds."""
    kind: Literal["edge_markov"] = "edge_markov"

    def __post_init__(self) -> None:
        _check_every(self.every_rounds, self.every_s)
        check_share("p_off", self.p_off)
        check_share("p_on", self.p_on)
        if self.p_off + self.p_on == 0:
            raise ValueError("p_off and p_on are both 0: no edge ever changes")

    def build(self, rng: np.random.Generator, folder: Path) -> Graph:
        """All its edges."""
        return canonical(self.of.build(rng, folder))

    def graphs(self, union: Graph, seed: int, folder: Path) -> Iterator[Graph]:
        """Step by step."""
        draws = {(i, j): stream(seed, "edge", i, j) for i, j in sorted(union.edges)}
        share = self.p_on / (self.p_on + self.p_off)
        there = {edge: bool(rng.random() < share) for edge, rng in draws.items()}
        while True:
            yield part(union, (edge for edge, is_there in there.items() if is_there))
            for edge, rng in draws.items():
                changes = rng.random() < (self.p_off if there[edge] else self.p_on)
                there[edge] = there[edge] != bool(changes)


@dataclass(frozen=True, slots=True, kw_only=True)
class RandomWalk:
    """Peers walk about the unit square and hear those within a radius.

    Each begins anywhere, and takes a normal step in both directions, reflected at the walls. Draws
    are from the stream (seed, "walk", peer) of each peer.
    """

    peers: int
    """Number of peers, >= 2."""
    radius: float
    """Distance up to which two are connected, > 0."""
    step: float
    """Standard deviation of a step in each direction, in (0, 1]."""
    every_rounds: int = 1
    """How many rounds a step takes."""
    every_s: float | None = None
    """How many virtual seconds a step takes, instead of rounds; null: by rounds."""
    kind: Literal["random_walk"] = "random_walk"

    def __post_init__(self) -> None:
        _check_few(self.peers)
        check_radius(self.radius)
        _check_every(self.every_rounds, self.every_s)
        if not 0 < self.step <= 1:
            raise ValueError(f"step must be in (0, 1], got {self.step}")

    def build(self, rng: np.random.Generator, folder: Path) -> Graph:
        """Draws nothing: any two may meet."""
        graph: Graph = nx.complete_graph(self.peers)
        return graph

    def graphs(self, union: Graph, seed: int, folder: Path) -> Iterator[Graph]:
        """Step by step; each takes O(peers^2)."""
        draws = [stream(seed, "walk", peer) for peer in range(self.peers)]
        places = np.array([rng.random(2) for rng in draws])
        while True:
            yield part(union, within(places.tolist(), self.radius).edges)
            moved = places + self.step * np.array([rng.standard_normal(2) for rng in draws])
            # Reflected as often as need be: a triangular wave of period 2.
            places = 1 - np.abs(1 - np.mod(moved, 2))


Varying: TypeAlias = (
    Periodic | OnePeerExponential | RandomRegularAnew | EdgeMarkov | RandomWalk | Schedule
)
VARYING = (Periodic, OnePeerExponential, RandomRegularAnew, EdgeMarkov, RandomWalk, Schedule)
