"""The seam between the engine, which orders, and what computes: in this process or on Ray.

The engine submits tasks in an order in which every input comes from an earlier task, so whoever
runs them one after the other per peer gives the same results.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, NamedTuple, Protocol

from actors.protocols.events import MERGES, Handle, Work
from p2pfl.learner.conduct import Stance


@dataclass(frozen=True, slots=True)
class Task:
    """One call of one peer's learner. Small; the vectors it needs travel beside it."""

    kind: Literal[
        "train", "offer", "craft", "prepare", "merge", "meet", "step", "instruct", "answer",
        "conclude", "evaluate", "consensus", "digest", "model", "renew", "save", "restore",
    ]  # fmt: skip
    round: int
    senders: tuple[int, ...] = ()
    """Whose updates the inputs are, in their order. Behind them may stand what was prepared. Of an
    ``instruct``: who is told."""
    claimed: tuple[int, ...] = ()
    """The rounds that those updates claim."""
    outputs: int = 0
    """How many updates, or prepared messages, come of it beside the summary."""
    stance: Stance | None = None
    """How the peer does this round; None: it does not matter."""
    members: tuple[int, ...] = ()
    """An adversary's coalition at present, ascending."""


def task_of(work: Work, crafts: int) -> Task:
    """The task that a protocol's work comes to, at a peer whose crafting gives so many updates."""
    assert work.kind != "rest"
    outputs = crafts if work.kind == "craft" else 0 if work.kind in MERGES else work.outputs
    senders = work.clients or tuple([parcel.sender for parcel in work.inputs])
    claimed = tuple([parcel.round for parcel in work.inputs])
    return Task(work.kind, work.round, senders, claimed, outputs, work.stance, work.members)


class Outcome(NamedTuple):
    """Handles to what a task returns: its updates, and one small summary."""

    updates: tuple[Handle, ...]
    summary: Handle


class Executor(Protocol):
    """Runs tasks at peers. One task at a time per peer, in the order of submission."""

    waits: int
    """How often a caller had to wait for content (not for room)."""
    handle: type
    """The type of its handles."""

    def submit(self, peer: int, task: Task, inputs: Sequence[Handle]) -> Outcome:
        """Start a task. May wait until earlier ones have made room.

        What a process that died would have given is ``actors.lost.Lost``.
        """
        ...

    def resolved(self, handles: Sequence[Handle], timeout_s: float) -> int:
        """How many of the leading handles have their content, after at most ``timeout_s``."""
        ...

    def fetch(self, handles: Sequence[Handle]) -> list[object]:
        """The contents, in order; waits for them.

        Raises:
            PeerLost: If a process that should have made one is gone, and cannot be replaced.
            RunError: If a task raised; the message names peer, task and error.
        """
        ...

    def hold(self, contents: Sequence[object]) -> list[Handle]:
        """Handles to what is at hand already, such as what a snapshot had."""
        ...

    def restart(self) -> None:
        """Forget all that was submitted and make the learners anew, as at the beginning.

        Processes that are gone are replaced.
        """
        ...

    def remarks(self) -> list[str]:
        """What the log should say of the run, such as what went between the nodes of a cluster."""
        ...

    def close(self) -> None:
        """Let go of all processes and memory. May be called twice."""
        ...
