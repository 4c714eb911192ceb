from math import hypot, sqrt
from pathlib import Path

import networkx as nx
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from graphs.fixed import Complete, Rewire, Ring
from graphs.lattices import Exponential, Line, TwoCliques
from graphs.random_graphs import BarabasiAlbert, RandomGeometric, StochasticBlock, within
from graphs.swaps import swapped
from graphs.topologies import build_graph
from p2pfl.errors import TopologyError
from p2pfl.seeding import stream

HERE = Path()


def test_barabasi_albert_has_m_edges_for_each_that_came():
    graph = build_graph(BarabasiAlbert(peers=30, m=3), 1, HERE)
    assert graph.size() == 3 + 3 * 26  # a star of four, and 26 more peers
    assert nx.is_connected(graph)


def test_blocks_at_the_ends_of_the_probabilities():
    apart = build_graph(StochasticBlock(sizes=(2, 3), p_in=1, p_out=0), 1, HERE)
    assert list(apart.edges) == [(0, 1), (2, 3), (2, 4), (3, 4)]
    between = build_graph(StochasticBlock(sizes=(1, 2), p_in=0, p_out=1), 1, HERE)
    assert list(between.edges) == [(0, 1), (0, 2)]


def test_blocks_have_the_densities_that_were_asked_for():
    graph = build_graph(StochasticBlock(sizes=(60, 60), p_in=0.3, p_out=0.05), 1, HERE)
    inside = sum((a < 60) == (b < 60) for a, b in graph.edges)
    for got, pairs, p in (
        (inside, 2 * 60 * 59 / 2, 0.3),
        (graph.size() - inside, 60 * 60, 0.05),
    ):
        assert abs(got - pairs * p) < 5 * sqrt(pairs * p * (1 - p))  # five standard deviations


def test_a_random_geometric_graph_connects_whom_its_places_say():
    graph = build_graph(RandomGeometric(peers=25, radius=0.3), 4, HERE)
    places = stream(4, "graph").random((25, 2))
    for a in range(25):
        for b in range(a):
            near = hypot(*(places[a] - places[b])) <= 0.3
            assert graph.has_edge(a, b) == near
    assert build_graph(RandomGeometric(peers=9, radius=1.5), 1, HERE).size() == 36


def test_within_by_hand():
    assert list(within([[0, 0], [0, 0.5], [0.5, 0.5]], 0.5).edges) == [(0, 1), (1, 2)]


@pytest.mark.parametrize(
    ("build", "message"),
    [
        (lambda: BarabasiAlbert(peers=5, m=5), "with peers=5 1 to 4 is possible, got 5"),
        (lambda: StochasticBlock(sizes=(3, 0), p_in=1, p_out=0), "sizes must be >= 1, got 0"),
        (lambda: StochasticBlock(sizes=(1,), p_in=1, p_out=0), r">= 2 peers, got \[1\]"),
        (lambda: StochasticBlock(sizes=(3, 3), p_in=2, p_out=0), "p_in is a probability.* got 2"),
        (lambda: RandomGeometric(peers=3, radius=0), "radius must be a finite number > 0, got 0"),
        (lambda: Rewire(of=Ring(peers=4), swaps=-1), "swaps must be >= 0, got -1"),
    ],
)
def test_impossible_settings_say_what_would_be_possible(build, message):
    with pytest.raises(ValueError, match=message):
        build()


# ---------------------------------------------------------------- rewire


@given(st.integers(3, 10), st.sampled_from([2, 3]), st.integers(0, 999), st.integers(0, 40))
@settings(deadline=None)
def test_swaps_keep_every_degree(half, degree, seed, swaps):
    graph = nx.random_regular_graph(degree, 2 * half, seed=seed)
    graph.add_edge("leaf", 0)
    before = graph.copy()
    out = swapped(nx.convert_node_labels_to_integers(graph), swaps, np.random.default_rng(seed))
    assert sorted(d for _, d in out.degree) == sorted(d for _, d in before.degree)
    assert nx.utils.graphs_equal(graph, before)
    assert not list(nx.selfloop_edges(out))
    kept = {frozenset(e) for e in nx.convert_node_labels_to_integers(before).edges}
    assert len(kept - {frozenset(e) for e in out.edges}) <= 2 * swaps


def test_one_swap_by_hand():
    """Of 0-1 and 2-3 come 0-3 and 2-1, or 0-2 and 3-1."""
    graph = nx.Graph([(0, 1), (2, 3)])
    graph.edges[0, 1]["latency_ms"] = 9.0
    swapped_graphs = [swapped(graph, 1, np.random.default_rng(seed)) for seed in range(20)]
    assert {tuple(sorted(out.edges)) for out in swapped_graphs} == {
        ((0, 2), (1, 3)),
        ((0, 3), (1, 2)),
    }
    assert not any(settings for out in swapped_graphs for _, _, settings in out.edges(data=True))


def test_rewiring_is_seeded_and_forgets_the_ring():
    rewired = Rewire(of=Ring(peers=40, neighbours=4), swaps=800)
    graph = build_graph(rewired, 1, HERE)
    assert set(dict(graph.degree).values()) == {4}
    assert list(graph.edges) == list(build_graph(rewired, 1, HERE).edges)
    assert list(graph.edges) != list(build_graph(rewired, 2, HERE).edges)
    ring = build_graph(Ring(peers=40, neighbours=4), 1, HERE)
    assert nx.average_clustering(graph) < 0.5 * nx.average_clustering(ring)


def test_no_swap_leaves_the_graph_and_its_settings():
    graph = nx.path_graph(4)
    graph.edges[0, 1]["drop"] = 0.5
    assert swapped(graph, 0, np.random.default_rng(1)).edges[0, 1] == {"drop": 0.5}


@pytest.mark.parametrize(
    ("of", "message"),
    [
        (Complete(peers=5), "after 0 of 1 swaps .* 5 peers and 10 edges"),
        (Line(peers=2), "2 peers and 1 edges"),
        (Exponential(peers=5), "the graph is directed"),
    ],
)
def test_what_cannot_be_swapped_is_refused(of, message):
    with pytest.raises(TopologyError, match=message):
        build_graph(Rewire(of=of, swaps=1), 1, HERE)


def test_two_cliques_can_be_swapped_together():
    graph = build_graph(Rewire(of=TwoCliques(size=5, bridges=0), swaps=5), 1, HERE)
    assert nx.is_connected(graph)
