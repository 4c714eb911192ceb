"""How long a message is under way once it has left the uplink: the latencies of a scenario.

Each draws a message's latency on its own, and value by value (``lane.py`` says why): the k-th of a
link is a function of the seed, the link and k alone.
"""

from dataclasses import dataclass
from math import isfinite
from typing import Literal, TypeAlias

import numpy as np
import numpy.typing as npt

from graphs.checks import LONGEST_MS
from graphs.sites import Matrix


@dataclass(frozen=True, slots=True, kw_only=True)
class Constant:
    """The same for every message. Draws nothing."""

    ms: float = 0.0
    """Milliseconds, in [0, 1e9]."""
    kind: Literal["constant"] = "constant"

    def __post_init__(self) -> None:
        if not 0 <= self.ms <= LONGEST_MS:
            raise ValueError(f"ms must be in [0, 1e9], got {self.ms}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Uniform:
    """Anything between two bounds is as likely, drawn anew for every message."""

    low_ms: float
    """Milliseconds, >= 0."""
    high_ms: float
    """Milliseconds, >= low_ms."""
    kind: Literal["uniform"] = "uniform"

    def __post_init__(self) -> None:
        if not (0 <= self.low_ms <= self.high_ms and isfinite(self.high_ms)):
            raise ValueError(
                f"low_ms and high_ms must be finite with 0 <= low_ms <= high_ms, got {self.low_ms} "
                f"and {self.high_ms}"
            )

    def draw_ms(self, rng: np.random.Generator, count: int) -> npt.NDArray[np.float64]:
        """The next latencies of one link, shape (count,), in milliseconds."""
        return self.low_ms + (self.high_ms - self.low_ms) * rng.random(count)


@dataclass(frozen=True, slots=True, kw_only=True)
class Normal:
    """Gaussian, with what is below 0 taken as 0; drawn anew for every message."""

    mean_ms: float
    """Milliseconds, >= 0. The mean before the cut: what is cut moves it up."""
    std_ms: float
    """Standard deviation before the cut, in milliseconds, >= 0."""
    kind: Literal["normal"] = "normal"

    def __post_init__(self) -> None:
        for name, value in (("mean_ms", self.mean_ms), ("std_ms", self.std_ms)):
            if not (value >= 0 and isfinite(value)):
                raise ValueError(f"{name} must be a finite number >= 0, got {value}")

    def draw_ms(self, rng: np.random.Generator, count: int) -> npt.NDArray[np.float64]:
        """The next latencies of one link, shape (count,), in milliseconds."""
        return np.maximum(self.mean_ms + self.std_ms * rng.standard_normal(count), 0.0)


@dataclass(frozen=True, slots=True, kw_only=True)
class Lognormal:
    """median_ms * exp(sigma * z) with z standard normal, drawn anew for every message."""

    median_ms: float
    """Milliseconds, > 0. The mean is median_ms * exp(sigma**2 / 2)."""
    sigma: float
    """Standard deviation of the latency's natural logarithm, in [0, 10]."""
    kind: Literal["lognormal"] = "lognormal"

    def __post_init__(self) -> None:
        if not (self.median_ms > 0 and isfinite(self.median_ms)):
            raise ValueError(f"median_ms must be a finite number > 0, got {self.median_ms}")
        if not 0 <= self.sigma <= 10:
            raise ValueError(f"sigma must be in [0, 10], got {self.sigma}")

    def draw_ms(self, rng: np.random.Generator, count: int) -> npt.NDArray[np.float64]:
        """The next latencies of one link, shape (count,), in milliseconds."""
        return self.median_ms * np.exp(self.sigma * rng.standard_normal(count))


@dataclass(frozen=True, slots=True, kw_only=True)
class Exponential:
    """Memoryless, drawn anew for every message."""

    mean_ms: float
    """Milliseconds, > 0. The median is mean_ms * ln 2."""
    kind: Literal["exponential"] = "exponential"

    def __post_init__(self) -> None:
        if not (self.mean_ms > 0 and isfinite(self.mean_ms)):
            raise ValueError(f"mean_ms must be a finite number > 0, got {self.mean_ms}")

    def draw_ms(self, rng: np.random.Generator, count: int) -> npt.NDArray[np.float64]:
        """The next latencies of one link, shape (count,), in milliseconds."""
        return -self.mean_ms * np.log1p(-rng.random(count))


@dataclass(frozen=True, slots=True, kw_only=True)
class Pareto:
    """A heavy tail: longer than x ms with probability (scale_ms / x)**shape, for every message."""

    scale_ms: float
    """The shortest latency, in milliseconds, > 0."""
    shape: float
    """In [0.1, 100]. The mean is infinite up to 1, the variance up to 2."""
    kind: Literal["pareto"] = "pareto"

    def __post_init__(self) -> None:
        if not (self.scale_ms > 0 and isfinite(self.scale_ms)):
            raise ValueError(f"scale_ms must be a finite number > 0, got {self.scale_ms}")
        if not 0.1 <= self.shape <= 100:
            raise ValueError(f"shape must be in [0.1, 100], got {self.shape}")

    def draw_ms(self, rng: np.random.Generator, count: int) -> npt.NDArray[np.float64]:
        """The next latencies of one link, shape (count,), in milliseconds."""
        tail = 1.0 - rng.random(count)  # in (0, 1]
        return self.scale_ms * tail ** (-1.0 / self.shape)


Drawn: TypeAlias = Uniform | Normal | Lognormal | Exponential | Pareto
Latency: TypeAlias = Constant | Uniform | Normal | Lognormal | Exponential | Pareto | Matrix
LATENCIES = (Constant, Uniform, Normal, Lognormal, Exponential, Pareto, Matrix)
