"""What a run looks like on a terminal: who plays, a bar with accuracy, a table at the end."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from statistics import fmean
from typing import Any

from rich.console import Console
from rich.markup import escape
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    TaskID,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)
from rich.table import Table

from p2pfl.models import warm_start_of
from scenarios.build import Experiment
from scenarios.parquet import MISSING
from scenarios.report.side_by_side import pictures
from scenarios.results import grid, side_by_side
from scenarios.runner import Record
from scenarios.summary import groups_of, method_name
from scenarios.sweep import Cell, Sweep
from scenarios.sweep_files import FILES, explained, files_of
from scenarios.variants import name_of
from scenarios.watcher import Watcher

NAMES = {
    "server": "server's model",
    "benign": "benign",
    "benign_other": "  not dominated",
    "benign_dominated": "  dominated",
    "adversary": "adversaries",
}


class ConsoleWatcher(Watcher):
    """Progress bars on a terminal, plain lines elsewhere."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._accuracy: dict[int, float] = {}
        self._over = 0
        self._lines = 0
        self._bar: Progress | None = None
        self._task: TaskID | None = None

    def begins(self, experiment: Experiment, folder: Path) -> None:
        """Say what is about to run, and warn."""
        scenario = experiment.scenario
        self._groups = groups_of(experiment)
        self._rounds = scenario.rounds
        # Those who count rounds: all peers, or the server alone.
        self._peers = 1 if experiment.server is not None else len(experiment.peers)
        self._say(f"[bold]{scenario.name}[/]: {describe(experiment)}")
        for warning in experiment.warnings:
            self._say(f"[yellow]warning[/]: {escape(warning)}")
        actors = len(experiment.plan.actors)
        where = f"{actors} Ray actors" if scenario.runtime.executor == "ray" else "this process"
        start = warm_start_of(scenario.model)
        if start is not None and start.epochs is not None:
            self._say(f"training the model that all start from: {start.epochs} epochs ...")
        self._say(f"starting {where} ...")

    def starts(self, accuracy: float) -> None:
        """Say how good the start is."""
        self._say(f"the start's accuracy is {100 * accuracy:.1f} %")

    def ready(self, startup_s: float) -> None:
        """Show the bar."""
        self._say(f"ready after {startup_s:.1f} s")
        if self._console.is_terminal:
            self._bar = Progress(
                TextColumn("round {task.fields[round]}/" + str(self._rounds)),
                BarColumn(),
                TextColumn("{task.fields[accuracy]}"),
                TimeElapsedColumn(),
                console=self._console,
            )
            total = self._peers * self._rounds
            self._task = self._bar.add_task("", total=total, round=0, accuracy="")
            self._bar.start()

    def goes_on(self, where: str, rounds_over: int) -> None:
        """Say so, and move the bar there."""
        self._say(f"going on from {where}")
        self._over = rounds_over

    def accuracy(self, peer: int, round_: int, accuracy: float) -> None:
        """Remember it for the bar."""
        self._accuracy[peer] = accuracy

    def round_over(self, peer: int, round_: int) -> None:
        """Move the bar; without a terminal, say a line each tenth of the run."""
        self._over += 1
        done = self._over // self._peers
        if self._bar is not None and self._task is not None:
            self._bar.update(
                self._task, completed=self._over, round=done, accuracy=self._accuracies()
            )
        elif done * 10 // self._rounds > self._lines:
            self._lines = done * 10 // self._rounds
            self._say(f"round {done}/{self._rounds}  {self._accuracies()}")

    def _accuracies(self) -> str:
        parts = []
        labels = {
            "server": "server",
            "benign_other": "not dominated",
            "benign_dominated": "dominated",
        }
        for name, label in labels.items():
            known = [self._accuracy[p] for p in self._groups[name] if p in self._accuracy]
            if known:
                parts.append(f"{label} {100 * fmean(known):.1f} %")
        return "accuracy: " + ", ".join(parts) if parts else ""

    def stop(self) -> None:
        """Take the bar away, whatever happened."""
        if self._bar is not None:
            self._bar.stop()
            self._bar = None

    def ends(self, record: Record) -> None:
        """Show the table."""
        self.stop()
        show(record, self._console)

    def _say(self, text: str) -> None:
        self._console.print(text, highlight=False, soft_wrap=True)


def describe(experiment: Experiment) -> str:
    """One line: peers, graph, adversaries, attack and defense."""
    scenario = experiment.scenario
    if experiment.server is None:
        who = f"{len(experiment.peers)} peers on {name_of(scenario.topology)}"
    else:
        who = f"{len(experiment.peers) - 1} clients of a server"
    text = f"{who}, {scenario.data.dataset}"
    if experiment.placed.adversaries:
        coalitions = experiment.spec.coalitions
        sent = [f"({_few(c.members)}) send {name_of(c.attack)}" for c in coalitions]
        colon = ":" if len(sent) > 1 else ""
        text += f"; {len(experiment.placed.adversaries)} adversaries{colon} {', '.join(sent)}"
        if experiment.server is None:
            text += f", {len(groups_of(experiment)['benign_dominated'])} benign peers dominated"
    return f"{text}; defense {method_name(scenario)}"


def _few(peers: Sequence[int]) -> str:
    return ", ".join(map(str, peers[:12])) + (", ..." if len(peers) > 12 else "")


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
        console.print(f"final accuracy in %{attack}{some}", highlight=False, soft_wrap=True)
        console.print(table)
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
        f"{summary['virtual_s']:,.1f} s of virtual time in {wall['total']:.1f} s "
        f"(start-up {wall['startup']:.1f} s, rounds {wall['rounds']:.1f} s)"
    )
    if summary["budget"]:
        lines.append(_budget(summary))
    if summary["digest"]:
        lines.append(f"digest of the final models: {summary['digest'][:16]}")
    if summary["status"] != "done":
        lines.append(f"[red]{summary['status']}[/]: what was recorded until then is kept")
    lines.append(f"run folder: {escape(str(record.folder))}")
    for name, file in (("picture:   ", "report.png"), ("report:    ", "report.html")):
        if (record.folder / file).exists():
            lines.append(f"{name} {escape(str(record.folder / file))}")
    return lines


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

    def __init__(self, console: Console, cells: int) -> None:
        self._console = console
        self._cells = cells
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
        self._task = self._bar.add_task("cells", total=cells, failed="")
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
        who = "benign" if row["benign_mean"] is not None else "server"
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


def show_sweep(sweep: Sweep, rows: Sequence[Mapping[str, Any]], console: Console) -> None:
    """The benign mean over the first two axes, or the methods, and where the rest is."""
    if sweep.compares:
        _show_methods(sweep, rows, console)
    else:
        _show_grid(sweep, rows, console)
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
    lines = []
    for variance in found:
        if variance.column == "accuracy":
            shares = (f"{part.axis or 'rest'} {100 * part.share:.0f} %" for part in variance.parts)
            among = " over seeds alone" if variance.among == "seeds" else ""
            lines.append(f"what the accuracy varies with{among}: {', '.join(shares)}")
    if "accuracy" in refused and len(rows) > 1:
        lines.append(f"what the accuracy varies with is not told: {refused['accuracy']}")
    return lines


def _show_methods(sweep: Sweep, rows: Sequence[Mapping[str, Any]], console: Console) -> None:
    header, *lines = side_by_side(sweep, rows)
    console.print(
        "methods side by side: accuracy of the server's model, or mean of the benign peers, and "
        "ASR in %, when their runs ended",
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


def _show_grid(sweep: Sweep, rows: Sequence[Mapping[str, Any]], console: Console) -> None:
    header, *lines = grid(sweep, rows, "benign_mean")
    console.print(f"mean accuracy of benign peers in %{_over(sweep)}", highlight=False)
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
