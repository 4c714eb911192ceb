"""What is still to happen in a run, in the order of ``(time_ns, sequence)``."""

from collections.abc import Sequence
from heapq import heapify, heappop, heappush
from typing import Generic, TypeVar

T = TypeVar("T")

_TICK_BITS = 20
"""A tick is 2**20 ns, about a millisecond of virtual time. No order depends on it."""


class Agenda(Generic[T]):
    """One heap for the tick that is now, and for each later tick a list in no order.

    The order is that of one heap of all: a tick becomes a heap when all before it is over. But with
    thousands of messages under way to push is to append, and to pop sifts through dozens that the
    processor has at hand: a thousand peers of degree 8 exchange about a tenth more in a second.
    """

    __slots__ = ("_later", "_now_ends_ns", "_ticks", "due", "sequence")

    def __init__(self) -> None:
        """Start with nothing to happen."""
        self.due: list[tuple[int, int, int, T]] = []
        """The heap of the tick that is now: time, sequence, peer, event. Always the same list."""
        self.sequence = 0
        """How often something was pushed."""
        self._now_ends_ns = 0
        self._later: dict[int, list[tuple[int, int, int, T]]] = {}
        self._ticks: list[int] = []
        """The heap of the later ticks."""

    def push(self, at_ns: int, peer: int, event: T) -> int:
        """Have something happen at a peer, at a time. Returns its sequence."""
        self.sequence = sequence = self.sequence + 1
        self._put((at_ns, sequence, peer, event))
        return sequence

    def advance(self) -> bool:
        """Go to the next tick, when nothing is due any more; False if nothing is left at all."""
        if not self._ticks:
            return False
        tick = heappop(self._ticks)
        self._now_ends_ns = (tick + 1) << _TICK_BITS
        self.due.extend(self._later.pop(tick))
        heapify(self.due)
        return True

    def clear(self) -> None:
        """Have nothing happen any more."""
        self.due.clear()
        self._later.clear()
        self._ticks.clear()

    def state(self) -> tuple[int, list[tuple[int, int, int, T]]]:
        """All that is in it, as plain data."""
        later = [entry for tick in sorted(self._later) for entry in self._later[tick]]
        return self.sequence, [*self.due, *later]

    def restore(self, state: tuple[int, Sequence[tuple[int, int, int, T]]]) -> None:
        """Take up what ``state`` gave, in place of what is there."""
        self.clear()
        self.sequence, entries = state
        for entry in entries:
            self._put(entry)

    def _put(self, entry: tuple[int, int, int, T]) -> None:
        at_ns = entry[0]
        if at_ns < self._now_ends_ns:
            heappush(self.due, entry)
            return
        tick = at_ns >> _TICK_BITS
        if tick in self._later:
            self._later[tick].append(entry)
        else:
            self._later[tick] = [entry]
            heappush(self._ticks, tick)
