"""Runs on a GPU agree with runs on the CPU. ``make gpu`` runs these where there is one."""

import pytest
import torch

from p2pfl.learner.outward import to_host

pytestmark = [
    pytest.mark.skipif(not torch.cuda.is_available(), reason="torch sees no GPU"),
    pytest.mark.usefixtures("usual_kernels"),
]

SECTIONS = {
    "model": {"kind": "mlp", "hidden": [20]},
    "training": {"lr": 0.1, "batch_size": 32, "momentum": 0.9},
    "adversaries": {"count": 1},
    "attack": {"kind": "alie"},
    "defense": {"kind": "rule", "rule": {"kind": "median"}},
}


@pytest.fixture
def on_the_cpu(run_small, losses):
    return losses(run_small(**SECTIONS, runtime={"executor": "inline", "device": "cpu"}))


@pytest.mark.parametrize("batch", ["off", "on"])
def test_one_process(run_small, losses, on_the_cpu, batch):
    runtime = {"executor": "inline", "device": "cuda", "batch": batch}
    assert losses(run_small(**SECTIONS, runtime=runtime)) == pytest.approx(on_the_cpu, rel=1e-2)


@pytest.mark.parametrize("batch", ["off", "on"])
def test_mixed_precision(run_small, losses, on_the_cpu, batch):
    training = SECTIONS["training"] | {"precision": "bfloat16"}
    runtime = {"executor": "inline", "device": "cuda", "batch": batch}
    record = run_small(**SECTIONS | {"training": training}, runtime=runtime)
    assert losses(record) == pytest.approx(on_the_cpu, rel=5e-2)


@pytest.mark.parametrize(
    "rule",
    [{"kind": "median"}, {"kind": "trimmed_mean", "f": 1}, {"kind": "krum", "f": 1}],
    ids=str,
)
@pytest.mark.parametrize("model", [{"kind": "mlp", "hidden": [20]}, {"kind": "resnet10"}], ids=str)
def test_deterministic_kernels_repeat(run_small, model, rule):
    sections = SECTIONS | {"model": model, "defense": {"kind": "rule", "rule": rule}}
    runtime = {"executor": "inline", "device": "cuda", "deterministic": True}
    first, second = (run_small(**sections, runtime=runtime) for _ in range(2))
    assert first.summary["digest"] == second.summary["digest"]


def test_vectors_leave_through_page_locked_memory():
    vector = torch.arange(1000.0, device="cuda")
    array = to_host(vector)
    vector.zero_()
    to_host(vector)  # the buffer is overwritten, the array is not
    assert array.tolist() == list(range(1000))


@pytest.mark.ray
@pytest.mark.usefixtures("ray_session")
def test_actors_share_a_gpu(run_small, losses, on_the_cpu):
    runtime = {"executor": "ray", "device": "cuda", "peers_per_actor": 2}
    assert losses(run_small(**SECTIONS, runtime=runtime)) == pytest.approx(on_the_cpu, rel=1e-2)
