"""One peer under the real clock: the engine's loop for it alone, with its own state machine.

It keeps what is to happen to its peer in a heap by time, sleeps until the first is due, hands it to
the same protocol that runs under the virtual clock, and carries out the effects: work is computed
beside it, and is done no sooner than its modelled time; a message is drawn for by the peer's own
links, the same as under the virtual clock, and goes at once to the other shell, which keeps it
until it is to arrive. So what a call takes on its way is a part of the delay and not added to it.
"""

import asyncio
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from heapq import heappop, heappush
from math import inf
from typing import Literal, TypeAlias

from actors.executor import Task, task_of
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
    Need,
    Note,
    Observed,
    Received,
    Resolved,
    Send,
    SetTimer,
    Started,
    TimerFired,
    Work,
    WorkDone,
)
from actors.real.clock import Clock
from actors.real.desk import Computes
from actors.real.journal import Blank, Fact, Journal, Late
from actors.real.mail import Ended, Mail, Post, Report, ShellSpec
from actors.transport import Again, AtDownlink, Transport

_Item: TypeAlias = Event | AtDownlink | Again | Ended


class Shell:
    """Runs one peer. All methods are for one event loop."""

    def __init__(self, spec: ShellSpec, desk: Computes, post: Post, clock: Clock) -> None:
        """Nothing happens before ``live``.

        Args:
            spec: The peer.
            desk: Who computes.
            post: Brings mail to the others.
            clock: The time, as all shells have it.
        """
        self.peer = spec.peer
        self.now_ns = 0
        """When the last thing happened to it."""
        self._spec = spec
        self._desk = desk
        self._post = post
        self._clock = clock
        self._journal = Journal(spec.peer)
        self._heap: list[tuple[int, int, int, _Item]] = []
        self._asked_ns = 0
        """When that was asked for which is put on the heap now."""
        self._sequence = 0
        self._woken = asyncio.Event()
        self._tasks: set[asyncio.Task[None]] = set()
        self._error: BaseException | None = None
        self._finished = self._over = self._cut_short = False
        self._handed_on: Counter[int] = Counter()
        """Messages that are on their way to each neighbour, or have come there."""
        self._heard: Counter[int] = Counter()
        self._told: set[int] = set()
        """Who knows that this peer has ended."""
        self._last: dict[int, int] = {}
        """Of those that have ended: how many messages they sent; until all have come."""
        self._posted: Counter[int] = Counter()
        self._taken: Counter[int] = Counter()
        outgoing = [(self.peer, target) for target in spec.targets]
        self._transport = Transport(
            spec.links,
            self._journal,
            self._push,
            edges=[*outgoing, *((sender, self.peer) for sender in spec.senders)],
            message_bytes=spec.message_bytes,
            most_bytes=None,
            messages=spec.messages,
            presence=None,
            finished=(),  # who has ended is said by Ended
        )
        self._push(0, self.peer, Started())
        if spec.ends_ns is not None:
            self._push(spec.ends_ns, self.peer, BudgetSpent())

    async def live(self) -> None:
        """Do what is due, until cancelled.

        Raises:
            RunError: If the peer's own code raised in its work.
        """
        try:
            while True:
                if self._error is not None:
                    raise self._error
                due_ns = self._heap[0][0] if self._heap else None
                if due_ns is None or due_ns > self._clock.now_ns():
                    self._woken.clear()
                    await self._clock.wait(self._woken, due_ns)
                    continue
                at_ns, _, asked_ns, item = heappop(self._heap)
                if not self._ignores(item):
                    self.now_ns = self._asked_ns = self._clock.now_ns()
                    self._happen(item, at_ns, asked_ns)
                    if self._finished:
                        self._tell_of_end()
                await asyncio.sleep(0)  # others on this loop have their turn
        finally:
            for task in self._tasks:
                task.cancel()

    def take(self, mail: Mail) -> None:
        """Mail has come."""
        self._taken[mail.source] += 1
        self._add(mail.at_ns, mail.asked_ns, mail.event)

    def lose(self, peer: int) -> None:
        """Another peer's process died."""
        if peer in self._spec.senders or peer in self._spec.watches:
            self._add(self._clock.now_ns(), self.now_ns, Gone(peer))

    def report(self) -> Report:
        """How it stands. Entries are given once."""
        entries, until_ns = self._journal.take(self._clock.now_ns())
        waits = any(
            not (self._ignores(item) or isinstance(item, BudgetSpent))
            for _, _, _, item in self._heap
        )
        return Report(
            self.peer,
            self.now_ns,
            entries,
            until_ns,
            idle=not (waits or self._tasks or self._error),
            cut_short=self._cut_short,
            posted=dict(self._posted),
            taken=dict(self._taken),
            counts={edge: replace(counts) for edge, counts in self._transport.counts.items()},
            sent_bytes=self._transport.sent_bytes,
        )

    # ------------------------------------------------------------ what happens

    def _ignores(self, item: _Item) -> bool:
        return self._over or (self._finished and isinstance(item, TimerFired | BudgetSpent))

    def _happen(self, item: _Item, at_ns: int, asked_ns: int) -> None:
        if isinstance(item, AtDownlink):
            # By the time at which it should be there: late at the downlink is not later behind it.
            self._asked_ns = asked_ns
            self._transport.queue(at_ns, item.envelope)
        elif isinstance(item, Again):
            self._transport.transmit(self.now_ns, item.envelope, item.tries)
        elif isinstance(item, Received):
            self._arrive(item, at_ns, asked_ns)
        elif isinstance(item, Ended):
            self._last[item.peer] = item.messages
            self._gone_behind_its_last(item.peer)
        elif isinstance(item, BudgetSpent):
            self._conclude(item)
        else:
            if isinstance(item, WorkDone):
                self._done(item, at_ns, asked_ns)
            self._react(item)

    def _arrive(self, item: Received, at_ns: int, asked_ns: int) -> None:
        envelope = item.envelope
        self._transport.arrive(self.now_ns, envelope)
        ends = (envelope.source, envelope.destination)
        self._took("message", *ends, envelope.round, at_ns, asked_ns)
        self._heard[envelope.source] += 1
        self._react(item)
        self._gone_behind_its_last(envelope.source)

    def _done(self, item: WorkDone, at_ns: int, asked_ns: int) -> None:
        if not self._spec.measured:
            self._took("work", self.peer, self.peer, item.round, at_ns, asked_ns)
        if item.kind in ("train", "answer"):
            for adversary in self._spec.watchers:
                seen = Observed(self.peer, item.round, item.handles[0])
                self._mail(adversary, self.now_ns, seen)

    def _took(
        self,
        what: Literal["message", "work"],
        source: int,
        destination: int,
        round_: int,
        at_ns: int,
        asked_ns: int,
    ) -> None:
        late = Late(what, source, destination, round_, at_ns - asked_ns, self.now_ns - asked_ns)
        self._journal.write(self.now_ns, late)

    def _gone_behind_its_last(self, peer: int) -> None:
        """Mail keeps no order: what a peer said of its end may come before its last message."""
        if self._heard[peer] >= self._last.get(peer, inf):
            del self._last[peer]
            self._react(Gone(peer))

    def _conclude(self, event: BudgetSpent) -> None:
        effects = self._spec.machine.on(event, self.now_ns)
        self._cut_short = bool(effects)
        for effect in effects:
            self._carry_out(effect)
        self._over = True

    # ------------------------------------------------------------ effects

    def _react(self, event: Event) -> None:
        for effect in self._spec.machine.on(event, self.now_ns):
            self._carry_out(effect)

    def _carry_out(self, effect: Effect) -> None:
        now_ns, transport = self.now_ns, self._transport
        if isinstance(effect, Send):
            transport.send(now_ns, self.peer, effect)
        elif isinstance(effect, Work):
            self._work(effect)
        elif isinstance(effect, SetTimer):
            self._push(now_ns + effect.after_ns, self.peer, TimerFired(effect.tag))
        elif isinstance(effect, Count):
            transport.count(self.peer, effect)
        elif isinstance(effect, Note):
            fact = Fact(effect.event, effect.round, effect.data, (), transport.sent_bytes)
            self._journal.write(now_ns, fact)
        elif isinstance(effect, Evaluate):
            task = Task("evaluate", effect.round, outputs=int(self._spec.keeps_models))
            fact = Fact("evaluate", effect.round, sent_bytes=transport.sent_bytes)
            self._compute(task, (), self._journal.keep(now_ns, fact))
        elif isinstance(effect, Conclude):
            self._compute(Task("conclude", effect.round), ())
        elif isinstance(effect, Need):
            self._push(now_ns, self.peer, Resolved(effect.tag, effect.handle))
        elif isinstance(effect, Finished):
            self._finished = True

    def _work(self, work: Work) -> None:
        after_ns = self._spec.work_ns(self.peer, work)
        if work.kind == "rest":
            done = WorkDone(work.kind, work.round, (), None)
            self._push(self.now_ns + after_ns, self.peer, done)
            return
        task = task_of(work, self._spec.crafts)
        inputs = [parcel.handle for parcel in work.inputs]
        blank = None
        if work.kind in MERGES:
            blank = self._journal.keep(self.now_ns, Fact("merge", work.round))
        prepares = self._spec.prepares and work.kind in MERGES and work.stance == "benign"
        if prepares:
            inputs.append(work.own)
        at_ns = None if self._spec.measured else self.now_ns + after_ns
        self._compute(task, inputs, blank, (work, at_ns), prepares)

    def _compute(
        self,
        task: Task,
        inputs: Sequence[object],
        blank: Blank | None = None,
        asked: tuple[Work, int | None] | None = None,
        prepares: bool = False,
    ) -> None:
        """Have a task run beside this loop, behind those before it.

        Args:
            task: What to do.
            inputs: The contents.
            blank: To be filled with what comes of it.
            asked: The work that it does, and when that is done at the earliest; None: at once.
            prepares: Whether to prepare the inputs first.
        """

        async def compute(asked_ns: int) -> None:
            results = await self._desk.run(self.peer, task, inputs, prepares)
            if blank is not None:
                self._journal.fill(blank, results)
            if asked is not None:
                work, at_ns = asked
                *updates, summary = results
                done = WorkDone(work.kind, work.round, tuple(updates), summary)
                self._add(self._clock.now_ns() if at_ns is None else at_ns, asked_ns, done)

        running = asyncio.create_task(compute(self.now_ns))
        self._tasks.add(running)
        running.add_done_callback(self._computed)

    def _computed(self, task: "asyncio.Task[None]") -> None:
        self._tasks.discard(task)
        if not task.cancelled() and task.exception() is not None:
            self._error = task.exception()
        self._woken.set()

    # ------------------------------------------------------------ heap and mail

    def _push(self, at_ns: int, peer: int, event: Event | AtDownlink | Again) -> None:
        """As the transport wants it: here, or at a neighbour."""
        if peer == self.peer:
            self._add(at_ns, self._asked_ns, event)
        elif isinstance(event, Received | AtDownlink):
            self._handed_on[peer] += 1
            self._mail(peer, at_ns, event)

    def _add(self, at_ns: int, asked_ns: int, item: _Item) -> None:
        self._sequence += 1
        heappush(self._heap, (at_ns, self._sequence, asked_ns, item))
        self._woken.set()

    def _mail(
        self, destination: int, at_ns: int, event: Received | AtDownlink | Observed | Ended
    ) -> None:
        self._posted[destination] += 1
        self._post(destination, Mail(self.peer, self.now_ns, at_ns, event))

    def _tell_of_end(self) -> None:
        """Tell each neighbour to which nothing is to be sent any more, not even again."""
        for target in self._spec.targets:
            sent = self._handed_on[target]
            if (
                target not in self._told
                and self._transport.counts[self.peer, target].in_flight == sent
            ):
                self._told.add(target)
                self._mail(target, self.now_ns, Ended(self.peer, sent))
