"""Asynchronous push-pull: while a peer trains, it averages its model with that of one neighbour.

In each of its rounds a peer asks one neighbour, drawn afresh, with its own model; the neighbour
answers with its model as it is at that time and merges the other; the peer merges the answer.
What training finds is added to the model as it has become meanwhile.

Source
    X. Lian, W. Zhang, C. Zhang, J. Liu. "Asynchronous Decentralized Parallel Stochastic Gradient
    Descent." ICML 2018. arXiv:1710.06952 (AD-PSGD).

Departs from the paper:
    There an averaging is atomic: both ends are held until it is over, and so that none waits in a
    circle, the graph has to be bipartite, and only one side asks. Here any graph will do. Who is
    asked answers at once, whatever it waits for itself, and its own work alone (a merge that takes
    time, a round that it sits out) can delay that: nobody waits for one who waits. So a peer may be
    asked while it waits for an answer, and each merge starts at the model as it is then. Where
    nothing comes between, averaging leaves the sum of the two models as it was; else it does not.
    (To add what the exchange would have moved the model that was sent does leave the sum, and was
    tried: own weights become negative, and peers drift apart.) Two that ask one another at once
    have two exchanges.
    A message may be lost. Of an ask, nothing has happened; of an answer, its sender has merged and
    the asker has not. The asker goes on at its timeout.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from actors.protocols.events import (
    Count,
    Effect,
    Envelope,
    Event,
    Handle,
    Need,
    Note,
    Observed,
    Parcel,
    Resolved,
    Returned,
    Send,
    SetTimer,
    TimerFired,
    Work,
    WorkDone,
)
from actors.protocols.hostility import Hostility
from actors.protocols.measuring import Measuring
from actors.protocols.own_pace import OwnPace, Place
from actors.protocols.sight import Sight


@dataclass(frozen=True, slots=True, kw_only=True)
class Pairwise:
    """While training, average with one random neighbour: ``{kind: pairwise, timeout_s: 5}``.

    Both ends merge the other's model by their defense; with ``gossip_average`` each takes half of
    it. Between two of them the graph must have both directions. Meant for one or few mini-batches
    a round: what they find is added to a model that has been averaged meanwhile. Digits, ten peers
    of degree 4, one seed: with one step of 0.1, 200 rounds, 0.894, and gossip 0.838; with an epoch
    of 0.2, 40 rounds, 0.796, and gossip 0.931.
    """

    timeout_s: float = 5.0
    """Longest wait for an answer, in virtual seconds from the ask; a round ends when the training
    and the exchange are over."""
    kind: Literal["pairwise"] = "pairwise"

    def __post_init__(self) -> None:
        if not 0 < self.timeout_s <= 1e9:
            raise ValueError(f"timeout_s must be in (0, 1e9] seconds, got {self.timeout_s}")


class PairwisePeer(OwnPace):
    """One benign peer under ``pairwise``."""

    def __init__(self, place: Place, settings: Pairwise, measuring: Measuring) -> None:
        """Make the machine."""
        super().__init__(place, measuring)
        self._timeout_ns = round(settings.timeout_s * 1e9)
        self._busy = ""
        """What is being done with its model: ``ask``, ``meet``, ``merge``, ``craft`` or nothing.
        Another thing begins when that is over."""
        self._trained = self._stepped = False
        """Whether training is over, and whether its step is part of the model."""
        self._partner: int | None = None
        """Whose answer it awaits."""
        self._exchanged = False
        self._answer: Parcel | None = None
        self._guests: dict[int, Parcel] = {}
        """Who has asked and has no answer yet, the longest first."""
        self._other: Parcel | None = None
        """Whose model is about to be merged."""
        self._newest: dict[int, int] = dict.fromkeys(place.senders, 0)
        """The round in which each neighbour has asked last."""

    # ------------------------------------------------------------ a round

    def _begin(self) -> list[Effect]:
        self._partner = self._chosen()
        if self._partner is None:
            self._exchanged = True
            return [Work("train", self.round)]
        self._busy = "ask"
        return [Work("offer", self.round), Work("train", self.round)]

    def _chosen(self) -> int | None:
        """One of the neighbours that are there; None if there is none."""
        out = self._shunned()
        drawn = self._place.shuffled("pairwise", self.round)
        return next((n for n in drawn if n not in out), None)

    def _work_done(self, event: WorkDone, now_ns: int) -> Sequence[Effect]:
        done: list[Effect] = []
        if event.kind == "rest":
            self._exchanged = self._stepped = True
        elif event.kind == "train":
            self._trained = True
        elif event.kind == "offer":
            done = self._offered(event.handles[0])
        elif event.kind == "meet":
            self._exchanged |= self._busy == "merge"
            if self._place.mutes:
                return [Need(event.summary, "muted")]
            self._busy = ""
        return [*done, *self._go_on(now_ns)]

    def _resolved(self, event: Resolved, now_ns: int) -> list[Effect]:
        self._busy = ""
        return [*self._mute(event), *self._go_on(now_ns)]

    def _offered(self, model: Handle) -> list[Effect]:
        """Its model as it is now is at hand: to ask with, to answer with, and to merge from."""
        if self._busy == "ask":
            self._busy = ""
            return self._ask(model)
        return self._meet(model)

    def _ask(self, model: Handle) -> list[Effect]:
        if self._partner is None:  # it has gone just now
            return []
        asks = self._put([Send(self._partner, self.round, model)])
        return [*asks, SetTimer(self._timeout_ns, ("ask", self.round))]

    def _meet(self, model: Handle) -> list[Effect]:
        """Merge the other's model, and answer it if it has asked."""
        other, self._other = self._other, None
        assert other is not None
        meets = Work("meet", self.round, (other,), model)
        if self._busy == "merge":
            return [meets]
        return [*self._put([Send(other.sender, self.round, model, other.round)]), meets]

    def _go_on(self, now_ns: int) -> list[Effect]:
        """Do what there is to do with the model, one thing after the other."""
        if self._busy:
            return []
        effects: list[Effect] = []
        if self._trained:
            self._trained, self._stepped = False, True
            effects.append(Work("step", self.round, outputs=0))
        if self._answer is not None:
            self._other, self._answer = self._answer, None
            self._busy = "merge"
            return [*effects, *self._turn_to(self._other)]
        if self._guests and self._receives():
            self._other = self._guests.pop(next(iter(self._guests)))
            self._busy = "meet"
            return [*effects, *self._turn_to(self._other)]
        if self._stepped and self._exchanged:
            self._stepped = self._exchanged = False
            return [*effects, *self._end_round(now_ns)]
        return effects

    def _receives(self) -> bool:
        """Whether it can answer."""
        place = self._place
        return self.round > 0 and not place.availability.rests(place.seed, place.me, self.round)

    def _turn_to(self, other: Parcel) -> list[Effect]:
        """Begin to merge another's model."""
        return [Work("offer", self.round)]

    # ------------------------------------------------------------ what comes, and what does not

    def _receive(self, envelope: Envelope, now_ns: int) -> Sequence[Effect]:
        sender, claimed, answers = envelope.source, envelope.round, envelope.answers
        if sender not in self._newest or claimed < 1 or not 0 <= answers <= self.round:
            return (Count(sender, "rejected"),)
        if self._over:
            return (Count(sender, "late"),)
        parcel = Parcel(sender, claimed, envelope.handle)
        return (
            self._take_answer(parcel, answers, now_ns) if answers else self._let_in(parcel, now_ns)
        )

    def _take_answer(self, parcel: Parcel, answers: int, now_ns: int) -> Sequence[Effect]:
        awaited = self._partner == parcel.sender and self._busy != "ask"
        if not awaited or answers != self.round:
            return (Count(parcel.sender, "late"),)
        self._partner, self._answer = None, parcel
        return self._go_on(now_ns)

    def _let_in(self, parcel: Parcel, now_ns: int) -> Sequence[Effect]:
        sender = parcel.sender
        if parcel.round <= self._newest[sender]:
            return (Count(sender, "late"),)
        self._newest[sender] = parcel.round
        if sender in self._muted:
            return (Count(sender, "rejected"),)
        # Who asks again has given up the ask before.
        given_up = self._guests.pop(sender, None)
        self._guests[sender] = parcel
        counts: list[Effect] = [] if given_up is None else [Count(sender, "late")]
        return [*counts, *self._go_on(now_ns)]

    def _misses(self, peer: int, now_ns: int) -> Sequence[Effect]:
        left = self._guests.pop(peer, None)
        counts: list[Effect] = [] if left is None else [Count(peer, "late")]
        if self._partner == peer:
            self._partner, self._exchanged = None, True
        return [*counts, *self._go_on(now_ns)]

    def _timer(self, event: TimerFired, now_ns: int) -> Sequence[Effect]:
        if event.tag != ("ask", self.round) or self._partner is None:
            return ()
        timeout = Note("timeout", self.round, {"missing": [self._partner]})
        self._partner, self._exchanged = None, True
        return [timeout, *self._go_on(now_ns)]

    def _forget(self) -> list[Effect]:
        held = [*self._guests.values(), self._other, self._answer]
        counts: list[Effect] = [Count(p.sender, "late") for p in held if p is not None]
        self._guests.clear()
        self._other = self._answer = self._partner = None
        self._busy = ""
        self._trained = self._stepped = self._exchanged = False
        return counts


class PairwiseAdversary(PairwisePeer):
    """One adversary under ``pairwise``, or one node that is hostile at times: trains, looks at what
    it has been shown, crafts, asks.

    To who asks it, it answers with what it has crafted last; the first has to wait for that. What
    it receives it merges like anybody else.
    """

    def __init__(
        self,
        place: Place,
        settings: Pairwise,
        measuring: Measuring,
        hostility: Hostility,
        listens: bool = False,
    ) -> None:
        """Make the machine.

        Args:
            place: As for a benign peer, and so are the next two.
            settings: Timeout.
            measuring: When it is measured.
            hostility: When it attacks and how it behaves.
            listens: Whether messages that come are shown to its attack.
        """
        super().__init__(place, settings, measuring)
        self.hostility = hostility
        self._listens = listens
        self._sight = Sight()
        self._own: Handle | None = None
        """What it has trained in this round, until it crafts."""
        self._crafted: tuple[Handle, ...] = ()
        self._heard: set[int] = set()
        """Whose messages its attack is shown, if it listens."""

    def on(self, event: Event, now_ns: int) -> Sequence[Effect]:
        """React to one event."""
        taken = self.hostility.takes(event)
        return self.hostility.passed(self._on(event, now_ns) if taken is None else taken)

    @property
    def _benign(self) -> bool:
        return self.hostility.stance == "benign"

    def _on(self, event: Event, now_ns: int) -> Sequence[Effect]:
        if isinstance(event, Observed):
            self._sight.show(Parcel(event.peer, event.round, event.handle))
            return ()
        if isinstance(event, Returned) and event.anew:
            self._sight, self._own, self._crafted = Sight(), None, ()
        return super().on(event, now_ns)

    def _begin(self) -> list[Effect]:
        notes = self.hostility.begin(self.round)
        if self._benign:
            self._crafted = ()
            return [*notes, *super()._begin()]
        return [*notes, Work("train", self.round)]

    def _shunned(self) -> set[int]:
        return super()._shunned() if self._benign else self._absent

    def _put(self, sends: Sequence[Send]) -> list[Effect]:
        return self.hostility.sends_of(sends)

    def _work_done(self, event: WorkDone, now_ns: int) -> Sequence[Effect]:
        if event.kind == "train" and not self._benign:
            self._own = event.handles[0]
        if event.kind != "craft":
            return super()._work_done(event, now_ns)
        self._busy, self._crafted = "", event.handles
        self._partner = self._chosen()
        asks = [] if self._partner is None else self._ask(self._row(self._partner))
        self._exchanged = self._partner is None
        return [*asks, *self._go_on(now_ns)]

    def _go_on(self, now_ns: int) -> list[Effect]:
        if self._busy or self._own is None or not self._trained:
            return super()._go_on(now_ns)
        own = Parcel(self._place.me, self.round, self._own)
        self._own, self._busy = None, "craft"
        self._trained, self._stepped = False, True
        heard, self._heard = sorted(self._heard), set()
        unseen = self.hostility.unseen.difference(heard)
        visible = tuple(p for p in self._sight.with_own(own) if p.sender not in unseen)
        return [
            *self.hostility.crafts(heard),
            Work("step", self.round, outputs=0),
            Work("craft", self.round, visible),
        ]

    def _receive(self, envelope: Envelope, now_ns: int) -> Sequence[Effect]:
        if self._listens and envelope.source in self._newest:
            shown = Parcel(envelope.source, envelope.round, envelope.handle)
            self._sight.show(shown)
            self._heard.add(envelope.source)
        return super()._receive(envelope, now_ns)

    def _receives(self) -> bool:
        return (self._benign or bool(self._crafted)) and super()._receives()

    def _turn_to(self, other: Parcel) -> list[Effect]:
        return super()._turn_to(other) if self._benign else self._meet(self._row(other.sender))

    def _row(self, neighbour: int) -> Handle:
        several = len(self._crafted) == len(self._place.neighbours)
        return self._crafted[self._place.neighbours.index(neighbour) if several else 0]
