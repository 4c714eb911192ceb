"""Hostile behaviours in whole runs: what they do, what the record says, what is counted."""

import json
from statistics import fmean

import pytest

from p2pfl.errors import ScenarioError
from scenarios.build import build
from scenarios.runner import run

NODES = {"placement": {"kind": "nodes", "nodes": [1]}}
SHORT = {
    "data": {"dataset": "digits", "train_samples": 300, "test_samples": 100},
    "network": {"latency": {"kind": "constant", "ms": 40}},
    "protocol": {"kind": "rounds", "timeout_s": 2.0},
    "attack": {"kind": "sign_flip", "scale": 4.0},
}


def hostile(*behaviours, nodes=(1,), **conduct):
    placement = {"kind": "nodes", "nodes": list(nodes)}
    return {"placement": placement, "conduct": {"behaviours": list(behaviours), **conduct}}


def events(record, kind):
    lines = map(json.loads, (record.folder / "events.jsonl").read_text().splitlines())
    return [line for line in lines if line["event"] == kind]


@pytest.fixture
def behave(run_small):
    """``behave({"kind": "late", ...})``: a run with one such adversary, whose counts add up."""

    def make(*behaviours, nodes=(1,), **sections):
        given = {"adversaries": hostile(*behaviours, nodes=nodes), **SHORT, **sections}
        record = run_small(**given)
        assert record.status == "done"
        for row in record.table("messages"):
            n = {key: int(value) for key, value in row.items()}
            assert n["sent"] + n["duplicated"] == n["delivered"] + n["dropped"] + n["in_flight"]
            assert n["delivered"] == n["accepted"] + n["late"] + n["rejected"]
        return record

    return make


def of(record, source, what):
    """A count of messages of one peer, by receiver."""
    rows = record.table("messages")
    return {int(r["destination"]): int(r[what]) for r in rows if int(r["source"]) == source}


def losses(record, round_):
    return {
        int(row["peer"]): float(row["value"])
        for row in record.table("metrics")
        if row["metric"] == "loss" and int(row["round"]) == round_
    }


# ---------------------------------------------------------------- messages


def test_selective_sending_leaves_the_others_to_wait(behave):
    record = behave({"kind": "selective", "peers": [0, 2]})
    assert of(record, 1, "sent") == {0: 3, 2: 3, 3: 0, 4: 0}
    missing = [(line["peer"], line["missing"]) for line in events(record, "timeout")]
    assert (3, [1]) in missing
    assert {line["kind"] for line in events(record, "behaviour")} == {"selective"}


def test_what_is_held_back_longer_than_the_timeout_is_late_and_shorter_is_not(behave):
    in_time = behave({"kind": "late", "after_s": 1.5})
    assert sum(of(in_time, 1, "accepted").values()) == 12
    assert in_time.summary["virtual_s"] > 3
    assert in_time.summary["digest"] == behave().summary["digest"]
    # The last message leaves when nobody waits for it any more, and is counted all the same.
    late = behave({"kind": "late", "after_s": 6.5})
    assert of(late, 1, "accepted") == dict.fromkeys((0, 2, 3, 4), 0)
    assert of(late, 1, "late") == dict.fromkeys((0, 2, 3, 4), 3)


def test_silence_is_one_receiver_less_and_a_wait_for_all(behave):
    record = behave({"kind": "silent"})
    assert sum(of(record, 1, "sent").values()) == 0
    missed = [line["missing"] for line in events(record, "timeout") if line["peer"] != 1]
    assert missed == [[1]] * 8  # in the last round it has ended, and nobody waits for it


def test_false_rounds_cost_the_receivers_their_timeout(behave):
    record = behave({"kind": "false_metadata", "rounds": 1})
    missed = [line["missing"] for line in events(record, "timeout") if line["peer"] != 1]
    assert missed == [[1]] * 4
    # Of round 1 there is none; what claims round 4 of 3 is refused.
    assert of(record, 1, "rejected") == dict.fromkeys((0, 2, 3, 4), 1)


def test_false_samples_buy_influence_where_samples_weigh(behave):
    def influence(behaviours, defense):
        record = behave(*behaviours, defense={"kind": defense})
        return record.summary["adversary_influence"]

    lie = [{"kind": "false_metadata", "samples_factor": 10.0}]
    assert influence([], "weighted_mean") == pytest.approx(0.2, abs=0.02)
    assert influence(lie, "weighted_mean") == pytest.approx(10 / 14, abs=0.02)
    assert influence(lie, "gossip_average") == influence([], "gossip_average")


def test_replay_keeps_the_receivers_back(behave):
    """The first round's model again and again, where the honest one would have moved on."""
    sections = {"attack": {"kind": "none"}, "rounds": 6}
    old = behave({"kind": "replay", "age": 1}, **sections)
    new = behave(**sections)
    assert losses(old, 1) == losses(new, 1)
    assert fmean(losses(old, 6).values()) > fmean(losses(new, 6).values())
    assert {tuple(line["of_round"]) for line in events(old, "behaviour")} == {
        (round_,) * 4 for round_ in range(1, 6)
    }


def test_who_rushes_knows_what_it_hears_and_sends_a_latency_later(behave):
    alie = {"attack": {"kind": "alie", "z": 3.0, "knowledge": "full"}}
    everything, rushing = behave(**alie), behave({"kind": "rushing"}, **alie)
    assert [line["heard"] for line in events(rushing, "behaviour")] == [[0, 2, 3, 4]] * 3
    # In a complete graph that is everything; in a ring it is two neighbours' models.
    assert rushing.summary["digest"] == everything.summary["digest"]
    seconds = everything.summary["virtual_s"]
    assert rushing.summary["virtual_s"] == pytest.approx(seconds + 3 * 0.04)
    ring = {"topology": {"kind": "ring", "peers": 6}}
    there, here = behave(**alie, **ring), behave({"kind": "rushing"}, **alie, **ring)
    assert [line["heard"] for line in events(here, "behaviour")] == [[0, 2]] * 3
    assert there.summary["digest"] != here.summary["digest"]


def test_fast_links_are_faster_in_both_directions(behave):
    record = behave({"kind": "rushing"}, {"kind": "fast_links", "latency_ms": 1.0})
    plain = behave()
    assert record.summary["virtual_s"] == pytest.approx(plain.summary["virtual_s"])
    [opening] = [line for line in events(record, "behaviour") if line["kind"] == "fast_links"]
    assert (opening["peer"], opening["latency_ms"]) == (1, 1.0)


def test_equivocation_harms_some_and_shows_the_others_an_honest_face(behave):
    record = behave({"kind": "equivocate", "peers": [0, 2], "others": "trained"}, rounds=1)
    honest = behave(rounds=1, attack={"kind": "none"})
    attacked = behave(rounds=1)
    for peer in (0, 2):
        assert losses(record, 1)[peer] == losses(attacked, 1)[peer]
    for peer in (3, 4):
        assert losses(record, 1)[peer] == losses(honest, 1)[peer]


def test_equivocation_pulls_peers_apart_that_a_broadcast_moves_together(behave):
    """What a broadcast cannot do to the median of all: drive its peers' models apart."""
    sections = {
        "defense": {"kind": "rule", "rule": {"kind": "median"}},
        "evaluate": {"every": 1, "consensus": True},
        "attack": {"kind": "ipm", "epsilon": 1.0},
        "topology": {"kind": "complete", "peers": 7},
    }

    def apart(*behaviours):
        rows = behave(*behaviours, nodes=(1, 4), **sections).table("metrics")
        return float([r for r in rows if r["metric"] == "consensus_distance"][-1]["value"])

    assert apart({"kind": "equivocate", "others": "opposite"}) > 1.5 * apart()


# ---------------------------------------------------------------- who, and when


def test_the_attack_starts_and_stops_by_events(behave):
    without = behave(rounds=1, attack={"kind": "none"})
    record = behave(
        rounds=4,
        events=[{"kind": "attack_start", "at_round": 3}, {"kind": "attack_stop", "at_round": 4}],
    )
    assert losses(record, 1) == losses(without, 1)
    said = [(e["event"], e["round"]) for e in events(record, "attack_start")]
    said += [(e["event"], e["round"]) for e in events(record, "attack_stop")]
    assert said == [("attack_start", 3), ("attack_stop", 4)]
    loss = [fmean(losses(record, round_).values()) for round_ in (2, 3, 4)]
    assert loss[1] > loss[0]


def test_the_same_by_time(behave):
    record = behave(rounds=4, events=[{"kind": "attack_start", "at_s": 0.15, "peers": [1]}])
    [start] = events(record, "attack_start")
    assert (start["peer"], start["time_s"] > 0.15) == (1, True)


def test_a_node_that_is_left_defends_itself_again(behave):
    record = behave(
        rounds=4,
        events=[{"kind": "move_adversary", "peer": 1, "to": 3, "at_round": 3}],
        defense={"kind": "rule", "rule": {"kind": "median"}},
    )
    turned = [(e["peer"], e["round"], e["role"]) for e in events(record, "turned")]
    assert sorted(turned) == [(1, 3, "benign"), (3, 3, "adversary")]
    roles = {
        (int(row["round"]), row["sender"]): row["sender_role"]
        for row in record.table("edges")
        if row["sender"] in "13"
    }
    assert roles == {
        (round_, sender): "adversary" if (round_ < 3) == (sender == "1") else "benign"
        for round_ in (1, 2, 3, 4)
        for sender in "13"
    }
    merging = {(row["peer"], int(row["round"])) for row in record.table("edges")}
    assert {(p, r) for p, r in merging if p in "13"} == {("3", 1), ("3", 2), ("1", 3), ("1", 4)}
    assert record.summary["adversaries"] == [3]
    assert record.summary["peers"]["benign"] == 4


def test_who_is_mobile_moves_every_so_many_rounds_to_a_neighbour(behave):
    ring = {"topology": {"kind": "ring", "peers": 6}}
    record = behave({"kind": "mobile", "every": 2}, rounds=6, **ring)
    moves = events(record, "turned")
    arrives = [(e["round"], e["peer"]) for e in moves if e["role"] == "adversary"]
    leaves = [(e["round"], e["peer"]) for e in moves if e["role"] == "benign"]
    assert [round_ for round_, _ in arrives] == [3, 5] == [round_ for round_, _ in leaves]
    assert [peer for _, peer in leaves] == [1, arrives[0][1]]
    for (_, before), (_, after) in zip(leaves, arrives, strict=True):
        assert (after - before) % 6 in (1, 5)
    per_round = {}
    for row in record.table("edges"):
        if row["sender_role"] == "adversary":
            per_round.setdefault(int(row["round"]), set()).add(int(row["sender"]))
    assert {round_: len(who) for round_, who in per_round.items()} == dict.fromkeys(range(1, 7), 1)


# ---------------------------------------------------------------- ids


def test_sybils_have_edges_and_samples_of_their_adversarys_choice(loaded, behave):
    sybils = {"kind": "sybils", "ids": 2, "targets": [0, 3]}
    built = build(loaded(adversaries=hostile(sybils), **SHORT))
    assert [peer.role for peer in built.peers] == [
        "benign", "adversary", "benign", "benign", "benign", "adversary", "adversary",
    ]  # fmt: skip
    assert [peer.targets for peer in built.peers[5:]] == [(0, 3), (0, 3)]
    for sybil in built.peers[5:]:
        assert sybil.samples.tolist() == built.peers[1].samples.tolist()
    alone = build(loaded(adversaries=hostile(), **SHORT))
    for peer, other in zip(alone.peers, built.peers, strict=False):
        assert peer.samples.tolist() == other.samples.tolist()
    assert built.spec.coalitions[0].members == (1, 5, 6)

    record = behave(sybils)
    assert sum(of(record, 5, "accepted").values()) == 6
    assert {(e["peer"], e["of"]) for e in events(record, "behaviour")} == {(5, 1), (6, 1)}
    influence = record.summary["adversary_influence"]
    assert influence > behave().summary["adversary_influence"]


def test_sybils_that_join_later_are_not_there_before(behave):
    record = behave({"kind": "sybils", "ids": 1, "degree": 2, "joins_in": 3}, rounds=4)
    rounds = {int(row["round"]) for row in record.table("edges") if row["sender"] == "5"}
    assert rounds == {3, 4}
    assert len({row["peer"] for row in record.table("edges") if row["sender"] == "5"}) == 2


def test_who_whitewashes_leaves_and_is_back_as_another(behave):
    record = behave({"kind": "whitewash", "every": 2, "away": 1}, rounds=7)
    rounds = {
        sender: sorted({int(r["round"]) for r in record.table("edges") if r["sender"] == sender})
        for sender in ("1", "5", "6")
    }
    assert rounds == {"1": [1, 2], "5": [4, 5], "6": [7]}
    assert [(e["peer"], e["of"]) for e in events(record, "behaviour")] == [(5, 1), (6, 1)]
    assert not events(record, "timeout")


# ---------------------------------------------------------------- what does not fit


@pytest.mark.parametrize(("sections", "message"), [
    ({"adversaries": hostile({"kind": "sybils", "ids": 1, "targets": [9]})},
     r"sybils\.targets: there are peers 0 to 4, not \[9\]"),
    ({"adversaries": hostile({"kind": "sybils", "ids": 1, "degree": 5})},
     r"sybils\.degree must be in 1 \.\. 4, the number of benign peers, got 5"),
    ({"adversaries": hostile({"kind": "sybils", "ids": 1}),
      "topology": {"kind": "one_peer_exponential", "peers": 5}},
     "behaviour sybils adds ids to a graph that stays"),
    ({"adversaries": hostile({"kind": "selective"}), "server": {}},
     "behaviour selective is for peers"),
    ({"adversaries": NODES, "events": [{"kind": "attack_start", "peers": [2], "at_s": 1.0}]},
     r"events: attack_start: \[2\] are no adversaries; these are \[1\]"),
    ({"events": [{"kind": "attack_stop", "at_s": 1.0}]}, "attack_stop: there is no adversary"),
    ({"adversaries": NODES,
      "events": [{"kind": "move_adversary", "peer": 0, "to": 2, "at_s": 1.0}]},
     r"no adversary is at 0 then; they are at \[1\]"),
    ({"adversaries": hostile(nodes=(1, 2)),
      "events": [{"kind": "move_adversary", "peer": 1, "to": 2, "at_s": 1.0}]},
     "2 is an adversary's, of this group or another"),
    ({"adversaries": hostile({"kind": "mobile", "every": 1}),
      "events": [{"kind": "move_adversary", "peer": 1, "to": 2, "at_s": 1.0}]},
     "the adversaries are mobile by themselves"),
    ({"adversaries": NODES,
      "events": [{"kind": "move_adversary", "peer": 1, "to": 2, "at_s": 1.0},
                 {"kind": "move_adversary", "peer": 2, "to": 3, "at_round": 2}]},
     "give all at_s or all at_round"),
])  # fmt: skip
def test_what_does_not_fit_is_refused(loaded, sections, message):
    with pytest.raises(ScenarioError, match=message):
        build(loaded(**{**SHORT, **sections}))


def test_a_key_of_a_behaviour_is_read_as_strictly_as_any(loaded):
    with pytest.raises(ScenarioError, match=r"behaviours\.0\.after_s: .* > 0, got -1\.0"):
        loaded(adversaries=hostile({"kind": "late", "after_s": -1.0}))
    with pytest.raises(ScenarioError, match="did you mean 'silent'"):
        loaded(adversaries=hostile({"kind": "silence"}))


def test_where_adversaries_are_absent_no_behaviour_adds_anybody(loaded):
    sybils = hostile({"kind": "sybils", "ids": 2}, {"kind": "fast_links"})
    built = build(loaded(**SHORT, adversaries=sybils | {"absent": True}))
    assert len(built.peers) == 5


# ---------------------------------------------------------------- whatever the protocol or executor


@pytest.mark.parametrize("protocol", [
    {"kind": "gossip"}, {"kind": "pairwise", "timeout_s": 1.0},
])  # fmt: skip
@pytest.mark.parametrize("behaviour", [
    {"kind": "selective", "peers": [0]}, {"kind": "late", "after_s": 0.2},
    {"kind": "replay", "age": 1}, {"kind": "false_metadata", "rounds": -9},
])  # fmt: skip
def test_at_ones_own_pace_the_same_behaviours_hold(behave, protocol, behaviour):
    record = behave(
        behaviour,
        protocol=protocol,
        compute={"samples_per_s": 500, "spread": 0.5},
        rounds=5,
    )
    told = events(record, "behaviour")
    assert {line["kind"] for line in told} == {behaviour["kind"]}
    sent = of(record, 1, "sent")
    if behaviour["kind"] == "selective":
        assert all(count == 0 for peer, count in sent.items() if peer != 0)
    else:
        assert sum(sent.values()) > 0
    honest = behave(protocol=protocol, compute={"samples_per_s": 500, "spread": 0.5}, rounds=5)
    assert honest.summary["digest"] != record.summary["digest"]


@pytest.mark.parametrize("protocol", [
    {"kind": "gossip"}, {"kind": "pairwise", "timeout_s": 1.0},
])  # fmt: skip
def test_at_ones_own_pace_an_adversary_moves_too(behave, protocol):
    record = behave(
        rounds=6,
        protocol=protocol,
        events=[{"kind": "move_adversary", "peer": 1, "to": 3, "at_round": 4}],
    )
    turned = {(e["peer"], e["round"], e["role"]) for e in events(record, "turned")}
    assert turned == {(1, 4, "benign"), (3, 4, "adversary")}
    merging = {(row["peer"], int(row["round"])) for row in record.table("edges")}
    assert not {(peer, r) for peer, r in merging if peer == "1" and r < 4}
    assert {r for peer, r in merging if peer == "1"} <= {4, 5, 6}


def test_clients_of_a_server_hold_back_move_and_have_many_ids(behave):
    server = {"topology": {"kind": "clients", "peers": 5}, "server": {}, "rounds": 4}
    late = behave({"kind": "late", "after_s": 3.0}, **server)
    assert of(late, 1, "late") == {5: 4}
    moving = behave({"kind": "mobile", "every": 2, "to": "anywhere"}, **server)
    [(came, round_)] = [
        (e["peer"], e["round"]) for e in events(moving, "turned") if e["role"] == "adversary"
    ]
    roles = {
        (int(row["round"]), int(row["sender"]))
        for row in moving.table("edges")
        if row["sender_role"] == "adversary"
    }
    assert roles == {(1, 1), (2, 1), (3, came), (4, came)}
    assert round_ == 3
    sybils = behave({"kind": "sybils", "ids": 2}, **server)
    assert sybils.summary["peers"] == {
        "server": 1, "benign": 4, "benign_dominated": 0, "benign_other": 4, "adversary": 3,
    }  # fmt: skip


@pytest.mark.ray
@pytest.mark.usefixtures("ray_session")
def test_ray_gives_the_same_bytes(lively, outcome, tmp_path):
    ray = {"executor": "ray", "peers_per_actor": 3, "snapshots": None}
    inline = {"executor": "inline", "snapshots": None}
    runs = [
        run(lively("hostile", runtime=runtime), out=tmp_path / name, picture=False)
        for name, runtime in (("ray", ray), ("inline", inline))
    ]
    assert outcome(runs[0]) == outcome(runs[1])
