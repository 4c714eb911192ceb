"""One direction of an edge: what it draws for the messages on it."""

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

    __slots__ = ("dropped", "drops", "latencies", "latency_ns", "states")

    def __init__(
        self, name: tuple[int, int, int], suffix: str, latency: Constant | Drawn, drop: Drop
    ) -> None:
        seed, source, destination = name
        self.latency_ns = 0
        self.latencies: Draws[int] | None = None
        if isinstance(latency, Constant):
            self.latency_ns = round(latency.ms * 1e6)
        else:
            named = (seed, "latency" + suffix, source, destination)
            self.latencies = Draws(named, partial(_draw_ns, latency))
        self.dropped = False
        self.drops: Draws[bool] | None = None
        self.states: Draws[tuple[float, float]] | None = None
        named = (seed, "drop" + suffix, source, destination)
        if isinstance(drop, GilbertElliott):
            self.states = Draws(named, _draw_pairs)
        elif 0 < drop.p < 1:
            self.drops = Draws(named, partial(_draw_drops, drop.p))
        else:
            self.dropped = drop.p >= 1

    def draws(self) -> "tuple[Draws[Any] | None, ...]":
        """All that it draws."""
        return self.latencies, self.drops, self.states


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
        lane = self.copies()
        latency_ns = lane.latency_ns if lane.latencies is None else lane.latencies.next()
        if lane.dropped if lane.drops is None else lane.drops.next():
            return None
        return now_ns + latency_ns

    def lost(self, u: float, v: float) -> bool:
        """Whether a message is lost, from two uniform draws: for the state, and for the loss."""
        drop = self._made_of[2]
        assert isinstance(drop, GilbertElliott)
        self.bad = drop.bad_next(self.bad, u)
        return v < (drop.drop_bad if self.bad else drop.drop_good)

    def state(self) -> tuple[Any, ...]:
        """What messages have changed; all of it false on a link that carried none."""
        lanes = (self.first, self._again, self._copies)
        drawn = tuple(
            0 if draws is None else draws.ordinal
            for lane in lanes
            for draws in (lane.draws() if lane else (None, None, None))
        )
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
            for draws, ordinal in zip(lane.draws(), ordinals, strict=True) if lane else ():
                if draws is not None:
                    draws.skip_to(ordinal)


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
