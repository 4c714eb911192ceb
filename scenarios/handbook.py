"""Every key of a scenario file, as Markdown: what ``p2pfl schema --markdown`` prints."""

from collections.abc import Iterator, Mapping
from dataclasses import Field, is_dataclass
from io import StringIO
from typing import Any

from ruamel.yaml import YAML

from scenarios.docs import field_docs, source, summary
from scenarios.examples import example_of
from scenarios.families import FAMILIES
from scenarios.loader import bundled
from scenarios.reader import plain
from scenarios.schema import Scenario
from scenarios.shapes import (
    Many,
    OneOrMany,
    OneOrPlain,
    Plain,
    Variants,
    annotations,
    default,
    required,
    settable,
    shape,
)
from scenarios.variants import kind_of

_UNITS = {
    "_ms": "ms",
    "_s": "s",
    "_mbps": "Mbit/s",
    "_bytes": "bytes",
    "bytes": "bytes",
    "rounds": "rounds",
    "epochs": "epochs",
    "steps": "steps",
    "samples": "samples",
    "peers": "peers",
    "_per_s": "1/s",
}
"""By the end of a key; the longest that fits."""

_WORDS = {
    "integer": "a whole number",
    "number": "a number",
    "boolean": "true or false",
    "string": "text",
    "object": "a mapping",
    "null": "null",
}

_HEAD = """\
# How to write a scenario

<!-- Made by `p2pfl schema --markdown` from the schema itself: change that. A test compares. -->

A scenario is a YAML file. It needs `name`, `model`, `topology`, and `rounds` or `duration_s`; all
else has a default. This is the bundled `quickstart`, which `make demo` runs:

```yaml
{quickstart}```

- Where several things may stand, `kind` says which, and its keys follow: `{{kind: krum, f: 1}}`.
  A class of your own is named by `use: "my_module:MyClass"`; the module lies beside the file.
- Keys carry their unit in the name (`median_ms`, `at_s`); shares and probabilities are in [0, 1];
  times are virtual. The line of a key says what it may be, and the rest of its unit.
- An unknown key or a wrong type is refused, with its line and what is allowed there.
  `p2pfl check FILE` says so without running anything.
- On the command line, `--set a.b=c` sets a key, lists by place from 0: `--set attack.1.attack.z=2`.
- The run folder's `scenario.yaml` has every default written out.
- `p2pfl schema` prints all of this as JSON Schema, for an editor that completes keys.

Sections: {contents}

"""


def handbook() -> str:
    """All of it, as one page."""
    sections = list(_sections())
    contents = ", ".join(f"[{title}](#{_anchor(title)})" for title, _ in sections)
    text = _HEAD.format(
        quickstart=bundled()["quickstart"].read_text(encoding="utf-8"), contents=contents
    )
    return text + "\n".join(f"## {title}\n\n{body}" for title, body in sections)


def _sections() -> Iterator[tuple[str, str]]:
    """The settings that have no kind, from the top down, then the families."""
    for cls in _settings():
        yield _title(cls), f"{summary(cls)}\n\n{_table(cls)}"
    for family in FAMILIES:
        parts = []
        for variant in family.variants:
            head = f"**`{kind_of(variant) or variant.__name__}`** {summary(variant)}"
            if published := source(variant):
                head += f" Source: {published}"
            parts.append(f"{head}\n\n{_table(variant)}")
        yield family.name, "\n".join(parts)


def all_classes() -> list[type]:
    """Every dataclass that a scenario can be made of, in the order of the page."""
    return [*_settings(), *(variant for family in FAMILIES for variant in family.variants)]


def _settings() -> list[type]:
    """The dataclasses without a kind that a scenario is made of, in the order of their keys."""
    families = {variant for family in FAMILIES for variant in family.variants}
    found: list[type] = []
    waiting: list[type] = [Scenario]
    seen: set[type] = set()
    while waiting:
        cls = waiting.pop(0)
        if cls in seen:
            continue
        seen.add(cls)
        if cls not in families:
            found.append(cls)
        inner = [each for hint in annotations(cls).values() for each in _classes(hint)]
        waiting += inner
    return found


def _classes(annotation: Any) -> list[type]:
    """The dataclasses that may stand where this annotation is."""
    match shape(annotation, FAMILIES):
        case Variants(classes):
            return list(classes)
        case Many(_, inner):
            return _classes(inner)
        case OneOrMany(one, other) | OneOrPlain(one, other):
            return _classes(one) + _classes(other)
        case Plain():
            return []


def _table(cls: type) -> str:
    """A line for each key."""
    rows = [_row(cls, field) for field in settable(cls) if field.name != "kind"]
    if not rows:
        return "No keys.\n"
    head = "| key | what it may be | unit | default | example | |\n" + "| --- " * 6 + "|\n"
    return head + "".join(f"| {' | '.join(map(_escape, row))} |\n" for row in rows)


def _row(cls: type, field: Field[Any]) -> list[str]:
    annotation = annotations(cls)[field.name]
    normal, value = "required", None
    if not required(field):
        value = default(field)
        normal = _code(_default(annotation, value))
    example = example_of(cls, field.name, value)
    if example is None:
        example = plain(annotation, value, FAMILIES)
    return [
        f"`{field.name}`",
        _type(annotation),
        _unit(field.name),
        normal,
        _code(f"{field.name}: {_flow(example)}"),
        field_docs(cls).get(field.name, ""),
    ]


def _default(annotation: Any, value: Any) -> str:
    """A default as one would write it: of a variant that has none but its own, the kind alone."""
    cls: type = type(value)
    if is_dataclass(value) and value == _bare(cls):
        kind = kind_of(cls)
        return "{}" if kind is None else f"{{kind: {kind}}}"
    return _flow(plain(annotation, value, FAMILIES))


def _bare(cls: type) -> object:
    """One with nothing said, or None if that is refused."""
    try:
        return cls()
    except (TypeError, ValueError):
        return None


def _flow(tree: Any) -> str:
    """A tree as YAML on one line."""
    yaml = YAML(typ="safe", pure=True)
    yaml.default_flow_style = True
    yaml.width = 10_000
    text = StringIO()
    yaml.dump(tree, text)
    return text.getvalue().removesuffix("...\n").strip()


def _type(annotation: Any) -> str:
    """What may stand there, with links to its sections."""
    match shape(annotation, FAMILIES):
        case Variants(classes, optional, _):
            text = _one_of(classes)
        case Many("list", inner, optional):
            text = f"a list of: {_type(inner)}"
        case Many(_, inner, optional):
            text = f"a mapping, each value: {_type(inner)}"
        case OneOrMany(one, other) | OneOrPlain(one, other):
            return f"{_type(one)}; or {_type(other)}"
        case Plain(adapter):
            return _plain_type(adapter.json_schema())
    return f"{text}, or null" if optional else text


def _one_of(classes: tuple[type, ...]) -> str:
    """Some classes, by their family where there is one."""
    for family in FAMILIES:
        if set(classes) <= set(family.variants):
            missing = [_code(_title(each)) for each in family.variants if each not in classes]
            but = f" but {', '.join(missing)}" if missing else ""
            return f"one of the {_link(family.name)}{but}"
    return " or ".join(_link(_title(each)) for each in classes)


def _link(title: str) -> str:
    return f"[{title}](#{_anchor(title)})"


def _plain_type(schema: Mapping[str, Any]) -> str:
    """A JSON Schema of plain values in words."""
    if "anyOf" in schema:
        return " or ".join(map(_plain_type, schema["anyOf"]))
    if "enum" in schema:
        return " or ".join(_code(str(value)) for value in schema["enum"])
    if "const" in schema:
        return _code(str(schema["const"]))
    if schema.get("type") == "array":
        inner = schema.get("items") or {"anyOf": schema.get("prefixItems", [{}])[:1]}
        return f"a list of: {_plain_type(inner)}"
    return _WORDS[schema["type"]]


def _unit(key: str) -> str:
    ends = [end for end in _UNITS if key.endswith(end)]
    return _UNITS[max(ends, key=len)] if ends else ""


def _title(cls: type) -> str:
    """A class's own section: its kind where it has one, else its name."""
    return kind_of(cls) or cls.__name__


def _anchor(title: str) -> str:
    return title.lower().replace(" ", "-")


def _code(text: str) -> str:
    return f"`{text}`"


def _escape(text: str) -> str:
    """For a cell of a table."""
    return text.replace("|", "\\|").replace("\n", " ")
