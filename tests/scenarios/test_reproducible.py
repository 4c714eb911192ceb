"""The same scenario gives the same bytes, whoever computes it."""

import pytest

from scenarios.loader import load
from scenarios.runner import run

COMPARED = ("metrics.csv", "edges.csv", "messages.csv", "events.jsonl")


def outcome(folder, *sets):
    record = run(load("quickstart", sets), out=folder, picture=False)
    assert record.status == "done"
    return {name: (folder / name).read_bytes() for name in COMPARED} | {
        "digest": record.summary["digest"]
    }


@pytest.fixture(scope="module")
def inline(tmp_path_factory):
    return outcome(tmp_path_factory.mktemp("inline") / "run", "runtime.executor=inline")


EVENTFUL = (
    "rounds=6",
    "topology={kind: edge_markov, of: {kind: erdos_renyi, peers: 10, p: 0.5}, p_off: 0.2, "
    "p_on: 0.5}",
    "network={latency: {kind: pareto, scale_ms: 40, shape: 1.5}, bandwidth_mbps: 1, retries: 1, "
    "drop: {kind: gilbert_elliott, p_good_to_bad: 0.1, p_bad_to_good: 0.4}, duplicate: 0.1}",
    "protocol.timeout_s=1",
    "availability={dropout: 0.1, churn: {kind: session, mean_up_s: 1, mean_down_s: 0.3}}",
    "events=[{kind: crash, peers: [2, 5], at_round: 2}, {kind: rejoin, peers: [5], at_s: 1.5}, "
    "{kind: rejoin, peers: [2], at_round: 4, anew: true}, {kind: leave, peers: [7], at_round: 5}]",
)
"""All that can happen to peers and links, in one run."""


@pytest.mark.ray
@pytest.mark.usefixtures("ray_session")
def test_ray_agrees_whatever_happens_on_the_way(tmp_path):
    inline = outcome(tmp_path / "inline", "runtime.executor=inline", *EVENTFUL)
    ray = outcome(tmp_path / "ray", "runtime.executor=ray", "runtime.peers_per_actor=3", *EVENTFUL)
    assert ray == inline


def test_two_runs_agree(inline, tmp_path):
    assert outcome(tmp_path / "again", "runtime.executor=inline") == inline


def test_another_seed_does_not(inline, tmp_path):
    other = outcome(tmp_path / "other", "runtime.executor=inline", "seed=2")
    assert all(other[name] != inline[name] for name in other)


@pytest.mark.ray
@pytest.mark.usefixtures("ray_session")
def test_ray_agrees_however_the_peers_are_packed(tmp_path):
    five = "topology={kind: complete, peers: 5}"
    expected = outcome(tmp_path / "inline", "runtime.executor=inline", five)
    for each in (1, 2, 5):
        sets = ("runtime.executor=ray", f"runtime.peers_per_actor={each}", five)
        assert outcome(tmp_path / f"ray {each}", *sets) == expected
