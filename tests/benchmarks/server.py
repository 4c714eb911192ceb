"""Milliseconds that the server takes for one round, by strategy, and times plain averaging's.

A hundred clients answer with models of a million parameters, a fifth of them hostile. FedGrad is
measured before its hard filter begins and behind. One thread; time is that of the thread, and all
strategies take turns, so that what else runs on the machine counts as little as possible.

Below stands of each order that follows from the published costs, in n clients and d parameters,
whether it holds in this measurement.

Run ``python tests/benchmarks/server.py``; ``--repeats N`` for more or fewer. Takes 2 GB of memory.
"""

import argparse
from collections.abc import Mapping
from time import thread_time
from typing import Any

import torch

from p2pfl.models import Mlp, build_model
from p2pfl.rules import (
    Clustering,
    Dnc,
    GeometricMedian,
    Krum,
    Median,
    MultiKrum,
    Rlr,
    TrimmedMean,
)
from p2pfl.seeding import stream
from p2pfl.strategies import FedAvg, FedGrad, Flame, FoolsGold, RuleStrategy, Spmc
from p2pfl.strategies.types import Gathering
from p2pfl.types import InputSpec
from p2pfl.vectors import FunctionalModel, Layout

CLIENTS, HIDDEN = 100, 1258  # an MLP of 1,000,120 parameters
PAIRS = "one pass over the models, O(n d), against all pairs of them, O(n^2 d)"
ORDERS = (
    ("FedAvg", "FedGrad, both filters", PAIRS),
    ("FedAvg", "SPMC", PAIRS),
    ("FedAvg", "Krum", PAIRS),
    ("FedAvg", "RFA, 4 steps", "one pass against one a step, O(steps n d)"),
    ("FedGrad, soft filter", "FedGrad, both filters", "the last layer against whole models too"),
    ("RFA, 4 steps", "Krum", "4 n distances against n (n - 1) / 2"),
    ("DnC", "Krum", "some coordinates against all"),
)
"""What should take less time than what, and why."""


def strategies(n: int) -> dict[str, Any]:
    """By name; f is a fifth of n."""
    f = n // 5
    rules = {
        "DnC": Dnc(f=f),
        "Krum": Krum(f=f),
        "Multi-Krum": MultiKrum(f=f, m=n - f),
        "RFA, 4 steps": GeometricMedian(iterations=4, tolerance=0.0, start="mean"),
        "median": Median(),
        "trimmed mean": TrimmedMean(f=f),
        "clustering": Clustering(),
        "RLR": Rlr(theta=f + 1),
    }
    return {
        "FedAvg": FedAvg(),
        "FedGrad, soft filter": FedGrad(adversaries=0.2),
        "FedGrad, both filters": FedGrad(adversaries=0.2, hard_from=1),
        "SPMC": Spmc(),
        "FLAME": Flame(),
        "FoolsGold": FoolsGold(),
        **{name: RuleStrategy(rule=rule) for name, rule in rules.items()},
    }


def gathering(n: int, hidden: int) -> Gathering:
    """What a server sees of n clients: a step of the same kind each, and noise; some step back."""
    module = build_model(Mlp(hidden=(hidden,)), (1, 28, 28), 10)
    layout = Layout.of(module)
    generator = torch.Generator().manual_seed(0)
    model, step = torch.randn(2, layout.d, generator=generator)
    received = torch.randn(n, layout.d, generator=generator).mul_(0.01)
    received.add_(0.02 * step).add_(0.1 * model)
    received[: n // 5] -= 0.04 * step
    return Gathering(
        round=1,
        model=0.1 * model,
        received=received,
        senders=tuple(range(n)),
        staleness=(0,) * n,
        samples=(600,) * n,
        meta=({},) * n,
        functional=FunctionalModel(module, layout),
        inputs=InputSpec(shape=(1, 28, 28), classes=10),
        held_out=None,
        train=lambda vector, epochs: vector,
        rng=stream(0, "server", 1),
    )


def _ms(strategy: Any, view: Gathering, state: Any) -> float:
    began = thread_time()
    strategy.aggregate(view, state)
    return 1000 * (thread_time() - began)


def measure(repeats: int = 3) -> dict[str, dict[str, float]]:
    """Least milliseconds of each, and the same as a multiple of plain averaging's."""
    torch.set_num_threads(1)
    view, those = gathering(CLIENTS, HIDDEN), strategies(CLIENTS)
    times: dict[str, list[float]] = {name: [] for name in those}
    for turn in range(repeats + 1):
        for name, strategy in those.items():
            took = _ms(strategy, view, strategy.init(view.model))
            if turn:  # the first imports what it needs
                times[name].append(took)
    least = {name: min(some) for name, some in times.items()}
    return {name: {"ms": ms, "ratio": ms / least["FedAvg"]} for name, ms in least.items()}


def orders(results: Mapping[str, Mapping[str, float]]) -> dict[tuple[str, str], bool]:
    """Whether each of ``ORDERS`` holds."""
    return {(less, more): results[less]["ms"] < results[more]["ms"] for less, more, _ in ORDERS}


def report(results: Mapping[str, Mapping[str, float]]) -> None:
    """Print the table, the fastest first, and which orders hold."""
    print(f"the server's round, {CLIENTS} clients, one thread: least milliseconds, times FedAvg's")
    for name, result in sorted(results.items(), key=lambda item: item[1]["ms"]):
        print(f"    {name:24} {result['ms']:10.1f} ms {result['ratio']:8.2f}")
    print("the order that follows from the published costs")
    for (less, more, why), holds in zip(ORDERS, orders(results).values(), strict=True):
        print(f"    {'holds' if holds else 'DOES NOT HOLD':13} {less} < {more}: {why}")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--repeats", type=int, default=3)
    report(measure(parser.parse_args().repeats))
