"""Trees of plain values (what YAML and JSON know) to dataclasses and back, strictly.

The dataclasses are the schema: their fields are the keys, and where variants may stand, ``kind``
or ``use`` says which. Plain values are left to pydantic in its strict JSON mode: a list is a tuple,
1 is a float, and "1" is no number. A reader goes on after a problem, so one message lists them all.
"""

import json
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, is_dataclass
from difflib import get_close_matches
from pathlib import Path
from typing import Any, TypeAlias

from pydantic import PydanticUserError, ValidationError

from p2pfl.errors import ScenarioError
from scenarios.shapes import (
    Many,
    OneOrMany,
    OneOrPlain,
    Plain,
    Variants,
    annotations,
    required,
    settable,
    shape,
)
from scenarios.variants import Family, kind_of, load_use, reference_to

Place: TypeAlias = tuple[str | int, ...]
"""Where in a tree: ``("defense", "rule", "f")``."""


@dataclass(frozen=True, slots=True)
class Problem:
    """What is wrong at one place of a tree."""

    place: Place
    text: str


class Bad:
    """Stands for a value that could not be read; why is noted."""


BAD = Bad()


class Reader:
    """Reads one tree and notes what is wrong."""

    def __init__(self, families: tuple[Family, ...], folder: Path) -> None:
        """Make it.

        Args:
            families: What ``kind`` and ``use`` can name.
            folder: Where users' own modules lie.
        """
        self.problems: list[Problem] = []
        self._families = families
        self._folder = folder

    def read(self, annotation: Any, tree: Any, place: Place = ()) -> Any:
        """The value that a tree stands for, or ``BAD`` where ``problems`` says why."""
        match shape(annotation, self._families):
            case Variants(optional=True) | Many(optional=True) if tree is None:
                return None
            case Variants() as options:
                return self._variant(options, tree, place)
            case OneOrMany(one, many):
                return self.read(many if isinstance(tree, list) else one, tree, place)
            case OneOrPlain(one, other):
                return self.read(one if isinstance(tree, dict) else other, tree, place)
            case Many("list", inner):
                if not isinstance(tree, list):
                    return self._note(place, f"came {show(tree)}; allowed: a list")
                parts = [self.read(inner, part, (*place, i)) for i, part in enumerate(tree)]
                return BAD if BAD in parts else tuple(parts)
            case Many("mapping", inner):
                if not isinstance(tree, dict):
                    return self._note(place, f"came {show(tree)}; allowed: a mapping")
                read = {key: self.read(inner, part, (*place, key)) for key, part in tree.items()}
                return BAD if BAD in read.values() else read
            case Plain() as leaf:
                return self._plain(leaf, tree, place)

    def _variant(self, options: Variants, tree: Any, place: Place) -> Any:
        named = options.kinds()
        if not isinstance(tree, dict):
            text = f"came {show(tree)}; allowed: a mapping"
            if named:
                text += f" such as {{kind: {_nearest(tree, named) or next(iter(named))}}}"
            return self._note(place, text)
        if options.family is not None and "use" in tree:
            return self._own(options.family, tree, place)
        if "kind" not in tree:
            if (only := options.without_kind()) is not None:
                return self._fields(only, tree, place)
            own = ' (or use: "my_module:MyClass")' if options.family else ""
            return self._note(place, f"kind is missing; allowed: {', '.join(named)}{own}")
        if not named:
            return self._fields(options.classes[0], tree, place)
        kind = tree["kind"]
        if not isinstance(kind, str) or kind not in named:
            text = f"came {show(kind)}; allowed: {', '.join(named)}"
            hint = did_you_mean(kind, named) or self._within(kind, named)
            return self._note((*place, "kind"), text + hint)
        return self._fields(named[kind], tree, place)

    def _within(self, kind: Any, named: Mapping[str, type]) -> str:
        """The end of a message, where a variant holds one of that kind: the median is a rule."""
        for outer, cls in named.items():
            inner = annotations(cls).get(outer)
            if inner is None:
                continue
            match shape(inner, self._families):
                case Variants() as options if near := _nearest(kind, options.kinds()):
                    return f"; {near} is a {outer}: {{kind: {outer}, {outer}: {{kind: {near}}}}}"
        return ""

    def _own(self, family: Family, tree: dict[Any, Any], place: Place) -> Any:
        reference = tree["use"]
        if not isinstance(reference, str):
            text = f"came {show(reference)}; allowed: a name such as 'my_module:MyClass'"
            return self._note((*place, "use"), text)
        try:
            cls = load_use(reference, self._folder)
            for annotation in annotations(cls).values():
                shape(annotation, self._families)
        except ScenarioError as error:
            return self._note((*place, "use"), str(error))
        except (NameError, TypeError, PydanticUserError) as error:
            text = f"{reference} has a field that no scenario can set: {error}"
            return self._note((*place, "use"), text)
        if lacking := family.lacks(cls):
            text = f"{reference} cannot stand among the {family.name}: it lacks "
            return self._note((*place, "use"), text + ", ".join(lacking))
        return self._fields(cls, {key: x for key, x in tree.items() if key != "use"}, place)

    def _fields(self, cls: type, tree: dict[Any, Any], place: Place) -> Any:
        known = annotations(cls)
        before = len(self.problems)
        for key in [key for key in tree if key not in known]:
            allowed = f"unknown key; allowed here: {', '.join(known) or 'no keys'}"
            self._note((*place, key), allowed + did_you_mean(key, known))
        for field in settable(cls):
            if required(field) and field.name not in tree:
                self._note(
                    (*place, field.name), f"is missing; {kind_of(cls) or 'it'} has no default"
                )
        read = {
            key: self.read(annotation, tree[key], (*place, key))
            for key, annotation in known.items()
            if key in tree
        }
        if len(self.problems) > before:
            return BAD
        try:
            return cls(**read)
        except (ValueError, TypeError) as error:
            # A check names the field that it is about first: then point at that line.
            first = re.match(r"\w+", str(error))
            about = (first[0],) if first and first[0] in known else ()
            return self._note((*place, *about), str(error))

    def _plain(self, leaf: Plain, tree: Any, place: Place) -> Any:
        try:
            return leaf.adapter.validate_json(json.dumps(tree))
        except ValidationError as error:
            found: dict[Place, tuple[Any, list[str]]] = {}
            for detail in error.errors(include_url=False):
                inner, came = _inside(tree, detail["loc"])
                texts = found.setdefault(inner, (came, []))[1]
                texts.append(detail["msg"].removeprefix("Input should be "))
            for inner, (came, texts) in found.items():
                allowed = " or ".join(dict.fromkeys(texts))
                names = re.findall(r"'([^']*)'", allowed)
                text = f"came {show(came)}; allowed: {allowed}"
                self._note((*place, *inner), text + did_you_mean(came, names))
            return BAD

    def _note(self, place: Place, text: str) -> Bad:
        self.problems.append(Problem(place, text))
        return BAD


def _inside(tree: Any, location: Sequence[str | int]) -> tuple[Place, Any]:
    """The steps of a location that are in the tree, and what is there.

    pydantic puts the names of a union's types among them.
    """
    place: list[str | int] = []
    for step in location:
        steps: Any = tree if isinstance(tree, dict) else ()
        if isinstance(tree, list):
            steps = range(len(tree))
        if step in steps:
            tree = tree[step]
            place.append(step)
    return tuple(place), tree


def show(value: Any) -> str:
    """A value as a message shows it: short, and with its type where that may be the point."""
    if value is None:
        return "nothing (null)"
    text = json.dumps(value, ensure_ascii=False, default=str)
    text = text if len(text) <= 60 else text[:57] + "..."
    match value:
        case str():
            return f"{text} (text)"
        case dict():
            return f"{text} (a mapping)"
        case list():
            return f"{text} (a list)"
    return text


def _nearest(came: Any, names: Iterable[str]) -> str | None:
    near = get_close_matches(str(came), list(names), n=1)
    return near[0] if near else None


def did_you_mean(came: Any, names: Iterable[str]) -> str:
    """The nearest known name, as the end of a message; empty if none is near."""
    near = _nearest(came, names)
    return f"; did you mean {near!r}?" if near else ""


def plain(annotation: Any, value: Any, families: tuple[Family, ...]) -> Any:
    """The tree that reads as this value, with every default written out."""
    match shape(annotation, families):
        case Variants() | Many() if value is None:
            return None
        case Variants() as options:
            cls: type = type(value)
            kind = kind_of(cls)
            tree: dict[str, Any] = {} if kind is None else {"kind": kind}
            if cls not in options.classes:
                tree = {"use": reference_to(cls)}
            for name, inner in annotations(cls).items():
                tree[name] = plain(inner, getattr(value, name), families)
            return tree
        case OneOrMany(one, many):
            return plain(many if isinstance(value, tuple) else one, value, families)
        case OneOrPlain(one, other):
            return plain(one if is_dataclass(value) else other, value, families)
        case Many("list", inner):
            return [plain(inner, part, families) for part in value]
        case Many("mapping", inner):
            return {key: plain(inner, part, families) for key, part in value.items()}
        case Plain(adapter):
            return adapter.dump_python(value, mode="json")
