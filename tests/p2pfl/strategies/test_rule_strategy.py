from dataclasses import replace

import pytest
import torch

from p2pfl.errors import TooFewNeighbours
from p2pfl.rules import (
    Bucketing,
    Bulyan,
    CenteredClip,
    ClipMean,
    Clustering,
    Dnc,
    Faba,
    Flame,
    GeometricMedian,
    Krum,
    Median,
    MultiKrum,
    Rlr,
    TrimmedMean,
)
from p2pfl.strategies import RuleStrategy

PAPERS = (
    Krum(f=4),
    MultiKrum(f=2),
    TrimmedMean(f=2),
    Median(),
    GeometricMedian(start="mean", nu=1e-5, iterations=4, tolerance=1e-6),
    Faba(f=4),
    Dnc(f=3, coordinates=1000),
    Bulyan(f=1),
    Rlr(theta=4),
    Clustering(),
    ClipMean(),
    CenteredClip(tau=10.0, start="zero"),
    Flame(),
    Bucketing(s=2, rule=Krum(f=1)),
)
"""The rules of SPMC's, DeSGD's and FedGrad's tables, as they are set there."""


@pytest.mark.parametrize("rule", PAPERS, ids=str)
def test_the_papers_rules_see_updates(rule, gathering):
    rows = torch.randn(10, 3, generator=torch.Generator().manual_seed(0))
    model = torch.tensor([1.0, -2.0, 3.0])
    merge, _ = RuleStrategy(rule=rule).aggregate(gathering(model.tolist(), rows.tolist()), None)
    assert torch.equal(merge.model, model + rule(rows - model))
    assert merge.influence.sum().item() == pytest.approx(1)


def test_models_and_the_servers_step(gathering):
    view = gathering([10.0] * 5, [[1.0] * 5, [4.0] * 5, [100.0] * 5])
    merge, _ = RuleStrategy(rule=Median(), rows="models", server_lr=0.5).aggregate(view, None)
    # Half the way from 10 to 4; running statistics are those of the row that was taken.
    assert merge.model.tolist() == pytest.approx([7.0] * 3 + [4.0] * 2)


def test_a_rule_that_cannot_be_computed_says_so(gathering):
    with pytest.raises(TooFewNeighbours, match="n=1, f=1"):
        RuleStrategy(rule=TrimmedMean(f=1)).aggregate(gathering([0.0] * 3, [[1.0] * 3]), None)


@pytest.mark.parametrize(
    "wrong", [{"rule": Rlr(theta=1), "rows": "models"}, {"rule": Median(), "server_lr": 0.0}]
)
def test_wrong_settings_are_refused(wrong):
    with pytest.raises(ValueError, match=r"rows|server_lr"):
        RuleStrategy(**wrong)


def by_samples(view, samples):
    return replace(view, samples=samples)


def test_multi_krum_averages_the_selected_by_claimed_samples(gathering):
    # f = 1 of 5: each row is scored by its two nearest; 50 is the row left out.
    view = by_samples(
        gathering([0.0] * 3, [[x] * 3 for x in (1.0, 2.0, 3.0, 4.0, 50.0)]), (1, 1, 2, 4, 1000)
    )
    merge, _ = RuleStrategy(rule=MultiKrum(f=1), weights="samples").aggregate(view, None)
    assert merge.model.tolist() == pytest.approx([(1 + 2 + 6 + 16) / 8] * 3)
    assert merge.influence.tolist() == pytest.approx([1 / 8, 1 / 8, 2 / 8, 4 / 8, 0])


def test_rfa_is_drawn_to_who_claims_more(gathering):
    # On a line with weights 1, 1 and 3, the sum of weighted distances is least at the last row.
    rfa = GeometricMedian(start="mean", nu=1e-5, iterations=500, tolerance=1e-9)
    view = gathering([0.0] * 3, [[0.0] * 3, [1.0] * 3, [9.0] * 3])
    plain, _ = RuleStrategy(rule=rfa).aggregate(view, None)
    assert plain.model.tolist() == pytest.approx([1.0] * 3, abs=1e-2)
    weighted, _ = RuleStrategy(rule=rfa, weights="samples").aggregate(
        by_samples(view, (10, 10, 30)), None
    )
    assert weighted.model.tolist() == pytest.approx([9.0] * 3, abs=1e-2)


def test_one_weighted_step_of_rfa_by_hand(gathering):
    # From the weighted mean 4 of 0 and 6: weights 1/4 and 2/2, so 6 / 1.25 = 4.8.
    step = GeometricMedian(start="mean", nu=1e-5, iterations=1)
    view = by_samples(gathering([0.0] * 3, [[0.0] * 3, [6.0 / 3**0.5] * 3]), (1, 2))
    merge, _ = RuleStrategy(rule=step, weights="samples").aggregate(view, None)
    assert merge.model.norm().item() == pytest.approx(4.8)


def test_rlr_weighs_the_average_and_not_the_votes(gathering):
    view = by_samples(
        gathering([0.0] * 3, [[1.0, 1.0, 4.0], [1.0, -1.0, 4.0], [7.0, -1.0, -4.0]]), (2, 1, 1)
    )
    merge, _ = RuleStrategy(rule=Rlr(theta=3), weights="samples").aggregate(view, None)
    # Averages (10, 0, 8) / 4; only the first coordinate has three votes.
    assert merge.model.tolist() == pytest.approx([2.5, 0.0, -2.0])


@pytest.mark.parametrize("rule", [MultiKrum(f=2), GeometricMedian(), Rlr(theta=4)], ids=str)
def test_equal_claims_weigh_as_none(gathering, rule):
    rows = torch.randn(10, 3, generator=torch.Generator().manual_seed(0))
    view = by_samples(gathering([1.0, -2.0, 3.0], rows.tolist()), (7,) * 10)
    plain, _ = RuleStrategy(rule=rule).aggregate(view, None)
    same, _ = RuleStrategy(rule=rule, weights="samples").aggregate(view, None)
    torch.testing.assert_close(same.model, plain.model)
    torch.testing.assert_close(same.influence, plain.influence)


@pytest.mark.parametrize("rule", [MultiKrum(f=1), GeometricMedian(), Rlr(theta=2)], ids=str)
def test_nobody_with_samples_moves_nothing(gathering, rule):
    view = by_samples(gathering([1.0] * 3, [[2.0] * 3, [3.0] * 3, [4.0] * 3]), (0, -5, 0))
    merge, _ = RuleStrategy(rule=rule, weights="samples").aggregate(view, None)
    assert merge.model.tolist() == [1.0] * 3
    assert merge.influence.tolist() == [0.0] * 3


def test_multi_krum_keeps_the_model_where_the_selected_have_no_samples(gathering):
    rows = [[x] * 3 for x in (1.0, 1.1, 1.2, 50.0)]
    view = by_samples(gathering([5.0] * 3, rows), (0, 0, 0, 9))
    merge, _ = RuleStrategy(rule=MultiKrum(f=1), weights="samples").aggregate(view, None)
    assert merge.model.tolist() == [5.0] * 3


def test_per_tensor_by_samples(gathering):
    rows = [[0.0] * 3, [1.0] * 3, [9.0] * 3]
    view = by_samples(gathering([0.0] * 3, rows), (1, 1, 30))
    rfa = GeometricMedian(iterations=500)
    merge, _ = RuleStrategy(rule=rfa, weights="samples", per_tensor=True).aggregate(view, None)
    assert merge.model.tolist() == pytest.approx([9.0] * 3, abs=1e-2)


def test_rules_that_cannot_weigh_refuse():
    with pytest.raises(ValueError, match=r"must be 'uniform' for Median.*; only multi_krum"):
        RuleStrategy(rule=Median(), weights="samples")
