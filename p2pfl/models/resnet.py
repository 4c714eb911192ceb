"""Residual networks in their form for small images: ``resnet10`` and ``resnet18``.

Source
    K. He, X. Zhang, S. Ren, J. Sun. "Deep Residual Learning for Image Recognition." CVPR 2016.
    arXiv:1512.03385. Group normalisation: Y. Wu, K. He. "Group Normalization." ECCV 2018.
    arXiv:1803.08494. That it suits skewed data: K. Hsieh, A. Phanishayee, O. Mutlu, P. Gibbons.
    "The Non-IID Data Quagmire of Decentralized Machine Learning." ICML 2020. arXiv:1910.00189.

Departs from the paper:
    The first convolution is 3x3 with stride 1 and no pooling follows, as in all later work on
    CIFAR-10 (theirs there has other depths and widths). By default group instead of batch
    normalisation: its values for one sample do not depend on the batch, and there are no running
    statistics for peers to average.
"""

from dataclasses import dataclass
from typing import Literal, TypeAlias

import torch
from torch import Tensor, nn
from torch.nn import functional

from p2pfl.models.shapes import above_zero, image, scaled
from p2pfl.models.warm_start import Warmable

Norm: TypeAlias = Literal["group", "batch"]

_STAGES = (64, 128, 256, 512)
_GROUP = 16  # channels; Wu and He, table 3: as good as their 32 groups, and suits few channels


@dataclass(frozen=True, slots=True, kw_only=True)
class ResNet10(Warmable):
    """Four residual blocks: ``{kind: resnet10, norm: group}``. Takes images of any size."""

    norm: Norm = "group"
    """group: over channels of one sample; batch: over the batch, with running statistics."""
    width: float = 1.0
    """Factor on all channel counts, > 0: 0.25 has a sixteenth of the parameters."""
    kind: Literal["resnet10"] = "resnet10"

    def __post_init__(self) -> None:
        above_zero(width=self.width)

    def build(self, shape: tuple[int, ...], classes: int) -> nn.Module:
        """(n, channels, height, width) to (n, classes) logits.

        On 3x32x32 and 10 classes: 4,903,242 parameters.

        Raises:
            ScenarioError: If samples are no images.
        """
        channels, _, _ = image("resnet10", shape)
        return _resnet(channels, classes, 1, self.norm, self.width)


@dataclass(frozen=True, slots=True, kw_only=True)
class ResNet18(Warmable):
    """Eight residual blocks: ``{kind: resnet18, norm: group}``. Takes images of any size."""

    norm: Norm = "group"
    """group: over channels of one sample; batch: over the batch, with running statistics."""
    width: float = 1.0
    """Factor on all channel counts, > 0: 0.25 has a sixteenth of the parameters."""
    kind: Literal["resnet18"] = "resnet18"

    def __post_init__(self) -> None:
        above_zero(width=self.width)

    def build(self, shape: tuple[int, ...], classes: int) -> nn.Module:
        """(n, channels, height, width) to (n, classes) logits.

        On 3x32x32 and 10 classes: 11,173,962 parameters.

        Raises:
            ScenarioError: If samples are no images.
        """
        channels, _, _ = image("resnet18", shape)
        return _resnet(channels, classes, 2, self.norm, self.width)


def _resnet(channels: int, classes: int, blocks: int, norm: Norm, width: float) -> nn.Module:
    """Four stages of so many blocks; each but the first halves the image."""
    now = scaled(_STAGES[0], width)
    layers: list[nn.Module] = [_convolution(channels, now), _normalise(norm, now), nn.ReLU()]
    for stage, wanted in enumerate(_STAGES):
        for block in range(blocks):
            stride = 2 if stage and not block else 1
            layers.append(_Block(now, scaled(wanted, width), stride, norm))
            now = scaled(wanted, width)
    return nn.Sequential(*layers, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(now, classes))


class _Block(nn.Module):
    """Two convolutions, and the input added to what they give."""

    def __init__(self, inputs: int, outputs: int, stride: int, norm: Norm) -> None:
        super().__init__()
        self.convolutions = nn.Sequential(
            _convolution(inputs, outputs, stride),
            _normalise(norm, outputs),
            nn.ReLU(),
            _convolution(outputs, outputs),
            _normalise(norm, outputs),
        )
        self.stride = stride
        self.shortcut: nn.Module = nn.Identity()
        if stride != 1 or inputs != outputs:
            self.shortcut = nn.Sequential(
                nn.Conv2d(inputs, outputs, 1, bias=False), _normalise(norm, outputs)
            )

    def forward(self, inputs: Tensor) -> Tensor:
        """(n, inputs, height, width) to (n, outputs, height / stride, width / stride)."""
        # A 1x1 convolution with a stride is the same, but where a pixel has fewer than 8 channels
        # oneDNN 3.12 without AVX-512 writes past its memory: uxlfoundation/oneDNN, issue 6035.
        seen = inputs[..., :: self.stride, :: self.stride]
        return torch.relu(self.convolutions(inputs) + self.shortcut(seen))


class _BatchNorm(nn.BatchNorm2d):
    """Batch normalisation that also trains on a batch with one value per channel.

    That is a batch of one sample, such as the last of an epoch, where the image has shrunk to one
    pixel. It has no variance, and torch refuses it. Here it is normalised by the running
    statistics, as in evaluation, and these stay as they are.
    """

    def forward(self, inputs: Tensor) -> Tensor:
        if not self.training or inputs.numel() > inputs.shape[1]:
            return super().forward(inputs)
        return functional.batch_norm(
            inputs, self.running_mean, self.running_var, self.weight, self.bias, eps=self.eps
        )


def _convolution(inputs: int, outputs: int, stride: int = 1) -> nn.Module:
    return nn.Conv2d(inputs, outputs, 3, stride, padding=1, bias=False)  # the norm has a bias


def _normalise(norm: Norm, channels: int) -> nn.Module:
    if norm == "batch":
        return _BatchNorm(channels)
    return nn.GroupNorm(1 if channels % _GROUP else channels // _GROUP, channels)
