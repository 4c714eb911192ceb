"""A run that ends with its budget: what its folder says, whoever computes it."""

import json

import pytest

from p2pfl.errors import ScenarioError

STAR = {"topology": {"kind": "clients", "peers": 5}, "server": {}}
MESSAGE = 4 * (64 * 10 + 10) + 64
"""A logistic model on digits, and the header."""
COMPARED = ("metrics.csv", "edges.csv", "messages.csv", "events.jsonl")


def accuracies(record, peer):
    """(time, round, accuracy) of each evaluation."""
    return [
        (float(row["time_s"]), int(row["round"]), float(row["value"]))
        for row in record.table("metrics")
        if row["metric"] == "accuracy" and row["peer"] == str(peer)
    ]


def events(record, name):
    lines = (record.folder / "events.jsonl").read_text().splitlines()
    return [event for event in map(json.loads, lines) if event["event"] == name]


def test_a_server_that_can_pay_two_rounds_and_a_half(run_small):
    most = 2.5 * 10 * MESSAGE
    record = run_small(**STAR, rounds=50, budget={"bytes": most})
    summary = record.summary
    assert record.status == "done"
    assert summary["budget"] == {"bytes": most, "virtual_s": None, "spent": "bytes"}
    assert summary["rounds_done"] == {"least": 2, "most": 2}
    # Ten messages a round; in the third all five instructions, and no answer fits any more.
    assert summary["messages"]["bytes"] == 25 * MESSAGE
    assert summary["messages"]["bytes"] <= most
    [said] = events(record, "budget_spent")
    assert (said["peer"], said["round"], said["time_s"]) == (5, 2, summary["virtual_s"])
    # The server ends with the model of a run of two rounds.
    whole = run_small(**STAR, rounds=2)
    assert summary["accuracy"]["server"] == whole.summary["accuracy"]["server"]
    assert [row[1:] for row in accuracies(record, 5)[:2]] == [
        row[1:] for row in accuracies(whole, 5)
    ]


def test_peers_keep_the_model_of_the_last_round_that_they_finished(run_small):
    peers = {"compute": {"samples_per_s": 1000, "spread": 0.5}}
    whole = run_small(**peers, rounds=6)
    record = run_small(**peers, rounds=50, budget={"virtual_s": whole.summary["virtual_s"] / 2})
    assert record.summary["budget"]["spent"] == "virtual_s"
    assert record.summary["virtual_s"] == whole.summary["virtual_s"] / 2
    said = {event["peer"]: event["round"] for event in events(record, "budget_spent")}
    assert sorted(said) == [0, 1, 2, 3, 4]
    least, most = record.summary["rounds_done"].values()
    assert (least, most) == (min(said.values()), max(said.values()))
    assert 1 <= least <= most < 6
    for peer, done in said.items():
        then = {round_: value for _, round_, value in accuracies(whole, peer)}
        last = accuracies(record, peer)[-1]
        assert last == (record.summary["virtual_s"], done, then[done])


def test_the_last_evaluation_is_on_all_samples(run_small):
    few = {"evaluate": {"every": 10, "samples": 20}}
    record = run_small(**STAR, **few, rounds=50, budget={"bytes": 45.0 * MESSAGE})
    whole = run_small(**STAR, rounds=4)
    [(at_s, done, accuracy)] = accuracies(record, 5)
    assert (at_s, done) == (record.summary["virtual_s"], 4)
    assert accuracy == whole.summary["accuracy"]["server"]["mean"]


def test_shares_accepted_are_those_of_the_second_half_that_was(run_small):
    hostile = {"adversaries": {"count": 1}, "attack": {"kind": "sign_flip", "scale": 4.0}}
    median = {"kind": "rule", "rule": {"kind": "krum", "f": 1}}
    whole = run_small(**hostile, defense=median, rounds=4)
    record = run_small(**hostile, defense=median, rounds=400, budget={"bytes": 80.0 * MESSAGE})
    assert record.summary["rounds_done"]["most"] == 4
    for share in ("benign_accepted", "adversaries_rejected"):
        assert record.summary[share] == whole.summary[share]


def test_a_budget_that_is_not_spent_changes_nothing(run_small):
    plain, rich = run_small(), run_small(budget={"bytes": 1e9, "virtual_s": 1e6})
    assert rich.summary["budget"]["spent"] is None
    assert rich.summary["digest"] == plain.summary["digest"]
    for name in COMPARED:
        assert (rich.folder / name).read_bytes() == (plain.folder / name).read_bytes()


def test_how_much_was_sent_stands_at_each_evaluation(run_small):
    record = run_small(**STAR)
    rows = [row for row in record.table("metrics") if row["metric"] == "bytes_sent"]
    assert [int(row["value"]) for row in rows] == [10 * MESSAGE, 20 * MESSAGE, 30 * MESSAGE]
    assert record.summary["messages"]["bytes"] == 30 * MESSAGE


@pytest.mark.parametrize(("sections", "said"), [
    ({"budget": {}}, r"line \d+, budget: give bytes, virtual_s or both"),
    ({"budget": {"bytes": -1}}, r"line \d+, budget.bytes: bytes must be finite and > 0, got -1"),
    ({"budget": {"byte": 1}}, r"budget.byte: unknown key.*did you mean 'bytes'"),
    ({"budget": {"bytes": 1}, "record": {"dummies": [0]}}, r"record: record has dummies"),
])  # fmt: skip
def test_what_cannot_be_is_refused(loaded, sections, said):
    with pytest.raises(ScenarioError, match=said):
        loaded(**sections)


HOSTILE = {
    "adversaries": {"count": 2},
    "attack": {"kind": "alie"},
    "network": {"drop": 0.1, "latency": {"kind": "lognormal", "median_ms": 40, "sigma": 0.5}},
    "compute": {"samples_per_s": 1000, "spread": 0.5},
    "protocol": {"kind": "rounds", "timeout_s": 5},
    "rounds": 50,
}


@pytest.mark.ray
@pytest.mark.usefixtures("ray_session")
@pytest.mark.parametrize("sections", [
    {**STAR, "budget": {"bytes": 34.0 * MESSAGE}},
    pytest.param(
        {"defense": {"kind": "gpd"}, "budget": {"virtual_s": 1.2}}, marks=pytest.mark.whole
    ),
])  # fmt: skip
def test_ray_ends_as_this_process_does(run_small, sections):
    here = run_small(**HOSTILE, **sections)
    there = run_small(**HOSTILE, **sections, runtime={"executor": "ray", "peers_per_actor": 3})
    assert here.summary["budget"]["spent"] is not None
    assert there.summary["digest"] == here.summary["digest"]
    for name in COMPARED:
        assert (there.folder / name).read_bytes() == (here.folder / name).read_bytes()
