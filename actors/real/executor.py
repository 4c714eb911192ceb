"""A fleet as an executor: for what is asked for from outside, such as the final models."""

from collections.abc import Sequence

from actors.executor import Outcome, Task
from actors.lost import Lost
from actors.protocols.events import Handle
from actors.real.fleet import Fleet
from actors.together import Box
from p2pfl.errors import RunError


class FleetExecutor:
    """Waits for what it submits; its handles hold the content."""

    handle: type = Box

    def __init__(self, fleet: Fleet) -> None:
        self.waits = 0
        self.fleet = fleet

    def submit(self, peer: int, task: Task, inputs: Sequence[Handle]) -> Outcome:
        """Run the task at the peer's learner."""
        if peer in self.fleet.lost:
            return Outcome((Box(Lost()),) * task.outputs, Box(Lost()))
        *updates, summary = map(Box, self.fleet.ask(peer, task, self.fetch(inputs)))
        return Outcome(tuple(updates), summary)

    def resolved(self, handles: Sequence[Handle], timeout_s: float) -> int:
        """All of them."""
        return len(handles)

    def fetch(self, handles: Sequence[Handle]) -> list[object]:
        """What the handles hold."""
        return [handle.content for handle in handles if isinstance(handle, Box)]

    def hold(self, contents: Sequence[object]) -> list[Handle]:
        """A box for each."""
        return [Box(content) for content in contents]

    def restart(self) -> None:
        """Real time cannot be gone back to."""
        raise RunError("clock: real: a run cannot be rolled back")

    def remarks(self) -> list[str]:
        """Nothing."""
        return []

    def close(self) -> None:
        """End the fleet."""
        self.fleet.close()
