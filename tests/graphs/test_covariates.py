"""A graph's numbers, by hand."""

import networkx as nx
import pytest

from graphs.covariates import covariates


def test_a_path_with_an_adversary_at_its_end():
    """3 - 0 - 1 - 2, and 3 is hostile."""
    found = covariates(nx.Graph([(0, 1), (1, 2), (0, 3)]), [3])
    assert (found.degree_min, found.degree_mean, found.degree_max) == (1, 5 / 3, 2)
    assert found.hostile_share_mean == pytest.approx(1 / 6)  # 1/2, 0, 0
    assert found.hostile_share_max == 0.5
    assert found.dominated_share == 0  # one of two is no majority
    assert found.mean_hops == 2  # 1, 2, 3
    assert found.delta_max == pytest.approx(1 / 3)  # 1 / (1 + max(degrees 2, 1))
    assert found.benign_components == 1
    # The benign path 0 - 1 - 2: weights 1/3 at its edges, eigenvalues 1, 2/3, 0.
    assert found.spectral_gap == pytest.approx(1 / 3)
    assert found.robust_at_least == found.robust_at_most == 1


def test_a_star_whose_middle_is_hostile():
    found = covariates(nx.star_graph(3), [0])
    assert (found.degree_min, found.degree_mean, found.degree_max) == (1, 1.0, 1)
    assert (found.hostile_share_mean, found.dominated_share, found.mean_hops) == (1.0, 1.0, 1.0)
    assert (found.benign_components, found.spectral_gap) == (3, 0.0)


def test_nobody_hostile():
    found = covariates(nx.complete_graph(4), [])
    assert (found.mean_hops, found.delta_max, found.hostile_share_max) == (None, 0.0, 0.0)
    assert (found.benign_components, found.robust_at_least) == (1, 2)
    assert found.spectral_gap == pytest.approx(1)


def test_nobody_benign():
    found = covariates(nx.complete_graph(2), [0, 1])
    assert (found.degree_min, found.degree_mean, found.hostile_share_mean) == (None, None, None)
    assert found.dominated_share == 0
