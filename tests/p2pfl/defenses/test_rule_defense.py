from dataclasses import replace

import pytest
import torch
from torch import nn

from p2pfl.defenses import RuleDefense
from p2pfl.errors import TooFewNeighbours
from p2pfl.rules import (
    Bucketing,
    ClipMean,
    Krum,
    Mean,
    Median,
    Rlr,
    SignMajority,
    TrimmedMean,
)
from p2pfl.rules.per_tensor import traced_by_tensor
from p2pfl.vectors import Layout


def test_the_rule_acts_on_own_and_received_parameters(neighbourhood):
    view = neighbourhood([1.0, 1.0, 9.0], [[2.0, 5.0, 9.0], [3.0, 3.0, 9.0]], buffers=False)
    merge, _ = RuleDefense(rule=Median()).merge(view, None)
    assert merge.model.tolist() == [2.0, 3.0, 9.0]
    # Half of what row 2 gave is its tie in the third coordinate: a third of it.
    assert merge.influence.tolist() == pytest.approx([4 / 9, 4 / 9])


def test_running_statistics_follow_the_selected_row(neighbourhood):
    rows = [[1.0, 1.0, 1.0, 70.0, 71.0], [1.2, 1.0, 1.0, 80.0, 81.0], [9.0, 9.0, 9.0, 0.0, -1.0]]
    view = neighbourhood([1.1, 1.0, 1.0, 50.0, 51.0], rows)
    merge, _ = RuleDefense(rule=Krum(f=0)).merge(view, None)
    assert merge.model.tolist() == pytest.approx([1.1, 1.0, 1.0, 50.0, 51.0])
    assert merge.influence.tolist() == [0, 0, 0]


def test_running_statistics_are_averaged_by_share(neighbourhood):
    # Kept by the trimmed mean: own twice and row 2 once, of three coordinates.
    rows = [[0.0, 0.0, 0.0, 1e6, 1e6], [9.0, 9.0, 1.0, 30.0, 60.0]]
    view = neighbourhood([5.0, 5.0, 5.0, 60.0, 30.0], rows)
    merge, _ = RuleDefense(rule=TrimmedMean(f=1)).merge(view, None)
    assert merge.model.tolist() == pytest.approx([5.0, 5.0, 1.0, 50.0, 40.0])
    assert merge.influence.tolist() == pytest.approx([0, 1 / 3])


def test_a_rejected_row_of_infinite_statistics_does_not_enter(neighbourhood):
    rows = [[0.0, 0.0, 0.0, float("inf"), 0.0], [9.0, 9.0, 9.0, 0.0, 0.0]]
    view = neighbourhood([5.0, 5.0, 5.0, 60.0, 30.0], rows)
    merge, _ = RuleDefense(rule=Median()).merge(view, None)
    assert merge.model.tolist() == [5.0, 5.0, 5.0, 60.0, 30.0]


def test_a_tie_falls_to_the_peer_itself(neighbourhood):
    view = neighbourhood([1.0, 0.0, 0.0], [[2.0, 0.0, 0.0]], buffers=False)
    merge, _ = RuleDefense(rule=Krum(f=0)).merge(view, None)
    assert merge.model.tolist() == [1.0, 0.0, 0.0]


def test_mean_alone_keeps_its_model(neighbourhood):
    merge, _ = RuleDefense(rule=Mean()).merge(neighbourhood([1.0] * 5, []), None)
    assert merge.model.tolist() == [1.0] * 5


def test_a_shortfall_is_the_callers(neighbourhood):
    view = neighbourhood([1.0] * 5, [[1.0] * 5])
    with pytest.raises(TooFewNeighbours, match="n=2, f=1"):
        RuleDefense(rule=TrimmedMean(f=1)).merge(view, None)


# The model of these tests has three parameters, each a tensor of its own.


def test_each_tensor_apart(neighbourhood):
    rows = [[1.0, 9.0, 1.0], [1.1, 9.5, 50.0], [7.0, 9.2, 1.3]]
    view = neighbourhood([1.3, 0.0, 1.1], rows, buffers=False)
    merge, _ = RuleDefense(rule=Krum(f=1), per_tensor=True).merge(view, None)
    # Of 1.3, 1, 1.1, 7: 1 (a tie with 1.1); of 0, 9, 9.5, 9.2: 9; of 1.1, 1, 50, 1.3: 1.1.
    assert merge.model.tolist() == pytest.approx([1.0, 9.0, 1.1])
    assert merge.influence.tolist() == pytest.approx([2 / 3, 0, 0])


def test_running_statistics_follow_the_shares_of_all_tensors(neighbourhood):
    rows = [[1.0, 9.0, 1.0, 30.0, 60.0], [1.1, 9.5, 50.0, 9e9, 9e9], [7.0, 9.2, 1.3, 9e9, 9e9]]
    view = neighbourhood([1.3, 0.0, 1.1, 60.0, 30.0], rows)
    merge, _ = RuleDefense(rule=Krum(f=1), per_tensor=True).merge(view, None)
    assert merge.model[3:].tolist() == pytest.approx([40.0, 50.0])


def test_a_tensor_counts_by_its_size():
    # 4 weights and 2 biases: the peer's own weights are selected and the neighbour's biases.
    module = nn.Linear(2, 2)
    layout = Layout.of(module)
    rows = torch.zeros(3, 6)
    rows[1, :4], rows[2, :4] = 5.0, -9.0
    rows[0, 4:], rows[2, 4:] = 7.0, 1.0
    shares = traced_by_tensor(Krum(f=0).traced, rows, layout, per_tensor=True)[1]
    assert shares.tolist() == pytest.approx([4 / 6, 2 / 6, 0])


def test_updates_are_measured_from_the_start(neighbourhood):
    view = neighbourhood(
        [11.0, 10.0, 10.0], [[10.0, 12.0, 10.0], [10.0, 10.0, 34.0]], buffers=False
    )
    view = replace(view, start=torch.full((3,), 10.0))
    merge, _ = RuleDefense(rule=ClipMean(), rows="updates").merge(view, None)
    # Updates of norm 1, 2 and 24, the last clipped to 2.
    assert merge.model.tolist() == pytest.approx([10 + 1 / 3, 10 + 2 / 3, 10 + 2 / 3])
    assert merge.influence.tolist() == pytest.approx([12 / 25, 1 / 25])


@pytest.mark.parametrize("per_tensor", [False, True])
def test_a_rule_that_moves_with_its_rows_gives_the_same_of_updates(per_tensor, neighbourhood):
    view = neighbourhood([1.0, 2.0, 3.0, 0.0, 1.0], [[4.0, 0.0, 2.0, 1.0, 1.0]] * 2)
    view = replace(view, start=torch.tensor([0.5, 1.0, 2.0, 0.0, 0.0]))
    models, _ = RuleDefense(rule=Median(), per_tensor=per_tensor).merge(view, None)
    updates, _ = RuleDefense(rule=Median(), rows="updates", per_tensor=per_tensor).merge(view, None)
    assert torch.equal(models.model, updates.model)


@pytest.mark.parametrize(
    "rule", [SignMajority(step=0.1), Bucketing(rule=Rlr(theta=2))], ids=["sign_majority", "rlr"]
)
def test_a_rule_for_updates_is_refused_for_models(rule):
    with pytest.raises(ValueError, match="rows must be 'updates'"):
        RuleDefense(rule=rule)
    assert RuleDefense(rule=rule, rows="updates").rule == rule
