"""LeNet-5.

Source
    Y. LeCun, L. Bottou, Y. Bengio, P. Haffner. "Gradient-Based Learning Applied to Document
    Recognition." Proceedings of the IEEE 86(11), 1998.

Departs from the paper:
    ReLU instead of scaled tanh, max pooling instead of trained subsampling, every map of the
    second convolution sees all maps of the first (theirs: a table of connections), and a linear
    last layer under cross-entropy instead of radial basis functions. Colour images are taken too.
    Images of 28x28 are padded to the paper's 32x32 by the first convolution.
"""

from dataclasses import dataclass
from typing import Literal

from torch import nn

from p2pfl.models.pooling import HalvingMaxPool
from p2pfl.models.shapes import padding_to_32x32
from p2pfl.models.warm_start import Warmable


@dataclass(frozen=True, slots=True, kw_only=True)
class LeNet(Warmable):
    """LeNet-5 with ReLU and max pooling: ``{kind: lenet}``. Takes images of 28x28 and 32x32."""

    kind: Literal["lenet"] = "lenet"

    def build(self, shape: tuple[int, ...], classes: int) -> nn.Module:
        """(n, channels, height, width) to (n, classes) logits.

        One channel and 10 classes: 61,706 parameters.

        Raises:
            ScenarioError: If the images are neither 28x28 nor 32x32.
        """
        return nn.Sequential(*up_to_84(*padding_to_32x32("lenet", shape)), nn.Linear(84, classes))


def up_to_84(channels: int, padding: int) -> tuple[nn.Module, ...]:
    """All of LeNet-5 but its last layer: from images, padded to 32x32, to 84 features."""
    return (
        nn.Conv2d(channels, 6, 5, padding=padding),  # 28x28
        HalvingMaxPool(),  # 14x14; before the ReLU: the same, for less
        nn.ReLU(),
        nn.Conv2d(6, 16, 5),  # 10x10
        nn.ReLU(),
        HalvingMaxPool(),  # 5x5
        nn.Flatten(),
        nn.Linear(16 * 5 * 5, 120),
        nn.ReLU(),
        nn.Linear(120, 84),
        nn.ReLU(),
    )
