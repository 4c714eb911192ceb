"""The fewest edges to add or rewire: by hand, and against every smaller change."""

from itertools import combinations

import networkx as nx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from graphs.demands import MAJORITY, rows, unsound
from graphs.neighbourhoods import neighbourhood_report
from graphs.repair import repair
from graphs.types import heard
from p2pfl.errors import TopologyError

STAR = nx.Graph([(0, 4), (1, 4), (2, 4), (3, 4)])
"""Four benign peers that hear nobody but adversary 4."""


def test_two_edges_serve_four_peers():
    made = repair(STAR, [4])
    assert len(made.added) == made.at_least == 2
    assert made.fewest
    assert made.removed == ()
    assert neighbourhood_report(made.graph, [4]).dominated == 0
    assert STAR.size() == 4


def test_of_an_odd_number_one_peer_gets_an_edge_of_its_own():
    made = repair(nx.Graph([(0, 3), (1, 3), (2, 3)]), [3])
    assert len(made.added) == 2


def test_one_that_lacks_two_takes_two():
    # Peer 0 hears adversaries 3, 4 and nobody else; 1 and 2 hear one another.
    made = repair(nx.Graph([(0, 3), (0, 4), (1, 2)]), [3, 4])
    assert made.added == ((0, 1), (0, 2))


def test_rewiring_takes_an_edge_from_the_adversary_and_keeps_their_number():
    made = repair(STAR, [4], how="rewire")
    # Each peer has to lose its adversary or gain a neighbour: two edges do, 2 ends and 1 each.
    assert len(made.added) == len(made.removed) == 2
    assert made.fewest
    assert made.graph.size() == STAR.size()
    assert neighbourhood_report(made.graph, [4]).dominated == 0


def test_what_is_sound_is_left_alone():
    graph = nx.cycle_graph(6)
    made = repair(graph, [0])
    assert (made.added, made.removed, made.at_least) == ((), (), 0)
    assert nx.utils.graphs_equal(made.graph, graph)


def test_edges_that_stay_keep_what_they_set():
    graph = nx.Graph()
    graph.add_edge(0, 2, latency_ms=80.0)
    graph.add_edge(1, 2)
    made = repair(graph, [2])
    assert made.added == ((0, 1),)
    assert made.graph.edges[0, 2] == {"latency_ms": 80.0}
    assert made.graph.edges[0, 1] == {}


def test_the_other_end_is_who_has_fewest_edges():
    # Peer 0 is dominated; 2 and 3 are busy, 4 is least so.
    graph = nx.Graph([(0, 1), (2, 3), (2, 4), (3, 4), (2, 5), (3, 5), (2, 1)])
    assert repair(graph, [1]).added == ((0, 4),)


def test_a_rule_wants_rows_and_few_adversaries_among_them():
    # trimmed_mean with f = 1 needs n > 2f: three rows with its own, so two neighbours.
    path = nx.path_graph(4)
    made = repair(path, [3], rows(3, 1))
    assert made.added == ((0, 2),)
    assert unsound(path, [3], rows(3, 1)) == [0]
    assert unsound(made.graph, [3], rows(3, 1)) == []


def test_too_many_adversaries_are_for_rewiring():
    graph = nx.Graph([(0, 1), (0, 2), (1, 2), (1, 3), (2, 3), (0, 4), (0, 5)])
    with pytest.raises(TopologyError, match="peer 0 hears 2 adversaries, more than f=1"):
        repair(graph, [4, 5], rows(3, 1))
    made = repair(graph, [4, 5], rows(3, 1), how="rewire")
    assert (made.added, made.removed) == (((0, 3),), ((0, 4),))
    assert unsound(made.graph, [4, 5], rows(3, 1)) == []


def test_what_cannot_be_is_refused():
    graph = nx.Graph([(0, 2), (0, 3), (0, 4), (1, 2)])
    with pytest.raises(TopologyError, match="peer 0 lacks 3 benign neighbours, and there are 1"):
        repair(graph, [2, 3, 4])


def test_a_directed_edge_serves_whom_it_leads_to():
    graph = nx.DiGraph([(3, 0), (3, 1), (3, 2), (0, 3)])
    made = repair(graph, [3])
    assert len(made.added) == 3
    assert sorted(j for _, j in made.added) == [0, 1, 2]
    assert neighbourhood_report(made.graph, [3]).dominated == 0


@st.composite
def hostile_graphs(draw, peers=6):
    n = draw(st.integers(3, peers))
    directed = n <= 4 and draw(st.booleans())
    every = [(i, j) for i in range(n) for j in range(n) if i != j and (directed or i < j)]
    graph = nx.DiGraph() if directed else nx.Graph()
    graph.add_nodes_from(range(n))
    graph.add_edges_from(edge for edge in every if draw(st.booleans()))
    adversaries = sorted(draw(st.sets(st.integers(0, n - 1), min_size=1, max_size=n - 1)))
    return graph, adversaries


DEMANDS = st.sampled_from([MAJORITY, rows(3, 1), rows(4, 2)])


def absent(graph, peers):
    directed = graph.is_directed()
    return [
        (i, j) for i in peers for j in peers
        if (i != j if directed else i < j) and not graph.has_edge(i, j)
    ]  # fmt: skip


def holds(graph, hostile, demand):
    """The slow twin of ``unsound``, from the definition."""
    for peer in set(graph) - set(hostile):
        b = len(set(heard(graph)[peer]) & set(hostile))
        h = len(heard(graph)[peer]) - b
        fine = h >= b if demand == MAJORITY else h + b >= demand.least and b <= demand.most
        if not fine:
            return False
    return True


def smallest(graph, hostile, demand, removable, addable, rewires):
    """The fewest changes by trying all, smaller ones first; None if none does."""
    most = min(len(removable), len(addable)) if rewires else len(addable)
    for k in range(most + 1):
        for gone in combinations(removable, k) if rewires else [()]:
            for come in combinations(addable, k):
                other = graph.copy()
                other.remove_edges_from(gone)
                other.add_edges_from(come)
                if holds(other, hostile, demand):
                    return k
    return None


def check(graph, hostile, demand, how, want):
    if want is None:
        with pytest.raises(TopologyError):
            repair(graph, hostile, demand, how)
        return
    made = repair(graph, hostile, demand, how)
    assert holds(made.graph, hostile, demand)
    assert len(made.added) == made.at_least == want
    assert len(made.removed) == (want if how == "rewire" else 0)
    changed = set(made.graph.edges) ^ set(graph.edges)
    assert len(changed) == len(made.added) + len(made.removed)


@given(hostile_graphs(), DEMANDS)
@settings(max_examples=60)
def test_no_smaller_addition_does(case, demand):
    graph, hostile = case
    benign = sorted(set(graph) - set(hostile))
    want = smallest(graph, hostile, demand, [], absent(graph, benign), False)
    check(graph, hostile, demand, "add", want)


@given(hostile_graphs(peers=5), DEMANDS)
@settings(max_examples=60)
def test_no_smaller_rewiring_of_adversaries_edges_does(case, demand):
    graph, hostile = case
    benign = sorted(set(graph) - set(hostile))
    theirs = [edge for edge in graph.edges if set(edge) & set(hostile)]
    free = absent(graph, benign) + absent(graph, hostile)
    want = smallest(graph, hostile, demand, theirs, free, True)
    check(graph, hostile, demand, "rewire", want)


@given(hostile_graphs(peers=5))
@settings(max_examples=40)
def test_against_a_majority_no_edges_of_other_kinds_would_do_with_fewer(case):
    graph, hostile = case
    try:
        made = repair(graph, hostile, how="rewire")
    except TopologyError:
        return
    any_edges = smallest(
        graph, hostile, MAJORITY, list(graph.edges), absent(graph, sorted(graph)), True
    )
    assert len(made.added) == any_edges
