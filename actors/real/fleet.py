"""The processes of a run under the real clock: what they offer, and all of them in this one."""

import asyncio
import time
from collections.abc import Sequence
from typing import Protocol

from actors.executor import Task
from actors.host import Host
from actors.real.clock import RealClock
from actors.real.desk import Desk
from actors.real.mail import Mail, Report, ShellSpec
from actors.real.shell import Shell
from actors.specs import Arrays, HostSpec, PeerSpec


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
    """All in this process: one event loop, which runs while ``reports`` waits, and one thread."""

    def __init__(self, spec: HostSpec, peers: Sequence[PeerSpec], arrays: Arrays) -> None:
        """Make the learners."""
        self.lost: dict[int, str] = {}
        self._runner = asyncio.Runner()
        self._desk = Desk(lambda: Host(spec, peers, arrays))
        self._shells: dict[int, Shell] = {}
        self._lives: list[asyncio.Task[None]] = []
        try:
            self._desk.open()
        except BaseException:
            self.close()
            raise

    def begin(self, shells: Sequence[ShellSpec]) -> None:
        """Make the shells and have them live."""
        clock = RealClock(time.time_ns())

        def post(destination: int, mail: Mail) -> None:
            self._shells[destination].take(mail)

        async def begin() -> None:
            self._shells = {each.peer: Shell(each, self._desk, post, clock) for each in shells}
            self._lives = [asyncio.create_task(s.live()) for s in self._shells.values()]

        self._runner.run(begin())

    def reports(self, wait_s: float) -> list[Report]:
        """Let them live for so long."""
        self._runner.run(self._until_one_fails(wait_s))
        return [shell.report() for shell in self._shells.values()]

    async def _until_one_fails(self, wait_s: float) -> None:
        failed, _ = await asyncio.wait(
            self._lives, timeout=wait_s, return_when=asyncio.FIRST_COMPLETED
        )
        for life in failed:
            life.result()

    def lose(self, peer: int) -> None:
        """Nobody is lost alone."""

    def ask(self, peer: int, task: Task, inputs: Sequence[object]) -> tuple[object, ...]:
        """Run it in the thread; the shells live meanwhile."""
        return self._runner.run(self._desk.run(peer, task, inputs))

    def close(self) -> None:
        """Cancel all that is under way; but for what the thread computes now, which it ends."""
        self._desk.close()
        self._runner.close()
