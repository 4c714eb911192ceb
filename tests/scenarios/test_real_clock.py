"""The same scenario under both clocks, and what the real one cannot have."""

import json
import threading
from statistics import fmean, stdev

import pytest

from p2pfl.errors import RunError, ScenarioError
from scenarios.runner import resume, run
from scenarios.stop import Stop

FAST = {"samples_per_s": 20_000}
REAL = {"executor": "inline", "clock": "real"}
ALIKE = {
    "rounds": {
        "defense": {"kind": "rule", "rule": {"kind": "trimmed_mean", "f": 1}},
        "adversaries": {"count": 1},
        "attack": {"kind": "alie"},
        "network": {
            "latency": {"kind": "lognormal", "median_ms": 10, "sigma": 1},
            "bandwidth_mbps": 50,
            "duplicate": 0.2,
        },
        "evaluate": {"every": 1, "samples": 60, "consensus": True},
        "record": {"messages": True, "models": [1]},
    },
    "reliable": {
        "defense": {"kind": "gpd", "first_window": 2},
        "network": {"drop": 0.2, "retries": 20, "retry_after_ms": 5, "fifo": True},
    },
    "dual": {"defense": {"kind": "dfl_dual", "samples_per_class": 2, "steps": 2}, "rounds": 2},
    "server": {
        "topology": {"kind": "clients", "peers": 4},
        "adversaries": {"count": 1},
        "attack": {"kind": "mimic", "choice": "variance"},
        "server": {"strategy": {"kind": "fed_grad"}, "participants": 3},
    },
    "planned": {
        "topology": {"kind": "one_peer_exponential", "peers": 4},
        "availability": {"dropout": 0.3},
    },
}
"""Runs in which everybody hears of everything in time: then order and lateness change nothing."""


def both(loaded, tmp_path, sections):
    virtual = run(loaded(**sections), out=tmp_path / "virtual", picture=False)
    sections = sections | {"runtime": REAL}
    return virtual, run(loaded(**sections), out=tmp_path / "real", picture=False)


@pytest.mark.parametrize("kind", ALIKE)
def test_where_nothing_is_late_both_clocks_give_the_same_models(kind, loaded, tmp_path):
    sections = {"compute": FAST, "protocol": {"kind": "rounds", "timeout_s": 600}} | ALIKE[kind]
    virtual, real = both(loaded, tmp_path, sections)
    assert real.status == "done"
    assert real.summary["digest"] == virtual.summary["digest"]
    assert _figures(real) == _figures(virtual)
    assert real.summary["merges"] == virtual.summary["merges"] > 0
    same = ("sent", "bytes", "dropped", "rejected", "duplicated", "retried")
    if kind == "rounds":  # a copy may be late or replace its original, or not
        same = ("sent", "bytes", "duplicated")
    totals = [[record.summary["messages"][name] for name in same] for record in (virtual, real)]
    assert totals[0] == totals[1]
    assert real.summary["messages"]["in_flight"] == 0
    events = [json.loads(line) for line in (real.folder / "events.jsonl").read_text().splitlines()]
    assert [e["time_s"] for e in events] == sorted(e["time_s"] for e in events)


def _figures(record):
    rows = record.table("metrics")
    measured = [r for r in rows if r["metric"] in ("accuracy", "loss", "consensus_distance")]
    return sorted((int(r["round"]), r["peer"], r["metric"], r["value"]) for r in measured)


@pytest.mark.parametrize(
    "protocol",
    [{"kind": "gossip", "fanout": 2}, {"kind": "pairwise", "timeout_s": 600}],
    ids=lambda each: each["kind"],
)
def test_peers_that_go_their_own_pace(protocol, loaded, tmp_path):
    network = {"latency": {"kind": "exponential", "mean_ms": 20}, "bandwidth_mbps": 50}
    sections = {"compute": FAST, "network": network, "protocol": protocol, "runtime": REAL}
    record = run(loaded(**sections, rounds=4), out=tmp_path / "real", picture=False)
    assert record.status == "done"
    assert record.summary["rounds_done"] == {"least": 4, "most": 4}
    assert record.summary["merges"] > 0
    assert record.summary["messages"]["sent"] >= 4 * 5
    for edge in record.table("messages"):
        count = {name: int(value) for name, value in edge.items()}
        assert count["sent"] == count["delivered"]
        assert count["in_flight"] == count["dropped"] == 0
        ends = ("accepted", "late", "rejected", "waiting")
        assert count["delivered"] == sum(count[name] for name in ends)


def test_the_record_says_that_it_cannot_be_repeated_and_how_late_it_was(loaded, tmp_path):
    network = {"latency": {"kind": "constant", "ms": 20}}
    sections = {"compute": FAST, "network": network, "rounds": 2, "runtime": REAL}
    record = run(loaded(**sections), out=tmp_path / "real", picture=False)
    assert any("no two runs are alike" in warning for warning in record.summary["warnings"])
    assert record.summary["clock"] == "real"
    environment = json.loads((record.folder / "environment.json").read_text())
    assert environment["clock"] == "real"
    assert environment["reproducible_to_the_bit"] is False
    header, *lines = (record.folder / "lateness.csv").read_text().splitlines()
    assert header == "time_s,what,source,destination,round,asked_s,took_s"
    rows = [dict(zip(header.split(","), line.split(","), strict=True)) for line in lines]
    messages = [row for row in rows if row["what"] == "message"]
    assert len(messages) == 2 * 5 * 4 == record.summary["lateness"]["message"]["count"]
    assert {float(row["asked_s"]) for row in messages} == {0.02}
    assert all(float(row["took_s"]) >= 0.02 for row in messages)
    works = [row for row in rows if row["what"] == "work"]
    assert len(works) == 2 * 5 * 2 == record.summary["lateness"]["work"]["count"]  # train, merge


@pytest.mark.parametrize(
    ("protocol", "ends"),
    [("rounds", {"budget": {"virtual_s": 0.5}}), ("gossip", {"duration_s": 0.5})],
)
def test_time_runs_out(protocol, ends, loaded, tmp_path):
    sections = ends | {
        "rounds": 1000,
        "protocol": {"kind": protocol},
        "compute": {"measured": True},
        "network": {"latency": {"kind": "constant", "ms": 30}},
        "runtime": REAL,
    }
    record = run(loaded(**sections), out=tmp_path / "real", picture=False)
    assert record.status == "done"
    assert record.summary["rounds_done"]["most"] < 1000
    events = (record.folder / "events.jsonl").read_text()
    assert events.count('"event": "budget_spent"') == 5
    assert len(record.summary["accuracy_by_peer"]) == 5


def test_a_run_that_is_told_to_stop_leaves_what_it_had(loaded, tmp_path, monkeypatch):
    sections = {"rounds": 1000, "compute": FAST, "runtime": REAL}
    asked = []

    def is_set(stop):
        asked.append(1)
        return len(asked) > 10

    monkeypatch.setattr(Stop, "is_set", is_set)
    record = run(loaded(**sections), out=tmp_path / "real", picture=False)
    assert record.status == "interrupted"
    left = [thread.name for thread in threading.enumerate()]
    assert not any(name.startswith(("shells", "desk")) for name in left)
    assert record.summary["messages"]["sent"] > 0
    with pytest.raises(ScenarioError, match="under clock: real cannot be resumed"):
        resume(record.folder)


def test_an_error_of_a_peer_ends_the_run(loaded, tmp_path, caplog):
    (tmp_path / "mine.py").write_text(
        "from dataclasses import dataclass\n"
        "from p2pfl.defenses import GossipAverage\n"
        "@dataclass(frozen=True, slots=True, kw_only=True)\n"
        "class Mine(GossipAverage):\n"
        "    def merge(self, view, state):\n"
        "        raise ValueError('I break')\n"
    )
    sections = {"defense": {"use": "mine:Mine"}, "compute": FAST, "runtime": REAL}
    with pytest.raises(RunError, match=r"peer \d failed in merge of round 1: ValueError: I break"):
        run(loaded(**sections), out=tmp_path / "real", picture=False)
    assert not [r for r in caplog.records if r.name == "asyncio"]  # others fail alike, and quietly


@pytest.mark.parametrize(
    ("sections", "key"),
    [
        ({"events": [{"kind": "heal", "at_s": 1}]}, "events"),
        (
            {"availability": {"churn": {"kind": "session", "mean_up_s": 9, "mean_down_s": 1}}},
            "availability.churn",
        ),
        ({"budget": {"bytes": 1e6}}, "budget.bytes"),
        (
            {
                "topology": {
                    "kind": "edge_markov",
                    "of": {"kind": "complete", "peers": 5},
                    "p_off": 0.3,
                    "p_on": 0.5,
                    "every_s": 0.4,
                }
            },
            "topology.every_s",
        ),
    ],
)
def test_what_needs_one_who_sees_all_is_refused(sections, key, loaded, tmp_path):
    with pytest.raises(ScenarioError, match=rf"line \d+, {key}: .* runtime\.clock: real"):
        run(loaded(**sections, runtime=REAL), out=tmp_path / "real")
    assert not (tmp_path / "real").exists()


def test_peers_do_not_train_together_in_real_time(loaded, tmp_path):
    with pytest.raises(ScenarioError, match=r"runtime\.batch: on .* runtime\.clock: real"):
        run(loaded(runtime=REAL | {"batch": "on"}), out=tmp_path / "real")


def test_virtual_time_has_nothing_to_measure(loaded, tmp_path):
    with pytest.raises(ScenarioError, match=r"compute\.measured: .* needs runtime\.clock: real"):
        run(loaded(compute={"measured": True}), out=tmp_path / "virtual")


@pytest.mark.real_clock
@pytest.mark.parametrize(
    "protocol",
    [{"kind": "rounds", "timeout_s": 0.2}, {"kind": "gossip", "fanout": 2}],
    ids=lambda each: each["kind"],
)
def test_where_much_is_late_accuracies_agree_within_noise(protocol, loaded, tmp_path):
    # Many messages miss the timeout, or the merge. Which ones follows from the links' draws, and
    # under the real clock from its lateness too. So the noise is that of other draws of the links.
    sections = {
        "rounds": 6,
        "topology": {"kind": "complete", "peers": 6},
        "data": {"partition": {"kind": "dirichlet", "alpha": 0.5}},
        "compute": {"samples_per_s": 2000, "spread": 0.5},
        "network": {"latency": {"kind": "lognormal", "median_ms": 100, "sigma": 1}, "drop": 0.1},
        "protocol": protocol,
    }
    virtual = [
        run(loaded(**sections, seeds={"links": k}), out=tmp_path / str(k), picture=False)
        for k in range(1, 7)
    ]
    real = run(loaded(**sections, runtime=REAL), out=tmp_path / "real", picture=False)
    accuracies = [record.summary["accuracy"]["benign"]["mean"] for record in virtual]
    assert (real.summary["timeouts"] > 0) == (protocol["kind"] == "rounds")
    # Six runs and one more: Student's t with 5 degrees of freedom is beyond 6.9 once in a thousand.
    room = 6.9 * stdev(accuracies) * (1 + 1 / 6) ** 0.5
    assert abs(real.summary["accuracy"]["benign"]["mean"] - fmean(accuracies)) <= room


@pytest.mark.ray
@pytest.mark.slow
@pytest.mark.usefixtures("ray_session")
@pytest.mark.parametrize("each", [1, pytest.param(2, marks=pytest.mark.whole)])
def test_actors_call_one_another(each, loaded, tmp_path):
    sections = {"compute": FAST, "protocol": {"kind": "rounds", "timeout_s": 600}}
    virtual = run(loaded(**sections), out=tmp_path / "virtual", picture=False)
    runtime = {"executor": "ray", "clock": "real", "peers_per_actor": each}
    real = run(loaded(**sections, runtime=runtime), out=tmp_path / "real", picture=False)
    assert real.summary["digest"] == virtual.summary["digest"]
    assert _figures(real) == _figures(virtual)


# Kills its own process in its second merge, as the system does when memory runs out.
FRAGILE = """
import os
import signal
from dataclasses import dataclass

from p2pfl.defenses.base import PeerDefense
from p2pfl.types import Merge


@dataclass(frozen=True, slots=True, kw_only=True)
class Fragile(PeerDefense):
    def init(self, d):
        return None

    def merge(self, view, state):
        if view.me == 1 and view.round == 2:
            os.kill(os.getpid(), signal.SIGKILL)
        return Merge(model=view.own, influence=view.own.new_zeros(len(view.senders))), None
"""


@pytest.mark.ray
@pytest.mark.slow
@pytest.mark.usefixtures("ray_session")
def test_an_actor_that_dies_is_a_lost_peer(loaded, tmp_path):
    (tmp_path / "fragile_real.py").write_text(FRAGILE)
    record = run(
        loaded(
            rounds=4,
            defense={"use": "fragile_real:Fragile"},
            topology={"kind": "complete", "peers": 4},
            compute=FAST,
            protocol={"kind": "rounds", "timeout_s": 600},
            runtime={"executor": "ray", "clock": "real"},
        ),
        out=tmp_path / "real",
        picture=False,
    )
    assert record.status == "done"
    (lost,) = record.summary["lost"].items()
    assert lost[0] == "1"
    assert lost[1] <= 2  # the last round that it could still tell of
    assert sorted(record.summary["accuracy_by_peer"]) == ["0", "2", "3"]
    assert record.summary["timeouts"] == 0  # who waited was told
    edges = record.table("edges")
    last = {(row["peer"], row["sender"]) for row in edges if row["round"] == "4"}
    assert last == {(a, b) for a in "023" for b in "023" if a != b}
