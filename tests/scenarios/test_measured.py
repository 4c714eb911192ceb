"""Measuring some of the peers: the same ones each time, and nothing else moves."""

from io import StringIO

import pytest
from rich.console import Console

from p2pfl.errors import ScenarioError
from scenarios.build import build
from scenarios.console import show

PEERS = {"topology": {"kind": "complete", "peers": 5}, "adversaries": {"count": 1}}


def measured(record):
    rows = record.table("metrics")
    return {(row["peer"], row["role"]) for row in rows if row["metric"] == "accuracy"}


def test_two_of_five_in_every_round(run_small):
    sections = PEERS | {"rounds": 3, "attack": {"kind": "sign_flip"}}
    everybody = run_small(**sections)
    some = run_small(**sections, evaluate={"peers": 2, "consensus": True})
    assert len(measured(everybody)) == 5
    assert len(measured(some)) == 2
    assert {role for _, role in measured(some)} == {"benign"}
    shown = [row for row in some.table("metrics") if row["metric"] == "accuracy"]
    assert [row["round"] for row in shown] == ["1", "1", "2", "2", "3", "3"]
    there = [row for row in everybody.table("metrics") if row["metric"] == "accuracy"]
    assert all(row in there for row in shown)
    apart = [row for row in some.table("metrics") if row["metric"] == "consensus_distance"]
    assert len(apart) == 3
    assert some.summary["digest"] == everybody.summary["digest"]
    for name in ("edges.csv", "messages.csv", "events.jsonl"):
        assert (some.folder / name).read_bytes() == (everybody.folder / name).read_bytes()


def test_the_summary_is_of_those(run_small):
    summary = run_small(**PEERS, evaluate={"peers": 2}).summary
    assert summary["measured"] == 2
    assert len(summary["accuracy_by_peer"]) == 2
    assert summary["accuracy"]["adversary"] is None
    assert summary["curve"]["best_round"] >= 1
    assert summary["rounds_done"]["least"] == summary["rounds"]


def test_the_table_says_so(run_small):
    record, console = run_small(**PEERS, evaluate={"peers": 2}), Console(file=StringIO(), width=200)
    show(record, console)
    assert "of 2 of the benign peers" in console.file.getvalue()


def test_the_table_tells_the_attacks_success(run_small):
    attacked = {"adversaries": {"count": 1}, "attack": {"kind": "backdoor"}}
    record, console = run_small(**attacked), Console(file=StringIO(), width=200)
    show(record, console)
    said = f"attack success rate (ASR): {100 * record.summary['asr']:.1f} %\n"
    assert said in console.file.getvalue()


def test_more_than_there_are_is_everybody_that_is_benign(loaded):
    assert len(build(loaded(**PEERS, evaluate={"peers": 50})).measured) == 4


def test_with_a_server_there_is_no_choice(loaded):
    with pytest.raises(ScenarioError, match=r"evaluate\.peers: with a server"):
        build(loaded(server={}, evaluate={"peers": 2}))


def test_at_least_one(loaded):
    with pytest.raises(ScenarioError, match="peers must be >= 1, or null for everybody, got 0"):
        loaded(evaluate={"peers": 0})
