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
HANG_S = 600
"""A guard against a hang of the run under test, not a bound on its speed."""
LONG = ("rounds=100000", "network.drop=0", "runtime.peers_per_actor=5")


def start(folder, *sets):
    command = [sys.executable, "-u", "-c", MAIN, "run", "quickstart", "--out", str(folder)]
    for change in (*LONG, *sets):
        command += ["--set", change]
    process = subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, start_new_session=True
    )
    guard = threading.Timer(HANG_S, process.kill)
    guard.start()
    return process, guard


@pytest.fixture
def wait_for_a_row(until):
    def wait(process, folder):
        for line in process.stdout:
            if line.startswith("ready"):
                break
        metrics = folder / "metrics.csv"
        until(lambda: process.poll() is not None or metrics.stat().st_size >= 2000)

    return wait


def finish(process, guard):
    with process:
        out, err = process.communicate()
    guard.cancel()
    return out, err


@pytest.mark.ray
@pytest.mark.parametrize("how", [
    "ctrl-c",
    pytest.param("terminate", marks=pytest.mark.whole),
])  # fmt: skip
def test_it_ends_in_order_when_told_to(wait_for_a_row, tmp_path, how):
    folder = tmp_path / "run"
    process, guard = start(folder)
    wait_for_a_row(process, folder)
    family = psutil.Process(process.pid).children(recursive=True)
    assert family
    if how == "ctrl-c":
        os.killpg(process.pid, signal.SIGINT)  # as a terminal does: to the whole group
    else:
        process.terminate()
    out, err = finish(process, guard)
    assert process.returncode == 130
    assert "Traceback" not in err
    assert "raylet" not in out  # what a program may read has nothing of Ray's
    _, alive = psutil.wait_procs(family, timeout=20)
    assert not alive
    summary = json.loads((folder / "summary.json").read_text())
    assert summary["status"] == "interrupted"
    rows = list(csv.reader((folder / "metrics.csv").read_text().splitlines()))
    assert len(rows) > 2
    assert all(len(row) == 6 for row in rows)
    assert (folder / "report.png").exists()


def test_a_killed_run_leaves_what_it_had(wait_for_a_row, tmp_path):
    folder = tmp_path / "run"
    process, guard = start(folder, "runtime.executor=inline")
    wait_for_a_row(process, folder)
    process.kill()
    finish(process, guard)
    assert json.loads((folder / "summary.json").read_text())["status"] == "running"
    assert (folder / "scenario.yaml").exists()
    assert (folder / "metrics.csv").stat().st_size >= 2000


@pytest.mark.ray
def test_a_run_of_which_every_process_was_killed_fails_and_says_so(wait_for_a_row, tmp_path):
    folder = tmp_path / "run"
    process, guard = start(folder, "runtime.snapshots=null")
    wait_for_a_row(process, folder)
    actors = [
        child for child in psutil.Process(process.pid).children(recursive=True)
        if "PeerActor" in " ".join(child.cmdline())
    ]  # fmt: skip
    assert len(actors) == 2
    for actor in actors:
        actor.kill()
    _, err = finish(process, guard)
    assert process.returncode == 1
    assert "Traceback" not in err
    assert "every benign peer is lost" in err
    assert str(folder) in err
    summary = json.loads((folder / "summary.json").read_text())
    assert summary["status"] == "failed"
    assert "every benign peer is lost" in summary["error"]
    assert (folder / "metrics.csv").stat().st_size >= 2000


@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGTERM])
def test_a_stopped_sweep_leaves_no_process(until, tmp_path, how):
    scenario = tmp_path / "long.yaml"
    scenario.write_text(
        "name: long\nrounds: 100000\nmodel: {kind: logistic}\n"
        "topology: {kind: ring, peers: 4}\nsweep: {seed: [1, 2]}\n"
    )
    command = [sys.executable, "-c", MAIN, "sweep", str(scenario), "--out", str(tmp_path / "out")]
    with subprocess.Popen(
        [*command, "--jobs", "1"], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    ) as process:
        guard = threading.Timer(HANG_S, process.kill)
        guard.start()
        started = tmp_path / "out/references/0000/metrics.csv"
        until(lambda: process.poll() is not None or started.exists())
        family = psutil.Process(process.pid).children(recursive=True)
        assert family
        process.send_signal(how)
        assert process.wait() != 0
        guard.cancel()
    assert psutil.wait_procs(family, timeout=60)[1] == []
