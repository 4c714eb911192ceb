"""Event files for TensorBoard: the mean of each group of peers, round by round, as the run goes.

An event's wall time is the run's virtual time in seconds, so that TensorBoard's axis RELATIVE shows
that; its step is the round.
"""

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from statistics import fmean
from typing import Any, NamedTuple

from p2pfl.errors import ScenarioError
from scenarios.build import Experiment
from scenarios.finished import Record
from scenarios.summary import groups_of
from scenarios.watcher import Watcher

PATIENCE_ROUNDS = 5
"""How far a peer may be ahead of a round that others of its group have not ended: then the mean is
written of those that have. Peers may be away, or gone."""


class Mean(NamedTuple):
    """Of the peers of a group, in one round."""

    round: int
    time_s: float
    """Virtual, when the last of them was measured."""
    value: float


class Means:
    """Means of one metric over a group of peers, ready in the order of the rounds."""

    def __init__(self, peers: Sequence[int]) -> None:
        self._peers = peers
        self._latest = dict.fromkeys(peers, 0)
        self._waiting: dict[int, dict[int, tuple[float, float]]] = {}
        self._written = 0

    def add(self, round_: int, peer: int, time_s: float, value: float) -> Iterator[Mean]:
        """Take one value; gives the means that are complete with it.

        One of a round that is given already is passed over: its peer was late, or the run has gone
        back to a snapshot and does the same again.
        """
        if round_ <= self._written:
            return
        self._waiting.setdefault(round_, {})[peer] = time_s, value
        self._latest[peer] = max(self._latest[peer], round_)
        until = max(min(self._latest.values()), round_ - PATIENCE_ROUNDS)
        yield from self._ready(until)

    def rest(self) -> Iterator[Mean]:
        """Those of rounds that not all have ended."""
        yield from self._ready(max(self._waiting, default=0))

    def _ready(self, until: int) -> Iterator[Mean]:
        for round_ in sorted(of for of in self._waiting if of <= until):
            of_peer = self._waiting.pop(round_)
            # In the order of the peers, whoever was first: floats are summed.
            rows = [of_peer[peer] for peer in self._peers if peer in of_peer]
            self._written = round_
            yield Mean(round_, max(time for time, _ in rows), fmean(value for _, value in rows))


class TensorBoardWatcher(Watcher):
    """Writes event files into ``DIR/NAME``, where NAME is that of the run folder.

    Needs the package tensorboardX. A run that goes on purges what an earlier part wrote of rounds
    that it does again.
    """

    def __init__(self, folder: Path) -> None:
        """Begin.

        Args:
            folder: For event files of runs, each in a folder of its own.

        Raises:
            ScenarioError: If tensorboardX is not installed.
        """
        try:
            from tensorboardX import SummaryWriter
        except ImportError as error:
            raise ScenarioError(
                f"--tensorboard {folder}: needs the package tensorboardX, which is not installed; "
                "pip install tensorboardX, or this project with its extra: '.[tensorboard]'"
            ) from error
        self._make = SummaryWriter
        self._parent = folder
        self._writer: Any = None
        self._means: dict[str, Means] = {}

    def begins(self, experiment: Experiment, folder: Path) -> None:
        """Remember who is in which group."""
        self.folder = self._parent / folder.name
        """Where the event files are."""
        groups = groups_of(experiment)
        if not groups["benign_dominated"]:
            del groups["benign_other"]  # they are all
        self._groups = groups

    def measured(
        self, time_s: float, round_: int, peer: int | None, values: Mapping[str, float]
    ) -> None:
        """Write what is complete with it."""
        for metric, value in values.items():
            if metric.startswith("accuracy_class_"):
                continue
            if peer is None:
                self._write(f"{metric}/benign", Mean(round_, time_s, value))
                continue
            for group, members in self._groups.items():
                if peer not in members:
                    continue
                tag = f"{metric}/{group}"
                means = self._means.setdefault(tag, Means(members))
                for mean in means.add(round_, peer, time_s, value):
                    self._write(tag, mean)

    def ends(self, record: Record) -> None:
        """Write the rest."""
        self.stop()

    def stop(self) -> None:
        """Write the rest, and close the file."""
        for tag, means in self._means.items():
            for mean in means.rest():
                self._write(tag, mean)
        if self._writer is not None:
            self._writer.close()
            self._writer = None
        self._means = {}

    def _write(self, tag: str, mean: Mean) -> None:
        if self._writer is None:
            # A file is named by the second: one that goes on in the same must not replace it.
            suffix = f".{len(list(self.folder.glob('events.*')))}"
            self._writer = self._make(
                str(self.folder), purge_step=mean.round, flush_secs=2, filename_suffix=suffix
            )
        self._writer.add_scalar(tag, mean.value, mean.round, mean.time_s)
