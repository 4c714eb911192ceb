"""What is left of a defense's memory when an adversary leaves and comes back.

GPD and FedGrad remember by id. Under its own id an adversary finds its record as it left it; under
another it is a newcomer: GPD has no verdict on it until its next check, and FedGrad trusts it as
much as anybody in the beginning.
"""

import csv

import pytest

GPD = {
    "seed": 5,
    "model": {"kind": "mlp", "hidden": [32]},
    "training": {"lr": 0.1, "batch_size": 32, "local_steps": 1},
    "topology": {"kind": "random_regular", "peers": 10, "degree": 6},
    "evaluate": {"every": 0},
    "attack": {"kind": "label_flip"},
    "defense": {"kind": "gpd"},
}
FED_GRAD = {
    "seed": 3,
    "data": {"dataset": "digits", "train_samples": 600, "test_samples": 100},
    "model": {"kind": "logistic", "warm_start": {"epochs": 5, "lr": 0.5, "samples": 300}},
    "topology": {"kind": "clients", "peers": 8},
    "evaluate": {"every": 0},
    "attack": {"kind": "label_flip"},
    "server": {"strategy": {"kind": "fed_grad", "hard_from": 50, "pardon_from": 1}},
}


def washing(every, new_id, **more):
    behaviour = {"kind": "whitewash", "every": every, "away": 1, "new_id": new_id}
    return {"count": 2, "conduct": {"receives": "ignore", "behaviours": [behaviour], **more}}


def edges(record, round_):
    """(sender, flagged, influence) of adversaries' rows at benign peers or the server."""
    return [
        (int(row["sender"]), row["flagged"] == "1", float(row["influence"]))
        for row in record.table("edges")
        if int(row["round"]) == round_ and row["sender_role"] == "adversary"
    ]


@pytest.mark.parametrize("new_id", [False, True])
def test_gpd_keeps_its_verdict_on_an_id_and_has_none_on_another(run_small, new_id):
    """The first check is in round 11, the next in round 61; it is away in round 15."""
    record = run_small(**GPD, rounds=20, adversaries=washing(14, new_id))
    before, after = edges(record, 13), edges(record, 19)
    assert not edges(record, 15)
    assert len(before) == len(after) > 0
    assert all(flagged and not influence for _, flagged, influence in before)
    if new_id:
        assert min(sender for sender, _, _ in after) >= 10
        assert all(influence > 0 and not flagged for _, flagged, influence in after)
    else:
        assert {sender for sender, _, _ in after} == {sender for sender, _, _ in before}
        assert all(flagged and not influence for _, flagged, influence in after)


SOON = {"kind": "gpd", "first_window": 10, "pause": 5, "window": 15}
"""Checks in rounds 11 and 31. The second is put off, by half a window at most, as long as too
little is known of a neighbour that was heard in the last 20 rounds."""


def test_gpds_verdict_on_a_newcomer_comes_when_that_has_left_again(run_small):
    """Ids 7 and 8 leave in round 17, 10 and 12 follow in 18 and leave in 34, 11 and 13 in 35.

    Who has left keeps the second check waiting until round 38: by then its successor is gone.
    """
    record = run_small(**GPD | {"defense": SOON}, rounds=40, adversaries=washing(16, True))
    with (record.folder / "decisions.csv").open() as file:
        chi = [row for row in csv.DictReader(file) if row["quantity"] == "chi"]
    assert {int(row["round"]) for row in chi if int(row["sender"]) >= 10} == {38}
    assert {row["value"] for row in chi if int(row["sender"]) in (11, 13)} == {"nan"}
    for round_ in (20, 30, 40):
        there = edges(record, round_)
        assert len(there) >= 10
        assert all(influence > 0 and not flagged for _, flagged, influence in there)


def test_gpds_newcomer_that_stays_is_caught_at_that_check(run_small):
    record = run_small(**GPD | {"defense": SOON}, rounds=40, adversaries=washing(24, True))
    before, after = edges(record, 37), edges(record, 40)
    assert all(influence > 0 for _, _, influence in before)
    assert sum(flagged for _, flagged, _ in after) > 0.8 * len(after)


def trusts(record):
    """The trust of each client before each round, by round."""
    found = {}
    with (record.folder / "decisions.csv").open() as file:
        for row in csv.DictReader(file):
            if row["quantity"] == "trust":
                found.setdefault(int(row["sender"]), {})[int(row["round"])] = float(row["value"])
    return found


@pytest.mark.parametrize("new_id", [False, True])
def test_fed_grads_trust_is_an_ids_and_a_newcomers_is_that_of_the_beginning(run_small, new_id):
    record = run_small(**FED_GRAD, rounds=12, adversaries=washing(8, new_id))
    trust = trusts(record)
    for old in record.summary["adversaries"][:2]:
        at_first, at_last = trust[old][1], trust[old][8]
        assert at_first == 0.5
        assert at_last < 0.5
        # Away in round 9. In round 10 the server does not wait for it yet: its answer is late.
        assert 9 not in trust[old]
        if new_id:
            assert 11 not in trust[old]
        else:  # as it was left: of nine marks the first is 0.5, the others are 0.25
            assert trust[old][11] == pytest.approx((0.5 + 8 * 0.25) / 9)
    if new_id:
        newcomers = [peer for peer in trust if peer >= 8]
        assert len(newcomers) == 2
        assert all(min(trust[peer]) == 11 and trust[peer][11] == 0.5 for peer in newcomers)
