"""``p2pfl repair``: a scenario's graph with the fewest edges changed so that it can be defended.

The emulator knows who is hostile; who repairs a real network does not. What this shows is how far a
graph is from one on which the attack does not win by numbers.
"""

import json
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML
from ruamel.yaml.error import YAMLError

from graphs.demands import MAJORITY, Demand, rows, unsound
from graphs.neighbourhoods import NeighbourhoodReport, neighbourhood_report
from graphs.repair import How, Repair, repair
from graphs.structure import spectral_gap
from graphs.topologies import build_graph
from graphs.types import Graph
from graphs.varying import VARYING
from p2pfl.errors import ScenarioError
from p2pfl.rules import RULES, AnyRule
from p2pfl.rules.nesting import assumed_f
from p2pfl.types import Rule
from scenarios.build import placed_in
from scenarios.coalitions import deal
from scenarios.complaints import about, found_in
from scenarios.files import replace_file
from scenarios.folder import copy_sources, new_folder
from scenarios.loader import Loaded, as_yaml, load, tree_of
from scenarios.pinned import with_adversaries, with_graph, write_graph
from scenarios.schema import AttackGroup
from scenarios.variants import name_of


@dataclass(frozen=True, slots=True)
class State:
    """A graph as it was, or as it is now."""

    report: NeighbourhoodReport
    unsound: tuple[int, ...]
    """Benign peers for whom what was asked for does not hold."""
    edges: int
    spectral_gap: float | None
    """Of the benign part, in [0, 1]."""

    def as_dict(self) -> dict[str, Any]:
        """Dicts, lists, numbers and None only, as JSON has them."""
        return {
            "unsound": list(self.unsound),
            "edges": self.edges,
            "spectral_gap": self.spectral_gap,
            "neighbourhoods": self.report.as_dict(),
        }


@dataclass(frozen=True, slots=True)
class Repaired:
    """A repaired scenario, in a folder of its own, and the proof that it is."""

    folder: Path
    wanted: str
    """What was asked for, in words."""
    how: How
    repair: Repair
    before: State
    after: State
    """Of the graph as the new scenario reads it from its file."""

    def as_dict(self) -> dict[str, Any]:
        """Dicts, lists, numbers and None only, as JSON has them."""
        return {
            "folder": str(self.folder),
            "wanted": self.wanted,
            "how": self.how,
            "added": [list(edge) for edge in self.repair.added],
            "removed": [list(edge) for edge in self.repair.removed],
            "fewest": self.repair.fewest,
            "at_least": self.repair.at_least,
            "before": self.before.as_dict(),
            "after": self.after.as_dict(),
        }


def repair_scenario(
    loaded: Loaded, how: How = "add", rule: str | None = None, out: Path | None = None
) -> Repaired:
    """Repair the graph of a scenario, and write it with its adversaries where they are now.

    Args:
        loaded: The scenario.
        how: ``add`` edges between benign peers, or ``rewire`` those of adversaries to there.
        rule: The rule whose condition is to hold everywhere, by its name or as YAML; None: no
            benign peer is to be dominated.
        out: The new folder; None makes ``runs/NAME-repair-N``. It gets scenario.yaml,
            graph.graphml and repair.json.

    Raises:
        ScenarioError: If the scenario has no fixed graph, the rule promises nothing, or it cannot
            be reached.
    """
    scenario = loaded.scenario
    if scenario.server is not None:
        raise ScenarioError("repair: peers hear a server alone; there are no neighbourhoods")
    if isinstance(scenario.topology, VARYING):
        raise ScenarioError(
            f"repair: topology {name_of(scenario.topology)} varies; name a fixed one"
        )
    with found_in(loaded), about("topology"):
        graph = build_graph(scenario.topology, scenario.all_seeds.graph, loaded.folder)
    with found_in(loaded), about("adversaries"):
        hostile = placed_in(scenario, graph).adversaries
    demand, wanted = MAJORITY, "no benign peer is dominated"
    if rule is not None:
        demand, wanted = _demand(rule, loaded, graph, hostile)
    made = repair(graph, hostile, demand, how)
    folder = new_folder(out, f"{scenario.name}-repair")
    copy_sources(folder, loaded)
    write_graph(made.graph, folder)
    tree = with_graph(with_adversaries(tree_of(scenario), hostile, _groups(loaded, hostile)))
    replace_file(folder / "scenario.yaml", as_yaml(tree | {"name": f"{scenario.name}-repaired"}))
    again = load(folder / "scenario.yaml")
    # What is shown is what the file says, not what was meant to be in it.
    written = build_graph(again.scenario.topology, again.scenario.all_seeds.graph, folder)
    there = placed_in(again.scenario, written).adversaries
    repaired = Repaired(
        folder=folder,
        wanted=wanted,
        how=how,
        repair=made,
        before=_state(graph, hostile, demand),
        after=_state(written, there, demand),
    )
    replace_file(folder / "repair.json", json.dumps(repaired.as_dict(), indent=1) + "\n")
    return repaired


def _state(graph: Graph, hostile: tuple[int, ...], demand: Demand) -> State:
    benign = graph.subgraph(sorted(set(graph) - set(hostile)))
    return State(
        report=neighbourhood_report(graph, hostile),
        unsound=tuple(unsound(graph, hostile, demand)),
        edges=graph.size(),
        spectral_gap=spectral_gap(benign),
    )


def _demand(
    text: str, loaded: Loaded, graph: Graph, hostile: tuple[int, ...]
) -> tuple[Demand, str]:
    """What a rule's guarantee asks of each neighbourhood, and that in words.

    Of a rule without an f: that adversaries are a minority of its rows, the peer's own among them;
    which is that the peer is not dominated.
    """
    most = max((row.adversaries for row in neighbourhood_report(graph, hostile).peers), default=0)
    rule, assumed = _rule(text, loaded, most)
    f, name = assumed_f(rule), name_of(rule)
    if f is None:
        if rule.bears(3) == 0:
            raise ScenarioError(f"--for {text}: {name} promises nothing against an adversary")
        return MAJORITY, f"{name} bears any minority: no benign peer is dominated"
    enough = [n for n in range(1, len(graph) + 1) if rule.needs(n) is None]
    if not enough:
        raise ScenarioError(f"--for {text}: with {len(graph)} peers: {rule.needs(len(graph))}")
    said = f"f={f}" + (", as many as a benign peer hears at most" if assumed else "")
    return rows(enough[0], f), (
        f"{name} has its guarantee everywhere ({said}): {enough[0]} rows or more at each benign "
        f"peer with its own, and at most {f} of adversaries"
    )


def _rule(text: str, loaded: Loaded, most: int) -> tuple[Rule, bool]:
    """The rule, and whether its f was left open; then it is this one."""
    from scenarios.families import FAMILIES
    from scenarios.reader import BAD, Reader

    try:
        tree: Any = YAML(typ="safe", pure=True).load(text)
    except YAMLError as error:
        raise ScenarioError(f"--for {text}: is no valid YAML") from error
    tree = {"kind": tree} if isinstance(tree, str) else tree
    assumed = isinstance(tree, dict) and "f" not in tree and tree.get("kind") in _with_f()
    if assumed:
        tree = {**tree, "f": most}
    reader = Reader(FAMILIES, loaded.folder)
    rule = reader.read(AnyRule, tree)
    if rule is BAD:
        raise ScenarioError(f"--for {text}: {reader.problems[0].text}")
    return rule, assumed


def _with_f() -> set[str]:
    """The names of the rules that have an f of their own."""
    defaults = [{each.name: each.default for each in fields(rule)} for rule in RULES]  # type: ignore[arg-type]
    return {str(each["kind"]) for each in defaults if "f" in each}


def _groups(loaded: Loaded, hostile: tuple[int, ...]) -> dict[int, int]:
    attack = loaded.scenario.attack
    groups = attack if isinstance(attack, tuple) else (AttackGroup(attack=attack),)
    members = deal(groups, hostile, loaded.scenario.all_seeds.placement)
    return {peer: number for number, of in enumerate(members) for peer in of}
