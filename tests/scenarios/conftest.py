"""A small scenario on digits that the tests of this folder change as they need."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from ruamel.yaml import YAML

from p2pfl.learner.kernels import choose_kernels
from scenarios.loader import Loaded, load
from scenarios.runner import Record, run

COMPARED = ("metrics.csv", "edges.csv", "decisions.csv", "messages.csv", "events.jsonl")
NETWORK = {
    "latency": {"kind": "lognormal", "median_ms": 40, "sigma": 1},
    "bandwidth_mbps": 10,
    "drop": 0.1,
}
TROUBLED = {
    "latency": {"kind": "pareto", "scale_ms": 20, "shape": 1.5},
    "bandwidth_mbps": 10,
    "drop": {
        "kind": "gilbert_elliott",
        "p_good_to_bad": 0.2,
        "p_bad_to_good": 0.4,
        "drop_good": 0.01,
        "drop_bad": 0.9,
    },
    "retries": 2,
    "retry_after_ms": 30,
    "fifo": True,
    "duplicate": 0.2,
}
HOSTILE: dict[str, Any] = {
    "adversaries": {"count": 2},
    "attack": {"kind": "mimic", "choice": "variance"},
}
AMONG: dict[str, Any] = {
    "rounds": 6,
    "training": {"lr": 0.1, "batch_size": 32, "momentum": 0.9, "keep_momentum": True},
    "compute": {"samples_per_s": 2000, "spread": 0.5},
    "network": NETWORK,
    "protocol": {"kind": "rounds", "timeout_s": 1.5, "late": "use"},
    "evaluate": {"every": 1, "samples": 60, "consensus": True},
    "record": {"messages": True},
}
KINDS: dict[str, Any] = {
    "rounds": AMONG | HOSTILE | {"defense": {"kind": "gpd", "first_window": 2}},
    "churn": AMONG
    | HOSTILE
    | {
        "defense": {"kind": "gpd", "first_window": 2},
        "network": TROUBLED,
        "availability": {"churn": {"kind": "session", "mean_up_s": 1.0, "mean_down_s": 0.3}},
        "events": [
            {"kind": "partition", "groups": [[0, 1]], "at_round": 2},
            {"kind": "heal", "at_round": 4},
            {"kind": "crash", "peers": [2], "at_s": 0.4},
            {"kind": "rejoin", "peers": [2], "anew": True, "at_s": 0.9},
            {"kind": "slow", "peers": [1], "factor": 3.0, "at_s": 0.5},
        ],
    },
    "hostile": AMONG
    | {
        "adversaries": {
            "placement": {"kind": "nodes", "nodes": [1, 3]},
            "conduct": {
                "behaviours": [
                    {"kind": "equivocate", "others": "opposite"},
                    {"kind": "replay", "age": 2},
                    {"kind": "late", "after_s": 0.2, "share": 0.5},
                    {"kind": "mobile", "every": 2},
                ]
            },
        },
        "attack": {"kind": "mimic", "choice": "variance"},
        "defense": {"kind": "gpd", "first_window": 2},
        "topology": {"kind": "complete", "peers": 6},
        "events": [
            {"kind": "attack_stop", "at_s": 0.6},
            {"kind": "attack_start", "at_round": 4},
        ],
    },
    "varying": AMONG
    | {
        "topology": {
            "kind": "edge_markov",
            "of": {"kind": "complete", "peers": 5},
            "p_off": 0.3,
            "p_on": 0.5,
            "every_s": 0.4,
        },
        "budget": {"bytes": 1.2e5},
    },
    "planned": AMONG
    | {
        "topology": {"kind": "one_peer_exponential", "peers": 5},
        "availability": {"dropout": 0.3},
        "model": {"kind": "logistic", "warm_start": {"epochs": 1, "lr": 0.1, "samples": 100}},
        "budget": {"virtual_s": 2.0},
        "record": {"messages": True, "models": [1]},
    },
    "gossip": AMONG
    | HOSTILE
    | {
        "protocol": {"kind": "gossip", "fanout": 2, "max_staleness": 2},
        "defense": {"kind": "gpd", "first_window": 2},
        "availability": {
            "dropout": 0.2,
            "churn": {"kind": "session", "mean_up_s": 1.0, "mean_down_s": 0.3},
        },
        "evaluate": {"every_s": 0.3, "samples": 60},
    },
    "pairwise": AMONG
    | HOSTILE
    | {
        "protocol": {"kind": "pairwise", "timeout_s": 0.4},
        "defense": {"kind": "dfl_dual", "samples_per_class": 2, "steps": 2},
        "network": TROUBLED,
        "events": [
            {"kind": "crash", "peers": [2], "at_s": 0.4},
            {"kind": "rejoin", "peers": [2], "anew": True, "at_s": 0.9},
            {"kind": "partition", "groups": [[0, 1]], "at_s": 1.0},
            {"kind": "heal", "at_s": 1.5},
        ],
    },
    "until": AMONG
    | {
        "rounds": None,
        "duration_s": 1.5,
        "protocol": {"kind": "pairwise", "timeout_s": 0.4},
        "defense": {"kind": "gpd", "first_window": 2},
    },
    "dual": AMONG | HOSTILE | {"defense": {"kind": "dfl_dual", "samples_per_class": 2, "steps": 2}},
    "server": AMONG
    | HOSTILE
    | {
        "topology": {"kind": "clients", "peers": 5},
        "server": {"strategy": {"kind": "fed_grad"}, "participants": 4},
    },
    "clients": AMONG
    | {
        "topology": {"kind": "clients", "peers": 4},
        "server": {"strategy": {"kind": "momentum_sgd"}},
    },
    "classes": AMONG
    | {
        "topology": {"kind": "clients", "peers": 5},
        "adversaries": {"count": 1},
        "attack": {"kind": "mimic", "choice": "variance"},
        "server": {"strategy": {"kind": "desgd", "classes_per_round": 3, "at": "server"}},
    },
    "teachers": AMONG
    | HOSTILE
    | {
        "topology": {"kind": "clients", "peers": 5},
        "server": {
            "strategy": {"kind": "spmc", "teacher": "coalition_uniform", "absent": "stale"},
            "participants": 4,
        },
    },
}
"""Runs in which much is going on: what they hold is hard to store."""

SMALL: dict[str, Any] = {
    "name": "small",
    "rounds": 3,
    "model": {"kind": "logistic"},
    "training": {"lr": 0.5, "batch_size": 32},
    "topology": {"kind": "complete", "peers": 5},
    "runtime": {"executor": "inline"},
}


@pytest.fixture
def loaded(tmp_path: Path) -> Callable[..., Loaded]:
    """``loaded(rounds=2, attack={...})``: the small scenario with some sections replaced."""

    def make(**sections: Any) -> Loaded:
        path = tmp_path / "small.yaml"
        YAML().dump({**SMALL, **sections}, path)
        return load(path)

    return make


@pytest.fixture
def run_small(
    loaded: Callable[..., Loaded], tmp_path_factory: pytest.TempPathFactory
) -> Callable[..., Record]:
    """``run_small(rounds=2)``: run it inline into a folder of its own, without report.png."""

    def make(**sections: Any) -> Record:
        out = tmp_path_factory.mktemp("run") / "out"
        return run(loaded(**sections), out=out, picture=False)

    return make


@pytest.fixture
def usual_kernels() -> Iterator[None]:
    """Whatever kernels a test asks for, those after it get the usual ones."""
    yield
    choose_kernels(deterministic=False)


@pytest.fixture(scope="session")
def losses() -> Callable[[Record], list[float]]:
    """``losses(record)``: all that were measured, in their order."""

    def read(record: Record) -> list[float]:
        rows = record.table("metrics")
        return [float(row["value"]) for row in rows if row["metric"] == "loss"]

    return read


@pytest.fixture
def lively(loaded: Callable[..., Loaded]) -> Callable[..., Loaded]:
    """``lively("rounds", rounds=9)``: a scenario of a kind of run in which much is going on."""

    def make(kind: str, **sections: Any) -> Loaded:
        return loaded(**KINDS[kind] | sections)

    return make


@pytest.fixture(scope="session")
def kinds() -> dict[str, Any]:
    """What ``lively`` makes, as sections."""
    return KINDS


@pytest.fixture(scope="session")
def outcome() -> Callable[[Record], dict[str, Any]]:
    """All of a finished run that must be equal to the byte."""

    def read(record: Record) -> dict[str, Any]:
        assert record.status == "done"
        assert not (record.folder / "snapshots").exists()
        names = [n for n in (*COMPARED, "messages.jsonl") if (record.folder / n).exists()]
        files = {name: (record.folder / name).read_bytes() for name in names}
        own = ("wall_s", "warnings")
        return files | {k: v for k, v in record.summary.items() if k not in own}

    return read
