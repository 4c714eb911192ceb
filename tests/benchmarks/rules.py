"""Milliseconds of each aggregation rule on one thread, beside ``torch.sort`` and byzfl's.

byzfl is compared where it is installed (``pip install --no-deps byzfl``); ours and theirs take
turns, and the ratio is taken pair by pair, and once more of the least times. Time is that of the
thread, so that what else runs on the machine counts as little as possible.

Run ``python tests/benchmarks/rules.py``; ``--repeats N`` for more or fewer.
"""

import argparse
import importlib.util
import sys
from collections.abc import Callable, Mapping
from statistics import median
from time import thread_time
from typing import Any
from unittest.mock import MagicMock

import torch

from p2pfl.rules import CenteredClip, GeometricMedian, Krum, Mean, Median, TrimmedMean

ROWS, COLUMNS = (11, 31), (100_000, 1_000_000)


NOTES = (
    "geometric median, 3 steps: ours start at the mean, theirs at zero",
    "geometric median, to the end: ours as it is by default, theirs with its default of 3 steps",
)


def pairs(n: int) -> dict[str, tuple[Callable[..., Any], Callable[..., Any] | None]]:
    """Ours and byzfl's by name, with as much work: the same steps for those that iterate."""
    f = (n - 3) // 2
    ours: dict[str, Callable[..., Any]] = {
        "mean": Mean(),
        "median": Median(),
        "trimmed mean": TrimmedMean(f=f),
        "Krum": Krum(f=f),
        "geometric median, 3 steps": GeometricMedian(
            nu=0.1, iterations=3, tolerance=0.0, start="mean"
        ),
        "geometric median, to the end": GeometricMedian(),
        "centered clipping, 1 step": CenteredClip(tau=10.0, start="zero"),
        "centered clipping, 3 steps": CenteredClip(tau=10.0, iterations=3, start="zero"),
    }
    library = _byzfl()
    if library is None:
        return {name: (rule, None) for name, rule in ours.items()}
    theirs = {
        "mean": library.Average(),
        "median": library.Median(),
        "trimmed mean": library.TrMean(f=f),
        "Krum": library.Krum(f=f),
        "geometric median, 3 steps": library.GeometricMedian(nu=0.1, T=3),
        "geometric median, to the end": library.GeometricMedian(nu=0.1, T=3),
        "centered clipping, 1 step": library.CenteredClipping(L=1, tau=10.0),
        "centered clipping, 3 steps": library.CenteredClipping(L=3, tau=10.0),
    }
    return {name: (rule, theirs[name]) for name, rule in ours.items()}


def _byzfl() -> Any:
    if importlib.util.find_spec("byzfl") is None:
        return None
    for name in ("torchvision", "seaborn"):  # for byzfl's own benchmark only
        if name not in sys.modules and importlib.util.find_spec(name) is None:
            sys.modules[name] = MagicMock()
    return importlib.import_module("byzfl")


def _ms(rule: Callable[..., Any], rows: torch.Tensor) -> float:
    began = thread_time()
    rule(rows)
    return 1000 * (thread_time() - began)


def measure(repeats: int = 5) -> dict[str, dict[str, float | None]]:
    """Least milliseconds of ours, the median ratio to byzfl's, and the ratio of the least times."""
    torch.set_num_threads(1)
    results: dict[str, dict[str, float | None]] = {}
    for n in ROWS:
        for d in COLUMNS:
            rows = torch.randn(n, d, generator=torch.Generator().manual_seed(0))
            sort = min(_ms(lambda r: r.sort(dim=0), rows) for _ in range(repeats))
            results[f"torch.sort, {n} x {d:,}"] = {"ms": sort, "ratio": None, "of_least": None}
            for name, (ours, theirs) in pairs(n).items():
                ours(rows)
                times, others = [], []
                for _ in range(repeats):
                    times.append(_ms(ours, rows))
                    if theirs is not None:
                        others.append(_ms(theirs, rows))
                ratios = [a / b for a, b in zip(times, others, strict=False)]
                results[f"{name}, {n} x {d:,}"] = {
                    "ms": min(times),
                    "ratio": median(ratios) if ratios else None,
                    "of_least": min(times) / min(others) if others else None,
                }
    return results


def report(results: Mapping[str, Mapping[str, float | None]]) -> None:
    """Print the table."""
    print("aggregation rules, one thread: least milliseconds, and times byzfl's (of the least)")
    for name, result in results.items():
        ratio = (
            "" if result["ratio"] is None else f"{result['ratio']:7.2f} ({result['of_least']:.2f})"
        )
        print(f"    {name:42} {result['ms']:9.1f} ms{ratio}")
    if _byzfl() is None:
        print("comparison left out: byzfl is not installed (pip install --no-deps byzfl)")
    else:
        print("\n".join(NOTES))


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--repeats", type=int, default=5)
    report(measure(parser.parse_args().repeats))
