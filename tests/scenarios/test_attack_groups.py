"""Runs in which adversaries differ: what each group does, sees and leaves in the record."""

import re
import sys

import networkx as nx
import pytest
from ruamel.yaml import YAML

from scenarios.build import build
from scenarios.check import check_as_json
from scenarios.cli import main
from scenarios.coalitions import attack_names
from scenarios.loader import load
from scenarios.progress import describe
from scenarios.report.picture import _title
from scenarios.sweep import load_sweep

SEVEN = {"topology": {"kind": "complete", "peers": 7}}
FOUR = {**SEVEN, "adversaries": {"placement": {"kind": "nodes", "nodes": [1, 2, 4, 6]}}}
FLIP_AND_LATER_SIGN = [
    {"peers": [2, 6], "attack": {"kind": "label_flip"}},
    {"attack": {"kind": "sign_flip", "scale": 4.0}, "conduct": {"start": 3}},
]
COMPARED = ("metrics.csv", "edges.csv", "messages.csv", "events.jsonl")


def bytes_of(record):
    files = {name: (record.folder / name).read_bytes() for name in COMPARED}
    return files | {"digest": record.summary["digest"]}


# ---------------------------------------------------------------- what they do


@pytest.mark.ray
@pytest.mark.usefixtures("ray_session")
def test_two_groups_give_the_same_bytes_on_ray(run_small):
    sections = {
        **FOUR,
        "rounds": 4,
        "attack": FLIP_AND_LATER_SIGN,
        "network": {"latency": {"kind": "lognormal", "median_ms": 40, "sigma": 1}, "drop": 0.05},
    }
    inline = bytes_of(run_small(**sections))
    # Each group of adversaries sits in two actors.
    runtime = {"executor": "ray", "peers_per_actor": 4}
    assert bytes_of(run_small(**sections, runtime=runtime)) == inline


@pytest.mark.parametrize("attack", [
    {"kind": "alie"},
    {"kind": "gaussian"},
    {"kind": "dba", "trigger": {"shape": "bars", "size": 2, "gap": 1}},
    {"kind": "mimic", "choice": "variance"},
], ids=lambda attack: attack["kind"])  # fmt: skip
def test_one_group_of_all_is_one_attack(run_small, attack):
    alone = run_small(**FOUR, attack=attack)
    listed = run_small(**FOUR, attack=[{"attack": attack}])
    assert bytes_of(listed) == bytes_of(alone)


def test_each_group_has_its_own_attack_and_its_own_rounds(run_small):
    """Up to round 2 the second group is benign; from round 3 on it is not."""

    def rounds_of(attack):
        lines = run_small(**FOUR, rounds=4, attack=attack).table("metrics")
        return [[line for line in lines if line["round"] == str(n)] for n in (1, 2, 3, 4)]

    flip = FLIP_AND_LATER_SIGN[0]
    both = rounds_of(FLIP_AND_LATER_SIGN)
    first = rounds_of([flip, {"attack": {"kind": "none"}}])
    nobody = rounds_of({"kind": "none"})
    assert [a == b for a, b in zip(both, first, strict=True)] == [True, True, False, False]
    assert [a == b for a, b in zip(first, nobody, strict=True)] == [False] * 4


SPIES = """
from dataclasses import dataclass
from typing import ClassVar, Literal

from p2pfl.attacks.base import Honest, to_all

SEEN = []


@dataclass(frozen=True)
class Spy(Honest):
    knowledge: Literal["local", "neighbourhood", "colluding", "full"] = "full"

    def craft(self, view, state, rng):
        SEEN.append((view.me, view.members, view.visible_ids))
        return to_all(view, view.own), state
"""


@pytest.mark.parametrize(("knowledge", "seen"), [
    ("local", {2: (2,), 6: (6,)}),
    ("colluding", {2: (2, 6), 6: (2, 6)}),
    ("full", {2: (0, 2, 3, 5, 6), 6: (0, 2, 3, 5, 6)}),
])  # fmt: skip
def test_a_group_knows_its_own_and_benign_peers(run_small, tmp_path, knowledge, seen):
    (tmp_path / "group_spies.py").write_text(SPIES)
    spy = {"use": "group_spies:Spy", "knowledge": knowledge}
    groups = [{"peers": [2, 6], "attack": spy}, {"attack": {"kind": "ipm", "knowledge": "full"}}]
    run_small(**FOUR, rounds=1, attack=groups)
    views = sys.modules["group_spies"].SEEN
    assert {me: visible for me, _, visible in views} == seen
    assert [members for _, members, _ in views] == [(2, 6)] * 2


def test_groups_that_listen_do_not_wait_for_one_another(run_small):
    listens = {"kind": "dissensus", "knowledge": "neighbourhood"}
    groups = [{"count": 2, "attack": listens}, {"attack": {**listens, "epsilon": 2.0}}]
    record = run_small(**FOUR, attack=groups)
    assert "timeout" not in (record.folder / "events.jsonl").read_text()


# ---------------------------------------------------------------- what is measured

TRIGGER = {"shape": "square", "size": 2}
TWO_BACKDOORS = [
    {"peers": [1, 2], "attack": {"kind": "backdoor", "poison_rate": 1.0, "trigger": TRIGGER}},
    {"peers": [4], "attack": {"kind": "sign_flip"}},
    {"attack": {"kind": "semantic", "source": 5, "target": 3}},
]


def rows(record, metric):
    return [row for row in record.table("metrics") if row["metric"] == metric]


def test_each_targeted_group_has_its_own_success(run_small):
    record = run_small(**FOUR, attack=TWO_BACKDOORS)
    groups = build(load(record.folder / "scenario.yaml")).backdoor.groups
    assert list(groups) == [0, 2]
    for name in ("asr", "asr_excluding_target"):
        assert len(rows(record, name)) == len(rows(record, f"{name}_group_0")) == 3 * 7
        assert not rows(record, f"{name}_group_1")
    values = [
        [float(row["value"]) for row in rows(record, name)]
        for name in ("asr", "asr_group_0", "asr_group_2")
    ]
    for both, first, second in zip(*values, strict=True):
        inputs = groups[0] * first + groups[2] * second
        assert both == pytest.approx(inputs / sum(groups.values()))
    asr = [group["asr"] for group in record.summary["attack_groups"]]
    last = [
        float(row["value"])
        for row in rows(record, "asr_excluding_target_group_0")
        if (row["round"], row["role"]) == ("3", "benign")
    ]
    assert asr[0] == pytest.approx(sum(last) / 3)
    assert asr[1] is None


def test_the_only_targeted_group_has_the_plain_metrics(run_small):
    groups = [TWO_BACKDOORS[1], {"attack": {"kind": "backdoor"}}]
    record = run_small(**FOUR, attack=groups)
    assert rows(record, "asr")
    assert not [row for row in record.table("metrics") if "_group_" in row["metric"]]
    summary = record.summary
    assert [group["asr"] for group in summary["attack_groups"]] == [None, summary["asr"]]


# ---------------------------------------------------------------- where it shows


def test_the_record_says_who_did_what(run_small):
    record = run_small(**FOUR, rounds=1, attack=FLIP_AND_LATER_SIGN)
    summary = record.summary
    assert (summary["attack"], summary["knowledge"]) == ("label_flip + sign_flip", "local + local")
    first, second = summary["attack_groups"]
    assert (first["attack"], first["adversaries"]) == ("label_flip", [2, 6])
    assert (second["attack"], second["adversaries"]) == ("sign_flip", [1, 4])
    assert 0 <= first["accuracy"]["worst"] <= first["accuracy"]["mean"] <= 1
    assert "attack label_flip + sign_flip, defense" in _title(summary)
    nodes = nx.read_graphml(record.folder / "topology.graphml", node_type=int).nodes
    assert {n: (a.get("attack"), a.get("attack_group")) for n, a in nodes.items()} == {
        0: (None, None), 1: ("sign_flip", 1), 2: ("label_flip", 0), 3: (None, None),
        4: ("sign_flip", 1), 5: (None, None), 6: ("label_flip", 0),
    }  # fmt: skip


def test_a_record_of_one_attack_has_one_group(run_small):
    summary = run_small(**FOUR, rounds=1, attack={"kind": "alie"}).summary
    assert (summary["attack"], summary["knowledge"]) == ("alie", "colluding")
    assert [group["adversaries"] for group in summary["attack_groups"]] == [[1, 2, 4, 6]]
    assert run_small(rounds=1).summary["attack_groups"][0]["adversaries"] == []


def test_the_terminal_says_who_does_what(loaded, capsys):
    both, one = loaded(**FOUR, attack=FLIP_AND_LATER_SIGN), {"kind": "zero"}
    assert "; 4 adversaries: (2, 6) send label_flip, (1, 4) send sign_flip, " in describe(
        build(both)
    )
    assert "; 4 adversaries (1, 2, 4, 6) send zero, " in describe(build(loaded(**FOUR, attack=one)))


def test_the_commands_show_the_groups(loaded, tmp_path, capsys):
    path = loaded(**FOUR, rounds=1, attack=FLIP_AND_LATER_SIGN).folder / "small.yaml"
    assert main(["check", str(path)]) == 0
    shown = capsys.readouterr().out
    assert "attack label_flip: 2, 6; knowledge local; from round 1\n" in shown
    assert "attack sign_flip: 1, 4; knowledge local; from round 3\n" in shown
    assert main(["run", str(path), "--out", str(tmp_path / "out")]) == 0
    shown = capsys.readouterr().out
    assert "final accuracy in % under label_flip + sign_flip\n" in shown
    table = [line.split("│")[1:3] for line in shown.splitlines() if line.startswith("│")]
    assert [[cell.strip() for cell in line] for line in table[-3:]] == [
        ["adversaries", "4"], ["label_flip", "2"], ["sign_flip", "2"],
    ]  # fmt: skip


def test_check_for_programs_has_the_groups(loaded):
    groups = check_as_json(build(loaded(**FOUR, attack=FLIP_AND_LATER_SIGN)))["attack_groups"]
    assert [(g["attack"], g["adversaries"], g["conduct"]["start"]) for g in groups] == [
        ("label_flip", [2, 6], 1), ("sign_flip", [1, 4], 3),
    ]  # fmt: skip


def test_sizes_that_do_not_fit_end_a_command_before_it_runs(loaded, capsys):
    groups = [{"count": 4, "attack": {"kind": "zero"}}, {"attack": {"kind": "alie"}}]
    path = loaded(**FOUR, attack=groups).folder / "small.yaml"
    assert main(["run", str(path)]) == 2
    said = "attack: groups of 4, the rest do not make up the 4 adversaries"
    assert re.match(rf"p2pfl: {path}, line \d+, {said}", capsys.readouterr().err)
    assert main(["check", str(path), "--set", "adversaries=null"]) == 0


@pytest.mark.parametrize(("section", "names", "attacks"), [
    ({"attack.1.attack.z": [1.0, 2.0]}, ("1.0", "2.0"), ["zero + alie"] * 2),
    ({"attack": [{"kind": "ipm"}, TWO_BACKDOORS]}, ("ipm", "backdoor + sign_flip + semantic"),
     ["ipm", "backdoor + sign_flip + semantic"]),
])  # fmt: skip
def test_a_sweep_goes_into_groups_and_over_them(loaded, section, names, attacks):
    groups = [{"count": 1, "attack": {"kind": "zero"}}, {"attack": {"kind": "alie"}}]
    plain = loaded(**FOUR, attack=groups).folder / "small.yaml"
    tree = YAML(typ="safe").load(plain)
    YAML().dump({**tree, "sweep": section}, plain)
    sweep = load_sweep(plain)
    assert [axis.names for axis in sweep.axes] == [names]
    built = [build(cell.loaded).spec.coalitions for cell in sweep.cells]
    assert [attack_names(coalitions) for coalitions in built] == attacks
