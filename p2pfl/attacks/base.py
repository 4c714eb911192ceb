"""What attacks have in common: each changes one thing, and is honest in all others."""

from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar, Self

import numpy as np

from p2pfl.learner.training import Training
from p2pfl.types import AdversaryView, Backdoor, Logits, Matrix, Samples, Steer, Vector


@dataclass(frozen=True, slots=True, kw_only=True)
class HonestTraining:
    """What an attack with a state derives from: it brings its own ``init`` and ``craft``."""

    equivocates: ClassVar[bool] = False
    retrains: ClassVar[bool] = False

    @property
    def ignores_own(self) -> bool:
        """It looks at it."""
        return False

    def poison(self, data: Samples, rng: np.random.Generator) -> Samples:
        """Train on the data as they are."""
        return data

    def shared_samples(self) -> int | None:
        """Train on the own data."""
        return None

    def poison_round(self, data: Samples, logits: Logits) -> Samples:
        """Train on the same data in every round."""
        return data

    def loaded(self, folder: Path | None) -> Self:
        """Needs no files."""
        return self

    def as_member(self, index: int) -> Self:
        """All members do alike."""
        return self

    def settings(self, benign: Training) -> Training:
        """Train as benign peers do."""
        return benign

    def steer(self, start: Vector, round_: int) -> Steer | None:
        """Leave the training as it is."""
        return None

    def backdoor(self, test: Samples) -> Backdoor | None:
        """Aim at no class."""
        return None


@dataclass(frozen=True, slots=True, kw_only=True)
class Honest(HonestTraining):
    """The honest half of an attack: an attack derives from it and overrides what it changes."""

    def init(self, d: int) -> None:
        """No state."""
        return

    def craft(
        self, view: AdversaryView, state: None, rng: np.random.Generator
    ) -> tuple[Matrix, None]:
        """Send the trained model to every target."""
        return to_all(view, view.own), None


def to_all(view: AdversaryView, message: Vector) -> Matrix:
    """The same message for every target: (k, d), without a copy."""
    return message.expand(len(view.targets), -1)
