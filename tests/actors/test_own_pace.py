"""Peers that go their own pace, through the engine and over real links; nothing is computed."""

from math import isclose
from typing import get_args

import networkx as nx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from actors.budget import Budget
from actors.protocols import PROTOCOLS, AnyProtocol
from actors.protocols.events import Received, Resolved
from actors.protocols.gossip import Gossip, GossipAdversary, GossipPeer
from actors.protocols.hostility import Hostility
from actors.protocols.measuring import Measuring
from actors.protocols.own_pace import Place
from actors.protocols.pairwise import Pairwise, PairwiseAdversary, PairwisePeer
from graphs.availability import Availability, Session, timeline
from graphs.drops import GilbertElliott
from graphs.events import Crash, Heal, Partition, Rejoin
from graphs.links import Constant, Lognormal, Network

S, MS = 10**9, 10**6
KINDS = {"gossip": (GossipPeer, GossipAdversary), "pairwise": (PairwisePeer, PairwiseAdversary)}


def peers(graph, settings, rounds=4, hostile=(), dropout=0.0, mutes=False, every=1):
    machines = []
    for me in sorted(graph):
        others = tuple(sorted(graph.adj[me]))
        place = Place(
            me=me, neighbours=others, senders=others, rounds=rounds, seed=1,
            availability=Availability(dropout=dropout), mutes=mutes and me not in hostile,
        )  # fmt: skip
        kind = KINDS[settings.kind][me in hostile]
        listens = (Hostility(me=me), True) if me in hostile else ()
        machines.append(kind(place, settings, Measuring(every=every), *listens))
    return machines


def test_the_union_of_protocols_is_the_tuple_of_protocols():
    assert get_args(AnyProtocol) == PROTOCOLS


# ---------------------------------------------------------------- times, by hand


def test_gossip_of_a_fast_and_a_slow_peer(emulation):
    graph = nx.path_graph(2)
    run = emulation(
        graph,
        Network(latency=Constant(ms=10)),
        protocols=peers(graph, Gossip(), rounds=3),
        train_ns=[1 * S, 2 * S],
    ).run()
    merges = [(t, task.senders, task.claimed) for t, task in tasks(run, "merge")]
    assert merges == [
        (1 * S, (), ()),  # peer 0
        (2 * S, (0,), (1,)),  # peer 1, with what arrived at 1.01 s
        (2 * S, (), ()),  # peer 0: what peer 1 has sent now is not here yet
        (3 * S, (1,), (1,)),
        (4 * S, (0,), (3,)),  # peer 1: the second message of peer 0 was replaced by the third
        (6 * S, (), ()),
    ]
    assert run.engine.counts[0, 1].late == 1
    assert run.engine.counts[1, 0].sent == 1  # after that, peer 0 has ended


def test_an_exchange_of_two(emulation):
    graph = nx.path_graph(2)
    run = emulation(
        graph,
        Network(latency=Constant(ms=10)),
        protocols=peers(graph, Pairwise(timeout_s=1), rounds=1),
        train_ns=[1 * S, 2 * S],
    ).run()
    # Both ask at 0, are asked and answer at 10 ms, and have their answers at 20 ms.
    assert [(t, what, source) for t, what, source, _, _ in run.tape.messages] == [
        (0, "sent", 0),
        (0, "sent", 1),
        (10 * MS, "arrived", 0),
        (10 * MS, "arrived", 1),
        (10 * MS, "sent", 1),
        (10 * MS, "sent", 0),
        (20 * MS, "arrived", 1),
        (20 * MS, "arrived", 0),
    ]
    merges = [(t, peer) for t, peer, _, _ in run.tape.merges]
    assert merges == [(10 * MS, 1), (10 * MS, 0), (20 * MS, 0), (20 * MS, 1)]
    assert [note[:3] for note in run.tape.notes[2:]] == [
        (1 * S, 0, "round_end"),
        (2 * S, 1, "round_end"),
    ]


def tasks(run, *kinds):
    """Of these kinds, with the time at which they were submitted: that of the merge's record."""
    times = {summary: t for t, _, _, summary in run.tape.merges}
    return [
        (times[f"{task.kind} {peer}@{task.round}"], task)
        for peer, task, _ in run.executor.submitted
        if task.kind in kinds
    ]


def test_nobody_waits_in_a_circle(emulation):
    """All of a ring ask at once, and every one is answered without a timeout."""
    graph = nx.cycle_graph(9)
    run = emulation(
        graph, Network(latency=Constant(ms=50)),
        protocols=peers(graph, Pairwise(timeout_s=5), rounds=20), train_ns=10 * MS,
    ).run()  # fmt: skip
    assert not [note for note in run.tape.notes if note[2] == "timeout"]
    # A round is an exchange there and back; its training is over by then.
    assert run.engine.now_ns == 20 * 100 * MS + lag(run, 20 * 100 * MS)


def lag(run, expected_ns):
    """What comes behind the last round: answers that reach those who have ended."""
    assert max(note[0] for note in run.tape.notes) == expected_ns
    return run.engine.now_ns - expected_ns


def test_where_every_message_is_lost_rounds_last_until_the_timeout(emulation):
    graph = nx.complete_graph(3)
    run = emulation(
        graph, Network(drop=1), protocols=peers(graph, Pairwise(timeout_s=3), rounds=2)
    ).run()
    ends = [t for t, _, what, _, _ in run.tape.notes if what == "round_end"]
    assert ends == [3 * S] * 3 + [6 * S] * 3


def test_a_run_without_a_number_of_rounds_ends_with_its_time(emulation):
    graph = nx.cycle_graph(5)
    for how in (Gossip(fanout=1), Pairwise()):
        run = emulation(
            graph, Network(latency=Constant(ms=10)), protocols=peers(graph, how, rounds=None),
            budget=Budget(virtual_s=10.5),
        ).run()  # fmt: skip
        assert run.engine.spent == "virtual_s"
        assert run.engine.now_ns == 10_500 * MS
        last = [note for note in run.tape.notes if note[2] == "budget_spent"]
        assert [(peer, round_) for _, peer, _, round_, _ in last] == [(p, 10) for p in range(5)]


# ---------------------------------------------------------------- any of them, over any links

networks = st.sampled_from(
    [
        Network(latency=Constant(ms=10)),
        Network(latency=Lognormal(median_ms=400, sigma=1), bandwidth_mbps=0.1, drop=0.3),
        Network(
            latency=Lognormal(median_ms=400, sigma=1),
            drop=GilbertElliott(p_good_to_bad=0.3, p_bad_to_good=0.4, drop_good=0.1),
            retries=2, retry_after_ms=300, fifo=True, duplicate=0.3,
        ),
    ]
)  # fmt: skip
protocols = st.sampled_from([Gossip(), Gossip(fanout=1, max_staleness=1), Pairwise(timeout_s=2)])
graphs = st.sampled_from([nx.complete_graph(4), nx.cycle_graph(5), nx.star_graph(4)])
EVENTS = (
    Partition(groups=((0, 1),), at_round=2),
    Heal(at_s=9),
    Crash(peers=(2,), at_s=1.5),
    Rejoin(peers=(2,), anew=True, at_s=3.5),
    Crash(peers=(3,), at_s=2.5),
)


@settings(max_examples=60, deadline=None)
@given(
    graph=graphs,
    network=networks,
    how=protocols,
    hostile=st.sampled_from([(), (1,), (1, 2)]),
    disturbed=st.booleans(),
    dropout=st.sampled_from([0.0, 0.4]),
    mutes=st.booleans(),
    speeds=st.lists(st.integers(1, 40), min_size=5, max_size=5),
)
def test_every_run_ends_and_every_message_is_accounted_for(
    emulation, graph, network, how, hostile, disturbed, dropout, mutes, speeds
):
    churn = Availability(churn=Session(mean_up_s=4, mean_down_s=1))
    run = emulation(
        graph,
        network,
        protocols=peers(graph, how, hostile=hostile, dropout=dropout, mutes=mutes),
        train_ns=[speed * S // 10 for speed in speeds],
        timeline=timeline(graph, churn, EVENTS, 1, None) if disturbed else None,
        watchers={0: list(hostile)},
    ).run()
    accepted = merged(run)
    for edge, counts in run.engine.counts.items():
        assert counts.in_flight == 0
        assert counts.sent + counts.duplicated == counts.arrived + counts.dropped
        if edge[1] != 3 or not disturbed:  # who is gone for good keeps what it had
            assert counts.arrived == accepted.get(edge, 0) + counts.late + counts.rejected
    ended = {(peer, round_) for _, peer, what, round_, _ in run.tape.notes if what == "round_end"}
    stays = [peer for peer in graph if not (disturbed and peer == 3)]
    assert {(peer, round_) for peer in stays for round_ in (1, 2, 3, 4)} <= ended
    times = [t for t, _, _ in run.log]
    assert times == sorted(times)
    assert bool(run.events(Resolved)) <= mutes
    assert run.executor.waits == len(run.events(Resolved))


def merged(run):
    found = {}
    for peer, task, _ in run.executor.submitted:
        for sender in task.senders if task.kind in ("merge", "meet") else ():
            found[sender, peer] = found.get((sender, peer), 0) + 1
    return found


@pytest.mark.parametrize("how", [Gossip(fanout=2), Pairwise()], ids=["gossip", "pairwise"])
def test_the_same_seed_gives_the_same_run(emulation, how):
    def outcome():
        graph = nx.complete_graph(5)
        noisy = Network(latency=Lognormal(median_ms=400, sigma=1), drop=0.2)
        run = emulation(
            graph, noisy, protocols=peers(graph, how), train_ns=[S, S, 2 * S, S // 2, S]
        ).run()
        return run.log, vars(run.tape), run.executor.submitted

    assert outcome() == outcome()


def test_partners_are_drawn_evenly(emulation):
    graph = nx.star_graph(4)
    run = emulation(
        graph, Network(), protocols=peers(graph, Pairwise(), rounds=400, every=0), train_ns=S
    ).run()
    asked = dict.fromkeys(range(1, 5), 0)
    for _, peer, event in run.events(Received):
        if event.envelope.source == 0 and not event.envelope.answers:
            asked[peer] += 1
    assert sum(asked.values()) == 400
    # Binomial with mean 100 and standard deviation 8.7: beyond six of them once in 10^9.
    assert all(isclose(count, 100, abs_tol=52) for count in asked.values())
