"""Grad-CAM: which parts of an image speak for a class.

Source
    R. R. Selvaraju, M. Cogswell, A. Das, R. Vedantam, D. Parikh, D. Batra. "Grad-CAM: Visual
    Explanations from Deep Networks via Gradient-Based Localization." ICCV 2017. arXiv:1610.02391,
    equations 1 and 2.
"""

from collections.abc import Iterator

import torch
from jaxtyping import Float, Int64
from torch import Tensor, nn
from torch.nn.functional import interpolate


def grad_cam(
    module: nn.Module, inputs: Float[Tensor, "n c h w"], classes: Int64[Tensor, " n"]
) -> Float[Tensor, "n h w"]:
    """ReLU(sum_k a_k A_k), where a_k is the mean of d y / d A_k over the places of map k.

    y is the logit of the class, A the maps of :func:`last_maps`. Every value is >= 0, in no unit;
    where nothing speaks for the class all are 0. Maps are brought to the images' size bilinearly.
    The module is used in evaluation mode and left in its own.

    Args:
        module: From images to (n, classes) logits.
        inputs: The images.
        classes: For which class to ask, of each image.

    Raises:
        ValueError: If the module has no convolution, or the inputs are no images.

    Cost:
        A forward pass, and a backward pass down to the maps.
    """
    if inputs.ndim != 4:
        shape = tuple(inputs.shape)
        raise ValueError(f"inputs must be images (n, channels, height, width), got {shape}")
    made: list[Tensor] = []
    hook = last_maps(module).register_forward_hook(lambda _m, _i, output: made.append(output))
    mode = module.training
    module.eval()
    try:
        logits = module(inputs)
    finally:
        hook.remove()
        module.train(mode)
    [maps] = made
    # Each image's logit depends on its own maps alone, so one backward pass does for all.
    (gradient,) = torch.autograd.grad(logits.gather(1, classes[:, None]).sum(), maps)
    shares = gradient.mean(dim=(2, 3), keepdim=True)
    heat = (shares * maps.detach()).sum(dim=1, keepdim=True).relu()
    return interpolate(heat, size=inputs.shape[2:], mode="bilinear", align_corners=False)[:, 0]


def last_maps(module: nn.Module) -> nn.Module:
    """What gives the last feature maps: the last part with a convolution, or the ReLU behind it.

    A part is what a ``Sequential`` has in a row: a layer, or a block such as a ResNet's.

    Raises:
        ValueError: If there is no convolution.
    """
    parts = list(_parts(module))
    having = [k for k, part in enumerate(parts) if _convolves(part)]
    if not having:
        raise ValueError("Grad-CAM needs a model with convolutions, and this one has none")
    last = having[-1]
    behind = parts[last + 1] if last + 1 < len(parts) else None
    return behind if isinstance(behind, nn.ReLU) else parts[last]


def _parts(module: nn.Module) -> Iterator[nn.Module]:
    for child in module.children():
        if isinstance(child, nn.Sequential):
            yield from _parts(child)
        else:
            yield child


def _convolves(part: nn.Module) -> bool:
    return any(isinstance(each, nn.Conv2d) for each in part.modules())
