"""How long training takes."""

from dataclasses import dataclass

from p2pfl.seeding import stream


@dataclass(frozen=True, slots=True, kw_only=True)
class Compute:
    """The speed of the peers: ``{samples_per_s: 2000, spread: 0.3}``."""

    samples_per_s: float = 1000.0
    """Median speed of a peer, in training samples a second."""
    spread: float = 0.0
    """Sigma of the log-normal from which each peer's factor is drawn; 0 makes all alike."""
    measured: bool = False
    """Whether work takes the time that it really takes, under the real clock alone. Otherwise what
    is done sooner waits until the modelled time. Who sits a round out does so for that in any
    case."""

    def __post_init__(self) -> None:
        if not 1e-3 <= self.samples_per_s <= 1e12:
            raise ValueError(f"samples_per_s must be in [1e-3, 1e12], got {self.samples_per_s}")
        if not 0 <= self.spread <= 5:
            raise ValueError(f"spread must be in [0, 5], got {self.spread}")

    def speed(self, seed: int, peer: int) -> float:
        """Samples a second of one peer: a function of the seed and its id alone."""
        if not self.spread:
            return self.samples_per_s
        factor = float(stream(seed, "compute", peer).lognormal(0.0, self.spread))
        return self.samples_per_s * factor
