"""What attacks have in common that add their own training or sending to a backdoor in the data."""

from dataclasses import dataclass, replace
from math import isfinite
from pathlib import Path
from typing import Self, TypeAlias

import numpy as np

from p2pfl.attacks.base import HonestTraining
from p2pfl.attacks.dba import Dba
from p2pfl.attacks.edge_case import EdgeCase
from p2pfl.attacks.semantic import SemanticBackdoor
from p2pfl.attacks.trigger_backdoor import TriggerBackdoor
from p2pfl.learner.training import Training
from p2pfl.types import AdversaryView, Backdoor, Logits, Samples, Vector

AnyBackdoor: TypeAlias = TriggerBackdoor | Dba | SemanticBackdoor | EdgeCase


_TRIGGER = TriggerBackdoor()


@dataclass(frozen=True, slots=True, kw_only=True)
class WithBackdoor(HonestTraining):
    """The base: all that concerns the data is left to ``data``, an attack of its own.

    One without a state derives from ``Honest`` too.
    """

    data: AnyBackdoor = _TRIGGER
    """What it trains on and aims at: backdoor, dba, semantic or edge_case, with their settings."""

    def loaded(self, folder: Path | None) -> Self:
        """With the files that its data need."""
        return replace(self, data=self.data.loaded(folder))

    def as_member(self, index: int) -> Self:
        """With its own part of the trigger, where each member has one."""
        return replace(self, data=self.data.as_member(index))

    def poison(self, data: Samples, rng: np.random.Generator) -> Samples:
        """As ``data`` does."""
        return self.data.poison(data, rng)

    def shared_samples(self) -> int | None:
        """As ``data`` says."""
        return self.data.shared_samples()

    def poison_round(self, data: Samples, logits: Logits) -> Samples:
        """As ``data`` does."""
        return self.data.poison_round(data, logits)

    def settings(self, benign: Training) -> Training:
        """As ``data`` does."""
        return self.data.settings(benign)

    def backdoor(self, test: Samples) -> Backdoor:
        """As ``data`` does."""
        return self.data.backdoor(test)


def check_gamma(gamma: float | None) -> None:
    """Raises ValueError unless it is finite and > 0, or None."""
    if gamma is not None and not (isfinite(gamma) and gamma > 0):
        raise ValueError(f"gamma must be finite and > 0, or null, got {gamma}")


def check_every(rounds: int) -> None:
    """Raises ValueError unless it is >= 1."""
    if rounds < 1:
        raise ValueError(f"scale_every counts rounds and must be >= 1, got {rounds}")


def scaled(view: AdversaryView, own: Vector, gamma: float | None, every: int = 1) -> Vector:
    """``start + gamma * (own - start)``: what replaces a receiver's model after averaging.

    In the rounds 1, 1 + every, 1 + 2 every and so on; in the others ``own``.

    With None, gamma is n / m for the n peers of the adversary's closed neighbourhood, of which m
    are of its coalition: where all average n models alike, together they weigh as much as all.
    """
    if (view.round - 1) % every:
        return own
    if gamma is None:
        members = {view.me, *view.targets}.intersection(view.members)
        gamma = (1 + len(view.targets)) / len(members)
    return own if gamma == 1 else view.start + gamma * (own - view.start)
