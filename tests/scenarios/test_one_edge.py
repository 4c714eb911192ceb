"""Two runs that differ in one edge share every other draw, from the file to the record."""

import json
from collections import defaultdict

import pytest

from scenarios.build import build

RING = [(0, 1), (1, 2), (2, 3), (3, 4), (4, 5), (0, 5)]
NETWORKS = {
    "bernoulli": {"latency": {"kind": "lognormal", "median_ms": 40, "sigma": 1}, "drop": 0.2},
    "bursts": {
        "latency": {"kind": "pareto", "scale_ms": 20, "shape": 1.5},
        "drop": {"kind": "gilbert_elliott", "p_good_to_bad": 0.2, "p_bad_to_good": 0.4},
    },
}


def sections(tmp_path, edges, network):
    (tmp_path / f"{len(edges)}.txt").write_text("".join(f"{i} {j}\n" for i, j in edges))
    return {
        "rounds": 8,
        "topology": {"kind": "edge_list", "path": f"{len(edges)}.txt"},
        "data": {"train_samples": 240, "test_samples": 60},
        "compute": {"spread": 0.5},
        "network": network,
        "protocol": {"kind": "rounds", "timeout_s": 1000.0},
        "record": {"messages": True},
    }


def carried(record):
    """For each directed edge, what became of its messages: how long each took, or None."""
    sent, took = {}, defaultdict(dict)
    for line in (record.folder / "messages.jsonl").read_text().splitlines():
        message = json.loads(line)
        edge, number = (message["source"], message["destination"]), message["round"]
        if message["event"] == "sent":
            sent[edge, number] = message["time_s"]
        elif message["event"] == "arrived":
            took[edge][number] = round(message["time_s"] - sent[edge, number], 9)
        else:
            took[edge][number] = None
    return took


@pytest.mark.parametrize("network", NETWORKS.values(), ids=NETWORKS)
def test_one_edge_more_moves_no_other_links_draws(run_small, tmp_path, network):
    one = carried(run_small(**sections(tmp_path, RING, network)))
    more = carried(run_small(**sections(tmp_path, [*RING, (0, 3)], network)))
    assert more.keys() - one.keys() == {(0, 3), (3, 0)}
    for edge, messages in one.items():
        assert messages.keys() == set(range(1, 9))
        assert messages == pytest.approx(more[edge], abs=2e-9)
    assert any(None in messages.values() for messages in one.values())


def test_nor_the_data_nor_the_speeds_nor_the_start(loaded, tmp_path):
    a, b = (
        build(loaded(**sections(tmp_path, edges, NETWORKS["bernoulli"])))
        for edges in (RING, [*RING, (0, 3)])
    )
    assert a.timing.honest_ns == b.timing.honest_ns
    assert a.spec.initial.tobytes() == b.spec.initial.tobytes()
    for one, other in zip(a.peers, b.peers, strict=True):
        assert one.samples.tolist() == other.samples.tolist()
