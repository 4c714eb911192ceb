"""What the links do against what theory says they do. Every bound is five standard deviations.

Of what: of the sample mean, of the sample variance (from the fourth moment), and of the binomial
count below a quantile. So a right link fails one of these tests once in about a million times.
"""

from itertools import groupby
from math import exp, inf, sqrt

import networkx as nx
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from graphs.drops import GilbertElliott
from graphs.latencies import Constant, Exponential, Lognormal, Normal, Pareto, Uniform
from graphs.links import Links
from graphs.network import Network
from p2pfl.seeding import stream

N = 20_000
PAIR = nx.path_graph(2)
QUANTILES = (0.01, 0.1, 0.25, 0.5, 0.75, 0.9, 0.99)


def delays_ms(latency, seed=3):
    links = Links(PAIR, Network(latency=latency), seed)
    return np.array([links.send(0, 1, 100, now_ns) - now_ns for now_ns in range(N)]) / 1e6


def check(measured, mean, variance, fourth, quantiles):
    """Against a mean, a variance, a fourth central moment and a few quantiles."""
    assert abs(measured.mean() - mean) < 5 * sqrt(variance / N)
    if fourth < inf:
        assert abs(measured.var() - variance) < 5 * sqrt((fourth - variance**2) / N)
    for q, value in quantiles.items():
        assert abs((measured <= value).mean() - q) < 5 * sqrt(q * (1 - q) / N)


@pytest.mark.parametrize(
    ("latency", "law"),
    [
        (Uniform(low_ms=10, high_ms=50), stats.uniform(10, 40)),
        (Normal(mean_ms=90, std_ms=10), stats.norm(90, 10)),  # nine deviations above 0
        (Lognormal(median_ms=40, sigma=0.5), stats.lognorm(0.5, scale=40)),
        (Exponential(mean_ms=30), stats.expon(scale=30)),
        (Pareto(scale_ms=20, shape=6), stats.pareto(6, scale=20)),
        (Pareto(scale_ms=20, shape=2.5), stats.pareto(2.5, scale=20)),  # no fourth moment
    ],
    ids=lambda of: str(of) if not hasattr(of, "ppf") else "",
)
def test_delays_follow_their_distribution(latency, law):
    mean, variance, excess = (float(x) for x in law.stats(moments="mvk"))
    fourth = (excess + 3) * variance**2 if np.isfinite(excess) else inf
    quantiles = {q: float(law.ppf(q)) for q in QUANTILES}
    check(delays_ms(latency), mean, variance, fourth, quantiles)


def test_scipys_moments_of_a_lognormal_are_those_that_we_promise():
    mean, variance = stats.lognorm(0.5, scale=40).stats()
    assert mean == pytest.approx(40 * exp(0.125))
    assert variance == pytest.approx(40**2 * exp(0.25) * (exp(0.25) - 1))


def test_a_normal_latency_is_cut_at_zero():
    """Half of it is 0; of max(z, 0): mean 1 / sqrt(2 pi), second moment 1/2, fourth 3/2."""
    measured = delays_ms(Normal(mean_ms=0, std_ms=10))
    mean, second = 10 / sqrt(2 * np.pi), 50.0
    third, raw_fourth = 1000 * sqrt(2 / np.pi), 15_000.0
    fourth = raw_fourth - 4 * mean * third + 6 * mean**2 * second - 3 * mean**4
    check(measured, mean, second - mean**2, fourth, {0.5: 0.0})
    assert measured.min() == 0


def test_a_pareto_whose_mean_is_infinite_still_has_its_quantiles():
    measured = delays_ms(Pareto(scale_ms=5, shape=0.8))
    for q in QUANTILES:
        value = 5 * (1 - q) ** (-1 / 0.8)
        assert abs((measured <= value).mean() - q) < 5 * sqrt(q * (1 - q) / N)


# ---------------------------------------------------------------- uplinks


def test_a_saturated_uplink_by_its_closed_form():
    """Messages of 1 ms every 0.4 ms: the k-th waits k (1 - 0.4) ms, and then takes 1 ms."""
    links = Links(PAIR, Network(latency=Constant(ms=7), bandwidth_mbps=8), 1)
    for k in range(2000):
        now_ns = 400_000 * k
        assert links.send(0, 1, 1000, now_ns) - now_ns == 600_000 * k + 1_000_000 + 7_000_000


@given(
    st.lists(st.tuples(st.integers(0, 3_000_000), st.integers(1, 3000)), min_size=1, max_size=80)
)
@settings(deadline=None)
def test_waiting_follows_lindleys_recursion(messages):
    """W' = max(0, W + S - A): the wait, the time of service, the time to the next message."""
    links = Links(PAIR, Network(bandwidth_mbps=8), 1)
    wait_ns = now_ns = 0
    for gap_ns, size in messages:
        service_ns = 1000 * size
        assert links.send(0, 1, size, now_ns) == now_ns + wait_ns + service_ns
        wait_ns = max(0, wait_ns + service_ns - gap_ns)
        now_ns += gap_ns


@pytest.mark.parametrize("load", [0.3, 0.7])
def test_random_arrivals_wait_as_pollaczek_and_khinchine_say(load):
    """M/D/1: the mean wait is load / (2 (1 - load)) times of service.

    Waits behind one another are alike, so the deviation of the mean is that between batches, each
    much longer than a busy period.
    """
    links = Links(PAIR, Network(bandwidth_mbps=8), 1)
    gaps = stream(5, "test").exponential(1e6 / load, 60_000)
    waits = [
        links.send(0, 1, 1000, at_ns) - at_ns - 10**6
        for at_ns in np.cumsum(gaps).astype(int).tolist()
    ]
    batches = np.array(waits).reshape(60, -1).mean(axis=1) / 1e6
    want = load / (2 * (1 - load))
    assert abs(batches.mean() - want) < 5 * batches.std() / sqrt(len(batches))


# ---------------------------------------------------------------- bursts


def losses(drop, count=N, seed=2):
    links = Links(PAIR, Network(drop=drop), seed)
    return np.array([links.send(0, 1, 10, 0) is None for _ in range(count)])


BURSTS = GilbertElliott(p_good_to_bad=0.05, p_bad_to_good=0.25)


def test_bursts_lose_their_share():
    """A chain that forgets by a factor l per message has (1 + l) / (1 - l) times the variance."""
    share, forgets = 0.05 / 0.3, 1 - 0.05 - 0.25
    assert BURSTS.bad_share == pytest.approx(share)
    deviation = sqrt(share * (1 - share) / N * (1 + forgets) / (1 - forgets))
    assert abs(losses(BURSTS).mean() - share) < 5 * deviation


def test_bursts_and_the_gaps_between_them_are_geometric():
    runs = [(bad, len(list(run))) for bad, run in groupby(losses(BURSTS).tolist())][1:-1]
    for state, leaves in ((True, 0.25), (False, 0.05)):
        lengths = np.array([length for bad, length in runs if bad == state])
        deviation = sqrt((1 - leaves) / leaves**2 / len(lengths))
        assert abs(lengths.mean() - 1 / leaves) < 5 * deviation
        for k in (1, 2, 5):  # longer than k with probability (1 - leaves)**k
            p = (1 - leaves) ** k
            assert abs((lengths > k).mean() - p) < 5 * sqrt(p * (1 - p) / len(lengths))


def test_links_that_lose_some_when_good_and_some_when_bad():
    """Losses at distance k go together: covariance pi (1 - pi) (b - g)^2 l^k."""
    drop = GilbertElliott(p_good_to_bad=0.1, p_bad_to_good=0.3, drop_good=0.02, drop_bad=0.6)
    pi, forgets = 0.25, 0.6
    p = (1 - pi) * 0.02 + pi * 0.6
    together = pi * (1 - pi) * (0.6 - 0.02) ** 2 * forgets / (1 - forgets)
    deviation = sqrt((p * (1 - p) + 2 * together) / N)
    assert abs(losses(drop).mean() - p) < 5 * deviation


def test_the_first_message_of_a_link_finds_it_bad_with_the_same_share():
    first = np.array([losses(BURSTS, count=1, seed=seed)[0] for seed in range(3000)])
    p = BURSTS.bad_share
    assert abs(first.mean() - p) < 5 * sqrt(p * (1 - p) / len(first))


def test_chains_at_their_ends():
    always = GilbertElliott(p_good_to_bad=1, p_bad_to_good=0)
    assert losses(always, 50).all()
    never = GilbertElliott(p_good_to_bad=0, p_bad_to_good=1)
    assert not losses(never, 50).any()
    turns = GilbertElliott(p_good_to_bad=1, p_bad_to_good=1)
    got = losses(turns, 50).tolist()
    assert got[::2] == [got[0]] * 25
    assert got[1::2] == [not got[0]] * 25


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"p_good_to_bad": 1.5, "p_bad_to_good": 0.1}, "p_good_to_bad is a probability.* got 1.5"),
        ({"p_good_to_bad": 0, "p_bad_to_good": 0}, "are both 0: the link never changes"),
        ({"p_good_to_bad": 0.1, "p_bad_to_good": 0.1, "drop_bad": -1}, "drop_bad .* got -1"),
    ],
)
def test_bursts_that_cannot_be_are_refused(fields, message):
    with pytest.raises(ValueError, match=message):
        GilbertElliott(**fields)


def test_a_saturated_downlink_by_its_closed_form():
    """Eight peers send 1 ms of messages at once, twice: the k-th is delivered after k ms."""
    star = nx.star_graph(8)
    links = Links(star, Network(latency=Constant(ms=5), down_mbps=8), 1)
    for k in range(16):
        reaches_ns = links.send(1 + k % 8, 0, 1000, 0)
        assert reaches_ns == 5_000_000
        assert links.receive(0, 1000, reaches_ns) == 5_000_000 + 1_000_000 * (k + 1)
