"""What can be used of what came: whatever it is, asking never raises."""

from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest
import torch

from p2pfl.learner.holder import Holder
from p2pfl.types import Update

GOOD = Update(
    vector=np.ones(3, dtype=np.float32),
    kind="model",
    round=1,
    samples=4,
    meta={"local_epochs": 1.0, "excludes:7": 1},
)


@pytest.fixture
def holder():
    return Holder(0, SimpleNamespace(strategy=None), torch.zeros(3))


def test_a_sound_message_can_be_used(holder):
    assert holder._sound(GOOD, "model")
    assert holder._sound(replace(GOOD, companion=GOOD.vector), "model", both=True)


@pytest.mark.parametrize("update", [
    None,
    "model",
    replace(GOOD, kind="gradient"),
    replace(GOOD, vector=[1.0, 1.0, 1.0]),
    replace(GOOD, vector=np.ones(3)),
    replace(GOOD, vector=np.ones(4, dtype=np.float32)),
    replace(GOOD, vector=np.array([1, np.nan, 1], dtype=np.float32)),
    replace(GOOD, vector=np.array([1, 1, np.inf], dtype=np.float32)),
    replace(GOOD, samples="many"),
    replace(GOOD, meta=None),
    replace(GOOD, meta={"a": "b"}),
    replace(GOOD, meta={"a": float("nan")}),
    replace(GOOD, meta={"a": float("-inf")}),
    replace(GOOD, meta={"a": 10**400}),
])  # fmt: skip
def test_anything_else_cannot(holder, update):
    assert not holder._sound(update, "model")


@pytest.mark.parametrize("companion", [None, np.full(3, np.nan, dtype=np.float32), np.ones(2)])
def test_a_companion_that_is_asked_for_must_be_there_and_sound(holder, companion):
    update = replace(GOOD, companion=companion)
    assert holder._sound(update, "model")
    assert not holder._sound(update, "model", both=True)
