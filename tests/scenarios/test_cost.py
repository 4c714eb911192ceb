"""What a check says that a run will take: how it is counted, and that every kind can be asked."""

import pytest

from scenarios import calibration, cost
from scenarios.build import build
from scenarios.cost import Cost, cost_lines, estimate

PEERS = {"topology": {"kind": "complete", "peers": 5}}


@pytest.fixture
def by_count(monkeypatch):
    """A clock that goes one second with each look at it, so that every task takes one."""
    ticks = iter(range(10**6))
    monkeypatch.setattr(calibration, "process_time", lambda: float(next(ticks)))
    monkeypatch.setattr(cost, "process_time", lambda: float(next(ticks)))
    monkeypatch.setattr(cost, "LOOP_S", 1.0)


def test_the_count_by_hand(loaded, by_count):
    sections = {"rounds": 7, "evaluate": {"every": 3, "samples": 100, "peers": 2}}
    sections["data"] = {"dataset": "digits", "train_samples": 320, "test_samples": 300}
    found = estimate(build(loaded(**PEERS, **sections)))
    # Each of five peers trains 64 samples; each task takes a second.
    assert found.train_s == pytest.approx(5.0)
    assert found.merge_s == pytest.approx(5.0)
    # A second for 200 samples: two peers, on 100 in rounds 3 and 6, and on 300 in round 7.
    assert found.evaluate_s == pytest.approx(2 * (100 + 100 + 300) / 200 / 7)
    assert found.sent_bytes == 20 * build(loaded(**PEERS)).message_bytes[0]
    assert found.startup_s == cost.PROGRAM_S
    assert found.at_once == 1
    assert found.total_s == found.startup_s + 7 * found.round_s + found.end_s


def test_samples_beyond_the_calibration_count_as_well(loaded, by_count):
    sections = {"training": {"lr": 0.1, "batch_size": 10, "local_epochs": 4}}
    sections["data"] = {"dataset": "digits", "train_samples": 500}
    found = estimate(build(loaded(**PEERS, **sections)))
    # A second for 12 steps of 10; a peer has 100 samples and 4 epochs, so 400.
    assert found.train_s == pytest.approx(5 * 400 / 120)


def test_actors_cost_their_start(loaded, by_count):
    runtime = {"executor": "ray", "peers_per_actor": 2}
    found = estimate(build(loaded(**PEERS, runtime=runtime)))
    assert found.startup_s == cost.PROGRAM_S + cost.RAY_S + 3 * cost.ACTOR_S


@pytest.mark.parametrize(
    "sections",
    [
        {"defense": {"kind": "dfl_dual"}, "adversaries": {"count": 1}, "attack": {"kind": "alie"}},
        {"defense": {"kind": "gpd"}},
        {"server": {"strategy": {"kind": "fed_avg"}, "participants": 2}},
        {
            "server": {"strategy": {"kind": "desgd"}},
            "adversaries": {"count": 2},
            "attack": {"kind": "label_flip"},
        },
        {"topology": {"kind": "one_peer_exponential", "peers": 5}},
        {"adversaries": {"fraction": 0.4, "absent": True}},
    ],
    ids=["dfl_dual", "gpd", "fed_avg", "desgd", "varying", "absent"],
)
def test_every_kind_of_run_can_be_foreseen(loaded, sections):
    found = estimate(build(loaded(**PEERS | sections)))
    assert found.train_s > 0
    assert found.merge_s > 0
    assert found.evaluate_s > 0
    assert (found.attack_s > 0) == ("attack" in sections)


def test_only_those_who_take_part_count(loaded, by_count):
    all_five = estimate(build(loaded(**PEERS, server={})))
    two = estimate(build(loaded(**PEERS, server={"participants": 2})))
    assert two.train_s == pytest.approx(all_five.train_s * 2 / 5, rel=0.01)


def some(**changed):
    values = {
        "startup_s": 5.0, "train_s": 20.0, "merge_s": 2.0, "attack_s": 0.0, "evaluate_s": 3.0,
        "runtime_s": 0.5, "end_s": 2.0, "rounds": 10, "sent_bytes": 8_000_000, "at_once": 2,
        "startup_wall_s": 4.0, "idle_share": 0.0,
    }  # fmt: skip
    return Cost(**values | changed)


def test_the_lines():
    first, second = cost_lines(some())
    assert first == (
        "processor time, calibrated here: about 262 s: start-up 5 s, 10 rounds of 26 s, report "
        "2 s; about 134 s of waiting where nothing else runs"
    )
    assert second == (
        "a round: training 20 s, merging 2 s, evaluation 3 s, messages and tasks 0.5 s; 8.0 MB sent"
    )


def test_who_waits_takes_a_little_all_the_time():
    quiet, busy = some(), some(idle_share=0.1)
    assert quiet.wall_s == 4.0 + 10 * 25.5 / 2 + 2.0
    assert busy.total_s == quiet.total_s + 0.1 * quiet.wall_s


def test_advice():
    assert "evaluate.peers" in cost_lines(some(evaluate_s=100.0))[-1]
    assert "peers_per_actor" in cost_lines(some(startup_s=500.0))[-1]
