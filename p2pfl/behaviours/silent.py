"""No message at all."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from p2pfl.behaviours.base import Neutral, Outgoing, Scene, Told
from p2pfl.seeding import stream


@dataclass(frozen=True, slots=True, kw_only=True)
class Silent(Neutral):
    """Send nothing, in every round or in some; it goes on hearing, and others wait for it."""

    probability: float = 1.0
    """That it is silent in a round, drawn for each adversary and round, in [0, 1]."""
    kind: Literal["silent"] = "silent"

    def __post_init__(self) -> None:
        if not 0 <= self.probability <= 1:
            raise ValueError(f"probability must be in [0, 1], got {self.probability}")

    def sends(self, outgoing: Sequence[Outgoing], scene: Scene) -> Told:
        """Nothing."""
        if stream(scene.seed, "silent", scene.me, scene.round).random() >= self.probability:
            return outgoing, None
        return (), {"withheld": [each.destination for each in outgoing]}
