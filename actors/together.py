"""Trainings of the peers of one process that wait for one another, to be computed as one.

A training that is asked for is kept until somebody needs what comes of it, its peer is asked for
something else, or many have gathered. So which are computed together follows from the order of
events alone, and from how the peers are packed; and each peer's tasks stay in their order.
"""

from collections.abc import Callable, Sequence
from typing import TypeAlias

from actors.executor import Outcome, Task

MOST = 64
"""Trainings that are computed at once."""

Asked: TypeAlias = Sequence[tuple[int, Task]]


class Box:
    """A handle: it holds the content or what stands for it, perhaps from when it is looked into."""

    __slots__ = ("_content", "_queue")

    def __init__(self, content: object = None, queue: "Queue | None" = None) -> None:
        """With a queue, the content is what comes of a training in it."""
        self._content = content
        self._queue = queue

    @property
    def content(self) -> object:
        """What it holds; computes it now if it has waited for others."""
        if self._queue is not None:
            self._queue.flush()
        return self._content

    def fill(self, content: object) -> None:
        """It is there."""
        self._content, self._queue = content, None


class Queue:
    """The trainings that wait at one process."""

    def __init__(self, run: Callable[[Asked], Sequence[Sequence[object]]]) -> None:
        """Begin with none. ``run`` gives of each its update and its summary."""
        self._run = run
        self._waiting: dict[int, tuple[Task, Box, Box]] = {}

    def add(self, peer: int, task: Task) -> Outcome:
        """Keep one for later."""
        self.before(peer)
        update, summary = Box(queue=self), Box(queue=self)
        self._waiting[peer] = (task, update, summary)
        if len(self._waiting) == MOST:
            self.flush()
        return Outcome((update,), summary)

    def before(self, peer: int) -> None:
        """Another task of a peer comes: its training goes before."""
        if peer in self._waiting:
            self.flush()

    def flush(self) -> None:
        """Compute all that wait."""
        waiting, self._waiting = self._waiting, {}
        results = self._run([(peer, task) for peer, (task, _, _) in waiting.items()])
        for (_, *boxes), contents in zip(waiting.values(), results, strict=True):
            for box, content in zip(boxes, contents, strict=True):
                box.fill(content)

    def clear(self) -> None:
        """Forget them."""
        self._waiting.clear()
