"""The engine's state, stored between any two events: what follows is as if nothing had been."""

from pathlib import Path

import networkx as nx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from actors.budget import Budget
from actors.encoding import Codec
from actors.engine import Engine
from actors.executor import Outcome
from actors.protocols.absent import AbsentPeer
from actors.protocols.adversary import RoundsAdversary
from actors.protocols.gossip import Gossip, GossipAdversary, GossipPeer
from actors.protocols.hostility import Hostility
from actors.protocols.measuring import Measuring
from actors.protocols.own_pace import Place
from actors.protocols.pairwise import Pairwise, PairwiseAdversary, PairwisePeer
from actors.protocols.participation import Participation
from actors.protocols.rounds import Rounds, RoundsPeer
from actors.protocols.server import ClientAdversary, ClientPeer, ServerPeer
from graphs.availability import Availability, Session, timeline
from graphs.drops import GilbertElliott
from graphs.events import Crash, Heal, Partition, Rejoin, Slow
from graphs.lane import Lane
from graphs.links import Constant, Links, Lognormal, Network
from graphs.open_edges import OpenEdges
from graphs.varying import EdgeMarkov

ROUNDS = 3
S = 10**9


class Handle(str):
    """What stands for the result of a task; two that read alike are one."""


class Tape:
    """An observer that remembers."""

    def __init__(self):
        self.rows = []

    def note(self, *row):
        self.rows.append(row)

    merged = evaluated = message = note


def among_peers(settings, mutes):
    """Five on a complete graph: an adversary that watches, one that listens, one that is absent."""
    others = [[j for j in range(4) if j != i] for i in range(4)]
    graph = nx.complete_graph(4)
    graph.add_node(4)
    machines = [
        RoundsPeer(others[0], others[0], ROUNDS, settings, mutes=mutes),
        RoundsPeer(others[1], others[1], ROUNDS, settings, offers="after"),
        RoundsAdversary(Hostility(me=2), others[2], others[2], ROUNDS, settings, watches=(0, 1, 2)),
        RoundsAdversary(
            Hostility(me=3), others[3], others[3], ROUNDS, settings, listens=True, listeners=(3,)
        ),
        AbsentPeer(),
    ]
    return graph, machines, {0: [2], 1: [2]}


def around_a_server(settings, individual):
    """Four clients, two of them hostile, of whom three take part in a round."""
    graph = nx.star_graph(4)
    graph = nx.relabel_nodes(graph, {0: 4, 4: 0})
    participation = Participation(1, (0, 1, 2, 3), 3)
    machines = [
        ClientPeer(4),
        ClientPeer(4),
        ClientAdversary(Hostility(me=2), 4, participation, settings.timeout_s, (0, 1, 2)),
        ClientAdversary(Hostility(me=3), 4, participation, settings.timeout_s),
        ServerPeer(participation, ROUNDS, settings, individual=individual),
    ]
    return graph, machines, {0: [2], 1: [2]}


def at_their_own_pace(settings, mutes):
    """Four on a complete graph: one that listens, one that watches, one that rests now and then."""
    others = [tuple(j for j in range(4) if j != i) for i in range(4)]
    how = Gossip(fanout=2) if settings.late == "drop" else Pairwise(timeout_s=settings.timeout_s)
    benign, hostile = (
        (GossipPeer, GossipAdversary)
        if isinstance(how, Gossip)
        else (PairwisePeer, PairwiseAdversary)
    )
    places = [
        Place(
            me=me, neighbours=others[me], senders=others[me], rounds=ROUNDS, seed=1,
            availability=Availability(dropout=0.4 * (me == 1)), mutes=mutes and me < 2,
        )
        for me in range(4)
    ]  # fmt: skip
    machines = [
        *(benign(place, how, Measuring()) for place in places[:2]),
        hostile(places[2], how, Measuring(every=0, every_ns=S), Hostility(me=2)),
        hostile(places[3], how, Measuring(), Hostility(me=3), True),
    ]
    return nx.complete_graph(4), machines, {0: [2], 1: [2]}


EVENTS = (
    Partition(groups=((0, 1),), at_round=2),
    Heal(at_s=9),
    Crash(peers=(2,), at_s=1.5),
    Rejoin(peers=(2,), anew=True, at_s=3.5),
    Slow(peers=(1,), factor=2, at_s=1),
)


def what_happens(disturbed, graph):
    """What an engine is given of it."""
    if disturbed == "churn":
        churn = Availability(churn=Session(mean_up_s=4, mean_down_s=1))
        return {"timeline": timeline(graph, churn, EVENTS, 1, Path())}
    if disturbed == "varying":
        topology = EdgeMarkov(of=None, p_off=0.3, p_on=0.5, every_s=1.5)
        return {"open_edges": OpenEdges(topology, graph, 1, Path())}
    if disturbed == "bytes":
        return {"budget": Budget(bytes=15_000)}
    return {"budget": Budget(virtual_s=7.0)} if disturbed == "virtual_s" else {}


def make(parts, network, fake_executor, submitted, disturbed=None):
    graph, machines, watchers = parts
    executor = fake_executor()
    executor.submitted = submitted
    submit = executor.submit

    def with_handles(*task):
        updates, summary = submit(*task)
        # A peer may offer twice in a round: two results, so two handles.
        number = len(submitted)
        made = tuple(Handle(f"{update} ({number})") for update in updates)
        return Outcome(made, Handle(f"{summary} ({number})"))

    executor.submit = with_handles
    tape = Tape()
    engine = Engine(
        machines,
        Links(graph, network, 1),
        executor,
        tape,
        edges=[(i, j) for i in graph for j in graph.adj[i]],
        work_ns=lambda peer, work: (peer + 1) * S if work.kind in ("train", "answer") else 0,
        message_bytes=[1000] * len(machines),
        outputs=[1] * len(machines),
        watchers=watchers,
        messages=True,
        prepares=frozenset({0, 1}),
        **what_happens(disturbed, graph),
    )
    return engine, tape


TROUBLED = Network(
    latency=Lognormal(median_ms=400, sigma=1),
    bandwidth_mbps=0.1,
    drop=GilbertElliott(p_good_to_bad=0.3, p_bad_to_good=0.4, drop_good=0.1),
    retries=2,
    retry_after_ms=300,
    fifo=True,
    duplicate=0.3,
)

networks = st.sampled_from(
    [
        Network(latency=Constant(ms=10)),
        Network(latency=Lognormal(median_ms=400, sigma=1), bandwidth_mbps=0.1, drop=0.3),
        Network(latency=Lognormal(median_ms=3000, sigma=2), drop=0.1),
        TROUBLED,
    ]
)
protocols = st.tuples(
    st.sampled_from([among_peers, around_a_server, at_their_own_pace]), st.booleans()
)


@settings(max_examples=90)
@given(
    network=networks,
    protocol=protocols,
    how=st.builds(
        Rounds, timeout_s=st.sampled_from([2.5, 60.0]), late=st.sampled_from(["drop", "use"])
    ),
    disturbed=st.sampled_from([None, "churn", "varying", "bytes", "virtual_s"]),
    stops=st.lists(st.integers(0, 120), min_size=1, max_size=3),
)
def test_a_run_that_was_stored_goes_on_as_if_it_had_not(
    network, protocol, how, disturbed, stops, fake_executor
):
    kind, flag = protocol
    whole, expected, rows, submitted = [], [], [], []
    undisturbed, tape = make(kind(how, flag), network, fake_executor, whole, disturbed)
    assert undisturbed.run()
    expected = tape.rows

    engine, tape = make(kind(how, flag), network, fake_executor, submitted, disturbed)
    for stop in [*stops, None]:
        left = iter(range(stop)) if stop is not None else None
        ended = engine.run(lambda left=left: left is not None and next(left, None) is None)
        rows += tape.rows
        codec = Codec(handle=Handle)
        encoded, handles = codec.encode(engine.state())
        engine, tape = make(kind(how, flag), network, fake_executor, submitted, disturbed)
        engine.restore(codec.decode(encoded, handles))
        again, _ = codec.encode(engine.state())
        assert again.arrays == encoded.arrays == ()
    assert ended
    assert rows == expected
    assert submitted == whole
    assert engine.counts == undisturbed.counts
    assert engine.now_ns == undisturbed.now_ns
    assert engine.spent == undisturbed.spent
    assert engine.sent_bytes == undisturbed.sent_bytes


# ---------------------------------------------------------------- links


def test_every_attribute_of_links_is_stored_or_given():
    """One that is neither would be forgotten: if it changes, name it in ``Links.state``."""
    links = Links(nx.path_graph(2), Network(latency=Lognormal(median_ms=1, sigma=1)), 1)
    assert vars(links).keys() == {
        "_down_lasts_ns", "has_downlink", "_up_free_ns", "_down_free_ns", "_links", "duplicates",
        "holds", "_fifo", "_retries", "_retry_after_ns",
    }  # fmt: skip
    assert set(links._links[0][1].__slots__) == {
        "_again", "_bursts", "_copies", "_drop", "_duplicate", "_first", "_latency", "_name", "bad",
        "last_ns", "lasts_ns",
    }  # fmt: skip
    assert set(Lane.__slots__) == {
        "_ahead", "_drawn", "_drop", "_fixed_ns", "_latency", "_link", "_rngs", "_states",
        "_suffix",
    }  # fmt: skip


SIMPLE = Network(latency=Lognormal(median_ms=5, sigma=1), bandwidth_mbps=8, drop=0.4)


@pytest.mark.parametrize("network", [SIMPLE, TROUBLED], ids=["simple", "troubled"])
@pytest.mark.parametrize("count", [0, 1, 37])
def test_links_go_on_where_they_were(count, network):
    links, again = (Links(nx.complete_graph(3), network, 7) for _ in range(2))
    for k in range(count):
        links.send(k % 3, (k + 1) % 3, 1000, k, again=k % 4 == 1)
        links.copy(k % 3, (k + 1) % 3, k)
        links.receive((k + 1) % 3, 1000, k)
    again.restore(Codec().decode(Codec().encode(links.state())[0]))
    later = [(i, j) for i in range(3) for j in range(3) if i != j] * 20
    for first in (False, True):
        assert [links.send(i, j, 500, 99, first) for i, j in later] == [
            again.send(i, j, 500, 99, first) for i, j in later
        ]
    assert [links.copy(i, j, 99) for i, j in later] == [again.copy(i, j, 99) for i, j in later]
    assert links.receive(0, 10, 99) == again.receive(0, 10, 99)
