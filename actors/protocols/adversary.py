"""An adversary under ``rounds``: trains, looks at what its knowledge shows it, crafts, sends.

It crafts its message of a round when the last vector that it may see is finished in virtual
time, or at its timeout with those that are. What it receives it merges like anybody else.
"""

from collections.abc import Sequence

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
    SetTimer,
    TimerFired,
    Work,
    WorkDone,
)
from actors.protocols.rounds import Rounds, RoundsPeer
from graphs.round_plan import RoundPlan


class RoundsAdversary(RoundsPeer):
    """One adversary under ``rounds``."""

    def __init__(
        self,
        me: int,
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
    ) -> None:
        """Make the machine.

        Args:
            me: Its own id: its own trained vector is among the visible ones.
            neighbours: To whom it sends, ascending.
            senders: Who sends to it, ascending.
            rounds: How many rounds it does.
            settings: Timeout and late policy.
            evaluate_every: As for a benign peer.
            watches: Whose training of each round it waits to see (coalition, or everybody).
            listens: Whether it waits for its neighbours' messages before it crafts its own.
            listeners: Adversaries that listen as well, so it does not wait for theirs: two that
                wait for one another would both miss the round.
            plans: As for a benign peer.
            evaluate_every_ns: As for a benign peer.
        """
        super().__init__(
            neighbours,
            senders,
            rounds,
            settings,
            evaluate_every,
            plans=plans,
            evaluate_every_ns=evaluate_every_ns,
        )
        self._me = me
        self._watches = frozenset(watches) - {me}
        self._listens = listens
        self._hears_first = frozenset(senders).difference(listeners) if listens else frozenset()
        self._seen: dict[int, dict[int, Handle]] = {}
        self._trained: Handle | None = None

    def on(self, event: Event, now_ns: int) -> Sequence[Effect]:
        """React to one event."""
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

    def _work_done(self, event: WorkDone) -> Sequence[Effect]:
        if event.kind != "train":
            return super()._work_done(event)
        self._trained = event.handles[0]
        return [
            SetTimer(self._timeout_ns, ("craft", self.round)),
            *self._craft_if_complete(),
        ]

    def _timer(self, event: TimerFired) -> Sequence[Effect]:
        if event.tag != ("craft", self.round):
            return super()._timer(event)
        if self._trained is None:
            return ()
        return [Note("craft_timeout", self.round), *self._craft()]

    def _craft_if_complete(self) -> Sequence[Effect]:
        if self._trained is None:
            return ()
        watches = self._watches if self._plan is None else self._watches - {*self._plan.resting}
        if watches - self._seen.get(self.round, {}).keys():
            return ()
        if any(self.round not in self._inbox[s] for s in self._hears_first & self._expected()):
            return ()
        return self._craft()

    def _craft(self) -> list[Effect]:
        visible = {**self._seen.pop(self.round, {}), self._me: self._trained}
        if self._listens:
            for sender, kept in self._inbox.items():
                if self.round in kept:
                    visible.setdefault(sender, kept[self.round])
        self._trained = None
        for past in [r for r in self._seen if r < self.round]:
            del self._seen[past]
        parcels = tuple(Parcel(peer, self.round, visible[peer]) for peer in sorted(visible))
        return [Work("craft", self.round, parcels)]
