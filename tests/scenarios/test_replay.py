"""The counterfactual: one thing changed, and every other draw the same."""

import csv
import json
from collections import defaultdict

import networkx as nx
import pytest
from ruamel.yaml import YAML

from p2pfl.errors import ScenarioError
from scenarios.cli import main
from scenarios.loader import load
from scenarios.replay import Changes, altered, replay
from scenarios.report.folder import read_folder
from scenarios.report.page import page
from scenarios.runner import run

PEERS = 14
RING = {
    "name": "ring",
    "rounds": 4,
    "model": {"kind": "logistic"},
    "training": {"lr": 0.5, "batch_size": 32},
    "runtime": {"executor": "inline"},
    "data": {"dataset": "digits", "train_samples": 300, "test_samples": 80},
    "topology": {"kind": "ring", "peers": PEERS},
    "adversaries": {"placement": {"kind": "random"}, "count": 1},
    "attack": {"kind": "gaussian", "std": 1.0},
    "defense": {"kind": "rule", "rule": {"kind": "median"}},
    "network": {"latency": {"kind": "lognormal", "median_ms": 40, "sigma": 1}, "drop": 0.1},
    "protocol": {"kind": "rounds", "timeout_s": 1.0},
    "compute": {"samples_per_s": 2000, "spread": 0.5},
    "record": {"messages": True},
    "allow_disconnected": True,
}


@pytest.fixture(scope="module")
def before(tmp_path_factory):
    """A run on a ring."""
    folder = tmp_path_factory.mktemp("ring")
    YAML().dump(RING, folder / "ring.yaml")
    return run(load(folder / "ring.yaml"), folder / "run", picture=False)


@pytest.fixture
def again(tmp_path_factory):
    """``again(record, cuts=((0, 1),))``: its replay."""

    def new():
        return tmp_path_factory.mktemp("again") / "run"

    def again(record, **changes):
        return replay(record.folder, Changes(**changes), new(), picture=False)

    return again


def delays(record):
    """By link and round: nanoseconds that its message was under way, None of a lost one."""
    sent, found = {}, defaultdict(dict)
    for line in (record.folder / "messages.jsonl").read_text().splitlines():
        step = json.loads(line)
        link, round_ = (step["source"], step["destination"]), step["round"]
        if step["event"] == "sent":
            sent[link, round_] = step["time_s"]
        elif step["event"] == "arrived":
            found[link][round_] = round(1e9 * (step["time_s"] - sent[link, round_]))
        elif step["event"] == "dropped":
            found[link][round_] = None
    return found


def by_round(record):
    """Everything that was measured of each peer in each round, to the byte."""
    found = defaultdict(list)
    with (record.folder / "metrics.csv").open() as file:
        for row in csv.DictReader(file):
            if row["metric"] != "bytes_sent":  # of all peers until then
                found[int(row["peer"]), int(row["round"])].append(tuple(row.values()))
    return found


def beyond(peer, places, hops):
    """Whether a peer of the ring is more than so many hops from all of some places."""
    return all(min((peer - k) % PEERS, (k - peer) % PEERS) > hops for k in places)


def test_a_cut_edge_moves_no_draw_of_another_link(before, again):
    after = again(before, cuts=((0, 1),)).record
    one, other = delays(before), delays(after)
    assert set(one) - set(other) == {(0, 1), (1, 0)}
    for link in other:
        # What is under way to a peer that has done its rounds may not arrive any more.
        both = one[link].keys() & other[link].keys()
        assert len(both) >= 3
        for round_ in both:
            assert one[link][round_] == pytest.approx(other[link][round_], abs=1)  # of nanoseconds


@pytest.mark.parametrize("what", ["cut", "move", "event"])
def test_whom_the_change_has_not_reached_does_the_same_to_the_bit(before, again, what):
    (hostile,) = before.summary["adversaries"]
    target = (hostile + 1) % PEERS
    changes, places = {
        "cut": ({"cuts": ((0, 1),)}, (0, 1)),
        "move": ({"moves": ((hostile, target),)}, (hostile, target)),
        "event": ({"events": ({"kind": "crash", "peers": [5], "at_s": 0.0},)}, (5,)),
    }[what]  # fmt: skip
    after = again(before, **changes).record
    one, other = by_round(before), by_round(after)
    # What happened at a place in round r is heard next door in round r, and so a hop a round.
    same = [
        (peer, round_)
        for peer in range(PEERS)
        for round_ in range(1, 5)
        if beyond(peer, places, round_)
    ]
    assert len(same) >= 20
    assert all(one[key] and one[key] == other[key] for key in same)
    assert any(one[key] != other.get(key) for key in one)


def test_a_move_moves_the_attack_and_nothing_else(before, again):
    (hostile,) = before.summary["adversaries"]
    target = (hostile + 3) % PEERS
    made = again(before, moves=((hostile, target),))
    assert made.record.summary["adversaries"] == [target]
    assert made.drawn_anew == ()
    graphs = [nx.read_graphml(r.folder / "topology.graphml") for r in (before, made.record)]
    assert set(map(frozenset, graphs[0].edges)) == set(map(frozenset, graphs[1].edges))
    samples = [nx.get_node_attributes(graph, "samples") for graph in graphs]
    assert samples[0] == samples[1]
    assert delays(before) == delays(made.record)


def test_nothing_changed_but_a_key_that_moves_nothing_is_the_same_run(before, again):
    after = again(before, sets=("name=other",)).record
    assert after.summary["digest"] == before.summary["digest"]
    assert (after.folder / "metrics.csv").read_bytes() == (
        before.folder / "metrics.csv"
    ).read_bytes()


def test_edges_keep_what_they_set_for_themselves(loaded, tmp_path):
    (tmp_path / "edges.txt").write_text("0 1 {'latency_ms': 80}\n1 2\n2 3\n3 0 {'drop': 0.5}\n")
    before = run(
        loaded(topology={"kind": "edge_list", "path": "edges.txt"}), tmp_path / "run", picture=False
    )
    changes = Changes(cuts=((1, 2),), adds=((0, 2),))
    with altered(before.folder, changes) as made:
        assert made.scenario.topology.kind == "graphml"
        graph = nx.read_graphml(made.folder / "graph.graphml", node_type=int)
    assert {frozenset(e[:2]): e[2] for e in graph.edges(data=True)} == {
        frozenset((0, 1)): {"latency_ms": 80.0}, frozenset((2, 3)): {},
        frozenset((0, 3)): {"drop": 0.5}, frozenset((0, 2)): {},
    }  # fmt: skip


def test_a_placement_that_looks_at_the_graph_stays_where_it_was(run_small, again):
    before = run_small(
        topology={"kind": "ring", "peers": 8, "neighbours": 4},
        adversaries={"placement": {"kind": "dominate", "share": 0.4, "of": 0.2}},
    )
    edge = next(iter(nx.read_graphml(before.folder / "topology.graphml", node_type=int).edges))
    after = again(before, cuts=(edge,)).record
    assert after.summary["adversaries"] == before.summary["adversaries"]


def test_groups_keep_their_members_and_one_is_moved(run_small, again):
    before = run_small(
        topology={"kind": "complete", "peers": 8},
        adversaries={"count": 3},
        attack=[
            {"count": 1, "attack": {"kind": "sign_flip"}},
            {"attack": {"kind": "gaussian"}},
        ],
    )
    groups = [group["adversaries"] for group in before.summary["attack_groups"]]
    free = next(peer for peer in range(8) if peer not in before.summary["adversaries"])
    moved = groups[1][0]
    after = again(before, moves=((moved, free),)).record
    assert [group["adversaries"] for group in after.summary["attack_groups"]] == [
        groups[0], sorted([free, *groups[1][1:]]),
    ]  # fmt: skip


def test_what_is_drawn_anew_is_said(run_small, again):
    before = run_small(
        data={"adversary_data": "all_classes", "train_samples": 200},
        adversaries={"placement": {"kind": "nodes", "nodes": [1]}},
    )
    made = again(before, moves=((1, 2),))
    assert made.drawn_anew == ("training samples are others at peers 1, 2",)
    seeded = again(before, sets=("seed=2",))
    assert seeded.drawn_anew == ("the seed is another: every draw is",)


def test_the_new_folder_names_its_origin_and_runs_again(before, tmp_path, again):
    after = again(before, cuts=((0, 1),)).record
    origin = json.loads((after.folder / "origin.json").read_text())
    assert (after.folder / origin["origin"]).resolve() == before.folder.resolve()
    assert origin["cuts"] == [[0, 1]]
    assert f"a replay of {before.folder.name}" in page(read_folder(after.folder))
    assert "replay" not in page(read_folder(before.folder)).partition("<main>")[0]
    third = run(load(after.folder / "scenario.yaml"), tmp_path / "third", picture=False)
    assert third.summary["digest"] == after.summary["digest"]


def test_the_command_ends_with_the_comparison(before, tmp_path, capsys):
    out = tmp_path / "cut"
    command = ["replay", str(before.folder), "--cut", "0-1", "--add", "0-5", "--out", str(out)]
    assert main(command) == 0
    said = capsys.readouterr().out
    assert "edges of one only" in said
    assert "0-1" in said
    assert "the runs part at" in said
    assert (out / "compare.html").exists()


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ((), "nothing was changed"),
        (("--move", "3-7"), "--move 3-7: allowed: two peers, such as --move 3:7"),
        (("--move", "99:1"), "peer 99 is no adversary; hostile is"),
        (("--move", "HOSTILE:99"), "99 is no benign peer"),
        (("--cut", "0-5"), "--cut 0-5: there is no such edge"),
        (("--add", "0-1"), "the edge is there already"),
        (("--add", "0-99"), "allowed: two of the peers 0 to 13"),
        (("--event", "crash"), "allowed: an event, such as"),
        (("--event", "{kind: crash, peers: [99], at_s: 0}"), "99"),
        (("--set", "ronds=3"), "did you mean 'rounds'?"),
    ],
)
def test_what_does_not_fit_exits_with_2(before, tmp_path, capsys, options, said):
    (hostile,) = before.summary["adversaries"]
    options = [text.replace("HOSTILE", str(hostile)) for text in options]
    out = tmp_path / "out"
    assert main(["replay", str(before.folder), *options, "--out", str(out)]) == 2
    assert said in capsys.readouterr().err
    assert not out.exists()


@pytest.mark.parametrize(
    ("sections", "said"),
    [
        ({"topology": {"kind": "clients", "peers": 5}, "server": {}}, "a server's links"),
        ({"topology": {"kind": "one_peer_exponential", "peers": 5}}, "one_peer_exponential varies"),
    ],
)
def test_edges_of_no_fixed_graph_are_cut_by_events_only(run_small, sections, said):
    before = run_small(rounds=1, **sections)
    with pytest.raises(ScenarioError, match=said), altered(before.folder, Changes(cuts=((0, 1),))):
        pass
