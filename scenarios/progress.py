"""How a run goes, on a terminal: who plays, a bar with accuracy and ASR, the table at the end."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from statistics import fmean

from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, Progress, TaskID, TextColumn, TimeElapsedColumn

from p2pfl.models import warm_start_of
from scenarios.build import Experiment
from scenarios.console import show
from scenarios.finished import Record
from scenarios.star import held_out_words
from scenarios.summary import groups_of, method_name
from scenarios.variants import name_of
from scenarios.watcher import Watcher

_ACCURACIES = {
    "server": "server",
    "benign_other": "not dominated",
    "benign_dominated": "dominated",
}
_SUCCESS = ("asr_excluding_target", "asr")
"""The same thing, the better one first."""
_LINE_EACH = 100
"""Of a run that ends by its time, a line each tenth of so many rounds."""


class ConsoleWatcher(Watcher):
    """Progress bars on a terminal, plain lines elsewhere."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._accuracy: dict[int, float] = {}
        self._success: dict[int, float] = {}
        self._measured = 0
        """The round of the last evaluation."""
        self._over = 0
        self._lines = 0
        self._due: int | None = None
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
                TextColumn("round {task.fields[round]}" + self._of()),
                BarColumn(),
                TextColumn("{task.fields[fares]}"),
                TimeElapsedColumn(),
                console=self._console,
            )
            total = self._peers * self._rounds if self._rounds else None
            self._task = self._bar.add_task("", total=total, round=0, fares="")
            self._bar.start()

    def goes_on(self, where: str, rounds_over: int) -> None:
        """Say so, and move the bar there."""
        self._say(f"going on from {where}")
        self._over = rounds_over

    def measured(
        self, time_s: float, round_: int, peer: int | None, values: Mapping[str, float]
    ) -> None:
        """Remember it for the bar."""
        if peer is None or "accuracy" not in values:
            return
        self._accuracy[peer] = values["accuracy"]
        self._measured = max(self._measured, round_)
        success = [values[name] for name in _SUCCESS if name in values]
        if success:
            self._success[peer] = success[0]
        self._show()

    def round_over(self, peer: int, round_: int) -> None:
        """Move the bar; without a terminal, say a line each tenth of the run.

        That waits for what is told next: the evaluation that belongs to the round, if there is one.
        """
        self._show()
        self._over += 1
        done = self._over // self._peers
        tenths = done * 10 // (self._rounds or _LINE_EACH)
        if tenths > self._lines:
            self._lines = tenths
            self._due = done

    def _show(self) -> None:
        done = self._over // self._peers
        if self._bar is not None and self._task is not None:
            self._bar.update(self._task, completed=self._over, round=done, fares=self._fares(done))
        elif self._due is not None:
            self._say(f"round {self._due}{self._of()}  {self._fares(self._due)}".rstrip())
        self._due = None

    def _of(self) -> str:
        return f"/{self._rounds}" if self._rounds else ""

    def _fares(self, done: int) -> str:
        """The means of what each peer's last evaluation gave, and when that was, if it is old."""
        parts = []
        for group, label in _ACCURACIES.items():
            mean = _mean(self._accuracy, self._groups[group])
            if mean is not None:
                parts.append(f"{label} {100 * mean:.1f} %")
        when = f" in round {self._measured}" if self._measured < done else ""
        text = f"accuracy{when}: {', '.join(parts)}" if parts else ""
        won = _mean(self._success, self._groups["server"] or self._groups["benign"])
        return text if won is None else f"{text}; ASR {100 * won:.1f} %"

    def stop(self) -> None:
        """Take the bar away."""
        if self._over:
            self._show()
        if self._bar is not None:
            self._bar.stop()
            self._bar = self._task = None

    def ends(self, record: Record) -> None:
        """Show the table."""
        self.stop()
        show(record, self._console)

    def _say(self, text: str) -> None:
        self._console.print(text, highlight=False, soft_wrap=True)


def _mean(values: Mapping[int, float], peers: Sequence[int]) -> float | None:
    known = [values[peer] for peer in peers if peer in values]
    return fmean(known) if known else None


def describe(experiment: Experiment) -> str:
    """One line: peers, graph, adversaries, attack, defense, and samples that are held out."""
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
    held_out = scenario.server.held_out if scenario.server else 0
    kept = held_out_words(held_out, scenario.data.withheld)
    return f"{text}; defense {method_name(scenario)}{kept}"


def _few(peers: Sequence[int]) -> str:
    return ", ".join(map(str, peers[:12])) + (", ..." if len(peers) > 12 else "")
