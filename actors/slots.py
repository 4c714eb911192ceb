"""No more learners computing at once on a node than it has cores.

Ten actors that time-slice two cores thrash their caches; ten that take turns do not. The turns
are record locks on one file per user and node, one byte a core: the kernel gives a lock back when
its process dies, however it dies, and runs side by side on one node share the cores as well.
"""

import fcntl
import os
import tempfile
from pathlib import Path
from time import monotonic, sleep
from types import TracebackType

_LOOK_EVERY_S, _LOOK_AT_LEAST_S = 0.0005, 0.005
_SHARE = 1 / 20
"""Of the time waited so far after which to look again: who waits long need not look often."""
_TURNSTILE = 0


class Slots:
    """A context manager: inside it, this process is one of at most ``count`` on this node."""

    def __init__(self, count: int) -> None:
        path = Path(tempfile.gettempdir()) / f"p2pfl-{os.getuid()}.slots"
        self._file = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        self._slots = range(_TURNSTILE + 1, _TURNSTILE + 1 + count)
        self._held: int | None = None

    def __enter__(self) -> None:
        # The kernel lets us wait for one lock, but not for whichever of several is free first:
        # and who waits for a certain slot leaves another one idle. So all wait for the turnstile,
        # and the one in it looks out for any slot.
        fcntl.lockf(self._file, fcntl.LOCK_EX, 1, _TURNSTILE)
        try:
            began = monotonic()
            while not self._take_one():
                pause_s = _SHARE * (monotonic() - began)
                sleep(min(max(pause_s, _LOOK_EVERY_S), _LOOK_AT_LEAST_S))
        finally:
            fcntl.lockf(self._file, fcntl.LOCK_UN, 1, _TURNSTILE)

    def _take_one(self) -> bool:
        for slot in self._slots:
            try:
                fcntl.lockf(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB, 1, slot)
            except (BlockingIOError, PermissionError):  # somebody else has it
                continue
            self._held = slot
            return True
        return False

    def __exit__(
        self,
        kind: type[BaseException] | None,
        value: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        assert self._held is not None
        fcntl.lockf(self._file, fcntl.LOCK_UN, 1, self._held)
        self._held = None
