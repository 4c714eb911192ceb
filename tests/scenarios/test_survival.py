"""A run that is killed anywhere and goes on gives the bytes of one that nobody disturbed.

What a kill leaves is a copy of the folder at that moment.
"""

import json
import os
import signal
import subprocess
import sys
from dataclasses import fields
from shutil import copytree

import psutil
import pytest

import scenarios.survival
from actors.encoding import Codec
from actors.executor import Outcome, Task
from actors.inline import Box, InlineExecutor
from actors.protocols import PROTOCOLS
from actors.snapshots import Shelf
from p2pfl.errors import PeerLost, ScenarioError, SnapshotError
from p2pfl.learner.learner import Learner
from p2pfl.seeding import stream
from scenarios.build import build
from scenarios.cli import main
from scenarios.runner import Record, _Run, resume, run
from scenarios.survival import Survival, alone_in
from scenarios.watcher import Watcher

COMPARED = ("metrics.csv", "edges.csv", "decisions.csv", "messages.csv", "events.jsonl")
NETWORK = {
    "latency": {"kind": "lognormal", "median_ms": 40, "sigma": 1},
    "bandwidth_mbps": 10,
    "drop": 0.1,
}
HOSTILE = {"adversaries": {"count": 2}, "attack": {"kind": "mimic", "choice": "variance"}}
AMONG = {
    "rounds": 6,
    "training": {"lr": 0.1, "batch_size": 32, "momentum": 0.9, "keep_momentum": True},
    "compute": {"samples_per_s": 2000, "spread": 0.5},
    "network": NETWORK,
    "protocol": {"kind": "rounds", "timeout_s": 1.5, "late": "use"},
    "evaluate": {"every": 1, "samples": 60, "consensus": True},
    "record": {"messages": True},
}
KINDS = {
    "rounds": AMONG | HOSTILE | {"defense": {"kind": "gpd", "first_window": 2}},
    "dual": AMONG | HOSTILE | {"defense": {"kind": "dfl_dual", "samples_per_class": 2, "steps": 2}},
    "server": AMONG
    | HOSTILE
    | {
        "topology": {"kind": "clients", "peers": 5},
        "server": {"strategy": {"kind": "fed_grad"}, "participants": 4},
    },
    "clients": AMONG
    | {
        "topology": {"kind": "clients", "peers": 4},
        "server": {"strategy": {"kind": "momentum_sgd"}},
    },
}
OFTEN = {"executor": "inline", "snapshots": {"every_rounds": 1}}
NEVER = {"executor": "inline", "snapshots": None}


def outcome(record):
    assert record.status == "done"
    assert not (record.folder / "snapshots").exists()
    names = [n for n in (*COMPARED, "messages.jsonl") if (record.folder / n).exists()]
    files = {name: (record.folder / name).read_bytes() for name in names}
    own = ("wall_s", "warnings")
    return files | {k: v for k, v in record.summary.items() if k not in own}


class MomentError(Exception):
    """The moment has come."""


@pytest.fixture
def killed(monkeypatch, tmp_path):
    """``killed(loaded, k)``: the folder as a kill before the k-th event leaves it, and how far."""

    def make(loaded, k):
        asked, pausing = [], _Run._pausing

        def count(self):
            asked.append(None)
            if len(asked) == k:
                copytree(self.folder, tmp_path / f"killed{k}")
                raise MomentError
            return pausing(self)

        with monkeypatch.context() as patch:
            patch.setattr(_Run, "_pausing", count)
            try:
                run(loaded, out=tmp_path / f"left{k}", picture=False)
            except MomentError:
                return tmp_path / f"killed{k}"
        return len(asked)

    return make


def test_every_protocol_is_killed_here():
    assert {fields(variant)[-1].default for variant in PROTOCOLS} <= {
        kind["protocol"]["kind"] for kind in KINDS.values()
    }


@pytest.mark.parametrize("kind", KINDS)
def test_killed_anywhere_and_resumed_the_bytes_are_the_same(kind, loaded, killed, tmp_path):
    expected = outcome(
        run(loaded(**KINDS[kind], runtime=NEVER), out=tmp_path / "whole", picture=False)
    )
    scenario = loaded(**KINDS[kind], runtime=OFTEN)
    events = killed(scenario, None)
    for k in sorted(stream(1, "kill", kind).integers(1, events + 1, 4).tolist()):
        folder = killed(scenario, k)
        assert outcome(resume(folder, picture=False)) == expected, k
        assert not list(folder.rglob("*.part"))


def test_killed_again_after_it_was_resumed(loaded, killed, tmp_path, monkeypatch):
    scenario = loaded(**KINDS["rounds"], runtime=OFTEN)
    expected = outcome(run(scenario, out=tmp_path / "whole", picture=False))
    folder, pausing = killed(scenario, 200), _Run._pausing
    left = iter(range(150))

    def stops(self):
        if next(left, None) is None:
            raise MomentError
        return pausing(self)

    with monkeypatch.context() as patch:
        patch.setattr(_Run, "_pausing", stops)
        with pytest.raises(MomentError):
            resume(folder, picture=False)
    assert json.loads((folder / "summary.json").read_text())["status"] == "failed"
    assert outcome(resume(folder, picture=False)) == expected


# ---------------------------------------------------------------- damage


@pytest.fixture
def half(loaded, killed):
    """A run that was killed with two snapshots taken."""
    scenario = loaded(**KINDS["rounds"], runtime=OFTEN)
    folder = killed(scenario, 330)
    files = sorted((folder / "snapshots").iterdir())
    assert len(files) == 2
    return scenario, folder, files


@pytest.mark.parametrize("how", ["torn", "edited"])
def test_the_one_before_a_damaged_one_is_used(how, half, tmp_path):
    scenario, folder, (_, newer) = half
    content = bytearray(newer.read_bytes())
    content[len(content) // 2] ^= 1
    newer.write_bytes(content[: len(content) // 2] if how == "torn" else content)
    record = resume(folder, picture=False)
    assert outcome(record) == outcome(run(scenario, out=tmp_path / "whole", picture=False))
    [warning] = record.summary["warnings"]
    assert "do not match the digest" in warning
    assert warning in (folder / "log.txt").read_text()


def test_where_all_are_damaged_it_says_so_and_touches_nothing(half):
    _, folder, files = half
    for file in files:
        file.write_bytes(file.read_bytes()[:-100])
    before = {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}
    with pytest.raises(SnapshotError, match=r"cannot go on: no whole snapshot is left: .*digest"):
        resume(folder, picture=False)
    assert before == {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_a_record_that_was_cut_leads_to_an_older_snapshot_or_to_a_refusal(half, tmp_path):
    scenario, folder, (older, _) = half
    lengths = [
        Shelf(folder / "snapshots").newest(fits)[0].about["lengths"]
        for fits in (
            lambda one: None if one.number == int(older.name[:6]) else "",
            lambda one: None,
        )
    ]
    events = folder / "events.jsonl"
    content = events.read_bytes()
    events.write_bytes(content[: lengths[1]["events.jsonl"] - 1])
    copytree(folder, tmp_path / "copy")
    record = resume(folder, picture=False)
    assert outcome(record) == outcome(run(scenario, out=tmp_path / "whole", picture=False))
    assert "bytes of events.jsonl" in record.summary["warnings"][0]
    (tmp_path / "copy" / "events.jsonl").write_bytes(content[:10])
    with pytest.raises(SnapshotError, match=r"bytes of events\.jsonl, which has 10"):
        resume(tmp_path / "copy", picture=False)


def test_one_of_another_scenario_is_refused(half):
    _, folder, _ = half
    file = folder / "scenario.yaml"
    file.write_text(file.read_text().replace("seed: 1", "seed: 2"))
    with pytest.raises(SnapshotError, match=r"snapshot \d+ is of another scenario"):
        resume(folder, picture=False)


def test_one_of_another_version_is_refused(half, monkeypatch):
    _, folder, _ = half
    with monkeypatch.context() as patch:
        patch.setattr(scenarios.survival, "version", lambda name: "9.9")
        with pytest.raises(SnapshotError, match=r"is of another versions: .*here it is .*9\.9"):
            resume(folder, picture=False)
    monkeypatch.setattr(scenarios.survival, "FORMAT", 0)
    with pytest.raises(SnapshotError, match="is of another format: it says 1, here it is 0"):
        resume(folder, picture=False)


def test_runtime_may_differ_as_it_moves_no_result(half, tmp_path):
    scenario, folder, _ = half
    file = folder / "scenario.yaml"
    file.write_text(file.read_text().replace("every_rounds: 1", "every_rounds: 4"))
    record = resume(folder, picture=False)
    assert outcome(record) == outcome(run(scenario, out=tmp_path / "whole", picture=False))


# ---------------------------------------------------------------- what cannot be resumed


def test_what_is_no_unfinished_run_is_refused(tmp_path, loaded):
    with pytest.raises(ScenarioError, match="is no run folder"):
        resume(tmp_path)
    record = run(loaded(rounds=1), out=tmp_path / "run", picture=False)
    with pytest.raises(ScenarioError, match="is done; there is nothing to go on with"):
        resume(record.folder)


def test_a_folder_that_is_being_written_is_refused(half):
    _, folder, _ = half
    with alone_in(folder), pytest.raises(ScenarioError, match="still writing into it"):
        resume(folder, picture=False)


def test_before_the_first_snapshot_it_begins_anew(loaded, killed, tmp_path):
    scenario = loaded(**KINDS["rounds"], runtime=NEVER)
    expected = outcome(run(scenario, out=tmp_path / "whole", picture=False))
    assert outcome(resume(killed(scenario, 200), picture=False)) == expected


# ---------------------------------------------------------------- lost processes


class Lossy(InlineExecutor):
    """Loses a process at some submissions; from then on nothing is computed or to be had."""

    def __init__(self, losses, *made_of):
        super().__init__(*made_of)
        self.losses, self.count, self.gone, self.restarts = losses, 0, False, 0

    def submit(self, peer, task, inputs):
        self.count += 1
        self.gone |= self.count in self.losses
        if self.gone:
            return Outcome((Box(None),) * task.outputs, Box(None))
        return super().submit(peer, task, inputs)

    def fetch(self, handles):
        if self.gone:
            raise PeerLost("peer 1: the actor's process is gone (killed)")
        return super().fetch(handles)

    def restart(self):
        self.gone, self.restarts = False, self.restarts + 1
        super().restart()


class Told(Watcher):
    def __init__(self):
        self.went_on = []

    def goes_on(self, where, rounds_over):
        self.went_on.append((where, rounds_over))


@pytest.fixture
def lossy(monkeypatch):
    """``lossy({3, 50})``: runs lose a process at these submissions; their executors, as made."""

    def make(losses):
        executors = []

        def make_executor(experiment, stopping):
            parts = (experiment.spec, experiment.peers, experiment.arrays)
            executors.append(Lossy(losses, *parts))
            return executors[-1]

        monkeypatch.setattr("scenarios.runner.make_executor", make_executor)
        return executors

    return make


@pytest.mark.parametrize(
    ("kind", "every", "losses"),
    [
        ("rounds", 1, {40, 90, 170}),
        ("rounds", 100, {40, 130, 260}),
        ("server", 1, {20, 50, 90}),
        ("server", 100, {30, 70, 120}),
    ],
)
def test_a_process_lost_three_times_moves_no_byte(kind, every, losses, loaded, lossy, tmp_path):
    never = loaded(**KINDS[kind], runtime=NEVER)
    expected = outcome(run(never, out=tmp_path / "whole", picture=False))
    executors = lossy(losses)
    runtime = {"executor": "inline", "snapshots": {"every_rounds": every}}
    watcher = Told()
    scenario = loaded(**KINDS[kind], runtime=runtime)
    record = run(scenario, out=tmp_path / "lost", watcher=watcher, picture=False)
    assert outcome(record) == expected
    assert executors[0].restarts == 3
    log = (record.folder / "log.txt").read_text()
    assert log.count("WARNING peer 1: the actor's process is gone (killed)") == 3
    assert len(watcher.went_on) == 3
    if every == 100:
        assert watcher.went_on == [("the start", 0)] * 3
    else:
        assert watcher.went_on[-1][0].startswith("snapshot 0000")
        assert watcher.went_on[-1][1] > 0
    assert record.summary["warnings"] == []


def test_without_snapshots_a_lost_process_ends_the_run(loaded, lossy, tmp_path):
    lossy({40})
    with pytest.raises(PeerLost, match="peer 1"):
        run(loaded(**KINDS["rounds"], runtime=NEVER), out=tmp_path / "run", picture=False)


def test_a_run_that_loses_processes_for_ever_ends(loaded, lossy, tmp_path):
    [executors] = [lossy(range(20, 100_000, 20))]
    runtime = {"executor": "inline", "snapshots": {"every_rounds": 100}}
    with pytest.raises(PeerLost, match="peer 1"):
        run(loaded(**KINDS["rounds"], runtime=runtime), out=tmp_path / "run", picture=False)
    assert executors[0].restarts == scenarios.survival.MOST_LOSSES


# ---------------------------------------------------------------- what is stored


def test_no_attribute_of_a_learner_is_forgotten(loaded, monkeypatch, tmp_path):
    """Two learners alike in what ``state`` gives are alike in all: none has a hidden state."""
    for kind in KINDS:
        experiment = build(loaded(**KINDS[kind], runtime=NEVER))
        parts = (experiment.spec, experiment.peers, experiment.arrays)
        executor = InlineExecutor(*parts)
        monkeypatch.setattr("scenarios.runner.make_executor", lambda *_, one=executor: one)
        run(experiment.loaded, out=tmp_path / kind, picture=False)
        fresh = InlineExecutor(*parts)
        for peer in experiment.peers:
            saved = executor.submit(peer.peer, Task("save", 0), ()).summary
            fresh.submit(peer.peer, Task("restore", 0), [saved])
            ran, restored = (e._host._learners[peer.peer] for e in (executor, fresh))
            assert vars(ran).keys() == vars(restored).keys()
            for name in vars(ran).keys() - {"_bench"}:
                (one, _), (other, _) = (Codec().encode(vars(x)[name]) for x in (ran, restored))
                assert one.tree == other.tree, name
                pairs = zip(one.arrays, other.arrays, strict=True)
                assert all(a.tobytes() == b.tobytes() for a, b in pairs), name


def test_a_state_that_cannot_be_stored_costs_the_snapshots_and_a_warning(
    loaded, monkeypatch, tmp_path
):
    monkeypatch.setattr(Learner, "state", lambda self: {"made": object()})
    record = run(loaded(runtime=OFTEN), out=tmp_path / "run", picture=False)
    assert record.status == "done"
    [warning] = record.summary["warnings"]
    assert warning.startswith("there are no snapshots of this run: the state of peer 0 cannot")
    assert "came a builtins.object" in warning


def test_a_full_disk_costs_the_snapshot_and_a_warning(loaded, monkeypatch, tmp_path):
    def full(self, about, parts):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Shelf, "store", full)
    record = run(loaded(runtime=OFTEN), out=tmp_path / "run", picture=False)
    assert record.status == "done"
    assert record.summary["warnings"] == [
        "a snapshot could not be written: No space left on device"
    ]


def test_snapshots_by_the_clock_cost_no_more_than_their_share(loaded, tmp_path):
    experiment = build(loaded(runtime={"executor": "inline", "snapshots": {"every_s": 10}}))
    survival = Survival(experiment, tmp_path)
    start = survival._taken_at
    assert not survival.due(start + 9.9, 0)
    assert survival.due(start + 10.1, 0)
    survival._took_s = 3.0  # twenty times that is a minute
    assert not survival.due(start + 59.9, 0)
    assert survival.due(start + 60.1, 0)


@pytest.mark.parametrize(("kind", "counting"), [("rounds", 5), ("server", 1)])
def test_snapshots_by_rounds_count_those_of_all_peers(loaded, tmp_path, kind, counting):
    runtime = {"executor": "inline", "snapshots": {"every_rounds": 3}}
    survival = Survival(build(loaded(**KINDS[kind], runtime=runtime)), tmp_path)
    assert [n for n in range(40) if survival.due(0.0, n)] == list(range(3 * counting, 40))
    survival._rounds_over = 3 * counting
    assert min(n for n in range(99) if survival.due(0.0, n)) == 6 * counting


# ---------------------------------------------------------------- real processes


MAIN = "import sys; from scenarios.cli import main; sys.exit(main(sys.argv[1:]))"


@pytest.mark.slow
def test_a_killed_program_goes_on_from_the_command_line(loaded, tmp_path, capsys):
    scenario = loaded(**KINDS["rounds"] | {"rounds": 12}, runtime=OFTEN)
    command = [sys.executable, "-c", MAIN, "run"]
    folder = tmp_path / "killed"
    process = subprocess.Popen([*command, scenario.source, "--out", str(folder)])
    while process.poll() is None and not list(folder.glob("snapshots/000003-*.npz")):
        os.sched_yield()
    process.send_signal(signal.SIGKILL)
    assert process.wait() == -signal.SIGKILL
    done = subprocess.run([*command, "--resume", str(folder), "--json"], capture_output=True)
    assert done.returncode == 0, done.stderr
    assert b"going on from snapshot 00" in done.stderr
    assert json.loads(done.stdout)["folder"] == str(folder)
    assert main(["run", "--resume", str(folder)]) == 2
    assert "there is nothing to go on with" in capsys.readouterr().err
    resumed = Record(folder, json.loads((folder / "summary.json").read_text()))
    assert outcome(resumed) == outcome(run(scenario, out=tmp_path / "whole", picture=False))


@pytest.mark.ray
def test_killed_actors_are_replaced_and_no_byte_moves(loaded, tmp_path, monkeypatch):
    """Three are killed, at three moments; then the driver itself; and it goes on."""
    sections = KINDS["rounds"] | {"rounds": 8}
    expected = outcome(
        run(loaded(**sections, runtime=NEVER), out=tmp_path / "whole", picture=False)
    )
    runtime = {"executor": "ray", "peers_per_actor": 2, "snapshots": {"every_rounds": 2}}
    scenario = loaded(**sections, runtime=runtime)
    asked, pausing, killed = [], _Run._pausing, []

    def kills(self):
        asked.append(None)
        if len(asked) in (100, 250, 420):
            victim = self.executor.pids[len(killed) % len(self.executor.pids)]
            os.kill(victim, signal.SIGKILL)
            killed.append(victim)
        return pausing(self)

    monkeypatch.setattr(_Run, "_pausing", kills)
    record = run(scenario, out=tmp_path / "ray", picture=False)
    assert outcome(record) == expected
    assert len(set(killed)) == 3
    log = (record.folder / "log.txt").read_text()
    assert log.count("the actor's process is gone") == 3
    _, alive = psutil.wait_procs(psutil.Process().children(recursive=True), timeout=20)
    assert not alive
