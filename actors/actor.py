"""What runs in an actor's process: the learners of some peers, and their tasks one by one."""

import os
import pickle
import sys
from collections.abc import Sequence
from typing import Any

from actors.executor import Task
from actors.failure import failure
from actors.host import Host
from actors.lost import Lost
from actors.slots import Slots
from actors.specs import Arrays
from p2pfl.errors import RunError


class PeerActor:
    """A Ray actor holding the learners of some peers.

    If its process dies, Ray starts another in its place, which holds nobody and never starts: it
    answers every task with ``Lost``, those that were under way too. So those who wait for a result
    of it get on; Ray takes some seconds until its queue is in order again.
    """

    def __init__(self) -> None:
        self._host: Host | None = None
        self._done = 0

    def start(self, blob: bytes, folders: Sequence[str], arrays: Arrays, slots: int) -> int:
        """Build the learners; returns the process id. A task, so that its errors come back whole.

        Raises:
            RunError: If it cannot be done, such as when a user's variant raises.
        """
        spec, peers = unpacked(blob, folders)
        self._host = Host(spec, peers, arrays)
        self._slots = Slots(slots)
        return os.getpid()

    def run(self, number: int, peer: int, task: Task, *inputs: object) -> object:
        """Run one task while holding one of the node's slots.

        Raises:
            RunError: If it, or one behind it, was run already: what Ray tries again must not run
                twice.
        """
        if self._host is None:
            return Lost() if not task.outputs else (Lost(),) * (task.outputs + 1)
        self._once(number)
        with self._slots:
            results = self._host.run(peer, task, inputs)
        return results if len(results) > 1 else results[0]

    def run_together(self, number: int, asked: Sequence[tuple[int, Task]]) -> tuple[object, ...]:
        """Run local trainings of several peers at once: of each its update, then its summary.

        Raises:
            RunError: As ``run`` does.
        """
        if self._host is None:
            return (Lost(),) * (2 * len(asked))
        self._once(number)
        with self._slots:
            results = self._host.run_together(asked)
        return tuple(content for each in results for content in each)

    def _once(self, number: int) -> None:
        if number <= self._done:
            raise RunError(f"task {number} of an actor came behind its task {self._done}")
        self._done = number


def unpacked(blob: bytes, folders: Sequence[str]) -> Any:
    """What the driver sent.

    Users' own variants are found beside their scenario file, here as in the driver; so nothing of
    theirs may be unpickled before the path is set.

    Raises:
        RunError: If it cannot be read, such as when a user's module fails.
    """
    sys.path[:0] = [folder for folder in folders if folder not in sys.path]
    try:
        return pickle.loads(blob)
    except Exception as error:
        raise failure("an actor cannot start", error) from error
