"""Where two runs part: the first line of each table in which they differ."""

import csv
import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import zip_longest
from pathlib import Path
from typing import Any

from scenarios.compare.pairs import Pair

_TIMED = ("events.jsonl", "messages.jsonl", "edges.csv", "decisions.csv", "metrics.csv")
"""Tables whose lines are in the order of the run. Of those that part at one moment, the first is
what is said."""


@dataclass(frozen=True, slots=True)
class Moment:
    """One line of a table."""

    time_s: float | None
    """Virtual time; None of counts over the whole run."""
    peer: int | None
    """None of a message, which says its own, and of what concerns no peer alone."""
    what: str


@dataclass(frozen=True, slots=True)
class Parting:
    """The first line in which a table differs: None where one has ended."""

    file: str
    line: int
    """Counted from 1."""
    a: Moment | None
    b: Moment | None

    @property
    def time_s(self) -> float | None:
        """When the runs part by this table: the earlier of the two lines."""
        times = [side.time_s for side in (self.a, self.b) if side and side.time_s is not None]
        return min(times, default=None)


def partings(pair: Pair) -> list[Parting]:
    """Of each table that both runs have and in which they differ; the earliest first."""
    found = [made for name in _TIMED if (made := _first(pair, name))]
    found.sort(key=lambda parting: parting.time_s or 0.0)
    counts = _first(pair, "messages.csv")
    return [*found, counts] if counts else found


def _first(pair: Pair, name: str) -> Parting | None:
    paths = [run.path / name for run in (pair.a, pair.b)]
    if not all(path.exists() for path in paths):
        return None
    heads: list[Sequence[str]] = [(), ()]
    # The last line of a run that was killed may be a part of one: it differs, as it should.
    for number, lines in enumerate(zip_longest(*map(_lines, paths)), start=1):
        if number == 1 and name.endswith(".csv"):
            heads = [next(csv.reader([line or ""])) for line in lines]
        elif lines[0] != lines[1]:
            a, b = (_moment(name, h, line) for h, line in zip(heads, lines, strict=True))
            return Parting(name, number, a, b)
    return None


def _lines(path: Path) -> Iterator[str]:
    with path.open(encoding="utf-8") as file:
        for line in file:
            yield line.rstrip("\n")


def _moment(name: str, head: Sequence[str], line: str | None) -> Moment | None:
    if line is None:
        return None
    try:
        row: dict[str, Any] = (
            json.loads(line)
            if name.endswith(".jsonl")
            else dict(zip(head, next(csv.reader([line])), strict=True))
        )
    except ValueError:
        return Moment(None, None, f"a broken line: {line[:80]}")
    time = row.pop("time_s", None)
    who = row.pop("peer", None)
    round_ = row.pop("round", None)
    said = _say(name, row) + ("" if round_ is None else f" (round {round_})")
    peer = None if who in (None, "") else int(who)
    return Moment(None if time is None else float(time), peer, said)


def _say(name: str, row: dict[str, Any]) -> str:
    """A line in words, without time, peer and round."""
    match name:
        case "events.jsonl":
            event = row.pop("event")
            more = ", ".join(f"{key} {value}" for key, value in row.items())
            return f"{event}: {more}" if more else str(event)
        case "messages.jsonl":
            return f"message {row['source']} → {row['destination']} {row['event']}"
        case "edges.csv":
            flag = ", flagged" if row["flagged"] == "1" else ""
            return f"gave {row['sender']} an influence of {float(row['influence']):.4g}{flag}"
        case "decisions.csv":
            return f"measured {row['quantity']} of {row['sender']}: {float(row['value']):.6g}"
        case "metrics.csv":
            return f"{row['metric']}: {float(row['value']):.6g}"
        case _:
            counts = ", ".join(
                f"{count} {key}"
                for key, count in row.items()
                if key not in ("source", "destination", "bytes") and count != "0"
            )
            return f"{row['source']} → {row['destination']}: {counts or 'nothing'}"
