"""What of the run's methods is published, and where this project departs from it or reads it."""

from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

from scenarios.docs import departures, source, summary
from scenarios.families import FAMILIES
from scenarios.variants import kinds

_PLACES = {
    "attack": "attacks",
    "defense": "defenses",
    "strategy": "strategies",
    "rule": "rules",
    "model": "models",
    "topology": "topologies",
    "placement": "placements",
    "partition": "partitions",
}
"""Keys of a scenario, and the family of what stands there."""


class Method(NamedTuple):
    """One variant that a scenario names."""

    role: str
    """Its key in the scenario, such as ``defense``."""
    name: str
    """Its kind, or the reference of a user's own, of which nothing else is known here."""
    text: str
    source: str
    departures: Mapping[str, str]
    """By heading; empty if it says of none."""


def methods(scenario: Mapping[str, Any]) -> list[Method]:
    """The variants that a scenario names, each once, in the order of its keys.

    What the run did not use is left out: the defense where there is a server, the attack and the
    placement where nobody is hostile.
    """
    unused = {"defense"} if scenario.get("server") else set()
    if not scenario.get("adversaries"):
        unused |= {"adversaries", "attack"}
    tree = {key: value for key, value in scenario.items() if key not in unused}
    found: dict[tuple[str, str], Method] = {}
    for role, variant in _named(tree, ""):
        method = _method(role, variant)
        found.setdefault((method.role, method.name), method)
    return list(found.values())


def _named(tree: object, key: str) -> Iterator[tuple[str, Mapping[str, Any]]]:
    if isinstance(tree, dict):
        if key in _PLACES and ("kind" in tree or "use" in tree):
            yield key, tree
        for name, value in tree.items():
            yield from _named(value, name)
    elif isinstance(tree, list):
        for value in tree:
            yield from _named(value, key)


def _method(role: str, variant: Mapping[str, Any]) -> Method:
    if "use" in variant:
        return Method(role, str(variant["use"]), "The user's own, beside the scenario.", "", {})
    family = next(family for family in FAMILIES if family.name == _PLACES[role])
    cls = kinds(family.variants).get(variant["kind"])
    if cls is None:  # a run of another version of this project
        return Method(role, variant["kind"], "Not known to this version.", "", {})
    text = summary(cls).replace("`", "")
    departs = {heading: part.replace("`", "") for heading, part in departures(cls).items()}
    return Method(role, variant["kind"], text, source(cls).replace("`", ""), departs)
