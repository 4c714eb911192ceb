"""What was set differently in two runs, and what that changed before the first round."""

import json
from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

from scenarios.report.folder import RunFolder

_LIBRARIES = ("torch", "numpy", "scipy", "networkx", "p2pfl-emulator")
"""Whose version may move a bit."""


class Change(NamedTuple):
    """One thing that is not the same in A and in B."""

    what: str
    a: str
    b: str


def keys_changed(a: RunFolder, b: RunFolder) -> list[Change]:
    """The keys of the scenarios that differ, as ``--set`` has them.

    Where the kind differs, the whole of it is one change. A key that one alone has comes of another
    version of the emulator: run folders have all keys.
    """
    found = list(_differing("", a.scenario, b.scenario))
    of_versions = [change for change in found if "" in (change.a, change.b)]
    if of_versions:
        sides = [", ".join(c.what for c in of_versions if c[k]) or "none" for k in (1, 2)]
        found = [change for change in found if change not in of_versions]
        found.append(Change("keys of one version only", *sides))
    return found


def _differing(key: str, a: Any, b: Any) -> Iterator[Change]:
    if a == b and type(a) is type(b):
        return
    if isinstance(a, dict) and isinstance(b, dict) and _kind(a) == _kind(b):
        for name in [*a, *(name for name in b if name not in a)]:
            here = f"{key}.{name}" if key else name
            if name in a and name in b:
                yield from _differing(here, a[name], b[name])
            else:
                yield Change(here, *(text_of(of[name]) if name in of else "" for of in (a, b)))
    elif isinstance(a, list) and isinstance(b, list) and len(a) == len(b) and key == "attack":
        for number, (one, other) in enumerate(zip(a, b, strict=True)):
            yield from _differing(f"{key}.{number}", one, other)
    else:
        yield Change(key, text_of(a), text_of(b))


def _kind(tree: Mapping[str, Any]) -> tuple[Any, Any]:
    return tree.get("kind"), tree.get("use")


def text_of(value: Any) -> str:
    """A value as a scenario would have it on one line: ``{kind: median}``."""
    if isinstance(value, dict):
        return "{" + ", ".join(f"{key}: {text_of(part)}" for key, part in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(map(text_of, value)) + "]"
    return value if isinstance(value, str) else json.dumps(value)


def outcome_changed(a: RunFolder, b: RunFolder) -> list[Change]:
    """What differs before anything was trained: adversaries, edges, who is dominated, libraries."""
    found = [Change("peers", str(len(a.groups)), str(len(b.groups)))]
    found.append(Change("adversaries", _ids(a.adversaries), _ids(b.adversaries)))
    found.append(Change("dominated", _ids(_dominated(a)), _ids(_dominated(b))))
    edges = _edges(a), _edges(b)
    found.append(
        Change("edges of one only", _pairs(edges[0] - edges[1]), _pairs(edges[1] - edges[0]))
    )
    samples = [{peer: run.graph.nodes[peer]["samples"] for peer in run.groups} for run in (a, b)]
    if len(a.groups) == len(b.groups):
        moved = [peer for peer in samples[0] if samples[0][peer] != samples[1].get(peer)]
        found.append(
            Change(
                f"training samples of peers {_ids(moved)}",
                *(", ".join(str(of.get(peer, 0)) for peer in moved[:_MOST]) for of in samples),
            )
        )
    versions = [run.environment.get("libraries", {}) for run in (a, b)]
    found += [
        Change(f"version of {name}", versions[0].get(name, "-"), versions[1].get(name, "-"))
        for name in _LIBRARIES
    ]
    return [change for change in found if change.a != change.b]


_MOST = 12


def _ids(peers: list[int]) -> str:
    return ", ".join(map(str, peers[:_MOST])) + (", ..." if len(peers) > _MOST else "") or "none"


def _pairs(edges: set[tuple[int, int]]) -> str:
    some = [f"{i}-{j}" for i, j in sorted(edges)]
    return ", ".join(some[:_MOST]) + (f" and {len(some) - _MOST} more" if some[_MOST:] else "") or (
        "none"
    )


def _dominated(run: RunFolder) -> list[int]:
    return [peer for peer, group in run.groups.items() if group == "benign_dominated"]


def _edges(run: RunFolder) -> set[tuple[int, int]]:
    directed = run.graph.is_directed()
    return {(i, j) if directed or i < j else (j, i) for i, j in run.graph.edges}
