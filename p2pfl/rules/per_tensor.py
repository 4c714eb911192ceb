"""A rule on whole rows, or on each tensor of the model apart."""

from collections.abc import Callable
from typing import TypeAlias

import torch
from jaxtyping import Float
from torch import Tensor

from p2pfl.rules.sums import weighted_sum
from p2pfl.types import Matrix, Vector
from p2pfl.vectors import Layout

Traced: TypeAlias = Callable[[Matrix], tuple[Vector, Float[Tensor, " n"]]]
"""A rule's ``traced``, or its ``weighted`` with the weights given."""


def traced_by_tensor(
    traced: Traced, rows: Matrix, layout: Layout, per_tensor: bool
) -> tuple[Vector, Float[Tensor, " n"]]:
    """(n, p) parameters to (p,), and the share of each row.

    Per tensor, a guarantee holds for each tensor and not for the whole, and shares are averaged by
    the tensors' sizes.
    """
    if not per_tensor:
        return traced(rows)
    parts = [part.slice for part in layout.parameters]
    results = [traced(rows[:, part]) for part in parts]
    sizes = [(part.stop - part.start) / layout.p for part in parts]
    shares = weighted_sum([shares for _, shares in results], sizes)
    return torch.cat([out for out, _ in results]), shares
