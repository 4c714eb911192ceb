"""Who is told how a run goes."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from scenarios.build import Experiment
    from scenarios.finished import Record


class Watcher:
    """Told how a run goes. Does nothing itself: override what you need."""

    def begins(self, experiment: "Experiment", folder: Path) -> None:
        """Everything fits, and the folder is made; the processes start now."""

    def starts(self, accuracy: float) -> None:
        """With a warm start: all peers begin at a model of this accuracy, in [0, 1]."""

    def ready(self, startup_s: float) -> None:
        """All processes are up; the first round starts."""

    def goes_on(self, where: str, rounds_over: int) -> None:
        """The run begins at a snapshot: resumed, or rolled back because a process is gone.

        ``rounds_over`` is how many rounds its peers had ended then.
        """

    def measured(
        self, time_s: float, round_: int, peer: int | None, values: Mapping[str, float]
    ) -> None:
        """Rows of metrics.csv were written: of one peer, or (None) of all benign ones together.

        Values by metric, those of single classes (``accuracy_class_3``) among them.
        """

    def round_over(self, peer: int, round_: int) -> None:
        """A peer has merged, and everything up to there is written."""

    def ends(self, record: "Record") -> None:
        """The folder is complete."""

    def stop(self) -> None:
        """Nothing more comes, whatever happened: let go of everything. May be called twice."""


class Watchers(Watcher):
    """Several of them as one, each told in their order."""

    def __init__(self, each: Sequence[Watcher]) -> None:
        self._each = tuple(each)

    def begins(self, experiment: "Experiment", folder: Path) -> None:
        """As all of these."""
        for watcher in self._each:
            watcher.begins(experiment, folder)

    def starts(self, accuracy: float) -> None:
        """As all of these."""
        for watcher in self._each:
            watcher.starts(accuracy)

    def ready(self, startup_s: float) -> None:
        """As all of these."""
        for watcher in self._each:
            watcher.ready(startup_s)

    def goes_on(self, where: str, rounds_over: int) -> None:
        """As all of these."""
        for watcher in self._each:
            watcher.goes_on(where, rounds_over)

    def measured(
        self, time_s: float, round_: int, peer: int | None, values: Mapping[str, float]
    ) -> None:
        """As all of these."""
        for watcher in self._each:
            watcher.measured(time_s, round_, peer, values)

    def round_over(self, peer: int, round_: int) -> None:
        """As all of these."""
        for watcher in self._each:
            watcher.round_over(peer, round_)

    def ends(self, record: "Record") -> None:
        """As all of these."""
        for watcher in self._each:
            watcher.ends(record)

    def stop(self) -> None:
        """As all of these."""
        for watcher in self._each:
            watcher.stop()
