"""How much a run may use up before it ends."""

from dataclasses import dataclass
from math import isfinite


@dataclass(frozen=True, slots=True, kw_only=True)
class Budget:
    """What a run may use up: ``{bytes: 2.0e9}``, ``{virtual_s: 3600}``, or the first of both.

    At its end each peer keeps the model of the last round that it has finished.
    """

    bytes: float | None = None
    """What all peers and the server together may put on their links, headers included and lost
    messages too. The first message that would go beyond it is not sent and ends the run."""
    virtual_s: float | None = None
    """Virtual seconds, at most 1e9. What would happen later does not."""

    def __post_init__(self) -> None:
        if self.bytes is None and self.virtual_s is None:
            raise ValueError("give bytes, virtual_s or both, got neither")
        for name, most in (("bytes", self.bytes), ("virtual_s", self.virtual_s)):
            if most is not None and not (isfinite(most) and most > 0):
                raise ValueError(f"{name} must be finite and > 0, got {most}")
        if self.virtual_s is not None and self.virtual_s > 1e9:
            raise ValueError(f"virtual_s must be at most 1e9, got {self.virtual_s}")
