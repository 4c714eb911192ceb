"""The heap and the loop: the only one in the project.

A run is one heap of ``(time_ns, sequence)``. The engine pops an event, hands it to its peer's
protocol, and carries out the effects: work is submitted at once and completes, as an event, after
its modelled time; a message goes through the emulated links. What flows on is a handle, never a
value. So the order of events is a function of the scenario and its seed alone.
"""

from collections.abc import Callable, Mapping, Sequence
from heapq import heappop, heappush
from typing import Any, NamedTuple

from actors.executor import Executor, Task
from actors.observer import EdgeCounts, Observer
from actors.prepared import Prepared
from actors.protocols.events import (
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
    Observed,
    PeerProtocol,
    Received,
    Resolved,
    Send,
    SetTimer,
    Started,
    TimerFired,
    Work,
    WorkDone,
)
from graphs.links import Links

HEADER_BYTES = 64
"""What a message is longer than its payload, as the network's model has it."""
LOOK_EVERY_S = 0.5
"""How soon a wait for content notices that the run is to stop. Wall time."""


_GIVEN = frozenset({
    "_protocols", "_links", "_executor", "_observer", "_work_ns", "_message_bytes", "_outputs",
    "_watchers", "_messages", "_keeps_models", "_prepares", "_prepared", "_neighbours",
})  # fmt: skip
"""What an engine is made with. Its other attributes are its state."""


class _AtDownlink(NamedTuple):
    """A message has reached its destination's downlink and queues there."""

    envelope: Envelope


class Engine:
    """Runs the protocols of all peers over the links until nothing is left to happen."""

    def __init__(
        self,
        protocols: Sequence[PeerProtocol],
        links: Links,
        executor: Executor,
        observer: Observer,
        *,
        edges: Sequence[tuple[int, int]],
        work_ns: Callable[[int, Work], int],
        message_bytes: Sequence[int],
        outputs: Sequence[int],
        watchers: Mapping[int, Sequence[int]],
        messages: bool = False,
        keeps_models: bool = False,
        prepares: frozenset[int] = frozenset(),
    ) -> None:
        """Put the parts together.

        Args:
            protocols: One per peer, by id.
            links: The emulated network.
            executor: Who computes.
            observer: Who writes down.
            edges: Directed edges that may carry messages.
            work_ns: Modelled time of a peer's work.
            message_bytes: Size of each peer's messages on the wire, header included.
            outputs: How many updates a peer's ``craft`` returns: 1, or one per neighbour.
            watchers: For each peer, the adversaries that see what it trained.
            messages: Whether the observer hears of each message.
            keeps_models: Whether the observer gets the evaluated models, for measures over all.
            prepares: Whose merges want each message prepared: once a message, for all of them.
        """
        self.now_ns = 0
        self.counts = {edge: EdgeCounts() for edge in sorted(edges)}
        self._protocols = protocols
        self._links = links
        self._executor = executor
        self._observer = observer
        self._work_ns = work_ns
        self._message_bytes = message_bytes
        self._outputs = outputs
        self._watchers = watchers
        self._messages = messages
        self._keeps_models = keeps_models
        self._prepares = prepares
        self._prepared = Prepared(executor, 2 * sum(outputs))
        self._heap: list[tuple[int, int, int, Event | Need | _AtDownlink]] = []
        self._sequence = 0
        self._neighbours: dict[int, list[int]] = {}
        for source, destination in self.counts:
            self._neighbours.setdefault(source, []).append(destination)
        self._finished: set[int] = set()

    def run(self, stopping: Callable[[], bool] = lambda: False) -> bool:
        """Run to the end, or until ``stopping()`` says so between two events.

        Called again, it goes on where it stopped, and nothing has changed by that.

        Returns:
            Whether the end was reached.
        """
        if not self._sequence:
            for peer in range(len(self._protocols)):
                self._push(0, peer, Started())
        heap, protocols = self._heap, self._protocols
        while heap:
            if stopping():
                return False
            at_ns, sequence, peer, event = heappop(heap)
            if isinstance(event, TimerFired) and peer in self._finished:
                continue  # a run does not last until its unused timeouts
            self.now_ns = at_ns
            if isinstance(event, _AtDownlink):
                self._queue_at_downlink(event.envelope)
                continue
            if isinstance(event, Need):
                if not self._wait_for(event.handle, stopping):
                    heappush(heap, (at_ns, sequence, peer, event))  # where it was
                    return False
                event = Resolved(event.tag, *self._executor.fetch([event.handle]))
            if isinstance(event, Received):
                self._arrive(event.envelope)
            elif isinstance(event, WorkDone) and event.kind in ("train", "answer"):
                self._show(peer, event)
            for effect in protocols[peer].on(event, at_ns):
                self._carry_out(peer, effect)
        return True

    # ------------------------------------------------------------ snapshots

    def state(self) -> dict[str, Any]:
        """All that changes, as plain data with handles in it. To be asked for between two runs."""
        own = {name: value for name, value in vars(self).items() if name not in _GIVEN}
        return own | {
            "machines": [vars(machine) for machine in self._protocols],
            "links": self._links.state(),
            "prepared": self._prepared.state(),
        }

    def restore(self, state: Mapping[str, Any]) -> None:
        """Take up what ``state`` gave, in an engine that was made alike and has not run yet."""
        parts = dict(state)
        self._links.restore(parts.pop("links"))
        self._prepared.restore(parts.pop("prepared"))
        for machine, attributes in zip(self._protocols, parts.pop("machines"), strict=True):
            vars(machine).update(attributes)
        vars(self).update(parts)

    # ------------------------------------------------------------ effects

    def _carry_out(self, peer: int, effect: Effect) -> None:
        if isinstance(effect, Send):
            self._send(peer, effect)
        elif isinstance(effect, Work):
            self._submit(peer, effect)
        elif isinstance(effect, SetTimer):
            self._push(
                self.now_ns + effect.after_ns,
                peer,
                TimerFired(effect.tag),
            )
        elif isinstance(effect, Count):
            counts = self.counts[effect.sender, peer]
            if effect.what == "late":
                counts.late += 1
            elif effect.what == "accepted":
                counts.accepted += 1
            else:
                counts.rejected += 1
        elif isinstance(effect, Note):
            self._observer.note(self.now_ns, peer, effect.event, effect.round, effect.data)
        elif isinstance(effect, Evaluate):
            task = Task("evaluate", effect.round, outputs=int(self._keeps_models))
            outcome = self._executor.submit(peer, task, ())
            self._observer.evaluated(self.now_ns, peer, effect.round, outcome)
        elif isinstance(effect, Need):
            self._push(self.now_ns, peer, effect)
        elif isinstance(effect, Finished):
            self._finish(peer)

    def _send(self, source: int, send: Send) -> None:
        destination = send.destination
        size = self._message_bytes[source]
        counts = self.counts[source, destination]
        counts.sent += 1
        counts.bytes += size
        envelope = Envelope(source, destination, send.round, size, send.handle)
        at_ns = self._links.send(source, destination, size, self.now_ns)
        if self._messages:
            self._observer.message(
                self.now_ns, "sent" if at_ns is not None else "dropped", envelope
            )
        if at_ns is None:
            counts.dropped += 1
        else:
            queues = self._links.has_downlink
            self._push(at_ns, destination, _AtDownlink(envelope) if queues else Received(envelope))

    def _queue_at_downlink(self, envelope: Envelope) -> None:
        destination = envelope.destination
        at_ns = self._links.receive(destination, envelope.size_bytes, self.now_ns)
        self._push(at_ns, destination, Received(envelope))

    def _arrive(self, envelope: Envelope) -> None:
        source, destination = envelope.source, envelope.destination
        counts = self.counts[source, destination]
        counts.arrived += 1
        if self._messages:
            self._observer.message(self.now_ns, "arrived", envelope)
        if source in self._finished and not counts.in_flight:
            self._push(self.now_ns, destination, Gone(source))

    def _submit(self, peer: int, work: Work) -> None:
        outputs = {"craft": self._outputs[peer], "merge": 0}.get(work.kind, work.outputs)
        senders = work.clients or tuple(parcel.sender for parcel in work.inputs)
        claimed = tuple(parcel.round for parcel in work.inputs)
        task = Task(work.kind, work.round, senders, claimed, outputs)
        inputs = [parcel.handle for parcel in work.inputs]
        if work.kind == "merge" and peer in self._prepares:
            inputs += self._prepared.of(peer, work.round, [*inputs, work.own])
        outcome = self._executor.submit(peer, task, inputs)
        if work.kind == "merge":
            self._observer.merged(self.now_ns, peer, work.round, outcome.summary)
        done = WorkDone(work.kind, work.round, outcome.updates, outcome.summary)
        self._push(self.now_ns + self._work_ns(peer, work), peer, done)

    def _wait_for(self, handle: Handle, stopping: Callable[[], bool]) -> bool:
        """Wait for the content of one summary; False if told to stop before it is there."""
        self._executor.waits += 1
        while not self._executor.resolved([handle], LOOK_EVERY_S):
            if stopping():
                return False
        return True

    def _show(self, peer: int, done: WorkDone) -> None:
        for adversary in self._watchers.get(peer, ()):
            self._push(self.now_ns, adversary, Observed(peer, done.round, done.handles[0]))

    def _finish(self, peer: int) -> None:
        """Tell the neighbours; those to whom a message is on its way learn of it behind that."""
        self._finished.add(peer)
        for neighbour in self._neighbours.get(peer, ()):
            if not self.counts[peer, neighbour].in_flight:
                self._push(self.now_ns, neighbour, Gone(peer))

    def _push(self, at_ns: int, peer: int, event: Event | Need | _AtDownlink) -> None:
        self._sequence += 1
        heappush(self._heap, (at_ns, self._sequence, peer, event))
