"""False words beside the model: which round it is of, how many samples are behind it."""

from collections.abc import Sequence
from dataclasses import dataclass
from math import isfinite
from typing import Literal

from p2pfl.behaviours.base import Neutral, Outgoing, Scene, Told


@dataclass(frozen=True, slots=True, kw_only=True)
class FalseMetadata(Neutral):
    """Claim another round or more samples: ``{kind: false_metadata, samples_factor: 10}``.

    Who weighs by samples (``weighted_mean``, ``fed_avg``) believes the count. A message that claims
    an earlier round is late; one that claims a later round is kept for that, and the receiver
    waits in vain for the present one.
    """

    rounds: int = 0
    """Added to the round that a message claims; negative for an earlier one."""
    samples_factor: float = 1.0
    """Times the true count is what it claims, in [0, 1e9]."""
    kind: Literal["false_metadata"] = "false_metadata"

    def __post_init__(self) -> None:
        if not (isfinite(self.samples_factor) and 0 <= self.samples_factor <= 1e9):
            raise ValueError(f"samples_factor must be in [0, 1e9], got {self.samples_factor}")
        if abs(self.rounds) > 10**9:
            raise ValueError(f"rounds must be in [-1e9, 1e9], got {self.rounds}")

    def sends(self, outgoing: Sequence[Outgoing], scene: Scene) -> Told:
        """With the false round; the samples are in the message."""
        told: dict[str, object] = {}
        if self.rounds:
            told["claims_round"] = scene.round + self.rounds
        if self.samples_factor != 1:
            told["samples_factor"] = self.samples_factor
        changed = [each._replace(round=each.round + self.rounds) for each in outgoing]
        return changed, told or None

    def claims(self, samples: int) -> int:
        """The nearest whole number."""
        return round(samples * self.samples_factor)
