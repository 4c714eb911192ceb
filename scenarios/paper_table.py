"""The tables of a sweep as papers have them: defense by attack, mean and spread over seeds.

The spread is the standard deviation over the seeds (by n - 1); with one seed there is none. The
best of a column, as it is printed, is in bold. The mean over the attacks, ``none`` apart, has the
spread over the seeds of that mean. The worst case of a line is that attack under which its mean
over the seeds is worst: what an adversary reaches who knows the defense and not the seeds.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import product
from statistics import fmean, stdev
from typing import Any, NamedTuple

from scenarios.methods import METHOD
from scenarios.references import REFERENCES
from scenarios.seeds import is_seed
from scenarios.sweep import Axis, Sweep


class Figure(NamedTuple):
    """A result by which methods are judged; a share in [0, 1]."""

    column: str
    title: str
    higher_is_better: bool


def figures_of(sweep: Sweep) -> tuple[Figure, ...]:
    """Accuracy, that of the worst benign peer, and ASR; which ones, ``evaluate.score`` says."""
    score, when = sweep.evaluate.score, sweep.scored
    last = "" if score == "last" else " after the last round"
    accuracy = {"last": "accuracy", "best": "best", "late": "late_mean"}[score]
    asr, of_asr = ("late_asr", when) if score == "late" else ("asr", last)
    return (
        Figure(accuracy, f"test accuracy{when}", True),
        Figure("benign_worst", f"accuracy of the worst benign peer{last}", True),
        Figure(asr, f"attack success rate (ASR){of_asr}", False),
    )


class Entry(NamedTuple):
    """A result over the seeds, a share in [0, 1]; None where no cell has one."""

    mean: float | None
    spread: float | None
    failed: bool = False

    def text(self, between: str = "±") -> str:
        """In percent, with one decimal."""
        if self.failed:
            return "failed"
        if self.mean is None:
            return "-"
        spread = "" if self.spread is None else f" {between} {100 * self.spread:.1f}"
        return f"{100 * self.mean:.1f}{spread}"


class Line(NamedTuple):
    """One line of a table: an entry per column, and if columns are attacks what they come to."""

    name: str
    entries: tuple[Entry, ...]
    mean: Entry
    """Over the attacks."""
    worst: int | None = None
    """Which column is the worst case."""

    @property
    def worst_entry(self) -> Entry | None:
        """That of the worst case."""
        return None if self.worst is None else self.entries[self.worst]


@dataclass(frozen=True, slots=True)
class PaperTable:
    """One result over two axes, at one value of each further axis but seeds."""

    figure: Figure
    at: Mapping[str, str]
    """The values of the further axes."""
    down: str
    across: str
    columns: tuple[str, ...]
    lines: tuple[Line, ...]
    references: tuple[Line, ...]
    """What the lines are held against; they compete with none."""
    seeds: int
    """Over how many combinations of seeds' values."""
    crossed: bool
    """Whether several seeds were varied."""
    worst_case: bool
    """Whether there is a worst case over the columns."""
    attacks: int
    """How many columns are attacks, those without any apart; 0 if columns are something else."""

    @property
    def over(self) -> str:
        """What the means are over."""
        many = "combinations of seeds" if self.crossed else "seeds"
        return f"{self.seeds} {many if self.seeds > 1 else 'seed'}"

    @property
    def title(self) -> str:
        """What is shown, in one sentence."""
        over = f"mean ± standard deviation over {self.over}" if self.seeds > 1 else "one seed"
        at = "".join(f"; {key}: {name}" for key, name in self.at.items())
        better = "higher" if self.figure.higher_is_better else "lower"
        return f"{self.figure.title} in %, {over}, {better} is better{at}"

    def best(self, entries: Iterable[Entry | None]) -> frozenset[str]:
        """The lines whose entry, in their order, is the best of these."""
        shown = {
            line.name: entry.text().split()[0]
            for line, entry in zip(self.lines, entries, strict=True)
            if entry is not None and not entry.failed and entry.mean is not None
        }
        if not shown:
            return frozenset()
        pick = max if self.figure.higher_is_better else min
        best = pick(shown.values(), key=float)
        return frozenset(name for name, text in shown.items() if float(text) == float(best))


class Layout(NamedTuple):
    """Which axis goes where."""

    down: Axis | None
    across: Axis | None
    further: tuple[Axis, ...]
    seeds: tuple[Axis, ...]


def layout_of(sweep: Sweep) -> Layout:
    """Defenses go down and attacks across, or else the first two axes that are no seeds."""
    seeds = tuple(axis for axis in sweep.axes if is_seed(axis.key))
    plain = [axis for axis in sweep.axes if not is_seed(axis.key)]
    attack = next((axis for axis in plain if _first(axis) == "attack"), None)
    rest = [axis for axis in plain if axis is not attack]
    down = next((a for a in rest if _first(a) in (METHOD, "defense", "server")), None)
    down = down or (rest[0] if rest else None)
    rest = [axis for axis in rest if axis is not down]
    if down is None:  # attacks alone
        return Layout(attack, None, (), seeds)
    across = attack or (rest[0] if rest else None)
    return Layout(down, across, tuple(axis for axis in rest if axis is not across), seeds)


def _first(axis: Axis) -> str:
    """The section that an axis changes; of values that set several keys, that of their first."""
    value = axis.values[0]
    if axis.key != METHOD and isinstance(value, dict) and isinstance(value.get("set"), dict):
        return str(next(iter(value["set"]), "")).partition(".")[0]
    return axis.key.partition(".")[0]


def paper_tables(sweep: Sweep, rows: Sequence[Mapping[str, Any]]) -> list[PaperTable]:
    """A table for each figure that was measured and each value of the further axes."""
    layout = layout_of(sweep)
    tables = []
    accuracy, *_ = figures = figures_of(sweep)
    for figure in figures:
        if all(row[figure.column] is None for row in rows) and figure is not accuracy:
            continue
        for names in product(*(axis.names for axis in layout.further)):
            at = {axis.key: name for axis, name in zip(layout.further, names, strict=True)}
            those = [row for row in rows if at.items() <= row.items()]
            tables.append(_table(layout, those, figure, at, every=figure is accuracy))
    return tables


def _table(
    layout: Layout,
    rows: Sequence[Mapping[str, Any]],
    figure: Figure,
    at: Mapping[str, str],
    every: bool,
) -> PaperTable:
    """Of one figure; ``every`` column, or only those that have some of it."""
    down, across = layout.down, layout.across
    columns = across.names if across else (figure.column,)
    if across and not every:  # attacks without a target have no ASR
        columns = tuple(
            name
            for name in columns
            if any(
                row[figure.column] is not None or row["status"] != "done"
                for row in rows
                if row[across.key] == name
            )
        )
    of_attacks = across is not None and _first(across) == "attack"
    worst_case = of_attacks and len(columns) > 1
    attacks = [name for name in columns if name != "none"] if of_attacks else []

    def those(line: str | None, *chosen: str) -> list[Mapping[str, Any]]:
        return [
            row
            for row in rows
            if (down is None or line is None or row[down.key] == line)
            and (across is None or row[across.key] in chosen)
        ]

    def over_seeds(those: Sequence[Mapping[str, Any]], column: str) -> Entry:
        return Entry(*_over(list(_by_seed(layout, those, column))))

    def line_of(name: str) -> Line:
        entries = tuple(_entry(those(name, column), figure.column) for column in columns)
        under_attack = those(name, *attacks)
        failed = any(row["status"] != "done" for row in under_attack)
        mean = _FAILED if failed else over_seeds(under_attack, figure.column)
        return Line(name, entries, mean, _worst(entries, figure) if worst_case else None)

    references: list[Line] = []
    # The references are known after their last round.
    for name in REFERENCES if figure.column == "accuracy" else ():
        found = tuple(over_seeds(those(None, column), name) for column in columns)
        if any(entry.mean is not None for entry in found):
            references.append(Line(name, found, over_seeds(those(None, *attacks), name)))
    seeds = 1
    for axis in layout.seeds:
        seeds *= len(axis.names)
    return PaperTable(
        figure,
        at,
        down.key if down else "",
        across.key if across else "",
        columns,
        tuple(map(line_of, down.names if down else ("all",))),
        tuple(references),
        seeds,
        sum(len(axis.names) > 1 for axis in layout.seeds) > 1,
        worst_case,
        len(attacks),
    )


_FAILED = Entry(None, None, failed=True)


def _entry(rows: Sequence[Mapping[str, Any]], column: str) -> Entry:
    if any(row["status"] != "done" for row in rows):
        return _FAILED
    return Entry(*_over([row[column] for row in rows if row[column] is not None]))


def _over(values: Sequence[float]) -> tuple[float | None, float | None]:
    if not values:
        return None, None
    return fmean(values), stdev(values) if len(values) > 1 else None


def _by_seed(layout: Layout, rows: Sequence[Mapping[str, Any]], column: str) -> Iterator[float]:
    """The mean of each combination of seeds, over the attacks or the lines of these rows."""
    found: dict[tuple[str, ...], list[float]] = {}
    for row in rows:
        if row[column] is not None:
            seed = tuple(row[axis.key] for axis in layout.seeds)
            found.setdefault(seed, []).append(row[column])
    return map(fmean, found.values())


def _worst(entries: Sequence[Entry], figure: Figure) -> int | None:
    """The first of the worst; None if nothing is known."""
    means = {k: entry.mean for k, entry in enumerate(entries) if entry.mean is not None}
    if not means:
        return None
    pick = min if figure.higher_is_better else max
    return pick(means, key=lambda k: means[k])
