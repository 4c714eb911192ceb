"""The fewest edges to add, or to rewire, so that every benign peer's neighbourhood is sound.

A peer is sound if it hears enough benign peers beside its adversaries (:class:`Demand`). An edge
between two unsound peers serves both. So the fewest edges to add are a smallest simple b-edge
cover: a set of edges that are not there yet, at least d(i) of them at each peer i, where d(i) is
what it lacks. That is solved as an integer programme (HiGHS, by branch and cut), which also proves
that no smaller number does. To rewire is to take an edge of an adversary away and to put one
between benign peers, or where these have none left, between adversaries; the number of edges stays.

Nothing is lost by that choice of edges where the demand is a majority. An edge between benign peers
serves both its ends and one to an adversary neither, so no added edge need have an adversary;
taking away an edge between benign peers harms both, and that of an adversary nobody. So any
rewiring can be turned into one of this kind with as many edges, as long as there are enough.

Sources
    b-edge covers: A. Schrijver. "Combinatorial Optimization." Springer 2003, chapter 34. HiGHS: Q.
    Huangfu, J. A. J. Hall. "Parallelizing the dual revised simplex method." Mathematical
    Programming Computation 10, 2018.
"""

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from itertools import combinations, permutations
from typing import Literal

import numpy as np
from scipy.optimize import Bounds, LinearConstraint, milp
from scipy.sparse import csr_array

from graphs.demands import MAJORITY, Demand, neighbour_counts
from graphs.types import Graph, heard
from p2pfl.errors import TopologyError

MOST_NODES = 20_000
"""Of the search tree. If it ends there, what is found may not be the fewest, and it says so."""

How = Literal["add", "rewire"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Repair:
    """What to change, and how sure it is that less would not do."""

    graph: Graph
    """The graph with the changes; edges that stay keep their settings, new ones have none."""
    added: tuple[tuple[int, int], ...]
    removed: tuple[tuple[int, int], ...]
    at_least: int
    """No fewer edges would do, of this kind of change."""

    @property
    def fewest(self) -> bool:
        """Whether it is proven that it takes as many."""
        return len(self.added) == self.at_least


def repair(
    graph: Graph, adversaries: Collection[int], demand: Demand = MAJORITY, how: How = "add"
) -> Repair:
    """Change as few edges as can be so that a demand holds for every benign peer.

    Which of several smallest changes is taken: new edges end where there are fewest, edges are
    taken from the adversary that has most; of equals the lowest id.

    Args:
        graph: As :func:`graphs.topologies.build_graph` gives it. Not modified.
        adversaries: Ids of peers of the graph. Who repairs a real network does not know them.
        demand: What is to hold.
        how: ``add``: edges between benign peers. ``rewire``: as many edges of adversaries go.

    Raises:
        TopologyError: If it cannot be reached so; names a peer for whom it cannot.

    Cost:
        The programme has a variable for every two unsound peers: seconds for some hundred of them.
        In the worst case it takes exponential time, cut off at ``MOST_NODES``.
    """
    hostile = frozenset(adversaries)
    counts = neighbour_counts(graph, hostile)
    lacking = [peer for peer, count in counts.items() if not demand.holds(*count)]
    if not lacking:
        return Repair(graph=graph.copy(), added=(), removed=(), at_least=0)
    programme = _Programme(graph, hostile, counts, lacking, demand, how)
    chosen, at_least = programme.solved()
    return programme.carried_out(chosen, at_least)


class _Programme:
    """The integer programme: which edges between needy peers, and how many of other kinds.

    Other peers are alike as ends of a new edge, and adversaries as ends of one that goes: only
    numbers are searched for, and ends chosen afterwards.
    """

    def __init__(
        self,
        graph: Graph,
        hostile: frozenset[int],
        counts: dict[int, tuple[int, int]],
        lacking: Sequence[int],
        demand: Demand,
        how: How,
    ) -> None:
        self.graph, self.hostile, self.counts, self.demand = graph, hostile, counts, demand
        self.rewires = how == "rewire"
        self.exposed = [peer for peer, (_, b) in counts.items() if b] if self.rewires else []
        # Where all rows count, a peer that gives an adversary up may need another in its place.
        needy = {*lacking, *(self.exposed if demand.weight == 1 else ())}
        self.needy, self.others = sorted(needy), sorted(set(counts) - needy)
        # In a directed graph an edge serves one end: none serves two such peers.
        twos = [] if graph.is_directed() else list(combinations(self.needy, 2))
        self.pairs = [(i, j) for i, j in twos if not graph.has_edge(i, j)]
        self.free = {peer: self._free(peer) for peer in self.needy}
        self.idle = self._idle() if self.rewires else []
        self.spare = self._spare() if self.rewires else []
        self.among_them = self._among_them() if self.rewires else []
        if not self.rewires:
            self._require_reachable(lacking)

    def _free(self, peer: int) -> list[int]:
        """Whom a needy peer could hear besides, and whom that would serve nothing."""
        others = list(self.counts) if self.graph.is_directed() else self.others
        return [k for k in others if k != peer and not self.graph.has_edge(k, peer)]

    def _idle(self) -> list[tuple[int, int]]:
        """Edges that an adversary has and that no benign peer hears over."""
        directed = self.graph.is_directed()
        return [
            (i, j) for i, j in sorted(self.graph.edges)
            if j in self.hostile and (directed or i in self.hostile)
        ]  # fmt: skip

    def _spare(self) -> list[tuple[int, int]]:
        """Edges that are not there, and that would serve no needy peer."""
        ends = list(combinations(self.others, 2))
        if self.graph.is_directed():
            ends = [(i, j) for i in self.counts for j in self.others if i != j]
        return [(i, j) for i, j in ends if not self.graph.has_edge(i, j)]

    def _among_them(self) -> list[tuple[int, int]]:
        """Edges that are not there between adversaries, where no benign peer hears any more."""
        pairs = permutations if self.graph.is_directed() else combinations
        return [(i, j) for i, j in pairs(sorted(self.hostile), 2) if not self.graph.has_edge(i, j)]

    def _require_reachable(self, lacking: Sequence[int]) -> None:
        """An edge cover exists if, and only if, each peer has as many edges left as it lacks."""
        most = self.demand.most
        for peer in lacking:
            h, b = self.counts[peer]
            left = len(self.counts) - 1 - h
            if most is not None and b > most:
                raise TopologyError(
                    f"peer {peer} hears {b} adversaries, more than f={most}: no added edge helps; "
                    "rewire, or assume a larger f"
                )
            if self.demand.lacks(h, b) > left:
                raise TopologyError(
                    f"peer {peer} lacks {self.demand.lacks(h, b)} benign neighbours, and there are "
                    f"{left} benign peers that it does not hear: no added edges help; rewire"
                )

    def solved(self) -> tuple[list[int], int]:
        """The value of each variable, and what number is proven to be needed.

        Variables: an edge for each of ``pairs``; a number of edges from each needy peer to ends in
        ``free``; and to rewire, a number of adversaries that each of ``exposed`` no longer
        hears, of ``idle`` edges that go, and of ``spare`` ones and ones ``among_them`` that come.
        """
        ends = [*([1] * len(self.pairs)), *(len(self.free[peer]) for peer in self.needy)]
        gone = [*(self.counts[peer][1] for peer in self.exposed), len(self.idle)]
        come = [len(self.spare), len(self.among_them)]
        upper = [*ends, *gone, *come] if self.rewires else ends
        row = {peer: k for k, peer in enumerate(self.counts)}
        at = [(row[peer], k, 1) for k, pair in enumerate(self.pairs) for peer in pair]
        first = len(self.pairs)
        at += [(row[peer], first + k, 1) for k, peer in enumerate(self.needy)]
        first += len(self.needy)
        at += [(row[p], first + k, -self.demand.weight) for k, p in enumerate(self.exposed)]
        least = [self.demand.least - h - self.demand.weight * b for h, b in self.counts.values()]
        touched = sorted({line for line, _, _ in at})
        constraints = [_constraint(at, len(upper), least, touched)]
        lower = [0] * len(upper)
        for k, peer in enumerate(self.exposed):
            if self.demand.most is not None:
                lower[first + k] = max(0, self.counts[peer][1] - self.demand.most)
        cost = np.ones(len(upper))
        if self.rewires:
            cost[len(ends) : -2] = -1
            constraints.append(LinearConstraint(csr_array(cost[None]), 0, 0))
            cost[len(ends) : -2] = 0
            # Of equals, edges between benign peers; all that this adds is less than a half.
            cost[-1] += 0.5 / (1 + len(self.among_them))
        found = milp(
            cost,
            integrality=np.ones(len(upper), dtype=np.int64),
            bounds=Bounds(np.array(lower), np.array(upper)),
            constraints=constraints,
            options={"node_limit": MOST_NODES, "mip_rel_gap": 0.0},
        )
        if found.x is None:
            raise TopologyError(
                "no rewiring reaches it: adversaries have too few edges to take away, or benign "
                "peers too few that are not there yet"
                if found.status == 2
                else f"no change was found within {MOST_NODES} steps of the search"
            )
        return np.rint(found.x).astype(int).tolist(), int(np.ceil(found.mip_dual_bound - 0.5))

    def carried_out(self, chosen: Sequence[int], at_least: int) -> Repair:
        """The graph with edges as the variables say, whose open ends are chosen now."""
        graph = self.graph.copy()
        values = iter(chosen)
        added = [pair for pair in self.pairs if next(values)]
        graph.add_edges_from(added)
        for peer in self.needy:
            for _ in range(next(values)):
                edge = (_least_busy(graph, self.free[peer], peer), peer)
                added.append(edge)
                graph.add_edge(*edge)
        removed: list[tuple[int, int]] = []
        for peer in self.exposed:
            for _ in range(next(values)):
                theirs = [k for k in heard(graph)[peer] if k in self.hostile]
                busiest = max(theirs, key=lambda k: (graph.degree[k], -k))
                removed.append((busiest, peer))
                graph.remove_edge(busiest, peer)
        if self.rewires:
            idle = self.idle[: next(values)]
            spare = [*self.spare[: next(values)], *self.among_them[: next(values)]]
            graph.remove_edges_from(idle)
            graph.add_edges_from(spare)
            removed += idle
            added += spare
        directed = graph.is_directed()
        return Repair(
            graph=graph,
            added=_named(added, directed),
            removed=_named(removed, directed),
            at_least=at_least,
        )


def _constraint(
    at: Sequence[tuple[int, int, int]], columns: int, least: Sequence[int], lines: Sequence[int]
) -> LinearConstraint:
    """Of each peer that a variable touches: what it has more must be what it lacks, at least."""
    place = {line: k for k, line in enumerate(lines)}
    row, column, value = zip(*((place[line], k, x) for line, k, x in at), strict=True)
    matrix = csr_array((value, (row, column)), shape=(len(lines), columns))
    return LinearConstraint(matrix, np.array([least[line] for line in lines]), np.inf)


def _least_busy(graph: Graph, candidates: Iterable[int], peer: int) -> int:
    """Who of some is to be the other end: who has fewest edges, then the lowest id."""
    left = [k for k in candidates if not graph.has_edge(k, peer)]
    return min(left, key=lambda k: (graph.degree[k], k))


def _named(edges: Iterable[tuple[int, int]], directed: bool) -> tuple[tuple[int, int], ...]:
    return tuple(sorted(edge if directed else (min(edge), max(edge)) for edge in edges))
