"""Graphs that change in the course of a run, from the file to the record."""

import json

import pytest

from graphs.topologies import build_graph, graphs_by_round
from p2pfl.errors import ScenarioError
from scenarios.build import build
from scenarios.cli import main

RING = {"kind": "ring", "peers": 6}
EVERY = [
    {"kind": "periodic", "graphs_in_turn": [RING, {"kind": "complete", "peers": 6}]},
    {"kind": "one_peer_exponential", "peers": 6},
    {"kind": "random_regular_anew", "peers": 6, "degree": 2},
    {"kind": "edge_markov", "of": RING, "p_off": 0.3, "p_on": 0.4},
    {"kind": "random_walk", "peers": 6, "radius": 0.5, "step": 0.2},
    {"kind": "schedule", "of": RING, "changes": [{"at_round": 2, "add": [[0, 3]]}]},
]
each_topology = pytest.mark.parametrize("topology", EVERY, ids=lambda t: t["kind"])
NEAR = {"latency": {"kind": "constant", "ms": 10}}


def total(record):
    return record.summary["messages"]


@each_topology
def test_by_rounds_each_tells_its_neighbours_of_the_round(run_small, loaded, topology):
    experiment = build(loaded(topology=topology, rounds=4))
    directed = experiment.graph.is_directed()
    messages = sum(g.size() * (1 if directed else 2) for g in experiment.by_round)
    record = run_small(topology=topology, rounds=4, network=NEAR)
    assert record.status == "done"
    assert total(record)["sent"] == total(record)["accepted"] == messages
    assert record.summary["timeouts"] == 0
    heard = {(int(e["round"]), int(e["sender"]), int(e["peer"])) for e in record.table("edges")}
    want = {
        (r, i, j)
        for r, graph in enumerate(experiment.by_round, start=1)
        for i, j in graph.to_directed().edges
    }
    assert heard == want


@pytest.mark.parametrize("topology", EVERY[:-1], ids=lambda t: t["kind"])
@pytest.mark.parametrize("attacked", [False, True])
def test_by_time_links_open_and_close(run_small, topology, attacked):
    hostile = {"adversaries": {"count": 1}, "attack": {"kind": "alie"}} if attacked else {}
    record = run_small(
        topology={**topology, "every_s": 0.7},
        rounds=4,
        network={"latency": {"kind": "constant", "ms": 300}},
        protocol={"kind": "rounds", "timeout_s": 1},
        **hostile,
    )
    assert record.status == "done"
    lines = (record.folder / "events.jsonl").read_text().splitlines()
    changes = [e for e in map(json.loads, lines) if e["event"] == "vary"]
    assert [e["time_s"] for e in changes] == [pytest.approx(0.7 * k) for k in range(len(changes))]
    assert len(changes) > 2
    n = total(record)
    assert n["sent"] == n["delivered"] + n["dropped"] + n["in_flight"]
    assert n["sent"] > 0


def test_weights_are_those_of_the_rounds_graph(loaded):
    experiment = build(loaded(topology=EVERY[0], rounds=2))
    peer = experiment.peers[0]
    assert peer.mixings[0] == {1: pytest.approx(1 / 3), 5: pytest.approx(1 / 3)}
    assert peer.mixings[1] == {j: pytest.approx(1 / 6) for j in range(1, 6)}
    assert peer.targets == (1, 2, 3, 4, 5)


def test_a_graph_that_never_changes_gives_the_run_of_the_fixed_one(run_small):
    fixed = run_small(topology=RING, network=NEAR)
    same = {"kind": "periodic", "graphs_in_turn": [RING]}
    varying = run_small(topology=same, network=NEAR)
    assert varying.summary["digest"] == fixed.summary["digest"]


def test_every_defense_of_a_rule_and_attack_go_with_it(run_small):
    record = run_small(
        topology=EVERY[2],
        rounds=3,
        adversaries={"count": 2},
        attack={"kind": "alie"},
        defense={"kind": "rule", "rule": {"kind": "trimmed_mean", "f": 1}},
        availability={"dropout": 0.2},
    )
    assert record.status == "done"


def test_the_graph_of_a_round_follows_the_scenario(loaded):
    experiment = build(loaded(topology=EVERY[3], rounds=5))
    topology, seed = experiment.scenario.topology, experiment.scenario.seed
    folder = experiment.loaded.folder
    union = build_graph(topology, seed, folder)
    want = graphs_by_round(topology, union, seed, folder, 5)
    assert [list(g.edges) for g in experiment.by_round] == [list(g.edges) for g in want]


def test_check_says_how_rounds_differ(loaded, capsys, tmp_path):
    loaded(topology=EVERY[0], rounds=4, adversaries={"count": 3}, attack={"kind": "alie"})
    assert main(["check", str(tmp_path / "small.yaml"), "--json"]) == 0
    by_round = json.loads(capsys.readouterr().out)["by_round"]
    assert len(by_round["edges"]) == 4
    assert by_round["edges"] == [6, 15, 6, 15]
    assert len(by_round["dominated_share"]) == len(by_round["benign_connected"]) == 4
    assert main(["check", str(tmp_path / "small.yaml")]) == 0
    assert "over the rounds: 6 to 15 edges, " in capsys.readouterr().out


@pytest.mark.parametrize(
    ("topology", "said"),
    [
        ({"kind": "periodic", "graphs_in_turn": [{"kind": "rings"}]}, "did you mean 'ring'"),
        ({"kind": "periodic", "graphs_in_turn": [EVERY[1]]}, "came .one_peer_exponential"),
        ({**EVERY[3], "p_on": 7}, "topology.p_on: p_on is a probability"),
        ({**EVERY[5], "changes": [{"at_round": 1}]}, "topology.changes.0.at_round: .* got 1"),
    ],
)
def test_what_cannot_be_is_refused_with_its_place(loaded, topology, said):
    with pytest.raises(ScenarioError, match=said):
        loaded(topology=topology)


def test_warnings_are_of_the_round_with_the_fewest_neighbours(loaded):
    """In a ring of six everybody has two, in the complete graph five."""
    rule = {"kind": "rule", "rule": {"kind": "trimmed_mean", "f": 2}}
    [warning] = build(loaded(topology=EVERY[0], rounds=2, defense=rule)).warnings
    assert "cannot be computed at 6 benign peers (0, 1, 2, 3, 4, 5): " in warning
    assert build(loaded(topology=EVERY[0]["graphs_in_turn"][1], defense=rule)).warnings == ()


def test_with_a_server_nothing_varies_and_that_is_said(loaded):
    experiment = build(loaded(topology=EVERY[0], server={}))
    assert experiment.by_round == ()
    assert "topology periodic does not vary: peers hear the server alone" in experiment.warnings
