"""How late the real clock was: lateness.csv, and what it comes to."""

import csv
from pathlib import Path
from statistics import fmean
from typing import Any

from actors.real.journal import Late
from scenarios.growing import GrowingFiles

LATENESS = ("time_s", "what", "source", "destination", "round", "asked_s", "took_s")


class Lateness:
    """Writes a row for each message and each piece of work; remembers how late they were."""

    def __init__(self, folder: Path) -> None:
        """Begin the file in a run folder."""
        self._files = GrowingFiles(folder)
        file = self._files.open("lateness.csv", LATENESS)
        self._rows: Any = csv.writer(file, lineterminator="\n")
        self._late_s: dict[str, list[float]] = {"message": [], "work": []}

    def write(self, now_ns: int, late: Late) -> None:
        """A message arrived, or work is done: it was to take so long, and took so long."""
        asked_s, took_s = late.asked_ns / 1e9, late.took_ns / 1e9
        self._rows.writerow(
            (now_ns / 1e9, late.what, late.source, late.destination, late.round, asked_s, took_s)
        )
        self._late_s[late.what].append(took_s - asked_s)

    def summary(self) -> dict[str, dict[str, float] | None]:
        """How many messages and works; how late on average, and all but the last hundredth."""
        return {what: _spread(late_s) for what, late_s in self._late_s.items()}

    def flush(self) -> None:
        """Hand everything to the system, so that a killed run leaves it."""
        self._files.flush()

    def close(self) -> None:
        """Close the file."""
        self._files.close()


def _spread(late_s: list[float]) -> dict[str, float] | None:
    if not late_s:
        return None
    ordered = sorted(late_s)
    return {
        "count": len(ordered),
        "mean_s": fmean(ordered),
        "p99_s": ordered[round(0.99 * (len(ordered) - 1))],
        "worst_s": ordered[-1],
    }
