"""An adversary under ``rounds``: trains, looks at what its knowledge shows it, crafts, sends.

It crafts its message of a round when the last vector that it may see is finished in virtual
time, or at its timeout with those that are. What it receives it merges like anybody else. A node
that no adversary has come to yet, or that it has left, does its rounds as a benign peer.
"""

from collections.abc import Sequence
from typing import Literal

from actors.protocols.events import (
    BudgetSpent,
    Effect,
    Event,
    Gone,
    Handle,
    Note,
    Observed,
    Parcel,
    Returned,
    Send,
    SetTimer,
    TimerFired,
    Work,
    WorkDone,
)
from actors.protocols.hostility import Hostility
from actors.protocols.rounds import Rounds, RoundsPeer
from graphs.round_plan import RoundPlan


class RoundsAdversary(RoundsPeer):
    """One adversary under ``rounds``, or one node that is hostile at times."""

    def __init__(
        self,
        hostility: Hostility,
        neighbours: Sequence[int],
        senders: Sequence[int],
        rounds: int,
        settings: Rounds,
        evaluate_every: int = 1,
        watches: Sequence[int] = (),
        listens: bool = False,
        listeners: Sequence[int] = (),
        plans: Sequence[RoundPlan] = (),
        evaluate_every_ns: int = 0,
        mutes: bool = False,
        offers: Literal["trained", "after", "before"] = "trained",
    ) -> None:
        """Make the machine.

        Args:
            hostility: When it attacks and how it behaves; its own trained vector is among the
                visible ones.
            neighbours: To whom it sends, ascending.
            senders: Who sends to it, ascending.
            rounds: How many rounds it does.
            settings: Timeout and late policy.
            evaluate_every: As for a benign peer.
            watches: Whose training of each round it waits to see (coalition, or everybody).
            listens: Whether its attack waits for its neighbours' messages before it crafts its own.
            listeners: Adversaries that listen as well, so it does not wait for theirs: two that
                wait for one another would both miss the round.
            plans: As for a benign peer.
            evaluate_every_ns: As for a benign peer.
            mutes: As for a benign peer, while it is one.
            offers: The same.
        """
        super().__init__(
            neighbours,
            senders,
            rounds,
            settings,
            evaluate_every,
            mutes,
            offers,
            plans,
            evaluate_every_ns,
        )
        self.hostility = hostility
        self._me = hostility.me
        self._as_benign = (mutes, offers)
        self._watches = frozenset(watches) - {self._me}
        self._listens = listens
        self._listening = listens
        """Whether it does so in this round: a behaviour may want it while it attacks."""
        self._hears_first = frozenset(senders).difference(listeners)
        self._seen: dict[int, dict[int, Handle]] = {}
        self._trained: Handle | None = None

    def on(self, event: Event, now_ns: int) -> Sequence[Effect]:
        """React to one event."""
        taken = self.hostility.takes(event)
        return self.hostility.passed(self._on(event, now_ns) if taken is None else taken)

    def _on(self, event: Event, now_ns: int) -> Sequence[Effect]:
        if isinstance(event, Observed):
            if event.round >= self.round:
                self._seen.setdefault(event.round, {})[event.peer] = event.handle
            return self._craft_if_complete()
        if isinstance(event, Returned) and event.anew:
            self._trained = None
            self._seen.clear()
        if isinstance(event, Gone):
            self._watches -= {event.peer}
        effects = super().on(event, now_ns)
        if self._trained is not None and not isinstance(event, WorkDone | BudgetSpent):
            return [*effects, *self._craft_if_complete()]
        return effects

    def _begins(self) -> Sequence[Effect]:
        notes = self.hostility.begin(self.round)
        hostile = self.hostility.stance == "hostile"
        self._listening = self._listens or (hostile and self.hostility.listens)
        benign = self.hostility.stance == "benign"
        self._mutes, self._offers = self._as_benign if benign else (False, "trained")
        for past in [r for r in self._seen if r < self.round]:
            del self._seen[past]
        return notes

    def _work_done(self, event: WorkDone) -> Sequence[Effect]:
        if event.kind == "craft":
            return self._crafted(event.handles)
        if event.kind != "train" or self.hostility.stance == "benign":
            return super()._work_done(event)
        self._trained = event.handles[0]
        after_ns = self._timeout_ns
        if self.hostility.stance == "hostile":
            after_ns = self.hostility.wait_ns(after_ns)
        return [SetTimer(after_ns, ("craft", self.round)), *self._craft_if_complete()]

    def _crafted(self, updates: tuple[Handle, ...]) -> list[Effect]:
        self._own = updates[0]
        told = self.neighbours if self._plan is None else self._plan.neighbours
        each = updates if len(updates) == len(self.neighbours) else updates * len(self.neighbours)
        sends = [
            Send(neighbour, self.round, update)
            for neighbour, update in zip(self.neighbours, each, strict=True)
            if neighbour in told
        ]
        return [*self.hostility.sends_of(sends), *self._wait()]

    def _timer(self, event: TimerFired) -> Sequence[Effect]:
        if event.tag != ("craft", self.round):
            return super()._timer(event)
        if self._trained is None:
            return ()
        return [Note("craft_timeout", self.round), *self._craft()]

    def _craft_if_complete(self) -> Sequence[Effect]:
        if self._trained is None:
            return ()
        watches = self._watched()
        if self._plan is not None:
            watches -= {*self._plan.resting}
        if watches - self._seen.get(self.round, {}).keys():
            return ()
        first = self._hears_first & self._expected() if self._listening else frozenset()
        if first - self._inbox.get(self.round, {}).keys():
            return ()
        return self._craft()

    def _watched(self) -> frozenset[int]:
        """Whose training of this round it is shown."""
        return self._watches - self.hostility.unseen

    def _craft(self) -> list[Effect]:
        watched, heard = self._watched(), list[int]()
        seen = self._seen.pop(self.round, {})
        visible = {peer: handle for peer, handle in seen.items() if peer in watched}
        visible[self._me] = self._trained
        if self._listening:
            came = self._inbox.get(self.round, {})
            heard = sorted(came)
            for sender in heard:
                visible.setdefault(sender, came[sender])
        self._trained = None
        parcels = tuple(Parcel(peer, self.round, visible[peer]) for peer in sorted(visible))
        return [*self.hostility.crafts(heard), Work("craft", self.round, parcels)]
