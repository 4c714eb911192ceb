"""Many runs of one scenario: every combination of the values that its ``sweep`` section lists.

::

    sweep:
      attack: [{kind: none}, {kind: sign_flip, scale: 4.0}]
      defense.rule.f: [1, 2]

A range is written out, as ``scenarios.ranges`` says: ``seed: {from: 1, to: 5}``. What belongs
together is set together, under a name of one's own::

    sweep:
      hostile:
        - {name: 20 %, set: {topology.byzantine: 2, topology.benign: 8}}
        - {name: 40 %, set: {topology.byzantine: 4, topology.benign: 6}}

A scenario may also ``compare`` methods (``scenarios.methods``), which then are the first axis.

Beside the cells run their references (``scenarios.references``), each once.

Each cell runs inline in a process of its own. A folder of a sweep is never lost: cells that are
done are skipped, so a sweep that was stopped goes on where it was when it is called again.
"""

import json
import shlex
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import product
from pathlib import Path
from typing import Any

from p2pfl.errors import P2PFLError, ScenarioError
from scenarios.cell_folders import folders_of
from scenarios.curve.plan import CurvePlan, read_plan
from scenarios.loader import Draft, Loaded, read_change, tree_of
from scenarios.methods import METHOD, check_axis, check_methods, withheld_alike
from scenarios.ranges import values_of
from scenarios.reader import Place
from scenarios.references import REFERENCES, Reference, reference_of
from scenarios.schema import Evaluate


@dataclass(frozen=True, slots=True)
class Axis:
    """One key of the sweep and its values, with a short name for each."""

    key: str
    values: tuple[Any, ...]
    names: tuple[str, ...]
    stands: tuple[Place, ...]
    """Where in the file each value stands."""

    @property
    def numbers(self) -> tuple[float, ...] | None:
        """The values, if all are numbers."""
        plain = all(isinstance(v, int | float) and not isinstance(v, bool) for v in self.values)
        return self.values if plain else None


@dataclass(frozen=True, slots=True)
class Cell:
    """One combination."""

    names: tuple[str, ...]
    """Of its values, by axis. A reference's begins with its own name."""
    folder: Path
    loaded: Loaded


@dataclass(frozen=True, slots=True)
class References:
    """The reference runs of a sweep's cells. Cells whose references are the same share them."""

    cells: tuple[Cell, ...]
    by_cell: Mapping[Path, Mapping[Reference, Path]]
    """The folders of a cell's references, by its own folder."""

    @classmethod
    def of(cls, cells: Sequence[Cell], folder: Path) -> "References":
        """Of all cells that have peers among themselves, in a folder of their own."""
        made: dict[str, tuple[Reference, Loaded]] = {}
        shared: dict[str, list[Cell]] = {}
        wanted: dict[Path, dict[Reference, str]] = {}
        for cell in cells:
            for name in REFERENCES:
                loaded = reference_of(cell.loaded, name)
                if loaded is not None:
                    text = json.dumps(tree_of(loaded.scenario))  # YAML takes ten times as long
                    made.setdefault(text, (name, loaded))
                    shared.setdefault(text, []).append(cell)
                    wanted.setdefault(cell.folder, {})[name] = text
        folders = folders_of([loaded.scenario for _, loaded in made.values()], folder)
        of = dict(zip(made, folders, strict=True))
        return cls(
            tuple(
                Cell(_names(name, shared[text], cells), of[text], loaded)
                for text, (name, loaded) in made.items()
            ),
            {cell: {name: of[text] for name, text in own.items()} for cell, own in wanted.items()},
        )

    def summaries(
        self, cell: Cell, known: Mapping[Path, Mapping[str, Any]]
    ) -> dict[Reference, Mapping[str, Any]]:
        """What is known of a cell's references."""
        return {name: known[folder] for name, folder in self.by_cell.get(cell.folder, {}).items()}


def _names(reference: Reference, shared: Sequence[Cell], cells: Sequence[Cell]) -> tuple[str, ...]:
    """What it is called: by axis, what the cells that share it have in common and not all have."""
    columns = (zip(*(cell.names for cell in each), strict=True) for each in (shared, cells))
    first, *rest = (
        own[0] if len(set(own)) == 1 < len(set(every)) else ""
        for own, every in zip(*columns, strict=True)
    )
    return (f"{reference}, {first}" if first else reference, *rest)


@dataclass(frozen=True, slots=True)
class Sweep:
    """All cells of a sweep, checked."""

    axes: tuple[Axis, ...]
    cells: tuple[Cell, ...]
    folder: Path
    references: References
    """Runs beside the cells, to hold them against."""
    sweeps: tuple[str, ...] = ()
    """Axes that were given on the command line."""
    curve: CurvePlan = field(default_factory=CurvePlan)
    """What ``p2pfl curve`` makes of it."""
    evaluate: Evaluate = field(default_factory=Evaluate)
    """Of its cells, which have the same score and the same late rounds."""

    @property
    def scored(self) -> str:
        """When the accuracy is taken that its tables show, to append; "" after the last round."""
        late = self.evaluate.late_rounds
        rounds = "sixth of the rounds" if late is None else f"{late} rounds"
        return {
            "last": "",
            "best": " at the best round",
            "late": f" over the last {rounds}",
        }[self.evaluate.score]

    def command(self, name: str) -> str:
        """The command line that goes on with it."""
        loaded = self.cells[0].loaded
        sets = [part for each in loaded.sets for part in ("--set", each)]
        sweeps = [part for each in self.sweeps for part in ("--sweep", each)]
        words = ["p2pfl", name, loaded.source, *sets, *sweeps, "--out", str(self.folder)]
        return shlex.join(words)

    @property
    def compares(self) -> bool:
        """Whether it sets methods side by side; then they are the first axis."""
        return self.axes[0].key == METHOD


def load_sweep(
    source: str | Path,
    sets: Sequence[str] = (),
    out: Path | None = None,
    sweeps: Sequence[str] = (),
) -> Sweep:
    """Read a scenario with ``sweep`` or ``compare``, and check every cell before anything runs.

    Args:
        source: A path or a bundled name.
        sets: Changes, as for ``load``.
        out: The sweep's folder, new or of the same sweep; None is ``runs/NAME``.
        sweeps: Further axes, such as ``"seed=[1, 2]"`` or ``"rounds={from: 1, to: 3}"``; in the
            place of the file's axis of that key, if it has one.

    Raises:
        ScenarioError: If a cell is no valid scenario, or a section is not as above.
    """
    draft = Draft.read(source, sets)
    axes = _methods(draft, sets)
    plan = read_plan(draft, sets)
    draft.tree.pop("curve", None)
    section = draft.tree.pop("sweep", {} if axes or sweeps else None)
    if not isinstance(section, dict) or not (section or axes or sweeps):
        example = "sweep: {seed: [1, 2, 3]}"
        if section is None:
            raise ScenarioError(
                f"{draft.source} says nothing to sweep over: give it a section such as "
                f"`{example}`, or --sweep 'seed=[1, 2, 3]'"
            )
        raise draft.wrong(
            ("sweep",), f"allowed: a mapping of keys to lists, such as {example}", sets
        )
    of_file = {str(key): (("sweep", key), values) for key, values in section.items()}
    given = dict(read_change("--sweep", each, "seed=[1, 2, 3]") for each in sweeps)
    of_line = {key: ((f"--sweep {key}",), values) for key, values in given.items()}
    for key, (stands, values) in (of_file | of_line).items():
        if axes and axes[0].key == METHOD:
            check_axis(draft, axes[0].values, key, sets)
        try:
            axes += (_axis(key, values, stands),)
        except ValueError as error:
            raise draft.wrong(stands, str(error), sets) from error
    runtime = {**draft.tree.get("runtime", {}), "executor": "inline"}
    base = draft.with_value("runtime", runtime, ("runtime",))
    folder = out or Path("runs") / str(draft.tree.get("name", "sweep"))
    chosen_names, runs = [], []
    for picks in product(*(range(len(axis.values)) for axis in axes)):
        chosen = base
        for axis, pick in zip(axes, picks, strict=True):
            chosen = _chosen(chosen, axis, pick)
        names = tuple(axis.names[pick] for axis, pick in zip(axes, picks, strict=True))
        with naming(axes, names):
            runs.append(chosen.loaded(sets))
        chosen_names.append(names)
    if axes[0].key == METHOD:
        runs = withheld_alike(runs)
    folders = folders_of([loaded.scenario for loaded in runs], folder / "cells")
    cells = tuple(map(Cell, chosen_names, folders, runs))
    references = References.of(cells, folder / "references")
    return Sweep(axes, cells, folder, references, tuple(sweeps), plan, _evaluate(runs))


def _evaluate(runs: Sequence[Loaded]) -> Evaluate:
    """That of the first, once all have its score."""
    all_ = [loaded.scenario.evaluate for loaded in runs]
    if len({(each.score, each.late_rounds) for each in all_}) > 1:
        raise ScenarioError(
            "evaluate.score and evaluate.late_rounds say what the tables show of all cells, which "
            "differ in them: give them once"
        )
    return all_[0]


def _methods(draft: Draft, sets: Sequence[str]) -> tuple[Axis, ...]:
    """The axis of the methods that are compared; none if there are none."""
    if "compare" not in draft.tree:
        return ()
    section = draft.tree.pop("compare")
    check_methods(draft, section, sets)
    names = tuple(method["name"] for method in section)
    stands = tuple(("compare", number) for number in range(len(section)))
    return (Axis(METHOD, tuple(section), names, stands),)


def _chosen(draft: Draft, axis: Axis, pick: int) -> Draft:
    """One value of an axis: of its key, or of all keys that the value sets."""
    value, stands = axis.values[pick], axis.stands[pick]
    if not _sets(value):
        return draft.with_value(axis.key, value, stands)
    for key, each in value["set"].items():
        draft = draft.with_value(str(key), each, (*stands, "set", str(key)))
    return draft


def _sets(value: Any) -> bool:
    """Whether a value sets several keys at once; its axis then has a name of its own."""
    return isinstance(value, dict) and isinstance(value.get("set"), dict) and "name" in value


@contextmanager
def naming(axes: Sequence[Axis], names: Sequence[str]) -> Iterator[None]:
    """What is found to be wrong in here says in which cell."""
    try:
        yield
    except P2PFLError as error:
        pairs = (f"{axis.key}: {name}" for axis, name in zip(axes, names, strict=True))
        error.add_note(f"in the cell with {', '.join(pairs)}")
        raise


def _axis(key: str, section: Any, stands: Place) -> Axis:
    values = values_of(section)
    names = [_short(value) for value in values]
    twice = {name for name in names if names.count(name) > 1}
    # Two of a kind are told apart by what they set.
    full = [
        json.dumps(value) if name in twice else name
        for name, value in zip(names, values, strict=True)
    ]
    listed = isinstance(section, list)
    places = tuple((*stands, k) if listed else stands for k in range(len(values)))
    return Axis(key, tuple(values), tuple(full), places)


def _short(value: Any) -> str:
    """``krum`` for ``{kind: rule, rule: {kind: krum, f: 1}}``, ``0.1`` for 0.1.

    ``label_flip + alie`` for two groups of adversaries.
    """
    if isinstance(value, list) and value and all(isinstance(part, dict) for part in value):
        return " + ".join(map(_short, value))
    if not isinstance(value, dict):
        return str(value)
    if _sets(value):
        return str(value["name"])
    if isinstance(value.get("attack"), dict):
        return _short(value["attack"])
    if isinstance(value.get("rule"), dict) and value.get("kind") == "rule":
        return _short(value["rule"])
    return str(value.get("kind", value.get("use", json.dumps(value))))
