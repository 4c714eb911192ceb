"""The loop: the only one in the project.

A run is one agenda by ``(time_ns, sequence)``. The engine pops an event, hands it to its peer's
protocol, and carries out the effects: work is submitted at once and completes, as an event, after
its modelled time; a message goes through the emulated links. What flows on is a handle, never a
value. So the order of events is a function of the scenario and its seed alone.
"""

from collections.abc import Callable, Mapping, Sequence
from heapq import heappop, heappush
from typing import Any, Literal, TypeAlias

from actors.agenda import Agenda
from actors.budget import Budget
from actors.comings import Comings, Happens, Moment
from actors.executor import Executor, Task, task_of
from actors.observer import EdgeCounts, Observer
from actors.prepared import Prepared
from actors.presence import Presence
from actors.protocols.events import (
    MERGES,
    BudgetSpent,
    Conclude,
    Count,
    Effect,
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
from actors.transport import Again, AtDownlink, Transport
from graphs.availability import Timeline
from graphs.events import Change
from graphs.links import Links
from graphs.open_edges import OpenEdges

LOOK_EVERY_S = 0.5
"""How soon a wait for content notices that the run is to stop. Wall time."""


_GIVEN = frozenset({
    "_agenda", "_push", "_protocols", "_executor", "_observer", "_work_ns", "_outputs", "_watchers",
    "_keeps_models", "_prepares", "_prepared", "_neighbours", "_comings", "_transport", "_most_ns",
})  # fmt: skip
"""What an engine is made with, or has a state of its own. Its other attributes are its state."""


_Item: TypeAlias = Event | Need | AtDownlink | Again | Happens
"""What the agenda holds."""

_OF_THE_NETWORK = (AtDownlink, Again, Happens, Received)
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
        self.spent: Literal["bytes", "virtual_s"] | None = None
        """What of the budget was used up first; None while there is some of each left."""
        self._most_ns = round(1e9 * budget.virtual_s) if budget and budget.virtual_s else None
        self._protocols = protocols
        self._executor = executor
        self._observer = observer
        self._work_ns = work_ns
        self._outputs = outputs
        self._watchers = watchers
        self._keeps_models = keeps_models
        self._prepares = prepares
        self._prepared = Prepared(executor, 2 * sum(outputs))
        self._agenda: Agenda[_Item] = Agenda()
        self._push = self._agenda.push
        self._neighbours: dict[int, list[int]] = {}
        for source, destination in sorted(edges):
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

            def renew(peer: int, round_: int) -> None:
                executor.submit(peer, Task("renew", round_), ())

            self._presence = Presence.at_start(known)
            self._comings = Comings(
                known, open_edges, self._neighbours, self._push, observer.note, renew
            )
        self._transport = Transport(
            links,
            observer,
            self._push,
            edges=edges,
            message_bytes=message_bytes,
            most_bytes=budget.bytes if budget else None,
            messages=messages,
            presence=self._presence,
            finished=self._finished,
        )

    @property
    def counts(self) -> Mapping[tuple[int, int], EdgeCounts]:
        """What became of the messages of each directed edge."""
        return self._transport.counts

    @property
    def sent_bytes(self) -> int:
        """What everybody has put on the links."""
        return self._transport.sent_bytes

    def run(self, stopping: Callable[[], bool] = lambda: False) -> bool:
        """Run to the end, the budget's too, or until ``stopping()`` says so between two events.

        Called again, it goes on where it stopped, and nothing has changed by that.

        Returns:
            Whether the end was reached.
        """
        agenda, protocols, transport = self._agenda, self._protocols, self._transport
        if not agenda.sequence:
            if self._comings is not None:
                self._comings.begin(self._moment())
            for peer in range(len(protocols)):
                self._push(0, peer, Started())
        while agenda.due or agenda.advance():
            if stopping():
                return False
            at_ns, sequence, peer, event = heappop(agenda.due)
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
                transport.arrive(at_ns, event.envelope)
                if self._dead and peer in self._dead:
                    continue
            elif isinstance(event, AtDownlink):
                self.now_ns = at_ns
                transport.queue(at_ns, event.envelope)
                continue
            elif isinstance(event, TimerFired):
                if peer in self._finished:
                    continue  # a run does not last until its unused timeouts
                self.now_ns = at_ns
            elif isinstance(event, Happens):
                self._happen(at_ns, event)
                continue
            elif isinstance(event, Again):
                self.now_ns = at_ns
                transport.transmit(at_ns, event.envelope, event.tries)
                continue
            else:
                self.now_ns = at_ns
                if isinstance(event, Need):
                    if not self._wait_for(event.handle, stopping):
                        heappush(agenda.due, (at_ns, sequence, peer, event))  # where it was
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
        self._agenda.clear()
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
            "agenda": self._agenda.state(),
            "machines": [vars(machine) for machine in self._protocols],
            "transport": self._transport.state(),
            "prepared": self._prepared.state(),
        }

    def restore(self, state: Mapping[str, Any]) -> None:
        """Take up what ``state`` gave, in an engine that was made alike and has not run yet."""
        parts = dict(state)
        transport = parts.pop("transport")
        self._agenda.restore(parts.pop("agenda"))
        self._prepared.restore(parts.pop("prepared"))
        for machine, attributes in zip(self._protocols, parts.pop("machines"), strict=True):
            vars(machine).update(attributes)
        vars(self).update(parts)
        self._transport.restore(transport, self._presence, self._finished)

    # ------------------------------------------------------------ effects

    def _carry_out(self, peer: int, effect: Effect) -> None:
        if isinstance(effect, Send):
            if not self._transport.send(self.now_ns, peer, effect):
                self.spent = "bytes"
        elif isinstance(effect, Work):
            self._submit(peer, effect)
        elif isinstance(effect, SetTimer):
            self._push(
                self.now_ns + effect.after_ns,
                peer,
                TimerFired(effect.tag),
            )
        elif isinstance(effect, Count):
            self._transport.count(peer, effect)
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

    def _submit(self, peer: int, work: Work) -> None:
        after_ns = self._work_ns(peer, work)
        if self._presence is not None and peer in self._presence.slow:
            after_ns = round(after_ns * self._presence.slow[peer])
        if work.kind == "rest":
            self._push(self.now_ns + after_ns, peer, WorkDone(work.kind, work.round, (), None))
            return
        task = task_of(work, self._outputs[peer])
        inputs = [parcel.handle for parcel in work.inputs]
        if work.kind in MERGES and peer in self._prepares and work.stance == "benign":
            inputs += self._prepared.of(peer, work.round, [*inputs, work.own])
        outcome = self._executor.submit(peer, task, inputs)
        if work.kind in MERGES:
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
        self._transport.end(self.now_ns, peer, self._neighbours.get(peer, ()))

    # ------------------------------------------------------------ who is there

    def _keeps(self, at_ns: int, sequence: int, peer: int, event: _Item) -> bool:
        """Whether an event does not reach its peer, now or ever."""
        presence = self._presence
        assert presence is not None
        if isinstance(event, Received | AtDownlink):
            if presence.is_up(peer) and presence.is_open(event.envelope.source, peer):
                return False
            self.now_ns = at_ns
            self._transport.lose(at_ns, event.envelope)
            return True
        if isinstance(event, Again | Happens):
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
