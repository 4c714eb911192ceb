"""``p2pfl replay``."""

from pathlib import Path
from typing import Annotated

import typer

from scenarios.commands.options import INTERRUPTED, AsJson, DataFolder, Sets, print_json
from scenarios.terminal import Terminal


def replay(
    folder: Annotated[Path, typer.Argument(metavar="RUN", help="A run folder.")],
    sets: Sets = None,
    moves: Annotated[
        list[str] | None,
        typer.Option("--move", metavar="A:B", help="Peer B is hostile instead of A. May repeat."),
    ] = None,
    cuts: Annotated[
        list[str] | None,
        typer.Option("--cut", metavar="I-J", help="Without this edge. May repeat."),
    ] = None,
    adds: Annotated[
        list[str] | None, typer.Option("--add", metavar="I-J", help="With this edge. May repeat.")
    ] = None,
    events: Annotated[
        list[str] | None,
        typer.Option("--event", metavar="YAML", help="With this event besides. May repeat."),
    ] = None,
    out: Annotated[
        Path | None,
        typer.Option(metavar="DIR", help="The new run folder; by default ./runs/NAME-replay-N."),
    ] = None,
    data: DataFolder = None,
    report: Annotated[bool, typer.Option(help="Make report.html and compare.html at the end.")] = (
        True
    ),
    as_json: AsJson = False,
) -> None:
    """Run what a run folder says again with one thing changed, and compare the two.

    Same seed: all that is drawn for other links and peers is the same.
    """
    from scenarios.replay import Changes
    from scenarios.replay import replay as replay_run

    changes = Changes.parsed(moves or (), cuts or (), adds or (), events or (), sets or ())

    from scenarios.compare.comparison import compare
    from scenarios.compare.show import show_comparison
    from scenarios.progress import ConsoleWatcher

    console = Terminal(stderr=as_json)
    watcher = ConsoleWatcher(console)
    try:
        made = replay_run(folder, changes, out, data, watcher, report=report)
    finally:
        watcher.stop()
    record = made.record
    if record.status == "interrupted":
        raise typer.Exit(INTERRUPTED)
    compared = compare([folder, record.folder])
    if as_json:
        comparison = compared[0].as_dict()
        print_json({"folder": str(record.folder), **record.summary, "comparison": comparison})
    else:
        show_comparison(compared[0], console)
    for line in made.drawn_anew:
        console.print(f"[yellow]beside that[/]: {line}", highlight=False, soft_wrap=True)
    if report:
        from scenarios.compare.page import write_page

        page = write_page(compared, record.folder / "compare.html")
        console.print(f"page: {page}", highlight=False, soft_wrap=True)
