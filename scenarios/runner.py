"""One run, from a loaded scenario to its folder."""

import json
import logging
import traceback
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from time import perf_counter
from typing import Any, Literal

import numpy as np

from actors.engine import Engine
from actors.executor import Executor
from p2pfl.errors import P2PFLError, PeerLost
from scenarios.assemble import final_digest, final_models, make_engine, make_executor
from scenarios.build import Experiment, build
from scenarios.files import read_table, replace_file
from scenarios.folder import copy_sources, new_folder, write_environment, write_topology
from scenarios.kept import keep_models
from scenarios.loader import Loaded, dump
from scenarios.record import Recorder
from scenarios.report.dummies import draw_kept
from scenarios.report.grad_cam import draw_grad_cams
from scenarios.report.page import write_report
from scenarios.report.picture import draw
from scenarios.stop import Stop
from scenarios.summary import summarise
from scenarios.tables import Tables
from scenarios.warm_start import Started, warm_start
from scenarios.watcher import Watcher

LINGER_S = 5.0
"""How long an interrupted run waits for what is still being computed."""

SUMMARY_EVERY_S = 2.0
"""How often a run under way replaces its summary and counts. Wall time."""

Status = Literal["running", "done", "interrupted", "failed"]


@dataclass(frozen=True, slots=True)
class Record:
    """A finished run: its folder, and what its summary says."""

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
        return _Run(experiment, folder, watcher or Watcher(), stop, began, *shown).whole()


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
    ) -> None:
        self.experiment = experiment
        self.folder = folder
        self.watcher = watcher
        self.stop = stop
        self.began = began
        self.picture = picture
        self.report = report
        self.log = _open_log(folder / "log.txt")
        self.status: Status = "running"
        self.error: str | None = None
        self.digest: str | None = None
        self.started: Started | None = None
        self.startup_s = 0.0
        self.rounds_s = 0.0
        self.written_at = 0.0
        self.engine: Engine | None = None
        self.executor: Executor | None = None
        self.tables: Tables | None = None
        self.recorder: Recorder | None = None
        self.missed: set[int] = set()

    def whole(self) -> Record:
        try:
            self._prepare()
            self._start()
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
        replace_file(self.folder / "scenario.yaml", dump(self.experiment.scenario))
        copy_sources(self.folder, self.experiment.loaded)
        write_environment(self.folder / "environment.json", self.experiment)
        write_topology(self.folder / "topology.graphml", self.experiment)
        self._write_summary()
        self.watcher.begins(self.experiment, self.folder)

    def _start(self) -> None:
        self._warm_up()
        experiment, stopping = self.experiment, self.stop.is_set
        self.executor = make_executor(experiment, stopping)
        scenario = experiment.scenario
        self.tables = Tables(self.folder, experiment.roles, self.watcher, scenario.record.messages)
        self.recorder = Recorder(self.tables, experiment.roles, self.executor, stopping)
        self.engine = make_engine(experiment, self.executor, self.recorder)
        self.startup_s = perf_counter() - self.began
        self.log.info("ready after %.2f s", self.startup_s)
        self.watcher.ready(self.startup_s)

    def _warm_up(self) -> None:
        """Train the start, if the scenario has one; the folder gets it, for others to begin at."""
        self.experiment, self.started = warm_start(self.experiment)
        if self.started is not None:
            np.save(self.folder / "start.npy", self.started.vector)
            accuracy = self.started.evaluation.accuracy
            self.log.info("the start's accuracy is %.4f", accuracy)
            self.watcher.starts(accuracy)

    def _rounds(self) -> None:
        assert self.engine is not None
        assert self.executor is not None
        assert self.recorder is not None
        started = perf_counter()
        try:
            with self.stop.softly():
                if self.engine.run(self._pausing) and self.recorder.finish():
                    self._miss_lost()
                    self.digest = final_digest(self.experiment, self.executor)
                    models = final_models(self.experiment, self.executor)
                    keep_models(
                        self.folder,
                        self.experiment.scenario.model,
                        self.experiment.dataset,
                        models,
                    )
                    self.status = "done"
                else:
                    self.status = "interrupted"
                    self.recorder.salvage(LINGER_S)
        except P2PFLError:
            self.recorder.salvage(LINGER_S)
            raise
        finally:
            self.rounds_s = perf_counter() - started
            waits = self.executor.waits
            self.log.info("rounds took %.2f s, waits for content: %d", self.rounds_s, waits)

    def _pausing(self) -> bool:
        """Asked between two events: whether to stop. Now and then it writes down the counts."""
        if perf_counter() - self.written_at > SUMMARY_EVERY_S:
            self._write_summary()
        self._miss_lost()
        return self.stop.is_set()

    def _miss_lost(self) -> None:
        """Go on without the peers whose process died, as long as anybody is left to measure."""
        assert self.engine is not None
        assert self.tables is not None
        experiment, lost = self.experiment, self.tables.lost
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
            if self.tables is not None:
                self.tables.close()
                self._draw()
            for handler in list(self.log.handlers):
                handler.close()
                self.log.removeHandler(handler)

    def _draw(self) -> None:
        try:
            if self.picture:
                draw(self.folder)
            draw_kept(self.folder, self.experiment)
            draw_grad_cams(self.folder, self.experiment)
            if self.report:
                write_report(self.folder)
        except Exception:  # a run does not fail for its pictures
            self.log.exception("a picture could not be drawn")

    def _write_summary(self) -> dict[str, Any]:
        """Replace summary.json and messages.csv by what is known now."""
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
                "evaluate": self.tables.evaluate_s if self.tables else 0.0,
                "total": perf_counter() - self.began,
            },
        )
        replace_file(self.folder / "summary.json", json.dumps(summary, indent=1) + "\n")
        self.written_at = perf_counter()
        return summary


def _open_log(path: Path) -> logging.Logger:
    log = logging.getLogger(f"scenarios.runner.{path.parent.name}")
    log.setLevel(logging.DEBUG)
    log.propagate = False
    handler = logging.FileHandler(path, encoding="utf-8")
    handler.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(message)s"))
    log.addHandler(handler)
    return log
