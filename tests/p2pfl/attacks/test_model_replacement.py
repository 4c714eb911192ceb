"""Scaling, and what is left to the data."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from p2pfl.attacks import ConstrainAndScale, ModelReplacement, TriggerBackdoor
from p2pfl.learner.training import Training
from p2pfl.types import Samples


def sent(attack, view):
    return attack.craft(view, None, np.random.default_rng(0))[0].tolist()


@pytest.mark.parametrize(("gamma", "row"), [(1.0, [2.0, 3.0]), (10.0, [11.0, -6.0])])
def test_the_update_is_scaled(gamma, row, adversary_view):
    # Trained from (1, 4) to (2, 3): the update is (1, -1).
    view = adversary_view([2.0, 3.0], start=[1.0, 4.0])
    assert sent(ModelReplacement(gamma=gamma), view) == [row, row]


def test_by_default_members_nearby_share_the_scale_of_the_neighbourhood(adversary_view):
    # Itself and five targets, of which 5 is a member as well, 8 is not near: 6 / 2.
    view = adversary_view([2.0, 3.0], start=[1.0, 4.0], members=(2, 5, 8), targets=(0, 1, 3, 4, 5))
    assert sent(ModelReplacement(), view) == [[4.0, 1.0]] * 5


@pytest.mark.parametrize("attack", [ModelReplacement, ConstrainAndScale])
def test_it_may_scale_in_some_rounds_only(attack, adversary_view):
    view = adversary_view([2.0], start=[1.0])
    views = [replace(view, round=round_) for round_ in range(1, 8)]
    rows = [sent(attack(gamma=5.0, scale_every=3), view)[0][0] for view in views]
    assert rows == [6.0, 2.0, 2.0, 6.0, 2.0, 2.0, 6.0]
    with pytest.raises(ValueError, match="scale_every counts rounds and must be >= 1, got 0"):
        attack(scale_every=0)


def test_an_average_of_all_is_then_the_backdoored_model(adversary_view):
    start, own = torch.tensor([1.0, -2.0]), torch.tensor([5.0, 3.0])
    view = adversary_view(own.tolist(), start=start.tolist(), targets=(0, 1, 3))
    message = torch.tensor(sent(ModelReplacement(), view)[0])
    assert torch.equal((3 * start + message) / 4, own)


def test_what_concerns_the_data_is_left_to_them():
    inside = TriggerBackdoor(target=3, lr=0.01, poison_rate=1.0)
    attack = ModelReplacement(data=inside)
    data = Samples(inputs=torch.zeros(6, 1, 8, 8), labels=torch.arange(6), classes=6)
    ours, theirs = attack.backdoor(data), inside.backdoor(data)
    assert torch.equal(ours.inputs, theirs.inputs)
    assert torch.equal(ours.labels, theirs.labels)
    assert attack.poison(data, np.random.default_rng(0)).labels.tolist() == [3] * 6
    assert attack.settings(Training()) == inside.settings(Training())


@pytest.mark.parametrize("gamma", [0.0, -1.0, float("inf"), float("nan")])
def test_a_scale_out_of_range_is_refused(gamma):
    with pytest.raises(ValueError, match="gamma must be finite and > 0, or null"):
        ModelReplacement(gamma=gamma)
