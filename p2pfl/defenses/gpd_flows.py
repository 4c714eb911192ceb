"""What flows into a model over the edges of GPD, and what becomes of it when an edge is cut."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from math import fsum
from typing import Literal, NamedTuple, TypeAlias

import torch
from jaxtyping import Float, Float64
from torch import Tensor

from p2pfl.types import Vector

Mitigation: TypeAlias = Literal["purify", "freeze", "rollback"]
Vectors: TypeAlias = Mapping[int, Float[Tensor, " p"]]
"""By neighbour."""


class Flow(NamedTuple):
    """The inflow from one neighbour: weight (there - here)."""

    sender: int
    there: Float[Tensor, " p"]
    here: Float[Tensor, " p"]
    weight: float

    def vector(self) -> Float[Tensor, " p"]:
        """The inflow itself."""
        return (self.there - self.here).mul_(self.weight)


def mixed(
    own: Vector, rows: Float[Tensor, "m p"], here: Vector, weights: Sequence[float]
) -> Float[Tensor, " p"]:
    """``own`` and the sum of ``weights[k] * (rows[k] - here)``, in float32, reading each row once.

    As exact as float32 models are. Not finite where a sum overflows on the way.
    """
    factors = own.new_tensor(weights)
    total = fsum(factors.tolist())  # of the weights as rounded
    return torch.sub(own, here, alpha=total).addmv_(rows.T, factors)


def added(own: Vector, flows: Iterable[Flow]) -> Float64[Tensor, " p"]:
    """``own`` and the inflows, summed in float64, in the order given."""
    total = own.double()
    for flow in flows:
        total.add_(flow.there, alpha=flow.weight).sub_(flow.here, alpha=flow.weight)
    return total


class Kept(NamedTuple):
    """What mitigations remember at full length; nothing under ``purify`` and ``mix``."""

    frozen: Vectors
    """The last inflow of each excluded neighbour, which goes on: ``freeze``."""
    inflows: Vectors
    """All inflow of each neighbour, summed: ``rollback``."""
    bases: Vectors
    """there - here when the edge was readmitted: ``anew``."""


def settled(
    mitigation: Mitigation,
    anew: bool,
    kept: Kept,
    *,
    live: Sequence[Flow],
    cut: Sequence[Flow],
    hostile: Collection[int],
    out: Collection[int],
    returned: Collection[int],
) -> tuple[list[Float[Tensor, " p"]], Kept]:
    """What to add to the model of this round, and what to remember.

    Args:
        mitigation: What becomes of the inflow of those who are excluded.
        anew: Whether an edge that is readmitted begins with an inflow of 0.
        kept: What was remembered.
        live: The inflows of this round.
        cut: Those of neighbours that are excluded in it, which are not part of it any more.
        hostile: All that are excluded in it, of some of whom nothing would have flowed.
        out: All neighbours whose edges are not in use.
        returned: Those whose edges were not in use in the last round and are.
    """
    corrections: list[Float[Tensor, " p"]] = []
    bases = {sender: base for sender, base in kept.bases.items() if sender not in out}
    if anew:
        bases |= {flow.sender: flow.there - flow.here for flow in live if flow.sender in returned}
        corrections += [-flow.weight * bases[flow.sender] for flow in live if flow.sender in bases]
    frozen = {sender: vector for sender, vector in kept.frozen.items() if sender in out}
    if mitigation == "freeze":
        frozen |= {flow.sender: flow.vector() for flow in cut}
        corrections += frozen.values()
    inflows = dict(kept.inflows)
    if mitigation == "rollback":
        corrections += [-inflows.pop(sender) for sender in sorted(hostile) if sender in inflows]
        for flow in live:
            before = inflows.get(flow.sender)
            inflows[flow.sender] = flow.vector() if before is None else before + flow.vector()
    return corrections, Kept(frozen, inflows, bases)
