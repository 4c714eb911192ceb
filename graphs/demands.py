"""What a benign peer's neighbourhood must have, so that its defense can hold."""

from collections.abc import Collection
from dataclasses import dataclass
from typing import Literal

from graphs.types import Graph, heard


@dataclass(frozen=True, slots=True, kw_only=True)
class Demand:
    """What a benign peer with b adversaries and h benign peers among its neighbours must have."""

    least: int
    """h + weight b >= least."""
    weight: Literal[-1, 1]
    """-1: the benign count against the adversaries; 1: all count."""
    most: int | None = None
    """b <= most, if given."""

    def lacks(self, benign: int, adversaries: int) -> int:
        """How many more benign neighbours it takes; 0: enough."""
        return max(0, self.least - benign - self.weight * adversaries)

    def holds(self, benign: int, adversaries: int) -> bool:
        """Whether such a neighbourhood is sound."""
        too_many = self.most is not None and adversaries > self.most
        return not too_many and self.lacks(benign, adversaries) == 0


MAJORITY = Demand(least=0, weight=-1)
"""Not dominated: b <= h."""


def rows(n: int, f: int) -> Demand:
    """At least n rows, the peer's own among them, of which at most f are of adversaries."""
    return Demand(least=n - 1, weight=1, most=f)


def unsound(graph: Graph, adversaries: Collection[int], demand: Demand) -> list[int]:
    """The benign peers for whom a demand does not hold, ascending."""
    counts = neighbour_counts(graph, frozenset(adversaries))
    return [peer for peer, count in counts.items() if not demand.holds(*count)]


def neighbour_counts(graph: Graph, hostile: frozenset[int]) -> dict[int, tuple[int, int]]:
    """Benign and adversarial neighbours of each benign peer, ascending."""
    neighbours = heard(graph)
    found = {}
    for peer in sorted(set(graph) - hostile):
        b = sum(other in hostile for other in neighbours[peer])
        found[peer] = (len(neighbours[peer]) - b, b)
    return found
