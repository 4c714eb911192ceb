"""What training costs in virtual time, by hand."""

import json

import pytest

from actors.protocols.events import Parcel, Work
from scenarios.build import build

SETTING = {
    "compute": {"samples_per_s": 100},
    "training": {"batch_size": 10, "local_epochs": 2},
    "data": {"dataset": "digits", "train_samples": 500, "test_samples": 50},
    "adversaries": {"placement": {"kind": "nodes", "nodes": [1, 2]}},
}
S = 10**9


@pytest.fixture
def timing(loaded):
    """Five peers of 100 samples each, so that an epoch takes a second."""

    def make(**sections):
        return build(loaded(**{**SETTING, **sections})).timing

    return make


def test_training_takes_its_samples_and_all_else_nothing(timing):
    ns = timing(attack={"kind": "sign_flip"})
    for stance in ("benign", "hidden", "hostile"):
        assert [ns(peer, Work("train", 1, stance=stance)) for peer in (1, 2)] == [2 * S] * 2
    assert [ns(peer, Work("train", 1)) for peer in range(5)] == [2 * S] * 5
    assert [ns(peer, Work(kind, 1)) for peer in range(5) for kind in ("craft", "merge")] == [0] * 10


def test_an_adversary_trains_as_its_own_attack_sets_in_its_own_rounds(timing):
    ns = timing(attack=[
        {"peers": [2], "attack": {"kind": "backdoor", "local_epochs": 5}},
        {"attack": {"kind": "backdoor", "local_epochs": 1}},
    ])  # fmt: skip
    took = {
        stance: [ns(peer, Work("train", 1, stance=stance)) // S for peer in (1, 2)]
        for stance in ("benign", "hidden", "hostile")
    }
    assert took == {"benign": [2, 2], "hidden": [2, 2], "hostile": [1, 5]}


@pytest.mark.parametrize(("kind", "retrains"), [
    ("adaptive", True), ("alie_backdoor", True), ("neurotoxin", True), ("pgd", False),
])  # fmt: skip
def test_retraining_takes_as_long_once_more(timing, kind, retrains):
    data = {"kind": "backdoor", "local_epochs": 5}
    ns = timing(
        attack=[
            {"peers": [1], "attack": {"kind": kind, "data": data}},
            {"attack": {"kind": "none"}},
        ]
    )
    each = [
        [ns(peer, Work("craft", 1, stance=stance)) // S for peer in (1, 2)]
        for stance in ("benign", "hidden", "hostile")
    ]
    assert each == ([[0, 0], [0, 0], [5, 0]] if retrains else [[0, 0]] * 3)


def test_before_its_start_an_attack_moves_no_time(run_small):
    """A tenfold effort that has not begun leaves the timeline as without an attack."""

    def times(conduct, **attack):
        hostile = {**SETTING["adversaries"], "conduct": conduct}
        record = run_small(**{**SETTING, "adversaries": hostile}, rounds=2, attack=attack)
        lines = (record.folder / "events.jsonl").read_text().splitlines()
        return [json.loads(line)["time_s"] for line in lines]

    honest = times({}, kind="none")
    assert times({"start": 3}, kind="backdoor", local_epochs=20) == honest
    assert times({"start": 2}, kind="backdoor", local_epochs=20) != honest


CLIENTS = {"topology": {"kind": "clients", "peers": 5}, "data": SETTING["data"]}


def at_a_server(timing, strategy, held_out=0, **more):
    """Five clients of 100 samples less what is held out: 5 times (500 - held_out) / 500 s."""
    server = {"strategy": strategy, "held_out": held_out}
    return timing(topology=CLIENTS["topology"], server=server, attack={"kind": "none"}, **more)


@pytest.mark.parametrize(("strategy", "held_out", "seconds"), [
    ({"kind": "fed_avg"}, 0, 0),
    ({"kind": "fed_avg"}, 150, 0),
    ({"kind": "fl_trust", "epochs": 2}, 150, 3),
    ({"kind": "finetuning"}, 150, 1.5),
    ({"kind": "sageflow"}, 150, 2),  # four models, forward alone
])  # fmt: skip
def test_a_server_is_charged_for_what_it_does_with_its_own_samples(
    timing, strategy, held_out, seconds
):
    ns = at_a_server(timing, strategy, held_out)
    parcels = tuple(Parcel(client, 1, None) for client in range(4))
    assert ns(5, Work("merge", 1, parcels)) == seconds * S
    assert ns(5, Work("instruct", 1)) == 0


@pytest.mark.parametrize(("scope", "hostile_s"), [("all", [2, 4]), ("benign_only", [2, 2])])
def test_purifying_doubles_a_clients_training(timing, scope, hostile_s):
    ns = at_a_server(timing, {"kind": "spmc", "purify_from_round": 1, "purify_scope": scope})
    assert [ns(0, Work("answer", round_)) // S for round_ in (1, 2)] == [2, 4]
    hostile = [ns(1, Work("answer", round_, stance="hostile")) // S for round_ in (1, 2)]
    assert hostile == hostile_s
    assert ns(1, Work("craft", 2)) == 0


BY_CLASS = {
    "data": {
        **SETTING["data"],
        "partition": {"kind": "classes_per_peer", "k": 3},
        "adversary_data": "copies",
    },
    "topology": {"kind": "clients", "peers": 12},
    "training": {"batch_size": 2, "local_epochs": 2},
}
"""Ten benign clients of three classes each, and two adversaries of ten."""


def batches(ns, peer, round_=1, stance="benign"):
    """How many mini-batches of two samples an answer is charged for, at 100 samples a second."""
    return ns(peer, Work("answer", round_, stance=stance)) / (2 * S / 100)


@pytest.mark.parametrize(("settings", "benign", "hostile"), [
    ({}, 3, 10),
    ({"classes_per_round": 5}, 3, 10),
    ({"split_batch": True}, 1.5, 5),  # a single sample of each class
    ({"momentum": 0.0, "literal_momentum": True}, 3, 10),
])  # fmt: skip
def test_desgd_is_charged_for_a_mini_batch_of_each_class_that_a_client_has(
    timing, settings, benign, hostile
):
    server = {"strategy": {"kind": "desgd", **settings}}
    ns = timing(**BY_CLASS, server=server, attack={"kind": "constant"})
    for round_ in (1, 2):
        assert {batches(ns, peer, round_) for peer in range(12) if peer not in (1, 2)} == {benign}
        assert [batches(ns, peer, round_, "hostile") for peer in (1, 2)] == [hostile] * 2


@pytest.mark.parametrize("forgetful", [{"momentum": 0.0}, {"at": "server"}])
def test_desgd_without_momenta_at_clients_is_charged_for_the_classes_asked_for(timing, forgetful):
    server = {"strategy": {"kind": "desgd", **forgetful}}
    ns = timing(**BY_CLASS, server=server, attack={"kind": "constant"})
    per_turn = [[batches(ns, peer, round_) for round_ in range(1, 11)] for peer in range(12)]
    assert [sum(each) for each in per_turn] == [3, 10, 10, *[3] * 9]
    assert {each for turn in per_turn for each in turn} == {0, 1}


@pytest.mark.parametrize("training", [{}, {"local_epochs": 5}, {"local_steps": 7}])
def test_sgd_is_charged_for_one_mini_batch_whatever_training_says(timing, training):
    ns = at_a_server(timing, {"kind": "momentum_sgd"})
    assert ns(0, Work("answer", 1)) == 10 * S / 100
