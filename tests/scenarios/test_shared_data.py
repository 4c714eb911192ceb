"""All members of a coalition train on one poisoned set."""

import numpy as np
import pytest
import torch

from actors.host import Host
from p2pfl.errors import ScenarioError
from scenarios.build import build

FOUR = {
    "topology": {"kind": "complete", "peers": 9},
    "adversaries": {"count": 4},
    "data": {"partition": {"kind": "dirichlet", "alpha": 0.5}},
}
BACKDOOR = {"kind": "backdoor", "target": 2, "poison_rate": 0.25, "shared_data": 40}


def poisoned(experiment):
    """By adversary: what it trains on in a round of its attack."""
    host = Host(experiment.spec, experiment.peers, experiment.arrays)
    return {peer: host._learners[peer]._poisoned for peer in experiment.placed.adversaries}


def test_members_have_the_same_samples_poisoned_alike(loaded):
    experiment = build(loaded(**FOUR, attack=BACKDOOR))
    first, *others = [experiment.peers[peer] for peer in experiment.placed.adversaries]
    assert len(set(first.samples)) == 40
    for other in others:
        np.testing.assert_array_equal(first.samples, other.samples)
    sets = list(poisoned(experiment).values())
    clean = torch.from_numpy(experiment.dataset.inputs[first.samples])
    touched = (sets[0].inputs != clean).flatten(1).any(1)
    assert touched.sum() == 10  # a quarter of 40
    assert (sets[0].labels[touched] == 2).all()
    for each in sets[1:]:
        assert torch.equal(each.inputs, sets[0].inputs)
        assert torch.equal(each.labels, sets[0].labels)


def test_the_others_data_do_not_move_and_without_it_each_has_its_own(loaded):
    shared = build(loaded(**FOUR, attack=BACKDOOR))
    own = build(loaded(**FOUR, attack={**BACKDOOR, "shared_data": None}))
    hostile = shared.placed.adversaries
    for one, other in zip(shared.peers, own.peers, strict=True):
        same = np.array_equal(one.samples, other.samples)
        assert same == (one.peer not in hostile)
    sizes = {tuple(each.labels.tolist()) for each in poisoned(own).values()}
    assert len(sizes) == 4


def test_dba_members_stamp_the_same_samples_each_with_its_part(loaded):
    dba = {
        "kind": "dba",
        "trigger": {"shape": "bars", "size": 2, "gap": 1, "row": 0, "col": 0},
        "poison_rate": 0.25,
        "shared_data": 40,
    }
    experiment = build(
        loaded(**FOUR, attack={"kind": "model_replacement", "gamma": 2.0, "data": dba})
    )
    clean = torch.from_numpy(
        experiment.dataset.inputs[experiment.peers[experiment.placed.adversaries[0]].samples]
    )
    sets = list(poisoned(experiment).values())
    labels = {tuple(each.labels.tolist()) for each in sets}
    assert len(labels) == 1
    stamps = [(each.inputs != clean).any(0) for each in sets]
    assert all(stamp.any() for stamp in stamps)
    assert not any((a & b).any() for k, a in enumerate(stamps) for b in stamps[:k])


def test_each_group_has_a_set_of_its_own(loaded):
    groups = [
        {"share": 0.5, "attack": {**BACKDOOR, "poison_rate": 0.5}},
        {"attack": {**BACKDOOR, "shared_data": 30}},
    ]
    experiment = build(loaded(**FOUR, attack=groups))
    one, other = (
        {tuple(experiment.peers[peer].samples) for peer in coalition.members}
        for coalition in experiment.spec.coalitions
    )
    assert (len(one), len(other)) == (1, 1)
    assert {len(part) for part in one} == {40}
    assert {len(part) for part in other} == {30}
    assert one.pop() != other.pop()


def test_what_the_server_holds_out_is_not_shared(loaded):
    star = {**FOUR, "topology": {"kind": "clients", "peers": 9}, "server": {"held_out": 1000}}
    attack = {**BACKDOOR, "shared_data": 438}  # all that is left: 1438 - 1000
    experiment = build(loaded(**star, attack=attack))
    shared = experiment.peers[experiment.placed.adversaries[0]].samples
    assert not set(shared) & set(experiment.peers[-1].samples)
    assert len(set(shared)) == 438


@pytest.mark.parametrize(
    ("attack", "key"),
    [
        ({**BACKDOOR, "shared_data": 1439}, r"attack\.shared_data"),
        ({"kind": "pgd", "data": {**BACKDOOR, "shared_data": 1439}}, r"attack\.data\.shared_data"),
        ([{"attack": {**BACKDOOR, "shared_data": 1439}}], r"attack\.0\.attack\.shared_data"),
    ],
)
def test_more_than_there_are_is_refused_with_its_key(loaded, attack, key):
    with pytest.raises(
        ScenarioError, match=rf"line \d+, {key}: must be in 1 \.\. 1438, .* got 1439"
    ):
        build(loaded(**FOUR, attack=attack))


def test_none_is_refused_where_the_file_is_read(loaded):
    with pytest.raises(ScenarioError, match=r"attack\.shared_data: shared_data must be >= 1"):
        loaded(**FOUR, attack={**BACKDOOR, "shared_data": 0})


def test_it_claims_what_it_trains_on_and_a_run_shows_its_success(run_small):
    star = {**FOUR, "topology": {"kind": "clients", "peers": 9}, "server": {}, "rounds": 2}
    attack = {**BACKDOOR, "shared_data": 300, "poison_rate": 1.0}
    record = run_small(**star, attack=attack)
    shares = {
        (row["sender_role"], row["influence"])
        for row in record.table("edges")
        if row["sender_role"] == "adversary"
    }
    assert len(shares) == 1  # by samples, and all have 300
    assert record.summary["asr"] > 0.5
