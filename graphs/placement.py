"""Which peers are adversaries: the placements that a scenario can name."""

from dataclasses import dataclass
from fractions import Fraction
from math import ceil
from typing import Literal, TypeAlias

import numpy as np

from graphs.central import (
    Betweenness,
    Bridges,
    Clustered,
    Degree,
    Eigenvector,
    KCore,
    Spread,
    Surround,
)
from graphs.domination import dominate
from graphs.types import Graph, Placed
from p2pfl.errors import TopologyError
from p2pfl.seeding import stream


@dataclass(frozen=True, slots=True, kw_only=True)
class Random:
    """Any peers, each set of the wanted size as likely as any other."""

    kind: Literal["random"] = "random"

    def choose(self, graph: Graph, rng: np.random.Generator, count: int | None) -> Placed:
        """Under the same seed, a smaller count gives a subset. O(n) for n peers.

        Raises:
            TopologyError: If no number is given.
        """
        if count is None:
            raise TopologyError("placement random needs count or fraction")
        order = rng.permutation(sorted(graph))
        return Placed(adversaries=tuple(sorted(order[:count].tolist())))


@dataclass(frozen=True, slots=True, kw_only=True)
class Nodes:
    """These peers."""

    nodes: tuple[int, ...]
    """Ids of peers, each once."""
    kind: Literal["nodes"] = "nodes"

    def __post_init__(self) -> None:
        if len(set(self.nodes)) < len(self.nodes) or any(node < 0 for node in self.nodes):
            raise ValueError(f"nodes must be ids >= 0, each once, got {list(self.nodes)}")

    def choose(self, graph: Graph, rng: np.random.Generator, count: int | None) -> Placed:
        """Draws nothing.

        Raises:
            TopologyError: If a number is given besides, or an id is no peer.
        """
        if count is not None:
            raise TopologyError(
                "placement nodes names the adversaries; leave out count and fraction"
            )
        if unknown := sorted(set(self.nodes) - set(graph)):
            raise TopologyError(
                f"placement nodes: the graph has peers 0 to {len(graph) - 1}, not {unknown}"
            )
        return Placed(adversaries=tuple(sorted(self.nodes)))


@dataclass(frozen=True, slots=True, kw_only=True)
class Dominate:
    """Few adversaries who outnumber the benign peers in many neighbourhoods.

    See :func:`graphs.domination.dominate`. A count or fraction is the most that it may take.
    """

    share: float
    """A neighbourhood is dominated if more than this share of it is adversarial; the peer itself is
    not counted. In [0, 1); 0.5 is a majority."""
    of: float
    """Share of the benign peers whose neighbourhoods are to be dominated, in (0, 1]."""
    kind: Literal["dominate"] = "dominate"

    def __post_init__(self) -> None:
        if not 0 <= self.share < 1:
            raise ValueError(f"share must be in [0, 1), got {self.share}")
        if not 0 < self.of <= 1:
            raise ValueError(f"of must be in (0, 1], got {self.of}")

    def choose(self, graph: Graph, rng: np.random.Generator, count: int | None) -> Placed:
        """Draws nothing. The note ``dominated_share`` is what came out, at least ``of``.

        Raises:
            TopologyError: If it cannot be reached with so many; says what can.
        """
        adversaries, reached = dominate(graph, self.share, self.of, count)
        return Placed(adversaries=adversaries, notes={"dominated_share": reached})


Placement: TypeAlias = (
    Random
    | Nodes
    | Degree
    | Betweenness
    | Eigenvector
    | KCore
    | Bridges
    | Spread
    | Clustered
    | Surround
    | Dominate
)
PLACEMENTS = (
    Random,
    Nodes,
    Degree,
    Betweenness,
    Eigenvector,
    KCore,
    Bridges,
    Spread,
    Clustered,
    Surround,
    Dominate,
)


def place(
    graph: Graph,
    placement: Placement,
    seed: int,
    count: int | None = None,
    fraction: float | None = None,
) -> Placed:
    """Choose the adversaries of a run, from the stream (seed, "placement").

    Args:
        graph: As :func:`graphs.topologies.build_graph` gives it.
        placement: One of ``PLACEMENTS``.
        seed: The run's seed.
        count: How many, for placements that leave it open; a limit for
            ``Dominate`` and ``Surround``.
        fraction: The same as a share of all peers, in [0, 1]: the nearest whole number, a half
            rounded down (0.25 of 10 peers is 2), reckoned in decimals as written.

    Raises:
        TopologyError: Both count and fraction; a number below 0 or that leaves no benign peer; or
            what the placement refuses.
    """
    limit = _count(len(graph), count, fraction)
    placed = placement.choose(graph, stream(seed, "placement"), limit)
    if len(placed.adversaries) >= len(graph):
        raise TopologyError(f"{len(placed.adversaries)} of {len(graph)} peers leave no benign peer")
    return placed


def _count(peers: int, count: int | None, fraction: float | None) -> int | None:
    if count is not None and fraction is not None:
        raise TopologyError(f"give count or fraction, not both: got {count} and {fraction}")
    if fraction is not None:
        if not 0 <= fraction <= 1:
            raise TopologyError(f"fraction must be in [0, 1], got {fraction}")
        count = ceil(Fraction(str(fraction)) * peers - Fraction(1, 2))
    if count is not None and not 0 <= count < peers:
        raise TopologyError(
            f"the adversaries must leave a benign peer: 0 to {peers - 1} of {peers} peers are "
            f"possible, got {count}"
        )
    return count
