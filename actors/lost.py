"""What a process that died leaves behind: nothing, in every place where a result would be."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from actors.executor import Task


@dataclass(frozen=True, slots=True)
class Lost:
    """Stands for what a task would have given, had its actor's process not died."""


def without_lost(
    task: Task, inputs: Sequence[object]
) -> tuple[Task, Sequence[object], tuple[int, ...]]:
    """A merge without the messages that were lost.

    Returns:
        The task and its inputs without these, and whose they were. Where something that was
        prepared is lost, nothing prepared is left: the defense then prepares for itself.
    """
    messages, prepared = inputs[: len(task.senders)], inputs[len(task.senders) :]
    there = [k for k, message in enumerate(messages) if not isinstance(message, Lost)]
    missing = tuple(s for k, s in enumerate(task.senders) if k not in set(there))
    if not missing and not any(isinstance(artifact, Lost) for artifact in prepared):
        return task, inputs, ()
    rest = [prepared[k] for k in (*there, -1)] if prepared else []
    if any(isinstance(artifact, Lost) for artifact in rest):
        rest = []
    kept = replace(
        task,
        senders=tuple(task.senders[k] for k in there),
        claimed=tuple(task.claimed[k] for k in there),
    )
    return kept, [*(messages[k] for k in there), *rest], missing
