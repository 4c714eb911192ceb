"""A model that is trained, or loaded, before the first round."""

import json

import numpy as np
import pytest
import torch

from p2pfl.errors import ScenarioError
from p2pfl.models import build_model
from p2pfl.vectors import FlatModel
from scenarios.build import build
from scenarios.loader import load
from scenarios.runner import run
from scenarios.warm_start import training_samples, warm_start

WARM = {"model": {"kind": "logistic", "warm_start": {"epochs": 2}}}
COMPARED = ("metrics.csv", "edges.csv", "messages.csv", "events.jsonl", "start.npy")


def warmed(**warm):
    return {"model": {"kind": "logistic", "warm_start": warm}}


def test_all_start_at_the_trained_model(run_small, loaded):
    record = run_small(**WARM, rounds=1)
    start = np.load(record.folder / "start.npy")
    experiment, started = warm_start(build(loaded(**WARM, rounds=1)))
    np.testing.assert_array_equal(start, started.vector)
    np.testing.assert_array_equal(start, experiment.spec.initial)
    assert record.summary["warm_start"] == started.as_dict()
    assert started.evaluation.accuracy > 0.8
    cold = run_small(rounds=1)
    assert cold.summary["warm_start"] is None
    assert not (cold.folder / "start.npy").exists()
    means = [r.summary["accuracy"]["benign"]["mean"] for r in (record, cold)]
    assert means[0] > means[1]


def test_an_epoch_in_one_batch_is_a_step_of_sgd_and_momentum_is_kept(loaded):
    training = {"lr": 0.5, "batch_size": 10_000, "momentum": 0.5, "weight_decay": 0.01}
    experiment = build(loaded(**WARM, training=training))
    _, started = warm_start(experiment)
    spec, data = experiment.spec, experiment.dataset
    flat = FlatModel(build_model(spec.model, spec.shape, spec.classes))
    flat.load(torch.from_numpy(spec.initial))
    optimiser = torch.optim.SGD(flat.module.parameters(), lr=0.5, momentum=0.5, weight_decay=0.01)
    for _ in range(2):
        optimiser.zero_grad(set_to_none=False)
        logits = flat.module(torch.from_numpy(data.inputs))
        torch.nn.functional.cross_entropy(logits, torch.from_numpy(data.labels)).backward()
        optimiser.step()
    np.testing.assert_allclose(started.vector, flat.read().numpy(), atol=1e-6)


def test_rate_and_batch_size_of_its_own(loaded):
    whole = {"training": {"lr": 0.5, "batch_size": 10_000, "lr_decay": 0.5}}
    _, plain = warm_start(build(loaded(**WARM, **whole)))
    model = warmed(epochs=2, lr=0.5, batch_size=10_000)
    _, same = warm_start(build(loaded(**model, training={"lr": 0.1})))
    _, other = warm_start(build(loaded(**WARM, training={"lr": 0.1})))
    np.testing.assert_array_equal(plain.vector, same.vector)
    assert np.abs(plain.vector - other.vector).max() > 1e-3


def test_it_trains_on_what_peers_have_and_on_no_more(loaded):
    star = {"topology": {"kind": "clients", "peers": 5}, "server": {"held_out": 50}}
    experiment = build(loaded(**star, **WARM))
    scenario, data = experiment.scenario, experiment.dataset
    everybody = training_samples(scenario, scenario.model.warm_start, data)
    held_out = experiment.peers[-1].samples
    assert len(everybody) == len(data.labels) - 50
    assert not set(everybody) & set(held_out)
    fewer = build(loaded(**star, **warmed(epochs=1, samples=100)))
    some = training_samples(fewer.scenario, fewer.scenario.model.warm_start, data)
    assert len(set(some)) == 100
    assert set(some) <= set(everybody)
    counts = np.bincount(data.labels[some])
    assert counts.min() >= 8  # each class in proportion
    assert counts.max() <= 12


def test_it_moves_no_other_draw(loaded):
    cold, warm = build(loaded()), build(loaded(**WARM))
    np.testing.assert_array_equal(cold.spec.initial, warm.spec.initial)
    for one, other in zip(cold.peers, warm.peers, strict=True):
        np.testing.assert_array_equal(one.samples, other.samples)


def test_building_trains_nothing_and_refuses_what_does_not_fit(loaded):
    message = r"model\.warm_start\.samples must be in 1 \.\. 1438, .* got 2000"
    with pytest.raises(ScenarioError, match=message):
        build(loaded(**warmed(epochs=1, samples=2000)))
    with pytest.raises(ScenarioError, match=r"model\.warm_start\.path: there is no gone\.npy"):
        build(loaded(**warmed(path="gone.npy")))
    with pytest.raises(ScenarioError, match=r"line \d+, model\.warm_start\.epochs: epochs must be"):
        loaded(**warmed(epochs=-1))


def test_a_run_can_begin_where_another_did_and_run_again_from_its_folder(loaded, run_small):
    first = run_small(**WARM)
    began = loaded(**warmed(path="start.npy"))
    start = first.folder / "start.npy"
    (began.folder / "start.npy").write_bytes(start.read_bytes())
    second = run(began, out=began.folder / "second")
    assert second.summary["digest"] == first.summary["digest"]
    assert second.summary["warm_start"] == first.summary["warm_start"]
    again = run(load(second.folder / "scenario.yaml"), out=began.folder / "third")
    assert again.summary["digest"] == first.summary["digest"]


def test_a_file_may_be_named_by_its_whole_path(run_small, loaded):
    first = run_small(**WARM, rounds=1)
    whole = str(first.folder / "start.npy")
    began = loaded(**warmed(path=whole), rounds=1)
    inside = began.folder / "inside.npy"
    inside.write_bytes((first.folder / "start.npy").read_bytes())
    for number, path in enumerate((whole, str(inside))):
        record = run(loaded(**warmed(path=path), rounds=1), out=began.folder / str(number))
        assert record.summary["digest"] == first.summary["digest"]


def test_a_server_and_its_clients_start_there_too(run_small):
    star = {"topology": {"kind": "clients", "peers": 5}, "server": {}, "rounds": 1}
    backdoor = {"adversaries": {"count": 1}, "attack": {"kind": "backdoor"}}
    record = run_small(**star, **WARM, **backdoor)
    started = record.summary["warm_start"]
    assert 0 <= started["asr_excluding_target"] <= started["asr"] <= 1
    assert record.summary["accuracy"]["server"]["mean"] > started["accuracy"] - 0.05
    log = (record.folder / "log.txt").read_text()
    assert f"the start's accuracy is {started['accuracy']:.4f}" in log


@pytest.mark.ray
@pytest.mark.usefixtures("ray_session")
@pytest.mark.parametrize("server", [
    {"participants": 3},
    pytest.param(None, marks=pytest.mark.whole),
])  # fmt: skip
def test_inline_and_ray_agree_to_the_byte(loaded, tmp_path, server):
    sections = {"topology": {"kind": "clients", "peers": 5}, "server": server} if server else {}
    outcomes = []
    for executor in ("inline", "ray"):
        record = run(
            loaded(**WARM, **sections, rounds=2, runtime={"executor": executor}),
            out=tmp_path / executor,
        )
        files = [(record.folder / name).read_bytes() for name in COMPARED]
        outcomes.append(
            [*files, record.summary["digest"], json.dumps(record.summary["warm_start"])]
        )
    assert outcomes[0] == outcomes[1]
