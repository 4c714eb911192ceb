"""In which numbers a forward pass computes; what is kept, sent and aggregated is float32 always.

With ``bfloat16`` a forward pass's convolutions and products of matrices, and their gradients, take
bfloat16 copies of weights and inputs: 8 bits of mantissa instead of 24, and the same range of
exponents, so that no loss needs scaling. Torch's ``autocast`` decides operation by operation. The
gradient arrives at the weights in float32. Losses are taken of float32 logits.
"""

from collections.abc import Callable
from typing import Literal, TypeAlias

import torch
from torch import Tensor

Precision: TypeAlias = Literal["float32", "bfloat16"]


def logits_of(model: Callable[[Tensor], Tensor], inputs: Tensor, precision: Precision) -> Tensor:
    """The model's outputs, in float32.

    Args:
        model: Float32 weights; a module, or a function under ``torch.func.vmap``.
        inputs: On the weights' device.
        precision: ``float32`` calls the model and does nothing else.
    """
    if precision == "float32":
        return model(inputs)
    # Autocast would remember the copies of weights: they are used once, and change in between.
    with torch.autocast(inputs.device.type, torch.bfloat16, cache_enabled=False):
        outputs = model(inputs)
    return outputs.float()
