"""A server and its clients: instructions down, training, messages up, aggregation.

The server waits for this round's message of every participant, as a peer under ``rounds`` waits for
its neighbours. A client trains when it is told to; told again meanwhile, it goes on with the newest
instruction when it is done, and what came between is late. A client that does not answer, or whose
instruction was lost, is missing when the timeout fires, and the round goes on without it.
"""

from collections.abc import Sequence

from actors.protocols.events import (
    Count,
    Effect,
    Envelope,
    Event,
    Finished,
    Gone,
    Handle,
    Note,
    Observed,
    Parcel,
    Received,
    Returned,
    Send,
    SetTimer,
    TimerFired,
    Work,
    WorkDone,
)
from actors.protocols.hostility import Hostility
from actors.protocols.participation import Participation
from actors.protocols.rounds import Rounds, RoundsPeer
from graphs.round_plan import RoundPlan


class ServerPeer(RoundsPeer):
    """The server."""

    def __init__(
        self,
        participation: Participation,
        rounds: int,
        settings: Rounds,
        evaluate_every: int = 1,
        individual: bool = False,
        plans: Sequence[RoundPlan] = (),
        evaluate_every_ns: int = 0,
    ) -> None:
        """Make the machine.

        Args:
            participation: Who takes part in which round.
            rounds: How many rounds it does.
            settings: Timeout and late policy.
            evaluate_every: Ask for an evaluation after each so many rounds, and after the last.
            individual: Whether each participant gets an instruction of its own.
            plans: For each round, who rests; none: nobody.
            evaluate_every_ns: Evaluate by virtual time instead: see ``Measuring``.
        """
        clients = participation.clients
        super().__init__(
            clients,
            clients,
            rounds,
            settings,
            evaluate_every,
            plans=plans,
            evaluate_every_ns=evaluate_every_ns,
        )
        self._participation = participation
        self._individual = individual
        self._told: tuple[int, ...] = ()

    def _next_round(self) -> list[Effect]:
        self.round += 1
        resting = () if self._plan is None else self._plan.resting
        self._told = tuple(c for c in self._participation.of(self.round) if c not in resting)
        outputs = len(self._told) if self._individual else 1
        start = Note("round_start", self.round, {"participants": list(self._told)})
        return [start, Work("instruct", self.round, clients=self._told, outputs=outputs)]

    def _work_done(self, event: WorkDone) -> Sequence[Effect]:
        if event.kind == "merge":
            return self._merged(event)
        each = event.handles if self._individual else event.handles * len(self._told)
        told = zip(self._told, each, strict=True)
        return [*(Send(client, self.round, handle) for client, handle in told), *self._wait()]

    def _expected(self) -> set[int]:
        return self._up & set(self._told)

    def _hears(self, sender: int, round_: int) -> bool:
        return True


class ClientPeer:
    """A benign client."""

    def __init__(self, server: int) -> None:
        """Make the machine, given the server's id."""
        self.round = 0
        self._server = server
        self._busy = False
        self._next: Envelope | None = None

    def on(self, event: Event, now_ns: int) -> Sequence[Effect]:
        """React to one event."""
        if isinstance(event, Received):
            return self._told(event.envelope)
        if isinstance(event, WorkDone):
            return self._done(event)
        if isinstance(event, Gone):
            return (Finished(),)
        if isinstance(event, Returned) and event.anew:
            return self._begin_again()
        return ()

    def _begin_again(self) -> Sequence[Effect]:
        """Nothing that it was doing will be done."""
        waiting, self._next, self._busy = self._next, None, False
        return () if waiting is None else (Count(self._server, "late"),)

    def _told(self, envelope: Envelope) -> Sequence[Effect]:
        newest = self.round if self._next is None else self._next.round
        if envelope.source != self._server:
            return (Count(envelope.source, "rejected"),)
        if envelope.round <= newest:
            return (Count(self._server, "late"),)
        if not self._busy:
            return self._train(envelope)
        replaced, self._next = self._next, envelope
        return () if replaced is None else (Count(self._server, "late"),)

    def _train(self, envelope: Envelope) -> list[Effect]:
        self._busy = True
        self.round = envelope.round
        parcel = Parcel(self._server, envelope.round, envelope.handle)
        return [
            *self._begins(),
            Count(self._server, "accepted"),
            Work("answer", self.round, (parcel,), outputs=1),
        ]

    def _begins(self) -> Sequence[Effect]:
        """What else there is to do or to say when it begins to train."""
        return ()

    def _done(self, event: WorkDone) -> Sequence[Effect]:
        return self._send(event.handles[0])

    def _send(self, update: Handle) -> list[Effect]:
        return [*self._put(update), *self._go_on()]

    def _put(self, update: Handle) -> list[Effect]:
        return [Send(self._server, self.round, update)]

    def _go_on(self) -> list[Effect]:
        self._busy = False
        envelope, self._next = self._next, None
        return [] if envelope is None else self._train(envelope)


class ClientAdversary(ClientPeer):
    """A hostile client: trains, looks at what its knowledge shows it, crafts, sends."""

    def __init__(
        self,
        hostility: Hostility,
        server: int,
        participation: Participation,
        timeout_s: float,
        watches: Sequence[int] = (),
    ) -> None:
        """Make the machine.

        Args:
            hostility: When it attacks and how it behaves; its own trained vector is among the
                visible ones.
            server: The server's id.
            participation: Who takes part in which round: it waits for nobody else.
            timeout_s: Longest wait for them, in virtual seconds from when it has trained.
            watches: Whose training of each round it may see.
        """
        super().__init__(server)
        self.hostility = hostility
        self._me = hostility.me
        self._participation = participation
        self._timeout_ns = round(timeout_s * 1e9)
        self._watches = frozenset(watches) - {self._me}
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
        if isinstance(event, TimerFired):
            if event.tag != ("craft", self.round) or self._trained is None:
                return ()
            return [Note("craft_timeout", self.round), self._craft()]
        if isinstance(event, Returned) and event.anew:
            self._trained = None
            self._seen.clear()
        if isinstance(event, Gone) and event.peer != self._server:
            self._watches -= {event.peer}
            return self._craft_if_complete()
        return super().on(event, now_ns)

    def _begins(self) -> Sequence[Effect]:
        for past in [r for r in self._seen if r < self.round]:
            del self._seen[past]
        return self.hostility.begin(self.round)

    def _put(self, update: Handle) -> list[Effect]:
        return self.hostility.sends_of([Send(self._server, self.round, update)])

    def _done(self, event: WorkDone) -> Sequence[Effect]:
        if event.kind == "craft" or self.hostility.stance == "benign":
            return self._send(event.handles[0])
        self._trained = event.handles[0]
        return [SetTimer(self._timeout_ns, ("craft", self.round)), *self._craft_if_complete()]

    def _craft_if_complete(self) -> Sequence[Effect]:
        if self._trained is None:
            return ()
        awaited = self._watched().intersection(self._participation.of(self.round))
        if awaited - self._seen.get(self.round, {}).keys():
            return ()
        return (self._craft(),)

    def _watched(self) -> frozenset[int]:
        """Whose training of this round it is shown."""
        return self._watches - self.hostility.unseen

    def _craft(self) -> Work:
        watched, seen = self._watched(), self._seen.pop(self.round, {})
        visible = {peer: handle for peer, handle in seen.items() if peer in watched}
        visible[self._me] = self._trained
        self._trained = None
        parcels = tuple(Parcel(peer, self.round, visible[peer]) for peer in sorted(visible))
        return Work("craft", self.round, parcels, outputs=1)
