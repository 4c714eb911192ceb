"""What servers that receive gradients have in common: a rule that fits, and a step."""

from math import isfinite

import torch
from jaxtyping import Float
from torch import Tensor

from p2pfl.defenses.mixing import float32
from p2pfl.rules import AnyRule, Clustering, Mean
from p2pfl.rules.nesting import assumed_f, with_f_at_most
from p2pfl.types import Matrix, Rule, Vector


def check_settings(server_lr: float, momentum: float, weight_decay: float) -> None:
    """Raises ValueError where a setting cannot be."""
    if not (isfinite(server_lr) and server_lr > 0):
        raise ValueError(f"server_lr must be finite and > 0, got {server_lr}")
    if not 0 <= momentum < 1:
        raise ValueError(f"momentum must be in [0, 1), got {momentum}")
    if not (isfinite(weight_decay) and weight_decay >= 0):
        raise ValueError(f"weight_decay must be finite and >= 0, got {weight_decay}")


def fitted(rule: Rule, n: int) -> Rule:
    """The rule, if it can be computed on n >= 1 rows; else with the largest f with which it can.

    Where no f helps, the mean, and of two rows that clustering would have to choose from; of a
    single row every rule is the row itself.
    """
    if n == 1 or (n == 2 and isinstance(rule, Clustering)):
        return Mean()
    if rule.computable(n) is None:
        return rule
    for f in reversed(range(assumed_f(rule) or 0)):
        lower = with_f_at_most(rule, f)
        if lower.computable(n) is None:
            return lower
    return Mean()


def among_the_rest(rule: AnyRule, rejected: int) -> Rule:
    """The rule for rows among which those of so many senders are missing, as they were malformed.

    Its f is lowered by their number, at least to 0: who was rejected is not among the rest.
    """
    f = assumed_f(rule)
    return with_f_at_most(rule, max(0, f - rejected)) if f and rejected else rule


def aggregated(rule: Rule, rows: Matrix) -> tuple[Float[Tensor, " p"], Float[Tensor, " n"], bool]:
    """The aggregate of n >= 1 rows, the share of each, and whether the rule had to be fitted."""
    fits = fitted(rule, len(rows))
    out, shares = fits.traced(rows)
    return out, shares, len(rows) > 1 and fits is not rule


def moved(
    model: Vector, direction: Float[Tensor, " p"], server_lr: float, weight_decay: float
) -> Vector:
    """The model x - server_lr * (direction + weight_decay * x); running statistics stay."""
    p = len(direction)
    start = model[:p].double()
    step = direction.double() + weight_decay * start
    return torch.cat([float32(start - server_lr * step), model[p:]])


def heavier(
    momentum: Float[Tensor, " p"] | None, direction: Float[Tensor, " p"], beta: float
) -> Float[Tensor, " p"]:
    """The server's momentum after a step, v <- beta v + direction. None stands for 0."""
    past = 0.0 if momentum is None else beta * momentum.double()
    return float32(past + direction.double())
