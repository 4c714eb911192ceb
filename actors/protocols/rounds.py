"""Synchronous rounds: train, send to all neighbours, wait for theirs or the timeout, merge.

A peer waits for this round's message of every neighbour that is up. Messages bear their round:
per neighbour those for the current and the next ``ahead`` rounds are kept; one that claims a
later round is rejected; an earlier one is late, and dropped or used as the settings say.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from actors.protocols.events import (
    Away,
    Back,
    BudgetSpent,
    Conclude,
    Count,
    Effect,
    Envelope,
    Evaluate,
    Event,
    Finished,
    Gone,
    Handle,
    Need,
    Note,
    Parcel,
    Received,
    Resolved,
    Returned,
    Send,
    SetTimer,
    Started,
    TimerFired,
    Work,
    WorkDone,
)
from actors.protocols.measuring import Measuring
from graphs.round_plan import RoundPlan


@dataclass(frozen=True, slots=True, kw_only=True)
class Rounds:
    """Train, send to all neighbours, wait for theirs, merge: ``{kind: rounds, timeout_s: 5}``."""

    timeout_s: float = 60.0
    """Longest wait for neighbours, in virtual seconds from when the peer has trained and sent."""
    late: Literal["drop", "use"] = "drop"
    """An earlier round's message: drop it, or merge the newest such where none has come in time."""
    ahead: int = 2
    """How many rounds ahead of its own a peer keeps messages for."""
    kind: Literal["rounds"] = "rounds"

    def __post_init__(self) -> None:
        if not 0 < self.timeout_s <= 1e9:
            raise ValueError(f"timeout_s must be in (0, 1e9] seconds, got {self.timeout_s}")
        if self.ahead < 0:
            raise ValueError(f"ahead counts rounds and must be >= 0, got {self.ahead}")


class RoundsPeer:
    """One benign peer under ``rounds``."""

    def __init__(
        self,
        neighbours: Sequence[int],
        senders: Sequence[int],
        rounds: int,
        settings: Rounds,
        evaluate_every: int = 1,
        mutes: bool = False,
        offers: Literal["trained", "after", "before"] = "trained",
        plans: Sequence[RoundPlan] = (),
        evaluate_every_ns: int = 0,
    ) -> None:
        """Make the machine.

        Args:
            neighbours: To whom it sends, ascending.
            senders: Who sends to it, ascending; the same in an undirected graph.
            rounds: How many rounds it does.
            settings: Timeout and late policy.
            evaluate_every: Ask for an evaluation after each so many rounds, and after the last; 0
                never asks.
            mutes: The defense may stop sending to a neighbour, so what a merge decided is looked
                up before the next send.
            offers: What it sends: what training gave; or what an own piece of work gives, after
                training or before it. What is offered before is under way while the peer trains.
            plans: For each round, whom of these it hears and tells then, and who rests; none: all
                of them, and nobody rests.
            evaluate_every_ns: Evaluate by virtual time instead: see ``Measuring``.
        """
        self.neighbours = tuple(neighbours)
        self.rounds = rounds
        self.settings = settings
        self.round = 0
        self._done = 0
        self._timeout_ns = round(settings.timeout_s * 1e9)
        self._measuring = Measuring(every=evaluate_every, every_ns=evaluate_every_ns)
        self._now_ns = 0
        self._mutes = mutes
        self._offers = offers
        self._own: Handle | None = None
        self._muted: frozenset[int] = frozenset()
        self._last_merge: Handle | None = None
        self._outgoing: tuple[Handle, ...] = ()
        self._up = set(senders)
        self._waiting = False
        self._awaited: set[int] = set()
        self._oldest = 1  # what claims an earlier round is late
        self._senders = frozenset(senders)
        self._inbox: dict[int, dict[int, Handle]] = {}
        """By the round that they claim, what has come of each neighbour."""
        self._late: dict[int, Parcel] = {}
        self._plans = tuple(plans)
        self._catch_up = 0
        """The round that its neighbours were in when it came back."""

    def on(self, event: Event, now_ns: int) -> Sequence[Effect]:
        """React to one event."""
        self._now_ns = now_ns
        if isinstance(event, Received):
            return self._receive(event.envelope)
        if isinstance(event, WorkDone):
            return self._work_done(event)
        if isinstance(event, TimerFired):
            return self._timer(event)
        if isinstance(event, Gone | Away):
            self._up.discard(event.peer)
            self._awaited.discard(event.peer)
            return self._merge_if_complete()
        if isinstance(event, Started):
            return self._next_round()
        if isinstance(event, Resolved):
            return self._resolved(event)
        if isinstance(event, Back):
            self._up.add(event.peer)
        elif isinstance(event, Returned):
            return self._returned(event)
        if isinstance(event, BudgetSpent):
            return self._conclude()
        return ()

    # ------------------------------------------------------------ one round, step by step

    def _next_round(self) -> list[Effect]:
        self.round = max(self.round + 1, self._catch_up)
        start: list[Effect] = [
            *self._missed(),
            Note("round_start", self.round),
            *self._begins(),
        ]
        if self._plan is not None and self._plan.rests:
            return [*start, Note("rests", self.round), Work("rest", self.round)]
        offer = [Work("offer", self.round)] if self._offers == "before" else []
        return [*start, *offer, Work("train", self.round)]

    def _begins(self) -> Sequence[Effect]:
        """What else there is to do or to say when a round begins."""
        return ()

    @property
    def _plan(self) -> RoundPlan | None:
        """That of the round."""
        return self._plans[self.round - 1] if self._plans else None

    def _missed(self) -> list[Effect]:
        """Count what came for rounds that it did not do."""
        self._oldest = self.round
        past = [round_ for round_ in self._inbox if round_ < self.round]
        late = [sender for round_ in past for sender in self._inbox.pop(round_)]
        return [Count(sender, "late") for sender in sorted(late)]

    def _returned(self, event: Returned) -> Sequence[Effect]:
        """Back from being down: end the round alone if the others are further, or begin anew."""
        self._catch_up = min(max(event.round, self.round), self.rounds)
        if event.anew:
            self.round, self._done = self._catch_up - 1, 0
            self._waiting, self._own, self._last_merge = False, None, None
            self._outgoing, self._muted = (), frozenset()
            return self._next_round()
        return self._merge() if self._waiting and self.round < self._catch_up else ()

    def _work_done(self, event: WorkDone) -> Sequence[Effect]:
        if event.kind in ("merge", "rest"):
            return self._merged(event)
        if event.kind == "train" and self._offers == "after":
            return [Work("offer", self.round)]
        if event.kind == "train" and self._offers == "before":
            return self._wait()
        return self._ready_to_send(event.handles)

    def _ready_to_send(self, updates: tuple[Handle, ...]) -> list[Effect]:
        self._own = updates[0]
        if self._mutes and self._last_merge is not None:
            self._outgoing = updates
            return [Need(self._last_merge, "muted")]
        return self._send(updates)

    def _resolved(self, event: Resolved) -> list[Effect]:
        muted = frozenset(getattr(event.summary, "muted", ()))
        effects: list[Effect] = []
        if muted - self._muted:
            effects.append(Note("mute", self.round, {"neighbours": sorted(muted - self._muted)}))
        self._muted |= muted
        updates, self._outgoing = self._outgoing, ()
        return effects + self._send(updates)

    def _send(self, updates: tuple[Handle, ...]) -> list[Effect]:
        # One update for all neighbours, or one for each of them.
        each = updates if len(updates) == len(self.neighbours) else updates * len(self.neighbours)
        told = self.neighbours if self._plan is None else self._plan.neighbours
        effects: list[Effect] = [
            Send(neighbour, self.round, update)
            for neighbour, update in zip(self.neighbours, each, strict=True)
            if neighbour not in self._muted and neighbour in told
        ]
        return effects if self._offers == "before" else [*effects, *self._wait()]

    def _wait(self) -> list[Effect]:
        self._waiting = True
        if self.round < self._catch_up:
            return self._merge()
        self._awaited = self._expected().difference(self._inbox.get(self.round, ()))
        return [SetTimer(self._timeout_ns, ("round", self.round)), *self._merge_if_complete()]

    def _expected(self) -> set[int]:
        """Whose message of this round it waits for."""
        return self._up if self._plan is None else self._up.intersection(self._plan.senders)

    def _receive(self, envelope: Envelope) -> Sequence[Effect]:
        sender, claimed = envelope.source, envelope.round
        at = self.round if self.round > self._catch_up else self._catch_up
        too_new = claimed > at + self.settings.ahead or claimed > self.rounds
        if too_new or claimed < 1 or sender not in self._senders:
            return (Count(sender, "rejected"),)
        if self._plans and not self._hears(sender, claimed):
            return (Count(sender, "rejected"),)
        if claimed < self._oldest:
            return self._receive_late(Parcel(sender, claimed, envelope.handle))
        # Of two that claim one round the newer is kept.
        came = self._inbox.setdefault(claimed, {})
        effects = (Count(sender, "rejected"),) if sender in came else ()
        came[sender] = envelope.handle
        if claimed == self.round:
            self._awaited.discard(sender)
            if self._waiting and not self._awaited:
                return (*effects, *self._merge())
        return effects

    def _hears(self, sender: int, round_: int) -> bool:
        """Whether it is a neighbour in that round."""
        return not self._plans or sender in self._plans[round_ - 1].senders

    def _receive_late(self, parcel: Parcel) -> Sequence[Effect]:
        """Count it; or keep it for the next merge, and count the older one that it replaces."""
        kept = self._late.get(parcel.sender)
        over = self._oldest > self.rounds
        if self.settings.late == "drop" or over or (kept and kept.round >= parcel.round):
            return (Count(parcel.sender, "late"),)
        self._late[parcel.sender] = parcel
        return (Count(parcel.sender, "late"),) if kept else ()

    def _timer(self, event: TimerFired) -> Sequence[Effect]:
        if not self._waiting or event.tag != ("round", self.round):
            return ()
        missing = sorted(self._awaited)
        return [Note("timeout", self.round, {"missing": missing}), *self._merge()]

    def _merge_if_complete(self) -> Sequence[Effect]:
        return self._merge() if self._waiting and not self._awaited else ()

    def _merge(self) -> list[Effect]:
        self._waiting = False
        self._oldest = self.round + 1
        came = self._inbox.pop(self.round, {})
        parcels = []
        for sender in sorted(came.keys() | self._late):
            if sender in came:
                parcels.append(Parcel(sender, self.round, came[sender]))
            elif self._hears(sender, self.round):
                parcels.append(self._late.pop(sender))
        unused: list[Effect] = [Count(sender, "late") for sender in self._late]
        self._late.clear()
        return [*unused, Work("merge", self.round, tuple(parcels), self._own)]

    def _merged(self, event: WorkDone) -> list[Effect]:
        if event.kind == "merge":
            self._last_merge = event.summary
        self._done = self.round
        effects: list[Effect] = [Note("round_end", self.round)]
        last = self.round >= self.rounds
        if self._measuring.due(self.round, self._now_ns, last):
            effects.append(Evaluate(self.round))
        return [*effects, Finished()] if last else [*effects, *self._next_round()]

    def _conclude(self) -> list[Effect]:
        done = self._done  # not the round before: after a time away it leaves some out
        effects: list[Effect] = [Note("budget_spent", done), Conclude(done)]
        return [*effects, Evaluate(done)] if self._measuring.ever else effects
