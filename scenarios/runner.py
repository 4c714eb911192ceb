"""One run, from a loaded scenario to its folder."""

import json
import logging
import traceback
from pathlib import Path
from time import perf_counter
from typing import Any

import numpy as np

from actors.collector import seldom_collecting
from actors.engine import Engine
from actors.executor import Executor
from actors.real.run import RealRun
from actors.snapshots import Snapshot
from p2pfl.errors import P2PFLError, PeerLost, ScenarioError
from scenarios.assemble import (
    final_digest,
    final_models,
    make_engine,
    make_executor,
    make_real_run,
)
from scenarios.build import Experiment, build
from scenarios.files import replace_file
from scenarios.finished import Record, Status
from scenarios.folder import copy_sources, new_folder, write_environment, write_topology
from scenarios.kept import keep_models
from scenarios.lateness import Lateness
from scenarios.loader import Loaded, dump, load
from scenarios.record import Recorder
from scenarios.report.dummies import draw_kept
from scenarios.report.grad_cam import draw_grad_cams
from scenarios.report.page import write_report
from scenarios.stop import Stop
from scenarios.summary import summarise
from scenarios.survival import Survival, alone_in
from scenarios.tables import Tables
from scenarios.warm_start import Started, warm_start
from scenarios.watcher import Watcher

LINGER_S = 5.0
"""How long an interrupted run waits for what is still being computed."""

SUMMARY_EVERY_S = 2.0
"""How often a run under way replaces its summary and counts. Wall time."""
SUMMARY_SHARE = 1 / 50
"""Of the wall time that this may take: with many edges it is done less often."""


def run(
    loaded: Loaded,
    out: Path | None = None,
    data: Path | None = None,
    watcher: Watcher | None = None,
    picture: bool = True,
    report: bool = False,
) -> Record:
    """Run a scenario.

    Args:
        loaded: From ``load``.
        out: The run folder, which must not exist yet; None makes ``runs/NAME-N``.
        data: The data folder; None takes P2PFL_DATA.
        watcher: Told how it goes.
        picture: Whether to draw report.png, which takes half a second. Pictures that the scenario
            asks for are drawn in any case.
        report: Whether to make report.html, which takes some seconds, as ``p2pfl run`` does.

    Returns:
        The record. After Ctrl-C or SIGTERM its status is ``interrupted``.

    Raises:
        ScenarioError: If the input is wrong; nothing was written.
        RunError: If the run failed; the folder has what was recorded.
    """
    began = perf_counter()
    with Stop().handling() as stop:
        experiment = build(loaded, data)
        folder = new_folder(out, loaded.scenario.name)
        shown = (picture, report)
        with alone_in(folder):
            return _Run(experiment, folder, watcher or Watcher(), stop, began, *shown).whole()


def resume(
    folder: Path,
    data: Path | None = None,
    watcher: Watcher | None = None,
    picture: bool = True,
    report: bool = False,
) -> Record:
    """Go on with a run that did not reach its end, from its newest whole snapshot.

    Its files are then those of a run that was never disturbed.

    Args:
        folder: The run folder. The scenario is the one in it.
        data: As for ``run``.
        watcher: As for ``run``.
        picture: As for ``run``.
        report: As for ``run``.

    Returns:
        The record, as ``run`` does.

    Raises:
        ScenarioError: If it is no run folder, is done, or another process runs into it.
        SnapshotError: If no snapshot can be gone on from; nothing was changed.
        RunError: If the run failed.
    """
    began = perf_counter()
    with Stop().handling() as stop:
        _require_unfinished(folder)
        with alone_in(folder):
            experiment = build(load(folder / "scenario.yaml"), data)
            if experiment.scenario.runtime.clock == "real":
                raise ScenarioError(f"--resume {folder}: a run under clock: real cannot be resumed")
            survival = Survival(experiment, folder)
            snapshot = survival.newest()
            shown = (picture, report)
            run_ = _Run(experiment, folder, watcher or Watcher(), stop, began, *shown, survival)
            return run_.whole(snapshot)


def _require_unfinished(folder: Path) -> None:
    if not (folder / "scenario.yaml").is_file():
        raise ScenarioError(f"--resume {folder}: is no run folder: it has no scenario.yaml")
    try:
        status = json.loads((folder / "summary.json").read_text())["status"]
    except (OSError, ValueError, LookupError):  # as a power cut may leave it
        return
    if status == "done":
        raise ScenarioError(f"--resume {folder}: the run is done; there is nothing to go on with")


class _Run:
    """The state of one run between its start and its end."""

    def __init__(
        self,
        experiment: Experiment,
        folder: Path,
        watcher: Watcher,
        stop: Stop,
        began: float,
        picture: bool,
        report: bool,
        resumed: Survival | None = None,
    ) -> None:
        self.experiment = experiment
        self.folder = folder
        self.watcher = watcher
        self.stop = stop
        self.began = began
        self.picture = picture
        self.report = report
        self.survival = resumed or Survival(experiment, folder)
        self.resumes = resumed is not None
        self.log = _open_log(folder / "log.txt")
        self.status: Status = "running"
        self.error: str | None = None
        self.digest: str | None = None
        self.started: Started | None = None
        self.startup_s = 0.0
        self.rounds_s = 0.0
        self.written_at = 0.0
        self.write_after_s = SUMMARY_EVERY_S
        self.engine: Engine | RealRun | None = None
        self.lateness: Lateness | None = None
        self.executor: Executor | None = None
        self.tables: Tables | None = None
        self.recorder: Recorder | None = None
        self.missed: set[int] = set()

    def whole(self, snapshot: Snapshot | None = None) -> Record:
        try:
            self._prepare()
            self._start(snapshot)
            self._rounds()
        except KeyboardInterrupt:
            self.status = "interrupted"
        except BaseException as error:
            self.status, self.error = "failed", str(error)
            self.log.error("%s", error)
            self.log.debug("%s", traceback.format_exc())
            error.add_note(f"what was recorded until then: {self.folder}")
            raise
        finally:
            with self.stop.later():
                self._end()
        record = Record(self.folder, self._write_summary())
        self.watcher.ends(record)
        return record

    def _prepare(self) -> None:
        """What is known before the first round; a summary too, in case there is no other."""
        if not self.resumes:
            replace_file(self.folder / "scenario.yaml", dump(self.experiment.scenario))
            copy_sources(self.folder, self.experiment.loaded)
            write_environment(self.folder / "environment.json", self.experiment)
            write_topology(self.folder / "topology.graphml", self.experiment)
            if (origin := self.experiment.loaded.origin) is not None:
                replace_file(self.folder / "origin.json", json.dumps(origin, indent=1) + "\n")
        self._write_summary()
        self.watcher.begins(self.experiment, self.folder)

    def _start(self, snapshot: Snapshot | None) -> None:
        self._warm_up()
        self.executor = make_executor(self.experiment, self.stop.is_set)
        self._begin_at(snapshot)
        self.startup_s = perf_counter() - self.began
        self.log.info("ready after %.2f s", self.startup_s)
        self.watcher.ready(self.startup_s)
        if self.resumes:
            self._say_where(snapshot)

    def _begin_at(self, snapshot: Snapshot | None) -> None:
        """Make all that has a state, with that of the snapshot; None: as at the start."""
        assert self.executor is not None
        if self.tables is not None:
            self.tables.close()
        experiment, scenario = self.experiment, self.experiment.scenario
        self.tables = Tables(
            self.folder,
            experiment.roles,
            self.watcher,
            scenario.record.messages,
            snapshot.about["lengths"] if snapshot else None,
        )
        self.recorder = Recorder(
            self.tables,
            experiment.roles,
            self.executor,
            self.stop.is_set,
            len(experiment.measured) if scenario.evaluate.peers else None,
        )
        if scenario.runtime.clock == "real":
            self.lateness = Lateness(self.folder)
            late = self.lateness.write
            self.engine = make_real_run(experiment, self.executor, self.recorder, late)
            return
        self.engine = make_engine(experiment, self.executor, self.recorder)
        if snapshot is not None:
            self.survival.put_back(snapshot, self.executor, self.engine, self.recorder)

    def _say_where(self, snapshot: Snapshot | None) -> None:
        assert self.recorder is not None
        where = "the start"
        if snapshot is not None:
            where = f"snapshot {snapshot.number:06}, {snapshot.about['virtual_ns'] / 1e9:.3f} s"
        for warning in self.survival.warnings:
            self.log.warning("%s", warning)
        self.log.info("going on from %s", where)
        self.watcher.goes_on(where, self.recorder.rounds_over)

    def _warm_up(self) -> None:
        """Train the start, if the scenario has one; the folder gets it, for others to begin at."""
        self.experiment, self.started = warm_start(self.experiment)
        if self.started is not None:
            np.save(self.folder / "start.npy", self.started.vector)
            accuracy = self.started.evaluation.accuracy
            self.log.info("the start's accuracy is %.4f", accuracy)
            self.watcher.starts(accuracy)

    def _rounds(self) -> None:
        assert self.executor is not None
        assert self.recorder is not None
        started = perf_counter()
        try:
            with self.stop.softly(), seldom_collecting():
                self._to_the_end()
        except P2PFLError:
            self.recorder.salvage(LINGER_S)
            raise
        finally:
            self.rounds_s = perf_counter() - started
            waits = self.executor.waits
            self.log.info("rounds took %.2f s, waits for content: %d", self.rounds_s, waits)
            for remark in self.executor.remarks():
                self.log.info("%s", remark)

    def _to_the_end(self) -> None:
        """Run; and whenever a process is lost, roll the whole run back and run again."""
        lost: PeerLost | None = None
        while True:
            try:
                if lost is not None:
                    self._roll_back(lost)
                self._run()
                return
            except PeerLost as error:
                if not self.survival.bears_a_loss():
                    raise
                lost = error

    def _roll_back(self, lost: PeerLost) -> None:
        assert self.executor is not None
        self.log.warning("%s", lost)
        snapshot = self.survival.newest()
        self.executor.restart()
        self._begin_at(snapshot)
        self._say_where(snapshot)

    def _run(self) -> None:
        """From where the parts are to the end, with snapshots on the way."""
        assert self.engine is not None
        assert self.executor is not None
        assert self.recorder is not None
        while not (ended := self.engine.run(self._pausing)) and not self.stop.is_set():
            assert isinstance(self.engine, Engine)
            said = self.survival.take(self.executor, self.engine, self.recorder, self.stop.is_set)
            self.log.info("%s", said)
        if ended and self.recorder.finish():
            self._miss_lost()
            self._take_models()
            self.status = "done"
        else:
            self.status = "interrupted"
            self.recorder.salvage(LINGER_S)

    def _take_models(self) -> None:
        """The digest of all final models, and those that the scenario keeps."""
        assert self.executor is not None
        self.digest = final_digest(self.experiment, self.executor)
        models = final_models(self.experiment, self.executor)
        scenario = self.experiment.scenario
        keep_models(self.folder, scenario.model, self.experiment.dataset, models)

    def _pausing(self) -> bool:
        """Asked between two events: whether to stop, or for a snapshot. Now and then it writes
        down the counts."""
        assert self.recorder is not None
        now_s = perf_counter()
        if now_s - self.written_at > self.write_after_s:
            self.recorder.flush(0.0)
            if self.lateness is not None:
                self.lateness.flush()
            self._write_summary()
        self._miss_lost()
        return self.stop.is_set() or self.survival.due(now_s, self.recorder.rounds_over)

    def _miss_lost(self) -> None:
        """Go on without the peers whose process died, as long as anybody is left to measure."""
        assert self.engine is not None
        assert self.tables is not None
        experiment, lost = self.experiment, self.tables.tally.lost
        if len(lost) == len(self.missed):
            return
        for peer in sorted(lost.keys() - self.missed):
            self.log.warning("peer %d: its process died; silent since round %d", peer, lost[peer])
            self.engine.lose(peer)
            self.missed.add(peer)
        benign = {peer.peer for peer in experiment.peers if peer.role == "benign"}
        if experiment.server in lost or benign <= self.missed:
            who = ", ".join(map(str, sorted(self.missed)))
            left = "the server" if experiment.server in lost else "every benign peer"
            raise PeerLost(f"{left} is lost: the processes of peers {who} died")

    def _end(self) -> None:
        """Let go of everything, whatever happened, and leave the folder complete."""
        try:
            if self.executor is not None:
                self.executor.close()
        finally:
            self._write_summary()
            if self.status == "done":
                self.survival.done()
            if self.tables is not None:
                self.tables.close()
                if self.lateness is not None:
                    self.lateness.close()
                self._draw()
            for handler in list(self.log.handlers):
                handler.close()
                self.log.removeHandler(handler)

    def _draw(self) -> None:
        try:
            if self.picture:
                from scenarios.report.picture import draw  # matplotlib takes half a second to load

                draw(self.folder)
            draw_kept(self.folder, self.experiment)
            draw_grad_cams(self.folder, self.experiment)
            if self.report:
                write_report(self.folder)
        except Exception:  # a run does not fail for its pictures
            self.log.exception("a picture could not be drawn")

    def _write_summary(self) -> dict[str, Any]:
        """Replace summary.json and messages.csv by what is known now."""
        began = perf_counter()
        summary = summarise(
            self.experiment,
            status=self.status,
            error=self.error,
            digest=self.digest,
            virtual_ns=self.engine.now_ns if self.engine else 0,
            spent=self.engine.spent if self.engine else None,
            tables=self.tables,
            counts=self.engine.counts if self.engine else {},
            started=self.started,
            wall_s={
                "startup": self.startup_s,
                "rounds": self.rounds_s,
                "evaluate": self.tables.tally.evaluate_s if self.tables else 0.0,
                "total": perf_counter() - self.began,
            },
        )
        summary["warnings"] += self.survival.warnings
        summary["clock"] = self.experiment.scenario.runtime.clock
        if self.lateness is not None:
            summary["lateness"] = self.lateness.summary()
        replace_file(self.folder / "summary.json", json.dumps(summary, indent=1) + "\n")
        self.written_at = perf_counter()
        took_s = self.written_at - began
        self.write_after_s = max(SUMMARY_EVERY_S, took_s / SUMMARY_SHARE)
        return summary


def _open_log(path: Path) -> logging.Logger:
    log = logging.getLogger(f"scenarios.runner.{path.parent.name}")
    log.setLevel(logging.DEBUG)
    log.propagate = False
    handler = logging.FileHandler(path, encoding="utf-8")
    handler.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(message)s"))
    log.addHandler(handler)
    return log
