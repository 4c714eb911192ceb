import pickle
from math import isnan, nan

import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from torch import nn

from p2pfl.seeding import stream
from p2pfl.strategies import FedGrad
from p2pfl.strategies.fed_grad_history import trust
from p2pfl.vectors import FunctionalModel, Layout


@pytest.fixture
def view(gathering):
    """A server whose model is one layer of two classes: four weights, and two biases if any."""

    def make(rows, model=None, bias=True, **others):
        last = nn.Linear(2, 2, bias=bias)
        start = [0.0] * (6 if bias else 4) if model is None else model
        functional = FunctionalModel(last, Layout.of(last))
        return gathering(start, rows, functional=functional, **others)

    return make


@pytest.fixture
def rounds(view):
    """The aggregations over rounds of given rows, each from a model of zeros; the last state."""

    def run(strategy, many, senders=None):
        model, state, merges = [0.0] * 6, strategy.init(torch.zeros(6)), []
        for k, rows in enumerate(many):
            ids = senders[k] if senders else tuple(range(1, len(rows) + 1))
            now = view(rows, model, round=k + 1, senders=ids)
            merge, state = strategy.aggregate(now, state)
            merges.append(merge)
        return merges, state

    return run


def moved(*weights, bias=(0.0, 0.0)):
    return [*map(float, weights), *([0.0] * (4 - len(weights))), *bias]


THIRD = [moved(3, 0), moved(0, 3), moved(3, 3)]
"""Soft scores 0, 0, 1."""
HARD = [moved(1, 1), moved(1, 1.1), moved(1.1, 1), moved(0, 0, 4, 4)]
"""Three push the first class, one the other."""
DUEL = [moved(10), moved(10), moved(0, 0, 1), moved(0, 0, 0, 1)]
"""Two that are equal, whom the soft filter suspects, and two whom the hard one does."""
EQUAL = [moved(1, 2)] * 3


# ------------------------------------------------------------ the soft filter


def test_a_round_of_the_soft_filter_by_hand(rounds):
    (merge,), state = rounds(FedGrad(), [THIRD])
    assert merge.flagged == (3,)
    assert merge.model.tolist() == [1.5, 1.5, 0, 0, 0, 0]
    assert merge.influence.tolist() == [0.5, 0.5, 0]
    assert merge.details["score"] == [0, 0, 1]
    assert merge.details["trust"] == [0.5, 0.5, 0.5]
    assert all(map(isnan, merge.details["closeness"]))
    assert all(map(isnan, merge.details["cluster"]))
    assert merge.notes == {"threshold": 0, "pardoned": 0}
    assert [trust(state.clients[s]) for s in (1, 2, 3)] == [0.75, 0.75, 0.375]


def test_the_printed_sign_rejects_the_others(rounds):
    (merge,), _ = rounds(FedGrad(score_sign="literal"), [THIRD])
    assert merge.details["score"] == [1, 1, 0]
    assert merge.notes["threshold"] == 0.5
    assert merge.flagged == (1, 2)
    assert merge.model.tolist() == [3, 3, 0, 0, 0, 0]


def test_clients_weigh_by_what_they_claim(view):
    # The average is (1.875, 2.625): cosines -0.519, -0.410 and 0.808 with it.
    now = view(THIRD, samples=(1, 3, 4))
    merge, _ = FedGrad().aggregate(now, FedGrad().init(now.model))
    assert merge.flagged == (3,)
    assert merge.details["score"] == pytest.approx([0, 0.0818, 1], abs=1e-4)
    assert merge.influence.tolist() == [0.25, 0.75, 0]
    assert merge.model.tolist() == [0.75, 2.25, 0, 0, 0, 0]
    merge, _ = FedGrad(weights="uniform").aggregate(now, FedGrad().init(now.model))
    assert merge.model.tolist() == [1.5, 1.5, 0, 0, 0, 0]


def test_without_samples_the_model_stays(view):
    now = view(THIRD, [1.0] * 6, samples=(0, 0, -5))
    merge, _ = FedGrad().aggregate(now, FedGrad().init(now.model))
    assert merge.flagged == ()
    assert merge.model.tolist() == [1] * 6


def test_scores_cumulate_and_a_newcomer_has_its_first(rounds):
    # In round 2 the same three rows come from 3, 1 and a newcomer.
    merges, state = rounds(
        FedGrad(), [THIRD, [THIRD[2], THIRD[0], THIRD[1]]], [(1, 2, 3), (1, 3, 4)]
    )
    assert merges[1].details["score"] == [0.5, 0.5, 0]
    assert merges[1].notes["threshold"] == 0.5
    assert merges[1].flagged == ()
    assert merges[1].details["trust"] == [0.75, 0.375, 0.5]
    assert [state.clients[s].rounds for s in (1, 2, 3, 4)] == [2, 1, 2, 1]
    assert trust(state.clients[2]) == 0.75


def test_a_stricter_threshold_rejects_more(rounds):
    rows = [moved(1, 1), moved(0, 0), moved(2, -1)]  # scores 0.586, 0, 1
    (merge,), _ = rounds(FedGrad(), [rows])
    assert (merge.notes["threshold"], merge.flagged) == (0.5, (1, 3))
    (merge,), _ = rounds(FedGrad(threshold=0.6), [rows])
    assert merge.flagged == (3,)
    (merge,), _ = rounds(FedGrad(threshold=0.6, threshold_factor=0.35), [rows])
    assert merge.flagged == (1, 3)


@settings(
    deadline=None,
    max_examples=40,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(m=st.integers(1, 7), seed=st.integers(0, 99))
def test_at_most_half_are_rejected_while_the_median_is_the_threshold(view, m, seed):
    strategy = FedGrad(threshold=1.0)
    now = view(stream(seed, "rows").normal(size=(m, 6)).tolist())
    merge, _ = strategy.aggregate(now, strategy.init(now.model))
    assert len(merge.flagged) <= m // 2
    assert float(merge.influence.sum()) == pytest.approx(1)


# ------------------------------------------------------------ the hard filter


@pytest.mark.parametrize("reference", ["mean", "code", "paper"])
@pytest.mark.parametrize("bias", [True, False])
def test_the_hard_filter_rejects_the_far_cluster(reference, bias, view):
    strategy = FedGrad(mode="hard", hard_from=1, reference=reference)
    rows = [row[: 6 if bias else 4] for row in HARD]
    now = view(rows, bias=bias)
    merge, state = strategy.aggregate(now, strategy.init(now.model))
    assert merge.flagged == (4,)
    assert merge.details["cluster"] == [0, 0, 0, 1]
    # f = 1 of four leaves one neighbour.
    assert merge.details["closeness"] == pytest.approx([0.01, 0.01, 0.01, 34], abs=1e-6)
    assert len(state.pairs[1, 2].similarities) == (2 if bias else 1)


@pytest.mark.parametrize(
    ("reference", "weight", "bias"),
    [
        ("mean", -12.6975 / (2.05 * 38.4025**0.5), -1),
        ("code", -12.6975 / (2.05 * 38.4025**0.5), 5 / 50**0.5),
        ("paper", 0, 0),
    ],
)
def test_what_is_remembered_of_a_pair_by_reference(reference, weight, bias, view):
    # Sums by class (2, 0) and (0, 8), average (1.55, 2); biases (2, 1) and (1, 3) from (1, 1),
    # average (1.75, 1.5).
    biases = [(2, 1), (2, 1), (2, 1), (1, 3)]
    rows = [[*row[:4], *map(float, own)] for row, own in zip(HARD, biases, strict=True)]
    now = view(rows, [0.0] * 4 + [1.0] * 2)
    strategy = FedGrad(mode="hard", hard_from=1, reference=reference)
    _, state = strategy.aggregate(now, strategy.init(now.model))
    assert state.pairs[1, 4].similarities == pytest.approx((weight, bias), abs=1e-6)


def test_closeness_allows_for_a_share_of_adversaries(view):
    # f = 0 of four leaves two neighbours.
    strategy = FedGrad(mode="hard", hard_from=1, adversaries=0.0)
    merge, _ = strategy.aggregate(view(HARD), strategy.init(torch.zeros(6)))
    assert merge.details["closeness"] == pytest.approx([0.02, 0.03, 0.03, 68.21], abs=1e-5)


def test_the_bias_alone_may_tell(view):
    rows = [moved(1, 1, bias=(1, 0)), moved(1, 1, bias=(1.1, 0)), moved(1, 1, bias=(0, 3))]
    strategy = FedGrad(mode="hard", hard_from=1)
    now = view(rows)
    merge, _ = strategy.aggregate(now, strategy.init(now.model))
    assert merge.flagged == (3,)


def test_it_waits_for_its_round_and_remembers_those_before(rounds):
    merges, state = rounds(FedGrad(mode="hard", hard_from=3), [HARD] * 3)
    assert [merge.flagged for merge in merges] == [(), (), (4,)]
    assert isnan(merges[1].details["cluster"][0])
    assert state.pairs[1, 4].rounds == 3


def test_the_past_weighs_in_the_clusters(rounds):
    # Client 4 behaved as it does in HARD four times, then like the others.
    alike = [*HARD[:3], moved(1.05, 1.05)]
    merges, _ = rounds(FedGrad(mode="hard", hard_from=5), [HARD] * 4 + [alike])
    assert merges[-1].flagged == (4,)


def test_the_soft_filter_alone_needs_no_clusters(rounds):
    (merge,), _ = rounds(FedGrad(mode="soft", hard_from=1), [HARD])
    assert isnan(merge.details["cluster"][0])


# ------------------------------------------------------------ both, and pardons


def test_all_may_be_rejected(rounds):
    expected = {"soft": (1, 2), "hard": (3, 4), "union": (1, 2, 3, 4), "full": (1, 2, 3, 4)}
    for mode, flagged in expected.items():
        (merge,), state = rounds(FedGrad(mode=mode, hard_from=1), [DUEL])
        assert merge.flagged == flagged
    assert merge.model.tolist() == [0] * 6
    assert merge.influence.tolist() == [0] * 4
    assert all(trust(client) == 0.375 for client in state.clients.values())


@pytest.mark.parametrize("pardon", ["at_least", "above"])
def test_one_clean_round_may_earn_a_pardon(pardon, rounds):
    strategy = FedGrad(pardon=pardon, pardon_from=1)
    merges, state = rounds(strategy, [EQUAL, THIRD])
    assert merges[0].flagged == ()
    assert merges[1].details["trust"] == [0.75] * 3
    pardoned = pardon == "at_least"
    assert merges[1].notes["pardoned"] == pardoned
    assert merges[1].flagged == (() if pardoned else (3,))
    # The mark follows what became of it: 0.5, 1, and then 1 or 0.25.
    assert trust(state.clients[3]) == pytest.approx((2.5 if pardoned else 1.75) / 3)


@pytest.mark.parametrize(
    "strategy",
    [FedGrad(), FedGrad(pardon_from=3), FedGrad(mode="union", pardon_from=1)],
    ids=["with the hard filter", "later", "never"],
)
def test_pardons_have_their_time(strategy, rounds):
    merges, _ = rounds(strategy, [EQUAL, THIRD])
    assert merges[1].flagged == (3,)
    assert merges[1].notes["pardoned"] == 0


def test_pardons_begin_with_the_hard_filter_by_default(rounds):
    merges, _ = rounds(FedGrad(hard_from=2), [EQUAL, THIRD])
    assert merges[1].flagged == ()


def test_who_has_no_trust_yet_is_not_pardoned(rounds):
    merges, _ = rounds(FedGrad(pardon_from=1, first_mark=None, trust_threshold=0.0), [THIRD])
    assert merges[0].flagged == (3,)
    assert all(map(isnan, merges[0].details["trust"]))


def test_where_all_are_pardoned_the_soft_suspects_may_be_put_back(rounds):
    merges, _ = rounds(FedGrad(pardon_from=1, refill=True), [EQUAL, THIRD])
    assert merges[1].flagged == (3,)
    assert merges[1].notes["pardoned"] == 0


# ------------------------------------------------------------ few, equal, stored


@pytest.mark.parametrize("mode", ["full", "union", "soft", "hard"])
@pytest.mark.parametrize("m", [0, 1, 3])
def test_equal_models_are_all_kept(mode, m, view):
    strategy = FedGrad(mode=mode, hard_from=1)
    now = view([moved(1, 2)] * m)
    merge, _ = strategy.aggregate(now, strategy.init(now.model))
    assert merge.flagged == ()
    assert merge.model.tolist() == (moved(1, 2) if m else [0] * 6)


def test_models_that_did_not_move_are_all_kept(rounds):
    (merge,), _ = rounds(FedGrad(hard_from=1), [[[0.0] * 6] * 4])
    assert merge.flagged == ()
    assert merge.details["score"] == [0] * 4


def test_two_are_not_clustered(rounds):
    # Opposite offsets from their average: the one that goes further along it is suspect.
    (merge,), _ = rounds(FedGrad(mode="union", hard_from=1), [[moved(1), moved(3)]])
    assert merge.flagged == (2,)
    assert isnan(merge.details["cluster"][0])
    (merge,), _ = rounds(FedGrad(mode="hard", hard_from=1), [[moved(1), moved(3)]])
    assert merge.flagged == ()


def test_an_absent_client_keeps_its_history(rounds):
    merges, state = rounds(
        FedGrad(hard_from=1), [DUEL, DUEL[:3], DUEL], [(1, 2, 3, 4), (1, 2, 3), (1, 2, 3, 4)]
    )
    assert state.clients[4].rounds == 2
    assert (state.pairs[1, 2].rounds, state.pairs[1, 4].rounds) == (3, 2)
    assert merges[2].details["trust"][3] == 0.375


def test_huge_rows_are_borne(rounds):
    many = [[moved(3e38, -3e38), moved(-3e38), moved(1, 1), moved(2, 1)]] * 3
    merges, _ = rounds(FedGrad(hard_from=1), many)
    assert all(merge.model.isfinite().all() for merge in merges)


def test_a_stored_state_goes_on_as_the_other(rounds, view):
    strategy = FedGrad(hard_from=1)
    _, state = rounds(strategy, [HARD, THIRD, DUEL])
    stored = pickle.loads(pickle.dumps(state))
    assert stored == state
    ours, theirs = (strategy.aggregate(view(HARD, round=4), s)[0] for s in (state, stored))
    assert ours.flagged == theirs.flagged
    assert ours.details == theirs.details
    assert torch.equal(ours.model, theirs.model)


@pytest.mark.parametrize(
    "wrong",
    [
        {"threshold": -1.0},
        {"threshold_factor": nan},
        {"trust_threshold": nan},
        {"rejected_mark": float("inf")},
        {"accepted_mark": nan},
        {"first_mark": nan},
        {"hard_from": 0},
        {"pardon_from": 0},
        {"adversaries": 1.5},
    ],
)
def test_wrong_settings_are_refused(wrong):
    with pytest.raises(ValueError, match=next(iter(wrong))):
        FedGrad(**wrong)
