import numpy as np
import pytest
import torch

from p2pfl.defenses.dual_domains import Scales, cosines, domains, followed, measured

UNKNOWN = Scales(None, None)
NONE = float("nan")


def symmetric(n, entries):
    distances = np.zeros((n, n))
    distances[np.triu_indices(n, 1)] = entries
    return distances + distances.T


# ---------------------------------------------------------------- trust


def test_cosines_by_hand():
    models = torch.tensor([[3.0, 4.0], [6.0, 8.0], [-3.0, -4.0], [4.0, -3.0], [0.0, 0.0]])
    assert cosines(models).tolist() == pytest.approx([1.0, 1.0, -1.0, 0.0, 0.0])


def test_a_zero_model_trusts_itself_and_nobody_else():
    assert cosines(torch.tensor([[0.0, 0.0], [1.0, 0.0], [0.0, 0.0]])).tolist() == [1.0, 0.0, 0.0]


def test_cosines_of_huge_and_tiny_models(monkeypatch):
    monkeypatch.setattr("p2pfl.defenses.dual_domains._COLUMNS_PER_CHUNK", 1)
    models = torch.tensor([[3e38, 3e38], [1e-38, 1e-38], [-3e38, 3e38]])
    assert cosines(models).tolist() == pytest.approx([1.0, 1.0, 0.0])


# ---------------------------------------------------------------- both domains


def both_domains(models, data, alpha, c1):
    given = Scales(alpha, c1)
    return domains(models, data, given, given, settle=1)


def test_distances_by_hand():
    models = torch.tensor([[4.0, 0.0], [5.0, 0.0], [-26.0, 0.0]])
    data = symmetric(3, [1.0, 10.0, 9.0])
    found, scales = both_domains(models, data, 2.0, 65.0)
    assert found.models.tolist() == symmetric(3, [1.0, 30.0, 31.0]).tolist()
    assert found.data.tolist() == data.tolist()
    assert found.both.tolist() == symmetric(3, [3.0, 65.0, 65.0]).tolist()
    assert found.trust.tolist() == [1.0, 1.0, -1.0]
    assert (found.alpha, found.c1) == scales[:2] == (2.0, 65.0)
    without_models, _ = both_domains(models, data, 0.0, 65.0)
    assert without_models.both.tolist() == data.tolist()
    without_data, _ = both_domains(models, 0 * data, 2.0, 65.0)
    assert without_data.both.tolist() == symmetric(3, [2.0, 60.0, 62.0]).tolist()


def test_a_model_that_could_not_be_inverted_is_at_c1():
    data = symmetric(3, [1.0, NONE, NONE])
    found, _ = both_domains(torch.zeros(3, 2), data, 2.0, 65.0)
    assert found.data.tolist() == symmetric(3, [1.0, 65.0, 65.0]).tolist()
    assert found.both.tolist() == found.data.tolist()


def test_distances_of_huge_models_are_clipped():
    models = torch.tensor([[3e38], [-3e38]])
    found, _ = both_domains(models, np.zeros((2, 2)), 1e300, 7.0)
    assert found.both.tolist() == [[0.0, 7.0], [7.0, 0.0]]


def test_where_nothing_tells_the_scales_they_are_one_for_now():
    found, scales = domains(torch.zeros(2, 2), symmetric(2, [NONE]), UNKNOWN, UNKNOWN, settle=2)
    assert (found.alpha, found.c1) == (1.0, 1.0)
    assert found.both.tolist() == [[0.0, 1.0], [1.0, 0.0]]
    assert scales == UNKNOWN


# ---------------------------------------------------------------- alpha and c1


def test_the_scales_by_hand():
    # Of five neighbours the second nearest, whatever lies between others.
    models = symmetric(6, [1.0, 50.0, 2.0, 60.0, 70.0] + [1e9] * 10)
    data = symmetric(6, [10.0, 8.0, 12.0, 90.0, 95.0] + [1e9] * 10)
    # alpha = 5 * 10 / 2 = 25; W + alpha E = 35, 1258, 62, 1590, 1845.
    assert measured(models, data, UNKNOWN) == (25.0, 620.0)


def test_most_neighbours_may_be_as_far_as_they_like():
    near, far = [1.0, 1.1], [1e300, np.inf, np.inf]
    models = symmetric(6, near + far + [1.0] * 10)
    data = symmetric(6, [10.0, 10.0] + far + [1.0] * 10)
    alpha, c1 = measured(models, data, UNKNOWN)
    assert alpha == pytest.approx(50 / 1.1)
    assert c1 == pytest.approx(600)


def test_what_is_given_wins():
    models, data = symmetric(2, [2.0]), symmetric(2, [30.0])
    assert measured(models, data, Scales(1.0, None)) == (1.0, 320.0)
    assert measured(models, data, Scales(None, 9.0)) == (75.0, 9.0)
    assert measured(models, data, Scales(0.0, None)) == (0.0, 300.0)
    assert measured(models, data, Scales(0.0, 9.0)) == (0.0, 9.0)
    assert measured(models, 0 * data, Scales(1.0, None)) == (1.0, 20.0)


def test_pairs_without_data_distance_do_not_count():
    models = symmetric(3, [2.0, 1e9, 1e9])
    data = symmetric(3, [30.0, NONE, NONE])
    assert measured(models, data, UNKNOWN) == (75.0, 1800.0)


@pytest.mark.parametrize(
    ("models", "data"), [([0.0], [3.0]), ([3.0], [0.0]), ([3.0], [NONE]), ([0.0], [0.0])]
)
def test_equal_models_tell_no_scale(models, data):
    assert measured(symmetric(2, models), symmetric(2, data), UNKNOWN) == (None, None)


def test_a_peer_alone_learns_no_scale():
    assert measured(np.zeros((1, 1)), np.zeros((1, 1)), UNKNOWN) == (None, None)


def test_the_scales_follow_some_merges_and_stay():
    near, far = (
        (symmetric(2, [2.0]), symmetric(2, [30.0])),
        (symmetric(2, [1.0]), symmetric(2, [8.0])),
    )
    nothing = symmetric(2, [NONE])
    first = followed(*near, UNKNOWN, UNKNOWN, settle=2)
    assert first == (75.0, 1800.0, 1)
    silent = followed(near[0], nothing, UNKNOWN, first, settle=2)
    assert silent == first
    second = followed(*far, UNKNOWN, silent, settle=2)
    assert second == (40.0, 480.0, 2)
    assert followed(*near, UNKNOWN, second, settle=2) == second
    assert followed(*far, UNKNOWN, first, settle=1) == first
