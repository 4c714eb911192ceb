"""Better links than other peers have."""

from dataclasses import dataclass
from math import isfinite
from typing import Literal

from p2pfl.behaviours.base import Neutral


@dataclass(frozen=True, slots=True, kw_only=True)
class FastLinks(Neutral):
    """Links of its own, in both directions: ``{kind: fast_links, latency_ms: 1}``.

    They belong to the nodes where the adversaries are at the beginning, and to all their ids.
    """

    latency_ms: float = 0.0
    """Of each message, constant, in milliseconds, >= 0."""
    bandwidth_mbps: float | None = None
    """Rate of the sender's uplink on these links, in 10**6 bits per second, > 0; null: as the
    network's."""
    drop: float | None = 0.0
    """Probability that a message is lost, in [0, 1]; null: as the network's."""
    kind: Literal["fast_links"] = "fast_links"

    def __post_init__(self) -> None:
        if not (isfinite(self.latency_ms) and self.latency_ms >= 0):
            raise ValueError(f"latency_ms must be finite and >= 0, got {self.latency_ms}")
        rate = self.bandwidth_mbps
        if rate is not None and not (isfinite(rate) and rate > 0):
            raise ValueError(f"bandwidth_mbps must be finite and > 0, or null, got {rate}")
        if self.drop is not None and not 0 <= self.drop <= 1:
            raise ValueError(f"drop is a probability and must be in [0, 1], got {self.drop}")

    @property
    def edge(self) -> dict[str, float]:
        """What it sets of an edge."""
        given = {
            "latency_ms": self.latency_ms,
            "bandwidth_mbps": self.bandwidth_mbps,
            "drop": self.drop,
        }
        return {name: float(value) for name, value in given.items() if value is not None}
