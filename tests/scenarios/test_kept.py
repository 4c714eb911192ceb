"""Kept models, and the pictures that are drawn of them."""

from hashlib import sha256

import numpy as np
import pytest
import torch

from p2pfl.errors import ScenarioError
from p2pfl.models import Logistic, Mlp, SpmcCnn, build_model
from p2pfl.types import Backdoor, Samples
from scenarios.build import build
from scenarios.kept import kept_module, model_path
from scenarios.loader import load
from scenarios.report.grad_cam import draw_grad_cam

BACKDOOR = {
    "adversaries": {"count": 1},
    "attack": {"kind": "backdoor", "target": 2, "trigger": {"shape": "square", "size": 2}},
    "topology": {"kind": "clients", "peers": 4},
    "server": {},
}
CNN = {"kind": "cnn", "kernel": 3, "padding": 1, "channels": [2, 3], "hidden": 8}


def test_what_is_kept_is_the_model_that_was_measured(run_small):
    peers = {"topology": {"kind": "complete", "peers": 3}}
    record = run_small(**peers, rounds=1, record={"models": [0, 1, 2]})
    dataset = build_dataset(record)
    digests = ""
    for peer in (0, 1, 2):
        path = model_path(record.folder, peer)
        with np.load(path, allow_pickle=False) as arrays:
            assert {name: arrays[name].shape for name in arrays} == {
                "1.weight": (10, 64), "1.bias": (10,),
            }  # fmt: skip
            vector = np.concatenate([arrays["1.weight"].ravel(), arrays["1.bias"]])
        digests += sha256(vector.tobytes()).hexdigest()
        module = kept_module(path, Logistic(), dataset)
        assert module(torch.zeros(1, 1, 8, 8))[0].tolist() == vector[-10:].tolist()
        logits = module(torch.from_numpy(dataset.test_inputs))
        right = logits.argmax(dim=1).numpy() == dataset.test_labels
        measured = [row for row in record.table("metrics") if row["peer"] == str(peer)]
        assert float(measured[0]["value"]) == pytest.approx(right.mean())
    assert sha256(digests.encode()).hexdigest() == record.summary["digest"]


def build_dataset(record):
    return build(load(record.folder / "scenario.yaml")).dataset


def test_another_model_is_refused(run_small):
    record = run_small(rounds=1, record={"models": [2]})
    path = model_path(record.folder, 2)
    with pytest.raises(ValueError, match=r"needs 1\.weight of shape \(64, 64\), got \(10, 64\)"):
        kept_module(path, Mlp(), build_dataset(record))
    with pytest.raises(ValueError, match=r"needs 3\.weight .* got none"):
        kept_module(path, Mlp(hidden=(10,)), build_dataset(record))


def test_a_picture_of_the_server_s_model(run_small):
    record = run_small(**BACKDOOR, model=CNN, rounds=1, record={"models": [4], "grad_cam": True})
    assert (record.folder / "grad_cam_4.png").read_bytes().startswith(b"\x89PNG")
    assert {path.name for path in record.folder.glob("*_4.*")} == {"model_4.npz", "grad_cam_4.png"}


@pytest.mark.ray
@pytest.mark.usefixtures("ray_session")
def test_the_same_is_kept_on_ray(run_small):
    sections = {**BACKDOOR, "rounds": 1, "record": {"models": [1, 4]}}
    here = run_small(**sections)
    there = run_small(**sections, runtime={"executor": "ray", "peers_per_actor": 3})
    for peer in (1, 4):
        with (
            np.load(model_path(here.folder, peer)) as inline,
            np.load(model_path(there.folder, peer)) as ray,
        ):
            for name in inline:
                np.testing.assert_array_equal(ray[name], inline[name])
                assert ray[name].dtype == np.float32


@pytest.mark.parametrize("channels", [1, 3])
def test_it_draws_a_picture(tmp_path, channels):
    inputs = torch.rand(3, channels, 32, 32, generator=torch.Generator().manual_seed(1))
    stamped = inputs.clone()
    stamped[:, :, :2, :2] = 1
    images = Samples(inputs=inputs, labels=torch.arange(3), classes=3)
    wanted = torch.full((3,), 2)
    goal = Backdoor(inputs=stamped, labels=wanted, of_target=images.labels == wanted)
    module = build_model(SpmcCnn(), (channels, 32, 32), 3)
    path = tmp_path / "picture.png"
    for _ in range(2):  # the second replaces the first
        assert draw_grad_cam(path, module, images, goal) == path
        assert path.read_bytes().startswith(b"\x89PNG")
    assert list(tmp_path.iterdir()) == [path]
    with pytest.raises(ValueError, match="needs a model with convolutions"):
        draw_grad_cam(path, build_model(Mlp(), (channels, 32, 32), 3), images, goal)


@pytest.mark.parametrize(("sections", "said"), [
    ({"record": {"models": [5]}}, r"record.models: no peer 5, there are 0 .. 4"),
    ({"record": {"grad_cam": True}}, "record.models, which has none"),
    ({"record": {"models": [4], "grad_cam": True}}, "needs a model with convolutions"),
    ({"record": {"models": [4], "grad_cam": True}, "attack": {"kind": "sign_flip"}},
     "needs an attack with a trigger"),
    ({"record": {"models": [4], "grad_cam": True},
      "attack": {"kind": "semantic", "source": 8, "target": 1}}, "needs an attack with a trigger"),
])  # fmt: skip
def test_what_cannot_be_kept_or_drawn_is_refused_before_the_run(loaded, sections, said):
    with pytest.raises(ScenarioError, match=said):
        build(loaded(**{**BACKDOOR, **sections}))
