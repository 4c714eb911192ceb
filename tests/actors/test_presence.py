"""Peers that come and go, and links that open and close, by hand and at random."""

from collections import Counter
from itertools import count
from pathlib import Path

import networkx as nx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from actors.executor import Task
from actors.presence import Presence
from actors.protocols.events import Away, Back, Received, Returned, Started, WorkDone
from actors.protocols.rounds import Rounds
from graphs.availability import CHURN, Availability, Session, timeline
from graphs.events import (
    Change,
    Crash,
    Heal,
    Join,
    Leave,
    LinkDown,
    LinkUp,
    Partition,
    Rejoin,
    Slow,
)
from graphs.latencies import Constant, Lognormal
from graphs.network import Network
from graphs.schedule import round_plans

S, MS = 10**9, 10**6
PAIR = nx.path_graph(2)
LINE = nx.path_graph(3)
NEAR = Network(latency=Constant(ms=10))


def line_of(graph, *events, **availability):
    return timeline(graph, Availability(**availability), events, 1, Path())


def ends(run, peer):
    return [(t, r) for t, p, what, r, _ in run.tape.notes if p == peer and what == "round_end"]


def check_books(run):
    accepted = run.executor.accepted()
    for edge, counts in run.engine.counts.items():
        assert counts.in_flight == 0
        assert counts.sent + counts.duplicated == counts.arrived + counts.dropped
        assert counts.arrived >= accepted[edge] + counts.late + counts.rejected


# ---------------------------------------------------------------- by hand


def test_a_peer_that_crashes_does_what_it_was_doing_when_it_is_back(emulation):
    line = line_of(PAIR, Crash(peers=(1,), at_s=0.5), Rejoin(peers=(1,), at_s=4))
    run = emulation(PAIR, NEAR, rounds=3, timeline=line).run()
    # 0 is told, waits for nobody, and does its rounds alone: it ends its third at 3 s.
    assert ends(run, 0) == [(S, 1), (2 * S, 2), (3 * S, 3)]
    assert run.events(Away) == [(S // 2, 0, Away(1))]
    assert run.events(Back) == [(4 * S, 0, Back(1))]
    # What 1 was training at 0.5 s is done at 4 s; then 0 is gone, and it waits for nobody.
    assert run.events(WorkDone, 1)[0][0] == 4 * S
    assert [t for t, _ in ends(run, 1)] == [4 * S, 5 * S, 6 * S]
    assert [(c.arrived, c.dropped) for c in run.engine.counts.values()] == [(0, 3), (3, 0)]
    check_books(run)


def test_a_peer_that_is_back_ends_its_round_and_joins_the_others(emulation):
    graph = nx.complete_graph(3)
    line = line_of(graph, Crash(peers=(2,), at_s=0.5), Rejoin(peers=(2,), at_s=3.5))
    run = emulation(graph, NEAR, rounds=6, timeline=line).run()
    assert run.events(Returned) == [(7 * S // 2, 2, Returned(4, False))]
    # Round 1 alone at once, and then round 4 with the others, who are in it since 3.03 s.
    assert ends(run, 2)[0] == (3500 * MS, 1)
    assert [r for _, r in ends(run, 2)] == [1, 4, 5, 6]
    assert ends(run, 2)[1] == (4500 * MS, 4)
    merged = {(p, r): m for _, p, r, m in run.tape.merges}
    assert set(merged) >= {(2, 4), (0, 4)}
    tasks = {(p, t.round): t for p, t, _ in run.executor.submitted if t.kind == "merge"}
    assert tasks[2, 1].senders == ()
    assert tasks[2, 4].senders == (0, 1)
    assert tasks[0, 4].senders == (1, 2)
    assert tasks[0, 2].senders == (1,)
    check_books(run)


def test_a_peer_that_is_back_anew_forgets_its_work(emulation):
    graph = nx.complete_graph(3)
    line = line_of(graph, Crash(peers=(2,), at_s=0.5), Rejoin(peers=(2,), anew=True, at_s=0.7))
    run = emulation(graph, NEAR, rounds=2, timeline=line).run()
    # It begins round 1 again at 0.7 s, and what it began at 0 s never comes.
    assert [t for t, _, e in run.events(WorkDone, 2) if e.kind == "train"] == [
        1700 * MS,
        2700 * MS,
    ]
    assert (2, Task("renew", 1), ()) in run.executor.submitted
    assert [r for _, r in ends(run, 2)] == [1, 2]
    assert {r for _, r in ends(run, 0)} == {1, 2}
    check_books(run)


@pytest.mark.parametrize(
    ("down", "up"),
    [
        ({"at_round": 1}, {"at_round": 1}),
        ({"at_round": 2}, {"at_round": 2}),
        ({"at_s": 0.0}, {"at_s": 0.0}),
        ({"at_s": 0.0}, {"at_s": 0.5}),
        ({"at_s": 1.0}, {"at_s": 1.0}),
    ],
)
def test_a_peer_that_begins_anew_at_once_does_not_do_its_rounds_twice(emulation, down, up):
    line = line_of(PAIR, Crash(peers=(0,), **down), Rejoin(peers=(0,), anew=True, **up))
    run = emulation(PAIR, NEAR, rounds=3, settings=Rounds(timeout_s=2), timeline=line).run()
    merged = Counter(r for _, p, r, _ in run.tape.merges if p == 0)
    assert set(merged) == {1, 2, 3}
    assert merged.total() <= 4  # one round may have been merged before it was begun again
    assert ends(run, 0)[-1][1] == 3
    check_books(run)


def test_who_joins_begins_in_the_round_of_the_others(emulation):
    graph = nx.complete_graph(3)
    run = emulation(
        graph, NEAR, rounds=4, timeline=line_of(graph, Join(peers=(1,), at_round=3))
    ).run()
    assert run.events(Started, 1)[0][0] == run.events(Returned, 1)[0][0] == 2020 * MS
    assert [r for _, r in ends(run, 1)] == [3, 4]
    assert [r for _, r in ends(run, 0)] == [1, 2, 3, 4]
    tasks = {(p, t.round): t for p, t, _ in run.executor.submitted if t.kind == "merge"}
    assert tasks[0, 2].senders == (2,)
    assert tasks[0, 3].senders == (1, 2)


def test_who_leaves_is_not_waited_for_and_a_run_ends_without_it(emulation):
    graph = nx.complete_graph(3)
    run = emulation(
        graph, NEAR, rounds=3, timeline=line_of(graph, Leave(peers=(1,), at_s=1.5))
    ).run()
    assert [r for _, r in ends(run, 1)] == [1]
    assert [r for _, r in ends(run, 0)] == [1, 2, 3]
    assert not [note for note in run.tape.notes if note[2] == "timeout"]
    assert run.engine.now_ns == 3030 * MS
    check_books(run)


def test_a_partition_parts_and_heals(emulation):
    line = line_of(LINE, Partition(groups=((0,),), at_s=0.5), Heal(at_s=1.5))
    run = emulation(LINE, NEAR, rounds=3, timeline=line).run()
    assert run.events(Away) == [(S // 2, 1, Away(0)), (S // 2, 0, Away(1))]
    assert [(t, p) for t, p, _ in run.events(Back)] == [(3 * S // 2, 1), (3 * S // 2, 0)]
    tasks = {(p, t.round): t.senders for p, t, _ in run.executor.submitted if t.kind == "merge"}
    assert tasks[0, 1] == ()
    assert tasks[1, 1] == (2,)
    assert tasks[1, 2] == (0, 2)
    assert run.engine.counts[0, 1].dropped == run.engine.counts[1, 0].dropped == 1
    check_books(run)


def test_what_is_under_way_on_a_link_that_goes_down_is_lost(emulation):
    slow = Network(latency=Constant(ms=100))
    line = line_of(PAIR, LinkDown(edges=((0, 1),), at_s=1.05), LinkUp(edges=((0, 1),), at_s=1.15))
    run = emulation(PAIR, slow, rounds=2, timeline=line).run()
    assert [(c.sent, c.arrived, c.dropped) for c in run.engine.counts.values()] == [(2, 1, 1)] * 2
    assert [t for t, _, _ in run.events(Received)] == [2150 * MS] * 2
    check_books(run)


def test_who_is_slow_computes_longer_from_then_on(emulation):
    line = line_of(PAIR, Slow(peers=(1,), factor=3, at_round=2), Slow(peers=(1,), factor=1, at_s=2))
    run = emulation(PAIR, NEAR, rounds=3, timeline=line).run()
    # Round 2 begins at 1.01 s for both at once; 0 is first, so 1 is slow already.
    assert [t for t, _, e in run.events(WorkDone, 1) if e.kind == "train"] == [
        1000 * MS,
        1010 * MS + 3 * S,
        1010 * MS + 4 * S,
    ]


def test_events_that_concern_nobody_do_not_prolong_a_run(emulation):
    line = line_of(PAIR, Heal(at_s=900), Slow(peers=(0,), factor=2, at_s=800))
    assert emulation(PAIR, NEAR, timeline=line).run().engine.now_ns == 1010 * MS


def test_a_timeout_that_comes_while_a_peer_is_down_waits_for_it(emulation):
    line = line_of(PAIR, Crash(peers=(1,), at_s=1.5), Rejoin(peers=(1,), at_s=9))
    run = emulation(
        PAIR, Network(drop=1.0), rounds=1, settings=Rounds(timeout_s=5), timeline=line
    ).run()
    assert ends(run, 0) == [(1500 * MS, 1)]
    assert ends(run, 1) == [(9 * S, 1)]


def test_who_rests_trains_and_merges_nothing(emulation):
    graph = nx.complete_graph(3)
    plans = round_plans([graph] * 8, Availability(dropout=0.4), 3)
    run = emulation(graph, NEAR, rounds=8, plans=plans).run()
    merges = {(p, t.round): t.senders for p, t, _ in run.executor.submitted if t.kind == "merge"}
    trains = {(p, t.round) for p, t, _ in run.executor.submitted if t.kind == "train"}
    rests = {(p, k) for p in graph for k, plan in enumerate(plans[p], start=1) if plan.rests}
    assert rests
    assert trains == {(p, k) for p in graph for k in range(1, 9)} - rests
    assert set(merges) == trains
    for (peer, round_), senders in merges.items():
        assert senders == plans[peer][round_ - 1].senders
    assert {(p, r) for _, p, what, r, _ in run.tape.notes if what == "rests"} == rests
    assert [r for _, r in ends(run, 0)] == list(range(1, 9))
    assert not [note for note in run.tape.notes if note[2] == "timeout"]
    check_books(run)


# ---------------------------------------------------------------- anything


@st.composite
def happenings(draw):
    n = draw(st.integers(2, 6))
    graph = nx.gnp_random_graph(n, 0.7, seed=draw(st.integers(0, 99)))
    when = st.one_of(
        st.builds(lambda s: {"at_s": s}, st.sampled_from([0.0, 0.4, 1.0, 1.03, 2.2, 5.0])),
        st.builds(lambda r: {"at_round": r}, st.integers(1, 5)),
    )
    peer = st.integers(0, n - 1)
    events = []
    for _ in range(draw(st.integers(0, 6))):
        kind = draw(st.sampled_from(["crash", "leave", "join", "part", "heal", "link", "slow"]))
        one = (draw(peer),)
        if kind == "crash":
            events.append(Crash(peers=one, **draw(when)))
            if draw(st.booleans()):
                events.append(Rejoin(peers=one, anew=draw(st.booleans()), **draw(when)))
        elif kind in ("leave", "join"):
            events.append((Leave if kind == "leave" else Join)(peers=one, **draw(when)))
        elif kind == "part":
            events.append(Partition(groups=(one,), **draw(when)))
        elif kind == "heal":
            events.append(Heal(**draw(when)))
        elif kind == "link" and graph.size():
            edge = draw(st.sampled_from(sorted(graph.edges)))
            events.append(draw(st.sampled_from([LinkDown, LinkUp]))(edges=(edge,), **draw(when)))
        elif kind == "slow":
            events.append(Slow(peers=one, factor=draw(st.sampled_from([0.5, 3])), **draw(when)))
    churn = draw(st.sampled_from([None, Session(mean_up_s=2, mean_down_s=1)]))
    return graph, line_of(graph, *events, churn=churn)


NETWORKS = st.builds(
    Network,
    latency=st.sampled_from([Constant(ms=30), Lognormal(median_ms=100, sigma=1)]),
    bandwidth_mbps=st.sampled_from([None, 0.5]),
    drop=st.sampled_from([0.0, 0.3]),
    retries=st.integers(0, 2),
    duplicate=st.sampled_from([0.0, 0.3]),
    fifo=st.booleans(),
)


@settings(deadline=None, max_examples=150)
@given(happenings(), NETWORKS, st.sampled_from(["drop", "use"]), st.integers(1, 5))
def test_whatever_happens_runs_end_with_their_books_in_order(
    emulation, happening, network, late, rounds
):
    graph, line = happening

    def once():
        how = Rounds(timeout_s=1, late=late)
        run = emulation(graph, network, rounds=rounds, settings=how, timeline=line)
        asked = count()
        assert run.engine.run(lambda: next(asked) > 100_000), "it does not end"
        return run

    run = once()
    check_books(run)
    times = [now_ns for now_ns, _, _ in run.log]
    assert times == sorted(times)
    # A peer does each round once at most, or begins it again anew; those that are there, the last.
    done = Counter((p, r) for _, p, r, _ in run.tape.merges)
    renewed = {p for p, task, _ in run.executor.submitted if task.kind == "renew"}
    assert all(times == 1 or peer in renewed for (peer, _), times in done.items())
    moved = {p for _, p, what, _, _ in run.tape.notes if what in ("down", "leave", "up")}
    for peer in set(graph) - moved - set(line.away):
        assert [r for _, r in ends(run, peer)] == list(range(1, rounds + 1))
    assert once().log == run.log


def test_a_peer_hears_nothing_while_it_is_down(emulation):
    graph = nx.complete_graph(4)
    line = line_of(graph, churn=Session(mean_up_s=2, mean_down_s=1))
    run = emulation(graph, NEAR, rounds=12, settings=Rounds(timeout_s=1), timeline=line).run()
    down = dict.fromkeys(graph, False)
    changes = [(t, p, what) for t, p, what, _, _ in run.tape.notes if what in ("down", "up")]
    assert len(changes) > 10
    heard = sorted(
        [(t, 0, p, what) for t, p, what in changes]
        + [(t, 1, p, "event") for t, p, e in run.log if not isinstance(e, Returned)]
    )
    for _, _, peer, what in heard:
        if what == "event":
            assert not down[peer]
        else:
            down[peer] = what == "down"


@pytest.mark.parametrize("p", [0.0, 0.5])
def test_an_event_moves_no_draw_of_any_link(emulation, p):
    """The k-th message of a link takes the k-th draws, whatever happened on the way to it."""
    network = Network(latency=Lognormal(median_ms=20, sigma=1), drop=p)
    how = Rounds(timeout_s=1)
    plain = emulation(LINE, network, rounds=6, settings=how).run()
    cut = line_of(LINE, LinkDown(edges=((0, 1),), at_s=0.5), LinkUp(edges=((0, 1),), at_s=2.5))
    parted = emulation(LINE, network, rounds=6, settings=how, timeline=cut).run()

    def delays(run, source, destination):
        sent = {r: t for t, what, i, j, r in run.tape.messages
                if (what, i, j) == ("sent", source, destination)}  # fmt: skip
        return {
            e.envelope.round: t - sent[e.envelope.round]
            for t, p, e in run.events(Received, destination)
            if e.envelope.source == source
        }

    for edge in [(0, 1), (1, 0), (1, 2), (2, 1)]:
        one, other = delays(plain, *edge), delays(parted, *edge)
        assert {r: other[r] for r in one if r in other} == {r: one[r] for r in one if r in other}
    assert len(delays(parted, 0, 1)) < len(delays(plain, 0, 1))


# ---------------------------------------------------------------- the state alone


def moved(presence, what, peers=(), **more):
    return presence.apply(Change(what, peers, **more), {0: (1,), 1: (0, 2), 2: (1,)}.get, {9})


def test_a_peer_is_up_when_nothing_keeps_it_down():
    presence = Presence()
    assert moved(presence, "down", (1,)) == ([1], [(0, Away(1)), (2, Away(1))])
    assert moved(presence, "down", (1,), cause=CHURN) == ([], [])
    assert moved(presence, "up", (1,), anew=True) == ([], [])
    assert not presence.is_up(1)
    assert moved(presence, "up", (1,), cause=CHURN) == ([1], [(0, Back(1)), (2, Back(1))])
    assert presence.anew == {1}  # it was to begin anew, whatever kept it down in the end


def test_nobody_begins_anew_who_was_not_down():
    presence = Presence()
    assert moved(presence, "up", (1,), anew=True) == ([], [])
    assert presence.anew == set()


def test_a_link_is_open_when_nothing_closes_it():
    presence = Presence()
    assert moved(presence, "link_down", edges=((0, 1),)) == ([], [(1, Away(0))])
    assert moved(presence, "partition", edges=((0, 1), (2, 1))) == ([], [(1, Away(2))])
    assert moved(presence, "vary", edges=((2, 1),)) == ([], [])
    assert moved(presence, "heal") == ([], [])
    assert moved(presence, "link_up", edges=((0, 1),)) == ([], [(1, Back(0))])
    assert moved(presence, "vary") == ([], [(1, Back(2))])
    assert presence == Presence()


def test_a_second_partition_takes_the_place_of_the_first():
    presence = Presence()
    moved(presence, "partition", edges=((0, 1),))
    assert moved(presence, "partition", edges=((2, 1),)) == ([], [(1, Back(0)), (1, Away(2))])


def test_who_has_ended_or_left_is_not_moved():
    presence = Presence()
    assert moved(presence, "down", (9,)) == ([], [])
    assert moved(presence, "leave", (1,))[0] == [1]
    assert moved(presence, "up", (1,)) == ([], [])
    assert presence.is_over(2, {0})
    assert not presence.is_over(3, {0})
    moved(presence, "down", (2,))
    assert presence.is_over(3, {0})
    presence.timed = 1
    assert not presence.is_over(3, {0})


def test_who_joins_takes_the_latest_round_of_those_who_are_there():
    presence = Presence(rounds={0: 4, 1: 7, 2: 9})
    moved(presence, "down", (2,))
    assert presence.joins_in(5, (0, 1, 2), {}) == 7
    assert presence.joins_in(5, (0, 1, 2), {1}) == 4
    assert presence.joins_in(0, (2,), {}) == 4
    assert presence.joins_in(5, (), {}) == 1
