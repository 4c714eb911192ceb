from math import log2
from pathlib import Path

import networkx as nx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from graphs.lattices import (
    BinaryTree,
    Caveman,
    Dumbbell,
    Exponential,
    Grid,
    Hypercube,
    Line,
    Torus,
    TwoCliques,
    hops_of_two,
)
from graphs.topologies import build_graph

HERE = Path()


def edges(topology):
    return list(build_graph(topology, 1, HERE).edges)


def test_line():
    assert edges(Line(peers=4)) == [(0, 1), (1, 2), (2, 3)]


def test_a_grid_is_numbered_row_by_row():
    # 0 1 2
    # 3 4 5
    assert edges(Grid(rows=2, columns=3)) == [
        (0, 1), (0, 3), (1, 2), (1, 4), (2, 5), (3, 4), (4, 5),
    ]  # fmt: skip
    assert edges(Grid(rows=1, columns=3)) == edges(Line(peers=3))


def test_a_torus_closes_rows_and_columns():
    graph = build_graph(Torus(rows=3, columns=4), 1, HERE)
    assert sorted(graph[0]) == [1, 3, 4, 8]
    assert set(dict(graph.degree).values()) == {4}
    assert graph.size() == 24


def test_hypercube():
    assert edges(Hypercube(dimensions=2)) == [(0, 1), (0, 2), (1, 3), (2, 3)]
    graph = build_graph(Hypercube(dimensions=5), 1, HERE)
    assert nx.is_isomorphic(graph, nx.hypercube_graph(5))
    assert all((a ^ b).bit_count() == 1 for a, b in graph.edges)


@given(st.integers(2, 40))
def test_every_peer_of_a_binary_tree_has_the_parent_that_its_id_says(peers):
    graph = build_graph(BinaryTree(peers=peers), 1, HERE)
    assert sorted(graph.edges) == sorted(((k - 1) // 2, k) for k in range(1, peers))


def test_exponential_by_hand():
    assert hops_of_two(6) == (1, 2, 4)
    assert hops_of_two(8) == (1, 2, 4)
    assert hops_of_two(9) == (1, 2, 4, 8)
    graph = build_graph(Exponential(peers=6), 1, HERE)
    assert graph.is_directed()
    assert sorted(graph.adj[4]) == [0, 2, 5]
    assert edges(Exponential(peers=2)) == [(0, 1), (1, 0)]


@given(st.integers(2, 70))
def test_exponential_has_a_logarithmic_degree_both_ways(peers):
    graph = build_graph(Exponential(peers=peers), 1, HERE)
    assert {d for _, d in graph.in_degree()} == {d for _, d in graph.out_degree()}
    assert log2(peers) <= graph.out_degree(0) < log2(peers) + 1


def test_dumbbell():
    assert edges(Dumbbell(clique=3)) == [(0, 1), (0, 2), (1, 2), (2, 3), (3, 4), (3, 5), (4, 5)]
    graph = build_graph(Dumbbell(clique=3, bridge=2), 1, HERE)
    assert len(graph) == 8
    assert sorted(nx.bridges(graph)) == [(2, 3), (3, 4), (4, 5)]


def test_two_cliques():
    assert edges(TwoCliques(size=3, bridges=2)) == [
        (0, 1), (0, 2), (0, 3), (1, 2), (1, 4), (3, 4), (3, 5), (4, 5),
    ]  # fmt: skip
    assert not nx.is_connected(build_graph(TwoCliques(size=3, bridges=0), 1, HERE))


def test_caveman_keeps_the_cliques_edges():
    graph = build_graph(Caveman(cliques=4, size=5), 1, HERE)
    assert (len(graph), graph.size()) == (20, 40)
    assert nx.is_connected(graph)


@pytest.mark.parametrize(
    ("build", "message"),
    [
        (lambda: Line(peers=1), "peers must be >= 2, got 1"),
        (lambda: Grid(rows=0, columns=3), "rows must be >= 1, got 0"),
        (lambda: Grid(rows=1, columns=1), "must be >= 2 peers, got 1"),
        (lambda: Torus(rows=3, columns=2), "columns must be >= 3, got 2"),
        (lambda: Hypercube(dimensions=0), r"dimensions must be in \[1, 16\], got 0"),
        (lambda: Hypercube(dimensions=17), "got 17"),
        (lambda: BinaryTree(peers=0), "got 0"),
        (lambda: Exponential(peers=1), "got 1"),
        (lambda: Dumbbell(clique=1), "clique must be >= 2, got 1"),
        (lambda: Dumbbell(clique=2, bridge=-1), "bridge must be >= 0, got -1"),
        (lambda: TwoCliques(size=3, bridges=4), "with size=3 0 to 3 is possible, got 4"),
        (lambda: Caveman(cliques=1, size=3), "cliques must be >= 2, got 1"),
        (lambda: Caveman(cliques=2, size=2), "size must be >= 3, got 2"),
    ],
)
def test_impossible_settings_say_what_would_be_possible(build, message):
    with pytest.raises(ValueError, match=message):
        build()
