"""A run that is over, or that was opened again: its tables as data frames, and its charts."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from p2pfl.errors import ScenarioError
from scenarios.files import read_table

if TYPE_CHECKING:
    from pandas import DataFrame

    from scenarios.report.plots import Plots

Status = Literal["running", "done", "interrupted", "failed"]


@dataclass(frozen=True, slots=True)
class Record:
    """A run: its folder, and what its summary says.

    What the columns of its tables mean, the README says. Times are virtual seconds, shares in
    [0, 1]. Data frames need pandas (the extra ``notebook``).
    """

    folder: Path
    summary: Mapping[str, Any]

    @property
    def status(self) -> Status:
        """Whether it reached its end."""
        status: Status = self.summary["status"]
        return status

    def table(self, name: Literal["metrics", "edges", "messages"]) -> list[dict[str, str]]:
        """The rows of one of the folder's CSV files."""
        return read_table(self.folder / f"{name}.csv")

    def metrics(self) -> "DataFrame":
        """What was measured of each peer: a row per time, peer and metric."""
        from scenarios.frames import metrics

        return metrics(self.folder)

    def edges(self) -> "DataFrame":
        """Each merge: a row per peer and sender, with its influence and whether it was flagged."""
        from scenarios.frames import edges

        return edges(self.folder)

    def decisions(self) -> "DataFrame":
        """What the defense measured: a row per merge, sender and quantity."""
        from scenarios.frames import decisions

        return decisions(self.folder)

    def messages(self) -> "DataFrame":
        """Counts and bytes over the whole run: a row per directed edge."""
        from scenarios.frames import messages

        return messages(self.folder)

    def events(self) -> "DataFrame":
        """The timeline: a row per event; what only some events have is missing in the others."""
        from scenarios.frames import events

        return events(self.folder)

    @property
    def plot(self) -> "Plots":
        """The charts of report.html: ``record.plot.accuracy()`` is a figure of Plotly."""
        from scenarios.report.folder import read_folder
        from scenarios.report.plots import Plots

        return Plots(read_folder(self.folder))


def open_run(folder: str | Path) -> Record:
    """The record of a run folder.

    Raises:
        ScenarioError: If it is none.
    """
    path = Path(folder)
    try:
        summary = json.loads((path / "summary.json").read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise ScenarioError(f"{path} is no run folder: its summary.json cannot be read") from error
    return Record(path, summary)
