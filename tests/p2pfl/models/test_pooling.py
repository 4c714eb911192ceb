"""HalvingMaxPool beside torch's own pooling."""

import pytest
import torch
from torch import nn

from p2pfl.models.pooling import HalvingMaxPool

NAN, INF = float("nan"), float("inf")


def test_by_hand() -> None:
    image = torch.tensor([[[[1.0, 5.0, 9.0], [2.0, -3.0, 9.0], [7.0, 7.0, 7.0]]]])
    with torch.no_grad():
        assert HalvingMaxPool()(image).tolist() == [[[[5.0]]]]


@pytest.mark.parametrize("side", [2, 3, 8, 13, 24])
def test_same_bits_with_and_without_gradients(side: int) -> None:
    images = torch.randn(3, 4, side, side, generator=torch.Generator().manual_seed(side))
    odd = torch.tensor([NAN, INF, -INF, 0.0])
    images.view(-1)[::7] = odd.repeat(images.numel())[: len(images.view(-1)[::7])]
    expected = nn.MaxPool2d(2)(images)
    with torch.no_grad():
        fast = HalvingMaxPool()(images)
    assert torch.equal(fast.nan_to_num(nan=7e7), expected.nan_to_num(nan=7e7))
    assert torch.equal(HalvingMaxPool()(images).nan_to_num(nan=7e7), expected.nan_to_num(nan=7e7))


def test_its_gradient_is_torchs() -> None:
    images = torch.randn(2, 3, 6, 6, generator=torch.Generator().manual_seed(1))
    ours, theirs = images.clone().requires_grad_(), images.clone().requires_grad_()
    HalvingMaxPool()(ours).square().sum().backward()
    nn.MaxPool2d(2)(theirs).square().sum().backward()
    assert ours.grad is not None
    assert theirs.grad is not None
    assert torch.equal(ours.grad, theirs.grad)
