"""Hostile peers that send rubbish: nobody raises, and every message that cannot be used is counted.

A third of the peers or more keep the protocol's times, and each of their messages is broken at
random: content, round, or both. What is broken how follows from the numbers of the part, the peer
and the message alone. ``make test`` takes the first part.
"""

from collections import Counter
from dataclasses import fields, replace
from typing import Any

import numpy as np
import pytest
import torch

from actors.inline import InlineExecutor
from actors.protocols import PROTOCOLS
from actors.protocols.events import Send
from actors.together import Box
from p2pfl.defenses import DEFENSES
from p2pfl.seeding import stream
from p2pfl.strategies import STRATEGIES
from p2pfl.types import Update
from scenarios.machines import make_protocols

PARTS = 6
AT_LEAST = 10_000
"""Messages in all parts together."""

DEFENSE: dict[str, tuple[dict[str, Any], ...]] = {
    "gossip_average": ({},),
    "local_only": ({},),
    "weighted_mean": ({},),
    "rule": tuple(
        {"rule": rule}
        for rule in ({"kind": "krum", "f": 1}, {"kind": "median"}, {"kind": "geometric_median"})
    ),
    "bridge": ({}, {"gradient_at": "sent"}),
    "ios": ({"b": 2},),
    "clipped_gossip": ({}, {"tau": 1.0}),
    "balance": ({"rounds": 30},),
    "ubar": ({"rho": 0.5},),
    "dfl_trust": ({},),
    "dfl_detector": ({"window": 1},),
    "fools_gold": ({},),
    "dfl_dual": ({"samples_per_class": 1, "steps": 1}, {"without": "data_domain"}),
    "gpd": (
        {"first_window": 2},
        {"wire": "cumulative", "detector": {"kind": "cosine"}, "first_window": 2},
        {"wire": "gradient", "detector": {"kind": "safeguard"}, "first_window": 2},
        {"wire": "own_gradient", "mitigation": "rollback", "first_window": 2},
    ),
}
STRATEGY: dict[str, tuple[dict[str, Any], ...]] = {
    "fed_avg": ({},),
    "rule": ({"rule": {"kind": "krum", "f": 1}},),
    "centered_clip": ({"tau": 1.0},),
    "flame": ({},),
    "fl_trust": ({},),
    "fl_detector": ({"window": 1},),
    "fools_gold": ({}, {"combine": "sum", "features": "last_layer", "max_norm": 1.0}),
    "rsa": ({},),
    "sageflow": ({},),
    "finetuning": ({},),
    "crfl": ({},),
    "fed_grad": ({"hard_from": 2},),
    "desgd": ({}, {"classes_per_round": 3}, {"rule": {"kind": "krum", "f": 2}, "at": "server"}),
    "momentum_sgd": ({}, {"at": "server", "rule": {"kind": "median"}}),
    "spmc": ({}, {"absent": "stale"}),
}


def methods() -> list[dict[str, Any]]:
    """Sections of a scenario: every defense under every protocol of peers, and every strategy."""
    late = {"kind": "rounds", "timeout_s": 1.0, "late": "use"}
    among = [
        {"defense": {"kind": kind, **rest}, "protocol": late}
        for kind, some in DEFENSE.items()
        for rest in some
    ]
    own_pace = ({"kind": "gossip", "max_staleness": 2}, {"kind": "pairwise", "timeout_s": 1.0})
    among += [
        {"defense": {"kind": kind, **some[0]}, "protocol": protocol}
        for protocol in own_pace
        for kind, some in DEFENSE.items()
    ]
    around = [
        {
            "topology": {"kind": "clients", "peers": 8},
            "server": {"strategy": {"kind": kind, **rest}, "held_out": 30},
            "protocol": late,
        }
        for kind, some in STRATEGY.items()
        for rest in some
    ]
    return among + around


def test_every_method_and_every_protocol_is_here():
    assert DEFENSE.keys() == {fields(variant)[-1].default for variant in DEFENSES}
    assert STRATEGY.keys() == {fields(variant)[-1].default for variant in STRATEGIES}
    kinds = {section["protocol"]["kind"] for section in methods()}
    assert kinds == {fields(variant)[-1].default for variant in PROTOCOLS}


# ---------------------------------------------------------------- what is sent

LARGEST = float(np.finfo(np.float32).max)
NO_UPDATES: tuple[Any, ...] = (
    None, 3, "x", b"\x00" * 99, [], {}, (), float("nan"), object, np.zeros(3, np.float32),
    torch.zeros(3), ValueError("boo"), {"vector": [1.0], "kind": "model"}, Update,
)  # fmt: skip
KINDS: tuple[Any, ...] = (
    None, 3, "", "MODEL", "models", b"model", ["model"], ("model",), {"model": 1}, float("nan"),
    np.array(["model", "gradient"]), np.array([]), torch.zeros(2), True,
)  # fmt: skip
BAD_SAMPLES: tuple[Any, ...] = (
    None, "30", 1.5, float("nan"), float("inf"), [30], {}, np.float32(3), np.array([1, 2]), 3j,
)  # fmt: skip
ODD_SAMPLES: tuple[Any, ...] = (0, -1, -(10**30), 1, 10**9, 2**63, 10**400, True)
BAD_META: tuple[Any, ...] = (
    None, 3, "x", [], ("a", 1.0), {"a": float("nan")}, {"a": float("inf")}, {"a": "1"}, {"a": None},
    {"a": {"a": 1.0}}, {"a": [1.0]}, {"batch_size": -float("inf")}, {"a": 10**400}, {"a": 1j},
    {"a": np.array([1.0])}, {"a": np.zeros((2, 2))}, {"local_epochs": b"3"},
)  # fmt: skip
ODD_META: tuple[Any, ...] = (
    {}, {"": 0}, {3: 1.0}, {None: 1}, {("a", 1): 2.0}, {"local_epochs": -5.0, "batch_size": 0.0},
    {"local_epochs": 1e308}, {"batch_size": 1e-308, "local_epochs": 1e308}, {"x" * 9999: 1},
    {f"m{k}": float(k) for k in range(999)}, {"says_0": 1.0, "says_1": -1.0, "says_2": 1e308},
    {"batch_size": 0, "local_epochs": 0}, {"class": -1.0}, {"class": 1e18}, {"a": True},
)  # fmt: skip


def broken_vector(vector: np.ndarray[Any, Any], rng: np.random.Generator) -> Any:
    """No vector that anybody sends."""
    with np.errstate(all="ignore"):  # what has diverged fits no other type
        return _broken_vector(vector, rng)


def _broken_vector(vector: np.ndarray[Any, Any], rng: np.random.Generator) -> Any:
    at = int(rng.integers(len(vector)))
    spoilt = vector.copy()
    spoilt[at] = (np.nan, np.inf, -np.inf)[rng.integers(3)]
    return (
        spoilt,
        np.full_like(vector, np.nan),
        np.full_like(vector, np.inf),
        vector[:-1],
        vector[:0],
        np.concatenate([vector, vector]),
        np.append(vector, np.float32(0)),
        vector[None],
        vector[:, None],
        vector.reshape(1, 1, -1),
        np.float32(1),
        np.array(1.0, np.float32),
        vector.astype(np.float64),
        vector.astype(np.float16),
        vector.astype(np.int32),
        vector.astype(np.complex64),
        vector.astype(">f4"),
        vector.astype(object),
        vector.astype(str),
        vector > 0,
        vector.view([("a", np.float32)]),
        np.ma.masked_array(vector, mask=True),
        np.array([None] * len(vector), object),
        vector.tolist(),
        vector.tobytes(),
        torch.from_numpy(vector.copy()),
        None,
        "model",
        {},
    )[rng.integers(29)]


def odd_vector(vector: np.ndarray[Any, Any], rng: np.random.Generator) -> Any:
    """A vector as it should be, however far from any model."""
    at = int(rng.integers(len(vector)))
    spiked = vector.copy()
    spiked[at] = LARGEST
    return (
        spiked,
        np.zeros_like(vector),
        np.full_like(vector, LARGEST),
        np.full_like(vector, -LARGEST),
        np.full_like(vector, 1e-45),
        vector[::-1],
        np.broadcast_to(vector[:1], vector.shape),
        np.full_like(vector, 1e20),
        np.where(np.arange(len(vector)) % 2, LARGEST, -LARGEST).astype(np.float32),
        (rng.standard_normal(len(vector)) * 10.0 ** rng.integers(-30, 30)).astype(np.float32),
    )[rng.integers(10)]


def one(of: Any, rng: np.random.Generator) -> Any:
    return of[rng.integers(len(of))]


def broken(update: Update, rng: np.random.Generator, both: bool) -> tuple[Any, bool]:
    """A message made of another, and whether a receiver has to take it.

    Args:
        update: What would have been sent.
        rng: What is done to it.
        both: Whether receivers look at its companion.
    """
    what = rng.integers(12)
    if what == 0:
        nested = (update, replace(update, vector=update))
        return one((*NO_UPDATES, (update,), [update], nested[1], {"update": update}), rng), False
    if what == 1:
        return replace(update, kind=one(KINDS, rng)), False
    if what == 2:
        others = {"model", "gradient", "class_gradient"} - {update.kind}
        return replace(update, kind=one(sorted(others), rng)), False
    if what == 3:
        return replace(update, samples=one(BAD_SAMPLES, rng)), False
    if what == 4:
        return replace(update, samples=one(ODD_SAMPLES, rng)), True
    if what == 5:
        return replace(update, meta=one(BAD_META, rng)), False
    if what == 6:
        return replace(update, meta=one(ODD_META, rng)), True
    if what == 7:
        return replace(update, round=one((None, -1, "3", 10**30, float("nan"), []), rng)), True
    if what == 8:
        companion = one((None, broken_vector(update.vector, rng)), rng)
        return replace(update, companion=companion), not both
    if what == 9:
        return replace(update, vector=odd_vector(update.vector, rng)), True
    return replace(update, vector=broken_vector(update.vector, rng)), False


# ---------------------------------------------------------------- who sends it, and who looks


class Rubbish:
    """A machine that keeps the protocol's times, and spoils what it sends."""

    def __init__(self, machine: Any, who: tuple[int, int], both: bool, sound: Any) -> None:
        self.machine, self.who, self.both, self.sound = machine, who, both, sound
        self.sent = 0

    def on(self, event: Any, now_ns: int) -> list[Any]:
        said: list[Any] = []
        for effect in self.machine.on(event, now_ns):
            said += self.spoilt(effect) if isinstance(effect, Send) else [effect]
        return said

    def spoilt(self, send: Send) -> list[Send]:
        """One message or several in place of one."""
        said = []
        rng = stream(0, "spoil", *self.who, self.sent)
        for _ in range(1 + int(rng.random() < 0.2)):
            self.sent += 1
            content, sound = broken(send.handle.content, rng, self.both)
            box = Box(content)  # its own model may have diverged, of what the other one sent
            self.sound[box] = sound and bool(np.isfinite(content.vector).all())
            claims = {"round": self.claim(send.round, rng)}
            if rng.random() < 0.1:
                claims["answers"] = self.claim(send.answers, rng)
            said.append(send._replace(handle=box, **claims))
        return said

    def claim(self, round_: int, rng: np.random.Generator) -> int:
        """Mostly the true one, or nobody would look at the content."""
        if rng.random() < 0.7:
            return round_
        claims = (0, -1, -(10**30), 10**30, 2**63, round_ - 1, round_ + 1, round_ + 2, round_ + 9)
        return int(one(claims, rng))


class Watched(InlineExecutor):
    """Holds each merge to what it must have rejected."""

    def __init__(self, sound: dict[Box, bool], *made_of: Any) -> None:
        super().__init__(*made_of)
        self.sound, self.rejected = sound, Counter[tuple[int, int]]()

    def submit(self, peer, task, inputs):
        outcome = super().submit(peer, task, inputs)
        if task.kind in ("merge", "meet"):
            decision = outcome.summary.content
            came = dict(zip(task.senders, inputs, strict=False))
            bad = {sender for sender, box in came.items() if not self.is_sound(box)}
            assert set(decision.rejected) == bad
            assert set(decision.senders) == set(task.senders) - bad
            self.rejected.update((sender, peer) for sender in bad)
        return outcome

    def is_sound(self, box: Box) -> bool:
        """As it was made; what a benign peer sent may have diverged, of what it was told."""
        if box in self.sound:
            return self.sound[box]
        assert isinstance(box.content, Update)
        return bool(np.isfinite(box.content.vector).all())


def attacked(run_small, monkeypatch, sections, part):
    """Run it; how many messages were rubbish."""
    sound: dict[Box, bool] = {}
    made, executors = [], []
    around = "server" in sections
    hostile = (1, 2, 5, 7) if around else (1, 4)

    def machines(experiment):
        both = not around and experiment.scenario.defense.companion
        protocols = make_protocols(experiment)
        for peer in hostile:
            made.append(Rubbish(protocols[peer], (part, peer), both, sound))
            protocols[peer] = made[-1]
        return protocols

    def executor(experiment, stopping):
        parts = (experiment.spec, experiment.peers, experiment.arrays)
        executors.append(Watched(sound, *parts))
        return executors[-1]

    monkeypatch.setattr("scenarios.assemble.make_protocols", machines)
    monkeypatch.setattr("scenarios.runner.make_executor", executor)
    scenario = {
        "rounds": 9 if around else 4,
        "seed": part,
        "topology": {"kind": "complete", "peers": 6},
        "data": {"train_samples": 240, "test_samples": 60},
        "training": {"lr": 0.1, "batch_size": 40},
        "network": {"latency": {"kind": "exponential", "mean_ms": 100}, "duplicate": 0.1},
        "evaluate": {"every": 0},
        "runtime": {"executor": "inline", "snapshots": None},
        "record": {"messages": True},
    }
    record = run_small(**{**scenario, **sections})
    assert record.status == "done"
    for row in record.table("messages"):
        count = {name: int(value) for name, value in row.items()}
        assert count["sent"] + count["duplicated"] == count["delivered"] + count["dropped"]
        assert count["delivered"] == count["accepted"] + count["late"] + count["rejected"]
        edge = count["source"], count["destination"]
        assert count["rejected"] >= executors[0].rejected[edge]
    return sum(machine.sent for machine in made)


@pytest.mark.parametrize("sections", methods(), ids=str)
def test_rubbish_harms_nobodys_process(run_small, monkeypatch, sections):
    assert attacked(run_small, monkeypatch, sections, part=0) > 6


@pytest.mark.whole
def test_all_rubbish_harms_nobodys_process(run_small, monkeypatch):
    sent = [
        attacked(run_small, monkeypatch, sections, part)
        for part in range(PARTS)
        for sections in methods()
    ]
    assert sum(sent) >= AT_LEAST
    print(f"{sum(sent)} messages")
