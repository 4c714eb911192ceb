"""Runs on a GPU agree with runs on the CPU. ``make gpu`` runs these where there is one."""

import pytest
import torch

pytestmark = pytest.mark.skipif(not torch.cuda.is_available(), reason="torch sees no GPU")

SECTIONS = {
    "model": {"kind": "mlp", "hidden": [20]},
    "training": {"lr": 0.1, "batch_size": 32, "momentum": 0.9},
    "adversaries": {"count": 1},
    "attack": {"kind": "alie"},
    "defense": {"kind": "rule", "rule": {"kind": "median"}},
}


def losses(record):
    rows = record.table("metrics")
    return [float(row["value"]) for row in rows if row["metric"] == "loss"]


@pytest.fixture
def on_the_cpu(run_small):
    return losses(run_small(**SECTIONS, runtime={"executor": "inline", "device": "cpu"}))


@pytest.mark.parametrize("batch", ["off", "on"])
def test_one_process(run_small, on_the_cpu, batch):
    runtime = {"executor": "inline", "device": "cuda", "batch": batch}
    assert losses(run_small(**SECTIONS, runtime=runtime)) == pytest.approx(on_the_cpu, rel=1e-2)


@pytest.mark.ray
@pytest.mark.usefixtures("ray_session")
def test_actors_share_a_gpu(run_small, on_the_cpu):
    runtime = {"executor": "ray", "device": "cuda", "peers_per_actor": 2}
    assert losses(run_small(**SECTIONS, runtime=runtime)) == pytest.approx(on_the_cpu, rel=1e-2)
