"""Messages on their way through the emulated links: sent, lost, sent again, held, queued, arrived.

It counts what becomes of each. What is to happen later it puts on the agenda of whoever runs it,
who gives it back at that time: :class:`AtDownlink` to ``queue``, :class:`Again` to ``transmit``,
and ``Received`` to ``arrive`` on its way to the peer.
"""

from collections.abc import Collection, Mapping, Sequence
from math import inf
from typing import Any, NamedTuple, Protocol

from actors.observer import EdgeCounts, MessageObserver
from actors.presence import Presence
from actors.protocols.events import Count, Envelope, Gone, Received, Send
from graphs.links import Links

HEADER_BYTES = 64
"""What a message is longer than its payload, as the network's model has it."""

_GIVEN = frozenset({
    "_links", "_observer", "_message_bytes", "_most_bytes", "_messages", "_presence", "_finished",
    "_push", "_counts_from",
})  # fmt: skip
"""What a transport is made with or finds anew. Its other attributes are its state, beside the
links'."""


class AtDownlink(NamedTuple):
    """A message has reached its destination's downlink and queues there."""

    envelope: Envelope


class Again(NamedTuple):
    """A message that was lost is to be sent once more."""

    envelope: Envelope
    tries: int


class Push(Protocol):
    """Has something happen at a peer, at a time."""

    def __call__(
        self, at_ns: int, peer: int, event: Received | Gone | AtDownlink | Again
    ) -> object:
        """The result is of no use here."""
        ...


class Transport:
    """Carries all messages of a run. Who calls keeps the order, and hands in the time."""

    def __init__(
        self,
        links: Links,
        observer: MessageObserver,
        push: Push,
        *,
        edges: Sequence[tuple[int, int]],
        message_bytes: Sequence[int],
        most_bytes: float | None,
        messages: bool,
        presence: Presence | None,
        finished: Collection[int],
    ) -> None:
        """Put it beside an engine.

        Args:
            links: The emulated network.
            observer: Who writes down.
            push: Has something happen later.
            edges: Directed edges that may carry messages.
            message_bytes: Size of each peer's messages on the wire, header included.
            most_bytes: How many all may send together; None: any number.
            messages: Whether the observer hears of each message.
            presence: Who is there; None where everybody is and every link is open, always.
            finished: Who has ended. This and the presence are the engine's, who changes them.
        """
        self.counts = {edge: EdgeCounts() for edge in sorted(edges)}
        self._counts_from = _by_source(self.counts)
        self.sent_bytes = 0
        self._links = links
        self._observer = observer
        self._push = push
        self._message_bytes = message_bytes
        self._most_bytes = inf if most_bytes is None else most_bytes
        self._messages = messages
        self._presence = presence
        self._finished = finished
        self._held: dict[tuple[int, int], list[Envelope]] = {}
        """What waits behind a message that is to be sent again, where links keep their order."""

    def state(self) -> dict[str, Any]:
        """All that changes, as plain data with handles in it."""
        own = {name: value for name, value in vars(self).items() if name not in _GIVEN}
        return own | {"links": self._links.state()}

    def restore(
        self, state: Mapping[str, Any], presence: Presence | None, finished: Collection[int]
    ) -> None:
        """Take up what ``state`` gave, with the presence and the finished of that moment."""
        parts = dict(state)
        self._links.restore(parts.pop("links"))
        vars(self).update(parts, _presence=presence, _finished=finished)
        self._counts_from = _by_source(self.counts)

    # ------------------------------------------------------------ at the source

    def send(self, now_ns: int, source: int, send: Send) -> bool:
        """Put a new message on its link. False if that is more than may be sent."""
        destination, round_, handle, answers = send
        if self._presence is not None and (source, destination) in self._presence.closed:
            return True  # there is no such edge now
        size = self._message_bytes[source]
        if self.sent_bytes + size > self._most_bytes:
            return False
        self.sent_bytes += size
        counts = self._counts_from[source][destination]
        counts.sent += 1
        counts.bytes += size
        envelope = Envelope(source, destination, round_, size, handle, answers)
        if self._held and (source, destination) in self._held:
            self._held[source, destination].append(envelope)
            return True
        self.transmit(now_ns, envelope)
        return True

    def transmit(self, now_ns: int, envelope: Envelope, tries: int = 0) -> None:
        """Put a message on its link, which has carried it so many times before, in vain."""
        source, destination, _, size, _, _ = envelope
        links = self._links
        at_ns = links.send(source, destination, size, now_ns, tries > 0)
        if self._presence is not None and not self._presence.reaches(source, destination):
            at_ns = None  # it has drawn all the same, so no event moves a later message's draws
        copy_ns = None
        if links.duplicates and tries == 0:
            copy_ns = links.copy(source, destination, now_ns, at_ns is not None)
        if at_ns is None:
            if self._will_retry(now_ns, envelope, tries + 1):
                return
        else:
            if self._messages:
                self._observer.message(now_ns, "sent", envelope)
            queues = links.has_downlink
            self._push(at_ns, destination, AtDownlink(envelope) if queues else Received(envelope))
            if copy_ns is not None:
                self.counts[source, destination].duplicated += 1
                copy = AtDownlink(envelope) if queues else Received(envelope)
                self._push(copy_ns, destination, copy)
        if self._held:
            self._let_go(now_ns, source, destination)

    def _will_retry(self, now_ns: int, envelope: Envelope, tries: int) -> bool:
        """A message was lost after so many tries. Returns whether it will be sent again."""
        source, destination = envelope.source, envelope.destination
        counts = self.counts[source, destination]
        again_ns = self._links.retry_ns(source, tries, now_ns)
        if self._messages:
            what = "dropped" if again_ns is None else "lost"
            self._observer.message(now_ns, what, envelope)
        if again_ns is None:
            counts.dropped += 1
            self._gone_behind(now_ns, source, destination)
            return False
        counts.retried += 1
        if self._links.holds:
            self._held.setdefault((source, destination), [])
        self._push(again_ns, source, Again(envelope, tries))
        return True

    def _let_go(self, now_ns: int, source: int, destination: int) -> None:
        """Send what was held behind a message, up to the next that has to be sent again."""
        waiting = self._held.pop((source, destination), [])
        for k, held in enumerate(waiting):
            self.transmit(now_ns, held)
            if (source, destination) in self._held:
                self._held[source, destination] += waiting[k + 1 :]
                break

    # ------------------------------------------------------------ at the destination

    def queue(self, now_ns: int, envelope: Envelope) -> None:
        """A message has reached its destination's downlink."""
        destination = envelope.destination
        at_ns = self._links.receive(destination, envelope.size_bytes, now_ns)
        self._push(at_ns, destination, Received(envelope))

    def arrive(self, now_ns: int, envelope: Envelope) -> None:
        """A message is there, and its peer will hear of it."""
        source, destination = envelope.source, envelope.destination
        self._counts_from[source][destination].arrived += 1
        if self._messages:
            self._observer.message(now_ns, "arrived", envelope)
        if source in self._finished:
            self._gone_behind(now_ns, source, destination)

    def count(self, peer: int, said: Count) -> None:
        """A peer says what became of a message to it that is in no merge."""
        counts = self.counts[said.sender, peer]
        if said.what == "late":
            counts.late += 1
        elif said.what == "accepted":
            counts.accepted += 1
        else:
            counts.rejected += 1

    def lose(self, now_ns: int, envelope: Envelope) -> None:
        """A message has come to a peer that is down, or to the end of a link that is closed."""
        self.counts[envelope.source, envelope.destination].dropped += 1
        if self._messages:
            self._observer.message(now_ns, "dropped", envelope)
        self._gone_behind(now_ns, envelope.source, envelope.destination)

    # ------------------------------------------------------------ the end of a peer

    def end(self, now_ns: int, source: int, neighbours: Sequence[int]) -> None:
        """A peer has ended: who has a message of it under way learns of it behind that."""
        for neighbour in neighbours:
            if not self.counts[source, neighbour].in_flight:
                self._push(now_ns, neighbour, Gone(source))

    def _gone_behind(self, now_ns: int, source: int, destination: int) -> None:
        """Nothing more will come of a peer that has ended, if that was its last message."""
        if source in self._finished and not self.counts[source, destination].in_flight:
            self._push(now_ns, destination, Gone(source))


def _by_source(
    counts: Mapping[tuple[int, int], EdgeCounts],
) -> dict[int, dict[int, EdgeCounts]]:
    """The same counts by source and destination: found more quickly, as no pair is made."""
    found: dict[int, dict[int, EdgeCounts]] = {}
    for (source, destination), edge in counts.items():
        found.setdefault(source, {})[destination] = edge
    return found
