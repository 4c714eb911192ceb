"""The ring task (``ring.py``) in other frameworks: processor seconds of the whole run.

Ten peers on a ring, the CNN of 80,202 parameters, 600 images of Fashion-MNIST each, eleven rounds
of one epoch in batches of 50; nothing is evaluated. What a round is, each framework says:

- ours: train, send to both neighbours, average three models; in one process, and in two actors;
- gossipy: its push protocol. Every node sends to one neighbour a round, who averages two models and
  trains: as many epochs as ours, half of the messages;
- byzfl: it has no peers. Its clients train, and its mean is called for each three rows;
- Flower: it has a server and its clients. Its server acts out the ring (``flower.py``), in its
  simulation on two Ray actors.

The others are taken from environments of their own: P2PFL_OTHERS names a python that has them, and
P2PFL_FLOWER one that has Flower, which wants other versions of what they need. One that is not
there is left out, and that is said. README.md says why decentralizepy is missing.

Run ``python tests/benchmarks/others.py`` (some minutes).
"""

import argparse
import os
import random
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any
from unittest.mock import MagicMock

import numpy as np

PEERS, SAMPLES, BATCH, ROUNDS, LR = 10, 600, 50, 11, 0.05
OTHERS = {"gossipy": "P2PFL_OTHERS", "byzfl": "P2PFL_OTHERS", "flwr": "P2PFL_FLOWER"}
"""Their modules, and which variable names a python that has them."""
LOOK = "import sys; from importlib.util import find_spec; sys.exit(find_spec({!r}) is None)"


def _without_pictures() -> None:
    """They import it for data sets, and seaborn for pictures, of which this task has no use."""
    for name in ("torchvision", "torchvision.datasets", "torchvision.transforms", "seaborn"):
        sys.modules.setdefault(name, MagicMock())


def cnn() -> Any:
    """The network of 80,202 parameters."""
    from torch import nn

    return nn.Sequential(
        nn.Conv2d(1, 16, 5), nn.ReLU(), nn.MaxPool2d(2), nn.Conv2d(16, 32, 5), nn.ReLU(),
        nn.MaxPool2d(2), nn.Flatten(), nn.Linear(512, 128), nn.ReLU(), nn.Linear(128, 10),
    )  # fmt: skip


def _parts(path: str) -> list[tuple[Any, Any]]:
    import torch

    with np.load(path) as file:
        inputs, labels = torch.from_numpy(file["inputs"]), torch.from_numpy(file["labels"])
    return list(zip(inputs.split(SAMPLES), labels.split(SAMPLES), strict=True))


def in_gossipy(path: str) -> None:
    """As gossipy does it: nodes, a static network, PUSH, merge then update."""
    _without_pictures()
    import torch
    from gossipy.core import AntiEntropyProtocol, CreateModelMode, StaticP2PNetwork
    from gossipy.model import TorchModel
    from gossipy.model.handler import TorchModelHandler
    from gossipy.node import GossipNode
    from gossipy.simul import GossipSimulator

    class Ring(TorchModel):
        def __init__(self) -> None:
            super().__init__()
            self.layers = cnn()

        def forward(self, inputs: Any) -> Any:
            return self.layers(inputs)

        def init_weights(self) -> None:
            pass

        def __str__(self) -> str:
            return "Ring"

    class Nothing:
        def has_test(self) -> bool:
            return False

    edges = np.zeros((PEERS, PEERS))
    for peer in range(PEERS):
        edges[peer, [(peer - 1) % PEERS, (peer + 1) % PEERS]] = 1
    network = StaticP2PNetwork(PEERS, edges)
    nodes = {}
    for peer, part in enumerate(_parts(path)):
        handler = TorchModelHandler(
            net=Ring(),
            optimizer=torch.optim.SGD,
            optimizer_params={"lr": LR},
            criterion=torch.nn.CrossEntropyLoss(),
            local_epochs=1,
            batch_size=BATCH,
            create_model_mode=CreateModelMode.MERGE_UPDATE,
        )
        nodes[peer] = GossipNode(peer, (part, None), PEERS, handler, network, True)
    simulator = GossipSimulator(nodes, Nothing(), PEERS, AntiEntropyProtocol.PUSH)
    simulator.init_nodes()  # trains once
    simulator.start(n_rounds=ROUNDS - 1)


def in_byzfl(path: str) -> None:
    """With byzfl's clients and its mean; the ring around them is ours."""
    _without_pictures()
    import byzfl
    import torch
    from byzfl.fed_framework import models
    from torch.utils.data import DataLoader, TensorDataset

    models.ring = cnn
    clients = [
        byzfl.Client(
            {
                "model_name": "ring",
                "device": "cpu",
                "optimizer_name": "SGD",
                "learning_rate": LR,
                "loss_name": "CrossEntropyLoss",
                "weight_decay": 0.0,
                "milestones": [],
                "learning_rate_decay": 1.0,
                "LabelFlipping": False,
                "training_dataloader": DataLoader(TensorDataset(*part), BATCH, shuffle=True),
                "momentum": 0.0,
                "nb_labels": 10,
                "store_per_client_metrics": False,
            }
        )
        for part in _parts(path)
    ]
    mean = byzfl.Average()
    for _ in range(ROUNDS):
        for client in clients:
            client.compute_model_update(SAMPLES // BATCH)
        rows = [client.get_flat_parameters().detach().clone() for client in clients]
        for peer, client in enumerate(clients):
            three = torch.stack([rows[peer - 1], rows[peer], rows[(peer + 1) % PEERS]])
            client.set_parameters(mean(three))


def in_flower(path: str) -> None:
    """In Flower's simulation."""
    import flower

    flower.run(_parts(path), ROUNDS, Path(path).parent)


def ours(executor: str) -> None:
    """As ``p2pfl run`` does it, with its record and without pictures."""
    import ring
    from ruamel.yaml import YAML

    from scenarios import load, run

    with tempfile.TemporaryDirectory() as temporary:
        path = Path(temporary) / "ring.yaml"
        YAML().dump(ring.scenario(PEERS // 2) | {"evaluate": {"every": 0}}, path)
        loaded = load(path, [f"runtime.executor={executor}", f"rounds={ROUNDS}"])
        run(loaded, out=Path(temporary) / "out", picture=False)


def missing() -> dict[str, str]:
    """Frameworks that are not there, and why."""
    found: dict[str, str] = {}
    for name, variable in OTHERS.items():
        python = os.environ.get(variable)
        if python is None:
            found[name] = f"{variable} names no python that has it"
        elif subprocess.run([python, "-c", LOOK.format(name)]).returncode:
            found[name] = "not installed"
    return found


def measure(repeats: int = 1) -> dict[str, list[float] | str]:
    """Processor seconds of each, in turn; or why there are none."""
    from watched import watch

    from p2pfl.data import load_dataset

    found: dict[str, list[float] | str] = {**missing()}
    commands = {
        "ours, one process": [sys.executable, __file__, "--one", "inline"],
        "ours, two actors": [sys.executable, __file__, "--one", "ray"],
    }
    with tempfile.TemporaryDirectory() as temporary:
        data = load_dataset("fashion_mnist", None)
        path = f"{temporary}/data.npz"
        first = slice(0, PEERS * SAMPLES)
        np.savez(path, inputs=data.inputs[first], labels=data.labels[first])
        for name, variable in OTHERS.items():
            if name not in found:
                commands[name] = [os.environ[variable], __file__, "--one", name, "--data", path]
        for _ in range(repeats):
            for name, command in commands.items():
                took = found.setdefault(name, [])
                assert isinstance(took, list)
                took.append(watch(command).cpu_s)
    return found


def report(found: Mapping[str, list[float] | str]) -> None:
    """Print the table."""
    print(f"the ring task elsewhere: processor seconds of the whole run, {ROUNDS} rounds")
    for name, took in found.items():
        text = took if isinstance(took, str) else "  ".join(f"{seconds:.1f}" for seconds in took)
        print(f"    {name:20} {text}")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--repeats", type=int, default=1)
    parser.add_argument("--one", help=argparse.SUPPRESS)
    parser.add_argument("--data", help=argparse.SUPPRESS)
    chosen = parser.parse_args()
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    if chosen.one in OTHERS:
        import torch

        torch.set_num_threads(1)
        random.seed(1)
        np.random.seed(1)  # noqa: NPY002 - what these frameworks draw from
        torch.manual_seed(1)
        {"gossipy": in_gossipy, "byzfl": in_byzfl, "flwr": in_flower}[chosen.one](chosen.data)
    elif chosen.one:
        ours(chosen.one)
    else:
        report(measure(chosen.repeats))
