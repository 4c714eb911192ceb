"""How much of a coordinate-wise rule's result came from each row."""

from collections.abc import Callable, Sequence
from itertools import accumulate

import torch
from jaxtyping import Float, Float64
from torch import Tensor

from p2pfl.types import Matrix

SAMPLED_COLUMNS = 4096
"""Columns on which shares are measured, evenly spaced over all of them."""


def rank_shares(rows: Matrix, weights: Sequence[float]) -> Float[Tensor, " n"]:
    """The mean share of each row in the weighted sum of every column's order statistics.

    Args:
        rows: Shape (n, d). NaN counts as +inf, as in :func:`p2pfl.rules.sorting.sorted_rows`.
        weights: Of the smallest value of a column, the second smallest, and so on; n of them.

    Returns:
        Shape (n,), non-negative, summing to 1 where ``weights`` does. Equal values of a column
        share the weights of their ranks evenly. Measured on all columns, or on
        ``SAMPLED_COLUMNS`` of them, evenly spaced from the first to the last, where d is larger.

    Cost:
        One sort of at most n x 4,096 values.
    """
    ranks = torch.tensor(weights, dtype=torch.float64, device=rows.device)
    return ordered_shares(rows, lambda ordered: ranks.expand_as(ordered))


def ordered_shares(
    rows: Matrix, weigh: Callable[[Float[Tensor, "c n"]], Float64[Tensor, "c n"]]
) -> Float[Tensor, " n"]:
    """As :func:`rank_shares`, with weights that may differ from column to column.

    Args:
        rows: Shape (n, d).
        weigh: From c columns, each sorted ascending, to the weights of their values.
    """
    infinity = float("inf")
    values = sampled_columns(rows).T.nan_to_num(nan=infinity, posinf=infinity, neginf=-infinity)
    values = values.contiguous()
    ordered = values.sort(dim=1).values
    first = torch.searchsorted(ordered, values)
    after = torch.searchsorted(ordered, values, right=True)
    below = torch.nn.functional.pad(running_sums(weigh(ordered)), (1, 0))
    shares = (below.gather(1, after) - below.gather(1, first)) / (after - first)
    return shares.mean(dim=0).to(rows.dtype)


def running_sums(values: Float64[Tensor, "c n"]) -> Float64[Tensor, "c n"]:
    """The sum of each row's values up to each of them: ``cumsum(dim=1)``, to the bit."""
    if values.device.type == "cpu":
        return values.cumsum(dim=1)
    # On a GPU torch's own cannot be repeated to the bit, and is refused where that is asked for.
    return column_by_column(values)


def column_by_column(values: Float64[Tensor, "c n"]) -> Float64[Tensor, "c n"]:
    """The same, one addition after the other. n additions of c values."""
    return torch.stack(list(accumulate(values.unbind(dim=1))), dim=1)


def sampled_columns(rows: Matrix) -> Matrix:
    """All columns, or where d is larger ``SAMPLED_COLUMNS`` of them, from the first to the last."""
    d = rows.shape[1]
    if d <= SAMPLED_COLUMNS:
        return rows
    steps = torch.arange(SAMPLED_COLUMNS, device=rows.device)
    return rows[:, steps * (d - 1) // (SAMPLED_COLUMNS - 1)]
