"""GPD on real data: who is flagged at the first check, through the engine and over lossy links."""

import pytest

from p2pfl.errors import ScenarioError
from scenarios.build import build

SETTING = {
    "seed": 5,
    "model": {"kind": "mlp", "hidden": [32]},
    "training": {"lr": 0.1, "batch_size": 32, "local_steps": 1},
    "topology": {"kind": "random_regular", "peers": 10, "degree": 6},
    "evaluate": {"every": 0},
}


def verdicts(record):
    """Edges of benign peers in their last round: who sends, and whether that is flagged."""
    rows = [row for row in record.table("edges") if row["sender_role"]]
    hostile = {row["sender"] for row in rows if row["sender_role"] == "adversary"}
    last = max(int(row["round"]) for row in rows)
    mine = [r for r in rows if int(r["round"]) == last and r["peer"] not in hostile]
    return [(row["sender"] in hostile, row["flagged"] == "1") for row in mine]


@pytest.mark.parametrize("network", [{}, {"drop": 0.15}], ids=["all arrives", "some is lost"])
@pytest.mark.parametrize(
    ("attack", "receives", "least"),
    [
        ({"kind": "label_flip"}, "ignore", 1.0),
        ({"kind": "label_flip"}, "mean", 0.8),  # seen by its pull alone
        ({"kind": "gaussian"}, "mean", 1.0),
    ],
    ids=["own way", "mixing well", "noise"],
)
def test_the_hostile_and_nobody_else(run_small, attack, receives, least, network):
    adversaries = {"count": 3, "conduct": {"receives": receives}}
    record = run_small(
        **SETTING, rounds=18, defense={"kind": "gpd"}, attack=attack, adversaries=adversaries,
        network=network,
    )  # fmt: skip
    found = verdicts(record)
    seen = [flagged for hostile, flagged in found if hostile]
    assert sum(seen) >= least * len(seen) > 0
    assert not any(flagged for hostile, flagged in found if not hostile)


def test_nobody_without_attack(run_small):
    record = run_small(**SETTING, rounds=62, defense={"kind": "gpd"})
    rows = [row for row in record.table("edges") if row["sender_role"]]
    assert len(rows) == 62 * 60
    assert not any(row["flagged"] == "1" for row in rows)


def test_decisions_tell_why(run_small):
    record = run_small(**SETTING, rounds=11, defense={"kind": "gpd"})
    rows = [row.split(",") for row in (record.folder / "decisions.csv").read_text().splitlines()]
    by_round = {number: {r[4] for r in rows[1:] if r[1] == str(number)} for number in (10, 11)}
    assert by_round[10] == {"recorded", "live", "inflow"}
    assert by_round[11] == by_round[10] | {
        "chi", "ratio", "cosine", "pull", "answer", "persistence", "reach"
    }  # fmt: skip


def test_who_cannot_hear_a_peer_is_not_asked_whether_it_mixes(loaded):
    one_way = {"topology": {"kind": "exponential", "peers": 5}}
    with pytest.raises(ScenarioError, match=r"peer \d hears peer \d, which does not.* deaf: null"):
        build(loaded(**one_way, defense={"kind": "gpd"}))
    asks_nobody = {"kind": "gpd", "detector": {"kind": "consistency", "deaf": None}}
    build(loaded(**one_way, defense=asks_nobody))
    build(loaded(**one_way, defense={"kind": "gpd"}, protocol={"kind": "gossip"}))
    in_turn = {
        "topology": {"kind": "one_peer_exponential", "peers": 3}
    }  # both ways, but not at once
    with pytest.raises(ScenarioError, match="does not hear it in the same round"):
        build(loaded(**in_turn, defense={"kind": "gpd"}))


def test_nobody_is_asked_whether_it_mixes_where_peers_go_their_own_pace(run_small):
    def told(**protocol):
        settings = {"defense": {"kind": "gpd", "first_window": 3}, "rounds": 5, **protocol}
        rows = run_small(**settings).table("decisions")
        return {row["quantity"] for row in rows if row["value"] not in ("", "nan")}

    assert {"chi", "answer"} <= told()
    assert told(protocol={"kind": "gossip"}) >= {"chi"}
    assert "answer" not in told(protocol={"kind": "gossip"})
