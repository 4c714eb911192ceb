"""What packed learners share: one data set, of which each knows its rows."""

import torch

from p2pfl.learner.part import Part, Whole


def whole():
    return Whole(torch.arange(12.0).view(6, 2), torch.tensor([0, 1, 2, 0, 1, 2]), classes=3)


def test_samples_are_gathered_in_the_order_of_the_rows():
    samples = Part(whole(), torch.tensor([4, 0, 4])).samples()
    assert samples.inputs.tolist() == [[8, 9], [0, 1], [8, 9]]
    assert samples.labels.tolist() == [1, 0, 1]
    assert samples.classes == 3


def test_they_are_gathered_once_until_another_asks():
    one, other = (Part(both, torch.tensor([row])) for both in [whole()] for row in (1, 2))
    first = one.samples()
    assert one.samples() is first
    assert other.samples().inputs.tolist() == [[4, 5]]
    again = one.samples()
    assert again is not first
    assert torch.equal(again.inputs, first.inputs)


def test_two_parts_of_equal_rows_are_two():
    both = whole()
    parts = [Part(both, torch.tensor([3])) for _ in range(2)]
    assert parts[0].samples() is not parts[1].samples()
