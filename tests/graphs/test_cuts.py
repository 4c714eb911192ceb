"""Groups of peers with few edges between them."""

import networkx as nx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from graphs.cuts import between, groups


def test_a_dumbbell_is_cut_at_its_handle():
    graph = nx.barbell_graph(5, 0)
    assert groups(graph, [5, 5]) == ((0, 1, 2, 3, 4), (5, 6, 7, 8, 9))
    assert between(graph, groups(graph, [5, 5])) == 1


def test_a_ring_is_cut_into_arcs():
    numbers = [3, 0, 7, 5, 1, 6, 2, 4]
    graph = nx.Graph(zip(numbers, [*numbers[1:], numbers[0]], strict=True))
    found = groups(graph, [2, 2, 2, 2])
    assert between(graph, found) == 4
    in_turn = [tuple(range(k, k + 2)) for k in range(0, 8, 2)]
    assert between(graph, in_turn) > 4


def test_heavy_edges_are_kept_together():
    graph = nx.cycle_graph(4)
    graph.add_edge(0, 1, weight=9)
    graph.add_edge(2, 3, weight=9)
    assert set(groups(graph, [2, 2])) == {(0, 1), (2, 3)}


def test_four_communities_are_found():
    graph = nx.connected_caveman_graph(4, 6)
    found = groups(graph, [6, 6, 6, 6])
    assert between(graph, found) <= 6
    assert found == groups(graph, [6, 6, 6, 6])


@given(
    st.integers(2, 20).flatmap(
        lambda n: st.tuples(
            st.just(n),
            st.lists(st.tuples(st.integers(0, n - 1), st.integers(0, n - 1)), max_size=40),
            st.integers(1, n),
        )
    ),
    st.booleans(),
)
def test_everybody_is_in_one_group_of_the_size_that_was_asked(drawn, directed):
    n, edges, count = drawn
    graph = nx.DiGraph() if directed else nx.Graph()
    graph.add_nodes_from(range(n))
    graph.add_edges_from(edges)
    sizes = [n * (k + 1) // count - n * k // count for k in range(count)]
    found = groups(graph, sizes)
    assert [len(part) for part in found] == sizes
    assert sorted(peer for part in found for peer in part) == list(range(n))
    assert all(list(part) == sorted(part) for part in found)


@pytest.mark.parametrize("sizes", [[2, 1], [4, 0], []])
def test_sizes_must_fit(sizes):
    with pytest.raises(ValueError, match="sizes must be >= 1 and sum to 4"):
        groups(nx.path_graph(4), sizes)
