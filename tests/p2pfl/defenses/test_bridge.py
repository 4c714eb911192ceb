from dataclasses import replace

import pytest
import torch

from p2pfl.defenses import Bridge, RuleDefense
from p2pfl.defenses.shortfall import guarantee_missing, merge_or_fall_back
from p2pfl.errors import TooFewNeighbours
from p2pfl.rules import Krum, Median, SignMajority, TrimmedMean

TRIMMED = Bridge(rule=TrimmedMean(f=1))


def test_bridge_m_is_the_median_with_the_own_model(neighbourhood):
    view = neighbourhood([1.0, 1.0, 9.0], [[2.0, 5.0, 9.0], [3.0, 3.0, 9.0]], buffers=False)
    merge, _ = Bridge().merge(view, None)
    assert merge.model.tolist() == [2.0, 3.0, 9.0]


@pytest.mark.parametrize("rule", [Median(), Krum(f=1)])
def test_but_for_the_trimmed_mean_it_is_the_rule_over_the_closed_neighbourhood(rule, neighbourhood):
    view = neighbourhood([1.0, 1.0, 9.0], [[2.0, 5.0, 9.0], [3.0, 3.0, 9.0]], buffers=False)
    ours, theirs = Bridge(rule=rule).merge(view, None)[0], RuleDefense(rule=rule).merge(view, None)
    assert torch.equal(ours.model, theirs[0].model)
    assert torch.equal(ours.influence, theirs[0].influence)


def test_bridge_t_never_trims_the_own_model(neighbourhood):
    # Of 1, 2, 9 the 2 is left; with the own 100 it averages to 51.
    rows = [[1.0] * 3, [2.0] * 3, [9.0] * 3]
    merge, _ = TRIMMED.merge(neighbourhood([100.0] * 3, rows, buffers=False), None)
    assert merge.model.tolist() == [51.0] * 3
    assert merge.influence.tolist() == [0, 0.5, 0]
    assert merge.flagged is None


def test_bridge_t_averages_what_is_left(neighbourhood):
    # f = 1 of five leaves 2, 3 and 7: with the own 8 a mean of 5. Statistics go by share.
    rows = [[v, v, v, 10 * v, 1.0] for v in (-1e30, 2.0, 3.0, 7.0, 1e30)]
    merge, _ = TRIMMED.merge(neighbourhood([8.0, 8.0, 8.0, 80.0, 1.0], rows), None)
    assert merge.model.tolist() == pytest.approx([5.0, 5.0, 5.0, 50.0, 1.0])
    assert merge.influence.tolist() == pytest.approx([0, 0.25, 0.25, 0.25, 0])


def test_hostile_rows_up_to_f_leave_it_between_benign_ones(neighbourhood):
    rows = [[3e38] * 3, [1.0] * 3, [1.2] * 3, [1.4] * 3]
    merge, _ = TRIMMED.merge(neighbourhood([1.1] * 3, rows, buffers=False), None)
    assert ((merge.model >= 1.0) & (merge.model <= 1.4)).all()


def test_the_papers_order_adds_the_own_step_to_what_screening_left(neighbourhood):
    # It sent 1, 2, 3 and trained to 2, 2, 9: of 1, 4, 5 the median is 4, and its step was + 1.
    view = neighbourhood([2.0, 2.0, 9.0], [[4.0, 2.0, 3.0], [5.0, 0.0, 8.0]], buffers=False)
    view = replace(view, start=torch.tensor([1.0, 2.0, 3.0]))
    paper = Bridge(gradient_at="sent")
    merge, _ = paper.merge(view, None)
    assert merge.model.tolist() == [5.0, 2.0, 9.0]
    # It is the first column's median, and in the others shares that with the start.
    assert merge.influence.tolist() == pytest.approx([2 / 3, 0])
    assert paper.early
    assert not Bridge().early


def test_the_papers_order_screens_running_statistics_and_adds_no_step_to_them(neighbourhood):
    view = neighbourhood([2.0, 2.0, 9.0, 7.0, 7.0], [[4.0, 2.0, 3.0, 3.0, 5.0]] * 3)
    view = replace(view, start=torch.tensor([1.0, 2.0, 3.0, 1.0, 1.0]))
    merge, _ = Bridge(gradient_at="sent", rule=TrimmedMean(f=1)).merge(view, None)
    # Half 1 and half 4, and its step of 1; of the statistics half 1 and half 3 or 5.
    assert merge.model.tolist() == [3.5, 2.0, 9.0, 2.0, 3.0]


@pytest.mark.parametrize("m", [0, 1, 2])
def test_bridge_t_needs_more_than_2f_neighbours(m, neighbourhood):
    view = neighbourhood([1.0] * 5, [[1.0] * 5] * m)
    with pytest.raises(TooFewNeighbours, match=f"n={m}, f=1"):
        TRIMMED.merge(view, None)
    assert guarantee_missing(TRIMMED, m + 1) is not None


def test_guarantees_are_those_of_the_rule():
    assert guarantee_missing(TRIMMED, 4) is None
    assert guarantee_missing(Bridge(), 1) is None
    assert guarantee_missing(Bridge(rule=Krum(f=4)), 10) == Krum(f=4).needs(10)


def test_clamp_lowers_f(neighbourhood):
    view = neighbourhood([0.0] * 5, [[3.0] * 5, [6.0] * 5])
    merge, _, missing = merge_or_fall_back(TRIMMED, view, None, "clamp")
    assert merge.model.tolist() == pytest.approx([3.0] * 5)  # f = 0
    assert "n=2, f=1" in missing


def test_alone_the_median_keeps_its_model(neighbourhood):
    merge, _ = Bridge().merge(neighbourhood([1.0] * 5, []), None)
    assert merge.model.tolist() == [1.0] * 5


def test_a_rule_for_updates_is_refused():
    with pytest.raises(ValueError, match="rule must be one for models"):
        Bridge(rule=SignMajority(step=0.1))
