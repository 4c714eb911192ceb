"""The small convolutional network of SPMC.

Source
    W. He, W. Huang, B. Yang, S. Liu, M. Ye. "SPMC: Self-Purifying Federated Backdoor Defense via
    Margin Contribution." ICML 2025, PMLR 267. The layers are those of the authors' code, which the
    paper's body does not list.

Departs from the paper:
    Grey images have one channel (theirs: the same one three times). Those of 28x28 are padded to
    32x32 by the first convolution (theirs: resized).
"""

from dataclasses import dataclass
from typing import Literal

from torch import nn

from p2pfl.models.lenet import up_to_84
from p2pfl.models.shapes import padding_to_32x32
from p2pfl.models.warm_start import Warmable


@dataclass(frozen=True, slots=True, kw_only=True)
class SpmcCnn(Warmable):
    """LeNet-5 with two linear layers more: ``{kind: spmc_cnn}``. Takes 28x28 and 32x32."""

    kind: Literal["spmc_cnn"] = "spmc_cnn"

    def build(self, shape: tuple[int, ...], classes: int) -> nn.Module:
        """(n, channels, height, width) to (n, classes) logits.

        Three channels and 10 classes: 92,626 parameters.

        Raises:
            ScenarioError: If the images are neither 28x28 nor 32x32.
        """
        return nn.Sequential(
            *up_to_84(*padding_to_32x32("spmc_cnn", shape)),
            nn.Linear(84, 84),
            nn.ReLU(),
            nn.Linear(84, 256),  # no ReLU here
            nn.Linear(256, classes),
        )
