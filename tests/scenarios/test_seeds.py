"""Seeds of single parts: each moves what is its own, and nothing else."""

from hashlib import sha256

import numpy as np
import pytest

from scenarios.build import build
from scenarios.references import reference_of
from scenarios.seeds import AllSeeds, Seeds, is_seed

LIVELY = {
    "rounds": 2,
    "data": {"train_samples": 200, "test_samples": 50},
    "topology": {"kind": "random_regular", "peers": 10, "degree": 4},
    "adversaries": {"count": 3},
    "attack": {"kind": "gaussian"},
    "compute": {"samples_per_s": 100, "spread": 0.5},
}


def test_what_is_not_given_follows_the_runs_seed():
    assert Seeds().over(7) == (7, 7, 7, 7, 7, 7)
    assert Seeds(data=3, attack=0).over(7) == AllSeeds(7, 7, 3, 7, 7, 0)


@pytest.mark.parametrize(("key", "seed"), [
    ("seed", True), ("seeds.links", True), ("seeds", False), ("data.seed", False),
])  # fmt: skip
def test_which_keys_are_seeds(key, seed):
    assert is_seed(key) is seed


def parts(experiment):
    """What is drawn for a run before it starts, by the part whose seed it follows."""
    samples = sum(len(peer.samples) for peer in experiment.peers)
    speeds = [
        len(peer.samples) / ns
        for peer, ns in zip(experiment.peers, experiment.timing.honest_ns, strict=True)
    ]
    return {
        "graph": sorted(experiment.graph.edges),
        "placement": experiment.placed.adversaries,
        "data": [np.sort(peer.samples).tolist() for peer in experiment.peers] + [samples],
        "training": sha256(experiment.spec.initial.tobytes()).hexdigest(),
        "links": speeds,
        "attack": experiment.spec.attack_seed,
    }


@pytest.mark.parametrize("part", ["graph", "placement", "data", "training", "links", "attack"])
def test_a_seed_moves_its_own_part_alone(loaded, part):
    sections = {**LIVELY, "model": {"kind": "mlp", "hidden": [4]}}
    before, after = parts(build(loaded(**sections))), parts(
        build(loaded(**sections, seeds={part: 2}))
    )  # fmt: skip
    assert {name for name in before if before[name] != after[name]} == {part}


def test_all_six_together_are_the_runs_seed(run_small):
    six = dict.fromkeys(("graph", "placement", "data", "training", "links", "attack"), 5)
    one = run_small(**LIVELY, seed=5)
    other = run_small(**LIVELY, seed=9, seeds=six)
    assert one.summary["digest"] == other.summary["digest"]
    for name in ("metrics.csv", "edges.csv", "messages.csv", "events.jsonl"):
        assert (one.folder / name).read_bytes() == (other.folder / name).read_bytes()


def test_the_attacks_seed_moves_what_adversaries_send(run_small):
    digests = [run_small(**LIVELY, seeds={"attack": seed}).summary["digest"] for seed in (1, 2, 1)]
    assert digests[0] == digests[2] != digests[1]


def test_references_do_not_depend_on_the_attacks_seed(loaded):
    one, other = (loaded(**LIVELY, seeds={"attack": seed, "data": 4}) for seed in (1, 2))
    for name in ("local_only", "benign_only"):
        assert reference_of(one, name).scenario == reference_of(other, name).scenario
        assert reference_of(one, name).scenario.seeds.data == 4
