import numpy as np
import pytest
import torch

from p2pfl.rules import Rlr
from p2pfl.rules.sums import average

NAN = float("nan")


def published(rows, theta):
    values = rows.numpy().astype(np.float64)
    agree = np.abs(np.sign(values).sum(axis=0)) >= theta
    return np.where(agree, 1, -1) * values.mean(axis=0)


def test_by_hand():
    # Signs sum to 3, 1 and -2.
    rows = torch.tensor([[3.0, 3.0, -3.0], [1.0, -1.0, -6.0], [2.0, 4.0, 0.0]])
    out, shares = Rlr(theta=2).traced(rows)
    assert out.tolist() == [2, -2, -3]
    assert shares.tolist() == pytest.approx([1 / 3] * 3)


@pytest.mark.parametrize(("n", "theta"), [(1, 1), (5, 3), (9, 4), (9, 20)])
def test_agrees_with_the_definition(n, theta):
    rows = torch.randn(n, 300, generator=torch.Generator().manual_seed(n))
    np.testing.assert_allclose(Rlr(theta=theta)(rows).numpy(), published(rows, theta), rtol=1e-5)


def test_rows_that_agree_are_averaged_and_too_few_are_reversed():
    rows = torch.rand(4, 6, generator=torch.Generator().manual_seed(0)) + 1
    assert torch.equal(Rlr(theta=4)(rows), average(rows))
    assert torch.equal(Rlr(theta=5)(rows), -average(rows))
    assert Rlr(theta=5).needs(4) == "rlr needs n >= theta, got n=4, theta=5"


def test_a_row_that_is_not_finite_is_left_out():
    out, shares = Rlr(theta=2).traced(torch.tensor([[NAN], [1.0], [3.0]]))
    assert out.item() == 2
    assert shares.tolist() == [0, 0.5, 0.5]


def test_theta_of_zero_is_refused():
    with pytest.raises(ValueError, match=">= 1, got 0"):
        Rlr(theta=0)
