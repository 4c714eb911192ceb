"""The schema of scenario files as JSON Schema, for editors and other programs."""

from collections.abc import Mapping
from typing import Any

from scenarios.curve.plan import CurvePlan
from scenarios.docs import field_docs, summary
from scenarios.families import FAMILIES
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
from scenarios.variants import Family

DRAFT = "https://json-schema.org/draft/2020-12/schema"


def json_schema(root: type = Scenario, families: tuple[Family, ...] = FAMILIES) -> dict[str, Any]:
    """The JSON Schema of a dataclass, draft 2020-12, with defaults and the fields' docstrings.

    What a variant's own check refuses (a negative latency) is not in it: the descriptions say it.
    """
    schemas = _Schemas(families)
    top = schemas.of(root)
    if root is Scenario:
        # What makes many runs of a file is no part of one run, and stands in the same file.
        top_level = schemas.definitions[f"{root.__module__}.{root.__qualname__}"]["properties"]
        top_level |= {"sweep": _SWEEP, "compare": _COMPARE, "curve": schemas.of(CurvePlan)}
    return {"$schema": DRAFT, "title": "p2pfl scenario", **top, "$defs": schemas.definitions}


_RANGE = {
    "type": "object",
    "description": "A range, written out: {from: 1, to: 5}, or with step or count.",
    "properties": {
        "from": {"type": "number"},
        "to": {"type": "number"},
        "step": {"type": "number", "exclusiveMinimum": 0},
        "count": {"type": "integer", "minimum": 2},
        "scale": {"enum": ["linear", "log"]},
    },
    "required": ["from", "to"],
    "additionalProperties": False,
}

_SWEEP = {
    "type": "object",
    "description": "For `p2pfl sweep`: dotted keys and the values that each takes in turn.",
    "additionalProperties": {"oneOf": [{"type": "array", "minItems": 1}, _RANGE]},
    "minProperties": 1,
}

_COMPARE = {
    "type": "array",
    "description": "For `p2pfl sweep`: methods to set side by side, each with dotted keys to set.",
    "minItems": 2,
    "items": {
        "type": "object",
        "properties": {"name": {"type": "string"}, "set": {"type": "object"}},
        "required": ["name", "set"],
        "additionalProperties": False,
    },
}


class _Schemas:
    """Collects one definition per dataclass."""

    def __init__(self, families: tuple[Family, ...]) -> None:
        self.definitions: dict[str, Any] = {}
        self._families = families

    def of(self, annotation: Any) -> dict[str, Any]:
        """The schema of what an annotation admits."""
        match shape(annotation, self._families):
            case Plain(adapter):
                found: Mapping[str, Any] = adapter.json_schema()
                return dict(found)
            case OneOrMany(one, other) | OneOrPlain(one, other):
                return {"oneOf": [self.of(one), self.of(other)]}
            case Many("list", inner, optional):
                some = [{"type": "array", "items": self.of(inner)}]
            case Many("mapping", inner, optional):
                some = [{"type": "object", "additionalProperties": self.of(inner)}]
            case Variants(classes, optional, family) as options:
                plain = options.without_kind()
                needed: dict[str, Any] = {"required": ["kind"]}
                some = [
                    {"$ref": self._reference(cls), **({} if cls is plain else needed)}
                    for cls in classes
                ]
                some += [_USE] if family else []
        some += [{"type": "null"}] if optional else []
        return some[0] if len(some) == 1 else {"oneOf": some}

    def _reference(self, cls: type) -> str:
        name = f"{cls.__module__}.{cls.__qualname__}"
        if name not in self.definitions:
            self.definitions[name] = {}  # before its fields, which may lead back to it
            self.definitions[name] = self._object(cls)
        return f"#/$defs/{name}"

    def _object(self, cls: type) -> dict[str, Any]:
        docs = field_docs(cls)
        properties = {}
        for field in settable(cls):
            entry = self.of(annotations(cls)[field.name])
            if field.name in docs:
                entry["description"] = docs[field.name]
            if not required(field) and field.name != "kind":
                entry["default"] = plain(
                    annotations(cls)[field.name], default(field), self._families
                )
            properties[field.name] = entry
        return {
            "type": "object",
            **({"description": text} if (text := summary(cls)) else {}),
            "properties": properties,
            "required": [field.name for field in settable(cls) if required(field)],
            "additionalProperties": False,
        }


_USE = {
    "type": "object",
    "description": "A class of your own, in a module beside the scenario; its fields are keys.",
    "properties": {"use": {"type": "string", "pattern": r"^\w+:\w+$"}},
    "required": ["use"],
}
