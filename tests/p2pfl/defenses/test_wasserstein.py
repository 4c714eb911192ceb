import ot
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import wasserstein_distance

from p2pfl.defenses.wasserstein import wasserstein_distances


def random_sets(k, classes, samples, features, seed=0):
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(k, classes, samples, features, generator=generator)


def by_definition(a, b, solver):
    classes, _, features = a.shape
    return sum(
        float(solver(a[c, :, d].double().numpy(), b[c, :, d].double().numpy()))
        for c in range(classes)
        for d in range(features)
    )


def test_by_hand():
    # One class, two samples, two features. Sorted: (0, 4) and (1, 2), then (3, 3) and (3, 5).
    a = torch.tensor([[[4.0, 3.0], [0.0, 3.0]]])
    b = torch.tensor([[[1.0, 5.0], [2.0, 3.0]]])
    assert wasserstein_distances(torch.stack([a, b])).tolist() == [[0.0, 2.5], [2.5, 0.0]]


def test_samples_of_different_classes_are_not_mixed():
    a = torch.tensor([[[0.0]], [[1.0]]])
    b = torch.tensor([[[1.0]], [[0.0]]])
    assert wasserstein_distances(torch.stack([a, b]))[0, 1] == 2.0


@given(
    st.integers(1, 4), st.integers(1, 3), st.integers(1, 6), st.integers(1, 4), st.integers(0, 9)
)
def test_it_is_what_scipy_says(k, classes, samples, features, seed):
    sets = random_sets(k, classes, samples, features, seed)
    got = wasserstein_distances(sets)
    assert torch.equal(got, got.T)
    for i in range(k):
        for j in range(k):
            want = by_definition(sets[i], sets[j], wasserstein_distance)
            assert float(got[i, j]) == pytest.approx(want, abs=1e-12)


def test_it_is_what_the_library_of_optimal_transport_says():
    sets = random_sets(3, 2, 5, 4)
    got = wasserstein_distances(sets)
    for i in range(3):
        for j in range(3):
            want = by_definition(sets[i], sets[j], ot.wasserstein_1d)
            assert float(got[i, j]) == pytest.approx(want, abs=1e-12)


def test_the_order_of_samples_within_a_class_does_not_count():
    sets = random_sets(2, 3, 4, 5)
    other = sets.clone()
    other[1] = sets[1][:, [2, 0, 3, 1]]
    assert torch.equal(wasserstein_distances(sets), wasserstein_distances(other))


def test_chunks_give_the_same(monkeypatch):
    sets = random_sets(4, 2, 3, 50)
    whole = wasserstein_distances(sets)
    monkeypatch.setattr("p2pfl.defenses.wasserstein._COLUMNS_PER_CHUNK", 37)
    torch.testing.assert_close(wasserstein_distances(sets), whole)


def test_one_set_alone_is_at_distance_zero():
    assert wasserstein_distances(random_sets(1, 2, 3, 4)).tolist() == [[0.0]]


def test_sets_are_not_modified():
    sets = random_sets(3, 2, 3, 4)
    before = sets.clone()
    wasserstein_distances(sets)
    assert torch.equal(sets, before)
