from math import isnan, nan

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from p2pfl.defenses.gpd_detectors import (
    Consistency,
    Cosine,
    Nobody,
    Oracle,
    Safeguard,
)
from p2pfl.defenses.gpd_evidence import Evidence


def evidence(chi=(), first=False, off=None, **known):
    n = len(chi)
    return Evidence(
        senders=tuple(range(1, n + 1)),
        chi=tuple(chi),
        **{
            name: tuple(known.pop(name, (1.0,) * n))
            for name in ("ratio", "cosine", "pull", "reach")
        },
        **{name: tuple(known.pop(name, (nan,) * n)) for name in ("answer", "persistence")},
        off=np.zeros((n, 1)) if off is None else np.array(off, dtype=float),
        first=first,
    )


def of(off, ours, energy, pulls=None, rounds=None, **known):
    off, ours = np.array(off, dtype=float), np.array(ours, dtype=float)
    n = len(off)
    return Evidence.of(
        range(1, n + 1),
        off=off,
        ours=ours,
        energy=energy,
        **{
            name: known.pop(name, (0.0,) * n)
            for name in (
                "came",
                "owed",
                "kept_on",
                "pairs",
                "own_kept_on",
                "own_pairs",
                "own_steps",
            )
        },
        pulls=off if pulls is None else np.array(pulls, dtype=float),
        rounds=rounds or (1,) * n,
        first=True,
    )


def test_evidence_by_hand():
    # Gradients (3, 0), (0, 4) came where the own were (0, 0), (3, 4): D = (0, 0), q = 9 + 9.
    # And (4, 4), (4, 4) where the own were (1, 4), (1, 4): D = (6, 0), q = 9 + 9.
    found = of(
        [[0, 0], [6, 0]], [[3, 4], [2, 8]], [18, 18], pulls=[[6, 8], [0, 3]], rounds=(2, 3),
        came=(3.0, 1.0), owed=(2.0, 0.0),
        kept_on=(1.5, 0.0), pairs=(3, 0), own_kept_on=(-1.0, 0.5), own_pairs=(4, 1),
        own_steps=(8.0, 0.0),
    )  # fmt: skip
    assert found.reach == (2.5, np.inf)
    assert found.persistence[0] == 0.5 + 0.25
    assert isnan(found.persistence[1])  # no two gradients in a row
    assert found.answer[0] == 1.5
    assert isnan(found.answer[1])  # nothing was owed
    assert found.chi == pytest.approx((0, 2**0.5))  # a constant bias: the root of the rounds
    assert found.ratio == pytest.approx((1, (128 / 68) ** 0.5))
    assert found.cosine == pytest.approx((1, (16 + 64) / (128 * 68) ** 0.5))
    assert found.pull == (5.0, 1.0)


def test_what_is_zero():
    # Equal, silent while the own moves, moving while the own rests, both at rest.
    found = of([[0], [-2], [2], [0]], [[1], [2], [0], [0]], [0, 4, 4, 0])
    assert found.chi == (0, 1, 1, 0)
    assert found.ratio == (1, 0, np.inf, 1)
    assert found.cosine == (1, 0, 0, 1)


def test_only_some():
    some = evidence(
        (0.1, 0.2, 0.3), ratio=(1.0, 2.0, 3.0), answer=(4.0, 5.0, 6.0), off=[[1], [2], [3]]
    ).only({3, 1, 9})
    assert some.senders == (1, 3)
    assert some.chi == (0.1, 0.3)
    assert some.ratio == (1.0, 3.0)
    assert some.answer == (4.0, 6.0)
    assert some.off.tolist() == [[1], [3]]


@pytest.mark.parametrize(
    ("chi", "suspects"),
    [
        ((0.1, 0.2, 0.25, 0.28), set()),  # jumps, but all below 0.3
        ((0.2, 0.25, 0.36, 0.38), {3, 4}),  # 0.36 / 0.25 = 1.44
        ((0.25, 0.3, 0.34), set()),  # no jump
        ((0.38, 0.2, 0.25, 0.36), {1, 4}),  # the order does not matter
        ((0.0, 0.31), {2}),  # from zero any jump is infinite
        ((0.2, 0.32, 0.4, 0.55), {2, 3, 4}),  # the widest of two: 1.6 and 1.375
        ((0.2, 0.32, 0.4, 0.64), {4}),  # equal ones: 1.6 and 1.6, the upper accuses fewer
        ((0.5,), set()),  # one neighbour has nobody to be compared with
        ((0.5, 0.5, 0.5), set()),  # ties
        ((), set()),
    ],
)
def test_the_gap(chi, suspects):
    detector = Consistency(tau=9, tau_first=9)
    assert detector.suspects(evidence(chi)) == suspects
    higher = evidence([1.5 * value for value in chi], first=True)  # 0.45 at the first check
    assert detector.suspects(higher) == suspects


@pytest.mark.parametrize(
    ("chi", "first", "suspects"),
    [
        ((0.65,), False, {1}),
        ((0.65,), True, set()),  # 0.7 at the first check
        ((0.75,), True, {1}),
        ((0.6,), False, set()),
        (
            (2.0, 1.9, 1.3, 1.1, 0.5),
            False,
            {1, 2, 3},
        ),  # 1.1 is below 0.6 * 2.0: it may be contagion
        ((0.62, 0.61), False, {1, 2}),
    ],
)
def test_the_limit_and_peeling(chi, first, suspects):
    assert Consistency(gap=1e9).suspects(evidence(chi, first=first)) == suspects


def test_shrunk_and_opposed():
    quiet = (0.1,) * 4
    detector = Consistency()
    assert detector.suspects(evidence(quiet, ratio=(0.39, 0.4, 1.0, 9.0))) == {1}
    assert detector.suspects(evidence(quiet, cosine=(-0.21, -0.2, 0.0, 1.0))) == {1}


@pytest.mark.parametrize(
    ("pull", "suspects"),
    [
        ((1.0, 1.0, 1.1, 2.1), {4}),  # 2.1 / 1.1 is a rift, and 2.1 > 2 * 1
        ((1.0, 1.0, 1.1, 2.0), set()),  # no more than twice the median below
        ((1.0, 1.2, 1.7, 2.5), set()),  # 2.5 / 1.7 is none
        ((3.0, 1.0, 2.9, 1.0, 1.1), {1, 3}),  # the order does not matter
        ((1.0, 1.0, 5.0), set()),  # three must be below it
        ((1.0, 1.0, 1.0, 9.0, 9.0, 9.0, 9.0), {4, 5, 6, 7}),  # and need be no majority
        ((1.0, 1.0, 1.0, *(9.0,) * 6), set()),  # but three in eight: here four of nine
        ((1.0, 1.0, 1.0, 2.1, 4.5), {5}),  # beyond the wider of two
        ((1.0, 1.0, 1.0, 4.0, 7.9), {5}),  # 4.0 may be contagion: below 0.6 * 7.9
        ((0.0, 0.0, 0.0, 0.1), {4}),
        ((0.0, 0.0, 0.0, 0.0), set()),
    ],
)
def test_displaced(pull, suspects):
    quiet = evidence((0.1,) * len(pull), pull=pull)
    assert Consistency().suspects(quiet) == suspects
    assert Consistency(displaced=None).suspects(quiet) == set()


def test_who_answers_in_full_is_not_accused_by_a_gap():
    above = evidence((0.2, 0.4, 0.4, 0.4), answer=(1.0, 0.59, 0.6, nan))
    assert Consistency().suspects(above) == {2, 4}
    assert Consistency(deaf=None).suspects(above) == {2, 3, 4}


@pytest.mark.parametrize(
    ("answer", "suspects"),
    [
        ((0.29, 0.3, 2.0), {1}),
        ((-3.0, 0.0, 0.1), {1, 2, 3}),  # it needs nobody to compare with
        ((nan, 1.0), set()),  # nothing is owed, nothing is known
        ((0.2,), {1}),
    ],
)
def test_who_does_not_mix(answer, suspects):
    quiet = (0.1,) * len(answer)
    assert Consistency().suspects(evidence(quiet, answer=answer)) == suspects
    assert Consistency().suspects(evidence(quiet, answer=answer, first=True)) == suspects
    assert Consistency(deaf=None).suspects(evidence(quiet, answer=answer)) == set()


def test_all_rules_accuse_together():
    all_of_them = evidence(
        (0.1, 0.1, 0.1, 0.9, 0.1, 0.1),
        ratio=(1.0, 0.1, 1.0, 1.0, 1.0, 1.0),
        cosine=(1.0, 1.0, -1.0, 1.0, 1.0, 1.0),
        pull=(1.0, 1.0, 1.0, 1.0, 3.0, 1.0),
        answer=(nan, nan, nan, nan, nan, 0.0),
    )
    assert Consistency().suspects(all_of_them) == {2, 3, 4, 5, 6}


def test_who_looks_benign_again():
    excluded = evidence(
        (0.19, 0.2, 0.1, 0.1, 0.1, 0.1),
        ratio=(1.0, 1.0, 0.4, 2.5, 1.0, 1.0),
        cosine=(0.31, 1.0, 1.0, 1.0, 0.3, 1.0),
        pull=(1.0, 1.0, 1.0, 1.0, 1.0, 2.1),
    )
    live = evidence((0.1, 0.1, 0.1))
    assert Consistency().clears(excluded, live) == {1}
    assert Consistency(displaced=None).clears(excluded, live) == {1, 6}
    assert Cosine().clears(excluded, live) == {1, 6}
    assert Consistency().clears(excluded, evidence()) == {1, 6}  # all are excluded: no median


def test_cosine():
    found = evidence((9.0,) * 3, cosine=(0.1, -0.1, 0.6))
    assert Cosine().suspects(found) == {2}
    assert Cosine(least=0.5).suspects(found) == {1, 2}


def test_safeguard():
    # Points 0 (the peer itself), 1, 2, 9: a majority of four is three. From 1 the second nearest is
    # at 1, from 0 at 2; so 1 is the medoid with radius 1, and 9 is farther off than 2.
    found = evidence((0.0,) * 3, off=[[1], [2], [9]])
    assert Safeguard().suspects(found) == {3}
    assert Safeguard(times=8).suspects(found) == set()
    assert Safeguard().suspects(evidence((0.0,) * 3)) == set()  # all agree
    # A majority of five is three: 10, 10 and 10 outvote the peer and its friend.
    outvoted = evidence((0.0,) * 4, off=[[1], [10], [10], [10]])
    assert Safeguard().suspects(outvoted) == {1}


def test_oracle_and_nobody():
    found = evidence((0.1, 9.0, 9.0))
    assert Oracle(adversaries=(1, 7)).suspects(found) == {1}
    assert Oracle(adversaries=(1, 7)).clears(found, evidence()) == {2, 3}
    assert Nobody().suspects(found) == set()
    assert not Nobody().judges


def test_the_deaf_do_not_take_their_steps_back():
    quiet = (0.1,) * 5
    some = evidence(quiet, answer=(0.2, 0.2, 0.2, 0.4, nan), persistence=(0.3, 0.1, nan, 0.9, 0.9))
    assert Consistency().suspects(some) == {1, 3}
    assert Consistency(far=0.9).suspects(some) == {1, 2, 3}
    assert Consistency(deaf=None).suspects(some) == set()


@pytest.mark.parametrize(
    "detector", [Consistency(), Cosine(), Safeguard(), Oracle(adversaries=(1,)), Nobody()]
)
def test_of_nobody_nobody_is_suspect(detector):
    assert detector.suspects(evidence()) == set()
    assert detector.clears(evidence(), evidence()) == set()


shares = st.floats(0, 10)


rows = st.tuples(
    shares, shares, st.floats(-1, 1), shares, st.floats(-5, 5), st.floats(-2, 2), shares
)


@given(st.lists(rows, min_size=1, max_size=9))
def test_suspects_do_not_depend_on_the_order(rows):
    def found(some):
        chi, *others = zip(*(values for _, values in some), strict=True)
        names = ("ratio", "cosine", "pull", "answer", "persistence", "reach")
        whole = evidence(chi, **dict(zip(names, others, strict=True)))
        names = {place + 1: name for place, (name, _) in enumerate(some)}
        return {names[s] for s in Consistency().suspects(whole)}

    named = list(enumerate(rows))
    assert found(named) == found(named[::-1])


@pytest.mark.parametrize(
    ("detector", "wrong"),
    [
        (Consistency, {"tau": -1.0}),
        (Consistency, {"tau_first": float("nan")}),
        (Consistency, {"peel": 1.1}),
        (Consistency, {"gap": 0.9}),
        (Consistency, {"opposed": -1.1}),
        (Consistency, {"displaced": 1.0}),
        (Consistency, {"rift": 0.5}),
        (Consistency, {"deaf": float("inf")}),
        (Cosine, {"least": 2.0}),
        (Safeguard, {"times": 0.0}),
    ],
)
def test_wrong_settings_are_refused(detector, wrong):
    with pytest.raises(ValueError, match=next(iter(wrong))):
        detector(**wrong)
