"""A topology whose edges come and go as a list says."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np

from graphs.canonical import canonical
from graphs.checks import check_at_least
from graphs.fixed import Fixed
from graphs.parts import part
from graphs.types import Graph
from p2pfl.errors import TopologyError
from p2pfl.seeding import stream


@dataclass(frozen=True, slots=True, kw_only=True)
class EdgeChange:
    """Edges that come and go with a round: ``{at_round: 5, add: [[0, 3]], remove: [[0, 1]]}``."""

    at_round: int
    """From which round on, >= 2."""
    add: tuple[tuple[int, int], ...] = ()
    """Pairs of ids."""
    remove: tuple[tuple[int, int], ...] = ()
    """Pairs of ids."""

    def __post_init__(self) -> None:
        check_at_least("at_round", self.at_round, 2)


@dataclass(frozen=True, slots=True, kw_only=True)
class Schedule:
    """A graph whose edges come and go as a list says, by rounds. By time, events do the same."""

    of: Fixed
    """The graph of the first round."""
    changes: tuple[EdgeChange, ...]
    """In the order of their rounds."""
    kind: Literal["schedule"] = "schedule"

    def __post_init__(self) -> None:
        rounds = [change.at_round for change in self.changes]
        if rounds != sorted(rounds):
            raise ValueError(f"changes must be in the order of their rounds, got {rounds}")

    @property
    def every_rounds(self) -> int:
        """Each round may differ."""
        return 1

    @property
    def every_s(self) -> None:
        """Never by time."""
        return

    def build(self, rng: np.random.Generator, folder: Path) -> Graph:
        """The first graph, and all edges that are added.

        Raises:
            TopologyError: If an edge that is removed is not there, or one that is added is.
        """
        graph = canonical(self.of.build(rng, folder))
        union, now = graph.copy(), graph.copy()
        for change in self.changes:
            _apply(now, change)
            union.add_edges_from(edge for edge in change.add if not union.has_edge(*edge))
        return union

    def graphs(self, union: Graph, seed: int, folder: Path) -> Iterator[Graph]:
        """Round by round; the last stays."""
        now = canonical(self.of.build(stream(seed, "graph"), folder))
        left = list(self.changes)
        round_ = 1
        while True:
            while left and left[0].at_round == round_:
                _apply(now, left.pop(0))
            yield part(union, now.edges)
            round_ += 1


def _apply(graph: Graph, change: EdgeChange) -> None:
    where = f"schedule, at_round {change.at_round}"
    for i, j in change.remove:
        if not graph.has_edge(i, j):
            raise TopologyError(f"{where}: there is no edge [{i}, {j}] to remove")
        graph.remove_edge(i, j)
    for i, j in change.add:
        if i == j or i not in graph or j not in graph:
            raise TopologyError(f"{where}: peers 0 to {len(graph) - 1} cannot have [{i}, {j}]")
        if graph.has_edge(i, j):
            raise TopologyError(f"{where}: edge [{i}, {j}] is there already")
        graph.add_edge(i, j)
