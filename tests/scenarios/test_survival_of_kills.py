"""Snapshots and real processes: killed from outside, with nothing left behind."""

import json
import os
import signal
import subprocess
import sys

import psutil
import pytest

from scenarios.cli import main
from scenarios.runner import Record, _Run, run

MAIN = "import sys; from scenarios.cli import main; sys.exit(main(sys.argv[1:]))"
NEVER = {"executor": "inline", "snapshots": None}
OFTEN = {"snapshots": {"every_rounds": 1}}

EVENTS_BETWEEN = 40
"""Of a run, until the next of its actors may be killed."""


@pytest.fixture(scope="module")
def started():
    """``started(*arguments)``: the program, which is killed at the end of the test if need be."""
    processes = []

    def start(*arguments, **options):
        command = [sys.executable, "-c", MAIN, *map(str, arguments)]
        processes.append(subprocess.Popen(command, start_new_session=True, **options))
        return processes[-1]

    yield start
    for process in processes:
        process.kill()
        process.wait()


@pytest.fixture
def wait_for(until):
    def wait(process, folder, pattern):
        until(lambda: process.poll() is not None or list(folder.glob(pattern)))
        assert process.poll() is None

    return wait


def record_of(folder):
    return Record(folder, json.loads((folder / "summary.json").read_text()))


@pytest.mark.slow
@pytest.mark.parametrize(
    ("kind", "executor"),
    [
        pytest.param("rounds", "ray", marks=pytest.mark.ray),
        # What is stored, test_survival.py kills in this process.
        *(
            pytest.param(kind, "inline", marks=pytest.mark.whole)
            for kind in ("rounds", "gossip", "pairwise", "server")
        ),
    ],
)
def test_a_killed_program_goes_on_from_the_command_line(
    kind, executor, lively, outcome, started, wait_for, tmp_path, capsys
):
    runtime = {"executor": executor, "peers_per_actor": 3, **OFTEN}
    scenario, folder = lively(kind, runtime=runtime, rounds=12), tmp_path / "killed"
    process = started("run", scenario.source, "--out", folder)
    wait_for(process, folder, "snapshots/000003-*.npz")
    family = psutil.Process(process.pid).children(recursive=True)
    assert bool(family) == (executor == "ray")
    process.kill()
    assert process.wait() == -signal.SIGKILL
    resumed = started("run", "--resume", folder, "--json", stdout=-1, stderr=-1)
    out, err = resumed.communicate()
    assert resumed.returncode == 0, err
    assert b"going on from snapshot 00" in err
    assert json.loads(out)["folder"] == str(folder)
    assert main(["run", "--resume", str(folder)]) == 2
    assert "there is nothing to go on with" in capsys.readouterr().err
    whole = run(lively(kind, runtime=NEVER, rounds=12), out=tmp_path / "whole", picture=False)
    assert outcome(record_of(folder)) == outcome(whole)
    # Two of Ray's processes look for their parent once a minute.
    _, alive = psutil.wait_procs(family, timeout=300)
    assert not alive


@pytest.mark.ray
@pytest.mark.parametrize(
    "kind",
    [
        "rounds",
        *(pytest.param(kind, marks=pytest.mark.whole) for kind in ("gossip", "pairwise", "server")),
    ],
)
def test_killed_actors_are_replaced_and_no_byte_moves(kind, lively, outcome, tmp_path, monkeypatch):
    expected = outcome(
        run(lively(kind, runtime=NEVER, rounds=8), out=tmp_path / "whole", picture=False)
    )
    runtime = {"executor": "ray", "peers_per_actor": 2, "snapshots": {"every_rounds": 2}}
    scenario = lively(kind, runtime=runtime, rounds=8)
    asked, pausing, killed, actors = [], _Run._pausing, [], {}

    def kills(self):
        asked.append(len(self.executor.pids))
        actors.update((p, psutil.Process(p)) for p in self.executor.pids if p not in actors)
        if killed and killed[-1] in self.executor.pids:
            return pausing(self)  # nobody has noticed yet
        if len(killed) < 3 and len(asked) % EVENTS_BETWEEN == 0:
            killed.append(self.executor.pids[len(killed)])
            os.kill(killed[-1], signal.SIGKILL)
        return pausing(self)

    monkeypatch.setattr(_Run, "_pausing", kills)
    record = run(scenario, out=tmp_path / "ray", picture=False)
    assert outcome(record) == expected
    assert len(set(killed)) == 3
    assert (record.folder / "log.txt").read_text().count("the actor's process is gone") == 3
    assert len(actors) == asked[0] + 3
    _, alive = psutil.wait_procs(actors.values(), timeout=300)
    assert not alive


@pytest.mark.ray
@pytest.mark.slow
@pytest.mark.whole
def test_a_lost_node_of_the_cluster_moves_no_byte(lively, outcome, started, wait_for, tmp_path):
    from ray.cluster_utils import Cluster

    runtime = {"executor": "ray", "peers_per_actor": 1, **OFTEN}
    scenario, folder = lively("rounds", runtime=runtime, rounds=60), tmp_path / "run"
    cluster = Cluster(initialize_head=True, head_node_args={"num_cpus": 2})
    try:
        node = cluster.add_node(num_cpus=2)
        cluster.wait_for_nodes()
        process = started(
            "run", scenario.source, "--out", folder,
            env={**os.environ, "RAY_ADDRESS": cluster.address},
        )  # fmt: skip
        wait_for(process, folder, "snapshots/000003-*.npz")
        cluster.remove_node(node, allow_graceful=False)
        assert process.wait() == 0
    finally:
        cluster.shutdown()
    log = (folder / "log.txt").read_text()
    assert "the actor's process is gone" in log or "what a peer made is lost" in log
    assert "going on from snapshot" in log
    whole = run(lively("rounds", runtime=NEVER, rounds=60), out=tmp_path / "whole", picture=False)
    assert outcome(record_of(folder)) == outcome(whole)
