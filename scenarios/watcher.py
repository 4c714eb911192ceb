"""Who is told how a run goes."""

from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from scenarios.build import Experiment
    from scenarios.runner import Record


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

    def accuracy(self, peer: int, round_: int, accuracy: float) -> None:
        """An evaluation came in. Accuracy in [0, 1]."""

    def round_over(self, peer: int, round_: int) -> None:
        """A peer has merged, and everything up to there is written."""

    def ends(self, record: "Record") -> None:
        """The folder is complete."""
