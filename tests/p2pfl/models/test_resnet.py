"""Group and batch norm: what they depend on, and a batch that has no variance."""

import pytest
import torch
from torch import nn

from p2pfl.models import ResNet10, ResNet18, build_model
from p2pfl.models.resnet import _BatchNorm, _Block

DIGITS = (1, 8, 8)


def shapes_after_each_block(model, shape):
    seen = []
    out = torch.zeros(2, *shape)
    for layer in build_model(model, shape, 10):
        out = layer(out)
        if type(layer).__name__ == "_Block":
            seen.append(tuple(out.shape[1:]))
    return seen


def test_each_stage_but_the_first_halves_the_image_and_doubles_the_channels():
    stages = [(4, 32, 32), (8, 16, 16), (16, 8, 8), (32, 4, 4)]
    assert shapes_after_each_block(ResNet10(width=1 / 16), (3, 32, 32)) == stages
    twice = [stage for stage in stages for _ in range(2)]
    assert shapes_after_each_block(ResNet18(width=1 / 16), (3, 32, 32)) == twice


@pytest.mark.parametrize(
    ("width", "groups"),
    [
        (1.0, [4, 8, 16, 32]),  # of 16 channels each
        (0.5, [2, 4, 8, 16]),
        (1 / 16, [1, 1, 1, 2]),
        (50 / 64, [1, 1, 1, 25]),  # 50, 100 and 200 channels are no multiple of 16
    ],
)
def test_groups_have_sixteen_channels_where_that_divides_them(width, groups):
    with torch.device("meta"):
        module = build_model(ResNet10(width=width), DIGITS, 10)
    norms = [layer for layer in module.modules() if isinstance(layer, nn.GroupNorm)]
    of_channels = {norm.num_channels: norm.num_groups for norm in norms}
    assert list(of_channels.values()) == groups


def test_group_norm_does_not_see_the_rest_of_the_batch_and_batch_norm_does():
    images = torch.rand(6, *DIGITS, generator=torch.Generator().manual_seed(1))
    for norm, alike in (("group", True), ("batch", False)):
        module = build_model(ResNet10(norm=norm, width=1 / 16), DIGITS, 10).train()
        assert torch.allclose(module(images)[:2], module(images[:2]), atol=1e-5) == alike


def test_a_block_adds_its_input():
    module = build_model(ResNet10(width=1 / 16), DIGITS, 10)
    block = next(layer for layer in module if type(layer).__name__ == "_Block")
    for parameter in block.parameters():
        nn.init.zeros_(parameter)
    inputs = torch.randn(2, 4, 8, 8, generator=torch.Generator().manual_seed(1))
    assert torch.equal(block(inputs), inputs.relu())


def test_batch_norm_is_torchs():
    ours, torchs = _BatchNorm(2), nn.BatchNorm2d(2)
    for n, side in ((3, 4), (1, 2), (4, 1)):
        inputs = torch.randn(n, 2, side, side, generator=torch.Generator().manual_seed(n))
        assert torch.equal(ours(inputs), torchs(inputs))
    for name, buffer in torchs.named_buffers():
        assert torch.equal(getattr(ours, name), buffer)
    inputs = torch.ones(1, 2, 1, 1)
    assert torch.equal(ours.eval()(inputs), torchs.eval()(inputs))


def test_one_value_per_channel_is_normalised_by_the_running_statistics():
    norm = _BatchNorm(2)
    norm.running_mean.copy_(torch.tensor([1.0, -1.0]))
    norm.running_var.copy_(torch.tensor([4.0, 1.0]))
    inputs = torch.tensor([5.0, 2.0]).view(1, 2, 1, 1)
    out = norm(inputs)
    torch.testing.assert_close(out.flatten(), torch.tensor([2.0, 3.0]), atol=1e-4, rtol=0)
    assert norm.running_mean.tolist() == [1, -1]
    assert norm.running_var.tolist() == [4, 1]
    out.sum().backward()
    torch.testing.assert_close(norm.weight.grad, torch.tensor([2.0, 3.0]), atol=1e-4, rtol=0)
    with pytest.raises(ValueError, match="more than 1 value per channel"):
        nn.BatchNorm2d(2)(inputs)


@pytest.mark.parametrize("side", [1, 5, 8])
def test_the_shortcut_of_a_block_that_halves_is_a_1x1_convolution_of_stride_two(side):
    block = _Block(4, 8, 2, "group")
    inputs = torch.randn(3, 4, side, side, generator=torch.Generator().manual_seed(1))
    for parameter in block.convolutions.parameters():
        nn.init.zeros_(parameter)
    convolution, norm = block.shortcut
    strided = nn.functional.conv2d(inputs, convolution.weight, stride=2)
    torch.testing.assert_close(block(inputs), norm(strided).relu())
