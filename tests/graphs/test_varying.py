from itertools import islice
from math import sqrt
from pathlib import Path

import networkx as nx
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from graphs.edge_schedule import EdgeChange, Schedule
from graphs.files import EdgeList
from graphs.fixed import Complete, Ring
from graphs.lattices import Exponential, Line
from graphs.mixing import metropolis
from graphs.open_edges import OpenEdges
from graphs.random_graphs import ErdosRenyi
from graphs.topologies import build_graph, graphs_by_round
from graphs.varying import (
    VARYING,
    EdgeMarkov,
    OnePeerExponential,
    Periodic,
    RandomRegularAnew,
    RandomWalk,
)
from p2pfl.errors import TopologyError
from p2pfl.seeding import stream

HERE = Path()
EVERY = [
    Periodic(graphs_in_turn=(Ring(peers=6), ErdosRenyi(peers=6, p=0.5))),
    OnePeerExponential(peers=6),
    RandomRegularAnew(peers=6, degree=3),
    EdgeMarkov(of=Complete(peers=6), p_off=0.3, p_on=0.2),
    RandomWalk(peers=6, radius=0.4, step=0.1),
    Schedule(of=Ring(peers=6), changes=(EdgeChange(at_round=3, add=((0, 3),)),)),
]
each_topology = pytest.mark.parametrize("topology", EVERY, ids=lambda t: t.kind)


def steps(topology, count, seed=1, folder=HERE):
    union = build_graph(topology, seed, folder)
    return list(islice(topology.graphs(union, seed, folder), count))


def test_every_topology_that_varies_is_here():
    assert tuple(type(topology) for topology in EVERY) == VARYING


@each_topology
def test_a_step_has_the_peers_and_some_edges_of_the_whole(topology):
    union = build_graph(topology, 1, HERE)
    graphs = steps(topology, 20)
    assert all(list(graph) == list(union) for graph in graphs)
    assert all(graph.is_directed() == union.is_directed() for graph in graphs)
    assert all(union.has_edge(*edge) for graph in graphs for edge in graph.edges)
    assert len({tuple(graph.edges) for graph in graphs}) > 1


@each_topology
def test_steps_are_a_function_of_the_seed(topology):
    one, same = steps(topology, 9), steps(topology, 9)
    assert [list(g.edges) for g in one] == [list(g.edges) for g in same]
    if topology.kind not in ("one_peer_exponential", "schedule"):
        other = steps(topology, 9, seed=2)
        assert [list(g.edges) for g in one] != [list(g.edges) for g in other]


def test_graphs_in_turn():
    topology = Periodic(graphs_in_turn=(Line(peers=3), Complete(peers=3)), every_rounds=2)
    union = build_graph(topology, 1, HERE)
    assert list(union.edges) == [(0, 1), (0, 2), (1, 2)]
    sizes = [g.size() for g in graphs_by_round(topology, union, 1, HERE, 7)]
    assert sizes == [2, 2, 3, 3, 2, 2, 3]


def test_in_turn_with_a_directed_one_all_are(tmp_path):
    (tmp_path / "slow.txt").write_text("0 1 {'latency_ms': 9}\n")
    topology = Periodic(graphs_in_turn=(EdgeList(path="slow.txt"), Exponential(peers=2)))
    union = build_graph(topology, 1, tmp_path)
    assert dict(union.edges) == {(0, 1): {"latency_ms": 9.0}, (1, 0): {"latency_ms": 9.0}}
    for graph in steps(topology, 2, folder=tmp_path):
        assert list(graph.edges) == [(0, 1), (1, 0)]
    with pytest.raises(TopologyError, match="its graphs have 3, 4 peers, not the same"):
        build_graph(Periodic(graphs_in_turn=(Line(peers=3), Ring(peers=4))), 1, HERE)


@given(st.integers(1, 5))
def test_one_peer_at_a_time_averages_exactly_in_log_rounds(k):
    """With halves, and a power of two of peers: the product of the weights is 1 / n everywhere."""
    n = 2**k
    product = np.eye(n)
    for graph in steps(OnePeerExponential(peers=n), k):
        assert {d for _, d in graph.out_degree()} == {d for _, d in graph.in_degree()} == {1}
        weights = np.zeros((n, n))
        for peer, row in metropolis(graph).items():
            for other, weight in row.items():
                weights[peer, other] = weight
        product = weights @ product
    np.testing.assert_allclose(product, 1 / n)


def test_a_regular_graph_each_time():
    graphs = steps(RandomRegularAnew(peers=10, degree=3), 12)
    assert all(set(dict(graph.degree).values()) == {3} for graph in graphs)
    assert len({tuple(graph.edges) for graph in graphs}) == 12


def test_edges_come_and_go_with_their_shares_and_memory():
    """Every edge is a chain of two states: the share of each, and how often it is left."""
    p_off, p_on, count = 0.1, 0.3, 400
    graphs = steps(EdgeMarkov(of=Complete(peers=8), p_off=p_off, p_on=p_on), count)
    edges = list(nx.complete_graph(8).edges)
    there = np.array([[graph.has_edge(*edge) for graph in graphs] for edge in edges])
    share, forgets = p_on / (p_on + p_off), 1 - p_on - p_off
    n = there.size
    deviation = sqrt(share * (1 - share) / n * (1 + forgets) / (1 - forgets))
    assert abs(there.mean() - share) < 5 * deviation
    first = there[:, 0].mean()
    assert abs(first - share) < 5 * sqrt(share * (1 - share) / len(edges))
    for state, leaves in ((True, p_off), (False, p_on)):
        left = there[:, 1:][there[:, :-1] == state] != state
        assert abs(left.mean() - leaves) < 5 * sqrt(leaves * (1 - leaves) / left.size)


def test_one_edge_more_moves_no_other_edges_chain():
    few = steps(EdgeMarkov(of=Line(peers=4), p_off=0.4, p_on=0.4), 40)
    many = steps(EdgeMarkov(of=Ring(peers=4), p_off=0.4, p_on=0.4), 40)
    for a, b in zip(few, many, strict=True):
        assert {*a.edges} == {*b.edges} - {(0, 3)}


def test_walkers_begin_and_stay_anywhere_and_move_a_little():
    topology = RandomWalk(peers=40, radius=0.25, step=0.05)
    first, second, *_ = graphs = steps(topology, 60)
    places = np.array([stream(1, "walk", peer).random(2) for peer in range(40)])
    near = np.hypot(*(places[:, None] - places[None]).transpose(2, 0, 1)) <= 0.25
    assert all(first.has_edge(i, j) == near[i, j] for i in range(40) for j in range(i))
    changed = set(first.edges) ^ set(second.edges)
    assert 0 < len(changed) < first.size() / 2
    # Anywhere is as likely at all times: as many edges at the end, up to chance.
    sizes = [graph.size() for graph in graphs]
    assert abs(np.mean(sizes[:5]) - np.mean(sizes[-5:])) < 0.5 * np.mean(sizes)


def test_a_schedule_by_hand():
    changes = (
        EdgeChange(at_round=2, remove=((0, 1),)),
        EdgeChange(at_round=4, add=((0, 1), (0, 2)), remove=((2, 3),)),
    )
    topology = Schedule(of=Line(peers=4), changes=changes)
    assert list(build_graph(topology, 1, HERE).edges) == [(0, 1), (0, 2), (1, 2), (2, 3)]
    assert [list(graph.edges) for graph in steps(topology, 5)] == [
        [(0, 1), (1, 2), (2, 3)],
        [(1, 2), (2, 3)],
        [(1, 2), (2, 3)],
        [(0, 1), (0, 2), (1, 2)],
        [(0, 1), (0, 2), (1, 2)],
    ]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (EdgeChange(at_round=2, remove=((0, 2),)), r"at_round 2: there is no edge \[0, 2\]"),
        (EdgeChange(at_round=2, add=((1, 0),)), r"edge \[1, 0\] is there already"),
        (EdgeChange(at_round=2, add=((1, 9),)), r"peers 0 to 3 cannot have \[1, 9\]"),
        (EdgeChange(at_round=2, add=((1, 1),)), r"cannot have \[1, 1\]"),
    ],
)
def test_changes_that_cannot_be_are_refused(change, message):
    with pytest.raises(TopologyError, match=message):
        build_graph(Schedule(of=Line(peers=4), changes=(change,)), 1, HERE)


@pytest.mark.parametrize(
    ("build", "message"),
    [
        (lambda: Periodic(graphs_in_turn=()), r"must name a graph, got \[\]"),
        (lambda: OnePeerExponential(peers=1), "peers must be >= 2, got 1"),
        (lambda: OnePeerExponential(peers=4, every_rounds=0), "every_rounds must be >= 1, got 0"),
        (
            lambda: OnePeerExponential(peers=4, every_s=0),
            "every_s must be in .1e-3, 1e9. seconds, got 0",
        ),
        (lambda: RandomRegularAnew(peers=5, degree=3), "peers \\* degree must be even"),
        (lambda: RandomRegularAnew(peers=9999, degree=2), "at most 3000 where all may meet"),
        (lambda: EdgeMarkov(of=Line(peers=3), p_off=0, p_on=0), "are both 0: no edge ever"),
        (lambda: EdgeMarkov(of=Line(peers=3), p_off=2, p_on=0), "p_off is a probability"),
        (lambda: RandomWalk(peers=3, radius=1, step=0), r"step must be in \(0, 1\], got 0"),
        (lambda: RandomWalk(peers=3, radius=0, step=1), "radius must be .* > 0, got 0"),
        (lambda: EdgeChange(at_round=1), "at_round must be >= 2, got 1"),
        (
            lambda: Schedule(
                of=Line(peers=3), changes=(EdgeChange(at_round=5), EdgeChange(at_round=3))
            ),
            r"in the order of their rounds, got \[5, 3\]",
        ),
    ],
)
def test_settings_that_cannot_be_are_refused(build, message):
    with pytest.raises(ValueError, match=message):
        build()


def test_what_does_not_vary_by_rounds_has_no_graphs_by_round():
    ring = Ring(peers=4)
    assert graphs_by_round(ring, build_graph(ring, 1, HERE), 1, HERE, 5) == []
    timed = OnePeerExponential(peers=4, every_s=2)
    assert graphs_by_round(timed, build_graph(timed, 1, HERE), 1, HERE, 5) == []


@given(st.lists(st.integers(0, 12), max_size=12))
@settings(deadline=None)
def test_closed_edges_are_what_a_step_lacks_in_whatever_order_one_asks(asked):
    topology = EdgeMarkov(of=Ring(peers=5), p_off=0.4, p_on=0.4, every_s=1.5)
    union = build_graph(topology, 1, HERE)
    graphs = list(islice(topology.graphs(union, 1, HERE), 13))
    edges = OpenEdges(topology, union, 1, HERE)
    assert edges.every_ns == 1_500_000_000
    for step in asked:
        there = graphs[step].to_directed().edges
        assert edges.closed(step) == tuple(sorted({*union.to_directed().edges} - {*there}))
