"""The tables of a run folder as pandas' data frames, with types."""

import csv
import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, TypeAlias

from p2pfl.errors import ScenarioError
from scenarios.files import whole_lines

if TYPE_CHECKING:
    from pandas import DataFrame

MISSING = "data frames need pandas: pip install 'p2pfl-emulator[notebook]'"

Kind: TypeAlias = Literal["float64", "int64", "Int64", "bool", "category"]
"""``Int64`` may have missing values."""

_WHEN: dict[str, Kind] = {"time_s": "float64", "round": "int64"}
_METRICS: dict[str, Kind] = {
    **_WHEN, "peer": "Int64", "role": "category", "metric": "category", "value": "float64",
}  # fmt: skip
_EDGES: dict[str, Kind] = {
    **_WHEN, "peer": "int64", "sender": "int64", "sender_role": "category", "staleness": "int64",
    "influence": "float64", "flagged": "bool",
}  # fmt: skip
_DECISIONS: dict[str, Kind] = {
    **_WHEN, "peer": "int64", "sender": "int64", "quantity": "category", "value": "float64",
}  # fmt: skip


def metrics(folder: Path) -> "DataFrame":
    """metrics.csv; ``peer`` is missing in what concerns all benign peers together."""
    return _read(folder / "metrics.csv", _METRICS)


def edges(folder: Path) -> "DataFrame":
    """edges.csv."""
    return _read(folder / "edges.csv", _EDGES)


def decisions(folder: Path) -> "DataFrame":
    """decisions.csv."""
    return _read(folder / "decisions.csv", _DECISIONS)


def messages(folder: Path) -> "DataFrame":
    """messages.csv."""
    return _read(folder / "messages.csv", {})


def events(folder: Path) -> "DataFrame":
    """events.jsonl; ``peer`` and ``round`` are missing in what concerns no peer alone."""
    lines = whole_lines(folder / "events.jsonl").splitlines()
    frame: DataFrame = _pandas().DataFrame([json.loads(line) for line in lines])
    first = ["time_s", "event", "peer", "round"]
    frame = frame.reindex(columns=[*first, *(name for name in frame if name not in first)])
    kinds = {"time_s": "float64", "event": "category", "peer": "Int64", "round": "Int64"}
    return frame.astype(kinds)


def _read(path: Path, kinds: Mapping[str, Kind]) -> "DataFrame":
    pandas, lines = _pandas(), whole_lines(path).splitlines()
    if not lines:
        raise ScenarioError(f"{path} is not there or empty: nothing was recorded")
    head, *rows = csv.reader(lines)
    columns = {}
    for k, name in enumerate(head):
        kind = kinds.get(name, "int64")
        # Python reads a number to the last bit, whatever the version of pandas.
        read = _READ[kind]
        columns[name] = pandas.Series([read(row[k]) for row in rows], dtype=kind)
    frame: DataFrame = pandas.DataFrame(columns)
    return frame


_READ: dict[Kind, Callable[[str], Any]] = {
    "float64": float,
    "int64": int,
    "Int64": lambda text: int(text) if text else None,
    "bool": lambda text: text == "1",
    "category": str,
}


def _pandas() -> Any:
    try:
        import pandas
    except ImportError as error:
        raise ScenarioError(MISSING) from error
    return pandas
