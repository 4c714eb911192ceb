"""The benchmarks still run: on a small scale, and without a look at the clock."""

import importlib.util
import sys
from pathlib import Path

import pytest

from graphs.links import Lognormal, Network


def load(name):
    path = Path(__file__).parent / f"{name}.py"
    spec = importlib.util.spec_from_file_location(f"benchmark_{name}", path)
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module  # where dataclasses of the module look for their names
    spec.loader.exec_module(module)
    return module


@pytest.mark.parametrize("protocol", ["ticks", "rounds", "recorded"])
def test_the_engine_alone(monkeypatch, protocol):
    engine = load("engine")
    monkeypatch.setattr(engine, "PEERS", 12)
    monkeypatch.setattr(engine, "ROUNDS", 3)
    network = Network(latency=Lognormal(median_ms=40, sigma=0.5), bandwidth_mbps=100, drop=0.1)
    assert engine.once(protocol, network) > 0


def test_the_inversion(monkeypatch):
    inversion = load("inversion")
    monkeypatch.setattr(inversion, "STEPS", 1)
    monkeypatch.setattr(inversion, "MODELS", {"logistic": inversion.MODELS["logistic"]})
    result = inversion.measure(pairs=1)
    assert result["steps"].keys() == {"logistic"}
    assert result["merge_ms"] > 0


def test_the_merge_of_gpd(monkeypatch):
    gpd = load("gpd")
    monkeypatch.setattr(gpd, "SIZES", (3_000,))
    results = gpd.measure(repeats=1)
    assert len(results) == len(gpd.VARIANTS)
    assert all(result["ratio"] > 0 for result in results.values())


def test_the_round_of_a_server(monkeypatch):
    server = load("server")
    monkeypatch.setattr(server, "CLIENTS", 10)
    monkeypatch.setattr(server, "HIDDEN", 3)
    results = server.measure(repeats=1)
    assert results.keys() == server.strategies(10).keys()
    assert results["FedAvg"]["ratio"] == 1
    assert server.gathering(2, server.HIDDEN).received.shape == (2, 3 * 795 + 10)


def test_gradients_of_classes_in_one_pass(monkeypatch):
    classes = load("class_gradients")
    monkeypatch.setattr(classes, "MODELS", {"logistic": classes.MODELS["logistic"]})
    monkeypatch.setattr(classes, "BATCH", 3)
    results = classes.measure(repeats=1)
    assert results.keys() == {"logistic, 1", "logistic, 3", "logistic, 10"}
    assert all(result["difference"] < 1e-6 for result in results.values())


@pytest.mark.ray
@pytest.mark.usefixtures("ray_session")
def test_the_ring_task(monkeypatch):
    ring = load("ring")
    small = ring.scenario(5)
    small["data"]["dataset"] = "digits"
    small["data"]["train_samples"] = 500
    small["model"] = {"kind": "logistic"}
    small["rounds"] = 3
    monkeypatch.setattr(ring, "scenario", lambda peers_per_actor: small)
    result = ring.emulator(5)
    assert result["rounds_s"] > 0
    assert result["waits"] == 0
