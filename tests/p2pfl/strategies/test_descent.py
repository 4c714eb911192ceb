import pytest
import torch

from p2pfl.rules import Bucketing, Clustering, Dnc, Faba, Krum, Mean, Median, TrimmedMean
from p2pfl.strategies.descent import aggregated, among_the_rest, fitted, moved


def test_a_rule_that_can_be_computed_stays_as_it_is():
    for rule in (Krum(f=4), TrimmedMean(f=4), Faba(f=4)):
        assert fitted(rule, 10) is rule


@pytest.mark.parametrize(
    ("rule", "n", "f"),
    [
        (TrimmedMean(f=4), 8, 3),
        (TrimmedMean(f=4), 3, 1),
        (TrimmedMean(f=4), 2, 0),
        (Faba(f=4), 3, 2),
    ],
)
def test_f_is_lowered_no_further_than_needed(rule, n, f):
    lower = fitted(rule, n)
    assert type(lower) is type(rule)
    assert lower.f == f


def test_whoever_was_rejected_is_not_among_the_rest():
    rule = Krum(f=4)
    assert among_the_rest(rule, 0) is rule
    assert [among_the_rest(rule, n).f for n in (1, 3, 4, 9)] == [3, 1, 0, 0]
    assert among_the_rest(Median(), 2) == Median()
    nested = Bucketing(s=2, rule=TrimmedMean(f=2))
    assert among_the_rest(nested, 1) == Bucketing(s=2, rule=TrimmedMean(f=1))


def test_one_row_is_its_own_aggregate():
    row = torch.tensor([[1.0, -2.0]])
    for rule in (Krum(f=4), TrimmedMean(f=1), Clustering(), Dnc(f=3), Median()):
        out, shares, fits = aggregated(rule, row)
        assert out.tolist() == [1.0, -2.0]
        assert shares.tolist() == [1.0]
        assert not fits


def test_of_two_rows_clustering_prefers_neither():
    out, shares, fits = aggregated(Clustering(), torch.tensor([[1.0], [3.0]]))
    assert (out.tolist(), shares.tolist(), fits) == ([2.0], [0.5, 0.5], True)
    assert fitted(Clustering(), 3) == Clustering()


def test_where_no_f_helps_it_is_the_mean():
    rule = Bucketing(s=2, rule=Krum(f=1))
    out, _, fits = aggregated(rule, torch.tensor([[1.0], [3.0]]))
    assert fitted(rule, 2) == Mean()
    assert out.tolist() == [2.0]
    assert fits


def test_a_step_by_hand_leaves_running_statistics():
    model = moved(torch.tensor([10.0, 2.0, 7.0]), torch.tensor([1.0, 0.0]), 0.1, 0.5)
    assert model.tolist() == pytest.approx([10 - 0.1 * (1 + 5), 2 - 0.1, 7.0])
