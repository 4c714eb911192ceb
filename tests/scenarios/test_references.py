"""What a defense is held against: nobody to hear, and nobody hostile."""

import csv
from statistics import fmean

import pytest
from ruamel.yaml import YAML

from scenarios.build import build
from scenarios.files import read_table
from scenarios.references import beside, reference_of
from scenarios.results import grid
from scenarios.runner import run
from scenarios.sweep import load_sweep
from scenarios.sweeper import run_sweep

HOSTILE = {"adversaries": {"count": 2}, "attack": {"kind": "sign_flip", "scale": 20.0}}


def accuracies(record):
    return record.summary["accuracy_by_peer"]


# ---------------------------------------------------------------- adversaries that are not there


def test_absent_adversaries_do_nothing_and_nobody_hears_them(run_small):
    hostile = {**HOSTILE, "adversaries": {"count": 2, "absent": True}}
    record = run_small(**hostile)
    adversaries = set(map(str, record.summary["adversaries"]))
    assert len(adversaries) == 2
    for name, column in (("edges", "sender"), ("metrics", "peer"), ("messages", "source")):
        assert not adversaries & {row[column] for row in record.table(name)}
    assert record.summary["timeouts"] == 0


def test_without_them_weights_are_those_of_the_smaller_graph(loaded):
    hostile = {**HOSTILE, "adversaries": {"count": 2, "absent": True}}
    experiment = build(loaded(**hostile))
    for peer in experiment.peers:
        if not peer.adversary:
            assert list(peer.mixing.values()) == pytest.approx([1 / 3] * 2)


def test_benign_peers_keep_their_data(loaded):
    there, absent = (
        build(loaded(**{**HOSTILE, "adversaries": {"count": 2, "absent": absent}}))
        for absent in (False, True)
    )
    assert there.placed == absent.placed
    for one, other in zip(there.peers, absent.peers, strict=True):
        assert one.samples.tolist() == other.samples.tolist()


def test_a_server_does_without_absent_clients(run_small):
    hostile = {**HOSTILE, "adversaries": {"count": 2, "absent": True}}
    star = {"topology": {"kind": "clients", "peers": 5}}
    record = run_small(**star, **hostile, server={"participants": 4})
    adversaries = set(map(str, record.summary["adversaries"]))
    assert {row["sender"] for row in record.table("edges")}.isdisjoint(adversaries)
    assert record.summary["messages"]["sent"] == 2 * 3 * 3
    assert record.summary["timeouts"] == 0


# ---------------------------------------------------------------- reference runs


def test_references_depend_on_neither_attack_nor_conduct_nor_defense(loaded):
    one = loaded(**HOSTILE, defense={"kind": "dfl_trust"})
    deaf = {"count": 2, "conduct": {"receives": "ignore", "start": 2}}
    other = loaded(adversaries=deaf, attack={"kind": "alie"})
    for name in ("local_only", "benign_only"):
        assert reference_of(one, name).scenario == reference_of(other, name).scenario


def test_local_only_is_what_a_peer_reaches_that_ignores_all(loaded, run_small, tmp_path):
    ignoring = run_small(**HOSTILE, defense={"kind": "local_only"})
    reference = run(reference_of(loaded(**HOSTILE), "local_only"), out=tmp_path / "reference")
    assert accuracies(reference) == accuracies(ignoring)


def test_benign_only_is_a_run_without_them(loaded, tmp_path):
    reference = run(reference_of(loaded(**HOSTILE), "benign_only"), out=tmp_path / "reference")
    alone = run(reference_of(loaded(**HOSTILE), "local_only"), out=tmp_path / "alone")
    mean, local = (r.summary["accuracy"]["benign"]["mean"] for r in (reference, alone))
    assert mean > local


def test_a_server_has_none(loaded):
    star = loaded(topology={"kind": "clients", "peers": 5}, server={})
    assert reference_of(star, "local_only") is None


# ---------------------------------------------------------------- what they say of a run


def summary(mean, by_peer=None, accepted=1.0, rejected=1.0):
    return {
        "accuracy": {"benign": {"mean": mean}},
        "accuracy_by_peer": by_peer or {},
        "benign_accepted": accepted,
        "adversaries_rejected": rejected,
    }


REFERENCES = {
    "local_only": summary(0.6, {"0": 0.5, "1": 0.7}),
    "benign_only": summary(0.9, {"0": 0.9, "1": 0.9}),
}


def test_gains_are_above_the_same_peers_local_training():
    row = beside(summary(0.8, {"0": 0.9, "1": 0.6}), REFERENCES)
    assert (row["local_only"], row["benign_only"]) == (0.6, 0.9)
    assert row["gain_mean"] == pytest.approx(0.15)
    assert row["gain_worst"] == pytest.approx(-0.1)


@pytest.mark.parametrize(("run_of", "works"), [
    (summary(0.75), True),  # halfway from 0.6 to 0.9
    (summary(0.74), False),
    (summary(0.9, accepted=0.79), False),
    (summary(0.9, rejected=0.89), False),
    (summary(0.9, accepted=0.8, rejected=0.9), True),
    (summary(0.9, rejected=None), True),  # there is no adversary to reject
    ({"status": "failed"}, None),
])  # fmt: skip
def test_a_defense_works_or_not(run_of, works):
    assert beside(run_of, REFERENCES)["works"] is works


def test_accepted_and_rejected_are_counted_in_the_second_half(run_small):
    fair = run_small(**HOSTILE, rounds=4)
    assert (fair.summary["benign_accepted"], fair.summary["adversaries_rejected"]) == (1.0, 0.0)
    none = run_small(**HOSTILE, rounds=4, defense={"kind": "local_only"})
    assert (none.summary["benign_accepted"], none.summary["adversaries_rejected"]) == (0.0, 1.0)


def test_a_sweep_runs_each_reference_once_and_shows_them(tmp_path):
    path = tmp_path / "study.yaml"
    study = {
        "name": "study",
        "rounds": 2,
        "model": {"kind": "logistic"},
        "topology": {"kind": "complete", "peers": 5},
        **HOSTILE,
        "sweep": {"defense": [{"kind": "gossip_average"}, {"kind": "local_only"}], "seed": [1, 2]},
    }
    YAML().dump(study, path)
    sweep = load_sweep(path, out=tmp_path / "out")
    # Two kinds, two seeds.
    assert sorted(cell.names for cell in sweep.references.cells) == [
        ("benign_only", "1"), ("benign_only", "2"), ("local_only", "1"), ("local_only", "2"),
    ]  # fmt: skip
    rows = run_sweep(sweep)
    assert [row["gain_mean"] for row in rows if row["defense"] == "local_only"] == [0, 0]
    assert {row["works"] for row in rows} == {False}
    table = list(grid(sweep, rows, "accuracy"))
    assert [line[0] for line in table] == [
        "defense", "gossip_average", "local_only", "(local_only)", "(benign_only)",
    ]  # fmt: skip
    assert table[2][1:] == table[3][1:]
    gains = read_table(tmp_path / "out" / "gains.csv")
    assert list(gains[0]) == ["defense", "seed", "peer", "accuracy", "local_only", "gain"]
    assert len({row["peer"] for row in gains}) == 3
    assert len(gains) == 4 * 3  # cells, benign peers
    for row in rows:
        own = [g for g in gains if (g["defense"], g["seed"]) == (row["defense"], row["seed"])]
        assert [float(g["accuracy"]) - float(g["local_only"]) for g in own] == [
            float(g["gain"]) for g in own
        ]
        assert fmean(float(g["gain"]) for g in own) == row["gain_mean"]
        assert min(float(g["gain"]) for g in own) == row["gain_worst"]
    with (tmp_path / "out" / "results.csv").open() as file:
        assert {"local_only", "benign_only", "works"} <= set(next(csv.reader(file)))
