"""The section ``network`` of a scenario."""

from dataclasses import dataclass, field

from graphs.drops import Drop
from graphs.latencies import Constant, Latency


@dataclass(frozen=True, slots=True, kw_only=True)
class Network:
    """What the links are like, where an edge does not say otherwise."""

    latency: Latency = field(default_factory=Constant)
    """From the end of the uplink to the beginning of the downlink."""
    bandwidth_mbps: float | None = None
    """Rate of each peer's uplink and downlink, in Mbit/s, >= 1e-6; null: no limit."""
    up_mbps: float | None = None
    """The same for uplinks alone; goes before bandwidth_mbps."""
    down_mbps: float | None = None
    """The same for downlinks alone; goes before bandwidth_mbps."""
    drop: Drop | float = 0.0
    """Probability that a message is lost on the link, in [0, 1]; or how losses come about."""
    retries: int = 0
    """How often a lost message is sent again before it is given up, >= 0."""
    retry_after_ms: float = 200.0
    """How long after a lost message has left the uplink it is sent again, in milliseconds, > 0."""
    duplicate: float = 0.0
    """Probability that a message that gets through at once arrives twice, each at its own time."""
    fifo: bool = False
    """Whether the messages of a link keep their order: a late one holds up those behind it."""

    def __post_init__(self) -> None:
        for name, mbps in (
            ("bandwidth_mbps", self.bandwidth_mbps),
            ("up_mbps", self.up_mbps),
            ("down_mbps", self.down_mbps),
        ):
            if mbps is not None and not 1e-6 <= mbps < float("inf"):
                raise ValueError(
                    f"{name} must be a finite number >= 1e-6, or null for no limit, got {mbps}"
                )
        for name, p in (("drop", self.drop), ("duplicate", self.duplicate)):
            if isinstance(p, float | int) and not 0 <= p <= 1:
                raise ValueError(f"{name} is a probability and must be in [0, 1], got {p}")
        if not 0 <= self.retries <= 1000:
            raise ValueError(f"retries must be in [0, 1000], got {self.retries}")
        if not 0 < self.retry_after_ms <= 1e9:
            raise ValueError(f"retry_after_ms must be in (0, 1e9], got {self.retry_after_ms}")
