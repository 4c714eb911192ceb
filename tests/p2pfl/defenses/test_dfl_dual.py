import pickle
from dataclasses import replace

import numpy as np
import pytest
import torch

from p2pfl.defenses import DflDual, RuleDefense
from p2pfl.defenses.dual_domains import Scales
from p2pfl.defenses.dual_inversion import DUMMIES
from p2pfl.models import Logistic, build_model
from p2pfl.rules import Mean
from p2pfl.types import InputSpec, Update
from p2pfl.vectors import FlatModel, FunctionalModel

GIVEN = {"alpha": 2.0, "c1": 65.0}
OWN = [4.0, 0.0, 0.0, 1.0, 1.0]  # three parameters, two running statistics
NEAR = [5.0, 0.0, 0.0, 3.0, 3.0]
FAR = [-26.0, 0.0, 0.0, 9.0, 9.0]


def made(value):
    """An artifact of one class and two samples of one feature, both at ``value``."""
    return {DUMMIES: np.full((2, 1), value, np.float32), "misfit": np.array([0.5])}


@pytest.fixture
def view_of(neighbourhood):
    """Rows with dummy samples at given places; None could not be inverted."""

    def view(own, rows, data, at=0.0, **others):
        prepared = [{} if value is None else made(value) for value in data]
        return neighbourhood(own, rows, prepared=prepared, own_prepared=made(at), **others)

    return view


def merged(defense, view, state=None):
    return defense.merge(view, defense.init(len(view.own)) if state is None else state)


# ---------------------------------------------------------------- one merge


def test_by_hand(view_of):
    # E = 1, 30, 31 and W = 1, 10, 9, so that D = 3, and 70 and 71 are clipped. Of the far one both
    # others are in one group; q = 3, 3, 130 and r = 1, 1, 5.
    merge, state = merged(DflDual(**GIVEN), view_of(OWN, [NEAR, FAR], [1.0, 10.0]))
    assert merge.model.tolist() == [4.5, 0.0, 0.0, 2.0, 2.0]
    assert merge.influence.tolist() == [0.5, 0.0]
    assert merge.flagged == (2,)
    assert state == (2.0, 65.0, 1)
    assert merge.notes == {"alpha": 2.0, "c1": 65.0, "group": 2.0, "kept_self": 1.0}
    assert {name: tuple(of) for name, of in merge.details.items()} == {
        "norm": (5.0, 26.0),
        "model_distance": (1.0, 30.0),
        "data_distance": (1.0, 10.0),
        "distance": (3.0, 65.0),
        "trust": (1.0, -1.0),
        "nearby": (3.0, 130.0),
        "nearby_size": (1.0, 2.0),
        "divergence": (1.0, 5.0),
        "lower": (1.0, 0.0),
        "chosen": (1.0, 0.0),
        "misfit": (0.5, 0.5),
    }


@pytest.mark.parametrize("copies", range(1, 7))
def test_any_number_of_hostile_neighbours_alike_is_left_out(copies, view_of):
    rows = [NEAR, *[FAR] * copies]
    merge, _ = merged(DflDual(**GIVEN), view_of(OWN, rows, [1.0, *[10.0] * copies]))
    assert merge.model.tolist() == [4.5, 0.0, 0.0, 2.0, 2.0]
    assert merge.flagged == tuple(range(2, 2 + copies))


def test_all_neighbours_hostile(view_of):
    merge, _ = merged(DflDual(**GIVEN), view_of(OWN, [FAR] * 4, [10.0] * 4))
    assert merge.model.tolist() == OWN
    assert merge.flagged == (1, 2, 3, 4)


def test_without_trust_the_nearer_group_wins_hostile_or_not(view_of):
    rows, data = [NEAR, FAR, FAR, FAR], [1.0, 10.0, 10.0, 10.0]
    merge, _ = merged(DflDual(**GIVEN, without="trust"), view_of(OWN, rows, data))
    assert merge.flagged == (1,)
    assert merge.notes["kept_self"] == 0.0
    assert merge.model.tolist() == FAR
    assert merge.influence.tolist() == pytest.approx([0.0, 1 / 3, 1 / 3, 1 / 3])
    kept, _ = merged(DflDual(**GIVEN, without="trust", keep_self=True), view_of(OWN, rows, data))
    assert kept.model.tolist() == [(4 - 3 * 26) / 4, 0.0, 0.0, 7.0, 7.0]
    assert kept.influence.tolist() == [0.0, 0.25, 0.25, 0.25]


def test_each_domain_alone(view_of):
    # Hostile by its data only, then by its model only.
    other_data = view_of(OWN, [NEAR, NEAR, OWN], [0.0, 0.0, 50.0])
    other_model = view_of(OWN, [NEAR, NEAR, FAR], [0.0, 0.0, 0.0])
    both, models, data = (
        DflDual(**GIVEN, without=w) for w in (None, "data_domain", "model_domain")
    )
    # Trust cannot tell equal models apart, so that the nearer group wins in each stage.
    assert merged(both, other_data)[0].flagged == (3,)
    assert merged(models, other_data)[0].flagged != (3,)
    assert merged(both, other_model)[0].flagged == (3,)
    assert merged(models, other_model)[0].flagged == (3,)
    assert merged(data, other_model)[0].flagged == ()
    assert merged(data, other_data)[0].flagged == (3,)


def test_weights_of_the_graph_are_renormalised_over_the_group(view_of):
    view = view_of(OWN, [NEAR, FAR], [1.0, 10.0], mixing=(0.25, 0.5))
    merge, _ = merged(DflDual(**GIVEN, weights="metropolis"), view)
    assert merge.influence.tolist() == [0.5, 0.0]
    view = view_of(OWN, [NEAR, FAR], [1.0, 10.0], mixing=(0.1, 0.6))
    merge, _ = merged(DflDual(**GIVEN, weights="metropolis"), view)
    assert merge.influence.tolist() == [0.25, 0.0]
    assert merge.model[0] == 4.25


# ---------------------------------------------------------------- edge cases


def test_alone_it_keeps_its_model(neighbourhood):
    merge, state = merged(DflDual(), neighbourhood(OWN, []))
    assert merge.model.tolist() == OWN
    assert merge.flagged == ()
    assert state == (None, None, 0)


def test_a_single_neighbour_is_kept_or_asked_for_trust(view_of):
    careful = DflDual(**GIVEN, single="if_trusted")
    view = view_of(OWN, [FAR], [10.0])
    assert merged(DflDual(**GIVEN), view)[0].influence.tolist() == [0.5]
    assert merged(careful, view)[0].flagged == (1,)
    assert merged(careful, view)[0].model.tolist() == OWN
    assert merged(careful, view_of(OWN, [NEAR], [1.0]))[0].flagged == ()


def test_equal_models_are_all_kept(view_of):
    merge, state = merged(DflDual(), view_of(OWN, [OWN] * 4, [0.0] * 4))
    assert merge.model.tolist() == OWN
    assert merge.flagged == ()
    assert state == (None, None, 0)  # they tell no scale


def test_zero_models(view_of):
    zero = [0.0] * 5
    merge, _ = merged(DflDual(**GIVEN), view_of(zero, [zero, NEAR, FAR], [0.0, 1.0, 10.0]))
    assert merge.details["trust"] == [0.0, 0.0, 0.0]
    assert merge.flagged == (3,)
    assert merge.influence.tolist() == pytest.approx([1 / 3, 1 / 3, 0.0])
    assert merge.model.isfinite().all()


def test_a_model_that_could_not_be_inverted_is_as_far_as_can_be(view_of):
    merge, _ = merged(DflDual(**GIVEN), view_of(OWN, [NEAR, NEAR, OWN], [1.0, 1.0, None]))
    assert merge.flagged == (3,)
    assert merge.details["distance"] == [3.0, 3.0, 65.0]
    assert np.isnan(merge.details["misfit"]).tolist() == [False, False, True]


def test_where_nothing_could_be_inverted_everybody_is_as_far(neighbourhood):
    # As of messages without the sender's start; no scale is learned from them.
    view = neighbourhood(OWN, [NEAR, FAR, FAR])
    merge, state = merged(DflDual(), view)
    assert merge.flagged == ()
    assert state == (None, None, 0)


def test_huge_models_are_left_out(view_of):
    huge = [-3e38] * 5
    merge, _ = merged(DflDual(**GIVEN), view_of(OWN, [NEAR, huge, huge], [1.0, None, None]))
    assert merge.flagged == (2, 3)
    assert merge.model.tolist() == [4.5, 0.0, 0.0, 2.0, 2.0]


# ---------------------------------------------------------------- state over rounds


def test_scales_are_learned_in_the_first_rounds_with_neighbours_and_kept(view_of, neighbourhood):
    defense = DflDual()
    _, state = merged(defense, neighbourhood(OWN, []))
    first, state = merged(defense, view_of(OWN, [NEAR, FAR], [1.0, 10.0]), state)
    # From the peer E = 1, 30 and W = 1, 10: alpha = 5 * 1 / 1; W + alpha E = 6, 160.
    assert state == (5.0, 60.0, 1)
    assert (first.notes["alpha"], first.notes["c1"]) == (5.0, 60.0)
    second, state = merged(defense, view_of(OWN, [NEAR], [6.0]), state)
    assert state == (30.0, 360.0, 2)
    assert second.notes["alpha"] == 30.0
    later, after = merged(defense, view_of(OWN, [[400.0, 0.0, 0.0, 1.0, 1.0]], [7.0]), state)
    assert after == state
    assert later.notes["alpha"] == 30.0


def test_what_is_given_is_not_learned(view_of):
    view = view_of(OWN, [NEAR, FAR], [1.0, 10.0])
    assert merged(DflDual(c1=9.0), view)[1] == (5.0, 9.0, 1)
    assert merged(DflDual(alpha=1.0), view)[1] == (1.0, 20.0, 1)
    assert DflDual(**GIVEN).init(5) == Scales(2.0, 65.0)


def test_ablations_have_scales_of_their_own(view_of):
    view = view_of(OWN, [NEAR, FAR], [1.0, 10.0])
    assert merged(DflDual(without="model_domain"), view)[1] == (0.0, 10.0, 1)
    assert merged(DflDual(without="model_domain", alpha=7.0), view)[1] == (0.0, 10.0, 1)
    assert merged(DflDual(without="data_domain"), view)[1] == (1.0, 10.0, 1)
    assert merged(DflDual(without="data_domain", alpha=2.0), view)[1] == (2.0, 20.0, 1)
    assert merged(DflDual(without="trust"), view)[1] == merged(DflDual(), view)[1]


def test_neighbours_may_be_silent_late_or_return(view_of, neighbourhood):
    """A drop, a straggler and a crash leave the scales as they were learned."""
    defense = DflDual(settle=1)
    _, learned = merged(defense, view_of(OWN, [NEAR, FAR], [1.0, 10.0]))
    state = learned
    views = [
        view_of(OWN, [FAR], [10.0], senders=(2,), round=2),
        neighbourhood(OWN, [], round=3),
        view_of(OWN, [NEAR, FAR], [1.0, 10.0], staleness=(0, 3), round=4),
    ]
    merges = []
    for view in views:
        merge, state = merged(defense, view, state)
        state = pickle.loads(pickle.dumps(state))
        merges.append(merge)
    assert state == learned
    assert merges[1].model.tolist() == OWN
    fresh, _ = merged(defense, replace(views[2], staleness=(0, 0)), state)
    assert torch.equal(merges[2].model, fresh.model)
    assert merges[2].flagged == (2,)


# ---------------------------------------------------------------- messages

INPUTS = InputSpec(shape=(4,), classes=3)
META = {"local_epochs": 2.0, "batch_size": 8.0}
QUICK = {"samples_per_class": 2, "steps": 3}


@pytest.fixture
def logistic():
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        flat = FlatModel(build_model(Logistic(), INPUTS.shape, INPUTS.classes))
    return FunctionalModel(flat.module, flat.layout), flat.read()


def update_of(model, start, round_=1, **others):
    update = Update(
        vector=model.numpy(),
        kind="model",
        round=round_,
        samples=32,
        meta=META,
        companion=start.numpy(),
    )
    return replace(update, **others)


def some_models(start, k=3):
    return start + 0.1 * torch.randn(k, len(start), generator=torch.Generator().manual_seed(3))


def test_a_message_is_prepared_by_itself_at_its_own_round(logistic):
    model, start = logistic
    defense = DflDual(**QUICK, s=2.0)
    updates = [update_of(row, start) for row in some_models(start)]
    together = defense.prepare(updates, model, INPUTS)
    for update, made_of in zip(updates, together, strict=True):
        [alone] = defense.prepare([update], model, INPUTS)
        assert np.array_equal(alone[DUMMIES], made_of[DUMMIES])
    [later] = defense.prepare([replace(updates[0], round=2)], model, INPUTS)
    assert not np.array_equal(later[DUMMIES], together[0][DUMMIES])
    # s^2 of half the samples is s^1: E |D| / B counts.
    [same] = defense.prepare([replace(updates[0], round=2, samples=64)], model, INPUTS)
    assert np.array_equal(same[DUMMIES], together[0][DUMMIES])
    assert defense.prepare([], model, INPUTS) == []


def test_of_a_message_without_start_or_with_mad_claims_nothing_is_made(logistic):
    model, start = logistic
    sound = update_of(some_models(start)[0], start)
    wrong = [
        {"companion": None},
        {"samples": 0},
        {"meta": {}},
        {"meta": {**META, "batch_size": 0.0}},
        {"round": 10**9},
        {"vector": np.full(len(start), 3e38, np.float32)},
    ]
    updates = [sound, *(replace(sound, **claim) for claim in wrong)]
    assert [bool(a) for a in DflDual(**QUICK).prepare(updates, model, INPUTS)] == [True] + [
        False
    ] * len(wrong)


def test_with_its_own_start_a_receiver_finds_the_same_where_starts_agree(logistic, neighbourhood):
    model, start = logistic
    rows, own = some_models(start), start + 0.05
    bare = neighbourhood(
        own.tolist(),
        rows.tolist(),
        model=model,
        inputs=INPUTS,
        start=start,
        round=4,
        staleness=(0, 1, 0),
        samples=(32, 32, 16),
        own_samples=32,
        meta=(META, META, {}),
        own_meta=META,
    )
    updates = [update_of(own, start, 4), update_of(rows[0], start, 4), update_of(rows[1], start, 3)]
    updates.append(update_of(rows[2], start, 4, meta={}))
    sender = DflDual(**QUICK)
    own_made, *prepared = sender.prepare(updates, model, INPUTS)
    by_sender, _ = merged(sender, replace(bare, own_prepared=own_made, prepared=prepared))
    by_receiver, _ = merged(DflDual(**QUICK, ref="receiver"), bare)
    assert torch.equal(by_sender.model, by_receiver.model)
    for name, numbers in by_sender.details.items():
        np.testing.assert_array_equal(numbers, by_receiver.details[name])
    assert np.isnan(by_receiver.details["misfit"]).tolist() == [False, False, True]


@pytest.mark.parametrize(
    ("settings", "talks"),
    [
        ({}, True),
        ({"ref": "receiver"}, False),
        ({"without": "data_domain"}, False),
        ({"without": "trust"}, True),
    ],
)
def test_the_start_travels_only_where_it_is_needed(settings, talks):
    defense = DflDual(**settings)
    assert defense.companion == talks
    assert defense.prepares == talks
    assert defense.sends == "model"


def test_the_effort_is_that_of_the_inversions():
    inputs = InputSpec(shape=(4,), classes=3)
    # 3 passes * 50 steps * 30 dummy samples, of four messages and the own model.
    assert DflDual().effort(4, 600, inputs) == 3 * 50 * 30 * 5
    assert DflDual().effort(0, 600, inputs) == 0
    assert DflDual(without="data_domain").effort(4, 600, inputs) == 0


def test_an_adversary_that_follows_takes_the_plain_mean():
    assert DflDual().trusting() == RuleDefense(rule=Mean())


@pytest.mark.parametrize(
    "wrong",
    [
        {"alpha": -1.0},
        {"alpha": float("inf")},
        {"c1": 0.0},
        {"c1": float("nan")},
        {"c2": 0.5},
        {"s": 0.0},
        {"scale": 0.0},
        {"settle": 0},
        {"samples_per_class": 0},
        {"steps": 0},
        {"step_size": 0.0},
    ],
    ids=str,
)
def test_wrong_settings_are_refused(wrong):
    with pytest.raises(ValueError, match=f"^{next(iter(wrong))} must be"):
        DflDual(**wrong)
