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


def test_the_order_of_the_servers_costs(capsys):
    server = load("server")
    names = list(server.strategies(10))  # made-up times: FedAvg is first, Krum dearer than DnC
    results = {name: {"ms": 1.0 + k, "ratio": 1.0 + k} for k, name in enumerate(names)}
    assert all(server.orders(results)[less, "Krum"] for less in ("FedAvg", "DnC"))
    results["DnC"]["ms"] = 100.0
    assert not server.orders(results)["DnC", "Krum"]
    server.report(results)
    out = capsys.readouterr().out
    assert "DOES NOT HOLD DnC < Krum" in out
    assert "holds         FedAvg < Krum" in out


def test_gradients_of_classes_in_one_pass(monkeypatch):
    classes = load("class_gradients")
    monkeypatch.setattr(classes, "MODELS", {"logistic": classes.MODELS["logistic"]})
    monkeypatch.setattr(classes, "BATCH", 3)
    results = classes.measure(repeats=1)
    assert results.keys() == {"logistic, 1", "logistic, 3", "logistic, 10"}
    assert all(result["difference"] < 1e-6 for result in results.values())


def test_trainings_on_a_device(monkeypatch):
    gpu = load("gpu")
    monkeypatch.setattr(gpu, "REPEATS", 1)
    found = gpu.measure(("cpu",), peers=3)
    ways = ("one by one", "together", "bfloat16, one by one", "bfloat16, together")
    assert found.keys() == {f"cpu, {way}, s" for way in ways}


def test_copies_from_a_device(monkeypatch):
    gpu = load("gpu")
    monkeypatch.setattr(gpu, "COPIED", (10,))
    assert gpu.copies("cpu").keys() == {"10 values, plainly, ms", "10 values, page-locked, ms"}


@pytest.fixture
def beside(monkeypatch):
    """They import one another, as scripts of one folder do."""
    monkeypatch.syspath_prepend(str(Path(__file__).parent))


def test_a_command_is_watched(beside):
    watched = load("watched")
    code = "import time; block = bytearray(64 << 20); t = time.process_time()\n"
    code += "while time.process_time() - t < 1: pass\nprint('over')"
    found = watched.watch([sys.executable, "-c", code])
    assert found.output == "over\n"
    assert found.cpu_s > 0
    assert found.peak_mib > 0
    with pytest.raises(RuntimeError, match="no such thing"):
        watched.watch([sys.executable, "-c", "raise SystemExit('no such thing')"])


def test_slopes_of_straight_lines(beside):
    slope = load("peers").slope
    assert slope({10: 5.0, 100: 5.0 + 90, 1000: 5.0 + 990}) == pytest.approx(1)
    assert slope({10: 7.0, 20: 7.0 + 100, 30: 7.0 + 400}) == pytest.approx(2)


def test_one_size(beside):
    found = load("peers").once(
        5, "data.dataset=digits", "data.test_samples=20", "model={kind: logistic}",
        "topology={kind: ring, peers: 5}", "runtime.executor=inline",
    )  # fmt: skip
    assert found.keys() == {"cpu_s", "peak_mib", "wall_s"}


def test_what_is_foreseen_beside_what_it_took(monkeypatch, beside):
    foreseen = load("foreseen")
    took = load("watched").Watched(cpu_s=8.0, peak_mib=300.0, wall_s=9.0, output="")
    monkeypatch.setattr(foreseen, "watch", lambda command: took)
    assert foreseen.Compared(foreseen=11.0, took=10.0).off == pytest.approx(0.1)
    found = foreseen.compare(
        {
            "rounds": 1,
            "data": {"dataset": "digits", "train_samples": 100, "test_samples": 20},
            "model": {"kind": "logistic"},
            "topology": {"kind": "ring", "peers": 4},
            "runtime": {"executor": "inline"},
        }
    )
    assert found.keys() == {"processor time, s", "waiting, s", "memory, MiB"}
    assert [each.took for each in found.values()] == [8.0, 9.0, 300.0]
    assert all(each.foreseen > 0 for each in found.values())


def test_frameworks_that_are_not_there_are_named(monkeypatch, capsys, beside):
    others = load("others")
    monkeypatch.setenv("P2PFL_OTHERS", sys.executable)
    monkeypatch.setattr(others, "OTHERS", {"no_such_framework": "P2PFL_OTHERS"})
    assert others.missing() == {"no_such_framework": "not installed"}
    monkeypatch.delenv("P2PFL_OTHERS")
    others.report({"ours": [1.25]} | others.missing())
    assert "P2PFL_OTHERS names no python" in capsys.readouterr().out


@pytest.fixture
def small_ring(monkeypatch):
    ring = load("ring")
    small = ring.scenario(5)
    small["data"] = {"dataset": "digits", "train_samples": 500}
    small["model"] = {"kind": "logistic"}
    small["rounds"] = 3
    monkeypatch.setattr(ring, "scenario", lambda peers_per_actor: small)
    return ring, small


@pytest.mark.ray
@pytest.mark.usefixtures("ray_session")
def test_the_ring_task(small_ring):
    ring, _ = small_ring
    result = ring.emulator(5)
    assert result["rounds_s"] > 0
    assert result["waits"] == 0


def test_the_ring_task_as_a_whole_run(small_ring):
    ring, small = small_ring
    small["runtime"] = {"executor": "inline"}
    small["data"]["dataset"] = "synthetic"  # which has a thousand samples to test with
    assert ring.whole_run(5)["rounds_s"] > 0
