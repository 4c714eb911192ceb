"""The executor on Ray: one actor per client, or per few clients.

Vectors go from actor to actor through Ray's object store; this process sees references and small
summaries. Actors return results and never put: the driver owns what is returned, so that it
outlives the process that made it.
"""

import os
import pickle
from collections import deque
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any, Literal

import ray
from ray.exceptions import RayActorError, RayError

from actors.actor import PeerActor
from actors.executor import Outcome, Task
from actors.on_ray import fetch, name_of_group, places, start_ray
from actors.protocols.events import Handle
from actors.specs import Arrays, HostSpec, PeerSpec
from actors.together import Asked, Box, Queue
from actors.travel import Travel

IN_FLIGHT_PER_ACTOR = 8
"""Tasks submitted and not finished; enough to keep every actor busy, and a bound on memory."""


class RayExecutor:
    """Runs tasks in Ray actors. Starts Ray if nobody has, and then also ends it."""

    handle: type = Box

    def __init__(
        self,
        spec: HostSpec,
        peers: Sequence[PeerSpec],
        arrays: Arrays,
        groups: Sequence[Sequence[int]],
        folders: Sequence[Path] = (),
        stopping: Callable[[], bool] = lambda: False,
        silent: bool = True,
        gpus_per_actor: float | Literal["auto"] = "auto",
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
            gpus_per_actor: Share of a GPU for each, where the device is one.

        Raises:
            RunError: If an actor cannot start.
        """
        self.waits = 0
        self._stopping = stopping
        self._wanted = gpus_per_actor
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
        self._queues: list[Queue] = []
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
        self._new_actor: Any = ray.remote(PeerActor).options
        self._places = places(spec.device, len(groups), self._wanted)
        self._travel = Travel([place.node for place in self._places])
        self._groups = groups
        self._spec = spec
        self._peers = {peer.peer: peer for peer in peers}
        self._rest = (folders, ray.put(arrays), os.cpu_count() or 1)
        for k, group in enumerate(groups):
            self._actors.append(self._made(k))
            self._home.update(dict.fromkeys(group, k))
        if spec.batch:
            self._queues = [Queue(partial(self._run_together, k)) for k in range(len(groups))]
        self.restart()  # so a process that dies while it starts is replaced, as later ones are

    def _made(self, k: int) -> Any:
        """A new actor for a group."""
        options = {**self._places[k].options, "max_restarts": self._tries}
        actor = self._new_actor(**options).remote()
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
        for queue in self._queues:
            queue.clear()
        started = [self._started(k) for k in range(len(self._actors))]
        for k, pid in enumerate(started):
            try:
                ray.get(pid)
            except RayActorError:
                ray.kill(self._actors[k])
                self._actors[k] = self._made(k)
                started[k] = self._started(k)
            except RayError:
                break  # what a learner's own code raised, which is told below
        self.pids = self.fetch(list(map(Box, started)))

    def submit(self, peer: int, task: Task, inputs: Sequence[Handle]) -> Outcome:
        """Send the task to the peer's actor; waits while too many are in flight.

        A training that others may join is sent when it is needed.
        """
        home = self._home[peer]
        if self._queues:
            if task.kind == "train":
                return self._queues[home].add(peer, task)
            self._queues[home].before(peer)
        references = _references(inputs)
        self._travel.needed(home, (reference.binary() for reference in references))
        returned = self._send(home, "run", task.outputs + 1, peer, task, *references)
        *updates, summary = map(Box, returned)
        return Outcome(tuple(updates), summary)

    def _run_together(self, home: int, asked: Asked) -> list[list[object]]:
        returned = self._send(home, "run_together", 2 * len(asked), list(asked))
        return [returned[k : k + 2] for k in range(0, len(returned), 2)]

    def _send(self, home: int, method: str, count: int, *arguments: object) -> list[Any]:
        """Ask an actor for so many results; the last is what says that it is over."""
        while len(self._pending) >= self._most and not self._stopping():
            _, waiting = ray.wait(list(self._pending), num_returns=1, timeout=0.5)
            self._pending = deque(waiting)
        self._submitted[home] += 1
        actor = self._actors[home]
        call = actor.run if method == "run" else actor.run_together
        call = call.options(num_returns=count, max_task_retries=self._tries)
        returned = call.remote(self._submitted[home], *arguments)
        results = list(returned) if count > 1 else [returned]
        self._travel.made(home, (reference.binary() for reference in results))
        self._pending.append(results[-1])
        self.most_in_flight = max(self.most_in_flight, len(self._pending))
        return results

    def remarks(self) -> list[str]:
        """On a cluster: how many messages went from node to node."""
        return self._travel.remarks()

    def resolved(self, handles: Sequence[Handle], timeout_s: float) -> int:
        """Count the leading handles whose content is there."""
        references = _references(handles)
        ready, _ = ray.wait(references, num_returns=len(references), timeout=timeout_s)
        done = set(ready)
        return next((k for k, ref in enumerate(references) if ref not in done), len(references))

    def fetch(self, handles: Sequence[Handle]) -> list[object]:
        """Get the contents in one call."""
        return fetch(_references(handles), self._names)

    def hold(self, contents: Sequence[object]) -> list[Handle]:
        """Put each into the object store."""
        return [Box(ray.put(content)) for content in contents]

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


def _references(handles: Sequence[Handle]) -> list[Any]:
    boxes: Sequence[Any] = handles
    return [box.content for box in boxes]
