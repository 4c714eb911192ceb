"""Making a run folder, and the files in it that are known before the first round."""

import json
import os
import platform
import sys
from collections.abc import Iterator
from importlib.metadata import version
from itertools import count
from pathlib import Path
from shutil import copyfile

import networkx as nx
import psutil
import torch

from graphs.types import Graph
from p2pfl.errors import ScenarioError
from scenarios.build import Experiment
from scenarios.files import replace_file
from scenarios.loader import Loaded, tree_of
from scenarios.variants import name_of

LIBRARIES = ("torch", "numpy", "scipy", "networkx", "scikit-learn", "ray", "p2pfl-emulator")


def new_folder(out: Path | None, name: str) -> Path:
    """Make the run folder: ``out``, or the first free ``runs/NAME-N``. Never overwrites.

    Raises:
        ScenarioError: If ``out`` exists already, or cannot be made.
    """
    if out is None:
        numbered = (Path("runs") / f"{name}-{number}" for number in count(1))
        out = next(folder for folder in numbered if not _taken(folder))
    if _taken(out):
        raise ScenarioError(f"--out {out} exists already; name a folder that does not")
    try:
        out.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise ScenarioError(f"the run folder {out} cannot be made: {error.strerror}") from error
    return out


def _taken(folder: Path) -> bool:
    try:
        return folder.is_file() or (folder.is_dir() and any(folder.iterdir()))
    except OSError as error:
        raise ScenarioError(f"the run folder {folder} cannot be made: {error.strerror}") from error


def copy_sources(folder: Path, loaded: Loaded) -> None:
    """Put what the scenario names beside it (users' modules, a graph's file) into the run folder.

    So that its scenario.yaml runs again. Files outside the scenario's folder are left where they
    are.
    """
    for name in sources(loaded):
        target = folder / name
        target.parent.mkdir(parents=True, exist_ok=True)
        copyfile(loaded.folder / name, target)


def sources(loaded: Loaded) -> list[str]:
    """The files below the scenario's folder that it names, as paths relative to that.

    What it names by an absolute path is found there again.
    """
    named = _named(tree_of(loaded.scenario))
    relative = (name for name in named if not Path(name).is_absolute())
    paths = ((name, (loaded.folder / name).resolve()) for name in relative)
    below = loaded.folder.resolve()
    return [name for name, path in paths if path.is_file() and path.is_relative_to(below)]


def _named(tree: object) -> Iterator[str]:
    if isinstance(tree, dict):
        for key, value in tree.items():
            if key == "use" and isinstance(value, str):
                yield value.partition(":")[0] + ".py"
            elif key == "path" and isinstance(value, str):
                yield value
            else:
                yield from _named(value)
    elif isinstance(tree, list):
        for value in tree:
            yield from _named(value)


def write_environment(path: Path, experiment: Experiment) -> None:
    """Where and with what the run was made: nothing in here may change a result."""
    environment = {
        "command": sys.argv,
        "python": platform.python_version(),
        "platform": platform.platform(),
        "processor": platform.processor() or platform.machine(),
        "cores": os.cpu_count(),
        "memory_bytes": psutil.virtual_memory().total,
        "device": experiment.spec.device,
        "gpu": torch.cuda.get_device_name() if experiment.spec.device == "cuda" else None,
        "precision": experiment.spec.training.precision,
        "batched_training": experiment.spec.batch,
        "deterministic_kernels": experiment.spec.deterministic,
        "libraries": {name: version(name) for name in LIBRARIES},
        "executor": experiment.scenario.runtime.executor,
        "clock": experiment.scenario.runtime.clock,
        "reproducible_to_the_bit": repeats(experiment),
        "peers_of_each_actor": [list(group) for group in experiment.plan.actors],
        "memory_planned_bytes": experiment.plan.memory_bytes,
        "memory_available_bytes": experiment.plan.available_bytes,
        "data": {"name": experiment.dataset.name, **experiment.dataset.notes},
    }
    replace_file(path, json.dumps(environment, indent=1) + "\n")


def repeats(experiment: Experiment) -> bool:
    """Whether the same scenario gives the same bytes once more, on the same kind of machine."""
    spec = experiment.spec
    exact = spec.device == "cpu" or spec.deterministic
    return exact and experiment.scenario.runtime.clock == "virtual"


def write_topology(path: Path, experiment: Experiment) -> None:
    """The graph; its nodes have role, samples, place and site, adversaries attack and group too."""
    graph: Graph = nx.DiGraph() if experiment.graph.is_directed() else nx.Graph()
    places = {row.peer: row for row in experiment.neighbourhoods.peers}
    for peer in experiment.peers:
        row = places.get(peer.peer)
        graph.add_node(
            peer.peer,
            role=peer.role,
            samples=len(peer.samples),
            dominated=bool(row and row.dominated),
        )
        if experiment.sites is not None:
            graph.nodes[peer.peer]["site"] = experiment.sites.of[peer.peer]
        if peer.coalition is not None:
            attack = name_of(experiment.spec.coalitions[peer.coalition].attack)
            graph.nodes[peer.peer].update(attack=attack, attack_group=peer.coalition)
    for source, target, attributes in sorted(experiment.graph.edges(data=True)):
        graph.add_edge(source, target, **attributes)
    nx.write_graphml(graph, path)
