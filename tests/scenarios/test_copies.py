"""What goes to a device and comes back: one copy in and one out per exchange, counted."""

from collections import Counter
from math import ceil

import pytest
import torch
from torch.overrides import TorchFunctionMode

from actors.executor import Task
from actors.host import Host
from scenarios.build import build

MOVES = {
    torch.Tensor.cpu: "out",
    torch.Tensor.to: "in",
    torch.Tensor.cuda: "in",
    torch.Tensor.item: "out",
    torch.Tensor.tolist: "out",
}
"""What would be a copy if the device were another one; on the CPU they cost nothing."""


class Counting(TorchFunctionMode):
    """Counts what is moved, by direction and number of values."""

    def __init__(self):
        super().__init__()
        self.moved = Counter()

    def __torch_function__(self, func, types, args=(), kwargs=None):
        changes_type = func is torch.Tensor.to and isinstance(args[1], torch.dtype)
        if func in MOVES and not changes_type:
            self.moved[MOVES[func], args[0].numel()] += 1
        return func(*args, **(kwargs or {}))


@pytest.fixture
def experiment(loaded):
    return build(loaded(training={"lr": 0.1, "batch_size": 16, "momentum": 0.9}))


@pytest.fixture
def host(experiment):
    return Host(experiment.spec, experiment.peers[:2], experiment.arrays)


@pytest.fixture
def d(host):
    return len(host.run(0, Task("model", 1), ())[0].vector)


def test_one_copy_out_and_one_in_for_an_exchange(experiment, host, d):
    samples = len(experiment.peers[0].samples)
    theirs, _ = host.run(1, Task("train", 1, outputs=1), ())
    for round_ in (1, 2):
        with Counting() as counting:
            host.run(0, Task("train", round_, outputs=1), ())
        # The model; the order of the samples, drawn on the CPU; at the end the steps' losses.
        steps = ceil(samples / 16)
        assert counting.moved == {("out", d): 1, ("in", samples): 1, ("out", steps): 1}
        with Counting() as counting:
            host.run(0, Task("merge", round_, (1, 2), (round_, round_)), (theirs, theirs))
        assert counting.moved.pop(("in", 2 * d)) == 1
        assert all(size <= 3 for _, size in counting.moved)  # what the record says of each sender


def test_nothing_of_the_model_moves_when_it_is_measured(host):
    with Counting() as counting:
        host.run(0, Task("evaluate", 1), ())
    assert all(size <= 10 for _, size in counting.moved)  # the figures, class by class


def test_together_each_model_comes_back_once(host, d):
    with Counting() as counting:
        host.run_together([(0, Task("train", 1, outputs=1)), (1, Task("train", 1, outputs=1))])
    assert counting.moved.pop(("out", d)) == 2
    assert all(direction == "in" or size < 50 for direction, size in counting.moved)
