"""``p2pfl replay``: a run again with one thing changed, and every other draw the same.

What is drawn is a function of (seed, purpose, peer or link, ordinal): a changed edge or attacker
moves no other draw. What a scenario derives from the graph or from the adversaries' places would
move all the same, so these are written out from the run's record before they are changed.
"""

import os
import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from functools import lru_cache
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, TypeAlias

import numpy as np
from ruamel.yaml import YAML
from ruamel.yaml.error import YAMLError

from graphs.types import Graph
from graphs.varying import VARYING
from p2pfl.data import load_dataset
from p2pfl.errors import ScenarioError
from scenarios.build import Experiment, build
from scenarios.finished import Record
from scenarios.folder import copy_sources, new_folder
from scenarios.loader import Draft, Loaded
from scenarios.pinned import with_adversaries, with_graph, write_graph
from scenarios.report.folder import RunFolder, read_folder
from scenarios.runner import run
from scenarios.variants import name_of
from scenarios.watcher import Watcher

Ends: TypeAlias = tuple[int, int]


@dataclass(frozen=True, slots=True, kw_only=True)
class Changes:
    """What a replay does differently."""

    moves: tuple[Ends, ...] = ()
    """An attacker's peer, and the benign one that is hostile in its stead."""
    cuts: tuple[Ends, ...] = ()
    """Edges that are not there."""
    adds: tuple[Ends, ...] = ()
    """Edges that are there besides, with the network's settings."""
    events: tuple[dict[str, Any], ...] = ()
    """What happens besides, as the scenario's ``events`` has it."""
    sets: tuple[str, ...] = ()
    """Any keys, as ``--set`` has them; last."""

    @classmethod
    def parsed(
        cls,
        moves: Sequence[str] = (),
        cuts: Sequence[str] = (),
        adds: Sequence[str] = (),
        events: Sequence[str] = (),
        sets: Sequence[str] = (),
    ) -> "Changes":
        """From the words of the command line: ``"3:7"``, ``"2-5"``, YAML. Raises ScenarioError."""
        return cls(
            moves=tuple(_ends("--move", ":", text) for text in moves),
            cuts=tuple(_ends("--cut", "-", text) for text in cuts),
            adds=tuple(_ends("--add", "-", text) for text in adds),
            events=tuple(map(_event, events)),
            sets=tuple(sets),
        )


def _ends(option: str, between: str, text: str) -> Ends:
    found = re.fullmatch(rf"(\d+){between}(\d+)", text.strip())
    if not found:
        raise ScenarioError(f"{option} {text}: allowed: two peers, such as {option} 3{between}7")
    return int(found[1]), int(found[2])


def _event(text: str) -> dict[str, Any]:
    try:
        event = YAML(typ="safe", pure=True).load(text)
    except YAMLError as error:
        raise ScenarioError(f"--event {text}: is no valid YAML") from error
    if not isinstance(event, dict):
        example = "{kind: crash, peers: [3], at_round: 5}"
        raise ScenarioError(f"--event {text}: allowed: an event, such as '{example}'")
    return event


@dataclass(frozen=True, slots=True)
class Replayed:
    """A run and its counterfactual."""

    origin: Path
    record: Record
    drawn_anew: tuple[str, ...]
    """What is drawn differently, beside what was changed; as sentences."""


def replay(
    folder: Path,
    changes: Changes,
    out: Path | None = None,
    data: Path | None = None,
    watcher: Watcher | None = None,
    picture: bool = True,
    report: bool = False,
) -> Replayed:
    """Run again what a run folder says, with some changes, into a folder of its own.

    Args:
        folder: The run folder. Nothing in it is changed.
        changes: At least one.
        out: The new run folder; None makes ``runs/NAME-replay-N``.
        data: As for ``run``.
        watcher: As for ``run``.
        picture: As for ``run``.
        report: As for ``run``.

    Raises:
        ScenarioError: If it is no run folder, or a change does not fit it.
        RunError: As ``run``.
    """
    if changes == Changes():
        raise ScenarioError(
            "replay: nothing was changed; give --move, --cut, --add, --event, --set"
        )
    with altered(folder, changes) as loaded:
        load = lru_cache(maxsize=1)(load_dataset)
        before = build(Draft.read(folder / "scenario.yaml").loaded(), data, load=load)
        anew = drawn_anew(before, build(loaded, data, load=load))
        made = new_folder(out, f"{loaded.scenario.name}-replay")
        origin = {"origin": os.path.relpath(folder.resolve(), made.resolve())}
        origin |= asdict(changes) | {"drawn_anew": list(anew)}
        record = run(replace(loaded, origin=origin), made, data, watcher, picture, report)
    return Replayed(folder, record, tuple(anew))


@contextmanager
def altered(folder: Path, changes: Changes) -> Iterator[Loaded]:
    """The scenario of a run folder with some changes, as long as it takes to run it.

    Raises:
        ScenarioError: If it is no run folder, or a change does not fit it.
    """
    origin = read_folder(folder)
    draft = Draft.read(folder / "scenario.yaml")
    loaded = draft.loaded()
    tree = dict(draft.tree)
    hostile = _moved(origin, changes.moves)
    if changes.moves or changes.cuts or changes.adds:
        tree = with_adversaries(tree, sorted(hostile), hostile)
    with TemporaryDirectory() as name:
        beside = Path(name)
        copy_sources(beside, loaded)
        if changes.cuts or changes.adds:
            _require_fixed(loaded, origin)
            tree = with_graph(tree)
            write_graph(_rewired(origin, changes), beside)
        tree["events"] = [*tree["events"], *changes.events]
        draft = replace(draft, tree=tree, path=beside / "scenario.yaml").changed(changes.sets)
        yield draft.loaded(changes.sets)


def _moved(origin: RunFolder, moves: Sequence[Ends]) -> dict[int, int]:
    """The adversaries after the moves, with the group of each."""
    nodes = origin.graph.nodes
    hostile = {peer: nodes[peer].get("attack_group", 0) for peer in origin.adversaries}
    for source, target in moves:
        if source not in hostile:
            known = ", ".join(map(str, sorted(hostile))) or "nobody"
            raise ScenarioError(
                f"--move {source}:{target}: peer {source} is no adversary; hostile is {known}"
            )
        if target in hostile or target not in origin.benign:
            raise ScenarioError(f"--move {source}:{target}: {target} is no benign peer")
        hostile[target] = hostile.pop(source)
    return hostile


def _require_fixed(loaded: Loaded, origin: RunFolder) -> None:
    instead = "say it with an event, such as --event '{kind: link_down, edges: [[2, 5]], at_s: 0}'"
    if origin.server is not None:
        raise ScenarioError(f"--cut and --add: a server's links are no topology; {instead}")
    topology = loaded.scenario.topology
    if isinstance(topology, VARYING):
        raise ScenarioError(f"--cut and --add: topology {name_of(topology)} varies; {instead}")


def _rewired(origin: RunFolder, changes: Changes) -> Graph:
    graph = origin.graph.copy()
    for i, j in changes.cuts:
        if not graph.has_edge(i, j):
            raise ScenarioError(f"--cut {i}-{j}: there is no such edge")
        graph.remove_edge(i, j)
    for i, j in changes.adds:
        if i == j or i not in graph or j not in graph:
            raise ScenarioError(
                f"--add {i}-{j}: allowed: two of the peers 0 to {len(graph) - 1}, not the same"
            )
        if graph.has_edge(i, j):
            raise ScenarioError(f"--add {i}-{j}: the edge is there already")
        graph.add_edge(i, j)
    return graph


def drawn_anew(before: Experiment, after: Experiment) -> list[str]:
    """What of the data, the start and the sites is not the same in both, as sentences.

    All else is drawn by peer, link and round from the seed alone.
    """
    seeds, now = before.scenario.all_seeds._asdict(), after.scenario.all_seeds._asdict()
    others = [part for part, seed in seeds.items() if now[part] != seed]
    if len(others) == len(seeds):
        return ["the seed is another: every draw is"]
    found = [f"the draws of {part} are others: it has another seed" for part in others]
    if not np.array_equal(before.spec.initial, after.spec.initial):
        found.append("the model that all start from is another")
    samples = [{peer.peer: peer.samples for peer in made.peers} for made in (before, after)]
    moved = [
        peer
        for peer in sorted(samples[0].keys() | samples[1].keys())
        if not np.array_equal(samples[0].get(peer, ()), samples[1].get(peer, ()))
    ]
    if moved:
        found.append(f"training samples are others at peers {', '.join(map(str, moved))}")
    if before.sites != after.sites:
        found.append("peers are at other sites")
    return found
