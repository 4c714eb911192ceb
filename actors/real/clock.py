"""Real time, in nanoseconds since the run began, and waiting for it."""

import asyncio
import time
from typing import Protocol


class Clock(Protocol):
    """What a shell knows of time."""

    def now_ns(self) -> int:
        """Since the run began; never steps back."""
        ...

    async def wait(self, woken: asyncio.Event, until_ns: int | None) -> None:
        """Until that time, or until woken; None: until woken."""
        ...


class RealClock:
    """The machine's own.

    Processes agree on when the run began by the time of day, and count from there on a clock that
    is never set. So on one machine they agree to the microsecond; on several as well as their times
    of day do.
    """

    def __init__(self, begins_ns: int) -> None:
        """Set it, given the time of day (``time.time_ns``) at which the run begins."""
        self._begins_ns = begins_ns - (time.time_ns() - time.monotonic_ns())

    def now_ns(self) -> int:
        """Negative before the run begins."""
        return time.monotonic_ns() - self._begins_ns

    async def wait(self, woken: asyncio.Event, until_ns: int | None) -> None:
        """An event loop sleeps whole milliseconds, and rounds up."""
        seconds = None if until_ns is None else max(0, until_ns - self.now_ns()) / 1e9
        try:
            async with asyncio.timeout(seconds):
                await woken.wait()
        except TimeoutError:
            return
