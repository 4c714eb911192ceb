"""Placements by place. Whom they take is worked out by hand on small graphs."""

import networkx as nx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from graphs.central import (
    Betweenness,
    Bridges,
    Clustered,
    Degree,
    Eigenvector,
    KCore,
    Spread,
    Surround,
    influence,
)
from graphs.placement import place
from p2pfl.errors import TopologyError

LINE = nx.path_graph(7)
# A triangle 0 1 2, a tail 2-3-4, and 4 with leaves 5 6 7.
KITE = nx.Graph([(0, 1), (0, 2), (1, 2), (2, 3), (3, 4), (4, 5), (4, 6), (4, 7)])


def chosen(placement, graph, count=None):
    return place(graph, placement, 1, count=count).adversaries


def test_degree():
    assert chosen(Degree(), KITE, 1) == (4,)
    assert chosen(Degree(), KITE, 3) == (0, 2, 4)  # of 0, 1 and 3, which have two, the lowest
    # Whom others hear counts: 0 is heard by two, 1 hears two.
    assert chosen(Degree(), nx.DiGraph([(0, 1), (0, 2), (2, 1)]), 1) == (0,)


def test_betweenness():
    # Paths through 3 lead from {0, 1, 2} to {4, 5, 6, 7}: 12. Through 4: 3 pairs of leaves and
    # 3 * 4 pairs of a leaf and another: 15. Through 2: {0, 1} to the five behind: 10.
    assert chosen(Betweenness(), KITE, 1) == (4,)
    assert chosen(Betweenness(), KITE, 2) == (3, 4)
    assert chosen(Betweenness(), LINE, 1) == (3,)


def test_eigenvector():
    assert chosen(Eigenvector(), nx.star_graph(4), 1) == (0,)
    assert chosen(Eigenvector(), LINE, 3) == (2, 3, 4)


def test_eigenvector_settles_on_a_bipartite_graph_and_agrees_with_networkx():
    want = nx.eigenvector_centrality_numpy(KITE)
    got = influence(KITE, steps=2000)
    assert {p: got[p] / got[2] for p in KITE} == pytest.approx(
        {p: want[p] / want[2] for p in KITE}, rel=1e-6
    )
    star = influence(nx.star_graph(4))
    assert star[1] == pytest.approx(star[0] / 2)  # the first eigenvector of a star: 2 : 1 : 1 ...


def test_kcore():
    assert chosen(KCore(), KITE, 3) == (0, 1, 2)


def test_bridges_come_by_what_they_sever():
    # Severed pairs: 2-3 cuts 3 * 5, 3-4 cuts 4 * 4, a leaf's edge cuts 7.
    assert chosen(Bridges(), KITE, 2) == (3, 4)
    assert chosen(Bridges(), KITE, 3) == (2, 3, 4)
    with pytest.raises(TopologyError, match="no edge of this graph is a bridge"):
        chosen(Bridges(), nx.cycle_graph(5), 1)


def test_spread():
    placed = place(LINE, Spread(), 1, count=3)
    # An end, the other end, and then all between are as far from both: the lowest id.
    assert placed.adversaries == (0, 1, 6)
    assert placed.notes == {"mean_distance": (6 + 1 + 5) / 3}
    assert chosen(Spread(), nx.cycle_graph(8), 2) == (0, 4)


def test_clustered():
    placed = place(LINE, Clustered(), 1, count=3)
    assert placed.adversaries == (1, 2, 3)
    assert placed.notes == {"mean_distance": 4 / 3}


@given(st.integers(3, 16), st.integers(0, 99), st.data())
@settings(deadline=None)
def test_spread_is_no_closer_than_clustered(n, seed, data):
    graph = nx.random_labeled_tree(n, seed=seed)
    count = data.draw(st.integers(2, n - 1))
    far = place(graph, Spread(), 1, count=count).notes["mean_distance"]
    near = place(graph, Clustered(), 1, count=count).notes["mean_distance"]
    assert near <= far


def test_surround():
    placed = place(KITE, Surround(target=3), 1)
    assert placed.adversaries == (2, 4)
    assert placed.notes == {"surrounded_share": 1.0}
    # 2 has three neighbours, 4 has four.
    half = place(KITE, Surround(target=3), 1, count=1)
    assert (half.adversaries, half.notes) == ((2,), {"surrounded_share": 0.5})
    # Only who sends to it counts.
    assert chosen(Surround(target=0), nx.DiGraph([(1, 0), (0, 2), (2, 1)])) == (1,)


@pytest.mark.parametrize(
    "placement", [Degree(), Betweenness(), Eigenvector(), KCore(), Spread(), Clustered()]
)
@given(st.integers(2, 12), st.integers(0, 99), st.data())
@settings(deadline=None, max_examples=30)
def test_as_many_as_wanted_on_any_graph(placement, n, seed, data):
    directed = data.draw(st.booleans())
    graph = nx.gnp_random_graph(n, 0.4, seed=seed, directed=directed)
    count = data.draw(st.integers(0, n - 1))
    adversaries = chosen(placement, graph, count)
    assert len(set(adversaries)) == count
    assert list(adversaries) == sorted(adversaries)
    assert set(adversaries) <= set(graph)
    with pytest.raises(TopologyError, match=f"placement {placement.kind} needs count or fraction"):
        chosen(placement, graph)


@pytest.mark.parametrize(
    ("graph", "target", "count", "message"),
    [
        (LINE, 7, None, "peers 0 to 6, not 7"),
        (LINE, 1, 3, "peer 1 has 2 neighbours, so 0 to 2 adversaries are possible, got 3"),
        (nx.empty_graph(3), 1, None, "peer 1 hears nobody"),
    ],
)
def test_what_cannot_be_surrounded_is_refused(graph, target, count, message):
    with pytest.raises(TopologyError, match=message):
        chosen(Surround(target=target), graph, count)


def test_a_target_below_zero_is_refused():
    with pytest.raises(ValueError, match="target must be an id >= 0, got -1"):
        Surround(target=-1)
