"""What the engine tells whoever writes a run down, and what it counts."""

from collections.abc import Mapping
from dataclasses import astuple, dataclass
from operator import add
from typing import Protocol

from actors.executor import Outcome
from actors.protocols.events import Envelope, Handle


@dataclass(slots=True)
class EdgeCounts:
    """What became of the messages of one directed edge. Plain integers; the engine counts.

    sent counts first tries; those again are ``retried``, and their bytes are not in ``bytes``.
    arrived = accepted + late + rejected: the recorder learns from the merges what was rejected for
    its content, and what was accepted by merging it.
    """

    sent: int = 0
    arrived: int = 0
    dropped: int = 0
    late: int = 0
    rejected: int = 0
    bytes: int = 0
    accepted: int = 0
    duplicated: int = 0
    retried: int = 0

    @property
    def in_flight(self) -> int:
        """What was sent or duplicated and has neither arrived nor been dropped."""
        return self.sent + self.duplicated - self.arrived - self.dropped

    def plus(self, other: "EdgeCounts") -> "EdgeCounts":
        """The sums, of an edge whose two ends counted apart."""
        return EdgeCounts(*map(add, astuple(self), astuple(other)))


class MessageObserver(Protocol):
    """Who hears of messages."""

    def message(self, now_ns: int, what: str, envelope: Envelope) -> None:
        """A message was sent, dropped or arrived; called only if ``messages`` is set."""
        ...


class Observer(MessageObserver, Protocol):
    """Who writes down what happens. Called in the order of the run."""

    def note(
        self, now_ns: int, peer: int, event: str, round_: int, data: Mapping[str, object]
    ) -> None:
        """A line for the timeline."""
        ...

    def merged(self, now_ns: int, peer: int, round_: int, summary: Handle) -> None:
        """A merge was submitted; its summary will say what it decided."""
        ...

    def evaluated(
        self, now_ns: int, peer: int, round_: int, outcome: Outcome, sent_bytes: int
    ) -> None:
        """An evaluation was submitted; with the evaluated model, if these are kept.

        ``sent_bytes`` is what everybody has put on the links until now.
        """
        ...
