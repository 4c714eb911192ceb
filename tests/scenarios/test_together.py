"""Runs in which the peers of a process train together."""

import pytest

from scenarios.build import build

SECTIONS = {
    "rounds": 4,
    "model": {"kind": "mlp", "hidden": [6]},
    "training": {"lr": 0.1, "batch_size": 16, "momentum": 0.9, "keep_momentum": True},
    "topology": {"kind": "ring", "peers": 6},
    "adversaries": {"count": 1},
    "attack": {"kind": "sign_flip"},
    "network": {"latency": {"kind": "lognormal", "median_ms": 40, "sigma": 1}, "drop": 0.1},
    "compute": {"samples_per_s": 2000, "spread": 0.3},
    "protocol": {"kind": "rounds", "timeout_s": 1.0},
}
INLINE = {"executor": "inline"}


def losses(record):
    rows = record.table("metrics")
    return [float(row["value"]) for row in rows if row["metric"] == "loss"]


def test_together_agrees_with_one_by_one_and_with_itself(run_small):
    alone = run_small(**SECTIONS, runtime=INLINE)
    together = run_small(**SECTIONS, runtime=INLINE | {"batch": "on"})
    assert losses(together) == pytest.approx(losses(alone), rel=1e-4)
    for name in ("messages.csv", "events.jsonl"):  # who does what when is the same to the byte
        assert (together.folder / name).read_bytes() == (alone.folder / name).read_bytes()
    again = run_small(**SECTIONS, runtime=INLINE | {"batch": "on"})
    assert again.summary["digest"] == together.summary["digest"]


def test_a_snapshot_in_between_moves_nothing(run_small):
    whole = run_small(**SECTIONS, runtime=INLINE)
    runtime = INLINE | {"batch": "on", "snapshots": {"every_rounds": 1}}
    saved = run_small(**SECTIONS, runtime=runtime)
    assert losses(saved) == pytest.approx(losses(whole), rel=1e-4)


def test_where_it_cannot_be_they_train_one_by_one(run_small):
    alone = run_small(**SECTIONS | {"server": {}}, runtime=INLINE)
    together = run_small(**SECTIONS | {"server": {}}, runtime=INLINE | {"batch": "on"})
    assert together.summary["digest"] == alone.summary["digest"]


@pytest.mark.ray
@pytest.mark.usefixtures("ray_session")
def test_together_in_actors(run_small):
    alone = run_small(**SECTIONS, runtime=INLINE)
    runtime = {"executor": "ray", "peers_per_actor": 3, "batch": "on"}
    together = run_small(**SECTIONS, runtime=runtime)
    assert losses(together) == pytest.approx(losses(alone), rel=1e-4)


def test_off_is_the_default_and_auto_follows_the_rule(loaded):
    assert not build(loaded(**SECTIONS)).spec.batch
    assert build(loaded(**SECTIONS, runtime={"batch": "auto", "device": "cpu"})).spec.batch
