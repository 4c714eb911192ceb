"""What defenses make of a message alone: made once a message, shared by all its receivers."""

from collections import OrderedDict
from collections.abc import Sequence

from actors.executor import Executor, Task
from actors.protocols.events import Handle


class Prepared:
    """Remembers what was made of the last messages.

    A merge that needs messages that nobody has prepared yet has all of them prepared in one task,
    at its own peer. Which these are follows from the order of events alone.
    """

    def __init__(self, executor: Executor, most: int) -> None:
        """Start with nothing.

        Args:
            executor: Who computes.
            most: How many messages to remember; one that is older is prepared anew.
        """
        self._executor = executor
        self._most = most
        # By identity: a handle is never looked into. The message is kept, so that no other can
        # take its identity.
        self._made: OrderedDict[int, tuple[Handle, Handle]] = OrderedDict()

    def state(self) -> list[tuple[Handle, Handle]]:
        """The messages, and what was made of each, as handles."""
        return list(self._made.values())

    def restore(self, state: Sequence[tuple[Handle, Handle]]) -> None:
        """Remember these and no others."""
        self._made = OrderedDict((id(message), (message, made)) for message, made in state)

    def of(self, peer: int, round_: int, messages: Sequence[Handle]) -> list[Handle]:
        """What was made of each message, in order."""
        new = {id(message): message for message in messages if id(message) not in self._made}
        if new:
            task = Task("prepare", round_, outputs=len(new))
            outcome = self._executor.submit(peer, task, list(new.values()))
            for message, made in zip(new.values(), outcome.updates, strict=True):
                self._made[id(message)] = (message, made)
        found = [self._made[id(message)][1] for message in messages]
        while len(self._made) > max(self._most, len(messages)):
            self._made.popitem(last=False)
        return found
