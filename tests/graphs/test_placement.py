from dataclasses import fields
from typing import get_args

import networkx as nx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from graphs.placement import PLACEMENTS, Dominate, Nodes, Placement, Random, place
from graphs.types import Placed
from p2pfl.errors import TopologyError

TEN = nx.cycle_graph(10)


def test_the_registry_is_the_union():
    assert get_args(Placement) == PLACEMENTS
    assert [fields(p)[-1].default for p in PLACEMENTS] == [
        "random",
        "nodes",
        "degree",
        "betweenness",
        "eigenvector",
        "kcore",
        "bridges",
        "spread",
        "clustered",
        "surround",
        "dominate",
    ]


@given(st.integers(2, 30), st.integers(0, 999), st.data())
@settings(deadline=None)
def test_random_takes_as_many_as_wanted_and_fewer_are_among_them(n, seed, data):
    count = data.draw(st.integers(0, n - 1))
    fewer = data.draw(st.integers(0, count))
    graph = nx.empty_graph(n)
    placed = place(graph, Random(), seed, count=count)
    assert len(placed.adversaries) == count
    assert list(placed.adversaries) == sorted(set(placed.adversaries))
    assert set(placed.adversaries) <= set(range(n))
    assert all(type(peer) is int for peer in placed.adversaries)
    assert set(place(graph, Random(), seed, count=fewer).adversaries) <= set(placed.adversaries)


def test_random_follows_the_seed():
    chosen = [place(TEN, Random(), seed, count=4).adversaries for seed in (1, 1, 2, 3)]
    assert chosen[0] == chosen[1]
    assert len(set(chosen)) == 3


def test_every_peer_is_as_likely():
    runs = 2000
    times = [0] * 10
    for seed in range(runs):
        for peer in place(TEN, Random(), seed, count=3).adversaries:
            times[peer] += 1
    bound = 5 * (runs * 0.3 * 0.7) ** 0.5  # five standard deviations of a binomial count
    assert all(abs(t - 0.3 * runs) < bound for t in times)


@pytest.mark.parametrize(
    ("fraction", "count"),
    [(0.0, 0), (0.3, 3), (0.25, 2), (0.26, 3), (0.35, 3), (0.05, 0), (0.051, 1), (0.94, 9)],
)
def test_a_fraction_is_rounded_with_halves_down(fraction, count):
    assert len(place(TEN, Random(), 1, fraction=fraction).adversaries) == count


def test_a_fraction_is_reckoned_in_decimals():
    # In binary 0.035 * 100 is 3.5000000000000004, and would be 4.
    assert len(place(nx.empty_graph(100), Random(), 1, fraction=0.035).adversaries) == 3


def test_nodes_are_taken_as_named():
    assert place(TEN, Nodes(nodes=(7, 2)), 1) == Placed(adversaries=(2, 7))
    assert place(TEN, Nodes(nodes=()), 1) == Placed(adversaries=())


def test_dominate_on_a_star_takes_the_hub():
    placed = place(nx.star_graph(5), Dominate(share=0.5, of=0.9), 1)
    assert placed == Placed(adversaries=(0,), notes={"dominated_share": 1.0})


@pytest.mark.parametrize("limit", [{"count": 3}, {"fraction": 0.3}])
def test_count_and_fraction_cap_dominate(limit):
    # On a ring two adversaries dominate the peer between them; three dominate two of seven.
    placed = place(TEN, Dominate(share=0.5, of=0.28), 1, **limit)
    assert len(placed.adversaries) == 3
    assert placed.notes == {"dominated_share": 2 / 7}


@pytest.mark.parametrize(
    ("placement", "limit", "message"),
    [
        (Random(), {}, "random needs count or fraction"),
        (Random(), {"count": 2, "fraction": 0.2}, "not both: got 2 and 0.2"),
        (Random(), {"count": 10}, "0 to 9 of 10 peers are possible, got 10"),
        (Random(), {"count": -1}, "0 to 9 of 10 peers are possible, got -1"),
        (Random(), {"fraction": 1.0}, "0 to 9 of 10 peers are possible, got 10"),
        (Random(), {"fraction": 1.2}, r"fraction must be in \[0, 1\], got 1.2"),
        (Random(), {"fraction": float("nan")}, "got nan"),
        (Nodes(nodes=(1,)), {"count": 1}, "leave out count and fraction"),
        (Nodes(nodes=(1, 10)), {}, r"peers 0 to 9, not \[10\]"),
        (Nodes(nodes=tuple(range(10))), {}, "10 of 10 peers leave no benign peer"),
        (
            Dominate(share=0.5, of=0.5),
            {"count": 2},
            r"dominate\(share=0.5, of=0.5\): 2 adversaries at most dominate 0.125 .* it takes 4",
        ),
    ],
)
def test_what_cannot_be_is_refused(placement, limit, message):
    with pytest.raises(TopologyError, match=message):
        place(TEN, placement, 1, **limit)


@pytest.mark.parametrize(
    ("build", "message"),
    [
        (lambda: Nodes(nodes=(1, 1)), r"each once, got \[1, 1\]"),
        (lambda: Nodes(nodes=(-1,)), r"ids >= 0, each once, got \[-1\]"),
        (lambda: Dominate(share=1.0, of=0.5), r"share must be in \[0, 1\), got 1.0"),
        (lambda: Dominate(share=-0.1, of=0.5), r"share must be in \[0, 1\), got -0.1"),
        (lambda: Dominate(share=0.5, of=0.0), r"of must be in \(0, 1\], got 0.0"),
        (lambda: Dominate(share=0.5, of=1.1), r"of must be in \(0, 1\], got 1.1"),
    ],
)
def test_settings_out_of_range_are_refused(build, message):
    with pytest.raises(ValueError, match=message):
        build()
