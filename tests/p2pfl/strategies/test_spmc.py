"""The server's half, by hand."""

from dataclasses import replace

import pytest
import torch

from p2pfl.strategies import Spmc

ROWS = [[1.0, 0.0, 0.0], [1.0, 0.5, 0.0], [0.0, 1.0, 0.0]]
"""Three models of the paper's example, and a third coordinate in which nobody moves."""
NEAR = {"abs": 6e-6}


def shares(strategy, view, state=None):
    state = state or strategy.init(view.model)
    return strategy.aggregate(view, state)[0].influence.tolist()


def test_an_aggregation_and_its_teachers_by_hand(gathering):
    strategy, start = Spmc(), [0.0] * 3
    view = gathering(start, ROWS)
    merge, state = strategy.aggregate(view, strategy.init(view.model))
    assert merge.details["score"] == pytest.approx([0.554694, 0.948671, 0.242533], **NEAR)
    assert merge.influence.tolist() == pytest.approx([0.311068, 0.461272, 0.227659], **NEAR)
    assert merge.model.tolist() == pytest.approx([0.772341, 0.458296, 0.0], **NEAR)
    assert merge.flagged is None
    told = strategy.instruct(merge.model, state, 2, 1)
    assert told.meta == {"alpha": pytest.approx(0.311068, **NEAR), "upload_round": 1.0}
    assert told.companion is None


def test_running_statistics_are_averaged_and_not_compared(gathering):
    rows = [[*row, k, 10.0 * k] for k, row in enumerate(ROWS)]
    merge, _ = Spmc().aggregate(gathering([0.0] * 5, rows), Spmc().init(torch.zeros(5)))
    assert merge.influence.tolist() == pytest.approx([0.311068, 0.461272, 0.227659], **NEAR)
    assert merge.model[3:].tolist() == pytest.approx([0.91659, 9.1659], rel=1e-5)


def test_by_updates_the_start_is_subtracted(gathering):
    moved = [[5.0 + v for v in row] for row in ROWS]
    came = shares(Spmc(score_space="update"), gathering([5.0] * 3, moved))
    assert came == pytest.approx([0.311068, 0.461272, 0.227659], **NEAR)


def test_with_the_global_model_or_the_average_update(gathering):
    strategy = Spmc(reference="global", eps=0.0)
    view = gathering([2.0, 0.0, 0.0], [[3.0, 4.0, 0.0], [-1.0, 0.0, 0.0]])
    merge, _ = strategy.aggregate(view, strategy.init(view.model))
    assert merge.details["score"] == pytest.approx([0.6, -1.0])
    # The updates are (1, 4) and (-3, 0), their average (-1, 2).
    strategy = replace(strategy, score_space="update")
    merge, _ = strategy.aggregate(view, strategy.init(view.model))
    assert merge.details["score"] == pytest.approx([7 / 85**0.5, 1 / 5**0.5])


def test_coalitions_by_claimed_samples_or_the_last_weights(gathering):
    rows = [[0.0, 0.0, 1.0], [1.0, 0.0, 0.0], [0.0, 1.0, 0.0], [1.0, 0.0, 0.0]]
    view = gathering([0.0] * 3, rows, samples=(1, 2, 1, -7))
    merge, state = Spmc(coalition_weights="samples", eps=0.0).aggregate(
        view, Spmc().init(view.model)
    )
    # The first is at right angles to all; the second's coalition is (0, 1, 1) / 2, the third's
    # (2, 0, 1) / 3, the fourth's (2, 1, 1) / 4.
    assert merge.details["score"] == pytest.approx([0, 0, 0, 2 / 6**0.5])
    # Who was not there counts with 1/n.
    state = state._replace(weights={1: 0.2, 2: 0.8, 9: 0.3})
    view = gathering([0.0] * 3, rows[:2] + rows[3:], senders=(1, 2, 7))
    merge, _ = Spmc(coalition_weights="previous", eps=0.0).aggregate(view, state)
    expected = [0, (1 / 3) / (0.04 + 1 / 9) ** 0.5, 0.8 / 0.68**0.5]
    assert merge.details["score"] == pytest.approx(expected)


@pytest.mark.parametrize(
    ("metric", "expected"), [("euclidean", -5.0), ("chebyshev", -4.0), ("wasserstein", 0.0)]
)
def test_two_distances_take_running_statistics_in(metric, expected, gathering):
    view = gathering([0.0] * 5, [[0.0] * 5, [0.0, 0.0, 0.0, 3.0, 4.0]])
    merge, _ = Spmc(metric=metric).aggregate(view, Spmc().init(view.model))
    assert merge.details["score"] == pytest.approx([expected] * 2)


def test_one_has_all_two_share_and_equals_are_equal(gathering):
    for strategy in (Spmc(), Spmc(gate="relu"), Spmc(metric="euclidean", sigma="sigmoid")):
        assert shares(strategy, gathering([0.0] * 3, [[1.0, 2.0, 3.0]])) == [1.0]
        assert shares(strategy, gathering([0.0] * 3, [[1.0, 2.0, 3.0]] * 4)) == [0.25] * 4
    assert shares(Spmc(), gathering([0.0] * 3, [[1.0, 2.0, 3.0], [-4.0, 1.0, 0.0]])) == [0.5] * 2
    merge, _ = Spmc().aggregate(gathering([7.0] * 3, []), Spmc().init(torch.zeros(3)))
    assert merge.model.tolist() == [7.0] * 3


def test_the_gate_drops_who_agrees_with_nobody(gathering):
    rows = [[1.0, v, 0.0] for v in (0.0, 0.1, -0.1)] + [[-1.0, 0.0, 0.0], [0.0, 0.0, 0.0]]
    open_, gated = (
        shares(Spmc(gate=gate), gathering([0.0] * 3, rows)) for gate in ("none", "relu")
    )
    assert min(open_) > 0
    assert gated[3:] == [0.0, 0.0]
    assert sum(gated) == pytest.approx(1)
    apart = gathering([3.0] * 3, [[1.0, 0.0, 0.0], [-1.0, 0.0, 0.0]])
    merge, _ = Spmc(gate="relu").aggregate(apart, Spmc().init(apart.model))
    assert merge.influence.tolist() == [0.0, 0.0]
    assert merge.model.tolist() == [3.0] * 3


def test_weights_follow_the_clients(gathering):
    order = [2, 0, 1]
    here = shares(Spmc(), gathering([0.0] * 3, ROWS))
    there = shares(Spmc(), gathering([0.0] * 3, [ROWS[k] for k in order]))
    assert there == pytest.approx([here[k] for k in order])


def test_who_was_absent_is_told_the_model_alone(gathering):
    strategy = Spmc()
    view = gathering([0.0] * 3, ROWS, senders=(1, 4, 6), staleness=(0, 2, 0), round=5)
    merge, state = strategy.aggregate(view, strategy.init(view.model))
    assert strategy.instruct(merge.model, state, 6, 4).meta["upload_round"] == 3
    assert not strategy.instruct(merge.model, state, 6, 2).meta
    _, state = strategy.aggregate(gathering([0.0] * 3, ROWS[:1], round=6), state)
    assert not strategy.instruct(merge.model, state, 7, 4).meta


@pytest.mark.parametrize("teacher", ["coalition_alpha", "coalition_uniform"])
def test_the_absent_may_keep_the_teacher_that_they_had(teacher, gathering):
    strategy = Spmc(absent="stale", teacher=teacher)
    assert strategy.down == 2
    view = gathering([0.0] * 3, ROWS, senders=(1, 4, 6), round=5)
    merge, state = strategy.aggregate(view, strategy.init(view.model))
    then = strategy.instruct(merge.model, state, 6, 4)
    mixture = merge.model if then.companion is None else then.companion
    for round_ in (6, 7):  # it is absent from two rounds
        view = gathering(merge.model.tolist(), ROWS[:2], senders=(1, 2), round=round_)
        merge, state = strategy.aggregate(view, state)
        now = strategy.instruct(merge.model, state, round_ + 1, 4)
        assert now.meta == then.meta
        assert torch.equal(now.companion, mixture)
    assert strategy.instruct(merge.model, state, 8, 1).meta["upload_round"] == 7
    assert not strategy.instruct(merge.model, state, 8, 3).meta  # never there


def test_a_uniform_teacher_costs_a_second_vector(gathering):
    strategy = Spmc(teacher="coalition_uniform")
    merge, state = strategy.aggregate(gathering([0.0] * 3, ROWS), strategy.init(torch.zeros(3)))
    told = strategy.instruct(merge.model, state, 2, 3)
    assert told.companion.tolist() == pytest.approx([2 / 3, 0.5, 0.0])
    assert told.meta["alpha"] == pytest.approx(1 / 3)
    assert (strategy.down, Spmc().down) == (2, 1)
    assert not Spmc(teacher="global").instruct(merge.model, state, 2, 3).meta


@pytest.mark.parametrize(
    "wrong",
    [
        {"temperature": 0.0},
        {"teacher_temperature": float("inf")},
        {"eps": -1.0},
        {"lam": float("nan")},
        {"purify_from_round": -1},
        {"gate": "relu", "metric": "euclidean"},
        {"absent": "stale", "teacher": "global"},
    ],
)
def test_wrong_settings_are_refused(wrong):
    with pytest.raises(ValueError, match=next(iter(wrong))):
        Spmc(**wrong)
