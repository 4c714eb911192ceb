import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from p2pfl.rules.shares import (
    SAMPLED_COLUMNS,
    column_by_column,
    ordered_shares,
    rank_shares,
    running_sums,
)

NAN = float("nan")


def slow(rows, weights):
    """Each value of a column gets the mean weight of the ranks that its equals take."""
    total = np.zeros(len(rows))
    for column in rows.T:
        ordered = sorted(column)
        for i, value in enumerate(column):
            ranks = [r for r, other in enumerate(ordered) if other == value]
            total[i] += np.mean([weights[r] for r in ranks])
    return total / rows.shape[1]


def test_by_hand():
    # Middle value: row 1 in the first column, row 0 in the second.
    rows = torch.tensor([[1.0, 5.0], [2.0, 4.0], [3.0, 6.0]])
    assert rank_shares(rows, [0, 1, 0]).tolist() == [0.5, 0.5, 0.0]


def test_equal_values_split_their_ranks():
    # Ranks 0 and 1 are shared by rows 0 and 2: each gets half of the kept rank.
    rows = torch.tensor([[1.0], [2.0], [1.0]])
    assert rank_shares(rows, [0, 1, 0]).tolist() == [0.5, 0.0, 0.5]


def test_nan_counts_as_plus_infinity():
    rows = torch.tensor([[NAN], [2.0], [float("inf")], [1.0]])
    assert rank_shares(rows, [0, 0.5, 0.5, 0]).tolist() == [0.25, 0.5, 0.25, 0.0]


@given(hnp.arrays(np.float32, (5, 4), elements=st.integers(0, 4)))
@settings(max_examples=100, deadline=None)
def test_agrees_with_the_slow_twin(values):
    weights = [0, 0.25, 0.5, 0.25, 0]
    got = rank_shares(torch.from_numpy(values), weights)
    np.testing.assert_allclose(got.numpy(), slow(values, weights), atol=1e-6)


@pytest.mark.parametrize("d", [SAMPLED_COLUMNS, SAMPLED_COLUMNS + 1, 100_000])
def test_a_long_vector_is_sampled_from_end_to_end(d):
    # Row 0 is the smaller one in the first half of the columns, row 1 in the second.
    rows = torch.ones(2, d)
    rows[0, : d // 2] = 0
    rows[1, d // 2 :] = 0
    assert rank_shares(rows, [1, 0]).tolist() == pytest.approx([0.5, 0.5], abs=1e-3)


def test_weights_may_differ_between_columns():
    rows = torch.tensor([[1.0, 5.0], [2.0, 4.0], [3.0, 4.0]])
    # All to the smallest of column 0, all to the largest of column 1; then to the tied ones there.
    largest = torch.tensor([[1.0, 0, 0], [0, 0, 1]], dtype=torch.float64)
    assert ordered_shares(rows, lambda ordered: largest).tolist() == [1, 0, 0]
    smallest = torch.tensor([[1.0, 0, 0], [1, 0, 0]], dtype=torch.float64)
    assert ordered_shares(rows, lambda ordered: smallest).tolist() == [0.5, 0.25, 0.25]


@pytest.mark.parametrize("n", [1, 2, 3, 11, 100, 257])
def test_column_by_column_sums_are_the_same_to_the_bit(n):
    values = torch.rand(50, n, dtype=torch.float64, generator=torch.Generator().manual_seed(n))
    assert torch.equal(column_by_column(values), running_sums(values))
    one_row = values[:1].expand(50, n)
    assert torch.equal(column_by_column(one_row), running_sums(one_row))


def test_running_sums_by_hand():
    values = torch.tensor([[1.0, 2.0, 3.0], [0.5, 0.0, -1.0]], dtype=torch.float64)
    assert column_by_column(values).tolist() == [[1.0, 3.0, 6.0], [0.5, 0.5, -0.5]]
