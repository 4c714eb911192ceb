"""``p2pfl list``, ``schema`` and ``doctor``: what can be named, and whether it would run here."""

from difflib import get_close_matches
from enum import StrEnum
from typing import Annotated

import typer

from scenarios.commands.options import FAILED, AsJson, DataFolder, print_json
from scenarios.terminal import Terminal


class Family(StrEnum):
    """What can be listed."""

    ATTACKS = "attacks"
    DEFENSES = "defenses"
    STRATEGIES = "strategies"
    RULES = "rules"
    DATASETS = "datasets"
    MODELS = "models"
    TOPOLOGIES = "topologies"
    PLACEMENTS = "placements"
    PARTITIONS = "partitions"
    PROTOCOLS = "protocols"
    LATENCIES = "latencies"
    DROPS = "drops"
    CHURNS = "churns"
    EVENTS = "events"
    BEHAVIOURS = "behaviours"
    SCENARIOS = "scenarios"


def _family(name: str) -> Family:
    """The family of that name, which may stand in the singular."""
    known = {family.value: family for family in Family}
    for family in Family:
        known[family.removesuffix("ies") + "y" if family.endswith("ies") else family[:-1]] = family
    if name in known:
        return known[name]
    near = get_close_matches(name, known, n=1)
    hint = f"; did you mean {known[near[0]].value!r}?" if near else ""
    raise typer.BadParameter(f"came {name!r}; allowed: {', '.join(Family)}{hint}")


def list_(
    family: Annotated[
        Family | None,
        typer.Argument(
            parser=_family, metavar="FAMILY", help="Singular or plural; by default all."
        ),
    ] = None,
    verbose: Annotated[bool, typer.Option("--verbose", "-v", help="Their keys too.")] = False,
    as_json: AsJson = False,
) -> None:
    """List what a scenario can name."""
    from scenarios.listing import as_json as listing_json
    from scenarios.listing import catalogue, show_all

    everything = catalogue()
    chosen = {family.value: everything[family.value]} if family else everything
    if as_json:
        print_json(listing_json(chosen))
    else:
        show_all(chosen, Terminal(), verbose)


def schema(
    markdown: Annotated[
        bool,
        typer.Option("--markdown", help="For readers: every key, as scenarios/KEYS.md has it."),
    ] = False,
) -> None:
    """Print the JSON Schema of scenario files."""
    if markdown:
        from scenarios.handbook import handbook

        print(handbook(), end="")
        return
    from scenarios.jsonschema import json_schema

    print_json(json_schema())


def doctor(data: DataFolder = None, as_json: AsJson = False) -> None:
    """Look whether this machine is ready, and say what is missing."""
    from dataclasses import asdict

    from rich.table import Table

    from scenarios.doctor import examine

    findings = examine(data)
    if as_json:
        print_json([asdict(finding) for finding in findings])
    else:
        colours = {"good": "green", "note": "yellow", "bad": "red"}
        table = Table.grid(padding=(0, 2))
        for finding in findings:
            colour = colours[finding.state]
            table.add_row(f"[{colour}]{finding.state}[/]", finding.name, finding.text)
        Terminal().print(table)
    if any(finding.state == "bad" for finding in findings):
        raise typer.Exit(FAILED)
