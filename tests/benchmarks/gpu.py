"""256 peers of a CNN on a GPU: a round of training one by one, together, and on the CPU.

So in float32, in mixed precision, and on a GPU with deterministic kernels as well.

The learners of one process (``actors/host.py``), 80,202 parameters, 60 samples each in batches of
30. A round is one local training of every peer, with its update copied back; the least of three
counts. Beside it is the share of that time in which the GPU ran a kernel, by torch's profiler; and
how long a vector takes from the GPU into a message, plainly and through page-locked memory.

Run ``make gpu``, or ``python tests/benchmarks/gpu.py``. Without a GPU it says so and does nothing.
"""

import tempfile
from collections.abc import Callable, Mapping
from itertools import product
from pathlib import Path
from time import perf_counter

import numpy as np
import torch
from ruamel.yaml import YAML
from torch import Tensor
from torch.profiler import ProfilerActivity, profile

from actors.executor import Task
from actors.host import Host
from actors.together import MOST
from p2pfl.data.dataset import Dataset
from p2pfl.learner.outward import to_host
from scenarios.build import build
from scenarios.loader import load

PEERS, SAMPLES, REPEATS = 256, 60, 3
COPIED = (80_202, 11_173_962)
"""Lengths of copied vectors: the CNN's, ResNet-18's."""
WAYS = {
    "": [],
    "bfloat16, ": ["training.precision=bfloat16"],
    "deterministic, ": ["runtime.deterministic=true"],
}


def learners(device: str, peers: int, way: str = "") -> Host:
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
        experiment = build(load(path, WAYS[way]), load=lambda name, folder: data)
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
    for device, way in product(devices, WAYS):
        if device == "cpu" and way.startswith("deterministic"):
            continue  # its kernels always are
        host = learners(device, peers, way)
        for together in (False, True):
            name = f"{device}, {way}{'together' if together else 'one by one'}"
            seconds = [a_round(host, peers, k + 1, together) for k in range(REPEATS + 1)]
            found[f"{name}, s"] = min(seconds[1:])
            if device == "cuda":
                found[f"{name}, share of kernels"] = kernel_share(host, peers, together)
    return found


def copies(device: str = "cuda") -> dict[str, float]:
    """Milliseconds of a vector's way into a message, plainly and as a run has it."""
    found: dict[str, float] = {}
    for length in COPIED:
        vector = torch.rand(length, device=device)
        ways: dict[str, Callable[[Tensor], object]] = {
            "plainly": lambda given: given.cpu().numpy(),
            "page-locked": to_host,
        }
        for name, copy in ways.items():
            copy(vector)
            began = perf_counter()
            for _ in range(20):
                copy(vector)
            found[f"{length:,} values, {name}, ms"] = 1000 * (perf_counter() - began) / 20
    return found


def report(found: Mapping[str, float]) -> None:
    """Print the table."""
    print(f"a round of {PEERS} peers' training, {SAMPLES} samples each")
    for name, figure in found.items():
        print(f"    {name:36} {figure:8.3f}")


if __name__ == "__main__":
    if torch.cuda.is_available():
        print(torch.cuda.get_device_name())
        report(measure() | copies())
    else:
        print("GPU benchmarks left out: torch sees no GPU")
