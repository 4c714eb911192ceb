"""What a run leaves behind, whatever happened in it."""

import gc
import json
from collections import defaultdict
from pathlib import Path

import pytest

from actors.engine import Engine
from actors.host import Host
from p2pfl.errors import ResourceError, RunError, ScenarioError, TopologyError
from scenarios.build import build
from scenarios.files import read_table
from scenarios.loader import load
from scenarios.runner import _Run, run

LOSSY = {
    "topology": {"kind": "random_regular", "peers": 8, "degree": 4},
    "network": {"latency": {"kind": "lognormal", "median_ms": 40, "sigma": 1.0},
                "bandwidth_mbps": 1, "drop": 0.2},
    "protocol": {"kind": "rounds", "timeout_s": 0.3},
    "compute": {"samples_per_s": 500, "spread": 0.5},
    "rounds": 6,
}  # fmt: skip


def lines_of(record, name):
    return (record.folder / name).read_text().splitlines()


def test_the_folder_is_complete(loaded, tmp_path):
    record = run(loaded(adversaries={"count": 1}, attack={"kind": "alie"}), out=tmp_path / "out")
    names = {path.name for path in record.folder.iterdir()}
    assert names == {
        "scenario.yaml", "environment.json", "topology.graphml", "metrics.csv", "edges.csv",
        "decisions.csv", "messages.csv", "events.jsonl", "summary.json", "report.png", "log.txt",
    }  # fmt: skip
    assert record.status == "done"
    assert load(record.folder / "scenario.yaml").scenario.rounds == 3


@pytest.mark.parametrize("kind", ["rounds", "gossip", "until", "server", "clients"])
def test_whatever_kind_of_run_there_is_a_picture_of_it(lively, tmp_path, kind):
    record = run(lively(kind), out=tmp_path / "out")
    assert (record.folder / "report.png").read_bytes().startswith(b"\x89PNG")


@pytest.mark.parametrize("late", ["drop", "use"])
def test_every_message_is_accounted_for(run_small, late):
    record = run_small(**{**LOSSY, "protocol": {**LOSSY["protocol"], "late": late}})
    rows = record.table("messages")
    assert len(rows) == 8 * 4
    for row in rows:
        count = {key: int(value) for key, value in row.items()}
        assert count["sent"] == count["delivered"] + count["dropped"]
        assert count["in_flight"] == 0
        assert count["delivered"] == count["accepted"] + count["late"] + count["rejected"]
    total = record.summary["messages"]
    assert total["dropped"] > 0
    assert total["late"] > 0
    used = sum(int(row["staleness"]) > 0 for row in record.table("edges"))
    assert (used > 0) == (late == "use")


def test_messages_have_a_file_of_their_own_when_asked(run_small):
    record = run_small(**LOSSY, record={"messages": True})
    lines = [json.loads(line) for line in lines_of(record, "messages.jsonl")]
    total = record.summary["messages"]
    for event, count in (("arrived", "delivered"), ("dropped", "dropped")):
        assert sum(line["event"] == event for line in lines) == total[count]
    times = [line["time_s"] for line in lines]
    assert times == sorted(times)


def test_figures_of_the_summary_are_those_of_the_tables(run_small):
    record = run_small(adversaries={"count": 1}, attack={"kind": "sign_flip"})
    last = defaultdict(list)
    for row in record.table("metrics"):
        if row["metric"] == "accuracy" and row["round"] == "3":
            last[row["role"]].append(float(row["value"]))
    accuracy = record.summary["accuracy"]
    assert len(last["benign"]) == 4
    assert accuracy["benign"]["mean"] == pytest.approx(sum(last["benign"]) / 4)
    assert accuracy["benign"]["worst"] == min(last["benign"])
    assert accuracy["adversary"]["mean"] == last["adversary"][0]


def test_edges_tell_each_row_and_its_share(run_small):
    record = run_small(defense={"kind": "rule", "rule": {"kind": "krum", "f": 1}})
    rows = record.table("edges")
    assert len(rows) == 5 * 4 * 3
    shares = defaultdict(list)
    for row in rows:
        shares[row["peer"], row["round"]].append(float(row["influence"]))
    assert all(sum(each) in (0.0, 1.0) for each in shares.values())  # the own row may be chosen


def test_events_tell_timeouts_and_rounds(run_small):
    record = run_small(**LOSSY)
    events = [json.loads(line) for line in lines_of(record, "events.jsonl")]
    count = {name: sum(e["event"] == name for e in events) for name in ("round_start", "round_end")}
    assert count == {"round_start": 48, "round_end": 48}
    missing = [e["missing"] for e in events if e["event"] == "timeout"]
    assert len(missing) == record.summary["timeouts"] > 0
    assert all(missing)


def test_nothing_weakens_in_silence(run_small):
    record = run_small(
        topology={"kind": "ring", "peers": 5},
        defense={"kind": "rule", "rule": {"kind": "krum", "f": 1}},
    )
    assert record.summary["without_guarantee"] == record.summary["merges"] == 15
    assert any("guarantee" in warning for warning in record.summary["warnings"])


def test_a_shortfall_keeps_the_own_model_and_is_counted(run_small):
    # A star's leaves have two rows: too few for f = 1. Its hub has five.
    star = {"topology": {"kind": "star", "peers": 5}, "rounds": 2}
    rule = {"kind": "rule", "rule": {"kind": "trimmed_mean", "f": 1}}
    record = run_small(**star, defense=rule)
    assert record.summary["shortfalls"] == 4 * 2
    leaf = [row for row in record.table("edges") if row["peer"] != "0"]
    assert {row["influence"] for row in leaf} == {"0.0"}
    with pytest.raises(RunError, match="trimmed_mean needs n > 2f"):
        run_small(**star, defense=rule, on_shortfall="fail")


def test_a_muted_neighbour_hears_nothing_more(run_small, tmp_path):
    (tmp_path / "shy.py").write_text(
        "from dataclasses import dataclass\n"
        "from typing import ClassVar\n"
        "import torch\n"
        "from p2pfl.defenses.base import PeerDefense\n"
        "from p2pfl.types import Merge\n"
        "@dataclass(frozen=True)\n"
        "class Shy(PeerDefense):\n"
        "    mutes: ClassVar = True\n"
        "    def init(self, d):\n"
        "        return None\n"
        "    def merge(self, view, state):\n"
        "        none = torch.zeros(len(view.senders))\n"
        "        return Merge(model=view.own, influence=none, muted=(0,)), state\n"
    )
    record = run_small(defense={"use": "shy:Shy"}, protocol={"kind": "rounds", "timeout_s": 1})
    sent = {(r["source"], r["destination"]): int(r["sent"]) for r in record.table("messages")}
    assert sent["1", "0"] == 1  # the first message left before the first merge
    assert sent["1", "2"] == 3


OWN = """
from dataclasses import dataclass
from typing import ClassVar

import torch

from p2pfl.attacks.base import Honest
from p2pfl.defenses.base import PeerDefense
from p2pfl.types import Merge


@dataclass(frozen=True)
class Own(PeerDefense):
    how: str = "fresh"

    def init(self, d):
        if self.how == "init":
            raise KeyError("no such thing")

    def merge(self, view, state):
        influence = torch.full((len(view.senders),), 0.1)
        notes = {"peer": 7.0, "score": torch.tensor(float("nan"))}
        shift = 0.5 * (view.received.mean(dim=0) - view.own)
        model = view.own.add_(shift) if self.how == "in_place" else view.own + shift
        if self.how == "short":
            model = model[:-1]
        if self.how == "influence":
            influence = influence[1:]
        return Merge(model=model, influence=influence, notes=notes), state


@dataclass(frozen=True)
class Grad(Own):
    sends: ClassVar = "gradient"


@dataclass(frozen=True)
class Listener(Honest):
    knowledge: ClassVar = "neighbourhood"

    def craft(self, view, state, rng):
        return view.visible.mean(dim=0).expand(len(view.targets), -1), state
"""


@pytest.fixture
def own(tmp_path):
    (tmp_path / "own.py").write_text(OWN)


@pytest.mark.usefixtures("own")
def test_a_defense_that_works_in_place_changes_nothing_that_was_sent(run_small):
    fresh = run_small(defense={"use": "own:Own"})
    in_place = run_small(defense={"use": "own:Own", "how": "in_place"})
    assert in_place.summary["digest"] == fresh.summary["digest"]


@pytest.mark.usefixtures("own")
def test_notes_of_a_defense_stand_apart_and_are_json(run_small):
    record = run_small(defense={"use": "own:Own"}, rounds=1)
    notes = [json.loads(line) for line in lines_of(record, "events.jsonl") if "notes" in line]
    assert sorted(note["peer"] for note in notes) == [0, 1, 2, 3, 4]
    assert notes[0]["values"] == {"peer": 7.0, "score": "nan"}


@pytest.mark.usefixtures("own")
@pytest.mark.parametrize(("how", "said"), [
    ("init", "peer 0 cannot start: KeyError: 'no such thing'"),
    ("short", r"peer 2 failed in merge of round 1: ValueError: Own.merge gave a model of shape"),
    ("influence", r"peer 2 failed in merge of round 1: .*influence \(3,\) for 4 rows"),
])  # fmt: skip
def test_a_mistake_in_a_users_defense_is_named(run_small, how, said):
    with pytest.raises(RunError, match=said) as raised:
        run_small(defense={"use": "own:Own", "how": how})
    [note] = raised.value.__notes__
    folder = note.partition(": ")[2]
    summary = json.loads(Path(folder, "summary.json").read_text())
    assert summary["status"] == "failed"
    assert "peer" in summary["error"]


@pytest.mark.usefixtures("own")
def test_a_run_folder_with_users_code_runs_again(run_small, tmp_path):
    record = run_small(defense={"use": "own:Own"})
    again = run(load(record.folder / "scenario.yaml"), out=tmp_path / "again")
    assert again.summary["digest"] == record.summary["digest"]


@pytest.mark.usefixtures("own")
def test_a_kind_that_the_protocol_does_not_carry_is_refused(loaded):
    with pytest.raises(ScenarioError, match="sends 'gradient'"):
        build(loaded(defense={"use": "own:Grad"}))


@pytest.mark.usefixtures("own")
def test_adversaries_that_listen_do_not_wait_for_one_another(run_small):
    record = run_small(adversaries={"count": 2}, attack={"use": "own:Listener"})
    assert not [line for line in lines_of(record, "events.jsonl") if "timeout" in line]


def test_broken_models_of_benign_peers_are_said(run_small):
    record = run_small(training={"lr": 1e30}, model={"kind": "mlp"})
    assert record.summary["messages"]["rejected"] > 0
    assert any("models are broken" in warning for warning in record.summary["warnings"])


def test_a_model_that_fits_no_memory_is_refused_before_it_is_made(loaded):
    with pytest.raises(ResourceError, match="smaller model"):
        build(loaded(model={"kind": "mlp", "hidden": [2_000_000_000]}))


def test_a_folder_is_never_overwritten(loaded, tmp_path):
    taken = tmp_path / "taken"
    taken.mkdir()
    (taken / "precious.txt").write_text("mine")
    with pytest.raises(ScenarioError, match="taken exists already"):
        run(loaded(), out=taken)
    assert [path.name for path in taken.iterdir()] == ["precious.txt"]


def test_folders_are_numbered(loaded, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert [run(loaded(rounds=1)).folder.name for _ in range(2)] == ["small-1", "small-2"]


def test_f_too_large_for_every_neighbourhood_is_refused(loaded):
    rule = {"kind": "rule", "rule": {"kind": "trimmed_mean", "f": 3}}
    with pytest.raises(ScenarioError, match=r"line \d+, defense.rule: .* n=5, f=3"):
        build(loaded(defense=rule))


def test_a_disconnected_benign_part_is_refused_unless_allowed(loaded):
    cut = {
        "topology": {"kind": "star", "peers": 5},
        "adversaries": {"placement": {"kind": "nodes", "nodes": [0]}},
    }
    with pytest.raises(TopologyError, match="allow_disconnected"):
        build(loaded(**cut))
    assert build(loaded(**cut, allow_disconnected=True)).placed.adversaries == (0,)


def test_a_model_that_does_not_fit_the_data_is_refused(loaded):
    with pytest.raises(ScenarioError, match=r"model: does not fit data set digits.*5"):
        build(loaded(model={"kind": "cnn"}))


def test_too_little_memory_says_what_would_fit(loaded):
    one_each = {"executor": "ray", "peers_per_actor": 1}
    with pytest.raises(ResourceError, match=r"peers_per_actor: \d+ would fit"):
        build(loaded(runtime=one_each), available_bytes=1200 << 20)


def test_changing_the_attack_moves_neither_data_nor_links(loaded):
    before = build(loaded(adversaries={"count": 1}))
    after = build(loaded(adversaries={"count": 1}, attack={"kind": "gaussian"}))
    assert before.placed == after.placed
    for a, b in zip(before.peers, after.peers, strict=True):
        assert (a.samples == b.samples).all()


def test_an_adversary_looks_for_free(run_small):
    """What a coalition sees of one another costs no message."""
    quiet = run_small(adversaries={"count": 2})
    seeing = run_small(adversaries={"count": 2}, attack={"kind": "alie", "knowledge": "full"})
    assert quiet.summary["messages"]["sent"] == seeing.summary["messages"]["sent"]
    assert seeing.summary["digest"] != quiet.summary["digest"]


def test_accuracies_are_of_the_test_set_and_rise(run_small):
    rows = read_table(run_small(rounds=8).folder / "metrics.csv")
    mean = defaultdict(list)
    for row in rows:
        if row["metric"] == "accuracy":
            mean[int(row["round"])].append(float(row["value"]))
    assert sum(mean[8]) / 5 > 0.85
    assert sum(mean[8]) > sum(mean[1])


def test_evaluations_before_the_last_round_may_take_fewer_samples(run_small):
    full, few = run_small(), run_small(evaluate={"samples": 50})
    assert few.summary["digest"] == full.summary["digest"]
    values = [
        {int(r["round"]): float(r["value"]) for r in record.table("metrics")
         if r["metric"] == "accuracy" and r["peer"] == "0"}
        for record in (full, few)
    ]  # fmt: skip
    assert values[0][3] == values[1][3]
    assert all((50 * values[1][r]) % 1 == pytest.approx(0, abs=1e-9) for r in (1, 2))
    assert values[0][1] != values[1][1]


@pytest.fixture
def no_collector():
    """Python's collector of cycles comes late, and in a sweep every cell would wait for it."""
    gc.collect()
    gc.disable()
    yield
    gc.enable()


@pytest.mark.usefixtures("no_collector")
@pytest.mark.parametrize("kind", ["churn", "hostile", "varying", "gossip", "pairwise", "server"])
def test_nothing_of_a_run_stays_in_memory(lively, kind, tmp_path):
    run(lively(kind), out=tmp_path / "run", picture=False)
    assert not [each for each in gc.get_objects() if type(each) in (_Run, Engine, Host)]
