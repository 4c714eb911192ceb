"""What the messages on a link draw, ahead in blocks: how late each is, and which are lost."""

from array import array

import numpy as np
import numpy.typing as npt

from graphs.drops import Bernoulli, Drop, GilbertElliott
from graphs.latencies import Constant, Drawn
from p2pfl.seeding import stream

LOST = -1
"""Stands for the latency of a message that is lost."""

FIRST_BLOCK = 64
LARGEST_BLOCK = 512
"""Larger ones save next to nothing, and a complete graph has many links."""

_LONGEST_NS = 2.0**53
"""104 days. Rarer draws are cut there, where floats still count nanoseconds."""


class Lane:
    """The draws of one kind of message on a link: first tries, tries again, or copies.

    What a message draws depends on its ordinal and not on the sizes of the blocks, provided that a
    latency's ``draw_ms`` takes from the generator value by value, as numpy's ``random`` and
    ``standard_normal`` do. Streams are made at the first draw.

    Cost
        A tenth of a microsecond for a message, and 20 to 40 for the first. Half a kilobyte to four
        of machine integers: Python's would take five times as much, and with many links memory is
        what takes time.
    """

    __slots__ = (
        "_ahead", "_drawn", "_drop", "_fixed_ns", "_latency", "_link", "_rngs", "_states",
        "_suffix",
    )  # fmt: skip

    def __init__(
        self, link: tuple[int, int, int], suffix: str, latency: Constant | Drawn, drop: Drop
    ) -> None:
        """Draw nothing yet.

        Args:
            link: The run's seed, source and destination.
            suffix: What the streams' names have behind ``latency`` and ``drop``.
            latency: How late they are.
            drop: Which are lost; of bursts, what decides that is drawn as well.
        """
        self._link = link
        self._suffix = suffix
        self._latency = latency
        self._drop = drop
        self._fixed_ns: int | None = None
        """The latency of all messages, where nothing is drawn."""
        if isinstance(drop, Bernoulli):
            if drop.p >= 1:
                self._fixed_ns = LOST
            elif drop.p <= 0 and isinstance(latency, Constant):
                self._fixed_ns = _constant_ns(latency)
        self._rngs: tuple[np.random.Generator, np.random.Generator] | None = None
        self._drawn = 0
        self._ahead = array("q")
        """Latencies that are drawn and not yet used, last first."""
        self._states = array("d")
        """The same of what decides about bursts: two numbers for each message."""

    def next(self) -> int:
        """The next message's latency in nanoseconds, or ``LOST``. Bursts lose others besides."""
        if not self._ahead:
            if self._fixed_ns is not None:
                return self._fixed_ns
            self._draw_ahead()
        return self._ahead.pop()

    def burst(self) -> tuple[float, float]:
        """Of the message that had the last latency: the uniform draws for the state of the link,
        and for the loss."""
        return self._states.pop(), self._states.pop()

    @property
    def ordinal(self) -> int:
        """How many messages have drawn; 0 where nothing is drawn."""
        return self._drawn - len(self._ahead)

    def skip_to(self, ordinal: int) -> None:
        """Go on where a lane was that gave this; this one has given nothing yet.

        Costs as much as drawing what lies between.
        """
        while self._drawn < ordinal:
            self._draw_ahead()
        left = self._drawn - ordinal
        del self._ahead[left:]
        del self._states[2 * left :]

    def _draw_ahead(self) -> None:
        if self._rngs is None:
            seed, source, destination = self._link
            self._rngs = (
                stream(seed, "latency" + self._suffix, source, destination),
                stream(seed, "drop" + self._suffix, source, destination),
            )
        of_latency, of_drop = self._rngs
        count = min(FIRST_BLOCK + self._drawn, LARGEST_BLOCK)  # twice as many each time
        latency, drop = self._latency, self._drop
        if isinstance(latency, Constant):
            ns = np.full(count, _constant_ns(latency))
        else:
            ns = _in_ns(latency.draw_ms(of_latency, count))
        if isinstance(drop, GilbertElliott):
            self._states = array("d", of_drop.random(2 * count)[::-1].tobytes())
        elif drop.p > 0:
            ns[of_drop.random(count) < drop.p] = LOST
        self._ahead = array("q", ns[::-1].tobytes())
        self._drawn += count


def _constant_ns(latency: Constant) -> int:
    return round(latency.ms * 1e6)


def _in_ns(ms: npt.NDArray[np.float64]) -> npt.NDArray[np.int64]:
    return np.rint(np.minimum(ms * 1e6, _LONGEST_NS)).astype(np.int64)
