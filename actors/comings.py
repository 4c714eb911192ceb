"""What befalls peers and links in the course of a run, carried out: who is told, who is woken."""

from collections.abc import Callable, Collection, Mapping, Sequence
from typing import NamedTuple, Protocol

from actors.presence import Presence
from actors.protocols.events import (
    Away,
    Event,
    Observed,
    Returned,
    Started,
    TimerFired,
    Turned,
    WorkDone,
)
from graphs.availability import CHURN, Timeline
from graphs.events import TURNS, Change
from graphs.open_edges import OpenEdges

NOBODY = -1
"""The peer of a line of the timeline that concerns none alone."""


class Toggle(NamedTuple):
    """A peer's session, or its time down, is over."""

    peer: int
    ordinal: int


class Step(NamedTuple):
    """A graph that varies by time takes its next step."""

    number: int


class Happens(NamedTuple):
    """Something that befalls peers or links."""

    what: Change | Toggle | Step


class Moment(NamedTuple):
    """How things stand: the engine's own, handed over for as long as a call lasts."""

    now_ns: int
    presence: Presence
    finished: Collection[int]


class Push(Protocol):
    """Puts something on the engine's agenda; gives its sequence."""

    def __call__(self, at_ns: int, peer: int, event: Event | Happens) -> int:
        """For a peer, at a time."""
        ...


class Note(Protocol):
    """Writes a line of the timeline."""

    def __call__(
        self, now_ns: int, peer: int, event: str, round_: int, data: Mapping[str, object]
    ) -> None:
        """As the observer's."""
        ...


class Comings:
    """Changes a run's presence, and tells those whom it concerns. Has no state of its own."""

    def __init__(
        self,
        timeline: Timeline,
        open_edges: OpenEdges | None,
        neighbours: Mapping[int, Sequence[int]],
        push: Push,
        note: Note,
        renew: Callable[[int, int], None],
    ) -> None:
        """Put it beside an engine.

        Args:
            timeline: Who comes and goes, and which links open and close.
            open_edges: Which links are open in which step of a graph that varies by time.
            neighbours: To whom each peer sends.
            push: The engine's agenda's.
            note: The observer's.
            renew: Makes a peer's learner anew, as of a round.
        """
        self._timeline = timeline
        self._open_edges = open_edges
        self._neighbours = neighbours
        self._push = push
        self._note = note
        self._renew = renew
        self._edges = sum(map(len, neighbours.values()))

    def begin(self, at: Moment) -> None:
        """Before anybody starts: all that is known beforehand."""
        for at_ns, change in self._timeline.at_ns:
            self._push(at_ns, 0, Happens(change))
        for peer in self._timeline.away:
            for neighbour in self._sends_to(peer):
                self._push(0, neighbour, Away(peer))
        if self._open_edges is not None:
            self.change(at, self._step(at, 0))
        for peer in self._timeline.sessions.peers if self._timeline.sessions else ():
            self._toggle(at, Toggle(peer, -1))

    def happen(self, at: Moment, event: Happens) -> None:
        """Carry out what has come to its time."""
        what = event.what
        if isinstance(what, Toggle):
            change = self._toggle(at, what)
            if change is not None:
                self.change(at, change)
        elif isinstance(what, Step):
            self.change(at, self._step(at, what.number))
        else:
            self.change(at, what)
            at.presence.timed -= 1

    def change(self, at: Moment, change: Change) -> None:
        """Change who is there or which links are open, and tell whom it concerns.

        Who is hostile is for adversaries to know: everybody is told, and they say when it counts.
        """
        if change.what in TURNS:
            for peer in self._neighbours:
                self._push(at.now_ns, peer, Turned(change))
            return
        moved, news = at.presence.apply(change, self._sends_to, at.finished)
        for peer in moved:
            data = {"factor": change.factor} if change.what == "slow" else {}
            self._note(at.now_ns, peer, change.what, at.presence.rounds.get(peer, 0), data)
        if change.what == "vary":
            self._note(at.now_ns, NOBODY, "vary", 0, {"open": self._edges - len(change.edges)})
        elif change.what in ("partition", "heal", "link_down", "link_up"):
            edges = [list(edge) for edge in change.edges]
            self._note(at.now_ns, NOBODY, change.what, 0, {"edges": edges})
        for peer, what in news:
            self._push(at.now_ns, peer, what)
        if change.what == "up":
            for peer in moved:
                self._wake(at, peer, change.round)

    def _wake(self, at: Moment, peer: int, least: int) -> None:
        """A peer is back, in a round or a later one: it is told so, and what was kept for it."""
        presence = at.presence
        kept = presence.asleep.pop(peer, [])
        round_ = max(least, presence.joins_in(peer, self._sends_to(peer), at.finished))
        anew = peer in presence.anew
        sequence = self._push(at.now_ns, peer, Returned(round_, anew))
        if anew:
            presence.anew.discard(peer)
            presence.since[peer] = sequence
            own = Started | WorkDone | TimerFired | Observed
            kept = [e for e in kept if not isinstance(e, own)]
            self._renew(peer, round_)
        for event in kept:
            self._push(at.now_ns, peer, event)

    def _step(self, at: Moment, number: int) -> Change:
        """The graph of this step; the next one follows."""
        assert self._open_edges is not None
        self._push(at.now_ns + self._open_edges.every_ns, 0, Happens(Step(number + 1)))
        return Change("vary", edges=self._open_edges.closed(number))

    def _toggle(self, at: Moment, event: Toggle) -> Change | None:
        """A peer's period has ended, and the next begins: up if its number is even."""
        sessions = self._timeline.sessions
        assert sessions is not None
        peer, ordinal = event.peer, event.ordinal + 1
        if peer in at.finished or peer in at.presence.left:
            return None
        ends_ns = at.now_ns + sessions.lasts_ns(peer, ordinal)
        self._push(ends_ns, peer, Happens(Toggle(peer, ordinal)))
        if ordinal == 0:
            return None
        return Change("down" if ordinal % 2 else "up", (peer,), cause=CHURN)

    def _sends_to(self, peer: int) -> Sequence[int]:
        return self._neighbours.get(peer, ())
