"""Messages through the emulated network: when each arrives, and which do not.

A message of S bytes (with its header) goes from i to j in steps, each rounded once to whole
nanoseconds (half to even):

1. uplink of i: one FIFO for all messages of i. It starts at max(now, when the message before it is
   through) and lasts 8 S / rate. The rate is the edge's ``bandwidth_mbps`` if it sets one, else the
   peer's uplink; where there is neither, the message takes no time of its own, but still waits for
   those before it.
2. drop: with the edge's ``drop`` or else the network's. A dropped message has used the uplink.
3. latency: the edge's constant ``latency_ms``, or else drawn from the network's distribution.
4. downlink of j: one FIFO for all messages to j, as 1, in the order in which they reach it. An
   edge's ``bandwidth_mbps`` does not change it.

Draws come from the streams (seed, "latency", i, j) and (seed, "drop", i, j); the k-th message from
i to j takes the k-th value of each, dropped or not. So no other link, and no drop, moves a draw.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

from graphs.draws import Draws
from graphs.latencies import LATENCIES, Constant, Latency, Lognormal
from graphs.types import Graph
from p2pfl.errors import TopologyError

__all__ = ["LATENCIES", "Constant", "Latency", "Links", "Lognormal", "Network"]

_LONGEST_NS = 2.0**53
"""104 days. Rarer draws are cut there, where floats still count nanoseconds."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Network:
    """What the links are like, where an edge does not say otherwise."""

    latency: Latency = field(default_factory=Constant)
    """From the end of the uplink to the beginning of the downlink."""
    bandwidth_mbps: float | None = None
    """Rate of each peer's uplink and downlink, in 10**6 bits per second, > 0; null: no limit."""
    up_mbps: float | None = None
    """The same for uplinks alone; goes before bandwidth_mbps."""
    down_mbps: float | None = None
    """The same for downlinks alone; goes before bandwidth_mbps."""
    drop: float = 0.0
    """Probability that a message is lost on the link, in [0, 1]."""

    def __post_init__(self) -> None:
        for name, mbps in (
            ("bandwidth_mbps", self.bandwidth_mbps),
            ("up_mbps", self.up_mbps),
            ("down_mbps", self.down_mbps),
        ):
            if mbps is not None and not 0 < mbps < float("inf"):
                raise ValueError(
                    f"{name} must be a finite number > 0, or null for no limit, got {mbps}"
                )
        if not 0 <= self.drop <= 1:
            raise ValueError(f"drop is a probability and must be in [0, 1], got {self.drop}")


class Links:
    """All links of a run. Times are integer nanoseconds of virtual time.

    Who calls keeps the order: FIFOs serve messages in the order of the calls, so ``send`` and
    ``receive`` must each be called at times that never decrease.
    """

    has_downlink: bool
    """Whether downlinks take time. If not, a message is delivered when ``send`` says."""

    def __init__(self, graph: Graph, network: Network, seed: int) -> None:
        """Lay the links, one for each direction of an edge: O(n + m) objects.

        Args:
            graph: As :func:`graphs.topologies.build_graph` gives it.
            network: For what the edges leave open.
            seed: The run's seed.
        """
        up, down = network.up_mbps, network.down_mbps
        up = network.bandwidth_mbps if up is None else up
        self._down_mbps = network.bandwidth_mbps if down is None else down
        self.has_downlink = self._down_mbps is not None
        self._up_free_ns = dict.fromkeys(graph, 0)
        self._down_free_ns = dict.fromkeys(graph, 0)
        self._links = {
            i: {j: _Link(i, j, edge, network, up, seed) for j, edge in graph.adj[i].items()}
            for i in graph
        }

    def send(self, source: int, destination: int, size_bytes: int, now_ns: int) -> int | None:
        """Send a message now.

        Returns:
            When it reaches the downlink of the destination; None if it is dropped.

        Raises:
            TopologyError: If no edge leads from source to destination.

        Cost:
            About a microsecond.
        """
        try:
            link = self._links[source][destination]
        except KeyError:
            raise TopologyError(f"no edge leads from peer {source} to peer {destination}") from None
        at_ns = self._up_free_ns[source]
        if at_ns < now_ns:
            at_ns = now_ns
        if link.mbps is not None:
            at_ns += round(8000 * size_bytes / link.mbps)  # 1 Mbit/s takes 8000 ns for a byte
            self._up_free_ns[source] = at_ns
        latency_ns = link.latency_ns if link.latencies is None else link.latencies.next()
        if link.dropped if link.drops is None else link.drops.next():
            return None
        return at_ns + latency_ns

    def state(self) -> dict[str, Any]:
        """All that messages change, as plain data: when queues are free, what was drawn."""
        return {
            "up_free_ns": dict(self._up_free_ns),
            "down_free_ns": dict(self._down_free_ns),
            "drawn": [
                (i, j, ordinals)
                for i, links in self._links.items()
                for j, link in links.items()
                if any(ordinals := link.ordinals())
            ],
        }

    def restore(self, state: Mapping[str, Any]) -> None:
        """Take up what ``state`` gave, at links that were laid alike and carried nothing yet."""
        self._up_free_ns.update(state["up_free_ns"])
        self._down_free_ns.update(state["down_free_ns"])
        for i, j, ordinals in state["drawn"]:
            self._links[i][j].skip_to(ordinals)

    def receive(self, destination: int, size_bytes: int, now_ns: int) -> int:
        """Take a message that reaches the downlink now. Returns when it is delivered."""
        if self._down_mbps is None:
            return now_ns
        at_ns = self._down_free_ns[destination]
        if at_ns < now_ns:
            at_ns = now_ns
        at_ns += round(8000 * size_bytes / self._down_mbps)
        self._down_free_ns[destination] = at_ns
        return at_ns


class _Link:
    """One direction of an edge: the network's settings where the edge has none of its own."""

    __slots__ = ("dropped", "drops", "latencies", "latency_ns", "mbps")

    def __init__(
        self,
        source: int,
        destination: int,
        edge: dict[str, Any],
        network: Network,
        up_mbps: float | None,
        seed: int,
    ) -> None:
        self.mbps: float | None = edge.get("bandwidth_mbps", up_mbps)
        latency = Constant(ms=edge["latency_ms"]) if "latency_ms" in edge else network.latency
        self.latency_ns = 0
        self.latencies: Draws[int] | None = None
        if isinstance(latency, Constant):
            self.latency_ns = round(latency.ms * 1e6)
        else:
            draw_ms = latency.draw_ms
            self.latencies = Draws(
                (seed, "latency", source, destination),
                lambda rng, count: _whole_ns(draw_ms(rng, count)),
            )
        drop: float = edge.get("drop", network.drop)
        self.dropped = drop >= 1
        self.drops: Draws[bool] | None = None
        if 0 < drop < 1:
            self.drops = Draws(
                (seed, "drop", source, destination),
                lambda rng, count: (rng.random(count) < drop).tolist(),
            )

    def ordinals(self) -> tuple[int, int]:
        """How many latencies and drops were drawn."""
        latencies = 0 if self.latencies is None else self.latencies.ordinal
        return latencies, 0 if self.drops is None else self.drops.ordinal

    def skip_to(self, ordinals: tuple[int, int]) -> None:
        for draws, ordinal in zip((self.latencies, self.drops), ordinals, strict=True):
            if draws is not None:
                draws.skip_to(ordinal)


def _whole_ns(ms: npt.NDArray[np.float64]) -> list[int]:
    whole: list[int] = np.rint(np.minimum(ms * 1e6, _LONGEST_NS)).astype(np.int64).tolist()
    return whole
