"""One direction of an edge: what it draws for the messages on it."""

from collections.abc import Sequence
from functools import partial
from typing import Any

import numpy as np
import numpy.typing as npt

from graphs.draws import Draws
from graphs.drops import Bernoulli, Drop, GilbertElliott
from graphs.latencies import Constant, Drawn, Latency, Lognormal
from graphs.network import Network
from graphs.sites import Matrix, Sites
from p2pfl.errors import TopologyError

_LONGEST_NS = 2.0**53
"""104 days. Rarer draws are cut there, where floats still count nanoseconds."""


class Lane:
    """What one kind of message on a link draws: first tries, tries again, or copies."""

    __slots__ = ("_ahead", "_drops", "_fixed_ns", "_latencies", "states")

    def __init__(
        self, name: tuple[int, int, int], suffix: str, latency: Constant | Drawn, drop: Drop
    ) -> None:
        seed, source, destination = name
        self._fixed_ns: int | None = 0
        self._latencies: Draws[int] | None = None
        if isinstance(latency, Constant):
            self._fixed_ns = round(latency.ms * 1e6)
        else:
            named = (seed, "latency" + suffix, source, destination)
            self._latencies = Draws(named, partial(_draw_ns, latency))
        self._drops: Draws[bool] | None = None
        self.states: Draws[tuple[float, float]] | None = None
        """What ``Link.lost`` needs for each message, on a link that has states."""
        named = (seed, "drop" + suffix, source, destination)
        if isinstance(drop, GilbertElliott):
            self.states = Draws(named, _draw_pairs)
        elif 0 < drop.p < 1:
            self._drops = Draws(named, partial(_draw_drops, drop.p))
        elif drop.p >= 1:
            self._fixed_ns = None
        self._ahead: list[int | None] = []
        """What is drawn and not yet used, last first: one list to look into for each message."""

    def next(self) -> int | None:
        """The next message's latency; None: it is lost. A link's states lose others besides."""
        if self._ahead:
            return self._ahead.pop()
        latencies, drops, fixed_ns = self._latencies, self._drops, self._fixed_ns
        if drops is None:
            if latencies is None:
                return fixed_ns
            block: list[int] = latencies.block()
            self._ahead = [fixed_ns if fixed_ns is None else ns for ns in block]
        elif latencies is None:
            self._ahead = [None if lost else fixed_ns for lost in drops.block()]
        else:
            both = zip(drops.block(), latencies.block(), strict=True)
            self._ahead = [None if lost else ns for lost, ns in both]
        return self._ahead.pop()

    def ordinals(self) -> tuple[int, int, int]:
        """How many latencies, drops and states were used."""
        ahead = len(self._ahead)
        latencies, drops, states = self._latencies, self._drops, self.states
        return (
            0 if latencies is None else latencies.ordinal - ahead,
            0 if drops is None else drops.ordinal - ahead,
            0 if states is None else states.ordinal,
        )

    def skip_to(self, ordinals: Sequence[int]) -> None:
        """Go on where a lane was that gave these; this one has given nothing yet."""
        draws: tuple[Draws[Any] | None, ...] = (self._latencies, self._drops, self.states)
        for each, ordinal in zip(draws, ordinals, strict=True):
            if each is not None:
                each.skip_to(ordinal)


class Link:
    """One direction of an edge: the network's settings where the edge has none of its own."""

    __slots__ = ("_again", "_copies", "_duplicate", "_made_of", "bad", "first", "last_ns", "mbps")

    def __init__(
        self,
        source: int,
        destination: int,
        edge: dict[str, Any],
        network: Network,
        up_mbps: float | None,
        seed: int,
        sites: Sites | None,
    ) -> None:
        self.mbps: float | None = edge.get("bandwidth_mbps", up_mbps)
        latency = _latency(source, destination, edge, network.latency, sites)
        drop = Bernoulli(p=edge["drop"]) if "drop" in edge else network.drop
        if not isinstance(drop, Bernoulli | GilbertElliott):
            drop = Bernoulli(p=drop)
        self._made_of = ((seed, source, destination), latency, drop)
        self._duplicate = network.duplicate
        self.first = Lane(self._made_of[0], "", latency, drop)
        self._again: Lane | None = None
        self._copies: Lane | None = None
        self.last_ns = 0
        """When the last message reaches the downlink; of use where order is kept."""
        self.bad: bool | None = None
        """The state that the last message found, of a link that has states."""

    def again(self) -> Lane:
        """For tries again. Made when the first is needed, as is the one for copies."""
        if self._again is None:
            name, latency, drop = self._made_of
            self._again = Lane(name, "_again", latency, drop)
        return self._again

    def copies(self) -> Lane:
        """For copies; what it drops are those that are not made."""
        if self._copies is None:
            name, latency, _ = self._made_of
            self._copies = Lane(name, "_copy", latency, Bernoulli(p=1 - self._duplicate))
        return self._copies

    def copied(self, now_ns: int) -> int | None:
        """When a copy that is made now arrives, if one is made."""
        after_ns = self.copies().next()
        return None if after_ns is None else now_ns + after_ns

    def lost(self, u: float, v: float) -> bool:
        """Whether a message is lost, from two uniform draws: for the state, and for the loss."""
        drop = self._made_of[2]
        assert isinstance(drop, GilbertElliott)
        self.bad = drop.bad_next(self.bad, u)
        return v < (drop.drop_bad if self.bad else drop.drop_good)

    def state(self) -> tuple[Any, ...]:
        """What messages have changed; all of it false on a link that carried none."""
        lanes = (self.first, self._again, self._copies)
        drawn = [n for lane in lanes for n in (lane.ordinals() if lane else (0, 0, 0))]
        return (*drawn, self.last_ns, self.bad)

    def restore(self, state: tuple[Any, ...]) -> None:
        """Take up what ``state`` gave."""
        *drawn, self.last_ns, self.bad = state
        if any(drawn[3:6]):
            self.again()
        if any(drawn[6:]):
            self.copies()
        for lane, ordinals in zip(
            (self.first, self._again, self._copies), (drawn[:3], drawn[3:6], drawn[6:]), strict=True
        ):
            if lane is not None:
                lane.skip_to(ordinals)


def _latency(
    source: int, destination: int, edge: dict[str, Any], latency: Latency, sites: Sites | None
) -> Constant | Drawn:
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


def _draw_ns(latency: Drawn, rng: np.random.Generator, count: int) -> list[int]:
    ms: npt.NDArray[np.float64] = latency.draw_ms(rng, count)
    whole: list[int] = np.rint(np.minimum(ms * 1e6, _LONGEST_NS)).astype(np.int64).tolist()
    return whole


def _draw_drops(p: float, rng: np.random.Generator, count: int) -> list[bool]:
    drops: list[bool] = (rng.random(count) < p).tolist()
    return drops


def _draw_pairs(rng: np.random.Generator, count: int) -> list[tuple[float, float]]:
    return [(u, v) for u, v in rng.random((count, 2)).tolist()]
