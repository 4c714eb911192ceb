"""DFL-Dual from end to end: it learns amid a majority of hostile neighbours, and says why."""

import numpy as np
import pytest

from p2pfl.defenses.inversion import shared_start
from p2pfl.likeness import likeness
from scenarios.build import build
from scenarios.files import read_table

SETTING = {
    "rounds": 6,
    "data": {"dataset": "digits", "partition": {"kind": "label_groups", "p": 0.5}},
    "training": {"lr": 0.5, "batch_size": 32, "local_epochs": 5},
    "topology": {"kind": "two_rings", "benign": 4, "byzantine": 6},
    "adversaries": {"placement": {"kind": "nodes", "nodes": [4, 5, 6, 7, 8, 9]}},
    "attack": {"kind": "label_flip"},
    "protocol": {"kind": "rounds", "timeout_s": 3600},
    "evaluate": {"every": 6},
}
DUAL = {"kind": "dfl_dual", "samples_per_class": 3, "steps": 10}


def accuracy(record):
    return record.summary["accuracy"]["benign"]["mean"]


def metric(record, name):
    return [float(r["value"]) for r in record.table("metrics") if r["metric"] == name]


def test_amid_six_of_ten_who_flip_labels_it_learns_as_if_they_were_not_there(run_small):
    dual = run_small(**SETTING, defense=DUAL)
    averaged = run_small(**SETTING, defense={"kind": "gossip_average"})
    alone = run_small(**SETTING, defense={"kind": "local_only"})
    assert accuracy(dual) > accuracy(alone) > accuracy(averaged)
    assert accuracy(dual) > 0.85
    assert min(metric(dual, "tpr")) == 1.0
    assert max(metric(dual, "adversary_influence")) == 0.0
    assert max(metric(dual, "fpr")) == 0.0


def test_the_record_says_why(run_small):
    record = run_small(**{**SETTING, "rounds": 2}, defense=DUAL)
    lines = (record.folder / "decisions.csv").read_text().splitlines()[1:]
    rows = [line.split(",") for line in lines]
    merges = {}
    for _, round_, peer, sender, quantity, value in rows:
        merge = merges.setdefault((quantity, round_, peer), {True: [], False: []})
        merge[int(sender) >= 4].append(float(value))
    assert {quantity for quantity, _, _ in merges} == {
        "norm", "model_distance", "data_distance", "distance", "trust", "nearby", "nearby_size",
        "divergence", "lower", "chosen", "misfit",
    }  # fmt: skip
    assert len(merges) == 2 * 4 * 11
    for (quantity, _, _), numbers in merges.items():
        hostile, benign = numbers[True], numbers[False]
        assert (len(hostile), len(benign)) == (3, 2)
        if quantity in ("model_distance", "distance", "divergence"):
            assert min(hostile) > max(benign)
        elif quantity == "trust":
            assert max(hostile) < min(benign)
        elif quantity == "chosen":
            assert (set(hostile), set(benign)) == ({0.0}, {1.0})


def test_the_start_doubles_the_bytes_and_inversions_take_virtual_time(run_small):
    short = {**SETTING, "rounds": 1}
    plain = run_small(**short, defense={"kind": "gossip_average"})
    dual = run_small(**short, defense=DUAL)
    receiver = run_small(**short, defense={**DUAL, "ref": "receiver"})
    sizes = [
        {int(r["bytes"]) / int(r["sent"]) for r in record.table("messages")}
        for record in (plain, dual, receiver)
    ]
    [[single], [double], [again]] = sizes
    assert double == 2 * single - 64
    assert again == single
    # Five messages and the own model, 3 passes of 10 steps on 30 samples, at 1000 samples a second.
    for record in (dual, receiver):
        spent = record.summary["virtual_s"] - plain.summary["virtual_s"]
        assert spent == pytest.approx(6 * 3 * 10 * 30 / 1000, abs=0.1)


@pytest.mark.ray
def test_it_is_the_same_on_ray(run_small, ray_session):
    short = {**SETTING, "rounds": 2}
    here = run_small(**short, defense=DUAL)
    there = run_small(**short, defense=DUAL, runtime={"executor": "ray", "peers_per_actor": 5})
    assert there.summary["digest"] == here.summary["digest"]
    for name in ("decisions.csv", "edges.csv", "events.jsonl", "metrics.csv"):
        assert (there.folder / name).read_bytes() == (here.folder / name).read_bytes()


def test_dummies_of_the_peers_that_are_asked_for_are_kept_and_drawn(run_small, loaded):
    sections = {
        "defense": {"kind": "dfl_dual", "samples_per_class": 3, "steps": 4},
        "record": {"dummies": [1, 3]},
    }
    record = run_small(**sections)
    names = {path.name for path in record.folder.glob("dummies_*")}
    assert names == {"dummies_1.npz", "dummies_1.png", "dummies_3.npz", "dummies_3.png"}
    with np.load(record.folder / "dummies_1.npz") as one:
        assert one["dummies"].shape == (30, 1, 8, 8)
        with np.load(record.folder / "dummies_3.npz") as other:
            assert not np.array_equal(one["dummies"], other["dummies"])
    # How close they come to the peer's own images, and noise to the same.
    experiment = build(loaded(**sections))
    dataset, rows = experiment.dataset, read_table(record.folder / "dummies.csv")
    assert [row.pop("peer") for row in rows] == ["1", "3"]
    _, labels = shared_start(dataset.shape, dataset.classes, 3)
    for peer, row in zip((1, 3), rows, strict=True):
        own = experiment.peers[peer].samples
        with np.load(record.folder / f"dummies_{peer}.npz") as kept:
            close = likeness(
                kept["dummies"], labels.numpy(), dataset.inputs[own], dataset.labels[own]
            )
        assert {name: float(value) for name, value in row.items()} == close._asdict()
        assert 0 < close.distance < 1
        assert -1 <= close.ssim <= 1
