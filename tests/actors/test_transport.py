"""Retries, copies and order on the way through the engine; then any protocol over any links."""

from collections import Counter, defaultdict
from pathlib import Path

import networkx as nx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from actors.protocols.events import (
    Count,
    Finished,
    Gone,
    Received,
    Send,
    SetTimer,
    Started,
    TimerFired,
    Work,
    WorkDone,
)
from graphs.availability import Availability, Session, timeline
from graphs.drops import Bernoulli, GilbertElliott
from graphs.latencies import Constant, Exponential, Lognormal, Normal, Pareto, Uniform
from graphs.network import Network
from p2pfl.seeding import stream

MS = 10**6
PAIR = nx.path_graph(2)


class Sender:
    """Sends messages 1, 2, ... to peer 1, one each ``gap_ms``, and ends."""

    def __init__(self, count, gap_ms=1):
        self.count, self.gap_ns, self.sent = count, gap_ms * MS, 0

    def on(self, event, now_ns):
        if not isinstance(event, Started | TimerFired):
            return ()
        self.sent += 1
        send = Send(1, self.sent, f"message {self.sent}")
        if self.sent == self.count:
            return (send, Finished())
        return (send, SetTimer(self.gap_ns, ("next", self.sent)))


class Listener:
    def on(self, event, now_ns):
        return (Count(event.envelope.source, "accepted"),) if isinstance(event, Received) else ()


def heard(run):
    return [(t, e.envelope.round) for t, _, e in run.events(Received, 1)]


def test_a_lost_message_comes_late(emulation):
    # A chain that turns at every message: of two tries one gets through.
    turns = GilbertElliott(p_good_to_bad=1, p_bad_to_good=1)
    network = Network(latency=Constant(ms=10), drop=turns, retries=1, retry_after_ms=30)
    run = emulation(PAIR, network, protocols=[Sender(2, gap_ms=100), Listener()]).run()
    counts = run.engine.counts[0, 1]
    assert (counts.sent, counts.arrived, counts.dropped) == (2, 2, 0)
    late = counts.retried
    assert late in (1, 2)
    first_lost = next(what for _, what, *_ in run.tape.messages) == "lost"
    assert heard(run)[0] == ((40 if first_lost else 10) * MS, 1)


def test_what_no_try_gets_through_is_dropped(emulation):
    network = Network(drop=1.0, retries=3, retry_after_ms=30)
    run = emulation(PAIR, network, protocols=[Sender(2, gap_ms=1), Listener()]).run()
    counts = run.engine.counts[0, 1]
    assert (counts.sent, counts.retried, counts.dropped, counts.in_flight) == (2, 6, 2, 0)
    assert heard(run) == []
    # The last is given up at 1 ms + 3 * 30 ms, and then the other side knows that 0 has ended.
    assert run.events(Gone) == [(91 * MS, 1, Gone(0))]


def test_a_try_again_uses_the_uplink(emulation):
    network = Network(up_mbps=8, drop=1.0, retries=1, retry_after_ms=5)
    run = emulation(PAIR, network, protocols=[Sender(1), Listener()]).run()
    assert [(t, what) for t, what, *_ in run.tape.messages] == [(0, "lost"), (6 * MS, "dropped")]


def test_copies_are_counted_and_arrive(emulation):
    network = Network(latency=Uniform(low_ms=1, high_ms=9), duplicate=1.0)
    run = emulation(PAIR, network, protocols=[Sender(20), Listener()]).run()
    counts = run.engine.counts[0, 1]
    assert (counts.sent, counts.duplicated, counts.arrived) == (20, 20, 40)
    assert Counter(round_ for _, round_ in heard(run)) == dict.fromkeys(range(1, 21), 2)
    assert counts.in_flight == 0


@pytest.mark.parametrize("fifo", [True, False])
def test_a_message_that_is_tried_again_holds_up_those_behind_it(emulation, fifo):
    drop = Bernoulli(p=0.6)
    network = Network(
        latency=Constant(ms=1), drop=drop, retries=4, retry_after_ms=50, fifo=fifo, up_mbps=80
    )
    run = emulation(PAIR, network, protocols=[Sender(40), Listener()]).run()
    rounds = [round_ for _, round_ in heard(run)]
    assert len(rounds) > 20
    assert (rounds == sorted(rounds)) == fifo
    counts = run.engine.counts[0, 1]
    assert (counts.sent, counts.in_flight) == (40, 0)
    assert counts.arrived + counts.dropped == 40
    assert counts.dropped == 40 - len(set(rounds))


def test_a_protocol_meets_a_lossy_copying_network(emulation):
    """Rounds over all of it: what comes twice is counted, and nothing raises."""
    network = Network(
        latency=Exponential(mean_ms=200), drop=0.3, retries=2, duplicate=0.5, bandwidth_mbps=8
    )
    run = emulation(nx.complete_graph(4), network, rounds=6).run()
    accepted = run.executor.accepted()
    for edge, counts in run.engine.counts.items():
        assert counts.in_flight == 0
        assert counts.arrived == accepted[edge] + counts.late + counts.rejected
    assert sum(counts.rejected + counts.late for counts in run.engine.counts.values()) > 0


# ---------------------------------------------------------------- any protocol, any links


class Anything:
    """A protocol that does whatever its own draws say, for a bounded number of events."""

    def __init__(self, me, neighbours, seed, budget):
        self.me, self.neighbours, self.seed, self.left = me, neighbours, seed, budget
        self.times = []
        self.number = 0
        self.ended = False

    def on(self, event, now_ns):
        self.times.append(now_ns)
        said = []
        if isinstance(event, Received):
            what = ("accepted", "late", "rejected")[event.envelope.round % 3]
            said.append(Count(event.envelope.source, what))
        if self.ended:
            return said
        if self.left == 0:
            self.ended = True
            return [*said, Finished()]
        self.left -= 1
        rng = stream(self.seed, "anything", self.me, self.left)
        for _ in range(int(rng.integers(4))):
            if self.neighbours and rng.random() < 0.7:
                self.number += 1
                said.append(Send(int(rng.choice(self.neighbours)), self.number, "x"))
        if rng.random() < 0.5:
            said.append(SetTimer(int(rng.integers(10**9)), ("t", self.left)))
        elif rng.random() < 0.8:
            said.append(Work("train", self.left))
        if rng.random() < 0.05:
            self.ended = True
            said.append(Finished())
        return said


LATENCIES = st.sampled_from(
    [
        Constant(ms=0),
        Constant(ms=20),
        Uniform(low_ms=0, high_ms=300),
        Normal(mean_ms=20, std_ms=50),
        Lognormal(median_ms=40, sigma=1.5),
        Exponential(mean_ms=90),
        Pareto(scale_ms=5, shape=1.1),
    ]
)
RATES = st.sampled_from([None, 0.05, 1.0, 100.0])
NETWORKS = st.builds(
    Network,
    latency=LATENCIES,
    up_mbps=RATES,
    down_mbps=RATES,
    drop=st.sampled_from(
        [0.0, 0.3, 1.0, GilbertElliott(p_good_to_bad=0.2, p_bad_to_good=0.3, drop_good=0.1)]
    ),
    retries=st.integers(0, 3),
    retry_after_ms=st.sampled_from([1, 200]),
    duplicate=st.sampled_from([0.0, 0.4]),
    fifo=st.booleans(),
)


CHURN = st.sampled_from([None, Session(mean_up_s=1, mean_down_s=0.5)])


@st.composite
def any_graph(draw):
    n = draw(st.integers(1, 6))
    return nx.gnp_random_graph(
        n, draw(st.sampled_from([0.3, 1.0])), seed=draw(st.integers(0, 99)),
        directed=draw(st.booleans()),
    )  # fmt: skip


@settings(deadline=None, max_examples=150)
@given(any_graph(), NETWORKS, CHURN, st.integers(0, 10**6), st.integers(1, 40))
def test_any_protocol_over_any_links(emulation, graph, network, churn, seed, budget):
    line = timeline(graph, Availability(churn=churn), (), seed, Path())

    def once():
        protocols = [Anything(k, sorted(graph.adj[k]), seed, budget) for k in sorted(graph)]
        run = emulation(graph, network, protocols=protocols, seed=seed, timeline=line).run()
        return protocols, run

    protocols, run = once()
    # Time never runs back: not over all events, and not at a peer.
    times = [now_ns for now_ns, _, _ in run.log]
    assert times == sorted(times)
    assert all(p.times == sorted(p.times) for p in protocols)
    # Conservation per edge, at the end and by what was seen to happen.
    seen = Counter((e.envelope.source, peer) for _, peer, e in run.events(Received))
    for edge, counts in run.engine.counts.items():
        assert counts.in_flight == 0
        assert counts.sent + counts.duplicated == counts.arrived + counts.dropped
        assert counts.arrived == seen[edge]
        assert counts.arrived == counts.accepted + counts.late + counts.rejected
    assert sum(c.sent for c in run.engine.counts.values()) == sum(p.number for p in protocols)
    # Order where it is asked for: copies may come later, first arrivals not.
    if network.fifo:
        rounds = defaultdict(list)
        for _, peer, event in run.events(Received):
            edge = (event.envelope.source, peer)
            if event.envelope.round not in rounds[edge]:
                rounds[edge].append(event.envelope.round)
        assert all(each == sorted(each) for each in rounds.values())
    # Work and timers come back once each.
    assert len(run.events(WorkDone)) == len(run.executor.submitted)
    # The same seed gives the same events.
    _, again = once()
    assert again.log == run.log
    assert again.tape.messages == run.tape.messages
