"""Runs with a server in the middle, from the file to the folder."""

import json

import pytest

from p2pfl.errors import ScenarioError
from scenarios.build import build
from scenarios.check import check_as_json

STAR = {"topology": {"kind": "clients", "peers": 5}}


def accuracy(record, peer):
    return {
        int(row["round"]): float(row["value"])
        for row in record.table("metrics")
        if row["metric"] == "accuracy" and row["peer"] == str(peer)
    }


def test_the_server_alone_is_measured_and_merges(run_small):
    record = run_small(**STAR, server={})
    assert {row["role"] for row in record.table("metrics")} == {"server"}
    assert {(row["peer"], row["sender_role"]) for row in record.table("edges")} == {("5", "benign")}
    assert record.summary["peers"]["server"] == 1
    assert record.summary["peers"]["benign"] == 5
    assert record.summary["accuracy"]["server"]["mean"] == accuracy(record, 5)[3]
    assert record.summary["defense"] == "fed_avg at the server"


def test_averaging_at_a_server_is_averaging_on_a_complete_graph(run_small):
    weights = {"strategy": {"kind": "fed_avg", "weights": "uniform"}}
    star = run_small(**STAR, server=weights)
    complete = run_small(topology={"kind": "complete", "peers": 5})
    assert accuracy(star, 5) == pytest.approx(accuracy(complete, 0), abs=0.01)


def test_every_message_is_accounted_for(run_small):
    network = {"drop": 0.2, "latency": {"kind": "lognormal", "median_ms": 900, "sigma": 1.0}}
    record = run_small(
        **STAR,
        server={"participants": 3},
        network=network,
        protocol={"kind": "rounds", "timeout_s": 3, "late": "use"},
        rounds=6,
    )
    rows = record.table("messages")
    for row in rows:
        n = {key: int(value) for key, value in row.items()}
        assert n["sent"] == n["delivered"] + n["dropped"] + n["in_flight"]
        assert n["delivered"] == n["accepted"] + n["late"] + n["rejected"] + n["waiting"]
    down = [int(row["sent"]) for row in rows if row["source"] == "5"]
    assert sum(down) == 6 * 3
    assert sum(int(row["dropped"]) for row in rows) > 0


def test_participants_stand_in_the_timeline(run_small):
    record = run_small(**STAR, server={"participants": 2})
    lines = (record.folder / "events.jsonl").read_text().splitlines()
    starts = [e for e in map(json.loads, lines) if e["event"] == "round_start"]
    assert [len(start["participants"]) for start in starts] == [2, 2, 2]
    senders = {(row["round"], row["sender"]) for row in record.table("edges")}
    assert senders == {(str(s["round"]), str(k)) for s in starts for k in s["participants"]}


def test_adversaries_bite_and_a_rule_stops_them(run_small):
    hostile = {"adversaries": {"count": 1}, "attack": {"kind": "sign_flip", "scale": 8.0}}
    clean = run_small(**STAR, server={}, rounds=6)
    plain = run_small(**STAR, **hostile, server={}, rounds=6)
    rule = {"strategy": {"kind": "rule", "rule": {"kind": "median"}}}
    robust = run_small(**STAR, **hostile, server=rule, rounds=6)
    final = [accuracy(record, 5)[6] for record in (clean, plain, robust)]
    assert final[1] < final[2] - 0.2
    assert final[2] > final[0] - 0.2


def test_colluding_adversaries_wait_for_those_that_take_part(run_small):
    record = run_small(
        topology={"kind": "clients", "peers": 8},
        adversaries={"count": 4},
        attack={"kind": "alie"},
        server={"participants": 4},
        rounds=5,
    )
    events = (record.folder / "events.jsonl").read_text()
    assert "craft_timeout" not in events
    assert record.summary["timeouts"] == 0


def test_what_the_server_holds_out_no_client_has(loaded):
    experiment = build(loaded(**STAR, server={"held_out": 50}))
    own = set(experiment.peers[-1].samples.tolist())
    clients = [set(peer.samples.tolist()) for peer in experiment.peers[:-1]]
    assert len(own) == 50
    assert not own & set.union(*clients)
    assert len(own) + sum(map(len, clients)) == len(experiment.dataset.labels)


def test_a_graph_of_peers_gives_the_clients_and_the_places_of_adversaries(loaded):
    graph = {"topology": {"kind": "complete", "peers": 6}, "adversaries": {"count": 2}}
    among, around = build(loaded(**graph)), build(loaded(**graph, server={}))
    assert around.placed.adversaries == among.placed.adversaries
    for peer, client in zip(among.peers, around.peers[:-1], strict=True):
        assert peer.samples.tolist() == client.samples.tolist()
    assert sorted(around.graph.edges) == [(client, 6) for client in range(6)]
    assert check_as_json(around)["neighbourhoods"]["worst_peer"] == 6


@pytest.mark.parametrize(("sections", "said"), [
    ({"server": {"participants": 6}}, r"server.participants must be in 1 .. 5"),
    ({"server": {"held_out": 10**6}}, r"server.held_out must be in 1 .. "),
    ({"server": {"strategy": {"kind": "rule", "rule": {"kind": "trimmed_mean", "f": 3}}}},
     r"server.strategy.rule: can never be computed"),
    ({}, "needs the section server"),
])  # fmt: skip
def test_what_cannot_be_is_refused(loaded, sections, said):
    with pytest.raises(ScenarioError, match=said):
        build(loaded(**STAR, **sections))


def test_what_is_not_used_or_not_guaranteed_is_said(loaded):
    krum = {"strategy": {"kind": "rule", "rule": {"kind": "krum", "f": 2}}}
    experiment = build(loaded(**STAR, server=krum, defense={"kind": "local_only"}))
    assert any("defense local_only is not used" in warning for warning in experiment.warnings)
    assert any("krum has no guarantee" in warning for warning in experiment.warnings)


@pytest.mark.ray
@pytest.mark.usefixtures("ray_session")
def test_the_server_has_an_actor_of_its_own_and_the_same_results(run_small):
    sections = {
        **STAR,
        "server": {"participants": 4},
        "adversaries": {"count": 2},
        "attack": {"kind": "alie"},
    }
    here = run_small(**sections)
    there = run_small(**sections, runtime={"executor": "ray", "peers_per_actor": 3})
    assert there.summary["digest"] == here.summary["digest"]
    for name in ("metrics.csv", "edges.csv", "messages.csv", "events.jsonl"):
        assert (there.folder / name).read_bytes() == (here.folder / name).read_bytes()
    environment = json.loads((there.folder / "environment.json").read_text())
    assert environment["peers_of_each_actor"][-1] == [5]
