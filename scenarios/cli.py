"""The command line. Each command imports what it needs: ``p2pfl --help`` waits for no torch."""

import json
import sys
from collections.abc import Sequence
from difflib import get_close_matches
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console

from p2pfl.errors import P2PFLError, ScenarioError

DONE, FAILED, WRONG_INPUT, INTERRUPTED = 0, 1, 2, 130

app = typer.Typer(
    name="p2pfl",
    help="An emulator of decentralised learning under attack.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    add_completion=False,
)
data_app = typer.Typer(help="Published data sets.", no_args_is_help=True)
app.add_typer(data_app, name="data")


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


SourceOf = Annotated[
    str, typer.Argument(metavar="SCENARIO", help="A file, or the name of a bundled scenario.")
]
Sets = Annotated[
    list[str] | None,
    typer.Option("--set", metavar="a.b=c", help="Change a key; the value is YAML. May repeat."),
]
DataFolder = Annotated[
    Path | None,
    typer.Option("--data", metavar="DIR", help="The data folder; by default P2PFL_DATA names it."),
]
AsJson = Annotated[bool, typer.Option("--json", help="Answer in JSON on standard output.")]


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command.

    Args:
        arguments: Without the program's name; None takes the process's own.

    Returns:
        The exit code: 0 done, 1 the run failed, 2 the input is wrong, 130 interrupted.
    """
    try:
        app(arguments, prog_name="p2pfl")
    except SystemExit as end:
        return end.code if isinstance(end.code, int) else FAILED
    except KeyboardInterrupt:
        return INTERRUPTED
    except ScenarioError as error:
        return _say(error, WRONG_INPUT)
    except P2PFLError as error:
        return _say(error, FAILED)
    return DONE


def _say(error: Exception, code: int) -> int:
    for line in (str(error), *getattr(error, "__notes__", ())):
        print(f"p2pfl: {line}", file=sys.stderr)
    return code


def _print_json(value: Any) -> None:
    print(json.dumps(value, indent=2, ensure_ascii=False))


@app.command()
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
    as_json: AsJson = False,
) -> None:
    """Run a scenario and write its run folder; or go on with a run that was killed."""
    if (scenario is None) == (resume is None):
        raise typer.BadParameter("give SCENARIO or --resume DIR, one of the two")
    if resume is not None and (sets or out):
        raise typer.BadParameter("--resume goes on with the run as it is: without --set and --out")
    from scenarios.loader import load

    # Before the second that the rest takes to import.
    loaded = load(scenario, sets or ()) if scenario is not None else None

    from scenarios.console import ConsoleWatcher
    from scenarios.runner import resume as resume_run
    from scenarios.runner import run as run_scenario

    watcher = ConsoleWatcher(Console(stderr=as_json))
    try:
        if resume is not None:
            record = resume_run(resume, data=data, watcher=watcher, report=report)
        elif loaded is not None:
            record = run_scenario(loaded, out=out, data=data, watcher=watcher, report=report)
    finally:
        watcher.stop()
    if as_json:
        _print_json({"folder": str(record.folder), **record.summary})
    if record.status == "interrupted":
        raise typer.Exit(INTERRUPTED)


@app.command()
def report(
    folders: Annotated[list[Path], typer.Argument(metavar="DIR...", help="Run folders.")],
) -> None:
    """Make report.html of runs anew, from their folders alone."""
    from scenarios.report.page import write_report

    for folder in folders:
        print(write_report(folder))


@app.command()
def sweep(
    scenario: SourceOf,
    sets: Sets = None,
    out: Annotated[
        Path | None,
        typer.Option(metavar="DIR", help="The sweep's folder; by default ./runs/NAME. Goes on."),
    ] = None,
    data: DataFolder = None,
    jobs: Annotated[
        int | None, typer.Option(min=1, help="Cells at once; by default one per core.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Run every combination of a scenario's `sweep` section, and show the table.

    With a section `compare`, each of its methods too, side by side: a table and a picture.
    """
    from scenarios.sweep import load_sweep
    from scenarios.sweeper import run_sweep

    wanted = load_sweep(scenario, sets or (), out)

    from scenarios.console import SweepWatcher, show_sweep

    console = Console(stderr=as_json)
    with SweepWatcher(console, len(wanted.cells) + len(wanted.references.cells)) as watcher:
        rows = run_sweep(wanted, data, jobs, watcher.cell)
    if as_json:
        _print_json({"folder": str(wanted.folder), "rows": rows})
    else:
        show_sweep(wanted, rows, console)


@app.command()
def check(
    scenario: SourceOf,
    sets: Sets = None,
    data: DataFolder = None,
    png: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Draw the graph into this file.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Validate a scenario, plan its processes, show each neighbourhood. Runs nothing.

    Of a sweep or a comparison, every cell is validated, and the first one is shown.
    """
    from scenarios.loader import Draft

    draft = Draft.read(scenario, sets or ())
    if "sweep" in draft.tree or "compare" in draft.tree:
        _check_sweep(scenario, sets or (), data, png, as_json)
        return
    loaded = draft.loaded(sets or ())

    from scenarios.build import build
    from scenarios.check import check_as_json, draw_check, show_check

    experiment = build(loaded, data)
    if png is not None:
        draw_check(experiment, png)
    if as_json:
        _print_json(check_as_json(experiment))
    else:
        show_check(experiment, Console())


def _check_sweep(
    scenario: str, sets: Sequence[str], data: Path | None, png: Path | None, as_json: bool
) -> None:
    from scenarios.sweep import load_sweep

    wanted = load_sweep(scenario, sets)

    from scenarios.check import check_sweep, draw_check, show_sweep_check, sweep_as_json

    checked = check_sweep(wanted, data)
    if png is not None:
        draw_check(checked.first, png)
    if as_json:
        _print_json(sweep_as_json(checked))
    else:
        show_sweep_check(checked, Console())


@app.command()
def calibrate(
    scenario: SourceOf, sets: Sets = None, data: DataFolder = None, as_json: AsJson = False
) -> None:
    """Find alpha and c1 of a dfl_dual scenario, from its first rounds with nobody hostile."""
    from scenarios.loader import load

    loaded = load(scenario, sets or ())

    from scenarios.calibrate import calibrate as calibrate_scenario

    found = calibrate_scenario(loaded, data)
    if as_json:
        _print_json(found._asdict())
    else:
        for name, value, (least, most) in (
            ("alpha", found.alpha, found.alpha_range),
            ("c1", found.c1, found.c1_range),
        ):
            print(f"{name}: {value:.4g}    # {least:.4g} to {most:.4g} over the peers")


@app.command(name="list")
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
        _print_json(listing_json(chosen))
    else:
        show_all(chosen, Console(), verbose)


@app.command()
def schema() -> None:
    """Print the JSON Schema of scenario files."""
    from scenarios.jsonschema import json_schema

    _print_json(json_schema())


@app.command()
def doctor(data: DataFolder = None, as_json: AsJson = False) -> None:
    """Look whether this machine is ready, and say what is missing."""
    from dataclasses import asdict

    from rich.table import Table

    from scenarios.doctor import examine

    findings = examine(data)
    if as_json:
        _print_json([asdict(finding) for finding in findings])
    else:
        colours = {"good": "green", "note": "yellow", "bad": "red"}
        table = Table.grid(padding=(0, 2))
        for finding in findings:
            colour = colours[finding.state]
            table.add_row(f"[{colour}]{finding.state}[/]", finding.name, finding.text)
        Console().print(table)
    if any(finding.state == "bad" for finding in findings):
        raise typer.Exit(FAILED)


@data_app.command(name="get")
def data_get(
    name: Annotated[str, typer.Argument(metavar="NAME", help="As `p2pfl list datasets` has it.")],
    data: DataFolder = None,
    base_url: Annotated[
        str | None, typer.Option(metavar="URL", help="A mirror with the same files.")
    ] = None,
) -> None:
    """Download a data set, resume where it broke off, check it.

    The rare images of the attack edge_case, southwest and ardis, are placed by hand: asked for one
    of these, it says how.
    """
    from p2pfl.data import data_folder, find_source
    from p2pfl.data.edge_cases import EDGE_SOURCES
    from scenarios.fetch import fetch

    if name in EDGE_SOURCES:
        raise ScenarioError(f"{name} cannot be downloaded from here: {EDGE_SOURCES[name].how}")
    source = find_source(name)
    folder = data_folder(data)
    if source.downloads and folder is None:
        raise ScenarioError(f"where to put {name}? Pass --data DIR or set P2PFL_DATA")
    for path in fetch(source, folder or Path(), base_url, Console()):
        print(path)
