"""``p2pfl curve``."""

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


def curve(
    scenario: SourceOf,
    over: Annotated[
        str | None,
        typer.Option(metavar="KEY", help="The axis that goes across, as curve.over says."),
    ] = None,
    sets: Sets = None,
    sweeps: Sweeps = None,
    out: SweepFolder = None,
    data: DataFolder = None,
    jobs: Jobs = None,
    as_json: AsJson = False,
) -> None:
    """Run a scenario's sweep, and draw its results against one key: where each defense breaks.

    Cells are those of `p2pfl sweep`, and finished ones are skipped. The section `curve` says what
    goes across and what counts as broken.
    """
    from scenarios.curve.lines import axes_of
    from scenarios.sweep import load_sweep
    from scenarios.sweeper import run_sweep

    changes = [*(sets or ()), *([f"curve.over={over}"] if over else [])]
    wanted = load_sweep(scenario, changes, out, sweeps or ())
    axes_of(wanted, wanted.curve)

    from scenarios.console import SweepWatcher
    from scenarios.curve.page import write_curve_page
    from scenarios.curve.show import show_study
    from scenarios.curve.study import make_study, write_study

    console = Terminal(stderr=as_json)
    with SweepWatcher(console, wanted) as watcher:
        rows = run_sweep(wanted, data, jobs, watcher.cell)
    study = make_study(wanted, rows, wanted.curve)
    write_study(wanted, study)
    write_curve_page(wanted, study)
    if as_json:
        print_json({"folder": str(wanted.folder), "breaks": study.as_dict()})
    else:
        show_study(wanted, study, console)
