"""What there is to choose from, as ``p2pfl list`` shows it."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from typing import Any, Literal, get_args, get_origin

from rich.console import Console, Group, RenderableType
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from p2pfl.data import DATASETS
from scenarios.docs import field_docs, source, summary
from scenarios.families import FAMILIES
from scenarios.loader import bundled
from scenarios.reader import plain, show
from scenarios.shapes import OneOrPlain, Plain, annotations, default, required, settable, shape


@dataclass(frozen=True, slots=True)
class Key:
    """One hyper-parameter."""

    name: str
    type: str
    required: bool
    default: Any
    text: str


@dataclass(frozen=True, slots=True)
class Entry:
    """One thing that a scenario can name."""

    name: str
    text: str
    source: str = ""
    knowledge: str = ""
    keys: tuple[Key, ...] = field(default=())


def catalogue() -> dict[str, tuple[Entry, ...]]:
    """Everything, by family."""
    return {
        **{family.name: tuple(map(_entry, family.variants)) for family in FAMILIES},
        "datasets": tuple(Entry(source.name, source.summary) for source in DATASETS),
        "scenarios": tuple(Entry(name, _first_comment(path)) for name, path in bundled().items()),
    }


def as_json(chosen: dict[str, tuple[Entry, ...]]) -> dict[str, Any]:
    """The same as plain values."""
    return {name: [asdict(entry) for entry in entries] for name, entries in chosen.items()}


def show_all(chosen: dict[str, tuple[Entry, ...]], console: Console, verbose: bool) -> None:
    """Print it: one line per entry, with ``verbose`` its keys below."""
    for name, entries in chosen.items():
        console.print(Text(name, style="bold"))
        console.print(Padding(_table(entries, verbose), (0, 0, 1, 2), expand=False))


def _entry(variant: type) -> Entry:
    docs = field_docs(variant)
    hints = annotations(variant)
    name = ""
    keys = []
    for each in settable(variant):
        if each.name == "kind":
            name = str(each.default)
            continue
        value = None if required(each) else plain(hints[each.name], default(each), FAMILIES)
        text = docs.get(each.name, "")
        keys.append(Key(each.name, type_text(hints[each.name]), required(each), value, text))
    knowledge = getattr(variant, "knowledge", "")  # of attacks; a field where it can be chosen
    return Entry(
        name,
        summary(variant),
        source(variant),
        knowledge if isinstance(knowledge, str) else "",
        tuple(keys),
    )


def type_text(annotation: Any) -> str:
    """An annotation as a reader of scenario files would write it."""
    found = shape(annotation, FAMILIES)
    if isinstance(found, OneOrPlain):
        return f"{type_text(found.plain)} | {type_text(found.one)}"
    if not isinstance(found, Plain):
        inner = shape(found.inner, FAMILIES) if hasattr(found, "inner") else found
        family = getattr(inner, "family", None)
        return f"one of the {family.name}" if family else "a mapping"
    if get_origin(annotation) is Literal:
        return " | ".join(map(repr, get_args(annotation)))
    if isinstance(annotation, type) and not get_args(annotation):
        return annotation.__name__
    return str(annotation).replace("typing.", "").replace("collections.abc.", "")


def _table(entries: Sequence[Entry], verbose: bool) -> Table:
    table = Table.grid(padding=(0, 2))
    table.add_column(no_wrap=True, style="cyan")
    table.add_column()
    for entry in entries:
        body: RenderableType = Text(entry.text)
        if verbose:
            facts = (("source", entry.source), ("knowledge", entry.knowledge))
            told = [Text.assemble((name, "dim"), f": {text}") for name, text in facts if text]
            body = Group(body, *told, *map(_line, entry.keys))
        table.add_row(entry.name, body)
    return table


def _line(key: Key) -> Text:
    value = "required" if key.required else f"default {show(key.default)}"
    return Text.assemble((key.name, "green"), f": {key.type}, {value}. {key.text}")


def _first_comment(path: Any) -> str:
    """What a scenario says of itself: the comment on its first line."""
    first = str(path.read_text(encoding="utf-8")).partition("\n")[0]
    return first.lstrip("# ").strip() if first.startswith("#") else ""
