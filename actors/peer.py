"""The executor on Ray: one actor per client, or per few clients.

Vectors go from actor to actor through Ray's object store; this process sees references and small
summaries. Actors return results and never put: the driver owns what is returned, so that it
outlives the process that made it.
"""

import logging
import os
import pickle
import signal
import sys
import threading
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import ray
from ray.exceptions import (
    GetTimeoutError,
    ObjectLostError,
    OutOfMemoryError,
    RayActorError,
    RayError,
    RayTaskError,
)

from actors.executor import Outcome, Task
from actors.failure import failure
from actors.host import Host
from actors.lost import Lost
from actors.protocols.events import Handle
from actors.resources import gpu_share
from actors.slots import Slots
from actors.specs import Arrays, HostSpec, PeerSpec
from p2pfl.errors import PeerLost, RunError

IN_FLIGHT_PER_ACTOR = 8
"""Tasks submitted and not finished; enough to keep every actor busy, and a bound on memory."""


class PeerActor:
    """A Ray actor holding the learners of some peers.

    If its process dies, Ray starts another in its place, which holds nobody and never starts: it
    answers every task with ``Lost``, those that were under way too. So those who wait for a result
    of it get on; Ray may take half a minute until its queue is in order again.
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
        if number <= self._done:
            raise RunError(f"task {number} of an actor came behind its task {self._done}")
        self._done = number
        with self._slots:
            results = self._host.run(peer, task, inputs)
        return results if len(results) > 1 else results[0]


class RayExecutor:
    """Runs tasks in Ray actors. Starts Ray if nobody has, and then also ends it."""

    handle: type = ray.ObjectRef

    def __init__(
        self,
        spec: HostSpec,
        peers: Sequence[PeerSpec],
        arrays: Arrays,
        groups: Sequence[Sequence[int]],
        folders: Sequence[Path] = (),
        stopping: Callable[[], bool] = lambda: False,
        silent: bool = True,
    ) -> None:
        """Start the actors and wait until all are ready.

        Args:
            spec: What every process needs to know.
            peers: What is each peer's own.
            arrays: The data set; put into the object store once.
            groups: The peers of each actor.
            folders: Where users' own modules lie.
            stopping: Asked while it waits for room.
            silent: Whether a process that died gives ``Lost`` from then on. If not, to fetch
                something of it raises PeerLost, and ``restart`` replaces it.

        Raises:
            RunError: If an actor cannot start.
        """
        self.waits = 0
        self._stopping = stopping
        self._tries = -1 if silent else 0
        self._pending: deque[Any] = deque()
        self._most = IN_FLIGHT_PER_ACTOR * len(groups)
        self.most_in_flight = 0
        self._owns_ray = not ray.is_initialized()
        if self._owns_ray:
            start_ray()
        self._actors: list[Any] = []
        self._submitted = [0] * len(groups)
        self._home: dict[int, int] = {}
        self._names: dict[str, str] = {}
        try:
            self._start(spec, peers, arrays, groups, [str(f.resolve()) for f in folders])
        except BaseException:
            self.close()
            raise

    def _start(
        self,
        spec: HostSpec,
        peers: Sequence[PeerSpec],
        arrays: Arrays,
        groups: Sequence[Sequence[int]],
        folders: Sequence[str],
    ) -> None:
        placed = place(spec.device, len(groups)) | {"max_restarts": self._tries}
        self._new_actor: Any = ray.remote(PeerActor).options(**placed).remote
        self._groups = groups
        self._spec = spec
        self._peers = {peer.peer: peer for peer in peers}
        self._rest = (folders, ray.put(arrays), os.cpu_count() or 1)
        for k, group in enumerate(groups):
            self._actors.append(self._named(self._new_actor(), k))
            self._home.update(dict.fromkeys(group, k))
        self.pids = self.fetch([self._started(k) for k in range(len(groups))])

    def _named(self, actor: Any, k: int) -> Any:
        self._names[actor._actor_id.hex()] = name_of_group(self._groups[k])
        return actor

    def _started(self, k: int) -> Any:
        blob = pickle.dumps((self._spec, [self._peers[peer] for peer in self._groups[k]]))
        return self._actors[k].start.remote(blob, *self._rest)

    def restart(self) -> None:
        """Make the learners anew, behind what their processes still have to do.

        Processes that are gone are replaced. Raises PeerLost if another one goes meanwhile.
        """
        self._pending.clear()
        started = [self._started(k) for k in range(len(self._actors))]
        for k, pid in enumerate(started):
            try:
                ray.get(pid)
            except RayActorError:
                ray.kill(self._actors[k])
                self._actors[k] = self._named(self._new_actor(), k)
                started[k] = self._started(k)
        self.pids = self.fetch(started)

    def submit(self, peer: int, task: Task, inputs: Sequence[Handle]) -> Outcome:
        """Send the task to the peer's actor; waits while too many are in flight."""
        while len(self._pending) >= self._most and not self._stopping():
            _, waiting = ray.wait(list(self._pending), num_returns=1, timeout=0.5)
            self._pending = deque(waiting)
        home = self._home[peer]
        actor = self._actors[home]
        self._submitted[home] += 1
        run = actor.run.options(num_returns=task.outputs + 1, max_task_retries=self._tries)
        returned = run.remote(self._submitted[home], peer, task, *inputs)
        *updates, summary = returned if task.outputs else (returned,)
        self._pending.append(summary)
        self.most_in_flight = max(self.most_in_flight, len(self._pending))
        return Outcome(tuple(updates), summary)

    def resolved(self, handles: Sequence[Handle], timeout_s: float) -> int:
        """Count the leading handles whose content is there."""
        references: list[Any] = list(handles)
        ready, _ = ray.wait(references, num_returns=len(references), timeout=timeout_s)
        done = set(ready)
        return next((k for k, ref in enumerate(references) if ref not in done), len(references))

    def fetch(self, handles: Sequence[Handle]) -> list[object]:
        """Get the contents in one call."""
        return fetch(handles, self._names)

    def hold(self, contents: Sequence[object]) -> list[Handle]:
        """Put each into the object store."""
        return [ray.put(content) for content in contents]

    def close(self) -> None:
        """End the actors; and Ray, if it was started here."""
        if self._owns_ray:
            # Its actors go with it. To kill them first would have Ray say on standard output, of
            # each task under way, that it will be tried again.
            ray.shutdown()
            self._owns_ray = False  # whoever starts Ray after this keeps it
        else:
            for actor in self._actors:
                ray.kill(actor)
        self._actors = []
        self._pending.clear()


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


def place(device: str, actors: int) -> dict[str, Any]:
    """What so many actors ask Ray for.

    Spread over the nodes of a cluster, which they would not be as they ask for no core.
    """
    gpus = 0.0
    if device == "cuda":
        resources = ray.cluster_resources()  # type: ignore[no-untyped-call]
        gpus = gpu_share(actors, int(resources.get("GPU", 0)))
    return {"num_cpus": 0, "num_gpus": gpus, "scheduling_strategy": "SPREAD"}


def name_of_group(group: Sequence[int]) -> str:
    """What messages call the actor of these peers."""
    return f"peer {group[0]}" if len(group) == 1 else f"peers {group[0]} to {group[-1]}"


def fetch(references: Sequence[Any], names: Mapping[str, str]) -> list[Any]:
    """Get the contents in one call.

    Args:
        references: Ray's.
        names: What messages call each actor, by its id.

    Raises:
        PeerLost: If a process that should have made one is gone.
        RunError: If a task raised, or Ray failed.
    """
    try:
        return list(ray.get(list(references)))
    except RayActorError as error:
        lost = names.get(str(error.actor_id), "a peer")
        # Whose task needed something of a lost actor wraps that actor's error.
        why = error.cause if isinstance(error, RayTaskError) else error
        raise PeerLost(f"{lost}: the actor's process is gone ({_first_line(why)})") from error
    except ObjectLostError as error:  # with its node; may be wrapped as an actor's may
        raise PeerLost(f"what a peer made is lost ({_first_line(error)})") from error
    except RayTaskError as error:
        if isinstance(error.cause, RunError):
            raise RunError(str(error.cause)) from error
        raise RunError(f"an actor failed: {_first_line(error.cause)}") from error
    except OutOfMemoryError as error:
        raise PeerLost(f"out of memory: {_first_line(error)}") from error
    except (RayError, GetTimeoutError) as error:
        raise RunError(f"Ray failed: {_first_line(error)}") from error


def _first_line(error: BaseException) -> str:
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return lines[0] if lines else type(error).__name__


def start_ray() -> None:
    """Start Ray on this machine, or join the cluster that RAY_ADDRESS names."""
    os.environ.setdefault("RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO", "0")
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
    on_terminate = signal.getsignal(signal.SIGTERM)
    ray.init(include_dashboard=False, log_to_driver=False, logging_level=logging.ERROR)
    if threading.current_thread() is threading.main_thread():
        # Ray's own handler leaves on the spot; a run that is told to end writes down what it has.
        signal.signal(signal.SIGTERM, on_terminate)
