"""The executor without Ray: everything in this process, at once, in the order of submission."""

from collections.abc import Sequence
from typing import Any

from actors.executor import Outcome, Task
from actors.host import Host
from actors.protocols.events import Handle
from actors.specs import Arrays, HostSpec, PeerSpec
from actors.together import Box, Queue


class InlineExecutor:
    """Computes a task when it is submitted."""

    handle: type = Box

    def __init__(self, spec: HostSpec, peers: Sequence[PeerSpec], arrays: Arrays) -> None:
        self.waits = 0
        self._made_of = (spec, peers, arrays)
        self._host = Host(spec, peers, arrays)
        self._queue = Queue(lambda asked: self._host.run_together(asked)) if spec.batch else None

    def submit(self, peer: int, task: Task, inputs: Sequence[Handle]) -> Outcome:
        """Run the task now; a training, if others may join it, when it is needed."""
        if self._queue is not None:
            if task.kind == "train":
                return self._queue.add(peer, task)
            self._queue.before(peer)
        results = self._host.run(peer, task, self.fetch(inputs))
        *updates, summary = map(Box, results)
        return Outcome(tuple(updates), summary)

    def resolved(self, handles: Sequence[Handle], timeout_s: float) -> int:
        """All of them."""
        return len(handles)

    def fetch(self, handles: Sequence[Handle]) -> list[object]:
        """What the handles hold."""
        boxes: Sequence[Any] = handles
        return [box.content for box in boxes]

    def hold(self, contents: Sequence[object]) -> list[Handle]:
        """A box for each."""
        return [Box(content) for content in contents]

    def restart(self) -> None:
        """Make the learners anew."""
        if self._queue is not None:
            self._queue.clear()
        self._host = Host(*self._made_of)

    def remarks(self) -> list[str]:
        """Nothing."""
        return []

    def close(self) -> None:
        """Nothing to let go of."""
