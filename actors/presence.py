"""Who is up and which links are open, in the course of a run. Plain data; the engine asks.

A peer that is down computes nothing and hears nothing. What it was computing, and the timers that
it set, come to it when it is back; what reaches it meanwhile is lost.
"""

from collections.abc import Callable, Collection, Iterable
from dataclasses import dataclass, field

from actors.protocols.events import Away, Back, Event
from graphs.availability import Timeline
from graphs.events import Change

Edge = tuple[int, int]


@dataclass(slots=True)
class Presence:
    """What changes have come to until now."""

    down: dict[int, int] = field(default_factory=dict)
    """Why each peer that is down is down: the causes of its changes, as bits."""
    left: set[int] = field(default_factory=set)
    """Who is gone for good."""
    cut: set[Edge] = field(default_factory=set)
    """Directed edges that are down by themselves."""
    parted: set[Edge] = field(default_factory=set)
    """Directed edges that a partition cuts."""
    closed: set[Edge] = field(default_factory=set)
    """Directed edges that a graph that varies does not have now."""
    slow: dict[int, float] = field(default_factory=dict)
    """Who computes how many times as long."""
    asleep: dict[int, list[Event]] = field(default_factory=dict)
    """What each peer that is down will be told when it is back."""
    since: dict[int, int] = field(default_factory=dict)
    """Of a peer that came back anew: what was asked for before this sequence is forgotten."""
    anew: set[int] = field(default_factory=set)
    """Of those that are down, who will begin anew."""
    rounds: dict[int, int] = field(default_factory=dict)
    """The round that each peer has begun last."""
    to_come: list[tuple[int, Change]] = field(default_factory=list)
    """What awaits a round, latest first."""
    timed: int = 0
    """How many changes await their time."""

    @classmethod
    def at_start(cls, timeline: Timeline) -> "Presence":
        """Before anything has happened."""
        return cls(
            down=dict.fromkeys(timeline.away, 1),
            to_come=list(reversed(timeline.at_round)),
            timed=len(timeline.at_ns),
        )

    def is_up(self, peer: int) -> bool:
        """Whether a peer is there."""
        return peer not in self.down and peer not in self.left

    def is_open(self, source: int, destination: int) -> bool:
        """Whether a link carries messages."""
        edge = (source, destination)
        return edge not in self.cut and edge not in self.parted and edge not in self.closed

    def is_over(self, peers: int, finished: Collection[int]) -> bool:
        """Whether nobody of so many peers will do anything any more, however they come and go."""
        waits = self.timed > 0
        return all(
            p in finished or p in self.left or (self.down.get(p, 0) & 1 and not waits)
            for p in range(peers)
        )

    def reaches(self, source: int, destination: int) -> bool:
        """Whether a peer is there, and its link to another open."""
        return self.is_up(source) and self.is_open(source, destination)

    def begins(self, peer: int, round_: int) -> list[Change]:
        """A peer begins a round. Gives what was to happen when the first does."""
        self.rounds[peer] = round_
        changes = []
        while self.to_come and self.to_come[-1][0] <= round_:
            due, change = self.to_come.pop()
            changes.append(change._replace(round=due))
        return changes

    def joins_in(self, peer: int, others: Iterable[int], finished: Collection[int]) -> int:
        """The latest round of those others that are there: where a peer that is back goes on."""
        rounds = [
            self.rounds[other]
            for other in others
            if self.is_up(other) and other not in finished and other in self.rounds
        ]
        return max(rounds, default=self.rounds.get(peer, 1))

    def apply(
        self,
        change: Change,
        neighbours: Callable[[int], Collection[int]],
        finished: Collection[int],
    ) -> tuple[list[int], list[tuple[int, Away | Back]]]:
        """Carry a change out.

        Args:
            change: What happens.
            neighbours: To whom a peer sends.
            finished: Who has ended, and is neither down nor up any more.

        Returns:
            The peers that this brings up, or down, or slows down; and which peers are to be told
            that they no longer hear another, or hear it again.
        """
        if change.what in ("down", "up", "leave"):
            return self._move(change, neighbours, finished)
        if change.what == "slow":
            for peer in change.peers:
                self.slow[peer] = change.factor
            return list(change.peers), []
        touched = set(change.edges)
        if change.what in ("partition", "heal"):
            touched |= self.parted
        elif change.what == "vary":
            touched |= self.closed
        before = {edge: self.reaches(*edge) for edge in sorted(touched)}
        if change.what == "link_down":
            self.cut |= touched
        elif change.what == "link_up":
            self.cut -= touched
        elif change.what == "vary":
            self.closed = set(change.edges)
        else:
            self.parted = set(change.edges)
        return [], self._news(before, finished)

    def _move(
        self,
        change: Change,
        neighbours: Callable[[int], Collection[int]],
        finished: Collection[int],
    ) -> tuple[list[int], list[tuple[int, Away | Back]]]:
        peers = [p for p in change.peers if p not in finished and p not in self.left]
        edges = sorted((p, other) for p in peers for other in neighbours(p))
        before = {edge: self.reaches(*edge) for edge in edges}
        were_up = {peer: self.is_up(peer) for peer in peers}
        for peer in peers:
            causes = self.down.pop(peer, 0)
            if change.what == "leave":
                self.left.add(peer)
                self.asleep.pop(peer, None)
            else:
                up = change.what == "up"
                if change.anew and causes & change.cause:
                    self.anew.add(peer)
                causes = causes & ~change.cause if up else causes | change.cause
                if causes:
                    self.down[peer] = causes
        moved = [peer for peer in peers if self.is_up(peer) != were_up[peer] or peer in self.left]
        return moved, self._news(before, finished)

    def _news(
        self, before: dict[Edge, bool], finished: Collection[int]
    ) -> list[tuple[int, Away | Back]]:
        news: list[tuple[int, Away | Back]] = []
        for (source, destination), reached in before.items():
            if source not in finished and self.reaches(source, destination) != reached:
                news.append((destination, Away(source) if reached else Back(source)))
        return news
