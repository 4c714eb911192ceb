from dataclasses import replace

import numpy as np
import pytest
import torch

from p2pfl.attacks import KrumAttack
from p2pfl.rules import Krum


def sent(attack, view, seed=0):
    return attack.craft(view, None, np.random.default_rng(seed))[0][0]


@pytest.fixture
def complete(adversary_view):
    """Eight benign peers that moved less than they differ, and the coalition of 8 and 9."""

    def make(me=8, **options):
        values = 0.3 + torch.randn(10, 30, generator=torch.Generator().manual_seed(3))
        return values[:8], adversary_view(
            values[me].tolist(),
            visible=dict(enumerate(values.tolist())),
            me=me,
            members=(8, 9),
            targets=tuple(i for i in range(10) if i != me),
            **options,
        )

    return make


def test_krum_selects_it_and_would_not_at_twice_the_strength(complete):
    benign, view = complete()
    message = sent(KrumAttack(), view)
    strength = message.abs().max()
    assert strength > 0.1
    assert torch.allclose(message, -strength * benign.mean(dim=0).sign())  # the start is 0
    for factor, chosen in ((1, True), (2, False)):
        copies = (factor * message).expand(2, -1)
        out = Krum(f=2)(torch.cat([benign, copies]))
        assert torch.equal(out, copies[0]) == chosen


def test_members_but_the_first_stray_a_little(complete):
    # Both start at 0 and see the same.
    (_, first), (_, second) = complete(me=8), complete(me=9)
    gap = (sent(KrumAttack(), first) - sent(KrumAttack(), second)).norm()
    assert 0 < gap <= 0.01 + 1e-6
    exact = KrumAttack(spread=0.0)
    assert torch.equal(sent(exact, first), sent(exact, second))


def test_copies_that_are_neighbours_enough_go_as_far_as_1(adversary_view):
    # n - f - 2 = 1 neighbour of 5 rows: a copy has one at distance 0.
    trained = {0: [1.0, -3.0], 1: [2.0, -1.0], 2: [1.0, -1.0]}
    view = adversary_view(trained[2], visible=trained, members=(2, 3, 4), targets=(0, 1, 3, 4))
    assert sent(KrumAttack(), view).tolist() == [-1.0, 1.0]


def test_the_first_strength_can_be_given(adversary_view):
    # As above: copies that are neighbours enough are selected at once, so it is the strength.
    trained = {0: [1.0, -3.0], 1: [2.0, -1.0], 2: [1.0, -1.0]}
    view = adversary_view(trained[2], visible=trained, members=(2, 3, 4), targets=(0, 1, 3, 4))
    assert sent(KrumAttack(first=0.25), view).tolist() == [-0.25, 0.25]


def test_a_first_strength_is_halved_where_krum_selects_another(complete):
    _, view = complete()
    bounded = sent(KrumAttack(), view).abs().max()
    # Half of what is selected at most is selected; twice as much is not, and its half is tried.
    assert torch.equal(sent(KrumAttack(first=float(2 * bounded)), view).abs().max(), bounded)


@pytest.mark.parametrize("first", [0.0, -1.0, float("inf"), float("nan")])
def test_a_first_strength_is_finite_and_positive(first):
    with pytest.raises(ValueError, match="first must be finite and > 0, or null, got"):
        KrumAttack(first=first)


def test_colluding_takes_the_coalitions_models_for_the_benign_ones(adversary_view):
    trained = {2: [1.0, -3.0], 3: [2.0, -1.0]}
    view = adversary_view(trained[2], visible=trained, members=(2, 3), targets=(0, 1, 3))
    # One copy and two models: one neighbour counts, and the two models are nearest. The sum of
    # squares from (-s, s): (s + 1)^2 + (s + 3)^2 is more than theirs, 5, down to s = 0. Two
    # copies are at distance 0.
    assert sent(KrumAttack(knowledge="colluding"), view).tolist() == [-1.0, 1.0]


def test_it_starts_from_where_the_peer_started(complete):
    _, view = complete()
    moved = replace(view, own=view.own + 7, start=view.start + 7, visible=view.visible + 7)
    assert torch.allclose(sent(KrumAttack(), moved), sent(KrumAttack(), view) + 7, atol=1e-4)


@pytest.mark.parametrize("spread", [-0.1, float("nan"), float("inf")])
def test_a_spread_out_of_range_is_refused(spread):
    with pytest.raises(ValueError, match="finite and >= 0"):
        KrumAttack(spread=spread)
