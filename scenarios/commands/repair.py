"""``p2pfl repair``."""

from pathlib import Path
from typing import Annotated

import typer

from scenarios.commands.options import AsJson, Sets, SourceOf, print_json
from scenarios.terminal import Terminal


def repair(
    scenario: SourceOf,
    sets: Sets = None,
    rewire: Annotated[
        bool,
        typer.Option("--rewire", help="Move edges of adversaries; by default edges are added."),
    ] = False,
    rule: Annotated[
        str | None,
        typer.Option(
            "--for",
            metavar="RULE",
            help="What is to hold is this rule's condition: trimmed_mean, or {kind: krum, f: 1}; "
            "without f, as many as any benign peer hears. By default: nobody is dominated.",
        ),
    ] = None,
    out: Annotated[
        Path | None,
        typer.Option(metavar="DIR", help="The new folder; by default ./runs/NAME-repair-N."),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Find the fewest edges to add, or to rewire, so that no benign peer is dominated.

    Writes the scenario with that graph, its adversaries where they are, and shows each changed
    neighbourhood before and after. Runs nothing.
    """
    from scenarios.loader import load

    loaded = load(scenario, sets or ())

    from scenarios.repair import repair_scenario
    from scenarios.repaired import show_repaired

    made = repair_scenario(loaded, "rewire" if rewire else "add", rule, out)
    if as_json:
        print_json(made.as_dict())
    else:
        show_repaired(made, Terminal())
