"""Peers that come and go and a network that breaks, from the file to the record."""

import json

import pytest

from p2pfl.errors import ScenarioError, TopologyError
from scenarios.build import build

CHURN = {"kind": "session", "mean_up_s": 2, "mean_down_s": 1}
SLOW = {
    "network": {"latency": {"kind": "constant", "ms": 20}},
    "compute": {"samples_per_s": 400},
    "protocol": {"kind": "rounds", "timeout_s": 2},
}
"""A round takes about 0.9 s."""


def timeline_of(record):
    lines = (record.folder / "events.jsonl").read_text().splitlines()
    return [json.loads(line) for line in lines]


def books(record):
    total = record.summary["messages"]
    assert total["sent"] + total["duplicated"] == (
        total["delivered"] + total["dropped"] + total["in_flight"]
    )
    assert total["delivered"] == (
        total["accepted"] + total["late"] + total["rejected"] + total["waiting"]
    )


def test_churn_dropout_and_events_all_at_once(run_small):
    record = run_small(
        **SLOW,
        rounds=6,
        availability={"dropout": 0.2, "churn": CHURN},
        adversaries={"count": 1},
        attack={"kind": "alie"},
        events=[
            {"kind": "partition", "at_round": 2, "groups": [[0, 1]]},
            {"kind": "heal", "at_s": 3},
            {"kind": "slow", "at_s": 1, "peers": [2], "factor": 2.5},
            {"kind": "leave", "at_round": 4, "peers": [3]},
        ],
    )
    assert record.status == "done"
    books(record)
    seen = {line["event"] for line in timeline_of(record)}
    assert {"down", "up", "rests", "partition", "heal", "slow", "leave"} <= seen
    [cut] = [line for line in timeline_of(record) if line["event"] == "partition"]
    assert "peer" not in cut
    assert [0, 2] in cut["edges"]


def test_who_rejoins_anew_starts_from_the_first_model(run_small):
    """With its state it is as good as before; anew it has to learn again, alone."""

    def accuracy_of_4(anew):
        record = run_small(
            **SLOW,
            rounds=8,
            defense={"kind": "local_only"},
            events=[
                {"kind": "crash", "at_round": 7, "peers": [4]},
                {"kind": "rejoin", "at_round": 8, "peers": [4], "anew": anew},
            ],
        )
        return record.summary["accuracy_by_peer"]["4"]

    assert accuracy_of_4(True) < accuracy_of_4(False)


def test_clients_of_a_server_come_and_go(run_small):
    record = run_small(
        **SLOW,
        rounds=6,
        topology={"kind": "clients", "peers": 5},
        server={"strategy": {"kind": "fed_avg"}},
        availability={"dropout": 0.3, "churn": CHURN},
        events=[
            {"kind": "crash", "at_s": 0.3, "peers": [0]},
            {"kind": "rejoin", "at_s": 2.5, "peers": [0], "anew": True},
        ],
    )
    assert record.status == "done"
    books(record)
    told = [line["participants"] for line in timeline_of(record) if "participants" in line]
    assert len(told) == 6
    assert min(map(len, told)) < 5


def test_a_trace_lies_beside_the_scenario(run_small, tmp_path):
    (tmp_path / "up.csv").write_text("4 0 1.5\n")
    churn = {"kind": "trace", "path": "up.csv"}
    record = run_small(**SLOW, availability={"churn": churn})
    assert (record.folder / "up.csv").is_file()
    assert [(e["time_s"], e["peer"]) for e in timeline_of(record) if e["event"] == "leave"] == [
        (1.5, 4)
    ]


def test_events_without_effect_move_no_number(run_small):
    """All that is drawn stays as it was, and so does every result."""
    plain = run_small(**SLOW)
    other = run_small(
        **SLOW, events=[{"kind": "slow", "at_s": 0, "peers": [1], "factor": 1.0}]
    )  # fmt: skip
    assert plain.summary["digest"] == other.summary["digest"]


@pytest.mark.parametrize(
    ("sections", "said"),
    [
        ({"events": [{"kind": "heal"}]}, "line .*, events.0.at_s: at_s or at_round: give one"),
        ({"events": [{"kind": "crush", "at_s": 1}]}, "did you mean 'crash'"),
        (
            {"events": [{"kind": "heal", "at_round": 9}]},
            "events.0 is at_round 9, .* has 3",
        ),
        ({"availability": {"dropout": 2}}, "availability.dropout: .* got 2"),
        ({"availability": {"churn": {"kind": "sessions"}}}, "did you mean 'session'"),
    ],
)
def test_what_cannot_be_is_refused_with_its_place(loaded, sections, said):
    with pytest.raises(ScenarioError, match=said):
        loaded(**sections)


def test_what_does_not_fit_the_graph_is_refused_before_anything_runs(loaded):
    with pytest.raises(TopologyError, match=r"events: crash: there are peers 0 to 4, not \[7\]"):
        build(loaded(events=[{"kind": "crash", "at_s": 1, "peers": [7]}]))
