"""What a scenario file can say of the network, from the file to the record."""

import json

import pytest

from p2pfl.errors import ScenarioError, TopologyError
from scenarios.build import build
from scenarios.loader import dump

BURSTS = {"kind": "gilbert_elliott", "p_good_to_bad": 0.2, "p_bad_to_good": 0.5}


def test_a_drop_is_a_share_or_a_mapping(loaded):
    assert loaded(network={"drop": 0.25}).scenario.network.drop == 0.25
    assert loaded(network={"drop": 0}).scenario.network.drop == 0
    scenario = loaded(network={"drop": BURSTS}).scenario
    assert scenario.network.drop.p_bad_to_good == 0.5
    assert "kind: gilbert_elliott" in dump(scenario)


@pytest.mark.parametrize(
    ("drop", "said"),
    [
        (1.5, r"network.drop: drop is a probability and must be in \[0, 1\], got 1.5"),
        ("much", 'network.drop: came "much" .text.; allowed: a valid number'),
        ({**BURSTS, "p_good_to_bad": 2}, r"network.drop.p_good_to_bad: .* must be in \[0, 1\]"),
        ({"kind": "gilbert"}, "allowed: bernoulli, gilbert_elliott; did you mean"),
    ],
)
def test_a_drop_that_cannot_be_is_refused(loaded, drop, said):
    with pytest.raises(ScenarioError, match=said):
        loaded(network={"drop": drop})


def test_a_run_over_bursts_retries_and_copies_keeps_its_books(run_small):
    network = {
        "latency": {"kind": "exponential", "mean_ms": 50},
        "drop": BURSTS,
        "retries": 2,
        "retry_after_ms": 100,
        "duplicate": 0.2,
        "fifo": True,
        "bandwidth_mbps": 10,
    }
    record = run_small(network=network, protocol={"kind": "rounds", "timeout_s": 2})
    total = record.summary["messages"]
    assert total["retried"] > 0
    assert total["duplicated"] > 0
    assert total["sent"] + total["duplicated"] == total["delivered"] + total["dropped"]
    assert total["delivered"] == total["accepted"] + total["late"] + total["rejected"]


def test_a_matrix_file_lies_beside_the_scenario_and_sites_are_recorded(loaded, run_small, tmp_path):
    (tmp_path / "rtt.csv").write_text("0 80\n90 1\n")
    latency = {"kind": "matrix", "path": "rtt.csv", "assign": "in_turn"}
    record = run_small(network={"latency": latency}, rounds=1)
    assert (record.folder / "rtt.csv").read_text() == "0 80\n90 1\n"
    graph = (record.folder / "topology.graphml").read_text()
    assert graph.count('attr.name="site"') == 1
    assert build(loaded(network={"latency": latency})).sites.of == (0, 1, 0, 1, 0)
    with pytest.raises(TopologyError, match=r"sites has 2 entries for 5 peers"):
        build(loaded(network={"latency": {"kind": "matrix", "path": "rtt.csv", "sites": [0, 1]}}))


def test_messages_say_that_they_were_lost_and_tried_again(run_small):
    record = run_small(
        rounds=2, network={"drop": 0.3, "retries": 5}, record={"messages": True}
    )  # fmt: skip
    lines = (record.folder / "messages.jsonl").read_text().splitlines()
    what = [json.loads(line)["event"] for line in lines]
    assert what.count("lost") == record.summary["messages"]["retried"] > 0


def test_every_benign_peer_dominated_on_a_connected_benign_part_runs(loaded, run_small):
    """DFL-Dual's case of 80 %: 4 benign peers in a ring, 16 others, most of whom each hears."""
    sections = {
        "topology": {"kind": "two_rings", "benign": 4, "byzantine": 16},
        "adversaries": {"placement": {"kind": "nodes", "nodes": list(range(4, 20))}},
        "attack": {"kind": "sign_flip"},
    }
    report = build(loaded(**sections)).neighbourhoods
    assert (report.dominated_share, report.connected) == (1.0, True)
    record = run_small(**sections, rounds=1)
    assert record.status == "done"
    assert record.summary["dominated"] == [0, 1, 2, 3]


def test_dominate_reports_its_share_and_refuses_what_cannot_be(loaded, run_small):
    adversaries = {"placement": {"kind": "dominate", "share": 0.5, "of": 1.0}, "fraction": 0.5}
    sections = {
        "topology": {"kind": "complete", "peers": 10},
        "adversaries": adversaries,
        "attack": {"kind": "sign_flip"},
    }
    placed = build(loaded(**sections)).placed
    assert (len(placed.adversaries), placed.notes) == (5, {"dominated_share": 1.0})
    sections["adversaries"] = {**adversaries, "fraction": 0.4}
    with pytest.raises(TopologyError, match=r"4 adversaries at most dominate 0 .* it takes 5"):
        build(loaded(**sections))
