"""A small convolutional network, of the kind that most papers on federated learning use.

Source
    The form (two 5x5 convolutions, each with ReLU and 2x2 max pooling, then two linear layers) is
    that of B. McMahan et al. "Communication-Efficient Learning of Deep Networks from
    Decentralized Data." AISTATS 2017. arXiv:1602.05629.

Departs from the paper:
    16 and 32 channels and 128 hidden units by default (theirs: 32, 64 and 512; set ``channels``
    and ``hidden``), so that a laptop trains many of them.
"""

from dataclasses import dataclass
from typing import Literal

from torch import nn

from p2pfl.errors import ScenarioError
from p2pfl.models.pooling import HalvingMaxPool
from p2pfl.models.shapes import at_least, image, text
from p2pfl.models.warm_start import Warmable


@dataclass(frozen=True, slots=True, kw_only=True)
class Cnn(Warmable):
    """Two convolutions and two linear layers: ``{kind: cnn, kernel: 3, padding: 1}``."""

    channels: tuple[int, int] = (16, 32)
    """Output channels of the two convolutions, each >= 1."""
    kernel: int = 5
    """Side of both convolutions' filters, >= 1. Unit: pixels."""
    padding: int = 0
    """Zeros around the input of both convolutions, >= 0. Unit: pixels."""
    hidden: int = 128
    """Units of the linear layer before the last, >= 1."""
    kind: Literal["cnn"] = "cnn"

    def __post_init__(self) -> None:
        if min(self.channels) < 1:
            raise ValueError(f"channels must be >= 1 each, got {list(self.channels)}")
        at_least(1, kernel=self.kernel, hidden=self.hidden)
        at_least(0, padding=self.padding)

    def build(self, shape: tuple[int, ...], classes: int) -> nn.Module:
        """(n, channels, height, width) to (n, classes) logits.

        On 1x28x28 and 10 classes the defaults have 80,202 parameters.

        Raises:
            ScenarioError: If nothing is left of the image after a layer; it says what would fit.
        """
        colours, height, width = image("cnn", shape)
        first, second = self.channels
        rows, columns = self._remaining(height, width)
        return nn.Sequential(
            nn.Conv2d(colours, first, self.kernel, padding=self.padding),
            HalvingMaxPool(),  # before the ReLU: the same, for less
            nn.ReLU(),
            nn.Conv2d(first, second, self.kernel, padding=self.padding),
            nn.ReLU(),
            HalvingMaxPool(),
            nn.Flatten(),
            nn.Linear(second * rows * columns, self.hidden),
            nn.ReLU(),
            nn.Linear(self.hidden, classes),
        )

    def _remaining(self, height: int, width: int) -> tuple[int, int]:
        """Pixels per channel after the second pooling, by the layers' arithmetic."""
        size = (height, width)
        trace = text(size)
        for layer in ("convolution 1", "pooling 1", "convolution 2", "pooling 2"):
            rows, columns = size
            if layer.startswith("pooling"):
                size = (rows // 2, columns // 2)
            else:
                lost = self.kernel - 1 - 2 * self.padding
                size = (rows - lost, columns - lost)
            if min(size) < 1:
                raise ScenarioError(
                    f"cnn with kernel: {self.kernel}, padding: {self.padding} does not fit "
                    f"images of {text((height, width))}: {trace} -> nothing ({layer}). "
                    f"{_what_fits(height, width)}"
                )
            trace += f" -> {text(size)} ({layer})"
        return size


def _what_fits(height: int, width: int) -> str:
    # Convolutions of this kind keep the size, and two poolings quarter it.
    if min(height, width) >= 4:
        return "kernel: 3, padding: 1 would fit"
    return "Images below 4x4 are too small for two poolings; logistic and mlp take any shape"
