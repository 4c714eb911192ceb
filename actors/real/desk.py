"""Where a process computes: one thread beside its event loop, so that its peers keep hearing."""

import asyncio
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, nullcontext
from dataclasses import replace
from typing import Protocol

from actors.executor import Task
from actors.host import Host


class Computes(Protocol):
    """What a shell asks for work."""

    async def run(
        self, peer: int, task: Task, inputs: Sequence[object], prepares: bool = False
    ) -> tuple[object, ...]:
        """Run one task behind all that was asked for before: its updates, then its summary."""
        ...


class Desk:
    """One thread with one host: the peers of a process take turns."""

    def __init__(
        self, make: Callable[[], Host], slots: AbstractContextManager[None] | None = None
    ) -> None:
        """Nothing is made yet.

        Args:
            make: Makes the host, in the thread, as how many threads a kernel takes is each
                thread's own.
            slots: Held while it computes.
        """
        self._make = make
        self._slots = slots or nullcontext()
        self._pool = ThreadPoolExecutor(1, "desk")
        self._host: Host | None = None

    def open(self) -> None:
        """Make the host. Raises what its making raises."""
        self._host = self._pool.submit(self._make).result()

    async def run(
        self, peer: int, task: Task, inputs: Sequence[object], prepares: bool = False
    ) -> tuple[object, ...]:
        """Run one task in the thread.

        Args:
            peer: At whose learner.
            task: What to do.
            inputs: The contents, not handles.
            prepares: First have all inputs prepared here. The last is the peer's own message.

        Raises:
            RunError: If the peer's own code raised.
        """
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(self._pool, self._run, peer, task, inputs, prepares)

    def _run(
        self, peer: int, task: Task, inputs: Sequence[object], prepares: bool
    ) -> tuple[object, ...]:
        assert self._host is not None
        with self._slots:
            if prepares:
                every = replace(task, kind="prepare", outputs=len(inputs))
                made = self._host.run(peer, every, inputs)[: len(inputs)]
                inputs = [*inputs[: len(task.senders)], *made]
            return self._host.run(peer, task, inputs)

    def close(self) -> None:
        """End the thread, when it is done with what it computes now."""
        self._pool.shutdown(cancel_futures=True)
