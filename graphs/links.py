"""Messages through the emulated network: when each arrives, and which do not.

A message of S bytes (with its header) goes from i to j in steps, each rounded once to whole
nanoseconds (half to even):

1. uplink of i: one FIFO for all messages of i. It starts at max(now, when the message before it is
   through) and lasts 8 S / rate. The rate is the edge's ``bandwidth_mbps`` if it sets one, else the
   peer's uplink; where there is neither, the message takes no time of its own, but still waits for
   those before it.
2. drop: with the edge's ``drop`` or else the network's. A dropped message has used the uplink. With
   ``retries`` it is put on the uplink again some time after it has left it.
3. latency: the edge's constant ``latency_ms``, or else drawn from the network's distribution. With
   ``fifo``, not before what was sent earlier on the same link.
4. downlink of j: one FIFO for all messages to j, as 1, in the order in which they reach it. An
   edge's ``bandwidth_mbps`` does not change it.

Draws come from the streams (seed, "latency", i, j) and (seed, "drop", i, j); the k-th message from
i to j takes the k-th value of each, dropped or not. So no other link, and no drop, moves a draw.
Retries and copies have streams of their own.
"""

from collections.abc import Mapping
from typing import Any

from graphs.drops import Bernoulli
from graphs.lane import LOST
from graphs.latencies import Constant, Drawn, Latency, Lognormal
from graphs.link import Lasts, Link
from graphs.network import Network
from graphs.sites import Matrix, Sites
from graphs.types import Graph
from p2pfl.errors import TopologyError

__all__ = ["Constant", "Links", "Lognormal", "Network"]


class Links:
    """All links of a run. Times are integer nanoseconds of virtual time.

    Who calls keeps the order: FIFOs serve messages in the order of the calls, so ``send`` and
    ``receive`` must each be called at times that never decrease.
    """

    has_downlink: bool
    """Whether downlinks take time. If not, a message is delivered when ``send`` says."""
    duplicates: bool
    """Whether ``copy`` may give anything."""

    def __init__(
        self, graph: Graph, network: Network, seed: int, sites: Sites | None = None
    ) -> None:
        """Lay the links, one for each direction of an edge: O(n + m) objects.

        Args:
            graph: As :func:`graphs.topologies.build_graph` gives it.
            network: For what the edges leave open.
            seed: The run's seed.
            sites: Where the peers are, if the latency is a ``Matrix``: as its ``read`` gives it.
        """
        up, down = network.up_mbps, network.down_mbps
        up = network.bandwidth_mbps if up is None else up
        down = network.bandwidth_mbps if down is None else down
        rates: dict[float, Lasts] = {}

        def at_rate(mbps: float | None) -> Lasts | None:
            return None if mbps is None else rates.setdefault(mbps, Lasts(mbps))

        self._down_lasts_ns = at_rate(down)
        self.has_downlink = down is not None
        self.duplicates = network.duplicate > 0
        self.holds = network.fifo and network.retries > 0
        self._fifo = network.fifo
        self._retries = network.retries
        self._retry_after_ns = round(network.retry_after_ms * 1e6)
        self._up_free_ns = dict.fromkeys(graph, 0)
        self._down_free_ns = dict.fromkeys(graph, 0)
        drop = network.drop
        drop = Bernoulli(p=drop) if isinstance(drop, float | int) else drop
        self._links = {
            i: {
                j: Link(
                    (seed, i, j),
                    _latency_of(i, j, edge, network.latency, sites),
                    Bernoulli(p=edge["drop"]) if "drop" in edge else drop,
                    at_rate(edge.get("bandwidth_mbps", up)),
                    network.duplicate,
                )
                for j, edge in graph.adj[i].items()
            }
            for i in graph
        }

    def send(
        self, source: int, destination: int, size_bytes: int, now_ns: int, again: bool = False
    ) -> int | None:
        """Send a message now, for the first time or ``again``.

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
        if link.lasts_ns is not None:
            at_ns += link.lasts_ns[size_bytes]
            self._up_free_ns[source] = at_ns
        after_ns = link.again_ns() if again else link.first_ns()
        if after_ns == LOST:
            return None
        at_ns += after_ns
        if self._fifo:
            at_ns = link.last_ns = max(at_ns, link.last_ns)
        return at_ns

    def retry_ns(self, source: int, tries: int, now_ns: int) -> int | None:
        """When a message that was just dropped is to be sent again; None: it is given up.

        To be asked right after ``send``, which has left the uplink as that message left it.
        ``tries`` counts how often it was sent.
        """
        if tries > self._retries:
            return None
        return max(now_ns, self._up_free_ns[source]) + self._retry_after_ns

    def copy(self, source: int, destination: int, now_ns: int, through: bool = True) -> int | None:
        """When a second copy of the message just sent reaches the downlink; None: there is none.

        A copy is made in the network: it leaves the uplink with its original. To be asked for every
        message, also for one that did not get ``through``, so that its draws move no other's.
        """
        link = self._links[source][destination]
        after_ns = link.copy_ns()
        if after_ns == LOST or not through:
            return None
        at_ns = max(now_ns, self._up_free_ns[source]) + after_ns
        if self._fifo:
            at_ns = link.last_ns = max(at_ns, link.last_ns)
        return at_ns

    def receive(self, destination: int, size_bytes: int, now_ns: int) -> int:
        """Take a message that reaches the downlink now. Returns when it is delivered."""
        if self._down_lasts_ns is None:
            return now_ns
        at_ns = self._down_free_ns[destination]
        if at_ns < now_ns:
            at_ns = now_ns
        at_ns += self._down_lasts_ns[size_bytes]
        self._down_free_ns[destination] = at_ns
        return at_ns

    def state(self) -> dict[str, Any]:
        """All that messages change, as plain data: free queues, and how far links have drawn."""
        return {
            "up_free_ns": dict(self._up_free_ns),
            "down_free_ns": dict(self._down_free_ns),
            "links": [
                (i, j, state)
                for i, links in self._links.items()
                for j, link in links.items()
                if any(state := link.state())
            ],
        }

    def restore(self, state: Mapping[str, Any]) -> None:
        """Take up what ``state`` gave, at links that were laid alike and carried nothing yet."""
        self._up_free_ns.update(state["up_free_ns"])
        self._down_free_ns.update(state["down_free_ns"])
        for i, j, link in state["links"]:
            self._links[i][j].restore(link)


def _latency_of(
    source: int, destination: int, edge: Mapping[str, Any], latency: Latency, sites: Sites | None
) -> Constant | Drawn:
    """The edge's own, or else the network's."""
    if "latency_ms" in edge:
        return Constant(ms=edge["latency_ms"])
    if not isinstance(latency, Matrix):
        return latency
    if sites is None:
        raise TopologyError("latency matrix: the links need its sites")
    median_ms = sites.between(source, destination)
    if latency.sigma and median_ms:
        return Lognormal(median_ms=median_ms, sigma=latency.sigma)
    return Constant(ms=median_ms)
