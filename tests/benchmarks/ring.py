"""What the emulator costs beside the bare arithmetic: ten peers on a ring, a CNN, ten rounds.

The floor is the same work (training and merging of the same arrays) in two bare processes with
one torch thread each and shared memory between them: no graph, no messages, no record. Each
configuration runs in a process of its own; floor and emulator take turns, and ratios are taken
pair by pair, so that a machine whose speed drifts does not decide.

The whole run is a process from its start to its end: imports, data, Ray, all rounds, the evaluation
of every peer on 1,000 images after five rounds, ten and the last, the record and its picture. It is
held against the floor's whole process, which has only the imports and the rounds.

Run ``python tests/benchmarks/ring.py`` (some minutes); ``--pairs N`` for more or fewer.
"""

import argparse
import json
import multiprocessing as mp
import os
import subprocess
import sys
import tempfile
from multiprocessing.shared_memory import SharedMemory
from pathlib import Path
from statistics import median
from time import perf_counter
from typing import Any

PEERS, SAMPLES, BATCH, ROUNDS, LR = 10, 600, 50, 10, 0.05
CONFIGURATIONS = {"one actor per client": 1, "five clients per actor": 5}
WHOLE = "whole run, five clients per actor"


def scenario(peers_per_actor: int) -> dict[str, Any]:
    """The ring task as a scenario; one round more than is measured."""
    return {
        "name": "ring",
        "rounds": ROUNDS + 1,
        "data": {"dataset": "fashion_mnist", "train_samples": PEERS * SAMPLES, "test_samples": 10},
        "model": {"kind": "cnn", "channels": [16, 32], "kernel": 5, "padding": 0, "hidden": 128},
        "training": {"lr": LR, "batch_size": BATCH},
        "topology": {"kind": "ring", "peers": PEERS},
        "evaluate": {"every": 0},
        "runtime": {"executor": "ray", "peers_per_actor": peers_per_actor, "device": "cpu"},
    }


# ------------------------------------------------------------------ the floor


def _bare_process(rank: int, memory: str, size: int, barrier: Any, seconds: Any) -> None:
    import numpy as np
    import torch
    from torch import nn

    from p2pfl.learner.memory import keep_freed_memory

    torch.set_num_threads(1)
    keep_freed_memory()  # as our processes do: the ratio is to show the emulator, not malloc
    block = SharedMemory(memory)
    models = np.ndarray((PEERS, size), dtype=np.float32, buffer=block.buf)
    model = nn.Sequential(
        nn.Conv2d(1, 16, 5), nn.ReLU(), nn.MaxPool2d(2), nn.Conv2d(16, 32, 5), nn.ReLU(),
        nn.MaxPool2d(2), nn.Flatten(), nn.Linear(512, 128), nn.ReLU(), nn.Linear(128, 10),
    )  # fmt: skip
    parameters = list(model.parameters())
    mine = range(rank, PEERS, 2)
    generator = torch.Generator().manual_seed(rank)
    inputs = {p: torch.rand(SAMPLES, 1, 28, 28, generator=generator) for p in mine}
    labels = {p: torch.randint(10, (SAMPLES,), generator=generator) for p in mine}
    state = {p: torch.cat([w.detach().reshape(-1) for w in parameters]) for p in mine}
    loss = nn.CrossEntropyLoss()
    optimiser = torch.optim.SGD(parameters, lr=LR)
    for round_ in range(ROUNDS + 1):
        if round_ == 1:
            barrier.wait()
            began = perf_counter()
        for p in mine:
            with torch.no_grad():
                nn.utils.vector_to_parameters(state[p], parameters)
            order = torch.randperm(SAMPLES, generator=generator)
            for batch in order.split(BATCH):
                optimiser.zero_grad()
                loss(model(inputs[p][batch]), labels[p][batch]).backward()
                optimiser.step()
            state[p] = torch.cat([w.detach().reshape(-1) for w in parameters])
            models[p] = state[p].numpy()
        barrier.wait()
        for p in mine:
            rows = np.stack([models[(p - 1) % PEERS], models[(p + 1) % PEERS]])
            state[p] = (state[p] + torch.from_numpy(rows).sum(0)) / 3
        barrier.wait()
    seconds[rank] = perf_counter() - began
    block.close()


def floor() -> dict[str, float]:
    """Seconds of ten rounds in two bare processes."""
    size = 80_202
    block = SharedMemory(create=True, size=4 * PEERS * size)
    context = mp.get_context("spawn")
    barrier, seconds = context.Barrier(2), context.Array("d", 2)
    processes = [
        context.Process(target=_bare_process, args=(rank, block.name, size, barrier, seconds))
        for rank in range(2)
    ]
    for process in processes:
        process.start()
    for process in processes:
        process.join()
    block.close()
    block.unlink()
    return {"rounds_s": max(seconds)}


# ------------------------------------------------------------------ the emulator


def emulator(peers_per_actor: int) -> dict[str, float]:
    """Start-up, rounds, CPU seconds and memory of the emulator on Ray, recording as in a run."""
    import psutil
    from ruamel.yaml import YAML

    from scenarios.assemble import make_engine, make_executor
    from scenarios.build import build
    from scenarios.loader import load
    from scenarios.record import Recorder
    from scenarios.tables import Tables
    from scenarios.watcher import Watcher

    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        YAML().dump(scenario(peers_per_actor), folder / "ring.yaml")
        began = perf_counter()
        experiment = build(load(folder / "ring.yaml"))
        executor = make_executor(experiment, lambda: False)
        started_s = perf_counter() - began
        first_round: list[object] = []

        class Barrier(Recorder):
            """A recorder that remembers the merges of the first round."""

            def merged(self, now_ns: int, peer: int, round_: int, summary: object) -> None:
                if round_ == 1:
                    first_round.append(summary)
                super().merged(now_ns, peer, round_, summary)

        tables = Tables(folder, experiment.roles, Watcher())
        recorder = Barrier(tables, experiment.roles, executor)
        engine = make_engine(experiment, executor, recorder)
        engine.run(stopping=lambda: len(first_round) == PEERS)
        executor.fetch(first_round)
        tree = [psutil.Process(), *psutil.Process().children(recursive=True)]
        cpu = sum(sum(p.cpu_times()[:2]) for p in tree)
        began = perf_counter()
        engine.run()
        recorder.finish()
        rounds_s = perf_counter() - began
        cpu = sum(sum(p.cpu_times()[:2]) for p in tree) - cpu
        pss = sum(p.memory_full_info().pss for p in tree)
        tables.close()
        executor.close()
    return {
        "startup_s": started_s, "rounds_s": rounds_s, "cpu_s": cpu, "pss_mib": pss / (1 << 20),
        "waits": executor.waits,
    }  # fmt: skip


def whole_run(peers_per_actor: int) -> dict[str, float]:
    """What ``p2pfl run`` does, but for report.html."""
    from ruamel.yaml import YAML

    from scenarios import load, run

    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        sections = scenario(peers_per_actor)
        sections["data"]["test_samples"] = 1000
        YAML().dump(sections | {"evaluate": {"every": 5}}, folder / "ring.yaml")
        record = run(load(folder / "ring.yaml"), out=folder / "run")
        return {"rounds_s": record.summary["wall_s"]["rounds"]}


# ------------------------------------------------------------------ pairs


def _in_a_process(what: str) -> dict[str, float]:
    """Its figures, and how long the process lived."""
    command = [sys.executable, __file__, "--one", what]
    began = perf_counter()
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    whole_s = perf_counter() - began
    result: dict[str, float] = json.loads(done.stdout.splitlines()[-1])
    return result | {"whole_s": whole_s}


def measure(pairs: int = 5) -> dict[str, Any]:
    """Interleaved runs of the floor and of each configuration."""
    compared = {name: (str(packed), "rounds_s") for name, packed in CONFIGURATIONS.items()}
    compared[WHOLE] = (f"whole {CONFIGURATIONS['five clients per actor']}", "whole_s")
    runs: dict[str, list[dict[str, float]]] = {"floor": []} | {name: [] for name in compared}
    ratios: dict[str, list[float]] = {name: [] for name in compared}
    for _ in range(pairs):
        for name, (what, seconds) in compared.items():
            bare = _in_a_process("floor")
            ours = _in_a_process(what)
            runs["floor"].append(bare)
            runs[name].append(ours)
            ratios[name].append(ours[seconds] / bare[seconds])
    return {"runs": runs, "ratios": ratios}


def report(result: dict[str, Any]) -> None:
    """Print the table."""
    bare = [run["rounds_s"] / ROUNDS for run in result["runs"]["floor"]]
    spread = f"{min(bare):.3f} to {max(bare):.3f}"
    print(f"floor: two bare processes, {median(bare):.3f} s a round ({spread})")
    for name, ratios in result["ratios"].items():
        runs = result["runs"][name]
        print(f"{name}: {median(ratios):.2f} times the floor ({min(ratios):.2f} to "
              f"{max(ratios):.2f}, {len(ratios)} pairs)")  # fmt: skip
        for key, unit in (
            ("startup_s", "s"),
            ("rounds_s", "s"),
            ("cpu_s", "s"),
            ("pss_mib", "MiB"),
            ("whole_s", "s"),
        ):
            values = [run[key] for run in runs if key in run]
            if not values:
                continue
            print(f"    {key:10} {median(values):9.2f} {unit}"
                  f"  ({min(values):.2f} to {max(values):.2f})")  # fmt: skip


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--pairs", type=int, default=5)
    parser.add_argument("--one", help=argparse.SUPPRESS)
    chosen = parser.parse_args()
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    if chosen.one == "floor":
        print(json.dumps(floor()))
    elif chosen.one and chosen.one.startswith("whole "):
        print(json.dumps(whole_run(int(chosen.one.removeprefix("whole ")))))
    elif chosen.one:
        print(json.dumps(emulator(int(chosen.one))))
    else:
        report(measure(chosen.pairs))
