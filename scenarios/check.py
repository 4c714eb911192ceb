"""``p2pfl check``: all that can be said of a run before it starts."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import lru_cache
from math import ceil
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from graphs.neighbourhoods import neighbourhood_report
from graphs.structure import StructureReport, structure_report
from p2pfl.data import load_dataset
from p2pfl.defenses import RuleDefense
from p2pfl.models import warm_start_of
from p2pfl.rules.nesting import assumed_f
from p2pfl.strategies import FedGrad
from p2pfl.strategies.fed_grad_history import rounds_until_all_met, rounds_until_all_took_part
from scenarios.build import Experiment, build
from scenarios.cost import cost_lines, estimate
from scenarios.guarantees import breakdown
from scenarios.loader import dump
from scenarios.methods import Equality
from scenarios.progress import describe
from scenarios.summary import groups_of
from scenarios.sweep import Sweep, naming
from scenarios.variants import name_of

MIB = 1 << 20
MOST_WARNINGS = 8
"""How many of a sweep's are shown."""


def check_as_json(experiment: Experiment) -> dict[str, Any]:
    """What :func:`show_check` shows, as plain values."""
    plan = experiment.plan
    return {
        "name": experiment.scenario.name,
        "scenario": dump(experiment.scenario),
        "adversaries": list(experiment.placed.adversaries),
        "attack_groups": [
            {
                "attack": name_of(coalition.attack),
                "knowledge": coalition.attack.knowledge,
                "adversaries": list(coalition.members),
                "conduct": asdict(coalition.conduct),
            }
            for coalition in experiment.spec.coalitions
        ],
        "placement": dict(experiment.placed.notes),
        "neighbourhoods": experiment.neighbourhoods.as_dict(),
        "structure": _structure(experiment).as_dict(),
        "by_round": _by_round(experiment),
        "breakdown": {
            str(peer): reason
            for peer, reason in breakdown(experiment.scenario, experiment.peers).items()
        },
        "processes": {
            "peers_of_each_actor": [list(group) for group in plan.actors],
            "memory_bytes": plan.memory_bytes,
            "available_bytes": plan.available_bytes,
        },
        "message_bytes": max(experiment.message_bytes),
        "cost": estimate(experiment).as_dict(),
        "more_than_f": _more_than_f(experiment),
        "histories": None if (full := histories(experiment)) is None else asdict(full),
        "warnings": list(experiment.warnings),
    }


@dataclass(frozen=True, slots=True)
class Histories:
    """When FedGrad's histories are full, if all that were drawn answer: bounds on the expected
    round, by its Theorem 1 for clients, and by a bound of our own for pairs."""

    everybody: float
    """In which every client has taken part."""
    pairs: float | None
    """In which every two have taken part together; None where one client takes part in a round."""


def histories(experiment: Experiment) -> Histories | None:
    """None unless the server's strategy is FedGrad. Time O(clients)."""
    server = experiment.scenario.server
    if server is None or not isinstance(server.strategy, FedGrad):
        return None
    clients = len(experiment.peers) - 1
    each = server.participants or clients
    return Histories(
        rounds_until_all_took_part(clients, each),
        rounds_until_all_met(clients, each) if each > 1 else None,
    )


def show_check(experiment: Experiment, console: Console) -> None:
    """Each benign peer's neighbourhood, what the whole comes to, and what the run would take."""

    def say(text: str) -> None:
        console.print(text, highlight=False, soft_wrap=True, markup=False)

    say(f"{experiment.scenario.name}: {describe(experiment)}")
    console.print(_neighbourhoods(experiment))
    for line in _findings(experiment):
        say(line)
    for line in cost_lines(estimate(experiment)):
        say(line)
    for warning in experiment.warnings:
        say(f"warning: {warning}")
    say("nothing was run")


def draw_check(experiment: Experiment, path: Path) -> None:
    """Draw the graph with its adversaries and who is dominated.

    Raises:
        ScenarioError: If the file cannot be written.
    """
    from scenarios.report.picture import draw_places  # matplotlib takes half a second to import

    by_group = groups_of(experiment)
    groups = {
        peer: group for group, peers in by_group.items() if group != "benign" for peer in peers
    }
    title = f"{experiment.scenario.name}: {describe(experiment)}"
    draw_places(experiment.graph, groups, title, path)


@dataclass(frozen=True, slots=True)
class CheckedSweep:
    """A sweep in which every cell could be built."""

    sweep: Sweep
    first: Experiment
    """The first cell's: what the file says, with the first value of each list."""
    warned: Mapping[str, Sequence[str]]
    """Each warning, and the cells that have it."""
    with_warnings: int
    """How many cells have any."""


def check_sweep(sweep: Sweep, data: Path | None) -> CheckedSweep:
    """Build every cell, and run none.

    Raises:
        P2PFLError: For the first cell that cannot be built, or held against the others of a
            comparison, with a note that names it.
    """
    load, equality = lru_cache(maxsize=1)(load_dataset), Equality()
    first: Experiment | None = None
    warned: dict[str, list[str]] = {}
    with_warnings = 0
    for cell in sweep.cells:
        with naming(sweep.axes, cell.names):
            experiment = build(cell.loaded, data, load=load)
            if sweep.compares:
                equality.hold(cell.names, experiment)
        first = first or experiment
        with_warnings += bool(experiment.warnings)
        for warning in experiment.warnings:
            warned.setdefault(warning, []).append(", ".join(filter(None, cell.names)))
    assert first is not None  # a sweep has a cell
    return CheckedSweep(sweep, first, warned, with_warnings)


def sweep_as_json(checked: CheckedSweep) -> dict[str, Any]:
    """What :func:`show_sweep_check` shows, as plain values."""
    return {
        "cells": len(checked.sweep.cells),
        "with_warnings": checked.with_warnings,
        "warnings": {text: list(cells) for text, cells in checked.warned.items()},
        "axes": {axis.key: list(axis.names) for axis in checked.sweep.axes},
        "first": check_as_json(checked.first),
    }


def show_sweep_check(checked: CheckedSweep, console: Console) -> None:
    """How many cells there are, and all of the first."""
    axes = " x ".join(f"{len(axis.values)} {axis.key}" for axis in checked.sweep.axes)
    console.print(
        f"{len(checked.sweep.cells)} cells ({axes}), all valid, "
        f"{checked.with_warnings} with warnings",
        highlight=False,
        soft_wrap=True,
        markup=False,
    )
    for warning, cells in list(checked.warned.items())[:MOST_WARNINGS]:
        more = f" and {len(cells) - 1} more" if len(cells) > 1 else ""
        text = f"[yellow]warning[/], {escape(cells[0])}{more}: {escape(warning)}"
        console.print(text, highlight=False, soft_wrap=True)
    if len(checked.warned) > MOST_WARNINGS:
        console.print(f"and {len(checked.warned) - MOST_WARNINGS} other warnings: --json has all")
    console.print("this is the first cell:")
    show_check(checked.first, console)


def _neighbourhoods(experiment: Experiment) -> Table:
    table = Table(title="who each benign peer hears")
    for column in ("peer", "degree", "adversaries", "benign", "share", "with itself", "hops", ""):
        table.add_column(column, justify="left" if not column else "right")
    for row in experiment.neighbourhoods.peers:
        table.add_row(
            str(row.peer),
            str(row.degree),
            str(row.adversaries),
            str(row.benign),
            f"{row.share:.2f}",
            f"{row.share_with_itself:.2f}",
            "-" if row.hops is None else str(row.hops),
            "server" if row.peer == experiment.server else "dominated" if row.dominated else "",
        )
    return table


def _more_than_f(experiment: Experiment) -> list[int] | None:
    """Benign peers with more adversarial neighbours than their rule assumes; None without f."""
    defense = experiment.scenario.defense
    f = assumed_f(defense.rule) if isinstance(defense, RuleDefense) else None
    if f is None:
        return None
    return [row.peer for row in experiment.neighbourhoods.peers if row.adversaries > f]


def _structure(experiment: Experiment) -> StructureReport:
    return structure_report(experiment.graph, experiment.placed.adversaries)


def _by_round(experiment: Experiment) -> dict[str, list[Any]] | None:
    """What each round's graph is like, where rounds differ; None elsewhere."""
    if not experiment.by_round:
        return None
    hostile = experiment.placed.adversaries
    reports = [neighbourhood_report(graph, hostile) for graph in experiment.by_round]
    return {
        "edges": [graph.size() for graph in experiment.by_round],
        "dominated_share": [report.dominated_share for report in reports],
        "benign_connected": [report.connected for report in reports],
    }


def _over_rounds(experiment: Experiment) -> list[str]:
    each = _by_round(experiment)
    if each is None:
        return []
    edges, shares = each["edges"], each["dominated_share"]
    return [
        f"over the rounds: {min(edges)} to {max(edges)} edges, {min(shares):.2f} to "
        f"{max(shares):.2f} of the benign peers dominated, in {sum(each['benign_connected'])} of "
        f"{len(edges)} rounds connected; above is all that is ever open"
    ]


def _of_structure(report: StructureReport) -> str:
    gap = "not computed" if report.spectral_gap is None else f"{report.spectral_gap:.4g}"
    cut = "not computed" if report.vertex_cut is None else str(report.vertex_cut)
    r = report.robustness
    robust = str(r.at_least) if r.at_least == r.at_most else f"{r.at_least} to {r.at_most}"
    return (
        f"among benign peers: spectral gap {gap}, vertex cut {cut}; the whole graph is r-robust "
        f"for r up to {robust}, so trimming holds {r.tolerates} adversaries in any neighbourhood"
    )


def _attacks(experiment: Experiment) -> list[str]:
    """Who does what, when and knowing what."""
    lines = []
    for coalition in experiment.spec.coalitions if experiment.placed.adversaries else ():
        attack, conduct = coalition.attack, coalition.conduct
        until = "" if conduct.stop is None else f" to {conduct.stop}"
        every = "" if conduct.every == 1 else f", each {conduct.every}."
        how = "".join(f"; {behaviour.kind}" for behaviour in conduct.behaviours)
        visits = f"; comes to {', '.join(map(str, coalition.visited))}" if coalition.visited else ""
        lines.append(
            f"attack {name_of(attack)}: {', '.join(map(str, coalition.members))}; knowledge "
            f"{attack.knowledge}; from round {conduct.start}{until}{every}{how}{visits}"
        )
    return lines


def _about_histories(experiment: Experiment) -> list[str]:
    full, server = histories(experiment), experiment.scenario.server
    strategy = server.strategy if server else None
    if full is None or not isinstance(strategy, FedGrad):
        return []
    rounds = experiment.scenario.rounds
    met = "never" if full.pairs is None else f"by round {ceil(full.pairs)}"
    warm = "" if warm_start_of(experiment.scenario.model) else "; and it needs model.warm_start"
    return [
        f"fed_grad judges clients and pairs by their past: every client has taken part by round "
        f"{ceil(full.everybody)} on average, or earlier, every two of them together {met}; the "
        f"hard filter begins in round {strategy.hard_from}, the run has {rounds}{warm}"
    ]


def _findings(experiment: Experiment) -> list[str]:
    report, plan = experiment.neighbourhoods, experiment.plan
    adversaries = ", ".join(map(str, experiment.placed.adversaries)) or "none"
    parts = "connected" if report.connected else f"in {report.components} parts"
    notes = "".join(f"; {name} {value:.4g}" for name, value in experiment.placed.notes.items())
    worst = "" if report.worst_peer is None else f"; worst off is peer {report.worst_peer}"
    beyond = _more_than_f(experiment)
    bound = "does not apply" if beyond is None else ", ".join(map(str, beyond)) or "nobody"
    return [
        f"adversaries: {adversaries}{notes}",
        *_attacks(experiment),
        f"dominated: {report.dominated} of {len(report.peers)} benign peers{worst}",
        f"benign peers that hear more adversaries than the rule's f: {bound}",
        f"benign peers: {parts}; most weight on adversaries at one of them: {report.delta_max:.2f}",
        *_about_histories(experiment),
        _of_structure(_structure(experiment)),
        *_over_rounds(experiment),
        f"processes: {len(plan.actors)}; memory: about {plan.memory_bytes / MIB:,.0f} MiB of "
        f"{plan.available_bytes / MIB:,.0f} MiB free",
        f"a message: {max(experiment.message_bytes):,} bytes",
    ]
