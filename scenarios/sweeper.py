"""Runs the cells of a sweep: those that are not done yet, each in a process of its own."""

import json
import multiprocessing
import os
import shutil
import threading
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from contextlib import suppress
from dataclasses import replace
from functools import lru_cache
from pathlib import Path
from typing import Any

import psutil

from p2pfl.data import load_dataset
from p2pfl.errors import ScenarioError, SnapshotError
from scenarios.build import build
from scenarios.covariates import covariates_of
from scenarios.finished import Record, Status
from scenarios.loader import Draft, Loaded, dump
from scenarios.methods import Equality
from scenarios.report.side_by_side import draw_comparison
from scenarios.report.sweep_page import write_sweep_page
from scenarios.results import row_of
from scenarios.schema import Scenario
from scenarios.sweep import Cell, Sweep, naming
from scenarios.sweep_files import forget, write_files, write_gains


def run_sweep(
    sweep: Sweep,
    data: Path | None = None,
    jobs: int | None = None,
    on_cell: Callable[[Cell, Mapping[str, Any]], None] = lambda cell, row: None,
    report: bool = False,
) -> list[dict[str, Any]]:
    """Run what is not done yet; write results.csv and its tables, and pictures of methods.

    Args:
        sweep: From :func:`load_sweep`.
        data: The data folder.
        jobs: How many cells at once; None is one per core, as far as memory goes.
        on_cell: Told each cell's row as it is there, finished ones and references first.
        report: Whether to make report.html, which takes a second, as ``p2pfl sweep`` does.

    Returns:
        A row per cell, in order: the names of its values by key, and ``COLUMNS``. A cell that
        fails has its error there, and stops nobody.

    Raises:
        ScenarioError: If methods that are compared would not have the same peers, adversaries and
            samples.
    """
    if sweep.compares:
        require_equal(sweep, data)
    known: dict[Path, Mapping[str, Any]] = {}

    def over(cell: Cell, summary: Mapping[str, Any]) -> None:
        known[cell.folder] = summary
        on_cell(cell, row_of(sweep, cell, summary, {}, {}))

    waiting: list[Cell] = []
    for cell in (*sweep.references.cells, *sweep.cells):
        summary = _finished(cell)
        if summary is None:
            waiting.append(cell)
        else:
            over(cell, summary)
    if waiting:  # what stands there is not of all these cells
        forget(sweep)
    # Spawned, not forked: torch's threads do not survive a fork.
    context = multiprocessing.get_context("spawn")
    workers = min(jobs or _fitting(waiting, data), max(len(waiting), 1))
    with ProcessPoolExecutor(workers, context, _end_with_the_sweep) as pool:
        futures = {pool.submit(run_cell, cell, data): cell for cell in waiting}
        try:
            for future in as_completed(futures):
                over(futures[future], future.result())
        except BaseException:  # do not wait for cells that run: they go on next time
            pool.shutdown(wait=False, cancel_futures=True)
            for worker in multiprocessing.active_children():
                worker.kill()
            raise
    rows = [
        row_of(
            sweep,
            cell,
            known[cell.folder],
            sweep.references.summaries(cell, known),
            covariates_of(cell.folder),
        )
        for cell in sweep.cells
    ]
    write_files(sweep, rows)
    write_gains(sweep, known)
    if sweep.compares:
        draw_comparison(sweep, rows)
    if report:
        write_sweep_page(sweep, rows)
    return rows


def _fitting(cells: Sequence[Cell], data: Path | None) -> int:
    """How many cells at once: one per core, as far as the memory goes for the largest.

    Cells of the same data, model and graph take the same; a cell that cannot be built says so when
    it runs.
    """
    load, largest, seen = lru_cache(maxsize=1)(load_dataset), 1, set()
    for cell in cells:
        scenario = cell.loaded.scenario
        parts = repr((scenario.data, scenario.model, scenario.topology, scenario.server))
        if parts not in seen:
            seen.add(parts)
            with suppress(Exception):
                largest = max(largest, build(cell.loaded, data, load=load).plan.memory_bytes)
    available = psutil.virtual_memory().available
    return max(1, min(os.cpu_count() or 1, available // largest))


def _end_with_the_sweep() -> None:
    """Let this worker die when the sweep's process does, even if that was killed."""

    def watch() -> None:
        parent = multiprocessing.parent_process()
        assert parent is not None
        parent.join()
        os._exit(1)

    threading.Thread(target=watch, daemon=True).start()


def require_equal(sweep: Sweep, data: Path | None) -> None:
    """Build every cell of a comparison, and hold the methods to one another."""
    load, equality = lru_cache(maxsize=1)(load_dataset), Equality()
    for cell in sweep.cells:
        with naming(sweep.axes, cell.names):
            equality.hold(cell.names, build(cell.loaded, data, load=load))


def run_cell(cell: Cell, data: Path | None) -> dict[str, Any]:
    """Run one cell into its folder. Gives its summary, or what went wrong.

    One that was killed or interrupted goes on from its newest snapshot; one that failed, or of
    which nothing can be gone on from, runs from nothing.
    """
    from scenarios.runner import run

    try:
        record = _gone_on_with(cell, data)
        if record is None:
            shutil.rmtree(cell.folder, ignore_errors=True)
            record = run(cell.loaded, out=cell.folder, data=data, picture=False)
        covariates_of(cell.folder)  # here, beside other cells, and not one after the other
        return dict(record.summary)
    except Exception as error:  # one cell's failure is a result of the sweep
        return {"status": "failed", "error": f"{type(error).__name__}: {error}"}


def _gone_on_with(cell: Cell, data: Path | None) -> Record | None:
    """What became of a cell that was stopped on its way; None if it is none, or cannot go on."""
    from scenarios.runner import resume

    if _earlier(cell, "running", "interrupted") is None:
        return None
    with suppress(ScenarioError, SnapshotError):  # such as a snapshot of another version
        return resume(cell.folder, data=data, picture=False)
    return None


def _finished(cell: Cell) -> dict[str, Any] | None:
    """The summary of a cell that ran to its end."""
    return _earlier(cell, "done")


def _earlier(cell: Cell, *statuses: Status) -> dict[str, Any] | None:
    """What a cell's folder says of a run of the same scenario with the same files, so ended."""
    from scenarios.folder import sources

    loaded = cell.loaded
    try:
        summary: dict[str, Any] = json.loads((cell.folder / "summary.json").read_text("utf-8"))
        same = _says_the_same(cell.folder / "scenario.yaml", loaded)
        for name in sources(loaded):  # a user's own module may have changed since
            same &= (cell.folder / name).read_bytes() == (loaded.folder / name).read_bytes()
    except (OSError, ValueError):
        return None
    return summary if same and summary["status"] in statuses else None


def _unscored(scenario: Scenario) -> str:
    """A scenario as its file, whatever the tables show of it."""
    return dump(replace(scenario, evaluate=replace(scenario.evaluate, score="last")))


def _says_the_same(path: Path, loaded: Loaded) -> bool:
    """Whether a cell's file is this run: perhaps as of a version with fewer keys."""
    if path.read_text("utf-8") == dump(loaded.scenario):
        return True
    try:
        # What it names lies beside the scenario that was asked for.
        draft = replace(Draft.read(path), path=loaded.folder / path.name)
        return _unscored(draft.loaded().scenario) == _unscored(loaded.scenario)
    except ScenarioError:
        return False
