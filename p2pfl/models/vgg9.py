"""VGG-9: eight convolutions, one linear layer, no normalisation.

Source
    K. Simonyan, A. Zisserman. "Very Deep Convolutional Networks for Large-Scale Image Recognition."
    ICLR 2015. arXiv:1409.1556; its configuration A with one linear layer instead of three, as H.
    Wang et al. "Attack of the Tails: Yes, You Really Can Backdoor Federated Learning." NeurIPS
    2020. arXiv:2007.05084 and FedGrad use it on CIFAR-10. Initial weights: K. He, X. Zhang, S. Ren,
    J. Sun. "Delving Deep into Rectifiers." ICCV 2015. arXiv:1502.01852.

Departs from the paper:
    Logits, under cross-entropy (FedGrad's code ends with a softmax, and then takes cross-entropy).
"""

from dataclasses import dataclass
from typing import Literal

from torch import nn

from p2pfl.errors import ScenarioError
from p2pfl.models.pooling import HalvingMaxPool
from p2pfl.models.shapes import above_zero, image, scaled, text
from p2pfl.models.warm_start import Warmable

_CHANNELS = ((64,), (128,), (256, 256), (512, 512), (512, 512))
"""Of each convolution, by stage; a pooling ends a stage."""
_SHRINKS = 2 ** len(_CHANNELS)


@dataclass(frozen=True, slots=True, kw_only=True)
class Vgg9(Warmable):
    """Eight convolutions and a linear layer: ``{kind: vgg9}``. Takes images from 32x32 up."""

    width: float = 1.0
    """Factor on all channel counts, > 0: 0.25 has a sixteenth of the parameters."""
    kind: Literal["vgg9"] = "vgg9"

    def __post_init__(self) -> None:
        above_zero(width=self.width)

    def build(self, shape: tuple[int, ...], classes: int) -> nn.Module:
        """(n, channels, height, width) to (n, classes) logits.

        On 3x32x32 and 10 classes: 9,225,610 parameters.

        Raises:
            ScenarioError: If a side of the images is below 32.
        """
        channels, height, width = image("vgg9", shape)
        if min(height, width) < _SHRINKS:
            raise ScenarioError(
                f"vgg9 halves images five times, so they must be of {_SHRINKS}x{_SHRINKS} at "
                f"least, but the data set's are {text((height, width))}; resnet10 and resnet18 "
                "take any size"
            )
        layers: list[nn.Module] = []
        for stage in _CHANNELS:
            for wanted in stage:
                convolution = nn.Conv2d(channels, scaled(wanted, self.width), 3, padding=1)
                # Without normalisation torch's own values are too small for so many layers.
                nn.init.kaiming_normal_(convolution.weight, nonlinearity="relu")
                nn.init.zeros_(convolution.get_parameter("bias"))
                layers += [convolution, nn.ReLU()]
                channels = scaled(wanted, self.width)
            layers.append(HalvingMaxPool())
        pixels = (height // _SHRINKS) * (width // _SHRINKS)
        return nn.Sequential(*layers, nn.Flatten(), nn.Linear(channels * pixels, classes))
