"""Scenario files: found, read, changed by ``--set``, and told apart from broken ones.

YAML 1.2: ``1e-3`` is a number, ``yes`` is text, and a key that comes twice is refused. Importing
this module is cheap; the first :func:`load` imports torch with the variants.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date
from difflib import get_close_matches
from importlib.resources import files
from io import StringIO
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ruamel.yaml import YAML
from ruamel.yaml.error import MarkedYAMLError, YAMLError

from p2pfl.errors import ScenarioError
from scenarios.complaints import invalid

if TYPE_CHECKING:
    from scenarios.reader import Place, Problem
    from scenarios.schema import Scenario

DEEPEST = 100
"""Levels that a scenario's lists and mappings may be nested."""
MOST_VALUES = 100_000
"""What a scenario may hold, with what aliases repeat."""


@dataclass(frozen=True, slots=True)
class Loaded:
    """A valid scenario, and where it came from."""

    scenario: "Scenario"
    folder: Path
    """Where it lies: its users' modules and graph files are looked for here."""
    source: str
    """The path or bundled name that was asked for."""
    sets: tuple[str, ...] = ()
    """What was changed: ``"rounds=3"``."""
    origin: Mapping[str, Any] | None = None
    """Of what it is a variation, as its run folder's origin.json says; None: of nothing."""
    draft: "Draft | None" = field(default=None, repr=False, compare=False)
    """Its file; None if it has none."""

    def located(self, message: str) -> str:
        """A message that begins with a key of the file, such as ``"topology: ..."``, with its line.

        Others are as they were: what the file does not say has no line.
        """
        key, colon, text = message.partition(": ")
        steps = [int(step) if step.isdecimal() else step for step in key.split(".")]
        is_key = re.fullmatch(r"\w+(\.\w+)*", key) is not None
        if self.draft is None or not (colon and is_key and steps[0] in self.draft.tree):
            return message
        return str(self.draft.wrong(self.draft.in_file(tuple(steps)), text, self.sets))


def load(source: str | Path, sets: Sequence[str] = ()) -> Loaded:
    """Read a scenario.

    Args:
        source: A path, or the name of a bundled scenario such as ``"quickstart"``.
        sets: Changes such as ``"defense.rule.f=2"`` or ``"defense={kind: gossip_average}"``, in
            this order. The value is YAML. A number in the path is a place in a list.

    Raises:
        ScenarioError: There is no such file, it is no YAML, or it is no valid scenario; the message
            lists all that is wrong, with line, path, what came and what is allowed.
    """
    draft = Draft.read(source, sets)
    if "sweep" in draft.tree:
        raise ScenarioError(
            f"{source}: has a sweep, so it is many runs: use `p2pfl sweep {source}`"
        )
    if "compare" in draft.tree:
        raise ScenarioError(
            f"{source}: compares methods, so it is many runs: use `p2pfl sweep {source}`"
        )
    return draft.loaded(sets)


@dataclass(frozen=True, slots=True)
class Draft:
    """A scenario's file as a tree of plain values, not yet checked against the schema."""

    tree: dict[str, Any]
    text: str
    path: Path
    source: str
    moved: "tuple[tuple[Place, Place], ...]" = ()
    """Keys whose values stand elsewhere in the file, and where; the last that was set first."""

    @classmethod
    def read(cls, source: str | Path, sets: Sequence[str] = ()) -> "Draft":
        """Find and parse a file, and change what ``sets`` says. Raises ScenarioError."""
        path = find(source)
        text = _read(path)
        tree = _parse(text, str(source))
        if too_large := _too_large(tree):
            raise ScenarioError(f"{source}: {too_large}")
        problems = _odd(tree, ())
        if problems:
            raise invalid(problems, text, str(source), ())
        return cls(tree, text, path, str(source)).changed(sets)

    def changed(self, sets: Sequence[str]) -> "Draft":
        """The draft with some changes, such as ``"rounds=3"``. Raises ScenarioError."""
        tree = self.tree
        for change in sets:
            tree = _changed(tree, change)
        return replace(self, tree=tree)

    def with_value(self, key: str, value: Any, stands: "Place" = ()) -> "Draft":
        """The draft with one dotted key changed. Raises ScenarioError if it leads nowhere.

        Args:
            key: Such as ``"defense.rule.f"``.
            value: A tree of plain values.
            stands: Where in the file the value stands.
        """
        steps = key.split(".")
        try:
            tree = _with(self.tree, steps, value)
        except LookupError as error:
            raise self.wrong(stands, error.args[0]) from error
        return replace(self, tree=tree, moved=((tuple(steps), stands), *self.moved))

    def wrong(self, place: "Place", text: str, sets: Sequence[str] = ()) -> ScenarioError:
        """The error that says what is wrong at a place of the file."""
        from scenarios.reader import Problem

        return invalid([Problem(place, text)], self.text, self.source, sets)

    def loaded(self, sets: Sequence[str] = ()) -> Loaded:
        """The scenario that it says. Raises ScenarioError with all that is wrong."""
        from scenarios.families import FAMILIES
        from scenarios.reader import Reader
        from scenarios.schema import Scenario

        reader = Reader(FAMILIES, self.path.parent)
        scenario = reader.read(Scenario, self.tree)
        if reader.problems:
            in_file = [replace(p, place=self.in_file(p.place)) for p in reader.problems]
            raise invalid(in_file, self.text, self.source, sets)
        folder = self.path.parent.resolve()
        return Loaded(scenario, folder, self.source, tuple(sets), draft=self)

    def in_file(self, place: "Place") -> "Place":
        """Where in the file a place of the tree is to be looked for."""
        for steps, stands in self.moved:
            if tuple(map(str, place[: len(steps)])) == steps:
                return (*stands, *place[len(steps) :])
        return place


def dump(scenario: "Scenario") -> str:
    """The scenario as YAML with every default written out. It loads again to an equal one."""
    return as_yaml(tree_of(scenario))


def tree_of(scenario: "Scenario") -> dict[str, Any]:
    """The scenario as plain values, with every default."""
    from scenarios.families import FAMILIES
    from scenarios.reader import plain
    from scenarios.schema import Scenario

    tree: dict[str, Any] = plain(Scenario, scenario, FAMILIES)
    return tree


def as_yaml(tree: Mapping[str, Any]) -> str:
    """A tree of plain values as YAML, in its own order."""
    out = StringIO()
    yaml: Any = _yaml()
    yaml.default_flow_style = False
    yaml.sort_base_mapping_type_on_output = False
    yaml.width = 4096
    yaml.dump(dict(tree), out)
    return out.getvalue()


def library() -> Path:
    """The folder of the bundled scenarios."""
    return Path(str(files("scenarios").joinpath("library")))


def bundled() -> dict[str, Path]:
    """The bundled scenarios by name: ``quickstart``, or with their folder, ``papers/NAME``."""
    root = library()
    paths = sorted(root.rglob("*.yaml"))
    return {path.relative_to(root).with_suffix("").as_posix(): path for path in paths}


def find(source: str | Path) -> Path:
    """The file that a path or a bundled name means. A file of that name comes first.

    Raises:
        ScenarioError: If there is none.
    """
    path = Path(source).expanduser()
    if path.is_file():
        return path
    known = bundled()
    if str(source) in known:
        return known[str(source)]
    what = "is a folder" if path.is_dir() else "no such file"
    by_stem = {name.rpartition("/")[2]: name for name in known}
    near = get_close_matches(path.stem, by_stem, n=1)
    hint = f"; did you mean {by_stem[near[0]]!r}?" if near else ""
    names = ", ".join(name for name in known if "/" not in name)
    raise ScenarioError(
        f"{source}: {what}; bundled scenarios: {names}, and those in papers/ and studies/ "
        f"(p2pfl list scenarios){hint}"
    )


def _yaml() -> YAML:
    return YAML(typ="safe", pure=True)


def _read(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except UnicodeDecodeError as error:
        raise ScenarioError(f"{path}: is not text in UTF-8 ({error.reason})") from error
    except OSError as error:
        raise ScenarioError(f"{path}: cannot be read: {error.strerror}") from error


def _parse(text: str, source: str) -> dict[str, Any]:
    tree = _load(text, source)
    if tree is None:
        raise ScenarioError(
            f"{source}: is empty; a scenario needs at least name, rounds, model and topology"
        )
    if not isinstance(tree, dict):
        came = "a list" if isinstance(tree, list) else repr(tree)
        raise ScenarioError(f"{source}: came {came}; allowed: a mapping, such as `name: mine`")
    return tree


def _load(text: str, where: str) -> Any:
    try:
        return _yaml().load(text)
    except YAMLError as error:
        raise ScenarioError(f"{where}{_where(error)}") from error
    except RecursionError as error:
        raise ScenarioError(f"{where}: is nested deeper than {DEEPEST} levels") from error
    except Exception as error:  # such as a ValueError for !!int foo: it comes of the text
        raise ScenarioError(f"{where}: is no valid YAML: {error}") from error


def _where(error: YAMLError) -> str:
    """Line, column and what YAML's reader has to say, on one line."""
    if not isinstance(error, MarkedYAMLError):
        return f": is no valid YAML: {' '.join(str(error).split())}"
    mark = error.problem_mark or error.context_mark
    place = f", line {mark.line + 1}, column {mark.column + 1}" if mark else ""
    said = ", ".join(text for text in (error.context, error.problem) if text)
    return f"{place}: is no valid YAML: {said}"


def _too_large(tree: Any) -> str | None:
    """Why a tree is no scenario, if it has no end or next to none: a few aliases can say that."""
    waiting, seen = [(tree, 1)], 0
    while waiting:
        part, depth = waiting.pop()
        if depth > DEEPEST:
            return f"is nested deeper than {DEEPEST} levels"
        inner = part.values() if isinstance(part, dict) else part if isinstance(part, list) else ()
        seen += len(inner)
        if seen > MOST_VALUES:
            return f"has more than {MOST_VALUES:,} values"
        waiting += [(each, depth + 1) for each in inner]
    return None


def _odd(tree: Any, place: "Place") -> "list[Problem]":
    """What YAML can say and a scenario cannot: dates, sets, bytes, keys that are no text."""
    from scenarios.reader import Problem

    if isinstance(tree, dict):
        keys = [k for k in tree if not isinstance(k, str | int) or isinstance(k, bool)]
        found = [Problem(place, f"came the key {key!r}; allowed: text") for key in keys]
        return found + [p for k, part in tree.items() for p in _odd(part, (*place, k))]
    if isinstance(tree, list):
        return [p for i, part in enumerate(tree) for p in _odd(part, (*place, i))]
    if isinstance(tree, date):
        return [Problem(place, f"came the date {tree}; for text, put it in quotes")]
    if tree is None or isinstance(tree, str | int | float):
        return []
    return [Problem(place, f"came {type(tree).__name__}; allowed: numbers, text, lists, mappings")]


def _changed(tree: dict[str, Any], change: str) -> dict[str, Any]:
    """The tree with one place changed, as ``path=value`` says."""
    key, value = read_change("--set", change, "rounds=3")
    steps = key.split(".")
    try:
        changed: dict[str, Any] = _with(tree, steps, value)
    except LookupError as error:
        raise ScenarioError(f"--set {change}: {error.args[0]}") from error
    return changed


def read_change(option: str, change: str, example: str) -> tuple[str, Any]:
    """The dotted key and the value of ``key=value`` on the command line; the value is YAML.

    Raises:
        ScenarioError: If it is something else; begins with the option's name.
    """
    path, equals, text = change.partition("=")
    key = path.strip()
    if not equals or not all(key.split(".")):
        raise ScenarioError(f"{option} {change}: allowed: a path and a value, such as {example}")
    value = _load(text, f"{option} {change}")
    if too_large := _too_large(value):
        raise ScenarioError(f"{option} {change}: {too_large}")
    for problem in _odd(value, ()):
        raise ScenarioError(f"{option} {change}: {problem.text}")
    return key, value


def _with(tree: Any, steps: Sequence[str], value: Any, above: str = "") -> Any:
    """A copy along the path: what an alias shares with another place must not change there."""
    if not steps:
        return value
    step, rest = steps[0], steps[1:]
    here = f"{above}.{step}" if above else step
    if isinstance(tree, dict) or tree is None:
        inner = (tree or {}).get(step)
        return {**(tree or {}), step: _with(inner, rest, value, here)}
    if isinstance(tree, list):
        if not step.isdecimal() or int(step) >= len(tree):
            raise LookupError(f"{above} is a list of {len(tree)}, counted from 0; came {step!r}")
        at = int(step)
        return [*tree[:at], _with(tree[at], rest, value, here), *tree[at + 1 :]]
    raise LookupError(f"{above} is {tree!r} and has nothing inside; came {step!r}")
