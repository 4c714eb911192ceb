from dataclasses import fields
from math import exp, inf, nan, sqrt
from typing import get_args

import numpy as np
import pytest

from graphs.latencies import (
    LATENCIES,
    Constant,
    Exponential,
    Latency,
    Lognormal,
    Normal,
    Pareto,
    Uniform,
)


def test_the_registry_is_the_union():
    assert get_args(Latency) == LATENCIES
    assert [fields(latency)[-1].default for latency in LATENCIES] == [
        "constant",
        "uniform",
        "normal",
        "lognormal",
        "exponential",
        "pareto",
        "matrix",
    ]


def test_lognormal_has_its_median_and_mean():
    n, sigma = 20_000, 0.5
    ms = Lognormal(median_ms=40, sigma=sigma).draw_ms(np.random.default_rng(1), n)
    assert ms.shape == (n,)
    # Five standard deviations: of the binomial count below the median, and of the sample mean.
    assert abs(np.mean(ms < 40) - 0.5) < 5 * 0.5 / sqrt(n)
    mean = 40 * exp(sigma**2 / 2)
    assert abs(ms.mean() - mean) < 5 * mean * sqrt((exp(sigma**2) - 1) / n)


def test_without_spread_every_latency_is_the_median():
    assert Lognormal(median_ms=7, sigma=0).draw_ms(np.random.default_rng(1), 3).tolist() == [7] * 3


@pytest.mark.parametrize("ms", [-1, inf, nan])
def test_constant_refuses(ms):
    with pytest.raises(ValueError, match=rf"ms must be in \[0, 1e9\], got {ms}"):
        Constant(ms=ms)


@pytest.mark.parametrize(
    ("median_ms", "sigma", "message"),
    [
        (0, 1, "median_ms must be a finite number > 0, got 0"),
        (-3, 1, "got -3"),
        (inf, 1, "got inf"),
        (1, -0.1, r"sigma must be in \[0, 10\], got -0.1"),
        (1, 11, "got 11"),
        (1, nan, "got nan"),
    ],
)
def test_lognormal_refuses(median_ms, sigma, message):
    with pytest.raises(ValueError, match=message):
        Lognormal(median_ms=median_ms, sigma=sigma)


@pytest.mark.parametrize(
    ("build", "message"),
    [
        (lambda: Uniform(low_ms=5, high_ms=4), "0 <= low_ms <= high_ms, got 5 and 4"),
        (lambda: Uniform(low_ms=-1, high_ms=4), "got -1 and 4"),
        (lambda: Uniform(low_ms=1, high_ms=inf), "got 1 and inf"),
        (lambda: Uniform(low_ms=nan, high_ms=4), "got nan and 4"),
        (lambda: Normal(mean_ms=-1, std_ms=1), "mean_ms must be a finite number >= 0, got -1"),
        (lambda: Normal(mean_ms=1, std_ms=nan), "std_ms .* got nan"),
        (lambda: Exponential(mean_ms=0), "mean_ms must be a finite number > 0, got 0"),
        (lambda: Pareto(scale_ms=0, shape=2), "scale_ms must be a finite number > 0, got 0"),
        (lambda: Pareto(scale_ms=1, shape=0), r"shape must be in \[0.1, 100\], got 0"),
    ],
)
def test_settings_out_of_range_are_refused(build, message):
    with pytest.raises(ValueError, match=message):
        build()


@pytest.mark.parametrize(
    "latency",
    [
        Uniform(low_ms=3, high_ms=3),
        Normal(mean_ms=3, std_ms=0),
        Pareto(scale_ms=3, shape=100),
    ],
)
def test_without_spread_a_latency_is_what_it_says(latency):
    drawn = latency.draw_ms(np.random.default_rng(1), 100)
    assert np.all(abs(drawn - 3) < 0.5)
    assert drawn.min() >= 3
