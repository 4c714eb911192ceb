"""What protocols without common rounds share: a peer goes from round to round and waits for nobody.

A round is one local training of the peer's own, whatever others are at. So two peers' counts of
rounds say nothing of what was when: where speeds differ, they drift apart.
"""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass, field

from actors.protocols.events import (
    Away,
    Back,
    BudgetSpent,
    Conclude,
    Effect,
    Envelope,
    Evaluate,
    Event,
    Finished,
    Gone,
    Note,
    Received,
    Resolved,
    Returned,
    Send,
    Started,
    TimerFired,
    Work,
    WorkDone,
)
from actors.protocols.measuring import Measuring
from graphs.availability import Availability
from p2pfl.seeding import stream


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """What a machine is told of its peer and of those around it."""

    me: int
    neighbours: tuple[int, ...]
    """To whom it sends, ascending."""
    senders: tuple[int, ...]
    """Who sends to it, ascending."""
    rounds: int | None
    """How many rounds it does; None: until the run ends."""
    seed: int
    """The run's, of which its random choices are a function."""
    availability: Availability = field(default_factory=Availability)
    """In which rounds it rests."""
    mutes: bool = False
    """The defense may stop sending to a neighbour, so what a merge decided is looked up."""

    def shuffled(self, purpose: str, round_: int) -> list[int]:
        """All neighbours in the order that is drawn for this round: who is away moves no draw."""
        rng = stream(self.seed, purpose, self.me, round_)
        return [self.neighbours[k] for k in rng.permutation(len(self.neighbours)).tolist()]


class OwnPace(ABC):
    """One peer that goes its own pace. What it does in a round, a protocol says."""

    def __init__(self, place: Place, measuring: Measuring) -> None:
        """Make the machine.

        Args:
            place: Who it is, and who is around it.
            measuring: When it is measured; its own, as it has a state.
        """
        self.round = 0
        self._place = place
        self._measuring = measuring
        self._whole = 0
        """The last round that it finished, of those that its model has in it."""
        self._absent: set[int] = set()
        """Neighbours of which nothing comes now."""
        self._muted: frozenset[int] = frozenset()
        self._over = False

    def on(self, event: Event, now_ns: int) -> Sequence[Effect]:
        """React to one event."""
        if isinstance(event, Received):
            return self._receive(event.envelope, now_ns)
        if isinstance(event, WorkDone):
            return self._work_done(event, now_ns)
        if isinstance(event, TimerFired):
            return self._timer(event, now_ns)
        if isinstance(event, Gone | Away):
            self._absent.add(event.peer)
            return self._misses(event.peer, now_ns)
        if isinstance(event, Back):
            self._absent.discard(event.peer)
        elif isinstance(event, Started):
            return self._next_round()
        elif isinstance(event, Resolved):
            return self._resolved(event, now_ns)
        elif isinstance(event, Returned) and event.anew:
            return self._begin_anew()
        elif isinstance(event, BudgetSpent):
            return self._conclude()
        return ()

    # ------------------------------------------------------------ what a protocol fills in

    @abstractmethod
    def _begin(self) -> list[Effect]:
        """A round begins that it does not rest in."""

    @abstractmethod
    def _receive(self, envelope: Envelope, now_ns: int) -> Sequence[Effect]:
        """A message has come."""

    @abstractmethod
    def _work_done(self, event: WorkDone, now_ns: int) -> Sequence[Effect]:
        """Work is over that it asked for."""

    @abstractmethod
    def _resolved(self, event: Resolved, now_ns: int) -> Sequence[Effect]:
        """The content of a summary is there that it needed."""

    @abstractmethod
    def _forget(self) -> list[Effect]:
        """Drop all that it has not used yet, and count it."""

    # ------------------------------------------------------------ what a protocol may change

    def _shunned(self) -> set[int]:
        """Neighbours to which it sends nothing now."""
        return self._absent | self._muted

    def _put(self, sends: Sequence[Send]) -> list[Effect]:
        """Send these."""
        return list(sends)

    def _timer(self, event: TimerFired, now_ns: int) -> Sequence[Effect]:
        return ()

    def _misses(self, peer: int, now_ns: int) -> Sequence[Effect]:
        """Nothing will come of a neighbour for now."""
        return ()

    # ------------------------------------------------------------ from round to round

    def _next_round(self) -> list[Effect]:
        self.round += 1
        place, start = self._place, Note("round_start", self.round)
        if place.availability.rests(place.seed, place.me, self.round):
            return [start, Note("rests", self.round), Work("rest", self.round)]
        return [start, *self._begin()]

    def _end_round(self, now_ns: int) -> list[Effect]:
        self._whole = self.round
        effects: list[Effect] = [Note("round_end", self.round)]
        last = self.round == self._place.rounds
        if self._measuring.due(self.round, now_ns, last):
            effects.append(Evaluate(self.round))
        if not last:
            return [*effects, *self._next_round()]
        self._over = True
        return [*effects, *self._forget(), Finished()]

    def _begin_anew(self) -> list[Effect]:
        """Its model is that of the beginning. The round that it was in, it does again."""
        self._whole = 0
        self._muted = frozenset()
        self.round = max(0, self.round - 1)
        return [*self._forget(), *self._next_round()]

    def _mute(self, event: Resolved) -> list[Effect]:
        """Send nothing any more to whom a merge has found out."""
        muted = frozenset(getattr(event.summary, "muted", ())) - self._muted
        self._muted |= muted
        return [Note("mute", self.round, {"neighbours": sorted(muted)})] if muted else []

    def _conclude(self) -> list[Effect]:
        whole = self._whole
        effects: list[Effect] = [Note("budget_spent", whole), Conclude(whole)]
        return [*effects, Evaluate(whole)] if self._measuring.ever else effects
