"""Gossip and pairwise from a file to its record: staleness, ends, methods, and what is refused."""

import re
from collections import Counter, defaultdict

import pytest

from p2pfl.errors import ScenarioError
from scenarios.build import build
from scenarios.runner import run

UNEVEN = {"compute": {"samples_per_s": 1000, "spread": 0.6}}
SLOW = {"network": {"latency": {"kind": "lognormal", "median_ms": 100, "sigma": 1}, "drop": 0.1}}
PROTOCOLS = ("gossip", "pairwise")


def edges(record):
    return [(int(r["peer"]), int(r["staleness"]), r) for r in record.table("edges")]


def check_books(record):
    for row in record.table("messages"):
        counts = {name: int(value) for name, value in row.items()}
        assert counts["sent"] + counts["duplicated"] == (
            counts["delivered"] + counts["dropped"] + counts["in_flight"]
        )
        assert counts["delivered"] == (
            counts["accepted"] + counts["late"] + counts["rejected"] + counts["waiting"]
        )
        assert counts["waiting"] == counts["in_flight"] == 0


# ---------------------------------------------------------------- staleness


@pytest.mark.parametrize("kind", PROTOCOLS)
def test_staleness_is_own_round_less_the_messages_and_fast_peers_hear_old_ones(run_small, kind):
    record = run_small(**UNEVEN, **SLOW, rounds=12, protocol={"kind": kind})
    check_books(record)
    assert record.summary["accuracy"]["benign"]["worst"] > 0.8
    ends = {
        peer: max(float(r["time_s"]) for r in record.table("metrics") if r["peer"] == str(peer))
        for peer in range(5)
    }
    fast, *_, slow = sorted(ends, key=ends.get)
    ages = defaultdict(list)
    for peer, stale, row in edges(record):
        ages[peer].append(stale)
        assert int(row["round"]) - stale >= 1
    assert max(ages[fast]) > 0 > min(ages[slow])
    assert sum(ages[fast]) / len(ages[fast]) > sum(ages[slow]) / len(ages[slow])


def test_no_merged_message_is_staler_than_is_allowed(run_small):
    free = run_small(**UNEVEN, **SLOW, rounds=12, protocol={"kind": "gossip"})
    assert max(stale for _, stale, _ in edges(free)) > 1
    bound = {"kind": "gossip", "max_staleness": 1}
    held = run_small(**UNEVEN, **SLOW, rounds=12, protocol=bound)
    assert max(stale for _, stale, _ in edges(held)) == 1
    assert held.summary["messages"]["late"] > free.summary["messages"]["late"]
    check_books(held)


def test_late_messages_under_rounds_are_stale_too(run_small):
    protocol = {"kind": "rounds", "timeout_s": 0.05, "late": "use"}
    record = run_small(**UNEVEN, **SLOW, rounds=8, protocol=protocol)
    found = Counter(stale for _, stale, _ in edges(record))
    assert min(found) == 0
    assert max(found) >= 1


SEES = """
from dataclasses import dataclass
from p2pfl.defenses.base import PeerDefense
from p2pfl.types import Merge


@dataclass(frozen=True)
class Sees(PeerDefense):
    '''Heeds nobody, and says what it sees.'''

    def init(self, d):
        return None

    def merge(self, view, state):
        details = {"stale": view.staleness, "merge": [view.merge] * len(view.senders)}
        return Merge(
            model=view.own, influence=view.own.new_zeros(len(view.senders)), details=details
        ), None
"""


@pytest.mark.parametrize("kind", PROTOCOLS)
def test_a_defense_sees_the_staleness_and_which_merge_it_is(run_small, tmp_path, kind):
    (tmp_path / "sees_staleness.py").write_text(SEES)
    record = run_small(
        **UNEVEN, rounds=4, protocol={"kind": kind}, defense={"use": "sees_staleness:Sees"}
    )
    rows = [r.split(",") for r in (record.folder / "decisions.csv").read_text().splitlines()[1:]]
    seen = [int(float(value)) for *_, quantity, value in rows if quantity == "stale"]
    assert seen == [stale for _, stale, _ in edges(record)]
    merges = defaultdict(set)
    for _, _, peer, _, quantity, value in rows:
        if quantity == "merge":
            merges[peer].add(float(value))
    most = max(len(numbers) for numbers in merges.values())
    assert most <= 4 if kind == "gossip" else most > 4


# ---------------------------------------------------------------- ends


@pytest.mark.parametrize("kind", ["rounds", *PROTOCOLS])
def test_a_run_ends_with_its_time_or_its_rounds_whichever_is_first(run_small, kind):
    protocol = {"kind": kind}
    timed = run_small(rounds=None, duration_s=2.0, protocol=protocol, evaluate={"every_s": 0.5})
    summary = timed.summary
    assert summary["virtual_s"] == 2.0
    assert summary["budget"] == {"bytes": None, "virtual_s": 2.0, "spent": "virtual_s"}
    assert summary["rounds"] is None
    done = summary["rounds_done"]
    assert done["least"] >= 2
    times = [float(r["time_s"]) for r in timed.table("metrics") if r["metric"] == "accuracy"]
    assert sorted(Counter(t // 0.5 for t in times).items()) == [
        (1.0, 5), (2.0, 5), (3.0, 5), (4.0, 5),
    ]  # fmt: skip
    few = run_small(rounds=2, duration_s=2.0, protocol=protocol)
    assert few.summary["rounds_done"] == {"least": 2, "most": 2}
    assert few.summary["virtual_s"] < 2.0
    assert few.summary["budget"]["spent"] is None


@pytest.mark.parametrize(
    ("sections", "message"),
    [
        ({"rounds": None}, "rounds, duration_s or both must be given"),
        ({"duration_s": 0.0}, r"duration_s must be finite and > 0, got 0\.0"),
        (
            {"duration_s": 1.0, "budget": {"virtual_s": 2.0}},
            "duration_s and budget.virtual_s say the same",
        ),
        ({"evaluate": {"every": 1, "every_s": 1.0}}, "give every or every_s, not both"),
        ({"evaluate": {"every_s": 0.0}}, r"every_s must be in \[1e-9, 1e9\] seconds"),
        ({"evaluate": {"every_s": 1.0, "consensus": True}}, "consensus is measured over all"),
        (
            {"protocol": {"kind": "pairwise"}, "record": {"dummies": [1]}},
            "record has dummies, .* under pairwise which merge",
        ),
    ],
)
def test_what_cannot_be_is_refused_where_it_stands(loaded, sections, message):
    with pytest.raises(ScenarioError, match=message):
        loaded(**sections)


VARIES = {"kind": "one_peer_exponential", "peers": 5}


@pytest.mark.parametrize(
    ("sections", "message"),
    [
        (
            {"protocol": {"kind": "gossip"}, "server": {"strategy": {"kind": "fed_avg"}}},
            "protocol gossip has no server",
        ),
        (
            {"protocol": {"kind": "gossip"}, "topology": VARIES},
            "one_peer_exponential varies by rounds, .* give it every_s",
        ),
        (
            {"rounds": None, "duration_s": 1.0, "topology": VARIES},
            "varies by rounds is known beforehand for each round: give rounds as well",
        ),
        (
            {"rounds": None, "duration_s": 1.0, "availability": {"dropout": 0.1}},
            "availability.dropout is known beforehand",
        ),
        (
            {"protocol": {"kind": "pairwise"}, "topology": {"kind": "exponential", "peers": 5}},
            "must not be directed",
        ),
        (
            {"protocol": {"kind": "pairwise"}, "defense": {"kind": "gpd", "wire": "cumulative"}},
            "defense.wire must be model under pairwise, got cumulative",
        ),
        (
            {
                "protocol": {"kind": "gossip", "fanout": 1},
                "defense": {"kind": "gpd", "wire": "gradient"},
            },
            "with a fanout not every neighbour had that",
        ),
        (
            {"rounds": None, "duration_s": 1.0, "compute": {"samples_per_s": 1e12}},
            "takes less than 1000 ns at some peer",
        ),
        (
            {
                "protocol": {"kind": "pairwise"},
                "defense": {"kind": "rule", "rule": {"kind": "trimmed_mean", "f": 1}},
            },
            "defense.rule: can be computed in no neighbourhood",
        ),
    ],
)
def test_what_does_not_go_together_is_refused_before_the_run(loaded, sections, message):
    with pytest.raises(ScenarioError, match=message):
        build(loaded(**sections))


@pytest.mark.parametrize(
    ("protocol", "defense", "warning"),
    [
        ({"kind": "gossip"}, {"kind": "gpd"}, None),
        ({"kind": "gossip", "fanout": 2}, {"kind": "gpd"}, "one of 2: .* first_window: 20,"),
        ({"kind": "pairwise"}, {"kind": "gpd"}, "one of 4: .* window: 160"),
        ({"kind": "pairwise"}, {"kind": "gpd", "first_window": 40}, None),
        ({"kind": "pairwise"}, {"kind": "dfl_dual"}, "under pairwise there is one"),
    ],
)
def test_methods_that_seldom_hear_a_neighbour_come_with_a_warning(
    loaded, protocol, defense, warning
):
    found = build(loaded(protocol=protocol, defense=defense)).warnings
    assert len(found) == (warning is not None)
    assert all(re.search(warning or "", text) for text in found)


# ---------------------------------------------------------------- methods under attack

GPD = {
    "seed": 5,
    "model": {"kind": "mlp", "hidden": [32]},
    "training": {"lr": 0.1, "batch_size": 32, "local_steps": 1},
    "topology": {"kind": "random_regular", "peers": 10, "degree": 6},
    "adversaries": {"count": 3},
    "attack": {"kind": "sign_flip", "scale": 4.0},
    "evaluate": {"every": 0},
}
DUAL = {
    "data": {"dataset": "digits", "partition": {"kind": "label_groups", "p": 0.5}},
    "training": {"lr": 0.5, "batch_size": 32, "local_epochs": 5},
    "topology": {"kind": "two_rings", "benign": 4, "byzantine": 6},
    "adversaries": {"placement": {"kind": "nodes", "nodes": [4, 5, 6, 7, 8, 9]}},
    "attack": {"kind": "label_flip"},
    "evaluate": {"every": 8},
    "defense": {"kind": "dfl_dual", "samples_per_class": 3, "steps": 10},
    "rounds": 8,
}


def verdicts(record):
    """The last on each edge of a benign peer: how many of the hostile and of the benign."""
    last = {(r["peer"], r["sender"]): r for r in record.table("edges")}
    return {
        role: (sum(r["flagged"] == "1" for r in rows), len(rows))
        for role in ("adversary", "benign")
        if (rows := [r for r in last.values() if r["sender_role"] == role])
    }


@pytest.mark.parametrize(
    ("protocol", "windows", "rounds"),
    [
        ({"kind": "gossip"}, {}, 20),
        ({"kind": "pairwise"}, {"first_window": 60, "pause": 60, "window": 240}, 50),
    ],
    ids=PROTOCOLS,
)
def test_gpd_flags_who_flips_signs_and_nobody_else(run_small, protocol, windows, rounds):
    record = run_small(**GPD, rounds=rounds, protocol=protocol, defense={"kind": "gpd", **windows})
    assert verdicts(record) == {"adversary": (12, 12), "benign": (0, 30)}


def test_dfl_dual_keeps_the_hostile_out_under_gossip_and_pays_with_some_benign(run_small):
    record = run_small(**DUAL, protocol={"kind": "gossip"})
    assert record.summary["adversary_influence"] == 0.0
    assert record.summary["flags_tpr"] == 1.0
    assert 0 < record.summary["flags_fpr"] < 0.5
    assert record.summary["accuracy"]["benign"]["mean"] > 0.87  # alone 0.838


def test_dfl_dual_cannot_judge_a_single_model(run_small):
    record = run_small(**DUAL, protocol={"kind": "pairwise", "timeout_s": 3600})
    assert verdicts(record) == {"adversary": (0, 12), "benign": (0, 8)}
    assert record.summary["adversary_influence"] > 0.1


# ---------------------------------------------------------------- who computes


@pytest.mark.ray
@pytest.mark.parametrize("kind", ["gossip", pytest.param("pairwise", marks=pytest.mark.whole)])
def test_it_is_the_same_on_ray(kind, lively, outcome, run_on):
    here = run_on(lively(kind, runtime={"executor": "inline", "snapshots": None}))
    actors = {"executor": "ray", "peers_per_actor": 3, "snapshots": None}
    assert outcome(run_on(lively(kind, runtime=actors))) == outcome(here)


@pytest.fixture
def run_on(tmp_path_factory):
    return lambda scenario: run(scenario, out=tmp_path_factory.mktemp("run") / "o", picture=False)
