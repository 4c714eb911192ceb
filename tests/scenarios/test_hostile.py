"""A hostile peer harms nobody's process: what it sends is discarded and counted."""

import pytest

HOSTILE = '''
from dataclasses import dataclass
from typing import ClassVar, Literal

import torch

from p2pfl.attacks.base import Honest


@dataclass(frozen=True)
class Broken(Honest):
    """Sends what no model is."""

    knowledge: ClassVar = "local"

    what: Literal["nan", "inf", "short", "long"] = "nan"

    def craft(self, view, state, rng):
        d = len(view.own) + {"short": -1, "long": 7}.get(self.what, 0)
        value = {"nan": float("nan"), "inf": float("inf")}.get(self.what, 0.0)
        return torch.full((len(view.targets), d), value), state


@dataclass(frozen=True)
class TwoFaced(Honest):
    """Sends something else to each neighbour."""

    knowledge: ClassVar = "local"

    equivocates: ClassVar = True

    def craft(self, view, state, rng):
        steps = torch.tensor([float(target) for target in view.targets])
        return view.own * (1 + steps[:, None]), state


@dataclass(frozen=True)
class Buggy(Honest):
    """A user's mistake, not an attack."""

    knowledge: ClassVar = "local"

    def craft(self, view, state, rng):
        raise ZeroDivisionError("my own bug")
'''


@pytest.fixture(autouse=True)
def _module(tmp_path):
    (tmp_path / "hostile_peers.py").write_text(HOSTILE)


@pytest.mark.parametrize("what", ["nan", "inf", "short", "long"])
def test_broken_messages_are_rejected_and_counted(run_small, what):
    record = run_small(
        adversaries={"placement": {"kind": "nodes", "nodes": [2]}},
        attack={"use": "hostile_peers:Broken", "what": what},
    )
    assert record.status == "done"
    for row in record.table("messages"):
        count = {key: int(value) for key, value in row.items()}
        assert count["rejected"] == (3 if count["source"] == 2 else 0)
        assert count["delivered"] == count["accepted"] + count["late"] + count["rejected"]
    assert record.summary["accuracy"]["benign"]["worst"] > 0.5


@pytest.mark.ray
@pytest.mark.usefixtures("ray_session")
def test_nan_harms_nobody_under_ray(run_small):
    sections = {
        "adversaries": {"placement": {"kind": "nodes", "nodes": [2]}},
        "attack": {"use": "hostile_peers:Broken", "what": "nan"},
    }
    runtime = {"executor": "ray", "peers_per_actor": 3}
    under_ray = run_small(**sections, runtime=runtime)
    assert under_ray.summary["digest"] == run_small(**sections).summary["digest"]
    assert under_ray.summary["messages"]["rejected"] == 12


def test_each_neighbour_may_be_told_something_else(run_small):
    two_faced = {
        "adversaries": {"placement": {"kind": "nodes", "nodes": [0]}},
        "attack": {"use": "hostile_peers:TwoFaced"},
    }
    loss = {
        row["peer"]: float(row["value"])
        for row in run_small(**two_faced, rounds=1).table("metrics")
        if row["metric"] == "loss"
    }
    assert len(set(loss.values())) > 2


def test_an_error_in_a_users_attack_names_peer_and_error(run_small):
    from p2pfl.errors import RunError

    with pytest.raises(RunError, match=r"peer 3 failed in craft of round 1: .*my own bug"):
        run_small(
            adversaries={"placement": {"kind": "nodes", "nodes": [3]}},
            attack={"use": "hostile_peers:Buggy"},
        )
