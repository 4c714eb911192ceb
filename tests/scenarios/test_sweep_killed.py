"""A sweep whose processes are all killed in the middle goes on where it was, to the same table."""

import json
import os
import signal
import subprocess
import sys

import pytest

from scenarios.runner import _Run
from scenarios.sweep import load_sweep
from scenarios.sweeper import run_cell, run_sweep

STUDY = """\
name: study
rounds: 1
data: {train_samples: 60, test_samples: 40}
model: {kind: logistic}
topology: {kind: complete, peers: 4}
adversaries: {count: 1}
sweep:
  defense:
    - {kind: gossip_average}
    - {kind: local_only}
    - {kind: rule, rule: {kind: median}}
    - {kind: rule, rule: {kind: trimmed_mean, f: 1}}
  attack: [{kind: none}, {kind: sign_flip}, {kind: backdoor}]
  seed: [1, 2]
"""
TABLES = ("results.csv", "results.parquet", "table.md", "table.tex", "variance.csv")


def finished(sweep):
    """When each cell that is done was, by its folder."""
    done = {}
    for cell in (*sweep.cells, *sweep.references.cells):
        path = cell.folder / "summary.json"
        if path.exists() and json.loads(path.read_text())["status"] == "done":
            done[cell.folder] = path.stat().st_mtime_ns
    return done


@pytest.mark.slow
def test_twenty_four_cells_killed_in_the_middle(tmp_path):
    path = tmp_path / "study.yaml"
    path.write_text(STUDY)
    sweep = load_sweep(path, out=tmp_path / "killed")
    assert len(sweep.cells) == 24
    words = ["sweep", str(path), "--out", str(sweep.folder), "--jobs", "2", "--no-report"]
    process = subprocess.Popen(
        [sys.executable, "-c", f"from scenarios.cli import main; main({words!r})"],
        stdout=subprocess.PIPE, text=True, start_new_session=True,
        env={**os.environ, "PYTHONUNBUFFERED": "1"},
    )  # fmt: skip
    assert process.stdout is not None
    for _ in range(6):  # a line for each cell that is done
        assert "benign" in process.stdout.readline()
    os.killpg(process.pid, signal.SIGKILL)
    assert process.wait() == -signal.SIGKILL
    process.stdout.close()
    before = finished(sweep)
    assert 6 <= len(before) < 24
    assert not any((sweep.folder / name).exists() for name in TABLES)

    rows = run_sweep(sweep, jobs=1)
    after = finished(sweep)
    assert len(after) == 24 + len(sweep.references.cells)
    assert {folder: after[folder] for folder in before} == before  # none of them ran again

    whole = load_sweep(path, out=tmp_path / "whole")
    assert run_sweep(whole, jobs=1) == rows
    for name in TABLES:
        assert (sweep.folder / name).read_bytes() == (whole.folder / name).read_bytes()


STOPPED = """\
name: stopped
rounds: 6
data: {train_samples: 60, test_samples: 40}
model: {kind: logistic}
topology: {kind: complete, peers: 4}
runtime: {executor: inline, snapshots: {every_rounds: 1}}
sweep: {seed: [1]}
"""


@pytest.fixture
def stopped(tmp_path, monkeypatch):
    """A cell, run in here until Ctrl-C in the middle; and its summary had it run to its end."""
    path = tmp_path / "stopped.yaml"
    path.write_text(STOPPED)
    (whole,) = load_sweep(path, out=tmp_path / "whole").cells
    (cell,) = load_sweep(path, out=tmp_path / "sweep").cells
    pausing, events = _Run._pausing, []

    def stops(run):
        events.append(None)
        if len(events) > 60:
            raise KeyboardInterrupt
        return pausing(run)

    expected = run_cell(whole, None)
    with monkeypatch.context() as patch:
        patch.setattr(_Run, "_pausing", stops)
        assert run_cell(cell, None)["status"] == "interrupted"
    assert list((cell.folder / "snapshots").iterdir())
    return cell, expected


def went_on(cell):
    return "going on from snapshot" in (cell.folder / "log.txt").read_text()


def test_a_cell_that_was_stopped_goes_on_from_its_snapshot(stopped):
    cell, expected = stopped
    assert run_cell(cell, None)["digest"] == expected["digest"]
    assert went_on(cell)


@pytest.mark.parametrize("how", ["its snapshots are damaged", "it failed", "it is of another seed"])
def test_but_runs_from_nothing_where(how, stopped):
    cell, expected = stopped
    if how == "its snapshots are damaged":
        for path in (cell.folder / "snapshots").iterdir():
            path.write_bytes(b"nothing")
    elif how == "it failed":
        path = cell.folder / "summary.json"
        path.write_text(json.dumps(json.loads(path.read_text()) | {"status": "failed"}))
    else:
        path = cell.folder / "scenario.yaml"
        path.write_text(path.read_text().replace("seed: 1", "seed: 2"))
    assert run_cell(cell, None)["digest"] == expected["digest"]
    assert not went_on(cell)
