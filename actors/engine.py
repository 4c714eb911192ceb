"""The heap and the loop: the only one in the project.

A run is one heap of ``(time_ns, sequence)``. The engine pops an event, hands it to its peer's
protocol, and carries out the effects: work is submitted at once and completes, as an event, after
its modelled time; a message goes through the emulated links. What flows on is a handle, never a
value. So the order of events is a function of the scenario and its seed alone.
"""

from collections.abc import Callable, Mapping, Sequence
from heapq import heappop, heappush
from math import inf
from typing import Any, Literal, NamedTuple, TypeAlias

from actors.budget import Budget
from actors.comings import Comings, Happens, Moment
from actors.executor import Executor, Task
from actors.observer import EdgeCounts, Observer
from actors.prepared import Prepared
from actors.presence import Presence
from actors.protocols.events import (
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
from graphs.availability import Timeline
from graphs.events import Change
from graphs.links import Links
from graphs.open_edges import OpenEdges

HEADER_BYTES = 64
"""What a message is longer than its payload, as the network's model has it."""
LOOK_EVERY_S = 0.5
"""How soon a wait for content notices that the run is to stop. Wall time."""


_GIVEN = frozenset({
    "_protocols", "_links", "_executor", "_observer", "_work_ns", "_message_bytes", "_outputs",
    "_watchers", "_messages", "_keeps_models", "_prepares", "_prepared", "_neighbours",
    "_comings", "_most_bytes", "_most_ns",
})  # fmt: skip
"""What an engine is made with. Its other attributes are its state."""


class _AtDownlink(NamedTuple):
    """A message has reached its destination's downlink and queues there."""

    envelope: Envelope


class _Again(NamedTuple):
    """A message that was lost is to be sent once more."""

    envelope: Envelope
    tries: int


_Item: TypeAlias = Event | Need | _AtDownlink | _Again | Happens
"""What the heap holds."""

_OF_THE_NETWORK = (_AtDownlink, _Again, Happens, Received)
"""What happens whether or not the peer's process is still alive."""


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
        timeline: Timeline | None = None,
        open_edges: OpenEdges | None = None,
        budget: Budget | None = None,
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
            timeline: Who comes and goes, and which links open and close; None: nothing changes.
            open_edges: Which links are open in which step of a graph that varies by time.
            budget: What may be used up before the run ends; None: it ends with its last event.
        """
        self.now_ns = 0
        self.sent_bytes = 0
        self.spent: Literal["bytes", "virtual_s"] | None = None
        """What of the budget was used up first; None while there is some of each left."""
        self._most_bytes = budget.bytes if budget and budget.bytes else inf
        self._most_ns = round(1e9 * budget.virtual_s) if budget and budget.virtual_s else None
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
        self._heap: list[tuple[int, int, int, _Item]] = []
        self._held: dict[tuple[int, int], list[Envelope]] = {}
        """What waits behind a message that is to be sent again, where links keep their order."""
        self._sequence = 0
        self._neighbours: dict[int, list[int]] = {}
        for source, destination in self.counts:
            self._neighbours.setdefault(source, []).append(destination)
        self._finished: set[int] = set()
        self._presence: Presence | None = None
        """None where everybody is there and every link is open, always."""
        self._dead: set[int] = set()
        self._due: list[Change] = []
        """What happens when this event has been carried out; empty between events."""
        self._comings: Comings | None = None
        if timeline or open_edges is not None:
            known = timeline or Timeline()
            self._presence = Presence.at_start(known)
            self._comings = Comings(
                known, open_edges, self._neighbours, self._push, observer.note, self._renew
            )

    def run(self, stopping: Callable[[], bool] = lambda: False) -> bool:
        """Run to the end, the budget's too, or until ``stopping()`` says so between two events.

        Called again, it goes on where it stopped, and nothing has changed by that.

        Returns:
            Whether the end was reached.
        """
        heap, protocols = self._heap, self._protocols
        if not self._sequence:
            if self._comings is not None:
                self._comings.begin(self._moment())
            for peer in range(len(protocols)):
                self._push(0, peer, Started())
        while heap:
            if stopping():
                return False
            at_ns, sequence, peer, event = heappop(heap)
            if self._most_ns is not None and at_ns > self._most_ns:
                self.spent = "virtual_s"
                self._conclude(self._most_ns)
                break
            if self._dead and peer in self._dead and not isinstance(event, _OF_THE_NETWORK):
                continue
            if self._presence is not None and self._keeps(at_ns, sequence, peer, event):
                continue
            if isinstance(event, Received):
                self.now_ns = at_ns
                self._arrive(event.envelope)
                if self._dead and peer in self._dead:
                    continue
            elif isinstance(event, _AtDownlink):
                self.now_ns = at_ns
                self._queue_at_downlink(event.envelope)
                continue
            elif isinstance(event, TimerFired):
                if peer in self._finished:
                    continue  # a run does not last until its unused timeouts
                self.now_ns = at_ns
            elif isinstance(event, Happens):
                self._happen(at_ns, event)
                continue
            elif isinstance(event, _Again):
                self.now_ns = at_ns
                self._transmit(event.envelope, event.tries)
                continue
            else:
                self.now_ns = at_ns
                if isinstance(event, Need):
                    if not self._wait_for(event.handle, stopping):
                        heappush(heap, (at_ns, sequence, peer, event))  # where it was
                        return False
                    event = Resolved(event.tag, *self._executor.fetch([event.handle]))
                elif isinstance(event, WorkDone) and event.kind in ("train", "answer"):
                    self._show(peer, event)
            for effect in protocols[peer].on(event, at_ns):
                self._carry_out(peer, effect)
                if self.spent is not None:
                    self._conclude(at_ns)
                    break
            if self._due:
                self._happens_now()
        return True

    def lose(self, peer: int) -> None:
        """A peer's process died: it does nothing any more, and who waits for it learns of it."""
        if peer not in self._dead:
            self._dead.add(peer)
            if peer not in self._finished:
                self._finish(peer)
            for adversary in self._watchers.get(peer, ()):
                if (peer, adversary) not in self.counts:
                    self._push(self.now_ns, adversary, Gone(peer))

    def _conclude(self, at_ns: int) -> None:
        """The budget is spent: nothing happens any more but what peers do to conclude."""
        self._heap.clear()
        self._due.clear()
        ended_ns, self.now_ns = self.now_ns, at_ns
        cut_short = False
        for peer, protocol in enumerate(self._protocols):
            if peer not in self._finished:
                for effect in protocol.on(BudgetSpent(), self.now_ns):
                    self._carry_out(peer, effect)
                    cut_short = True
        if not cut_short:  # all rounds were over; what is late changed nothing any more
            self.spent, self.now_ns = None, ended_ns

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
            if self._presence is not None and effect.event == "round_start":
                self._due += self._presence.begins(peer, effect.round)
                if self._due and all(change.what == "slow" for change in self._due):
                    self._happens_now()  # it holds for the work that begins now
        elif isinstance(effect, Evaluate):
            task = Task("evaluate", effect.round, outputs=int(self._keeps_models))
            outcome = self._executor.submit(peer, task, ())
            self._observer.evaluated(self.now_ns, peer, effect.round, outcome, self.sent_bytes)
        elif isinstance(effect, Conclude):
            self._executor.submit(peer, Task("conclude", effect.round), ())
        elif isinstance(effect, Need):
            self._push(self.now_ns, peer, effect)
        elif isinstance(effect, Finished):
            self._finish(peer)

    def _send(self, source: int, send: Send) -> None:
        destination = send.destination
        if self._presence is not None and (source, destination) in self._presence.closed:
            return  # there is no such edge now
        size = self._message_bytes[source]
        if self.sent_bytes + size > self._most_bytes:
            self.spent = "bytes"
            return
        self.sent_bytes += size
        counts = self.counts[source, destination]
        counts.sent += 1
        counts.bytes += size
        envelope = Envelope(source, destination, send.round, size, send.handle)
        if self._held and (source, destination) in self._held:
            self._held[source, destination].append(envelope)
            return
        self._transmit(envelope)

    def _transmit(self, envelope: Envelope, tries: int = 0) -> None:
        """Put a message on its link, which has carried it so many times before, in vain."""
        source, destination, links = envelope.source, envelope.destination, self._links
        at_ns = links.send(source, destination, envelope.size_bytes, self.now_ns, tries > 0)
        if self._presence is not None and not self._presence.reaches(source, destination):
            at_ns = None  # it has drawn all the same, so no event moves a later message's draws
        copy_ns = None
        if links.duplicates and tries == 0:
            copy_ns = links.copy(source, destination, self.now_ns, at_ns is not None)
        if at_ns is None:
            if self._will_retry(envelope, tries + 1):
                return
        else:
            if self._messages:
                self._observer.message(self.now_ns, "sent", envelope)
            queues = links.has_downlink
            self._push(at_ns, destination, _AtDownlink(envelope) if queues else Received(envelope))
            if copy_ns is not None:
                self.counts[source, destination].duplicated += 1
                copy = _AtDownlink(envelope) if queues else Received(envelope)
                self._push(copy_ns, destination, copy)
        if self._held:
            self._let_go(source, destination)

    def _will_retry(self, envelope: Envelope, tries: int) -> bool:
        """A message was lost after so many tries. Returns whether it will be sent again."""
        source, destination = envelope.source, envelope.destination
        counts = self.counts[source, destination]
        again_ns = self._links.retry_ns(source, tries, self.now_ns)
        if self._messages:
            what = "dropped" if again_ns is None else "lost"
            self._observer.message(self.now_ns, what, envelope)
        if again_ns is None:
            counts.dropped += 1
            self._gone_behind(source, destination)
            return False
        counts.retried += 1
        if self._links.holds:
            self._held.setdefault((source, destination), [])
        self._push(again_ns, source, _Again(envelope, tries))
        return True

    def _let_go(self, source: int, destination: int) -> None:
        """Send what was held behind a message, up to the next that has to be sent again."""
        waiting = self._held.pop((source, destination), [])
        for k, held in enumerate(waiting):
            self._transmit(held)
            if (source, destination) in self._held:
                self._held[source, destination] += waiting[k + 1 :]
                break

    def _gone_behind(self, source: int, destination: int) -> None:
        """Nothing more will come of a peer that has ended, if that was its last message."""
        if source in self._finished and not self.counts[source, destination].in_flight:
            self._push(self.now_ns, destination, Gone(source))

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
        if source in self._finished:
            self._gone_behind(source, destination)

    def _submit(self, peer: int, work: Work) -> None:
        after_ns = self._work_ns(peer, work)
        if self._presence is not None and peer in self._presence.slow:
            after_ns = round(after_ns * self._presence.slow[peer])
        if work.kind == "rest":
            self._push(self.now_ns + after_ns, peer, WorkDone(work.kind, work.round, (), None))
            return
        outputs = {"craft": self._outputs[peer], "merge": 0}.get(work.kind, work.outputs)
        senders = work.clients or tuple(parcel.sender for parcel in work.inputs)
        claimed = tuple(parcel.round for parcel in work.inputs)
        task = Task(work.kind, work.round, senders, claimed, outputs, work.stance, work.members)
        inputs = [parcel.handle for parcel in work.inputs]
        if work.kind == "merge" and peer in self._prepares and work.stance == "benign":
            inputs += self._prepared.of(peer, work.round, [*inputs, work.own])
        outcome = self._executor.submit(peer, task, inputs)
        if work.kind == "merge":
            self._observer.merged(self.now_ns, peer, work.round, outcome.summary)
        done = WorkDone(work.kind, work.round, outcome.updates, outcome.summary)
        self._push(self.now_ns + after_ns, peer, done)

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

    # ------------------------------------------------------------ who is there

    def _keeps(self, at_ns: int, sequence: int, peer: int, event: _Item) -> bool:
        """Whether an event does not reach its peer, now or ever."""
        presence = self._presence
        assert presence is not None
        if isinstance(event, Received | _AtDownlink):
            source = event.envelope.source
            if presence.is_up(peer) and presence.is_open(source, peer):
                return False
            self.now_ns = at_ns
            self.counts[source, peer].dropped += 1
            if self._messages:
                self._observer.message(at_ns, "dropped", event.envelope)
            self._gone_behind(source, peer)
            return True
        if isinstance(event, _Again | Happens):
            return False
        asked = isinstance(event, Started | WorkDone | TimerFired | Need | Observed)
        if peer in presence.left or (asked and sequence <= presence.since.get(peer, -1)):
            return True
        if peer in presence.down and not isinstance(event, Need):
            presence.asleep.setdefault(peer, []).append(event)
            return True
        return False

    def _happen(self, at_ns: int, event: Happens) -> None:
        """Carry out what befalls peers or links, unless everything is over."""
        assert self._presence is not None
        assert self._comings is not None
        if not self._presence.is_over(len(self._protocols), self._finished):
            self.now_ns = at_ns  # a run does not last until changes that concern nobody
            self._comings.happen(self._moment(), event)

    def _happens_now(self) -> None:
        """A peer has begun a round in which something is to happen."""
        assert self._comings is not None
        due, self._due = self._due, []
        for change in due:
            self._comings.change(self._moment(), change)

    def _moment(self) -> Moment:
        assert self._presence is not None
        return Moment(self.now_ns, self._presence, self._finished)

    def _renew(self, peer: int, round_: int) -> None:
        self._executor.submit(peer, Task("renew", round_), ())

    def _push(self, at_ns: int, peer: int, event: _Item) -> int:
        self._sequence += 1
        heappush(self._heap, (at_ns, self._sequence, peer, event))
        return self._sequence
