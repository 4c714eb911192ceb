"""Runs in mixed precision and with deterministic kernels, on the CPU; see also ``test_gpu.py``."""

import json
from dataclasses import replace

import numpy as np
import pytest
import torch

from actors.host import Host
from p2pfl.learner.kernels import choose_kernels
from scenarios.build import build
from scenarios.folder import repeats

pytestmark = pytest.mark.usefixtures("usual_kernels")

SECTIONS = {
    "rounds": 3,
    "model": {"kind": "mlp", "hidden": [6]},
    "topology": {"kind": "ring", "peers": 4},
    "record": {"models": [0]},
}
HALF = {"training": {"lr": 0.1, "batch_size": 16, "precision": "bfloat16"}}
FULL = {"training": {"lr": 0.1, "batch_size": 16}}
INLINE = {"executor": "inline", "device": "cpu"}


def environment(record):
    return json.loads((record.folder / "environment.json").read_text())


@pytest.fixture
def in_float32(run_small):
    return run_small(**SECTIONS, **FULL, runtime=INLINE)


def test_mixed_precision_is_near_and_repeats(run_small, losses, in_float32):
    mixed = run_small(**SECTIONS, **HALF, runtime=INLINE)
    assert losses(mixed) == pytest.approx(losses(in_float32), rel=0.02)
    assert mixed.summary["digest"] != in_float32.summary["digest"]
    assert environment(mixed)["precision"] == "bfloat16"
    assert environment(in_float32)["precision"] == "float32"
    again = run_small(**SECTIONS, **HALF, runtime=INLINE)
    assert again.summary["digest"] == mixed.summary["digest"]


def test_what_is_kept_and_sent_stays_float32(run_small, in_float32):
    mixed = run_small(**SECTIONS, **HALF, runtime=INLINE)
    with np.load(mixed.folder / "model_0.npz") as tensors:
        assert {tensors[name].dtype for name in tensors} == {np.dtype(np.float32)}
        # Rounded to bfloat16 they would be others.
        weights = torch.from_numpy(tensors[tensors.files[0]])
    assert not torch.equal(weights, weights.bfloat16().float())
    messages = [(each.folder / "messages.csv").read_bytes() for each in (mixed, in_float32)]
    assert messages[0] == messages[1]


def test_mixed_precision_in_batches(run_small, losses, in_float32):
    mixed = run_small(**SECTIONS, **HALF, runtime=INLINE | {"batch": "on"})
    assert losses(mixed) == pytest.approx(losses(in_float32), rel=0.02)
    assert environment(mixed)["batched_training"] is True


def test_clients_that_send_gradients_compute_them_so(run_small, losses):
    server = {"server": {"strategy": {"kind": "desgd"}}}
    mixed, full = (run_small(**SECTIONS, **server, **each, runtime=INLINE) for each in (HALF, FULL))
    assert losses(mixed) == pytest.approx(losses(full), rel=0.02)
    assert mixed.summary["digest"] != full.summary["digest"]


def test_on_the_cpu_deterministic_kernels_are_the_usual_ones(run_small, in_float32):
    runtime = INLINE | {"deterministic": True}
    repeating = run_small(**SECTIONS, **FULL, runtime=runtime)
    assert torch.are_deterministic_algorithms_enabled()
    assert repeating.summary["digest"] == in_float32.summary["digest"]
    assert environment(repeating)["deterministic_kernels"] is True
    assert environment(in_float32)["deterministic_kernels"] is False


@pytest.mark.parametrize("deterministic", [True, False])
def test_a_process_uses_what_its_scenario_says(loaded, deterministic):
    experiment = build(loaded(runtime=INLINE | {"deterministic": deterministic}))
    choose_kernels(not deterministic)
    Host(experiment.spec, experiment.peers[:1], experiment.arrays)
    assert torch.are_deterministic_algorithms_enabled() == deterministic


@pytest.mark.parametrize(
    ("device", "deterministic", "expected"),
    [("cpu", False, True), ("cuda", False, False), ("cuda", True, True)],
)
def test_what_can_be_repeated_to_the_bit(loaded, device, deterministic, expected):
    experiment = build(loaded())
    spec = replace(experiment.spec, device=device, deterministic=deterministic)
    assert repeats(replace(experiment, spec=spec)) == expected


def test_another_precision_is_refused_by_name(loaded):
    with pytest.raises(ValueError, match=r"float16.*bfloat16"):
        loaded(training={"precision": "float16"})
