"""``p2pfl sweep``."""

from typing import Annotated

import typer

from scenarios.commands.options import (
    AsJson,
    DataFolder,
    Jobs,
    Sets,
    SourceOf,
    SweepFolder,
    Sweeps,
    print_json,
)
from scenarios.terminal import Terminal


def sweep(
    scenario: SourceOf,
    sets: Sets = None,
    sweeps: Sweeps = None,
    out: SweepFolder = None,
    data: DataFolder = None,
    jobs: Jobs = None,
    report: Annotated[bool, typer.Option(help="Make report.html at the end.")] = True,
    as_json: AsJson = False,
) -> None:
    """Run every combination of a scenario's `sweep` section, and show the table.

    Called again, it goes on where it was: finished cells are skipped, and what was stopped on its
    way goes on from its last snapshot.

    With a section `compare`, each of its methods too, side by side: a table and a picture.
    """
    from scenarios.sweep import load_sweep
    from scenarios.sweeper import run_sweep

    wanted = load_sweep(scenario, sets or (), out, sweeps or ())

    from scenarios.console import SweepWatcher, show_sweep

    console = Terminal(stderr=as_json)
    with SweepWatcher(console, wanted) as watcher:
        rows = run_sweep(wanted, data, jobs, watcher.cell, report)
    if as_json:
        print_json({"folder": str(wanted.folder), "rows": rows})
    else:
        show_sweep(wanted, rows, console)
