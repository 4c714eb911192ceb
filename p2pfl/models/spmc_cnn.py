"""The small convolutional network of SPMC.

Source
    W. He, W. Huang, B. Yang, S. Liu, M. Ye. "SPMC: Self-Purifying Federated Backdoor Defense via
    Margin Contribution." ICML 2025, PMLR 267. The layers are those of the authors' code, which the
    paper's body does not list.

Departs from the paper:
    Grey images have one channel (theirs: the same one three times). Those of 28x28 are padded to
    32x32 by the first convolution, behind the normalisation (theirs: resized before it).
"""

from dataclasses import dataclass
from math import isfinite
from typing import Literal

from torch import Tensor, nn

from p2pfl.errors import ScenarioError
from p2pfl.models.lenet import up_to_84
from p2pfl.models.shapes import above_zero, padding_to_32x32
from p2pfl.models.warm_start import Warmable


@dataclass(frozen=True, slots=True, kw_only=True)
class SpmcCnn(Warmable):
    """LeNet-5 with two linear layers more: ``{kind: spmc_cnn}``. Takes 28x28 and 32x32.

    As its authors feed it: ``{mean: [0.1307], std: [0.3081]}`` for MNIST and Fashion-MNIST.
    """

    mean: tuple[float, ...] = ()
    """Of each channel, finite: subtracted first. None: images go in as they are, in [0, 1]."""
    std: tuple[float, ...] = ()
    """What each channel is divided by then, finite and > 0; given together with mean."""
    kind: Literal["spmc_cnn"] = "spmc_cnn"

    def __post_init__(self) -> None:
        if len(self.mean) != len(self.std):
            raise ValueError(
                "mean and std have one number for each channel: got "
                f"mean: {list(self.mean)}, std: {list(self.std)}"
            )
        if not all(map(isfinite, self.mean)):
            raise ValueError(f"mean must be finite, got {list(self.mean)}")
        for value in self.std:
            above_zero(std=value)

    def build(self, shape: tuple[int, ...], classes: int) -> nn.Module:
        """(n, channels, height, width) to (n, classes) logits.

        Three channels and 10 classes: 92,626 parameters.

        Raises:
            ScenarioError: If the images are neither 28x28 nor 32x32, or have other channels.
        """
        channels, padding = padding_to_32x32("spmc_cnn", shape)
        if self.mean and len(self.mean) != channels:
            raise ScenarioError(
                f"model.mean has {len(self.mean)} channels, the images have {channels}"
            )
        return nn.Sequential(
            *([_Normalise(self.mean, self.std)] if self.mean else []),
            *up_to_84(channels, padding),
            nn.Linear(84, 84),
            nn.ReLU(),
            nn.Linear(84, 256),  # no ReLU here
            nn.Linear(256, classes),
        )


class _Normalise(nn.Module):
    """(x - mean) / std by channel. Constants, so no buffers: nothing of it is sent."""

    def __init__(self, mean: tuple[float, ...], std: tuple[float, ...]) -> None:
        super().__init__()
        self.mean, self.std = mean, std

    def forward(self, inputs: Tensor) -> Tensor:
        mean, std = (inputs.new_tensor(part)[:, None, None] for part in (self.mean, self.std))
        return (inputs - mean) / std
