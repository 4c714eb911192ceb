"""What a defense may change about what peers send: form, time, companions, preparation."""

import json

import pytest

OWN = """
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import torch

from p2pfl.defenses.base import PeerDefense
from p2pfl.types import Merge


@dataclass(frozen=True)
class Dpsgd(PeerDefense):
    '''Combine, then adapt; what travels is the model, or how far it is from the initial one.'''

    encodes: ClassVar = True
    cumulative: bool = False

    @property
    def sends(self):
        return "gradient" if self.cumulative else "model"

    @property
    def early(self):
        return True

    def encode(self, model, start, previous, initial):
        return initial - model if self.cumulative else model

    def attach(self, state):
        return {"merges": 0.0 if state is None else float(state[1])}

    def trusting(self):
        return self

    def init(self, d):
        return None

    def merge(self, view, state):
        initial, merges = state or (view.start, 0)
        assert [meta["merges"] for meta in view.meta] == [merges] * len(view.senders)
        models = initial - view.received if self.cumulative else view.received
        weights = torch.tensor(view.mixing)
        moved = (weights[:, None] * (models - view.start)).sum(dim=0)
        model = view.own + moved
        return Merge(model=model, influence=weights), (initial, merges + 1)


@dataclass(frozen=True)
class Measured(PeerDefense):
    '''Gossip averaging that measures each message alone.'''

    @property
    def companion(self):
        return True

    @property
    def prepares(self):
        return True

    def prepare(self, updates, model, inputs):
        assert inputs.shape == (1, 8, 8)
        assert inputs.classes == 10
        return [{"moved": np.linalg.norm(u.vector - u.companion)} for u in updates]

    def effort(self, messages, own_samples, inputs):
        return 100.0 * messages

    def init(self, d):
        return None

    def merge(self, view, state):
        moved = [float(made["moved"]) for made in view.prepared]
        exact = (view.received - view.companions).norm(dim=1).tolist()
        details = {"moved": moved, "error": [a - b for a, b in zip(moved, exact, strict=True)]}
        weights = torch.tensor(view.mixing)
        model = (1 - weights.sum()) * view.own + weights @ view.received
        notes = {"own": float(view.own_prepared["moved"])}
        return Merge(model=model, influence=weights, details=details, notes=notes), None
"""


@pytest.fixture(autouse=True)
def own(tmp_path):
    (tmp_path / "own.py").write_text(OWN)


def accuracies(record):
    return [float(r["value"]) for r in record.table("metrics") if r["metric"] == "accuracy"]


@pytest.mark.parametrize("attack", [None, {"kind": "sign_flip"}])
def test_another_form_on_the_wire_gives_the_same_models_up_to_rounding(run_small, attack):
    others = {"adversaries": {"count": 1}, "attack": attack} if attack else {}
    plain = run_small(defense={"use": "own:Dpsgd"}, **others)
    encoded = run_small(defense={"use": "own:Dpsgd", "cumulative": True}, **others)
    assert plain.summary["digest"] != encoded.summary["digest"]
    assert accuracies(encoded) == pytest.approx(accuracies(plain), abs=0.02)
    rejected = {row["rejected"] for record in (plain, encoded) for row in record.table("messages")}
    assert rejected == {"0"}


def test_what_is_sent_before_training_travels_while_peers_train(run_small):
    slow = {
        "network": {"latency": {"kind": "constant", "ms": 1000}},
        "compute": {"samples_per_s": 200},
    }
    late, early = run_small(**slow), run_small(defense={"use": "own:Dpsgd"}, **slow)
    rounds = 3
    saved = late.summary["virtual_s"] - early.summary["virtual_s"]
    assert saved == pytest.approx(rounds * 1.0, abs=0.2)


def test_what_was_made_of_a_message_and_its_companion_reach_each_merge(run_small):
    record = run_small(defense={"use": "own:Measured"}, rounds=2)
    lines = (record.folder / "decisions.csv").read_text().splitlines()
    assert lines[0] == "time_s,round,peer,sender,quantity,value"
    rows = [line.split(",") for line in lines[1:]]
    assert {row[4] for row in rows} == {"moved", "error"}
    assert all(abs(float(row[5])) < 1e-5 for row in rows if row[4] == "error")
    by_sender = {(row[1], row[3]): set() for row in rows}
    for row in rows:
        if row[4] == "moved":
            by_sender[row[1], row[3]].add(row[5])
    assert all(len(values) == 1 for values in by_sender.values())
    assert all(float(value) > 0 for [value] in by_sender.values())


def test_companions_count_in_the_bytes_and_merges_in_the_time(run_small):
    plain, measured = run_small(), run_small(defense={"use": "own:Measured"})
    sent = [
        {int(r["bytes"]) / int(r["sent"]) for r in record.table("messages")}
        for record in (plain, measured)
    ]
    [[single], [double]] = sent
    assert double == 2 * single - 64
    assert measured.summary["virtual_s"] > plain.summary["virtual_s"]


def test_a_detail_of_another_length_than_the_rows_is_refused(run_small, tmp_path):
    text = OWN.replace('"moved": moved,', '"moved": moved[1:],')
    (tmp_path / "wrong.py").write_text(text)
    with pytest.raises(Exception, match=r"details 'moved' of 3 numbers for 4 rows"):
        run_small(defense={"use": "wrong:Measured"})


@pytest.mark.parametrize("use", ["own:Dpsgd", "own:Measured"])
def test_all_of_it_is_the_same_on_ray(run_small, use, ray_session):
    here = run_small(defense={"use": use})
    there = run_small(defense={"use": use}, runtime={"executor": "ray", "peers_per_actor": 3})
    assert there.summary["digest"] == here.summary["digest"]
    for name in ("decisions.csv", "edges.csv", "events.jsonl"):
        assert (there.folder / name).read_bytes() == (here.folder / name).read_bytes()
    assert json.loads((here.folder / "summary.json").read_text())["status"] == "done"
