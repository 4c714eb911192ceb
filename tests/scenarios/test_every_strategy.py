"""Every strategy runs to the end among hostile clients. One without a scenario fails here."""

from dataclasses import fields

import pytest

from p2pfl.strategies import STRATEGIES

SCENARIOS = {
    "fed_avg": ({},),
    "rule": ({"rule": {"kind": "krum", "f": 1}},),
    "centered_clip": ({"tau": 1.0},),
    "flame": ({},),
    "fl_trust": ({},),
    "fl_detector": ({"window": 1}, {"window": 1, "restarts": 0, "rule": {"kind": "median"}}),
    "fools_gold": ({}, {"combine": "sum", "features": "last_layer", "max_norm": 1.0}),
    "rsa": ({}, {"own_models": False}),
    "sageflow": ({},),
    "finetuning": ({}, {"clients_start": "average"}),
    "crfl": ({},),
    "fed_grad": ({}, {"hard_from": 2, "reference": "paper", "pardon": "above", "pardon_from": 1}),
    "desgd": (
        {},
        {"rule": {"kind": "krum", "f": 2}, "at": "server", "compensation": 0.0},
        {"rule": {"kind": "krum", "f": 2}, "classes_per_round": 3},
    ),
    "momentum_sgd": ({}, {"at": "server", "rule": {"kind": "median"}}),
    "spmc": (
        {},
        {"teacher": "coalition_uniform", "purify_scope": "benign_only"},
        {"absent": "stale", "purify_scope": "malicious_only"},
    ),
}


def test_every_strategy_is_run():
    assert set(SCENARIOS) == {fields(strategy)[-1].default for strategy in STRATEGIES}


@pytest.mark.parametrize(
    "strategy",
    [{"kind": kind, **rest} for kind, some in SCENARIOS.items() for rest in some],
    ids=str,
)
def test_it_ends_done(strategy, run_small):
    # Four rounds, so that a detector with a window of one has two in which it may detect; and
    # late messages, as they come.
    record = run_small(
        rounds=4,
        topology={"kind": "clients", "peers": 6},
        adversaries={"count": 2},
        attack={"kind": "sign_flip", "scale": 5.0},
        server={"strategy": strategy, "participants": 5, "held_out": 30},
        network={"latency": {"kind": "lognormal", "median_ms": 400, "sigma": 1.0}},
        protocol={"kind": "rounds", "timeout_s": 2, "late": "use"},
        on_shortfall="fail",
    )
    assert record.status == "done"
    assert 0 <= record.summary["accuracy"]["server"]["mean"] <= 1
    assert any(int(row["staleness"]) > 0 for row in record.table("edges"))
