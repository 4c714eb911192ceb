"""256 peers of a CNN on a GPU: a round of training one by one, together, and on the CPU.

The learners of one process (``actors/host.py``), 80,202 parameters, 60 samples each in batches of
30. A round is one local training of every peer, with its update copied back; the least of three
counts. Beside it is the share of that time in which the GPU ran a kernel, by torch's profiler.

Run ``make gpu``, or ``python tests/benchmarks/gpu.py``. Without a GPU it says so and does nothing.
"""

import tempfile
from collections.abc import Mapping
from pathlib import Path
from time import perf_counter

import numpy as np
import torch
from ruamel.yaml import YAML
from torch.profiler import ProfilerActivity, profile

from actors.executor import Task
from actors.host import Host
from actors.together import MOST
from p2pfl.data.dataset import Dataset
from scenarios.build import build
from scenarios.loader import load

PEERS, SAMPLES, REPEATS = 256, 60, 3


def learners(device: str, peers: int) -> Host:
    """The learners of all peers in one process, on random images."""
    rng = np.random.default_rng(1)
    images = rng.random((peers * SAMPLES, 1, 28, 28), dtype=np.float32)
    labels = np.arange(len(images)) % 10
    scenario = {
        "name": "gpu",
        "rounds": 1,
        "data": {"dataset": "digits"},
        "model": {"kind": "cnn"},
        "training": {"lr": 0.05, "batch_size": SAMPLES // 2},
        "topology": {"kind": "ring", "peers": peers},
        "runtime": {"executor": "inline", "device": device},
    }
    data = Dataset(
        name="random",
        inputs=images,
        labels=labels,
        test_inputs=images[:100],
        test_labels=labels[:100],
        classes=10,
    )
    with tempfile.TemporaryDirectory() as temporary:
        path = Path(temporary) / "gpu.yaml"
        YAML().dump(scenario, path)
        experiment = build(load(path), load=lambda name, folder: data)
    return Host(experiment.spec, experiment.peers, experiment.arrays)


def a_round(host: Host, peers: int, number: int, together: bool) -> float:
    """Seconds of every peer's training."""
    asked = [(peer, Task("train", number, outputs=1)) for peer in range(peers)]
    began = perf_counter()
    if together:
        for first in range(0, peers, MOST):
            host.run_together(asked[first : first + MOST])
    else:
        for peer, task in asked:
            host.run(peer, task, ())
    return perf_counter() - began  # every update is back on the CPU


def kernel_share(host: Host, peers: int, together: bool) -> float:
    """Time of all kernels over the time of the round."""
    with profile(activities=[ProfilerActivity.CUDA, ProfilerActivity.CPU]) as found:
        seconds = a_round(host, peers, 9, together)
    return sum(event.self_device_time_total for event in found.key_averages()) / 1e6 / seconds


def measure(devices: tuple[str, ...] = ("cpu", "cuda"), peers: int = PEERS) -> dict[str, float]:
    """Seconds a round, by device and way; and on a GPU the share of kernels."""
    found: dict[str, float] = {}
    for device in devices:
        host = learners(device, peers)
        for together in (False, True):
            name = f"{device}, {'together' if together else 'one by one'}"
            seconds = [a_round(host, peers, k + 1, together) for k in range(REPEATS + 1)]
            found[f"{name}, s"] = min(seconds[1:])
            if device == "cuda":
                found[f"{name}, share of kernels"] = kernel_share(host, peers, together)
    return found


def report(found: Mapping[str, float]) -> None:
    """Print the table."""
    print(f"a round of {PEERS} peers' training, {SAMPLES} samples each")
    for name, figure in found.items():
        print(f"    {name:36} {figure:8.3f}")


if __name__ == "__main__":
    if torch.cuda.is_available():
        print(torch.cuda.get_device_name())
        report(measure())
    else:
        print("GPU benchmarks left out: torch sees no GPU")
