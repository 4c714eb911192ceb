"""The graph type that this package hands around, and how to read a neighbourhood off it."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, TypeAlias

import networkx as nx

if TYPE_CHECKING:
    Graph: TypeAlias = nx.Graph[int, dict[str, Any], dict[str, Any]]
else:  # networkx's classes take type arguments in their stubs only
    Graph = nx.Graph


def heard(graph: Graph) -> Mapping[int, Mapping[int, Mapping[str, Any]]]:
    """``heard(graph)[j]`` is keyed by the peers whose messages reach j: its neighbourhood."""
    return graph.pred if isinstance(graph, nx.DiGraph) else graph.adj


@dataclass(frozen=True, slots=True, kw_only=True)
class Placed:
    """Who is an adversary, and how the choice came out."""

    adversaries: tuple[int, ...]
    """Ids, ascending."""
    notes: Mapping[str, float] = field(default_factory=dict)
    """What the placement reached, for the record."""
