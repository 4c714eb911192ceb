"""What ``p2pfl check`` foresees of a run, and what the run then takes: three kinds of scenario.

Processor seconds, seconds of waiting, and memory of ``p2pfl run`` with its report and all processes
that it starts, beside what ``p2pfl check --json`` says right before. ``server`` has a server and
many clients in one process, ``ring`` one Ray actor per client, ``packed`` ten clients an actor,
adversaries and evaluations.

Run ``python tests/benchmarks/foreseen.py`` on a machine with nothing else to do (some minutes);
``--only ring`` for one of them.
"""

import argparse
import json
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from ruamel.yaml import YAML
from watched import watch

RUN = "import sys; from scenarios.cli import main; sys.exit(main())"
MIB = 1 << 20

SCENARIOS: dict[str, dict[str, Any]] = {
    "ring": {
        "rounds": 20,
        "data": {"dataset": "fashion_mnist", "train_samples": 6000, "test_samples": 500},
        "model": {"kind": "cnn"},
        "training": {"lr": 0.05, "batch_size": 50},
        "topology": {"kind": "ring", "peers": 10},
        "runtime": {"peers_per_actor": 1, "device": "cpu"},
    },
    "packed": {
        "rounds": 12,
        "data": {"dataset": "fashion_mnist", "train_samples": 12000, "test_samples": 1000},
        "model": {"kind": "cnn"},
        "training": {"lr": 0.05, "momentum": 0.9, "batch_size": 30},
        "topology": {"kind": "ring", "peers": 40, "neighbours": 4},
        "adversaries": {"fraction": 0.15},
        "attack": {"kind": "alie"},
        "defense": {"kind": "rule", "rule": {"kind": "trimmed_mean", "f": 1}},
        "network": {"latency": {"kind": "lognormal", "median_ms": 30, "sigma": 0.4}, "drop": 0.01},
        "evaluate": {"every": 2, "peers": 16},
        "runtime": {"peers_per_actor": 10, "device": "cpu"},
    },
    "server": {
        "rounds": 40,
        "data": {"dataset": "fashion_mnist", "train_samples": 30000, "test_samples": 2000},
        "model": {"kind": "mlp", "hidden": [64]},
        "training": {"lr": 0.05, "batch_size": 20, "local_epochs": 2},
        "topology": {"kind": "clients", "peers": 200},
        "server": {
            "strategy": {"kind": "rule", "rule": {"kind": "median"}},
            "participants": 60,
        },
        "adversaries": {"fraction": 0.2},
        "attack": {"kind": "label_flip"},
        "runtime": {"executor": "inline", "device": "cpu"},
    },
}


class Compared(NamedTuple):
    """One quantity of one run."""

    foreseen: float
    took: float

    @property
    def off(self) -> float:
        """What was foreseen over what it took, less one: 0.1 is a tenth too much."""
        return self.foreseen / self.took - 1


def compare(scenario: Mapping[str, Any]) -> dict[str, Compared]:
    """Foresee a run, and run it."""
    with tempfile.TemporaryDirectory() as temporary:
        path = Path(temporary) / "foreseen.yaml"
        YAML().dump({"name": "foreseen", **scenario}, path)
        command = [sys.executable, "-c", RUN]
        asked = [*command, "check", str(path), "--json"]
        said = subprocess.run(asked, check=True, capture_output=True, text=True).stdout
        plan = json.loads(said)
        took = watch([*command, "run", str(path), "--out", f"{temporary}/out"])
    cost = plan["cost"]
    return {
        "processor time, s": Compared(cost["total_s"], took.cpu_s),
        "waiting, s": Compared(cost["wall_s"], took.wall_s),
        "memory, MiB": Compared(plan["processes"]["memory_bytes"] / MIB, took.peak_mib),
    }


def measure(only: Sequence[str] = tuple(SCENARIOS)) -> dict[str, dict[str, Compared]]:
    """All of them, one after the other."""
    return {name: compare(SCENARIOS[name]) for name in only}


def report(found: Mapping[str, Mapping[str, Compared]]) -> None:
    """Print the table."""
    print("what `p2pfl check` foresees, against what the run took")
    for name, quantities in found.items():
        for quantity, each in quantities.items():
            print(
                f"    {name:8} {quantity:18} {each.foreseen:8.1f} {each.took:8.1f} {each.off:+6.0%}"
            )


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--only", nargs="+", choices=list(SCENARIOS), default=list(SCENARIOS))
    report(measure(parser.parse_args().only))
