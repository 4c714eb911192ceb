"""Mimic: all adversaries repeat one benign peer, which then counts too much.

Source
    S. P. Karimireddy, L. He, M. Jaggi. "Byzantine-Robust Learning on Heterogeneous Datasets via
    Bucketing." ICLR 2022. arXiv:2006.09365.

Departs from the paper:
    The messages there are gradients, or momenta, with a running mean over the steps. Models move
    from round to round, so deviations are taken from the mean of their own round. The vectors are
    whole models: what is copied is sent as it is.
"""

from dataclasses import dataclass
from typing import ClassVar, Literal, NamedTuple

import numpy as np
import torch

from p2pfl.attacks.base import HonestTraining, to_all
from p2pfl.rules.sums import average
from p2pfl.types import AdversaryView, Knowledge, Matrix, Vector


class MimicState(NamedTuple):
    """What ``variance`` has found so far."""

    rounds: int = 0
    """In which it looked for a target."""
    direction: Vector | None = None
    """(d,) of unit length: the one in which the benign models differ most."""
    target: int | None = None
    """Whom it mimics."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Mimic(HonestTraining):
    """Send one benign peer's model of this round: ``{kind: mimic, target: 3}``.

    No message is an outlier. It hurts where data differ between peers, and rules that select or
    trim then prefer the repeated one; nearest-neighbour mixing and bucketing weaken it.
    """

    knowledge: ClassVar[Knowledge] = "full"

    choice: Literal["fixed", "variance"] = "fixed"
    """fixed: mimic ``target``; variance: the peer farthest out in the direction in which benign
    models differ most, found by power iteration over the first rounds."""
    target: int | None = None
    """Peer to mimic with ``fixed``, >= 0; null, or where it is not to be seen or an adversary: the
    benign peer of the smallest id."""
    warmup: int = 1
    """Rounds in which ``variance`` looks for its target, >= 1. Then it stays."""
    kind: Literal["mimic"] = "mimic"

    def __post_init__(self) -> None:
        if self.target is not None and self.target < 0:
            raise ValueError(f"target must be >= 0, or null, got {self.target}")
        if self.target is not None and self.choice != "fixed":
            raise ValueError(f"target belongs to choice: fixed, got choice: {self.choice}")
        if self.warmup < 1:
            raise ValueError(f"warmup counts rounds and must be >= 1, got {self.warmup}")

    def init(self, d: int) -> MimicState:
        """Nothing found yet."""
        return MimicState()

    @property
    def ignores_own(self) -> bool:
        """Always. Where it sees nobody, it sends what it started from."""
        return True

    def craft(
        self, view: AdversaryView, state: MimicState, rng: np.random.Generator
    ) -> tuple[Matrix, MimicState]:
        """The same row for every target. Time O(v d) in the warm-up's rounds, then O(d)."""
        benign = {
            peer: row
            for row, peer in zip(view.visible, view.visible_ids, strict=True)
            if peer not in view.members
        }
        if not benign:
            return to_all(view, view.own), state
        if self.choice == "variance" and state.rounds < self.warmup:
            state = _look(benign, state, rng)
        wanted = self.target if self.choice == "fixed" else state.target
        chosen = wanted if wanted in benign else min(benign)
        return to_all(view, benign[chosen]), state


def _look(benign: dict[int, Vector], state: MimicState, rng: np.random.Generator) -> MimicState:
    """One step of the power iteration, and the peer that is farthest out along its result."""
    rows = torch.stack([benign[peer] for peer in sorted(benign)])
    deviations = rows - average(rows)
    direction = state.direction
    if direction is None:
        drawn = rng.standard_normal(rows.shape[1], dtype=np.float32)
        direction = _unit(torch.from_numpy(drawn).to(rows.device))
    seen = _unit(deviations.T @ (deviations @ direction))
    direction = _unit(state.rounds * direction + seen)
    farthest = int((deviations @ direction).argmax())
    return MimicState(state.rounds + 1, direction, sorted(benign)[farthest])


def _unit(vector: Vector) -> Vector:
    """Of length 1; zero stays zero."""
    length = vector.norm().clamp(min=torch.finfo(vector.dtype).tiny)
    return vector.div(length)
