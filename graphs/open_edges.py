"""Which edges of a topology that varies by time are closed, step by step."""

from collections.abc import Iterator
from pathlib import Path

from graphs.types import Graph
from graphs.varying import Varying


class OpenEdges:
    """The steps of one topology. A function of its arguments: what it remembers is a cache."""

    every_ns: int
    """How long a step stays."""

    def __init__(self, topology: Varying, graph: Graph, seed: int, folder: Path) -> None:
        """Make it.

        Args:
            topology: Varies by time.
            graph: What ``build_graph`` gave of it.
            seed: The run's seed.
            folder: Where relative paths are looked for.
        """
        assert topology.every_s is not None
        self.every_ns = max(1, round(1e9 * topology.every_s))
        self._made_of = (topology, graph, seed, folder)
        self._all = frozenset(_directed(graph))
        self._at = -1
        self._closed: tuple[tuple[int, int], ...] = ()
        self._graphs: Iterator[Graph] = iter(())

    def closed(self, step: int) -> tuple[tuple[int, int], ...]:
        """The directed edges that carry nothing in a step (from 0), ascending.

        Asked in order, each takes O(m); to go back begins anew.
        """
        if step < self._at or self._at < 0:
            topology, graph, seed, folder = self._made_of
            self._graphs, self._at = topology.graphs(graph, seed, folder), -1
        while self._at < step:
            open_now = next(self._graphs)
            self._at += 1
            if self._at == step:
                self._closed = tuple(sorted(self._all.difference(_directed(open_now))))
        return self._closed


def _directed(graph: Graph) -> Iterator[tuple[int, int]]:
    return ((i, j) for i in graph for j in graph.adj[i])
