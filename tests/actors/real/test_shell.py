"""One peer under the real clock: when it is told what, and what it tells others."""

import asyncio

import pytest

from actors.protocols.events import (
    BudgetSpent,
    Conclude,
    Count,
    Envelope,
    Evaluate,
    Finished,
    Gone,
    Need,
    Note,
    Observed,
    Parcel,
    Received,
    Resolved,
    Send,
    SetTimer,
    Started,
    TimerFired,
    Work,
    WorkDone,
)
from actors.real.journal import Fact, Late, Step
from actors.real.mail import Ended, Mail
from actors.transport import AtDownlink
from graphs.drops import GilbertElliott
from graphs.links import Constant, Network
from p2pfl.errors import RunError

MS = 10**6
TURNS = GilbertElliott(p_good_to_bad=1, p_bad_to_good=1)
"""A chain that turns at every message: of two tries one gets through."""

pytestmark = pytest.mark.asyncio


async def test_a_message_is_posted_at_once_and_says_when_it_arrives(alone, machine):
    # 1000 bytes at 1 Mbit/s take 8 ms; the second waits for the first.
    network = Network(up_mbps=1, latency=Constant(ms=40))
    one = alone(machine(Started=[Send(1, 1, "a"), Send(1, 2, "b")]), network)
    await one.live()
    assert one.mail == [
        (1, Mail(0, 0, 48 * MS, Received(Envelope(0, 1, 1, 1000, "a")))),
        (1, Mail(0, 0, 56 * MS, Received(Envelope(0, 1, 2, 1000, "b")))),
    ]
    report = one.shell.report()
    assert report.posted == {1: 2}
    assert report.sent_bytes == 2000
    assert (report.counts[0, 1].sent, report.counts[0, 1].arrived) == (2, 0)


async def test_a_message_is_heard_when_it_is_to_arrive(alone, machine, arriving):
    one = alone(machine(Received=[Count(1, "late")]), messages=True)
    one.shell.take(arriving(30, 2, asked_ms=5))
    one.shell.take(arriving(10, 1, asked_ms=5))
    await one.live()
    assert [(t, e.envelope.round) for t, e in one.machine.log if isinstance(e, Received)] == [
        (10 * MS, 1),
        (30 * MS, 2),
    ]
    assert one.said(Late) == [
        Late("message", 1, 0, 1, asked_ns=5 * MS, took_ns=5 * MS),
        Late("message", 1, 0, 2, asked_ns=25 * MS, took_ns=25 * MS),
    ]
    assert [(step.what, step.envelope.handle) for step in one.said(Step)] == [("arrived", None)] * 2
    report = one.shell.report()
    assert report.taken == {1: 2}
    assert (report.counts[1, 0].arrived, report.counts[1, 0].late) == (2, 2)


async def test_the_downlink_serves_one_after_the_other(alone, machine, arriving):
    one = alone(machine(), Network(down_mbps=1))
    for round_ in (1, 2):
        one.shell.take(arriving(10, round_, AtDownlink))
    await one.live()
    assert one.machine.times(Received) == [18 * MS, 26 * MS]
    assert [late.asked_ns for late in one.said(Late)] == [18 * MS, 26 * MS]


async def test_what_is_late_at_the_downlink_is_not_later_behind_it(alone, machine, arriving):
    one = alone(machine(), Network(down_mbps=1))
    one.clock.ns = 12 * MS  # 2 ms late, and 8 ms is what the downlink takes
    one.shell.take(arriving(10, 1, AtDownlink))
    await one.live()
    assert one.machine.times(Received) == [18 * MS]


async def test_work_is_done_at_its_modelled_time_and_no_sooner(alone, machine):
    work = Work("merge", 3, (Parcel(1, 2, "theirs"),), "own")
    one = alone(machine(Started=[work]), work_ns=lambda peer, work: 70 * MS, prepares=True)
    await one.live()
    ((task, inputs, prepares),) = one.desk.tasks
    assert (task.kind, task.senders, task.claimed, task.outputs) == ("merge", (1,), (2,), 0)
    assert (inputs, prepares) == (("theirs", "own"), True)
    (done,) = one.machine.log[1:]
    assert done == (70 * MS, WorkDone("merge", 3, (), "merge 0@3"))
    assert one.said(Fact) == [Fact("merge", 3, results=("merge 0@3",))]
    assert one.said(Late) == [Late("work", 0, 0, 3, asked_ns=70 * MS, took_ns=70 * MS)]


async def test_work_that_takes_longer_is_late(alone, machine, fake_desk):
    gate = asyncio.Event()
    one = alone(machine(Started=[Work("train", 1)]), desk=fake_desk(gate))

    def let_go():
        if one.desk.tasks:
            one.clock.ns = 1500 * MS
            gate.set()
        return False

    await one.live(let_go)
    assert one.machine.times(WorkDone) == [1500 * MS]
    assert one.said(Late) == [Late("work", 0, 0, 1, asked_ns=1000 * MS, took_ns=1500 * MS)]


async def test_measured_work_is_done_when_it_is_done_but_resting_is_modelled(alone, machine):
    one = alone(machine(Started=[Work("train", 1)], WorkDone=_rests_once), measured=True)
    await one.live()
    assert one.machine.times(WorkDone) == [0, 1000 * MS]
    assert one.said(Late) == []


def _rests_once(event):
    return [Work("rest", 2)] if event.kind == "train" else ()


async def test_a_peer_keeps_hearing_while_it_trains(alone, machine, arriving, fake_desk):
    gate = asyncio.Event()
    one = alone(machine(Started=[Work("train", 1)]), desk=fake_desk(gate))
    one.shell.take(arriving(10))

    def heard():
        if one.machine.times(Received):
            gate.set()
        return False

    await one.live(heard)
    kinds = [type(event) for _, event in one.machine.log]
    assert kinds == [Started, Received, WorkDone]


async def test_timers_and_needs(alone, machine):
    effects = [SetTimer(5 * MS, ("round", 1)), Need("a summary", "muted")]
    one = alone(machine(Started=effects))
    await one.live()
    assert one.machine.log == [
        (0, Started()),
        (0, Resolved("muted", "a summary")),
        (5 * MS, TimerFired(("round", 1))),
    ]


async def test_an_evaluation_keeps_its_place_in_the_record(alone, machine, fake_desk):
    gate = asyncio.Event()
    effects = [Evaluate(1), Note("round_start", 2, {"a": 1})]
    one = alone(machine(Started=effects), desk=fake_desk(gate), keeps_models=True)
    given = []

    def evaluated():
        if one.desk.tasks and not gate.is_set():
            given.extend(one.entries)  # what was said until now
            gate.set()
        return False

    await one.live(evaluated)
    assert given == []
    results = ("evaluate 0@1 #0", "evaluate 0@1")
    assert one.said(Fact) == [
        Fact("evaluate", 1, results=results),
        Fact("round_start", 2, {"a": 1}),
    ]


async def test_adversaries_are_shown_what_it_trained_at_once(alone, machine):
    one = alone(machine(Started=[Work("train", 1, outputs=1)]), watchers=(4,))
    await one.live()
    assert one.mail == [(4, Mail(0, 1000 * MS, 1000 * MS, Observed(0, 1, "train 0@1 #0")))]


# ---------------------------------------------------------------- ends


async def test_who_has_ended_says_so_behind_its_last_message(alone, machine):
    one = alone(machine(Started=[Send(1, 1, "a"), Finished(), SetTimer(MS, ("late", 1))]))
    await one.live()
    assert one.posted()[1:] == [Ended(0, 1)]
    assert one.machine.times(TimerFired) == []


async def test_it_says_so_only_once_what_was_lost_got_through(alone, machine):
    network = Network(drop=TURNS, retries=3, retry_after_ms=20, latency=Constant(ms=1))
    one = alone(machine(Started=[Send(1, 1, "a"), Send(1, 2, "b"), Finished()]), network)
    await one.live()
    counts = one.shell.report().counts[0, 1]
    assert counts.retried > 0
    assert counts.dropped == 0
    assert [type(event) for event in one.posted()] == [Received, Received, Ended]
    assert one.posted()[-1] == Ended(0, 2)


async def test_an_end_that_overtakes_the_last_message_waits_for_it(alone, machine, arriving):
    one = alone(machine())
    one.shell.take(Mail(1, 0, 0, Ended(1, 2)))
    one.shell.take(arriving(10, 1))
    one.shell.take(arriving(20, 2))
    await one.live()
    assert [type(event) for _, event in one.machine.log] == [Started, Received, Received, Gone]
    assert one.machine.times(Gone) == [20 * MS]


async def test_of_a_lost_process_hear_those_who_listen_to_it(alone, machine):
    one = alone(machine(), watches=(7,))
    for peer in (1, 5, 7):
        one.shell.lose(peer)
    await one.live()
    assert [event.peer for _, event in one.machine.log[1:]] == [1, 7]


async def test_at_the_end_of_time_it_concludes_and_nothing_more_happens(alone, machine, arriving):
    effects = [Note("budget_spent", 0), Conclude(0), Evaluate(0)]
    ticks = [SetTimer(4 * MS, ("tick", 1))]
    one = alone(machine(Started=ticks, TimerFired=ticks, BudgetSpent=effects), ends_ns=10 * MS)
    one.shell.take(arriving(12))
    await one.live()
    assert [t for t, _ in one.machine.log] == [0, 4 * MS, 8 * MS, 10 * MS]
    assert one.machine.times(BudgetSpent) == [10 * MS]
    assert [task.kind for task, _, _ in one.desk.tasks] == ["conclude", "evaluate"]
    report = one.shell.report()
    assert report.cut_short
    assert report.counts[1, 0].arrived == 0


async def test_who_is_done_in_time_is_not_cut_short(alone, machine):
    one = alone(machine(Started=[Finished()]), ends_ns=10 * MS)
    await one.live()
    assert one.clock.ns == 0
    assert not one.shell.report().cut_short


async def test_an_error_in_its_work_ends_it(alone, machine, fake_desk):
    desk = fake_desk(error=RunError("peer 0 failed in train of round 1: boom"))
    one = alone(machine(Started=[Work("train", 1)]), desk=desk)
    with pytest.raises(RunError, match="peer 0 failed in train of round 1: boom"):
        await one.live()
