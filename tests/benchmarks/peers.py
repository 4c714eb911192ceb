"""How memory and processor time grow with the number of peers: 10 to 2,000, and a log-log slope.

Each size is one run of ``p2pfl run`` in a process of its own: a CNN of 80,202 parameters, 30 images
of Fashion-MNIST each (2,000 peers have all 60,000), random regular graphs of degree 8, ten actors
at most, three rounds, 32 peers measured on 1,000 images. What ten peers cost is what every run
costs (start-up, the data set, the report); the slope is that of what the others cost beyond it.

Run ``python tests/benchmarks/peers.py`` (a quarter of an hour on two quiet cores); name sizes for
others, such as ``10 100``.
"""

import argparse
import sys
import tempfile
from collections.abc import Mapping, Sequence
from math import log
from pathlib import Path
from statistics import fmean

from ruamel.yaml import YAML
from watched import watch

SIZES = (10, 100, 500, 1000, 2000)
SAMPLES, ROUNDS, DEGREE = 30, 3, 8
RUN = "import sys; from scenarios.cli import main; sys.exit(main())"


def once(peers: int, *sets: str) -> dict[str, float]:
    """Processor seconds and the largest memory of one run."""
    scenario = {
        "name": "peers",
        "rounds": ROUNDS,
        "data": {
            "dataset": "fashion_mnist",
            "train_samples": SAMPLES * peers,
            "test_samples": 1000,
        },
        "model": {"kind": "cnn"},
        "training": {"lr": 0.05, "batch_size": 30},
        "topology": {"kind": "random_regular", "peers": peers, "degree": DEGREE},
        "evaluate": {"peers": 32},
        "runtime": {"device": "cpu", "snapshots": None},
    }
    with tempfile.TemporaryDirectory() as temporary:
        path = Path(temporary) / "peers.yaml"
        YAML().dump(scenario, path)
        options = [option for each in sets for option in ("--set", each)]
        command = [sys.executable, "-c", RUN, "run", str(path), "--out", f"{temporary}/out"]
        found = watch([*command, *options])
    return {"cpu_s": found.cpu_s, "peak_mib": found.peak_mib, "wall_s": found.wall_s}


def slope(of: Mapping[int, float]) -> float:
    """Of the straight line through the logarithms; what the smallest size takes is taken off."""
    least = min(of)
    points = [(log(n - least), log(y - of[least])) for n, y in of.items() if n != least]
    x, y = (fmean(values) for values in zip(*points, strict=True))
    return sum((a - x) * (b - y) for a, b in points) / sum((a - x) ** 2 for a, _ in points)


def measure(sizes: Sequence[int] = SIZES) -> dict[int, dict[str, float]]:
    """All sizes, one after the other."""
    return {peers: once(peers) for peers in sizes}


def report(found: Mapping[int, Mapping[str, float]]) -> None:
    """Print the table."""
    print(f"peers against processor time and memory (PSS), {ROUNDS} rounds")
    for peers, row in found.items():
        print(f"    {peers:5}  {row['cpu_s']:7.1f} s  {row['peak_mib']:7,.0f} MiB")
    if len(found) > 2:
        for key in ("cpu_s", "peak_mib"):
            print(f"    slope of {key}: {slope({n: row[key] for n, row in found.items()}):.2f}")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("sizes", type=int, nargs="*", default=list(SIZES))
    report(measure(parser.parse_args().sizes))
