"""The processes of a run under the real clock: what they offer, and all of them in this one."""

import asyncio
import time
from collections.abc import Coroutine, Sequence
from threading import Thread
from typing import Any, Protocol, TypeVar

from actors.executor import Task
from actors.host import Host
from actors.real.clock import RealClock
from actors.real.desk import Desk
from actors.real.mail import Mail, Report, ShellSpec
from actors.real.shell import Shell
from actors.specs import Arrays, HostSpec, PeerSpec

T = TypeVar("T")


class Fleet(Protocol):
    """Processes with learners, and with the shells of these peers from ``begin`` on."""

    lost: dict[int, str]
    """Peers whose process died, and what is known of why."""

    def begin(self, shells: Sequence[ShellSpec]) -> None:
        """All peers start, at one moment."""
        ...

    def reports(self, wait_s: float) -> list[Report]:
        """How the peers stand after so many seconds; those that are left.

        Raises:
            RunError: If a peer's own code raised.
        """
        ...

    def lose(self, peer: int) -> None:
        """Tell the others that a peer's process died."""
        ...

    def ask(self, peer: int, task: Task, inputs: Sequence[object]) -> tuple[object, ...]:
        """Run a task at a peer's learner and wait for what it gives.

        Raises:
            PeerLost: If its process is gone.
            RunError: If it raised.
        """
        ...

    def close(self) -> None:
        """Let go of all processes and threads. May be called twice."""
        ...


class InlineFleet:
    """All in this process: an event loop in a thread, so that it lives on while the run is written
    down; and the desk's thread beside it."""

    def __init__(self, spec: HostSpec, peers: Sequence[PeerSpec], arrays: Arrays) -> None:
        """Make the learners."""
        self.lost: dict[int, str] = {}
        self._desk = Desk(lambda: Host(spec, peers, arrays))
        self._shells: dict[int, Shell] = {}
        self._lives: list[asyncio.Task[None]] = []
        self._loop = asyncio.new_event_loop()
        self._thread = Thread(target=self._loop.run_forever, name="shells", daemon=True)
        self._thread.start()
        try:
            self._desk.open()
        except BaseException:
            self.close()
            raise

    def begin(self, shells: Sequence[ShellSpec]) -> None:
        """Make the shells and have them live."""
        self._do(self._begin(shells, RealClock(time.time_ns())))

    async def _begin(self, shells: Sequence[ShellSpec], clock: RealClock) -> None:
        def post(destination: int, mail: Mail) -> None:
            self._shells[destination].take(mail)

        self._shells = {each.peer: Shell(each, self._desk, post, clock) for each in shells}
        self._lives = [asyncio.create_task(shell.live()) for shell in self._shells.values()]

    def reports(self, wait_s: float) -> list[Report]:
        """As they stand after that time."""
        time.sleep(wait_s)
        return self._do(self._reports())

    async def _reports(self) -> list[Report]:
        for life in self._lives:
            if life.done():
                life.result()
        return [shell.report() for shell in self._shells.values()]

    def lose(self, peer: int) -> None:
        """Nobody is lost alone."""

    def ask(self, peer: int, task: Task, inputs: Sequence[object]) -> tuple[object, ...]:
        """Run it in the desk's thread."""
        return self._do(self._desk.run(peer, task, inputs))

    def close(self) -> None:
        """Cancel all that is under way; but for what the desk computes now, which it ends."""
        if self._thread.is_alive():
            self._do(self._end())
            self._desk.close()
            self._loop.call_soon_threadsafe(self._loop.stop)
            self._thread.join()
            self._loop.close()

    async def _end(self) -> None:
        others = asyncio.all_tasks() - {asyncio.current_task()}
        for task in others:
            task.cancel()
        # Those too that failed beside the one that was told of.
        await asyncio.gather(*others, *self._lives, return_exceptions=True)

    def _do(self, what: Coroutine[Any, Any, T]) -> T:
        return asyncio.run_coroutine_threadsafe(what, self._loop).result()
