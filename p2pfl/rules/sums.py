"""Sums of rows: in the order given and in float64, so that 1e38 does not overflow; or fast."""

from collections.abc import Sequence
from itertools import pairwise

import numpy as np
import torch

from p2pfl.types import Matrix, Vector

_COLUMNS_PER_CHUNK = 1 << 17  # of float64: 1 MiB
_COLUMNS_PER_PRODUCT = 1 << 14  # of float32: the sum so far stays in the first caches


def average(rows: Sequence[Vector] | Matrix) -> Vector:
    """The mean of at least one row, each (d,). Same dtype as the rows.

    For float32 rows each coordinate lies between the smallest and the largest of that column.
    Zeros add up to +0.0 whatever their signs, so that the order of -0.0 and 0.0 changes no bit.
    """
    return _combined(rows, [1.0] * len(rows), len(rows))


def weighted_sum(rows: Sequence[Vector] | Matrix, weights: Sequence[float]) -> Vector:
    """Sum of ``weights[i] * rows[i]``; a row of weight 0 is not looked at, whatever is in it.

    Raises:
        ValueError: If there are not as many weights as rows.
    """
    if len(weights) != len(rows):
        raise ValueError(f"one weight per row: got {len(weights)} for {len(rows)} rows")
    return _combined(rows, weights, 1)


def fast_sum(rows: Matrix, weights: Sequence[float]) -> Vector:
    """Sum of ``weights[i] * rows[i]`` by one product in float32: up to five times as fast.

    Off by some units in the last place, more in other orders; every row is looked at, so what is
    not finite in one stays in the sum. On a CPU the products are NumPy's, some columns at a time:
    torch's own took a sixth longer at 11 rows, and one product of them all a tenth.
    """
    if rows.device.type == "cpu":
        return _product(weights, rows)
    return torch.tensor(weights, dtype=rows.dtype, device=rows.device) @ rows


def _product(weights: Sequence[float], rows: Matrix) -> Vector:
    each = rows.contiguous().numpy()  # how it lies in memory would change the last bit
    by = np.asarray(weights, dtype=each.dtype)
    d = each.shape[1]
    total = np.empty(d, dtype=each.dtype)
    starts = range(0, max(d - _COLUMNS_PER_PRODUCT, 0) + 1, _COLUMNS_PER_PRODUCT)
    for start, end in pairwise([*starts, d]):  # the last takes the rest: a narrow one rounds anew
        np.matmul(by, each[:, start:end], out=total[start:end])
    return torch.from_numpy(total)


def _combined(rows: Sequence[Vector] | Matrix, weights: Sequence[float], divisor: float) -> Vector:
    """The weighted sum, divided before it is rounded."""
    if len(rows[0]) > _COLUMNS_PER_CHUNK:
        chunks = zip(*(row.split(_COLUMNS_PER_CHUNK) for row in rows), strict=True)
        return torch.cat([_combined(chunk, weights, divisor) for chunk in chunks])
    total = torch.zeros_like(rows[0], dtype=torch.float64)
    for row, weight in zip(rows, weights, strict=True):
        if weight != 0:
            total.add_(row, alpha=weight)
    if divisor != 1:
        total.div_(divisor)
    return total.to(rows[0].dtype)
