"""The fleet on Ray: actors that call one another. The driver asks how they stand, and no more.

What a message carries goes from actor to actor: its sender puts it into the object store once for
all receivers. It is the sender's own then, and lost with it, as a real peer's would be.
"""

import asyncio
import os
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Literal

import ray

from actors.actor import unpacked
from actors.executor import Task
from actors.host import Host
from actors.on_ray import fetch, name_of_group, places, start_ray
from actors.protocols.events import Observed, Received
from actors.real.clock import RealClock
from actors.real.desk import Desk
from actors.real.mail import Ended, Mail, Report, ShellSpec
from actors.real.shell import Shell
from actors.slots import Slots
from actors.specs import Arrays, HostSpec, PeerSpec
from actors.transport import AtDownlink
from p2pfl.errors import PeerLost

BEGINS_AFTER_S = 0.2
"""How long after all are ready the run begins: time for the last to hear of it."""

cloudpickle: Any = ray.cloudpickle
"""What shells are made of includes functions, which pickle alone cannot send."""


class ShellActor:
    """A Ray actor with the learners and the shells of some peers, on one event loop."""

    def __init__(self) -> None:
        self._shells: dict[int, Shell] = {}
        self._homes: Mapping[int, Any] = {}
        self._lives: list[asyncio.Task[None]] = []
        self._put: tuple[object, Any] | None = None

    def start(self, blob: bytes, folders: Sequence[str], arrays: Arrays, slots: int) -> int:
        """Make the learners; returns the process id.

        Raises:
            RunError: If it cannot be done, such as when a user's variant raises.
        """
        spec, peers = unpacked(blob, folders)
        self._desk = Desk(lambda: Host(spec, peers, arrays), Slots(slots))
        self._desk.open()
        return os.getpid()

    async def meet(self, blob: bytes, homes: Mapping[int, Any]) -> None:
        """Take what the shells are made of, and the actors of all peers."""
        self._homes = homes
        self._specs = unpacked(blob, ())

    async def begin(self, begins_ns: int) -> None:
        """Have the shells live, from a time of day on."""
        clock = RealClock(begins_ns)
        for spec in self._specs:
            self._shells[spec.peer] = Shell(spec, self._desk, self._post, clock)
        self._lives = [asyncio.create_task(shell.live()) for shell in self._shells.values()]

    def _post(self, destination: int, mail: Mail) -> None:
        if destination in self._shells:
            self._shells[destination].take(mail)
            return
        home = self._homes[destination]
        if isinstance(mail.event, Ended):
            home.take.remote(destination, mail, None)
            return
        content = _content(mail.event)
        if self._put is None or self._put[0] is not content:
            self._put = (content, ray.put(content))
        home.take.remote(destination, mail._replace(event=_with(mail.event, None)), self._put[1])

    async def take(self, destination: int, mail: Mail, content: object) -> None:
        """Another actor's mail, with what it carries beside it: Ray brings that here first."""
        if not isinstance(mail.event, Ended):
            mail = mail._replace(event=_with(mail.event, content))
        if destination in self._shells:
            self._shells[destination].take(mail)

    async def reports(self) -> list[Report]:
        """How its peers stand. Raises RunError if one of them failed."""
        for life in self._lives:
            if life.done():
                life.result()
        return [shell.report() for shell in self._shells.values()]

    async def lose(self, peer: int) -> None:
        """Another peer's process died."""
        for shell in self._shells.values():
            shell.lose(peer)

    async def ask(self, peer: int, task: Task, *inputs: object) -> tuple[object, ...]:
        """Run a task at a learner."""
        return await self._desk.run(peer, task, inputs)


def _content(event: Received | AtDownlink | Observed) -> object:
    return event.handle if isinstance(event, Observed) else event.envelope.handle


def _with(
    event: Received | AtDownlink | Observed, content: object
) -> Received | AtDownlink | Observed:
    if isinstance(event, Observed):
        return event._replace(handle=content)
    return event._replace(envelope=event.envelope._replace(handle=content))


class RayFleet:
    """Starts Ray if nobody has, and then also ends it."""

    def __init__(
        self,
        spec: HostSpec,
        peers: Sequence[PeerSpec],
        arrays: Arrays,
        groups: Sequence[Sequence[int]],
        folders: Sequence[Path] = (),
        gpus_per_actor: float | Literal["auto"] = "auto",
    ) -> None:
        """Start the actors and wait until all are ready.

        Args:
            spec: What every process needs to know.
            peers: What is each peer's own.
            arrays: The data set; put into the object store once.
            groups: The peers of each actor.
            folders: Where users' own modules lie.
            gpus_per_actor: Share of a GPU for each, where the device is one.

        Raises:
            RunError: If an actor cannot start.
        """
        self.lost: dict[int, str] = {}
        self._groups = groups
        self._owns_ray = not ray.is_initialized()
        if self._owns_ray:
            start_ray()
        self._actors: list[Any] = []
        try:
            new: Any = ray.remote(ShellActor).options
            found = places(spec.device, len(groups), gpus_per_actor)
            self._actors = [new(**place.options).remote() for place in found]
            rest = ([str(f.resolve()) for f in folders], ray.put(arrays), os.cpu_count() or 1)
            blobs = [
                cloudpickle.dumps((spec, [peer for peer in peers if peer.peer in group]))
                for group in groups
            ]
            started = [a.start.remote(b, *rest) for a, b in zip(self._actors, blobs, strict=True)]
            self._names = {
                actor._actor_id.hex(): name_of_group(group)
                for actor, group in zip(self._actors, groups, strict=True)
            }
            self.pids = fetch(started, self._names)
        except BaseException:
            self.close()
            raise
        self._homes = {p: a for a, g in zip(self._actors, groups, strict=True) for p in g}

    def begin(self, shells: Sequence[ShellSpec]) -> None:
        """Tell all actors when it begins."""
        blobs = [cloudpickle.dumps([s for s in shells if s.peer in g]) for g in self._groups]
        met = [a.meet.remote(b, self._homes) for a, b in zip(self._actors, blobs, strict=True)]
        fetch(met, self._names)
        begins_ns = time.time_ns() + round(1e9 * BEGINS_AFTER_S)
        fetch([actor.begin.remote(begins_ns) for actor in self._actors], self._names)

    def reports(self, wait_s: float) -> list[Report]:
        """Ask all that are left. Whose actor does not answer any more is lost."""
        time.sleep(wait_s)
        asked = [
            (group, actor.reports.remote())
            for actor, group in zip(self._actors, self._groups, strict=True)
            if group[0] not in self.lost
        ]
        reports: list[Report] = []
        for group, reference in asked:
            try:
                reports += fetch([reference], self._names)[0]
            except PeerLost as error:
                self.lost.update(dict.fromkeys(group, str(error)))
        return reports

    def lose(self, peer: int) -> None:
        """Tell all that are left."""
        for actor, group in zip(self._actors, self._groups, strict=True):
            if group[0] not in self.lost:
                actor.lose.remote(peer)

    def ask(self, peer: int, task: Task, inputs: Sequence[object]) -> tuple[object, ...]:
        """Run it at the peer's actor."""
        asked = self._homes[peer].ask.remote(peer, task, *inputs)
        results: tuple[object, ...] = fetch([asked], self._names)[0]
        return results

    def close(self) -> None:
        """End the actors; and Ray, if it was started here."""
        if self._owns_ray:
            ray.shutdown()
            self._owns_ray = False
        else:
            for actor in self._actors:
                ray.kill(actor)
        self._actors = []
