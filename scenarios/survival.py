"""How a run outlives killed processes: when its state is stored, and going on from there.

What a snapshot holds, and why taking one moves no result, is said in ``actors/README.md``.
"""

import fcntl
import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from hashlib import sha256
from importlib.metadata import version
from pathlib import Path
from time import perf_counter
from typing import Any

from actors.encoding import Codec, Encoded
from actors.engine import Engine
from actors.executor import Executor, Task
from actors.protocols.events import Handle
from actors.resources import Runtime
from actors.snapshots import Shelf, Snapshot, sync_folder
from p2pfl.errors import ScenarioError, SnapshotError
from scenarios.build import Experiment
from scenarios.folder import sources
from scenarios.loader import dump
from scenarios.record import Recorder

FORMAT = 6
"""Of what a snapshot holds: raised whenever an older one could not be gone on from."""
MOST_SHARE = 1 / 20
"""Of the wall time that snapshots taken by the clock may cost."""
MOST_LOSSES = 10
"""Times that a run is rolled back without a snapshot in between; then it has failed."""
WAIT_S = 0.5
"""How soon a wait for content notices that the run is to stop."""


class Survival:
    """The snapshots of one run."""

    def __init__(self, experiment: Experiment, folder: Path) -> None:
        """Nothing is taken or read yet.

        Args:
            experiment: What is run.
            folder: Its run folder.
        """
        scenario = experiment.scenario
        self.warnings: list[str] = []
        """What a user should know of it, at the end of the run too."""
        self._folder = folder
        virtual = scenario.runtime.clock == "virtual"  # real time cannot be gone back to
        self._settings = scenario.runtime.snapshots if virtual else None
        self._shelf = Shelf(folder / "snapshots")
        self._experiment = experiment
        absent = scenario.adversaries is not None and scenario.adversaries.absent
        counting = sum(not (absent and peer.adversary) for peer in experiment.peers)
        self._counting = counting if experiment.server is None else 1
        self._this_run: dict[str, Any] | None = None
        self._off = False
        self._losses = 0
        self._rounds_over = 0
        self._taken_at = perf_counter()
        self._took_s = 0.0

    # ------------------------------------------------------------ taking

    def due(self, now_s: float, rounds_over: int) -> bool:
        """Whether the next snapshot is to be taken, given the wall time and the ended rounds."""
        settings = self._settings
        if settings is None or self._off:
            return False
        if settings.every_rounds is not None:
            step = settings.every_rounds * self._counting
            if rounds_over // step > self._rounds_over // step:
                return True
        if settings.every_s is None:
            return False
        return now_s - self._taken_at >= max(settings.every_s, self._took_s / MOST_SHARE)

    def take(
        self,
        executor: Executor,
        engine: Engine,
        recorder: Recorder,
        stopping: Callable[[], bool],
    ) -> str:
        """Store the run's state, between two events. Returns a line for the log.

        Waits until all that was asked for is computed, unless ``stopping()`` says so; then nothing
        is stored. Nor if something cannot be: the run goes on, and ``warnings`` says so.

        Raises:
            RunError: If what it waited for has failed, as it would have later on.
        """
        began = perf_counter()
        self._rounds_over = recorder.rounds_over
        try:
            parts = self._parts(executor, engine, recorder, stopping)
            if parts is None:
                return "no snapshot: the run is to stop"
            path = self._stored(engine, recorder, parts)
        except SnapshotError as error:
            self._off = True
            return self._warn(f"there are no snapshots of this run: {error}")
        finally:
            self._taken_at = perf_counter()
            self._took_s = self._taken_at - began
        if path is None:
            return "no snapshot: it could not be written"
        self._losses = 0
        size = path.stat().st_size / 1e6
        number = path.name.partition("-")[0]
        return (
            f"snapshot {number} at {engine.now_ns / 1e9:.3f} s of virtual time, "
            f"{size:.1f} MB in {self._took_s:.3f} s"
        )

    def _parts(
        self,
        executor: Executor,
        engine: Engine,
        recorder: Recorder,
        stopping: Callable[[], bool],
    ) -> Mapping[str, Encoded] | None:
        if not recorder.finish():
            return None
        peers = [peer.peer for peer in self._experiment.peers]
        saved = [executor.submit(peer, Task("save", 0), ()).summary for peer in peers]
        codec = Codec(handle=executor.handle)
        state = {"engine": engine.state(), "recorder": recorder.state()}
        run, handles = codec.encode(state)
        if not _wait(executor, [*handles, *saved], stopping):
            return None
        contents, _ = codec.encode(executor.fetch(handles))
        parts = {"run": run, "contents": contents}
        for peer, learner in zip(peers, executor.fetch(saved), strict=True):
            if not isinstance(learner, Encoded):
                raise SnapshotError(f"the state of peer {peer} cannot be stored: {learner}")
            parts[f"peer{peer}"] = learner
        return parts

    def _stored(
        self, engine: Engine, recorder: Recorder, parts: Mapping[str, Encoded]
    ) -> Path | None:
        lengths = recorder.tables.sync()
        about = {**self._of_this_run(), "virtual_ns": engine.now_ns, "lengths": lengths}
        try:
            if not self._shelf.folder.exists():
                _sync_tree(self._folder)
            return self._shelf.store(about, parts)
        except OSError as error:  # such as a full disk: the next one may find room
            self._warn(f"a snapshot could not be written: {error.strerror or error}")
            return None

    def _warn(self, text: str) -> str:
        if text not in self.warnings:
            self.warnings.append(text)
        return text

    # ------------------------------------------------------------ going on

    def bears_a_loss(self) -> bool:
        """Whether the run is to be rolled back after it has lost a process, instead of ending."""
        self._losses += 1
        return self._settings is not None and self._losses <= MOST_LOSSES

    def newest(self) -> Snapshot | None:
        """What to go on from; None: from the start, as nothing was stored yet.

        Damaged ones behind it are removed, and ``warnings`` says so.

        Raises:
            SnapshotError: If all that is there is damaged, or of another scenario or version.
        """
        snapshot, damaged = self._shelf.newest(self._cannot_be_used)
        said = [f"snapshot {path.name[:12]}... {why}" for path, why in damaged.items()]
        if snapshot is None and damaged:
            left = "no whole snapshot is left: " + "; ".join(said)
            raise SnapshotError(f"{self._folder} cannot go on: {left}")
        for path, text in zip(damaged, said, strict=True):
            self._warn(text)
            path.unlink()
        return snapshot

    def _cannot_be_used(self, snapshot: Snapshot) -> str | None:
        for name, wanted in self._of_this_run().items():
            came = snapshot.about.get(name)
            if came != wanted:
                raise SnapshotError(
                    f"{self._folder} cannot go on: its snapshot {snapshot.number} is of another "
                    f"{name}: it says {came}, here it is {wanted}"
                )
        for name, length in snapshot.about["lengths"].items():
            path = self._folder / name
            there = path.stat().st_size if path.exists() else 0
            if there < length:
                return f"counts on {length} bytes of {name}, which has {there}"
        return None

    def put_back(
        self, snapshot: Snapshot, executor: Executor, engine: Engine, recorder: Recorder
    ) -> None:
        """Give all parts the state that was stored; they were made anew and have done nothing."""
        codec = Codec(handle=executor.handle)
        handles = executor.hold(codec.decode(snapshot.parts["contents"]))
        peers = [peer.peer for peer in self._experiment.peers]
        given = executor.hold([snapshot.parts[f"peer{peer}"] for peer in peers])
        restored: list[Handle] = [
            executor.submit(peer, Task("restore", 0), [state]).summary
            for peer, state in zip(peers, given, strict=True)
        ]
        executor.fetch(restored)
        state = codec.decode(snapshot.parts["run"], handles)
        engine.restore(state["engine"])
        recorder.restore(state["recorder"])
        self._rounds_over = recorder.rounds_over
        self._taken_at = perf_counter()

    def done(self) -> None:
        """The run has reached its end, and needs no snapshot any more."""
        self._shelf.clear()

    def _of_this_run(self) -> dict[str, Any]:
        """What a snapshot must agree on with who goes on from it."""
        if self._this_run is None:
            self._this_run = {
                "format": FORMAT,
                "scenario": identity(self._experiment),
                "version": {name: version(name) for name in ("p2pfl-emulator", "torch", "numpy")},
            }
        return self._this_run


def identity(experiment: Experiment) -> str:
    """A digest of all that a run's results follow from, but for the data set's files."""
    loaded = experiment.loaded
    digest = sha256(dump(replace(experiment.scenario, runtime=Runtime())).encode())
    for name in sources(loaded):
        digest.update(sha256((loaded.folder / name).read_bytes()).digest())
    return digest.hexdigest()


@contextmanager
def alone_in(folder: Path) -> Iterator[None]:
    """Inside, no other process runs into this folder. The system forgets it with the process.

    Raises:
        ScenarioError: If another one does.
    """
    number = os.open(folder, os.O_RDONLY)
    try:
        try:
            fcntl.flock(number, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise ScenarioError(f"{folder}: a run is still writing into it") from None
        except OSError:  # a file system without locks
            pass
        yield
    finally:
        os.close(number)


def _wait(executor: Executor, handles: Sequence[Handle], stopping: Callable[[], bool]) -> bool:
    while handles and executor.resolved(handles, WAIT_S) < len(handles):
        if stopping():
            return False
    return True


def _sync_tree(folder: Path) -> None:
    """Have what was written before the first round on the disk."""
    for path in (folder, *folder.rglob("*")):
        if path.is_dir():
            sync_folder(path)
        elif path.is_file():
            with path.open("rb") as file:
                os.fsync(file.fileno())
    sync_folder(folder.parent)
