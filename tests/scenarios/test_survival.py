"""A run that is killed anywhere and goes on gives the bytes of one that nobody disturbed.

What a kill leaves is a copy of the folder at that moment.
"""

import json
from dataclasses import fields
from shutil import copytree

import pytest

import scenarios.survival
from actors.protocols import PROTOCOLS
from actors.snapshots import Shelf
from p2pfl.errors import ScenarioError, SnapshotError
from p2pfl.seeding import stream
from scenarios.runner import _Run, resume, run
from scenarios.survival import alone_in

OFTEN = {"executor": "inline", "snapshots": {"every_rounds": 1}}
NEVER = {"executor": "inline", "snapshots": None}


KINDS = (
    "rounds", "churn", "hostile", "varying", "planned", "gossip", "pairwise", "until", "dual",
    "server", "clients", "classes", "teachers",
)  # fmt: skip


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


def test_every_protocol_is_killed_here(kinds):
    assert set(kinds) == set(KINDS)
    assert {fields(variant)[-1].default for variant in PROTOCOLS} <= {
        kind["protocol"]["kind"] for kind in kinds.values()
    }


@pytest.mark.parametrize("kind", KINDS)
def test_killed_anywhere_and_resumed_the_bytes_are_the_same(
    kind, killed, tmp_path, lively, outcome
):
    expected = outcome(run(lively(kind, runtime=NEVER), out=tmp_path / "whole", picture=False))
    scenario = lively(kind, runtime=OFTEN)
    events = killed(scenario, None)
    for k in sorted(stream(1, "kill", kind).integers(1, events + 1, 4).tolist()):
        folder = killed(scenario, k)
        assert outcome(resume(folder, picture=False)) == expected, k
        assert not list(folder.rglob("*.part"))


def test_killed_again_after_it_was_resumed(killed, tmp_path, monkeypatch, lively, outcome):
    scenario = lively("rounds", runtime=OFTEN)
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


def test_interrupted_and_resumed(lively, tmp_path, monkeypatch, outcome):
    scenario = lively("server", runtime=OFTEN)
    expected = outcome(run(scenario, out=tmp_path / "whole", picture=False))
    pausing, left = _Run._pausing, iter(range(90))

    def stops(self):
        if next(left, None) is None:
            raise KeyboardInterrupt
        return pausing(self)

    with monkeypatch.context() as patch:
        patch.setattr(_Run, "_pausing", stops)
        record = run(scenario, out=tmp_path / "run", picture=False)
    assert record.status == "interrupted"
    (record.folder / "summary.json").write_text("")  # as a power cut may leave it
    assert outcome(resume(record.folder, picture=False)) == expected


# ---------------------------------------------------------------- damage


@pytest.fixture
def half(killed, lively):
    """A run that was killed with two snapshots taken."""
    scenario = lively("rounds", runtime=OFTEN)
    folder = killed(scenario, 330)
    files = sorted((folder / "snapshots").iterdir())
    assert len(files) == 2
    return scenario, folder, files


@pytest.mark.parametrize("how", ["torn", "edited"])
def test_the_one_before_a_damaged_one_is_used(how, half, tmp_path, outcome):
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


def test_a_record_that_was_cut_leads_to_an_older_snapshot_or_to_a_refusal(half, tmp_path, outcome):
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
        with pytest.raises(SnapshotError, match=r"is of another version: .*here it is .*9\.9"):
            resume(folder, picture=False)
    ours = scenarios.survival.FORMAT
    monkeypatch.setattr(scenarios.survival, "FORMAT", 0)
    with pytest.raises(SnapshotError, match=f"is of another format: it says {ours}, here it is 0"):
        resume(folder, picture=False)


def test_runtime_may_differ_as_it_moves_no_result(half, tmp_path, outcome):
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


def test_before_the_first_snapshot_it_begins_anew(killed, tmp_path, lively, outcome):
    scenario = lively("rounds", runtime=NEVER)
    expected = outcome(run(scenario, out=tmp_path / "whole", picture=False))
    assert outcome(resume(killed(scenario, 200), picture=False)) == expected
