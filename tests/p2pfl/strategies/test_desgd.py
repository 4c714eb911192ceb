import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from p2pfl.rules import (
    RULES as CATALOGUE,
)
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
    Mda,
    MeaMed,
    Mean,
    Median,
    MultiKrum,
    NearestNeighbourMixing,
    NormClipNoise,
    Rlr,
    SignMajority,
    TrimmedMean,
)
from p2pfl.strategies import Desgd
from p2pfl.strategies.desgd import Past, classes_of
from p2pfl.strategies.types import claims, says
from p2pfl.types import InputSpec

RULES = (
    Mean(),
    Median(),
    TrimmedMean(f=4),
    Krum(f=4),
    MultiKrum(f=4, m=4),
    GeometricMedian(),
    MeaMed(f=4),
    Bulyan(f=4),
    Mda(f=4),
    CenteredClip(tau=10.0),
    ClipMean(),
    Faba(f=4),
    Dnc(f=4),
    Clustering(),
    Flame(noise=0.0),
    NormClipNoise(bound=10.0, noise=0.0),
    SignMajority(step=2.0),
    Rlr(theta=1),
    NearestNeighbourMixing(f=4, rule=Krum(f=4)),
    Bucketing(rule=TrimmedMean(f=4)),
)
START = Past({}, None)
PLAIN = {"server_lr": 0.1, "momentum": 0.5, "compensation": 0.5, "weight_decay": 0.0}


def first(*values):
    """Rows that differ in their first parameter."""
    return [[value, 0.0, 0.0] for value in values]


@pytest.fixture
def round_of(gathering):
    """One round of two classes, at a model whose first parameter is ``at``."""

    def make(strategy, at, round_, rows, state=START, classes=2, **others):
        inputs = InputSpec(shape=(1,), classes=classes)
        view = gathering([at, 0.0, 0.0], rows, round=round_, inputs=inputs, **others)
        return strategy.aggregate(view, state)

    return make


def test_three_rounds_by_hand(round_of):
    strategy = Desgd(**PLAIN)
    one, state = round_of(strategy, 0.0, 1, first(1.0, 3.0))
    # The buffers are empty: half of the mean alone.
    assert one.model.tolist() == pytest.approx([-0.1 * (0.5 * 2), 0.0, 0.0])
    assert one.influence.tolist() == [0.25, 0.25]
    assert one.notes == {"class": 0.0, "holders": 2.0, "fitted": 0.0, "guaranteed": 1.0}
    two, state = round_of(strategy, -0.1, 2, first(6.0), state)
    assert two.model[0] == pytest.approx(-0.1 - 0.1 * (0.5 * 6 + 0.5 * 2))
    three, state = round_of(strategy, -0.5, 3, first(4.0), state)
    # Class 0 has lost a half since round 1, and stands in the mean as it was before this round.
    assert three.model[0] == pytest.approx(-0.5 - 0.1 * (0.5 * 4 + 0.5 * (1 + 6) / 2))
    assert {c: vector.tolist()[0] for c, vector in state.buffers.items()} == {0: 4.0, 1: 3.0}


def test_weight_decay_acts_at_the_server(round_of):
    merge, _ = round_of(Desgd(**{**PLAIN, "weight_decay": 0.2}), 10.0, 1, first(2.0))
    assert merge.model[0] == pytest.approx(10 - 0.1 * (0.5 * 2 + 0.2 * 10))


def test_classes_not_seen_may_count_as_zeros(round_of):
    strategy = Desgd(**PLAIN, count_all=True)
    _, state = round_of(strategy, 0.0, 1, first(2.0))
    merge, _ = round_of(strategy, 0.0, 2, first(6.0), state)
    assert merge.model[0] == pytest.approx(-0.1 * (0.5 * 6 + 0.5 * 2 / 2))


@pytest.mark.parametrize(("gamma", "expected"), [(0.0, -0.6), (1.0, -0.2)])
def test_without_compensation_and_with_nothing_else(round_of, gamma, expected):
    strategy = Desgd(**{**PLAIN, "compensation": gamma})
    _, state = round_of(strategy, 0.0, 1, first(2.0))
    merge, _ = round_of(strategy, 0.0, 2, first(6.0), state)
    assert merge.model[0] == pytest.approx(expected)


def test_classes_come_in_turn_and_after_a_turn_all_were_seen(gathering):
    assert [classes_of(r, 1, 3) for r in range(1, 8)] == [[c] for c in (0, 1, 2, 0, 1, 2, 0)]
    state, inputs = START, InputSpec(shape=(1,), classes=3)
    for round_ in (1, 2, 3):
        view = gathering([0.0] * 3, first(1.0), round=round_, inputs=inputs)
        _, state = Desgd().aggregate(view, state)
        assert sorted(state.buffers) == list(range(round_))


def test_a_buffer_that_is_not_touched_decays_by_momentum(gathering):
    state, inputs = START, InputSpec(shape=(1,), classes=10)
    for round_ in range(1, 11):
        view = gathering([0.0] * 3, first(7.0), round=round_, inputs=inputs)
        _, state = Desgd(momentum=0.9).aggregate(view, state)
        assert state.buffers[0][0].item() == pytest.approx(7 * 0.9 ** (round_ - 1))


def test_a_class_that_nobody_has_moves_the_model_by_the_buffers_alone(round_of):
    strategy = Desgd(**PLAIN)
    silent = {"samples": (0, 0)}
    # Class 0 was never seen: nothing moves.
    merge, state = round_of(strategy, 3.0, 1, first(9.0, 9.0), **silent)
    assert merge.model[0] == 3.0
    assert merge.influence.tolist() == [0.0, 0.0]
    assert state == START
    buffers = {0: torch.tensor([4.0, 0.0, 0.0]), 1: torch.tensor([2.0, 0.0, 0.0])}
    merge, state = round_of(strategy, 3.0, 3, first(9.0, 9.0), Past(buffers, None), **silent)
    assert merge.model[0] == pytest.approx(3 - 0.1 * (0.5 * 4 + 0.5 * (4 + 2) / 2))
    assert {c: vector.tolist()[0] for c, vector in state.buffers.items()} == {0: 2.0, 1: 1.0}


def test_silent_clients_and_answers_for_another_class_do_not_count(round_of):
    strategy = Desgd(**{**PLAIN, "compensation": 0.0})
    rows = first(1.0, 50.0, 60.0, 3.0)
    told = {"samples": (5, 0, 5, 5), "staleness": (0, 0, 1, 2)}
    merge, _ = round_of(strategy, 0.0, 3, rows, **told)
    assert merge.model[0] == pytest.approx(-0.1 * (1 + 3) / 2)
    assert merge.influence.tolist() == [0.5, 0.0, 0.0, 0.5]
    assert merge.notes["holders"] == 2


def test_a_guarantee_counts_those_that_have_the_class(round_of):
    strategy = Desgd(rule=TrimmedMean(f=1))
    for samples, expected in (((5, 5, 5, 0), (3, 0, 1)), ((5, 5, 0, 0), (2, 1, 0))):
        rows = first(1.0, 2.0, 6.0, 7.0)
        merge, _ = round_of(strategy, 0.0, 1, rows, samples=samples)
        notes = merge.notes
        assert (notes["holders"], notes["fitted"], notes["guaranteed"]) == expected
        assert (merge.unguaranteed is None) == bool(expected[2])


def test_it_says_of_which_class_a_guarantee_is_missing(round_of):
    strategy = Desgd(rule=Krum(f=1), classes_per_round=2)
    told = {"meta": (claims([True, True]),) * 4 + (claims([True, False]),)}
    merge, _ = round_of(strategy, 0.0, 1, both(*[(1.0, 1.0)] * 5), **told)
    assert merge.unguaranteed == "class 1: krum needs n > 2f + 2, got n=4, f=1"


def test_krum_at_its_limit_runs_as_published_and_is_counted(round_of):
    # As in the paper: six benign holders of a class, and four adversaries.
    rows = torch.randn(10, 3, generator=torch.Generator().manual_seed(0))
    merge, state = round_of(Desgd(rule=Krum(f=4)), 0.0, 1, rows.tolist())
    assert torch.equal(state.buffers[0], Krum(f=4)(rows))
    assert merge.unguaranteed == "class 0: krum needs n > 2f + 2, got n=10, f=4"
    assert merge.notes == {"class": 0.0, "holders": 10.0, "fitted": 0.0, "guaranteed": 0.0}
    assert sorted(merge.influence.tolist()) == [0.0] * 9 + [0.5]


def test_a_malformed_row_lowers_f_by_one(round_of):
    strategy = Desgd(rule=TrimmedMean(f=2), **{**PLAIN, "compensation": 0.0})
    rows = first(0.0, 1.0, 3.0, 8.0)
    for rejected, expected, guaranteed in (((), 2.0, 0), ((9,), 2.0, 1), ((8, 9), 3.0, 1)):
        merge, state = round_of(strategy, 0.0, 1, rows, rejected=rejected)
        assert state.buffers[0][0] == expected
        assert merge.notes["guaranteed"] == guaranteed
        assert merge.notes["fitted"] == (not rejected)


@pytest.mark.parametrize("rule", RULES, ids=str)
@pytest.mark.parametrize("n", [1, 2, 3, 10])
def test_equal_messages_are_the_aggregate_for_any_count(rule, n, round_of):
    strategy = Desgd(rule=rule, **{**PLAIN, "compensation": 0.0})
    _, state = round_of(strategy, 0.0, 1, [[1.0, -2.0, 0.5]] * n)
    expected = torch.tensor([1.0, -2.0, 0.5])
    if isinstance(rule, SignMajority) and n > 1:
        expected = 2 * expected.sign()
    torch.testing.assert_close(state.buffers[0], expected)


def test_any_rule_of_the_catalogue_is_one_for_classes():
    assert {type(rule) for rule in RULES} == set(CATALOGUE)


@pytest.mark.parametrize("rule", [Median(), TrimmedMean(f=1), Krum(f=1), Mean()], ids=str)
def test_who_sent_what_does_not_matter(rule, gathering):
    @given(st.permutations(range(6)))
    def check(order):
        rows = torch.randn(6, 3, generator=torch.Generator().manual_seed(1))
        views = [gathering([0.0] * 3, rows[list(o)].tolist()) for o in (range(6), order)]
        (_, one), (_, other) = (Desgd(rule=rule).aggregate(view, START) for view in views)
        torch.testing.assert_close(one.buffers[0], other.buffers[0])

    check()


@pytest.mark.parametrize(
    "wrong",
    [
        {"classes_per_round": 0},
        {"server_lr": -1.0},
        {"momentum": -0.1},
        {"compensation": 1.1},
        {"weight_decay": -1.0},
    ],
)
def test_wrong_settings_are_refused(wrong):
    with pytest.raises(ValueError, match=next(iter(wrong))):
        Desgd(**wrong)


# ------------------------------------------------------------ several classes a round


def both(*values):
    """Messages of two vectors, each with one number that counts."""
    return [[a, 0.0, 0.0, b, 0.0, 0.0] for a, b in values]


def test_two_classes_a_round_by_hand(round_of):
    strategy = Desgd(**PLAIN, classes_per_round=2)
    told = {"classes": 3, "meta": (claims([True, True]), claims([True, False]))}
    # Of class 1 the second says nothing, whatever stands there.
    one, state = round_of(strategy, 0.0, 1, both((1.0, 8.0), (3.0, 99.0)), **told)
    assert one.model[0] == pytest.approx(-0.1 * 0.5 * (2 + 8) / 2)
    assert one.influence.tolist() == [0.5 * (0.5 + 1) / 2, 0.5 * (0.5 + 0) / 2]
    assert one.notes == {"class": 0.0, "holders": 1.0, "fitted": 0.0, "guaranteed": 1.0}
    # Then classes 2 and 0, of which one was seen.
    two, state = round_of(strategy, 0.0, 2, both((4.0, 6.0), (4.0, 0.0)), state, **told)
    assert two.model[0] == pytest.approx(-0.1 * (0.5 * (4 + 6) / 2 + 0.5 * (2 + 8) / 2))
    assert {c: vector.tolist()[0] for c, vector in state.buffers.items()} == {0: 6, 1: 4, 2: 4}


def test_a_class_of_the_round_that_nobody_has_leaves_its_buffer_as_the_step(round_of):
    strategy = Desgd(**PLAIN, classes_per_round=2)
    before = Past({1: torch.tensor([6.0, 0.0, 0.0])}, None)
    told = {"meta": (claims([True, False]),)}
    merge, state = round_of(strategy, 0.0, 1, both((2.0, 99.0)), before, **told)
    assert merge.model[0] == pytest.approx(-0.1 * (0.5 * (2 + 6) / 2 + 0.5 * 6))
    assert {c: vector.tolist()[0] for c, vector in state.buffers.items()} == {0: 2, 1: 3}


def test_turns_of_several_classes():
    assert [classes_of(r, 2, 5) for r in (1, 2, 3, 6)] == [[0, 1], [2, 3], [4, 0], [0, 1]]
    assert [classes_of(r, 10, 10) for r in (1, 2)] == [list(range(10))] * 2
    assert sorted(classes_of(2, 7, 3)) == [0, 1, 2]


def test_a_row_that_is_late_by_whole_turns_counts(round_of):
    strategy = Desgd(**{**PLAIN, "compensation": 0.0}, classes_per_round=2)
    rows = both((1.0, 1.0), (5.0, 5.0), (3.0, 3.0))
    told = {"classes": 6, "meta": (claims([True, True]),) * 3, "staleness": (0, 2, 3)}
    merge, _ = round_of(strategy, 0.0, 4, rows, **told)
    assert merge.model[0] == pytest.approx(-0.1 * 2)


def test_without_memories_all_classes_are_the_mean_of_their_means(round_of):
    strategy = Desgd(momentum=0.0, compensation=0.0, weight_decay=0.0, classes_per_round=2)
    told = {"meta": (claims([True, True]), claims([False, True]))}
    merge, _ = round_of(strategy, 1.0, 5, both((2.0, 5.0), (9.0, 7.0)), **told)
    assert merge.model[0] == pytest.approx(1 - 0.1 * (2 + (5 + 7) / 2) / 2)


def test_what_a_message_claims_is_no_more_than_a_claim():
    assert claims([True]) == {}
    assert claims([True, False]) == {"says_0": 1.0, "says_1": 0.0}
    assert says(3, {}, 0, 1)
    assert not says(0, {"says_0": 1.0}, 0, 2)
    assert not says(3, {}, 1, 2)
    assert not says(3, {"says_1": float("-inf")}, 1, 2)


# ------------------------------------------------------------ momentum at the server


def test_momentum_at_the_server_by_hand(round_of):
    strategy = Desgd(**{**PLAIN, "compensation": 0.0}, at="server")
    one, state = round_of(strategy, 0.0, 1, first(4.0))
    two, state = round_of(strategy, 0.0, 2, first(6.0), state)
    assert (one.model[0], two.model[0]) == (pytest.approx(-0.4), pytest.approx(-0.1 * (2 + 6)))
    assert state.momentum.tolist() == pytest.approx([8.0, 0.0, 0.0])
