"""``p2pfl run`` and ``p2pfl report``."""

from pathlib import Path
from typing import Annotated

import typer

from scenarios.commands.options import INTERRUPTED, AsJson, DataFolder, Sets, print_json
from scenarios.terminal import Terminal


def run(
    scenario: Annotated[
        str | None,
        typer.Argument(metavar="SCENARIO", help="A file, or the name of a bundled scenario."),
    ] = None,
    sets: Sets = None,
    out: Annotated[
        Path | None,
        typer.Option(metavar="DIR", help="The run folder; by default ./runs/NAME-N. A new one."),
    ] = None,
    resume: Annotated[
        Path | None,
        typer.Option(metavar="DIR", help="Go on with the run of this folder, instead of SCENARIO."),
    ] = None,
    data: DataFolder = None,
    report: Annotated[
        bool, typer.Option(help="Make report.html at the end; `p2pfl report` can do it later.")
    ] = True,
    watch: Annotated[
        bool,
        typer.Option("--watch", help="Serve the growing report to a browser on this machine."),
    ] = False,
    port: Annotated[
        int | None,
        typer.Option(min=0, max=65535, help="Of --watch; by default any that is free."),
    ] = None,
    tensorboard: Annotated[
        Path | None,
        typer.Option(metavar="DIR", help="Write event files for TensorBoard into DIR/RUN."),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Run a scenario and write its run folder; or go on with a run that was killed."""
    if (scenario is None) == (resume is None):
        raise typer.BadParameter("give SCENARIO or --resume DIR, one of the two")
    if resume is not None and (sets or out):
        raise typer.BadParameter("--resume goes on with the run as it is: without --set and --out")
    if port is not None and not watch:
        raise typer.BadParameter("--port is that of --watch: give both, or neither")
    from scenarios.loader import load

    # Before the second that the rest takes to import.
    loaded = load(scenario, sets or ()) if scenario is not None else None

    from scenarios.progress import ConsoleWatcher
    from scenarios.runner import resume as resume_run
    from scenarios.runner import run as run_scenario
    from scenarios.watcher import Watcher, Watchers

    console = Terminal(stderr=as_json)
    each: list[Watcher] = [ConsoleWatcher(console)]
    if tensorboard is not None:
        from scenarios.tensorboard import TensorBoardWatcher

        each.append(TensorBoardWatcher(tensorboard))
        console.print(f"to look at: tensorboard --logdir {tensorboard}", soft_wrap=True)
    if watch:
        from scenarios.report.live import LiveReport

        each.append(LiveReport(port or 0, console.print))
    watcher = Watchers(each)
    try:
        if resume is not None:
            record = resume_run(resume, data=data, watcher=watcher, report=report)
        elif loaded is not None:
            record = run_scenario(loaded, out=out, data=data, watcher=watcher, report=report)
    finally:
        watcher.stop()
    if as_json:
        print_json({"folder": str(record.folder), **record.summary})
    if record.status == "interrupted":
        raise typer.Exit(INTERRUPTED)


def report(
    folders: Annotated[list[Path], typer.Argument(metavar="DIR...", help="Run folders.")],
) -> None:
    """Make report.html of runs anew, from their folders alone."""
    from scenarios.report.page import write_report

    for folder in folders:
        print(write_report(folder))
