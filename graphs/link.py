"""One direction of an edge: what messages on it draw, and what they change."""

from typing import Any

from graphs.drops import Bernoulli, Drop, GilbertElliott
from graphs.lane import LOST, Lane
from graphs.latencies import Constant, Drawn


class Lasts(dict[int, int]):
    """How many nanoseconds a message of so many bytes takes at a rate; reckoned once a size."""

    def __init__(self, mbps: float) -> None:
        """At this rate."""
        super().__init__()
        self._mbps = mbps

    def __missing__(self, size_bytes: int) -> int:
        self[size_bytes] = ns = round(8000 * size_bytes / self._mbps)  # 8000 ns a byte at 1 Mbit/s
        return ns


class Link:
    """What one direction of an edge is like, and where its draws and its order have come to."""

    __slots__ = (
        "_again", "_bursts", "_copies", "_drop", "_duplicate", "_first", "_latency", "_name", "bad",
        "last_ns", "lasts_ns",
    )  # fmt: skip

    def __init__(
        self,
        name: tuple[int, int, int],
        latency: Constant | Drawn,
        drop: Drop,
        lasts_ns: Lasts | None,
        duplicate: float,
    ) -> None:
        """Lay it.

        Args:
            name: The run's seed, source and destination.
            latency: How late messages are.
            drop: Which are lost.
            lasts_ns: How long they take to leave the uplink; None: no time.
            duplicate: The probability of a copy.
        """
        self.lasts_ns = lasts_ns
        self._name = name
        self._latency = latency
        self._drop = drop
        self._duplicate = duplicate
        self._bursts = drop if isinstance(drop, GilbertElliott) else None
        self._first = Lane(name, "", latency, drop)
        self._again: Lane | None = None
        """For tries again. Made when the first is needed, as is the one for copies."""
        self._copies: Lane | None = None
        """For copies; what it drops are those that are not made."""
        self.last_ns = 0
        """When the last message reaches the downlink; of use where order is kept."""
        self.bad: bool | None = None
        """The state that the last message found, of a link that has states."""

    def first_ns(self) -> int:
        """How late the next first try is, or ``LOST``."""
        after_ns = self._first.next()
        return after_ns if self._bursts is None else self._through(self._first, after_ns)

    def again_ns(self) -> int:
        """How late the next try again is, or ``LOST``."""
        lane = self._again or self._lane_again()
        after_ns = lane.next()
        return after_ns if self._bursts is None else self._through(lane, after_ns)

    def copy_ns(self) -> int:
        """How late the copy of the next message is, or ``LOST`` if none is made."""
        return (self._copies or self._lane_of_copies()).next()

    def state(self) -> tuple[Any, ...]:
        """What messages have changed; all of it false on a link that carried none."""
        lanes = (self._first, self._again, self._copies)
        drawn = [lane.ordinal if lane else 0 for lane in lanes]
        return (*drawn, self.last_ns, self.bad)

    def restore(self, state: tuple[Any, ...]) -> None:
        """Take up what ``state`` gave."""
        first, again, copies, self.last_ns, self.bad = state
        self._first.skip_to(first)
        if again:
            self._lane_again().skip_to(again)
        if copies:
            self._lane_of_copies().skip_to(copies)

    def _through(self, lane: Lane, after_ns: int) -> int:
        """The same, or ``LOST``: as the state says that a message finds the link in."""
        assert self._bursts is not None
        for_state, for_loss = lane.burst()
        self.bad = self._bursts.bad_next(self.bad, for_state)
        lost = for_loss < (self._bursts.drop_bad if self.bad else self._bursts.drop_good)
        return LOST if lost else after_ns

    def _lane_again(self) -> Lane:
        self._again = Lane(self._name, "_again", self._latency, self._drop)
        return self._again

    def _lane_of_copies(self) -> Lane:
        drop = Bernoulli(p=1 - self._duplicate)
        self._copies = Lane(self._name, "_copy", self._latency, drop)
        return self._copies
