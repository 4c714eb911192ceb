"""What one peer has to say for the record, in the order in which it happened."""

from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal, NamedTuple, TypeAlias

from actors.protocols.events import Envelope


class Late(NamedTuple):
    """How long something took, beside how long it was to take."""

    what: Literal["message", "work"]
    source: int
    destination: int
    """Of work: the peer itself, both."""
    round: int
    asked_ns: int
    took_ns: int


class Step(NamedTuple):
    """One step of one message; the envelope without its content."""

    what: str
    envelope: Envelope


class Fact(NamedTuple):
    """A line of the timeline, or a merge or an evaluation with what came of it."""

    event: str
    round: int
    data: Mapping[str, object] = {}
    results: tuple[object, ...] = ()
    sent_bytes: int = 0
    """What the peer had sent by then."""


class Entry(NamedTuple):
    """Something that happened to a peer."""

    now_ns: int
    peer: int
    what: Fact | Step | Late


@dataclass(slots=True, eq=False)
class Blank:
    """A place that is kept for what is still being computed."""

    now_ns: int
    fact: Fact
    entry: Entry | None = None


_Line: TypeAlias = Entry | Blank


@dataclass(slots=True)
class Journal:
    """Gives entries away in their order: what stands behind a blank waits for it."""

    peer: int
    _lines: deque[_Line] = field(default_factory=deque)

    def write(self, now_ns: int, what: Fact | Step | Late) -> None:
        """Something has happened."""
        self._lines.append(Entry(now_ns, self.peer, what))

    def message(self, now_ns: int, what: str, envelope: Envelope) -> None:
        """As the transport tells."""
        self.write(now_ns, Step(what, envelope._replace(handle=None)))

    def keep(self, now_ns: int, fact: Fact) -> Blank:
        """Keep a place for a fact whose results are not there yet."""
        blank = Blank(now_ns, fact)
        self._lines.append(blank)
        return blank

    def fill(self, blank: Blank, results: tuple[object, ...]) -> None:
        """They are there."""
        fact = blank.fact._replace(results=results)
        blank.entry = Entry(blank.now_ns, self.peer, fact)

    def take(self, now_ns: int) -> tuple[list[Entry], int]:
        """All up to the first blank, once; and until when nothing is missing."""
        taken: list[Entry] = []
        while self._lines:
            line = self._lines[0]
            entry = line.entry if isinstance(line, Blank) else line
            if entry is None:
                return taken, line.now_ns - 1
            taken.append(entry)
            self._lines.popleft()
        return taken, now_ns
