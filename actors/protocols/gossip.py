"""Asynchronous push: train, send to some neighbours, merge what has come, and go on.

A peer waits for nobody. When it has trained it merges, of each neighbour, the newest message that
has come since its last merge; where none has come, it merges nothing. Newest is what claims the
latest round; what is older, replaced, or a copy counts as late.

Source
    The push of models at one's own pace: I. Hegedus, G. Danner, M. Jelasity. "Gossip Learning as a
    Decentralized Alternative to Federated Learning." DAIS 2019. There a peer merges each model as
    it comes; here once a round, so that a defense sees a neighbourhood.
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
    Observed,
    Parcel,
    Resolved,
    Returned,
    Send,
    Work,
    WorkDone,
)
from actors.protocols.hostility import Hostility
from actors.protocols.measuring import Measuring
from actors.protocols.own_pace import OwnPace, Place
from actors.protocols.sight import Sight


@dataclass(frozen=True, slots=True, kw_only=True)
class Gossip:
    """Train, send, merge what has come, without waiting: ``{kind: gossip, fanout: 2}``.

    A round is a peer's own; in ``edges.csv`` staleness is the receiver's round less the one that
    the message claims, and negative where the sender is ahead.
    """

    fanout: int | None = None
    """To how many neighbours a peer sends in a round, drawn afresh, >= 1; null: to all."""
    max_staleness: int | None = None
    """Rounds by which a message may be behind the receiver's own round, >= 0; an older one is late.
    Of a neighbour that is slower for long, all will be. Null: no bound."""
    kind: Literal["gossip"] = "gossip"

    def __post_init__(self) -> None:
        if self.fanout is not None and self.fanout < 1:
            raise ValueError(f"fanout must be >= 1, or null for all, got {self.fanout}")
        if self.max_staleness is not None and self.max_staleness < 0:
            raise ValueError(
                f"max_staleness must be >= 0 rounds, or null, got {self.max_staleness}"
            )


class GossipPeer(OwnPace):
    """One benign peer under ``gossip``."""

    def __init__(
        self,
        place: Place,
        settings: Gossip,
        measuring: Measuring,
        offers: Literal["trained", "after", "before"] = "trained",
    ) -> None:
        """Make the machine; ``offers`` is as for a peer under ``rounds``."""
        super().__init__(place, measuring)
        self._settings = settings
        self._offers = offers
        self._own: Handle | None = None
        self._outgoing: tuple[Handle, ...] = ()
        self._last_merge: Handle | None = None
        self._inbox: dict[int, Parcel] = {}
        self._newest: dict[int, int] = dict.fromkeys(place.senders, 0)
        """The latest round that each neighbour has claimed."""

    def _begin(self) -> list[Effect]:
        offer = [Work("offer", self.round)] if self._offers == "before" else []
        return [*offer, Work("train", self.round)]

    def _work_done(self, event: WorkDone, now_ns: int) -> Sequence[Effect]:
        if event.kind == "merge":
            self._last_merge = event.summary
        if event.kind in ("merge", "rest"):
            return self._end_round(now_ns)
        if event.kind == "train" and self._offers == "after":
            return [Work("offer", self.round)]
        if event.kind == "train" and self._offers == "before":
            return self._merge()
        return self._ready_to_send(event.handles)

    def _ready_to_send(self, updates: tuple[Handle, ...]) -> list[Effect]:
        self._own = updates[0]
        if self._place.mutes and self._last_merge is not None:
            self._outgoing = updates
            return [Need(self._last_merge, "muted")]
        return self._send(updates)

    def _resolved(self, event: Resolved, now_ns: int) -> list[Effect]:
        updates, self._outgoing = self._outgoing, ()
        return [*self._mute(event), *self._send(updates)]

    def _send(self, updates: tuple[Handle, ...]) -> list[Effect]:
        # One update for all neighbours, or one for each of them.
        neighbours = self._place.neighbours
        each = updates if len(updates) == len(neighbours) else updates * len(neighbours)
        told = self._targets()
        effects = self._put(
            [
                Send(neighbour, self.round, update)
                for neighbour, update in zip(neighbours, each, strict=True)
                if neighbour in told
            ]
        )
        return effects if self._offers == "before" else [*effects, *self._merge()]

    def _targets(self) -> set[int]:
        """Of those that are there, so many, or all."""
        fanout, out = self._settings.fanout, self._shunned()
        if fanout is None:
            return set(self._place.neighbours) - out
        drawn = [n for n in self._place.shuffled("gossip", self.round) if n not in out]
        return set(drawn[:fanout])

    def _receive(self, envelope: Envelope, now_ns: int) -> Sequence[Effect]:
        sender, claimed = envelope.source, envelope.round
        if sender not in self._newest or claimed < 1:
            return (Count(sender, "rejected"),)
        if self._over or claimed <= self._newest[sender]:
            return (Count(sender, "late"),)
        self._newest[sender] = claimed
        replaced = self._inbox.get(sender)
        self._inbox[sender] = Parcel(sender, claimed, envelope.handle)
        return () if replaced is None else (Count(sender, "late"),)

    def _merge(self) -> list[Effect]:
        most = self._settings.max_staleness
        oldest = 1 if most is None else self.round - most
        came = [self._inbox[sender] for sender in sorted(self._inbox)]
        self._inbox.clear()
        counts: list[Effect] = [Count(p.sender, "late") for p in came if p.round < oldest]
        kept = tuple(parcel for parcel in came if parcel.round >= oldest)
        return [*counts, Work("merge", self.round, kept, self._own)]

    def _forget(self) -> list[Effect]:
        counts: list[Effect] = [Count(sender, "late") for sender in sorted(self._inbox)]
        self._inbox.clear()
        self._own, self._outgoing, self._last_merge = None, (), None
        return counts


class GossipAdversary(GossipPeer):
    """One adversary under ``gossip``, or one node that is hostile at times: trains, looks at what
    it has been shown, crafts, sends.

    What it receives it merges like anybody else.
    """

    def __init__(
        self,
        place: Place,
        settings: Gossip,
        measuring: Measuring,
        hostility: Hostility,
        listens: bool = False,
        offers: Literal["trained", "after", "before"] = "trained",
    ) -> None:
        """Make the machine.

        Args:
            place: As for a benign peer, and so are the next two.
            settings: Fanout and staleness.
            measuring: When it is measured.
            hostility: When it attacks and how it behaves.
            listens: Whether messages that come are shown to its attack.
            offers: As for a benign peer, while it is one.
        """
        super().__init__(place, settings, measuring)
        self.hostility = hostility
        self._as_benign = offers
        self._listens = listens
        self._sight = Sight()

    def on(self, event: Event, now_ns: int) -> Sequence[Effect]:
        """React to one event."""
        taken = self.hostility.takes(event)
        return self.hostility.passed(self._on(event, now_ns) if taken is None else taken)

    def _on(self, event: Event, now_ns: int) -> Sequence[Effect]:
        if isinstance(event, Observed):
            self._sight.show(Parcel(event.peer, event.round, event.handle))
            return ()
        if isinstance(event, Returned) and event.anew:
            self._sight = Sight()
        return super().on(event, now_ns)

    def _begin(self) -> list[Effect]:
        notes = self.hostility.begin(self.round)
        self._offers = self._as_benign if self.hostility.stance == "benign" else "trained"
        return [*notes, *super()._begin()]

    def _ready_to_send(self, updates: tuple[Handle, ...]) -> list[Effect]:
        if self.hostility.stance == "benign":
            return super()._ready_to_send(updates)
        self._own = updates[0]
        return self._send(updates)

    def _put(self, sends: Sequence[Send]) -> list[Effect]:
        return self.hostility.sends_of(sends)

    def _shunned(self) -> set[int]:
        return super()._shunned() if self.hostility.stance == "benign" else self._absent

    def _work_done(self, event: WorkDone, now_ns: int) -> Sequence[Effect]:
        if event.kind != "train" or self.hostility.stance == "benign":
            return super()._work_done(event, now_ns)
        heard = sorted(self._inbox)
        if self._listens:
            for parcel in self._inbox.values():
                self._sight.show(parcel)
        own = Parcel(self._place.me, self.round, event.handles[0])
        unseen = self.hostility.unseen.difference(heard)
        visible = tuple(p for p in self._sight.with_own(own) if p.sender not in unseen)
        return [*self.hostility.crafts(heard), Work("craft", self.round, visible)]
