"""Paired differences and their intervals, by hand."""

from types import SimpleNamespace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import ttest_1samp

from scenarios.compare.differences import alike, courses, estimate
from scenarios.compare.pairs import Pair
from scenarios.report.folder import Series

shares = st.floats(0, 1, width=32)


def test_by_hand():
    made = estimate([0.5, 0.5, 0.5], [0.6, 0.7, 0.8])
    # s = 0.1, t(2) = 4.302653: 4.302653 * 0.1 / sqrt(3) = 0.248414
    assert (made.a, made.mean, made.n) == (0.5, pytest.approx(0.2), 3)
    assert (made.low, made.high) == (pytest.approx(-0.048414, abs=1e-6), pytest.approx(0.448414))


def test_one_difference_has_no_interval():
    made = estimate([0.25], [0.5])
    assert (made.mean, made.low, made.high, made.n) == (0.25, None, None, 1)


@given(st.lists(st.tuples(shares, shares), min_size=2, max_size=12))
def test_agrees_with_scipy(pairs):
    a, b = np.array(pairs).T
    made = estimate(a.tolist(), b.tolist())
    if np.ptp(b - a) > 1e-6:
        want = ttest_1samp(b - a, 0).confidence_interval(0.95)
        assert (made.low, made.high) == pytest.approx(tuple(want))
    else:
        assert made.low == pytest.approx(made.high, abs=1e-4)


def test_swapping_the_runs_turns_the_sign():
    a, b = [0.1, 0.5, 0.2], [0.9, 0.4, 0.3]
    one, other = estimate(a, b), estimate(b, a)
    assert (one.mean, one.low) == (-other.mean, -other.high)


def run(seed, groups, rows):
    """A run folder as far as it is looked at: rows are (round, peer, accuracy)."""
    round_, peer, value = (np.array(column) for column in zip(*rows, strict=True))
    series = Series(np.zeros(len(rows)), round_, peer, value)
    return SimpleNamespace(
        summary={"seed": seed}, groups=dict(enumerate(groups)), metrics={"accuracy": series},
        success=None, judged=[0, 1],
    )  # fmt: skip


BOTH = ("benign_other", "benign_dominated", "adversary")
A = run(1, BOTH, [(1, 0, 0.2), (1, 1, 0.4), (1, 2, 0.9), (2, 0, 0.5), (2, 1, 0.5), (2, 2, 0.5)])
B = run(1, BOTH, [(1, 0, 0.3), (1, 1, 0.7), (1, 2, 0.9), (2, 0, 0.4)])


def of(made, role):
    return next(course for course in made if course.role == role)


def test_a_pair_is_over_the_peers_that_have_the_role_in_both():
    made = courses([Pair(A, B)])
    benign = of(made, "benign")
    assert benign.rounds == (1, 2)
    first, second = benign.estimates
    assert (first.n, first.mean) == (2, pytest.approx(0.2))
    assert (second.n, second.mean) == (1, pytest.approx(-0.1))  # peer 1 has no round 2 in B
    assert benign.last.mean == pytest.approx((-0.1 + 0.2) / 2)  # its last there is round 1
    assert of(made, "benign_dominated").last.mean == pytest.approx(0.2)


def test_several_pairs_are_over_seeds():
    other = run(2, BOTH, [(1, 0, 0.8), (1, 1, 0.8), (1, 2, 0.1)])
    better = run(2, BOTH, [(1, 0, 0.9), (1, 1, 0.9), (1, 2, 0.1)])
    benign = of(courses([Pair(A, B), Pair(other, better)]), "benign")
    assert benign.rounds == (1,)  # the other pair has no second round
    assert benign.estimates[0].n == 2
    assert benign.estimates[0].mean == pytest.approx((0.2 + 0.1) / 2)
    assert benign.estimates[0].a == pytest.approx((0.3 + 0.8) / 2)


def test_whose_role_changed_is_in_no_course_of_a_role():
    moved = run(1, ("adversary", "benign_other", "benign_other"), [(1, 0, 0.5), (1, 1, 0.5)])
    pair = Pair(A, moved)
    assert alike(pair, "benign") == [1]
    assert alike(pair, "moved") == [1]
    assert alike(pair, "adversary") == []


def test_runs_of_other_peers_are_compared_by_their_means():
    larger = run(1, ("benign_other",) * 4, [(1, 0, 0.5), (1, 1, 0.7), (2, 0, 0.6), (2, 1, 0.8)])
    (made,) = courses([Pair(A, larger)])
    assert (made.role, made.last.n, made.last.low) == ("judged", 1, None)
    assert made.last.mean == pytest.approx(0.7 - 0.5)
