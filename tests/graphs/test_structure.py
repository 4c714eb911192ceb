from itertools import combinations
from math import cos, pi

import networkx as nx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import graphs.robustness
import graphs.structure
from graphs.robustness import Robustness, robustness
from graphs.structure import spectral_gap, structure_report
from graphs.types import heard


def by_definition(graph):
    """The greatest r such that of any two disjoint sets one has a peer who hears r outside it."""
    peers = sorted(graph)
    sets = [set(s) for k in range(1, len(peers)) for s in combinations(peers, k)]

    def reach(those):
        return max(len(set(heard(graph)[peer]) - those) for peer in those)

    pairs = [(a, b) for a in sets for b in sets if not a & b]
    return min(max(reach(a), reach(b)) for a, b in pairs)


@st.composite
def any_graph(draw, largest):
    n = draw(st.integers(2, largest))
    p = draw(st.sampled_from([0.2, 0.5, 0.8, 1.0]))
    seed = draw(st.integers(0, 999))
    return nx.gnp_random_graph(n, p, seed=seed, directed=draw(st.booleans()))


@given(any_graph(5))
@settings(deadline=None, max_examples=60)
def test_robustness_is_that_of_the_definition(graph):
    r = by_definition(graph)
    assert robustness(graph) == Robustness(at_least=r, at_most=r)


@given(any_graph(10))
@settings(deadline=None)
def test_the_bounds_hold_what_they_promise(graph):
    exact = robustness(graph)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(graphs.robustness, "EXACT", 1)
        bounds = robustness(graph)
        patch.setattr(graphs.robustness, "LARGEST", 1)
        wider = robustness(graph)
    assert wider.at_least <= bounds.at_least <= exact.at_least <= bounds.at_most


@pytest.mark.parametrize(
    ("graph", "r"),
    [
        (nx.complete_graph(7), 4),  # ceil(n / 2), and no graph has more
        (nx.cycle_graph(8), 1),
        (nx.star_graph(6), 1),
        (nx.complete_bipartite_graph(4, 4), 2),
        (nx.disjoint_union(nx.complete_graph(3), nx.complete_graph(3)), 0),
        (nx.DiGraph([(0, 1), (1, 2)]), 1),  # 0 is heard by all, in the end
        (nx.DiGraph([(0, 1), (2, 1)]), 0),  # two who hear nobody
    ],
)
def test_robustness_of_known_graphs(graph, r):
    assert robustness(graph).at_least == r
    assert robustness(graph).at_most == r


def test_what_it_tolerates():
    assert [Robustness(at_least=r, at_most=9).tolerates for r in (0, 1, 2, 3, 4, 5)] == [
        0, 0, 0, 1, 1, 2,
    ]  # fmt: skip


def test_bounds_of_larger_graphs():
    assert robustness(nx.complete_graph(40)) == Robustness(at_least=20, at_most=20)
    assert robustness(nx.cycle_graph(40)) == Robustness(at_least=1, at_most=2)
    assert robustness(nx.empty_graph(20)) == Robustness(at_least=0, at_most=1)


# ---------------------------------------------------------------- gap and cut


def test_gaps_by_hand():
    # Weights of three in a line: eigenvalues 1, 2/3 and 0.
    assert spectral_gap(nx.path_graph(3)) == pytest.approx(1 / 3)
    # All weights 1 / n: one round is enough.
    assert spectral_gap(nx.complete_graph(5)) == pytest.approx(1)
    # A ring: (1 + 2 cos(2 pi k / n)) / 3.
    assert spectral_gap(nx.cycle_graph(10)) == pytest.approx(1 - (1 + 2 * cos(2 * pi / 10)) / 3)
    assert spectral_gap(nx.empty_graph(3)) == 0
    assert spectral_gap(nx.empty_graph(1)) == 1


def test_the_gap_of_a_directed_ring():
    # Half to itself, half to the one before: (1 + exp(2 pi i k / n)) / 2, of modulus cos(pi / n).
    ring = nx.DiGraph([(k, (k + 1) % 6) for k in range(6)])
    assert spectral_gap(ring) == pytest.approx(1 - cos(pi / 6))


def test_only_the_benign_part_counts():
    # A ring of six with a chord; without the adversary it is a line of five with a triangle.
    graph = nx.cycle_graph(6)
    graph.add_edge(1, 3)
    report = structure_report(graph, {0})
    rest = graph.subgraph({1, 2, 3, 4, 5})
    assert report.spectral_gap == pytest.approx(spectral_gap(rest))
    assert report.vertex_cut == 1
    assert report.robustness == robustness(graph)
    assert structure_report(graph, ()).vertex_cut == 2
    assert structure_report(nx.complete_graph(5), {4}).vertex_cut == 3
    assert structure_report(nx.path_graph(4), {1}).vertex_cut == 0


def test_what_would_take_too_long_is_left_out(monkeypatch):
    monkeypatch.setattr(graphs.structure, "MOST_CUT", 3)
    monkeypatch.setattr(graphs.structure, "LARGEST", 3)
    report = structure_report(nx.cycle_graph(5), ())
    assert (report.vertex_cut, report.spectral_gap) == (None, None)


def test_a_report_is_plain_for_json():
    assert structure_report(nx.complete_graph(4), ()).as_dict() == {
        "spectral_gap": pytest.approx(1),
        "vertex_cut": 3,
        "robustness": {"at_least": 2, "at_most": 2, "tolerates": 0},
    }
