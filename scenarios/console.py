"""What comes of runs and sweeps, as tables on a terminal; a bar over the cells of a sweep."""

from collections.abc import Mapping, Sequence
from typing import Any

from rich.console import Console
from rich.markup import escape
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)
from rich.table import Table

from scenarios.finished import Record
from scenarios.paper_table import figures_of
from scenarios.parquet import MISSING
from scenarios.report.side_by_side import pictures
from scenarios.results import grid, side_by_side
from scenarios.sweep import Cell, Sweep
from scenarios.sweep_files import FILES, explained, files_of

NAMES = {
    "server": "server's model",
    "benign": "benign",
    "benign_other": "  not dominated",
    "benign_dominated": "  dominated",
    "adversary": "adversaries",
}


def show(record: Record, console: Console) -> None:
    """The table of final accuracies, what happened on the links, and where it all is."""
    summary = record.summary
    table = Table()
    for column in ("peers", "number", "mean", "worst", "best"):
        table.add_column(column, justify="left" if column == "peers" else "right")
    for group, name in NAMES.items():
        spread = summary["accuracy"][group]
        number = str(summary["peers"][group])
        if number != "0" and spread is not None:
            table.add_row(name, number, *_percent(spread))
    if len(summary["attack_groups"]) > 1 and summary["adversaries"]:
        for group in summary["attack_groups"]:
            number = str(len(group["adversaries"]))
            table.add_row(f"  {group['attack']}", number, *_percent(group["accuracy"]))
    if any(summary["accuracy"].values()):
        attack = f" under {summary['attack']}" if summary["adversaries"] else ""
        measured, benign = summary["measured"], summary["peers"]["benign"]
        everybody = summary["peers"]["server"] or measured == benign
        some = "" if everybody else f", of {measured} of the benign peers"
        when = "final" if summary["status"] == "done" else "last measured"
        console.print(f"{when} accuracy in %{attack}{some}", highlight=False, soft_wrap=True)
        console.print(table)
        if summary["asr"] is not None:
            console.print(f"attack success rate (ASR): {100 * summary['asr']:.1f} %")
    for warning in summary["warnings"]:
        console.print(f"[yellow]warning[/]: {escape(warning)}", highlight=False, soft_wrap=True)
    for line in _closing(record):
        console.print(line, highlight=False, soft_wrap=True)


def _percent(spread: dict[str, float] | None) -> list[str]:
    if spread is None:
        return ["-"] * 3
    return [f"{100 * spread[key]:.1f}" for key in ("mean", "worst", "best")]


def _closing(record: Record) -> list[str]:
    summary: Any = record.summary
    lines = []
    messages = summary["messages"]
    if messages:
        lines.append(
            f"messages: {messages['sent']:,} sent, {messages['dropped']:,} dropped, "
            f"{messages['late']:,} late, {messages['rejected']:,} rejected; "
            f"{summary['timeouts']:,} timeouts; {messages['bytes'] / 1e6:,.1f} MB"
        )
    wall = summary["wall_s"]
    lines.append(
        f"{summary['virtual_s']:,.1f} s of {summary['clock']} time in {wall['total']:.1f} s "
        f"(start-up {wall['startup']:.1f} s, rounds {wall['rounds']:.1f} s)"
    )
    if summary["budget"]:
        lines.append(_budget(summary))
    if summary["digest"]:
        lines.append(f"digest of the final models: {summary['digest'][:16]}")
    if summary["status"] != "done":
        lines.append(
            f"[red]{summary['status']}[/]: what was recorded until then is kept{_on(record)}"
        )
    lines.append(f"run folder: {escape(str(record.folder))}")
    for name, file in (("picture:   ", "report.png"), ("report:    ", "report.html")):
        if (record.folder / file).exists():
            lines.append(f"{name} {escape(str(record.folder / file))}")
    return lines


def _on(record: Record) -> str:
    """How to go on, if there is something to go on from."""
    if not any(record.folder.glob("snapshots/*.npz")):
        return ""
    return f"; p2pfl run --resume {escape(str(record.folder))} goes on from its last snapshot"


def _budget(summary: Mapping[str, Any]) -> str:
    """What of the budget ended the run, and after how many rounds."""
    least, most = summary["rounds_done"]["least"], summary["rounds_done"]["most"]
    rounds = f"{least}" if least == most else f"{least} to {most}"
    budget = summary["budget"]
    if budget["spent"] == "bytes":
        return f"ended with its budget of {budget['bytes'] / 1e6:,.1f} MB after {rounds} rounds"
    if budget["spent"] == "virtual_s":
        return f"ended with its budget of {budget['virtual_s']:,.1f} s after {rounds} rounds"
    return f"ended after its {rounds} rounds, before its budget was spent"


class SweepWatcher:
    """A bar over the cells of a sweep; without a terminal, a line for each."""

    def __init__(self, console: Console, sweep: Sweep) -> None:
        self._console = console
        self._cells = len(sweep.cells) + len(sweep.references.cells)
        self._done = 0
        self._bar = Progress(
            TextColumn("{task.description}"),
            BarColumn(),
            MofNCompleteColumn(),
            TextColumn("[red]{task.fields[failed]}[/]"),
            TimeElapsedColumn(),
            TextColumn("left"),
            TimeRemainingColumn(),
            console=console,
            disable=not console.is_terminal,
        )
        self._task = self._bar.add_task("cells", total=self._cells, failed="")
        self._failed = 0

    def __enter__(self) -> "SweepWatcher":
        self._bar.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._bar.stop()

    def cell(self, cell: Cell, row: Mapping[str, Any]) -> None:
        """A cell is there."""
        self._done += 1
        self._failed += row["status"] != "done"
        failed = f"{self._failed} failed" if self._failed else ""
        self._bar.update(self._task, advance=1, failed=failed)
        mean = row["accuracy"]
        who = "server" if cell.loaded.scenario.server else "benign"
        said = row["error"] or ("-" if mean is None else f"{who} {100 * mean:.1f} %")
        names = ", ".join(name for name in cell.names if name)
        text = f"{self._done}/{self._cells}  {names}: {said}"
        if row["error"] or not self._console.is_terminal:
            self._console.print(escape(text), highlight=False, soft_wrap=True)


def _over(sweep: Sweep) -> str:
    """What is across, and over what the figures are averaged."""
    keys = [axis.key for axis in sweep.axes]
    across = f", by {keys[0]} and {keys[1]}" if len(keys) > 1 else ""
    return across + (f", averaged over {', '.join(keys[2:])}" if len(keys) > 2 else "")


def _whose_accuracy(sweep: Sweep) -> str:
    kinds = {cell.loaded.scenario.server is not None for cell in sweep.cells}
    server, peers = "accuracy of the server's model", "mean accuracy of benign peers"
    whose = f"{server}, or {peers}," if len(kinds) > 1 else server if True in kinds else peers
    return f"{whose}{sweep.scored}"


def show_sweep(sweep: Sweep, rows: Sequence[Mapping[str, Any]], console: Console) -> None:
    """The accuracy over the first two axes, or the methods, and where the rest is."""
    if sweep.compares:
        _show_methods(sweep, rows, console)
    else:
        accuracy, *_, asr = figures_of(sweep)
        _show_grid(sweep, rows, console, accuracy.column, _whose_accuracy(sweep))
        if any(row[asr.column] is not None for row in rows):
            _show_grid(sweep, rows, console, asr.column, asr.title)
    failed = sum(row["status"] != "done" for row in rows)
    if failed:
        console.print(f"[red]{failed} of {len(rows)} cells failed[/]; results.csv says why")
    for line in _explained(sweep, rows):
        console.print(line, highlight=False, soft_wrap=True)
    for path in files_of(sweep):
        console.print(f"{FILES[path.name]}: {escape(str(path))}", highlight=False, soft_wrap=True)
    if not (sweep.folder / "results.parquet").exists():
        console.print(MISSING, highlight=False, soft_wrap=True, markup=False)
    for picture in pictures(sweep):
        console.print(f"picture: {escape(str(picture))}", soft_wrap=True)


def _explained(sweep: Sweep, rows: Sequence[Mapping[str, Any]]) -> list[str]:
    """What the accuracy varies with, in a line; or why that is not told."""
    found, refused = explained(sweep, rows)
    accuracy = figures_of(sweep)[0].column
    lines = []
    for variance in found:
        if variance.column == accuracy:
            shares = (f"{part.axis or 'rest'} {100 * part.share:.0f} %" for part in variance.parts)
            among = " over seeds alone" if variance.among == "seeds" else ""
            lines.append(f"what the accuracy varies with{among}: {', '.join(shares)}")
    if accuracy in refused and len(rows) > 1:
        lines.append(f"what the accuracy varies with is not told: {refused[accuracy]}")
    return lines


def _show_methods(sweep: Sweep, rows: Sequence[Mapping[str, Any]], console: Console) -> None:
    header, *lines = side_by_side(sweep, rows)
    when = "" if sweep.scored else ", when their runs ended"
    console.print(
        f"methods side by side: {_whose_accuracy(sweep)} and ASR in %{when}",
        highlight=False,
        soft_wrap=True,
    )
    table = Table()
    for column in header:
        named = column in {axis.key for axis in sweep.axes}
        table.add_column(column, justify="left" if named else "right", no_wrap=not named)
    for line in lines:
        table.add_row(*map(escape, line))
    console.print(table)


def _show_grid(
    sweep: Sweep, rows: Sequence[Mapping[str, Any]], console: Console, column: str, title: str
) -> None:
    header, *lines = grid(sweep, rows, column)
    console.print(f"{title} in %{_over(sweep)}", highlight=False)
    width = max(len(line[0]) for line in [header, *lines]) + 4
    at_once = max(1, (console.width - width) // (max(map(len, header[1:])) + 3))
    # A table that is wider than the terminal is cut into several.
    for first in range(1, len(header), at_once):
        columns = slice(first, first + at_once)
        table = Table()
        table.add_column(header[0], no_wrap=True)
        for column in header[columns]:
            table.add_column(column, justify="right", no_wrap=True)
        for line in lines:
            table.add_row(line[0], *line[columns])
        console.print(table)
