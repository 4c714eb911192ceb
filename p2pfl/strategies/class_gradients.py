"""What clients that send gradients compute: one gradient for each group of their samples.

A group is a class, or all samples together. Each has an order of its own, in which its samples are
used up before it is shuffled anew, and a momentum of its own.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import torch
from jaxtyping import Int64
from torch import Tensor
from torch.nn.functional import cross_entropy

from p2pfl.precision import logits_of
from p2pfl.strategies.types import Assignment
from p2pfl.types import Vector


class Group(NamedTuple):
    """What a client remembers of one group."""

    size: int
    """Samples in it when the order was drawn."""
    left: npt.NDArray[np.int64]
    """Places within the group that this epoch has not used yet."""
    momentum: Vector
    """(d,)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Averaging:
    """m <- old * m + new * g, from m = 0."""

    old: float
    new: float

    @classmethod
    def of(cls, beta: float, literal: bool = False) -> "Averaging":
        """With beta on the old value, as usual; ``literal``: on the new one."""
        return cls(old=1 - beta, new=beta) if literal else cls(old=beta, new=1 - beta)


def by_class(labels: Int64[Tensor, " n"]) -> dict[int, Int64[Tensor, " k"]]:
    """Indices of the samples of each class that occurs, classes ascending."""
    return {int(c): torch.nonzero(labels == c)[:, 0] for c in torch.unique(labels)}


def stepped(
    given: Assignment,
    groups: Mapping[int, Int64[Tensor, " k"]],
    batch_size: int,
    averaging: Averaging,
    memory: Mapping[int, Group],
) -> dict[int, Group]:
    """One gradient at the given model for each group, taken into the group's momentum.

    A gradient is that of the mean loss on the next ``batch_size`` samples of the group; the last
    batch of an epoch has what is left. The model is in evaluation mode. An adversary's steer bends
    each gradient. A group that does not occur keeps its momentum. Draws one permutation for each
    group that begins an epoch. Time: a forward and a backward pass of each batch.
    """
    after = dict(memory)
    given.trainer.flat.load(given.model)
    given.trainer.flat.module.eval()
    for name, indices in groups.items():
        size, known = len(indices), memory.get(name)
        # An adversary's group is another one where its attack begins or ends.
        fresh = known is None or known.size != size or not len(known.left)
        left = given.rng.permutation(size) if fresh or known is None else known.left
        places = torch.from_numpy(left[:batch_size].copy()).to(indices.device)
        momentum = averaging.new * _gradient(given, indices[places])
        if known is not None:
            momentum = averaging.old * known.momentum + momentum
        after[name] = Group(size, np.array(left[batch_size:]), momentum)
    return after


def _gradient(given: Assignment, batch: Int64[Tensor, " b"]) -> Vector:
    """(d,) of the mean loss on these samples at the loaded model; 0 for running statistics."""
    flat = given.trainer.flat
    flat.zero_grad()
    inputs, labels = (
        part.index_select(0, batch) for part in (given.data.inputs, given.data.labels)
    )
    logits = logits_of(flat.module, inputs, given.settings.precision)
    loss = cross_entropy(logits, labels)
    loss.backward()  # type: ignore[no-untyped-call]
    if given.steer is not None:
        given.steer.gradient(flat.parameters.detach(), flat.gradient)
    out = torch.zeros_like(given.model)
    out[: flat.layout.p] = flat.gradient
    return out
