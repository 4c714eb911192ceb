"""Placements by place: adversaries at the centre, at bridges, far apart, close together."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from math import fsum
from typing import Any, Literal

import networkx as nx
import numpy as np

from graphs.types import Graph, Placed, heard
from p2pfl.errors import TopologyError


@dataclass(frozen=True, slots=True, kw_only=True)
class Degree:
    """The peers whom most others hear; of equals those with the lowest ids."""

    kind: Literal["degree"] = "degree"

    def choose(self, graph: Graph, rng: np.random.Generator, count: int | None) -> Placed:
        """Draws nothing.

        Raises:
            TopologyError: If no number is given.
        """
        return _top(self.kind, count, {peer: len(graph.adj[peer]) for peer in graph})


@dataclass(frozen=True, slots=True, kw_only=True)
class Betweenness:
    """The peers on most shortest paths between others (Freeman 1977, Brandes 2001)."""

    kind: Literal["betweenness"] = "betweenness"

    def choose(self, graph: Graph, rng: np.random.Generator, count: int | None) -> Placed:
        """Draws nothing. Takes time O(n m).

        Raises:
            TopologyError: If no number is given.
        """
        return _top(self.kind, count, nx.betweenness_centrality(graph))


@dataclass(frozen=True, slots=True, kw_only=True)
class Eigenvector:
    """The peers whom the influential hear (Bonacich 1972): the entries of the first eigenvector.

    Of the matrix of who hears whom, plus one on the diagonal, which moves no eigenvector and lets
    the iteration settle on bipartite graphs too.
    """

    kind: Literal["eigenvector"] = "eigenvector"

    def choose(self, graph: Graph, rng: np.random.Generator, count: int | None) -> Placed:
        """Draws nothing. Takes time O(m) for each of 200 steps from equal values.

        Raises:
            TopologyError: If no number is given.
        """
        return _top(self.kind, count, influence(graph))


def influence(graph: Graph, steps: int = 200) -> dict[int, float]:
    """Eigenvector centrality: a peer counts as much as those who hear it, and a little itself."""
    value = dict.fromkeys(sorted(graph), 1.0)
    for _ in range(steps):
        value = {
            peer: fsum([value[peer], *(value[other] for other in sorted(graph.adj[peer]))])
            for peer in value
        }
        largest = max(value.values())
        value = {peer: x / largest for peer, x in value.items()}
    return value


@dataclass(frozen=True, slots=True, kw_only=True)
class KCore:
    """The peers of the innermost core: those left longest as the loosest are peeled off."""

    kind: Literal["kcore"] = "kcore"

    def choose(self, graph: Graph, rng: np.random.Generator, count: int | None) -> Placed:
        """Draws nothing. Takes time O(m). Directions are ignored (Seidman 1983).

        Raises:
            TopologyError: If no number is given.
        """
        return _top(self.kind, count, nx.core_number(nx.Graph(graph)))


@dataclass(frozen=True, slots=True, kw_only=True)
class Bridges:
    """The ends of edges without which the graph falls apart; then those on most shortest paths.

    Peers come by the number of others cut from one another if their most severing bridge went.
    """

    kind: Literal["bridges"] = "bridges"

    def choose(self, graph: Graph, rng: np.random.Generator, count: int | None) -> Placed:
        """Draws nothing. Takes time O(n m). Directions are ignored.

        Raises:
            TopologyError: If no number is given, or no edge is a bridge.
        """
        plain = graph.to_undirected()
        severed = dict.fromkeys(plain, 0)
        for a, b in _bridges(plain):
            without = plain.copy()
            without.remove_edge(a, b)
            behind = len(nx.node_connected_component(without, a))
            before = len(nx.node_connected_component(plain, a))
            for end in (a, b):
                severed[end] = max(severed[end], behind * (before - behind))
        if not any(severed.values()):
            raise TopologyError("placement bridges: no edge of this graph is a bridge")
        between = nx.betweenness_centrality(plain)
        return _top(self.kind, count, {peer: (severed[peer], between[peer]) for peer in plain})


@dataclass(frozen=True, slots=True, kw_only=True)
class Spread:
    """Adversaries far from one another: each next one as far as can be from those before.

    The first is the peer with the greatest mean distance to all; each next maximises its mean
    distance to those chosen, so greedily the mean over pairs.
    """

    kind: Literal["spread"] = "spread"

    def choose(self, graph: Graph, rng: np.random.Generator, count: int | None) -> Placed:
        """Draws nothing. Takes time O(n m). The note ``mean_distance`` is in edges.

        Raises:
            TopologyError: If no number is given.
        """
        away = _distances(graph)
        return _one_by_one(self.kind, graph, count, away, furthest=True)


@dataclass(frozen=True, slots=True, kw_only=True)
class Clustered:
    """Adversaries close together: the most central peer, then always the one nearest to them."""

    kind: Literal["clustered"] = "clustered"

    def choose(self, graph: Graph, rng: np.random.Generator, count: int | None) -> Placed:
        """Draws nothing. Takes time O(n m). The note ``mean_distance`` is in edges.

        Raises:
            TopologyError: If no number is given.
        """
        return _one_by_one(self.kind, graph, count, _distances(graph), furthest=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Surround:
    """The neighbours of one peer, who then hears adversaries only, or as many as are allowed."""

    target: int
    """Id of the peer."""
    kind: Literal["surround"] = "surround"

    def __post_init__(self) -> None:
        if self.target < 0:
            raise ValueError(f"target must be an id >= 0, got {self.target}")

    def choose(self, graph: Graph, rng: np.random.Generator, count: int | None) -> Placed:
        """Draws nothing. The note ``surrounded_share`` is what part of the neighbourhood it took.

        With a count, those of its neighbours come first who are heard by fewest others, so that as
        little else as can be is touched.

        Raises:
            TopologyError: If the target is no peer, hears nobody, or the number is more than its
                neighbours.
        """
        if self.target not in graph:
            raise TopologyError(
                f"placement surround: the graph has peers 0 to {len(graph) - 1}, not {self.target}"
            )
        neighbours = sorted(heard(graph)[self.target], key=lambda p: (len(graph.adj[p]), p))
        if not neighbours:
            raise TopologyError(f"placement surround: peer {self.target} hears nobody")
        if count is not None and count > len(neighbours):
            raise TopologyError(
                f"placement surround: peer {self.target} has {len(neighbours)} neighbours, so 0 to "
                f"{len(neighbours)} adversaries are possible, got {count}"
            )
        chosen = neighbours[:count]
        share = len(chosen) / len(neighbours)
        return Placed(adversaries=tuple(sorted(chosen)), notes={"surrounded_share": share})


def _bridges(graph: Graph) -> list[tuple[int, int]]:
    cuts: Any = nx.bridges(graph)
    return sorted(cuts)


def _needed(kind: str, count: int | None) -> int:
    if count is None:
        raise TopologyError(f"placement {kind} needs count or fraction")
    return count


def _top(kind: str, count: int | None, score: Mapping[int, Any]) -> Placed:
    """The peers with the highest scores. Of those that differ by rounding only, the lowest ids."""
    order = sorted(score, key=lambda peer: (_negative(score[peer]), peer))
    return Placed(adversaries=tuple(sorted(order[: _needed(kind, count)])))


def _negative(score: Any) -> Any:
    if isinstance(score, tuple):
        return tuple(map(_negative, score))
    return -round(score, 9)


def _distances(graph: Graph) -> Callable[[int, int], int]:
    """Edges between two peers, directions ignored; the number of peers where there is no path."""
    found = dict(nx.all_pairs_shortest_path_length(nx.Graph(graph)))
    return lambda a, b: found[a].get(b, len(graph))


def _one_by_one(
    kind: str,
    graph: Graph,
    count: int | None,
    away: Callable[[int, int], int],
    furthest: bool,
) -> Placed:
    sign = -1 if furthest else 1
    total = {peer: sum(away(peer, other) for other in graph) for peer in sorted(graph)}
    chosen: list[int] = []
    for _ in range(_needed(kind, count)):
        left = [peer for peer in total if peer not in chosen]
        best = min(left, key=lambda p: (sign * total[p], p))
        if not chosen:
            total = dict.fromkeys(total, 0)
        chosen.append(best)
        total = {peer: far + away(peer, best) for peer, far in total.items()}
    pairs = [away(a, b) for k, a in enumerate(chosen) for b in chosen[:k]]
    notes = {"mean_distance": sum(pairs) / len(pairs)} if pairs else {}
    return Placed(adversaries=tuple(sorted(chosen)), notes=notes)
