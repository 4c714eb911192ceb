"""A run that loses processes is rolled back and gives the same bytes; and what a snapshot holds."""

import pytest

import scenarios.survival
from actors.encoding import Codec
from actors.executor import Outcome, Task
from actors.inline import InlineExecutor
from actors.snapshots import Shelf
from actors.together import Box
from p2pfl.errors import PeerLost
from p2pfl.learner.learner import Learner
from scenarios.build import build
from scenarios.runner import run
from scenarios.survival import Survival
from scenarios.watcher import Watcher

OFTEN = {"executor": "inline", "snapshots": {"every_rounds": 1}}
NEVER = {"executor": "inline", "snapshots": None}


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
        ("gossip", 1, {40, 90, 120}),
        ("gossip", 100, {40, 90, 120}),
        ("pairwise", 1, {40, 90, 320}),
        ("pairwise", 100, {40, 130, 260}),
        ("server", 1, {20, 50, 90}),
        ("server", 100, {30, 70, 120}),
    ],
)
def test_a_process_lost_three_times_moves_no_byte(
    kind, every, losses, lossy, tmp_path, lively, outcome
):
    never = lively(kind, runtime=NEVER)
    whole = run(never, out=tmp_path / "whole", picture=False)
    expected = outcome(whole)
    executors = lossy(losses)
    runtime = {"executor": "inline", "snapshots": {"every_rounds": every}}
    watcher = Told()
    scenario = lively(kind, runtime=runtime)
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
    assert record.summary["warnings"] == whole.summary["warnings"]


MINE = """
from dataclasses import dataclass
from typing import NamedTuple

from p2pfl.defenses.base import PeerDefense
from p2pfl.types import Merge


class Seen(NamedTuple):
    rounds: int
    last: object


@dataclass(frozen=True)
class Counts(PeerDefense):
    '''Goes half the way to where it was at the last merge.'''

    def init(self, d):
        return None

    def merge(self, view, state):
        last = view.start if state is None else state.last
        seen = Seen(1 if state is None else state.rounds + 1, view.own)
        model = (view.own + last) / 2 + seen.rounds
        return Merge(model=model, influence=view.own.new_zeros(len(view.senders))), seen
"""


def test_the_state_of_a_users_own_defense_is_stored_too(loaded, lossy, outcome, tmp_path):
    (tmp_path / "counting_survivor.py").write_text(MINE)
    sections = {"rounds": 5, "defense": {"use": "counting_survivor:Counts"}}
    expected = outcome(run(loaded(**sections, runtime=NEVER), out=tmp_path / "a", picture=False))
    executors = lossy({70})
    record = run(loaded(**sections, runtime=OFTEN), out=tmp_path / "b", picture=False)
    assert outcome(record) == expected
    assert executors[0].restarts == 1
    assert "going on from snapshot" in (record.folder / "log.txt").read_text()


def test_without_snapshots_a_lost_process_ends_the_run(lossy, tmp_path, lively):
    lossy({40})
    with pytest.raises(PeerLost, match="peer 1"):
        run(lively("rounds", runtime=NEVER), out=tmp_path / "run", picture=False)


def test_a_run_that_loses_processes_for_ever_ends(lossy, tmp_path, lively):
    executors = lossy(range(20, 100_000, 20))
    runtime = {"executor": "inline", "snapshots": {"every_rounds": 100}}
    with pytest.raises(PeerLost, match="peer 1"):
        run(lively("rounds", runtime=runtime), out=tmp_path / "run", picture=False)
    assert executors[0].restarts == scenarios.survival.MOST_LOSSES


# ---------------------------------------------------------------- what is stored


def test_no_attribute_of_a_learner_is_forgotten(monkeypatch, tmp_path, lively, kinds):
    """Two learners alike in what ``state`` gives are alike in all: none has a hidden state."""
    for kind in kinds:
        experiment = build(lively(kind, runtime=NEVER))
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
            for name in vars(ran).keys() - {"_bench", "_own_data"}:
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
def test_snapshots_by_rounds_count_those_of_all_peers(tmp_path, kind, counting, lively):
    runtime = {"executor": "inline", "snapshots": {"every_rounds": 3}}
    survival = Survival(build(lively(kind, runtime=runtime)), tmp_path)
    assert [n for n in range(40) if survival.due(0.0, n)] == list(range(3 * counting, 40))
    survival._rounds_over = 3 * counting
    assert min(n for n in range(99) if survival.due(0.0, n)) == 6 * counting
