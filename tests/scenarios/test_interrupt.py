"""A run that is stopped or loses a process ends in order: no hang, no orphan, nothing lost."""

import csv
import json
import os
import signal
import subprocess
import sys
import threading

import psutil
import pytest

MAIN = "import sys; from scenarios.cli import main; sys.exit(main(sys.argv[1:]))"
LONG = ("rounds=100000", "network.drop=0", "runtime.peers_per_actor=5")


def start(folder, *sets):
    command = [sys.executable, "-u", "-c", MAIN, "run", "quickstart", "--out", str(folder)]
    for change in (*LONG, *sets):
        command += ["--set", change]
    process = subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, start_new_session=True
    )
    # A guard against a hang of the run under test, not a bound on its speed.
    guard = threading.Timer(120, process.kill)
    guard.start()
    return process, guard


def wait_for_a_row(process, folder):
    for line in process.stdout:
        if line.startswith("ready"):
            break
    metrics = folder / "metrics.csv"
    while process.poll() is None and metrics.stat().st_size < 2000:
        os.sched_yield()


def finish(process, guard):
    with process:
        _, err = process.communicate()
    guard.cancel()
    return err


@pytest.mark.ray
@pytest.mark.parametrize("how", ["ctrl-c", "terminate"])
def test_it_ends_in_order_when_told_to(tmp_path, how):
    folder = tmp_path / "run"
    process, guard = start(folder)
    wait_for_a_row(process, folder)
    family = psutil.Process(process.pid).children(recursive=True)
    assert family
    if how == "ctrl-c":
        os.killpg(process.pid, signal.SIGINT)  # as a terminal does: to the whole group
    else:
        process.terminate()
    err = finish(process, guard)
    assert process.returncode == 130
    assert "Traceback" not in err
    _, alive = psutil.wait_procs(family, timeout=20)
    assert not alive
    summary = json.loads((folder / "summary.json").read_text())
    assert summary["status"] == "interrupted"
    rows = list(csv.reader((folder / "metrics.csv").read_text().splitlines()))
    assert len(rows) > 2
    assert all(len(row) == 6 for row in rows)
    assert (folder / "report.png").exists()


def test_a_killed_run_leaves_what_it_had(tmp_path):
    folder = tmp_path / "run"
    process, guard = start(folder, "runtime.executor=inline")
    wait_for_a_row(process, folder)
    process.kill()
    finish(process, guard)
    assert json.loads((folder / "summary.json").read_text())["status"] == "running"
    assert (folder / "scenario.yaml").exists()
    assert (folder / "metrics.csv").stat().st_size >= 2000


@pytest.mark.ray
def test_without_snapshots_a_killed_actor_ends_the_run_and_is_named(tmp_path):
    folder = tmp_path / "run"
    process, guard = start(folder, "runtime.snapshots=null")
    wait_for_a_row(process, folder)
    actors = [
        child for child in psutil.Process(process.pid).children(recursive=True)
        if "PeerActor" in " ".join(child.cmdline())
    ]  # fmt: skip
    assert len(actors) == 2
    actors[0].kill()
    err = finish(process, guard)
    assert process.returncode == 1
    assert "Traceback" not in err
    assert "peers 0 to 4" in err or "peers 5 to 9" in err
    assert str(folder) in err
    summary = json.loads((folder / "summary.json").read_text())
    assert summary["status"] == "failed"
    assert "process is gone" in summary["error"]
    assert (folder / "metrics.csv").stat().st_size >= 2000
