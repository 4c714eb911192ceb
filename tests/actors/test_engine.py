"""The engine with real protocols and real links; only the computing is left out."""

from collections import Counter
from itertools import count
from types import SimpleNamespace

import networkx as nx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from actors.observer import EdgeCounts
from actors.protocols.adversary import RoundsAdversary
from actors.protocols.events import (
    Finished,
    Gone,
    Observed,
    Received,
    Resolved,
    Send,
    SetTimer,
    Started,
    TimerFired,
)
from actors.protocols.hostility import Hostility
from actors.protocols.rounds import Rounds, RoundsPeer
from graphs.links import Constant, Lognormal, Network

S, MS = 10**9, 10**6
PAIR = nx.path_graph(2)
TRIANGLE = nx.complete_graph(3)
# 1000 bytes at 8 Mbit/s take 1 ms.
SLOW = Network(latency=Constant(ms=10), bandwidth_mbps=8)
LOSSY = Network(latency=Lognormal(median_ms=40, sigma=1), bandwidth_mbps=8, drop=0.3)


class Script:
    """A protocol that does one thing when it starts, and nothing ever after."""

    def __init__(self, *effects):
        self.effects = effects

    def on(self, event, now_ns):
        return self.effects if isinstance(event, Started) else ()


def arrivals(run):
    return [(t, source, to) for t, what, source, to, _ in run.tape.messages if what == "arrived"]


def outcome(run):
    return run.log, vars(run.tape), run.executor.submitted, run.engine.now_ns


# ---------------------------------------------------------------- times, by hand


def test_two_peers(emulation):
    run = emulation(PAIR, SLOW, train_ns=[1 * S, 2 * S]).run()
    assert run.tape.messages == [
        (1000 * MS, "sent", 0, 1, 1),
        (1012 * MS, "arrived", 0, 1, 1),  # 1 ms uplink, 10 ms latency, 1 ms downlink
        (2000 * MS, "sent", 1, 0, 1),
        (2012 * MS, "arrived", 1, 0, 1),
    ]
    assert run.tape.merges == [(2000 * MS, 1, 1, "merge 1@1"), (2012 * MS, 0, 1, "merge 0@1")]
    assert run.tape.evaluations == [
        (2000 * MS, 1, 1, "evaluate 1@1"),
        (2012 * MS, 0, 1, "evaluate 0@1"),
    ]
    assert [note[:4] for note in run.tape.notes] == [
        (0, 0, "round_start", 1),
        (0, 1, "round_start", 1),
        (2000 * MS, 1, "round_end", 1),
        (2012 * MS, 0, "round_end", 1),
    ]


def test_three_peers_queue_at_both_ends(emulation):
    run = emulation(TRIANGLE, SLOW).run()
    # All send at 1 s, each to the lower neighbour first: its uplink is through with the first
    # message at 1001 ms and with the second at 1002 ms. Ten ms later they reach the downlinks,
    # and of two that come together the one that was sent first goes first.
    assert sorted(arrivals(run)) == [
        (1012 * MS, 0, 1),
        (1012 * MS, 1, 0),
        (1013 * MS, 0, 2),  # second at its uplink, first at the downlink
        (1013 * MS, 2, 0),  # first at its uplink, second at the downlink
        (1013 * MS, 2, 1),
        (1014 * MS, 1, 2),  # second at both
    ]


def test_an_edge_has_its_own_latency_and_bandwidth(emulation):
    graph = nx.complete_graph(3)
    graph.edges[0, 1]["latency_ms"] = 100.0
    graph.edges[0, 2]["bandwidth_mbps"] = 0.8  # ten times as long on the uplink
    run = emulation(graph, SLOW).run()
    assert sorted(t for t, *edge in arrivals(run) if edge == [0, 1]) == [1102 * MS]
    # Behind the message to peer 1 on the uplink: 1 + 10 ms, latency 10 ms, downlink 1 ms.
    assert [t for t, *edge in arrivals(run) if edge == [0, 2]] == [1022 * MS]


def test_without_bandwidth_a_message_takes_its_latency(emulation):
    run = emulation(TRIANGLE, Network(latency=Constant(ms=10))).run()
    assert {t for t, _, _ in arrivals(run)} == {1010 * MS}


def test_the_next_round_starts_where_the_last_one_ended(emulation):
    run = emulation(PAIR, SLOW, train_ns=[1 * S, 2 * S], rounds=2).run()
    starts = [(t, peer) for t, peer, event, round_, _ in run.tape.notes[2:] if round_ == 2]
    assert starts[:2] == [(2000 * MS, 1), (2012 * MS, 0)]
    # Peer 1: 2.000 + 2 s of training. Peer 0 has trained at 3.012 s and waits for it.
    assert [merge[:2] for merge in run.tape.merges[2:]] == [(4000 * MS, 1), (4012 * MS, 0)]


def test_a_timeout_counts_from_the_peers_own_send(emulation):
    how = Rounds(timeout_s=5)
    run = emulation(PAIR, Network(drop=1), train_ns=[1 * S, 2 * S], settings=how, rounds=2).run()
    # Peer 0 is finished at 12 s, so peer 1, which has trained at 9 s, does not wait until 14 s.
    assert [merge[:3] for merge in run.tape.merges] == [
        (6 * S, 0, 1),
        (7 * S, 1, 1),
        (12 * S, 0, 2),
        (12 * S, 1, 2),
    ]
    assert [note for note in run.tape.notes if note[2] == "timeout"] == [
        (6 * S, 0, "timeout", 1, {"missing": [1]}),
        (7 * S, 1, "timeout", 1, {"missing": [0]}),
        (12 * S, 0, "timeout", 2, {"missing": [1]}),
    ]


def test_a_run_does_not_last_until_its_unused_timeouts(emulation):
    run = emulation(PAIR, SLOW, settings=Rounds(timeout_s=60)).run()
    assert run.engine.now_ns == 1012 * MS


def test_messages_still_reach_a_peer_that_is_finished(emulation):
    run = emulation(PAIR, SLOW, train_ns=[1 * S, 9 * S], settings=Rounds(timeout_s=5)).run()
    assert (9012 * MS, 1, 0) in arrivals(run)
    assert run.engine.counts[1, 0].late == 1
    assert run.engine.now_ns == 9012 * MS


# ---------------------------------------------------------------- books


def check_books(run):
    """What was sent arrived or was dropped; what arrived was merged, late or rejected."""
    accepted = run.executor.accepted()
    for edge, counts in run.engine.counts.items():
        assert counts.in_flight == 0
        assert counts.sent == counts.arrived + counts.dropped
        assert counts.arrived == accepted[edge] + counts.late + counts.rejected
        assert counts.bytes == 1000 * counts.sent
    said = Counter((what, (source, to)) for _, what, source, to, _ in run.tape.messages)
    for edge, counts in run.engine.counts.items():
        assert said["arrived", edge] == counts.arrived
        assert said["dropped", edge] == counts.dropped
        assert said["sent", edge] == counts.sent - counts.dropped


def test_messages_are_counted_per_directed_edge(emulation):
    run = emulation(TRIANGLE, SLOW, rounds=4).run()
    check_books(run)
    assert {edge: counts.arrived for edge, counts in run.engine.counts.items()} == dict.fromkeys(
        [(0, 1), (0, 2), (1, 0), (1, 2), (2, 0), (2, 1)], 4
    )


def test_drops_are_counted_and_use_the_uplink(emulation):
    graph = nx.complete_graph(3)
    graph.edges[0, 1]["drop"] = 1.0
    run = emulation(graph, SLOW, settings=Rounds(timeout_s=5)).run()
    check_books(run)
    assert run.engine.counts[0, 1].dropped == run.engine.counts[1, 0].dropped == 1
    assert run.engine.counts[0, 2].dropped == 0
    assert (1000 * MS, "dropped", 0, 1, 1) in run.tape.messages
    assert (1013 * MS, 0, 2) in arrivals(run)  # second at the uplink behind what was lost


def test_in_flight_is_what_is_neither_here_nor_lost():
    counts = EdgeCounts()
    counts.sent, counts.arrived, counts.dropped = 9, 5, 1
    assert counts.in_flight == 3


def test_slow_peers_and_short_timeouts_keep_the_books(emulation):
    for late in ("drop", "use"):
        run = emulation(
            nx.complete_graph(4),
            LOSSY,
            rounds=6,
            train_ns=[S, S, 2 * S, 7 * S],
            settings=Rounds(timeout_s=0.1, late=late, ahead=1),
        ).run()
        check_books(run)
        totals = [(c.late, c.rejected) for c in run.engine.counts.values()]
        assert sum(late for late, _ in totals) > 0
        assert sum(rejected for _, rejected in totals) > 0


# ---------------------------------------------------------------- what the executor gets


def test_handles_flow_from_train_to_the_neighbours_merge(emulation):
    run = emulation(TRIANGLE, SLOW).run()
    trains = [(p, task) for p, task, _ in run.executor.submitted if task.kind == "train"]
    assert [(p, task.round, task.outputs) for p, task in trains] == [
        (0, 1, 1),
        (1, 1, 1),
        (2, 1, 1),
    ]
    merges = {p: (t, i) for p, t, i in run.executor.submitted if t.kind == "merge"}
    task, inputs = merges[1]
    assert (task.senders, task.claimed) == ((0, 2), (1, 1))
    assert inputs == ("train 0@1 #0", "train 2@1 #0")


def test_every_input_comes_from_an_earlier_task(emulation):
    run = emulation(
        nx.complete_graph(4), LOSSY, rounds=5, settings=Rounds(timeout_s=0.1, late="use")
    ).run()
    made = set()
    for peer, task, inputs in run.executor.submitted:
        assert made.issuperset(inputs)
        made |= {f"{task.kind} {peer}@{task.round} #{k}" for k in range(task.outputs)}


def test_plain_rounds_wait_for_no_content(emulation):
    run = emulation(TRIANGLE, LOSSY, rounds=5, settings=Rounds(timeout_s=1)).run()
    assert run.executor.waits == 0
    assert run.events(Resolved) == []


def test_a_mute_takes_effect_at_the_next_send(emulation):
    decisions = {"merge 0@1": SimpleNamespace(muted=(1,))}
    run = emulation(TRIANGLE, SLOW, rounds=3, mutes=True, contents=decisions).run()
    assert run.executor.waits == 6  # of three peers, before the sends of rounds 2 and 3
    assert run.engine.counts[0, 1].sent == 1
    assert run.engine.counts[0, 2].sent == run.engine.counts[1, 0].sent == 3
    asked, trained = run.events(Resolved, 0)[0][0], run.events(Received, 0)[1][0] + S
    assert asked == trained  # no time goes by


# ---------------------------------------------------------------- the end of a peer


@pytest.mark.parametrize("down_mbps", [8, 1e12])
def test_gone_comes_behind_the_last_message_also_in_a_downlinks_queue(emulation, down_mbps):
    graph = nx.star_graph(2)
    graph.edges[0, 1]["latency_ms"] = 6.5
    graph.edges[0, 2]["latency_ms"] = 5.0
    run = emulation(
        graph,
        Network(down_mbps=down_mbps),
        protocols=[
            Script(),
            Script(Send(0, 1, "last"), Finished()),
            Script(Send(0, 1, "a"), Send(0, 1, "b"), Send(0, 1, "c"), Finished()),
        ],
    ).run()
    heard = [
        (now_ns, event.peer if isinstance(event, Gone) else event.envelope.handle)
        for now_ns, peer, event in run.log
        if peer == 0 and not isinstance(event, Started)
    ]
    if down_mbps == 8:
        assert heard == [
            (6 * MS, "a"),
            (7 * MS, "b"),
            (8 * MS, "c"),
            (8 * MS, 2),
            (9 * MS, "last"),  # reached the downlink at 6.5 ms
            (9 * MS, 1),
        ]
    else:
        assert [what for _, what in heard] == ["a", "b", "c", 2, "last", 1]
        assert heard[-1] == (6_500_000, 1)


def test_gone_comes_at_once_where_nothing_is_on_its_way(emulation):
    done = Script(Send(1, 1, "lost"), Finished())
    run = emulation(PAIR, Network(drop=1), protocols=[done, Script()]).run()
    assert run.events(Gone) == [(0, 1, Gone(0))]


def test_nobody_waits_for_a_peer_that_is_finished(emulation):
    hasty = RoundsPeer((1,), (1,), 1, Rounds(timeout_s=5))
    others = RoundsPeer((0,), (0,), 3, Rounds(timeout_s=5))
    run = emulation(PAIR, SLOW, protocols=[hasty, others]).run()
    assert [merge[0] for merge in run.tape.merges if merge[1] == 1] == [
        1012 * MS,
        2012 * MS,
        3012 * MS,
    ]
    assert not [note for note in run.tape.notes if note[2] == "timeout"]


def test_timers_of_a_living_peer_fire(emulation):
    run = emulation(
        PAIR,
        protocols=[Script(SetTimer(7, ("tick", 1))), Script(SetTimer(9, ("t", 2)), Finished())],
    ).run()
    assert run.events(TimerFired) == [(7, 0, TimerFired(("tick", 1)))]


# ---------------------------------------------------------------- adversaries


@pytest.mark.parametrize("craft_s", [0, 4])
def test_watchers_see_what_others_trained_when_it_is_trained(emulation, craft_s):
    adversary = RoundsAdversary(Hostility(me=2), (0, 1), (0, 1), 1, Rounds(), watches=(0, 1, 2))
    benign = [RoundsPeer(those, those, 1, Rounds()) for those in [(1, 2), (0, 2)]]
    run = emulation(
        TRIANGLE,
        SLOW,
        protocols=[*benign, adversary],
        train_ns=[1 * S, 3 * S, 2 * S],
        craft_ns=craft_s * S,
        outputs=2,
        watchers={0: [2], 1: [2]},
    ).run()
    assert run.events(Observed) == [
        (1 * S, 2, Observed(0, 1, "train 0@1 #0")),
        (3 * S, 2, Observed(1, 1, "train 1@1 #0")),
    ]
    [(task, inputs)] = [(t, i) for _, t, i in run.executor.submitted if t.kind == "craft"]
    assert (task.senders, task.claimed, task.outputs) == ((0, 1, 2), (1, 1, 1), 2)
    assert inputs == ("train 0@1 #0", "train 1@1 #0", "train 2@1 #0")
    # It crafts when the last one is trained, and sends a row to each.
    sent = [event[:4] for event in run.tape.messages if event[1] == "sent" and event[2] == 2]
    at_ns = (3 + craft_s) * S
    assert sent == [(at_ns, "sent", 2, 0), (at_ns, "sent", 2, 1)]
    received = [e.envelope.handle for _, _, e in run.events(Received) if e.envelope.source == 2]
    assert received == ["craft 2@1 #0", "craft 2@1 #1"]
    check_books(run)


def test_listeners_that_are_neighbours_do_not_hold_each_other_up(emulation):
    def listener(me, others):
        return RoundsAdversary(
            Hostility(me=me), others, others, 1, Rounds(), listens=True, listeners=(1, 2)
        )

    benign = RoundsPeer((1, 2), (1, 2), 1, Rounds())
    run = emulation(
        TRIANGLE, SLOW, protocols=[benign, listener(1, (0, 2)), listener(2, (0, 1))]
    ).run()
    assert not [note for note in run.tape.notes if "timeout" in note[2]]
    check_books(run)


# ---------------------------------------------------------------- order


def test_the_same_seed_gives_the_same_run_and_another_does_not(emulation):
    def lossy(seed):
        return outcome(
            emulation(TRIANGLE, LOSSY, rounds=4, seed=seed, settings=Rounds(timeout_s=1)).run()
        )

    assert lossy(1) == lossy(1)
    assert lossy(1) != lossy(2)


def test_a_run_that_was_stopped_goes_on_to_the_same_end(emulation):
    def lossy():
        return emulation(TRIANGLE, LOSSY, rounds=3, settings=Rounds(timeout_s=1))

    whole = lossy().run()
    for pause in (1, 2, 7):
        paused = lossy()
        asked = count(1)
        stops = 0
        while not paused.engine.run(lambda p=pause, c=asked: next(c) % (p + 1) == 0):
            stops += 1
        assert stops > 1
        assert outcome(paused) == outcome(whole)


def test_a_stop_comes_before_the_first_event(emulation):
    run = emulation(PAIR)
    assert not run.engine.run(lambda: True)
    assert run.log == []


def test_a_finished_run_stays_as_it_is(emulation):
    run = emulation(PAIR, SLOW).run()
    before = len(run.log)
    assert run.engine.run()
    assert len(run.log) == before


def test_events_of_one_time_come_in_the_order_of_their_causes(emulation):
    run = emulation(nx.complete_graph(4), Network(), train_ns=0, rounds=2).run()
    assert {now_ns for now_ns, _, _ in run.log} == {0}
    assert [peer for _, peer, event in run.log if isinstance(event, Started)] == [0, 1, 2, 3]
    # Who sends last has the others' messages first: peer 3 in round 1, hence peer 2 in round 2.
    assert [merge[1:3] for merge in run.tape.merges] == [
        *[(peer, 1) for peer in (3, 0, 1, 2)],
        *[(peer, 2) for peer in (2, 0, 1, 3)],
    ]


# ---------------------------------------------------------------- any graph, any network

latencies = st.one_of(
    st.builds(Constant, ms=st.floats(0, 500)),
    st.builds(Lognormal, median_ms=st.floats(1, 500), sigma=st.floats(0, 1)),
)
rates = st.none() | st.floats(0.01, 100)
networks = st.builds(
    Network, latency=latencies, up_mbps=rates, down_mbps=rates, drop=st.sampled_from([0, 0.3, 1])
)


@st.composite
def graphs(draw):
    n = draw(st.integers(1, 5))
    graph = draw(st.sampled_from([nx.Graph, nx.DiGraph]))()
    graph.add_nodes_from(range(n))
    pairs = st.tuples(st.integers(0, n - 1), st.integers(0, n - 1)).filter(lambda e: e[0] != e[1])
    graph.add_edges_from(draw(st.lists(pairs, max_size=12)) if n > 1 else [])
    return graph


@settings(deadline=None)
@given(
    graphs(),
    networks,
    st.builds(
        Rounds,
        timeout_s=st.sampled_from([0.05, 1.0]),
        late=st.sampled_from(["drop", "use"]),
        ahead=st.integers(0, 2),
    ),
    st.integers(1, 4),
    st.lists(st.integers(0, 2 * S), min_size=5, max_size=5),
)
def test_every_run_ends_with_its_books_in_order(emulation, graph, network, how, rounds, train_ns):
    run = emulation(graph, network, settings=how, rounds=rounds, train_ns=train_ns).run()
    check_books(run)
    times = [now_ns for now_ns, _, _ in run.log]
    assert times == sorted(times)
    done = Counter(merge[1:3] for merge in run.tape.merges)
    assert done == Counter((peer, k) for peer in graph for k in range(1, rounds + 1))
    for now_ns, peer, gone in run.events(Gone):
        last = [t for t, p, e in run.events(Received, peer) if e.envelope.source == gone.peer]
        assert now_ns >= max(last, default=0)
