"""SPMC's bundled scenarios: every cell is valid and is what it is called, and runs when small."""

import pytest
import torch

from p2pfl.attacks import TriggerBackdoor
from p2pfl.data.triggers import Trigger
from p2pfl.learner.evaluation import evaluate
from p2pfl.metrics import overall_value, resistance
from p2pfl.models import Logistic, build_model
from p2pfl.rules import Bulyan, Dnc, GeometricMedian, Rlr
from p2pfl.strategies import (
    Crfl,
    FedAvg,
    Finetuning,
    FoolsGold,
    Rsa,
    RuleStrategy,
    Sageflow,
    Spmc,
)
from p2pfl.types import Samples
from p2pfl.vectors import FlatModel
from scenarios.loader import bundled
from scenarios.runner import run
from scenarios.sweep import load_sweep

NAMES = sorted(name for name in bundled() if name.startswith("papers/spmc"))
SMALL = [
    "data={dataset: digits, partition: {kind: dirichlet, alpha: 0.5}, train_samples: 300}",
    "model={kind: cnn, kernel: 3, padding: 1, channels: [2, 3], hidden: 8}",
    "training.local_epochs=1",
    "rounds=2",
    "evaluate={every: 1}",
]
PUBLISHED = {
    "FedAvg", "DnC", "Sageflow", "Bulyan", "RFA", "RLR", "CRFL", "FoolsGold", "RSA", "Finetuning",
    "spmc",
}  # fmt: skip
BY_NAME = {
    "FedAvg": FedAvg(weights="uniform"),
    "DnC": RuleStrategy(rule=Dnc(f=3)),
    "Sageflow": Sageflow(weights="uniform"),
    "Bulyan": RuleStrategy(rule=Bulyan(f=1)),
    "RFA": RuleStrategy(
        rule=GeometricMedian(nu=1e-5, iterations=3, tolerance=1e-6, start="mean"),
        per_tensor=True,
        weights="samples",
    ),
    "RLR": RuleStrategy(rule=Rlr(theta=4), weights="samples"),
    "CRFL": Crfl(bound=15.0, start=10.0, growth=2.0, noise=0.01),
    "FoolsGold": FoolsGold(),
    "RSA": Rsa(own_models=False, server_lr=0.05, penalty=0.1, decay=0.001, cap=3),
    "Finetuning": Finetuning(weights="uniform", clients_start="average"),
    "spmc": Spmc(),
    "spmc_slides": Spmc(granularity="vector"),
    "spmc_strict": Spmc(purify_scope="benign_only", purify_from_round=1),
    "spmc_update": Spmc(score_space="update", temperature=0.1),
    "clients alone": Spmc(temperature=1e9),
    "server alone": Spmc(lam=0.0),
}


def method(cell, sweep):
    return cell.names[[axis.key for axis in sweep.axes].index("method")]


def test_there_is_one_for_each_table_and_figure():
    assert NAMES == [
        "papers/spmc_figure6", "papers/spmc_scaled", "papers/spmc_table2_cifar10",
        "papers/spmc_table2_fashion", "papers/spmc_table2_mnist",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("says", "a", "r", "r_excluding", "v"),
    [("2", 0.1, 0.0, 0.0, 0.05), ("5", 0.1, 1.0, 1.0, 0.55), ("right", 1.0, 0.9, 1.0, 0.95)],
)
def test_what_the_figures_are_of_models_that_know_nothing_or_all(says, a, r, r_excluding, v):
    # Twenty images, two of each class, whose pixel far from the trigger says which.
    labels = torch.arange(20) % 10
    inputs = torch.zeros(20, 1, 8, 8)
    inputs[torch.arange(20), 0, 6 + labels // 8, labels % 8] = 1
    flat = FlatModel(build_model(Logistic(), (1, 8, 8), 10))
    vector = torch.zeros(650)
    if says == "right":
        vector[:640].view(10, 8, 8)[torch.arange(10), 6 + torch.arange(10) // 8,
                                    torch.arange(10) % 8] = 1  # fmt: skip
    else:
        vector[640 + int(says)] = 1
    data = Samples(inputs=inputs, labels=labels, classes=10)
    trigger = Trigger(shape="bars", size=3, gap=1, row=0, col=0)
    came = evaluate(flat, vector, data, TriggerBackdoor(target=2, trigger=trigger).backdoor(data))
    figures = (
        came.accuracy, resistance(came.asr), resistance(came.asr_excluding_target),
        overall_value(came.accuracy, came.asr),
    )  # fmt: skip
    assert figures == pytest.approx((a, r, r_excluding, v))


@pytest.mark.parametrize("name", NAMES)
def test_every_cell_is_what_it_is_called(name):
    sweep = load_sweep(name)
    for cell in sweep.cells:
        scenario = cell.loaded.scenario
        assert scenario.server.strategy == BY_NAME[method(cell, sweep)]
        trigger = scenario.attack.trigger
        assert isinstance(trigger, Trigger)
        shape = (3, 32, 32) if "cifar" in name else (1, 28, 28)
        stamped = trigger.overlay(shape)
        places = [(0, row, col) for row in (0, 2) for col in (0, 1, 2, 4, 5, 6)]
        assert [tuple(place) for place in (stamped == stamped).nonzero()] == list(
            zip(*places, strict=True)
        )
    if "table2" in name:
        assert {method(cell, sweep) for cell in sweep.cells} >= PUBLISHED
        assert len(sweep.cells) == 2 * 14 * 3


@pytest.mark.parametrize("name", NAMES)
def test_every_method_runs_when_small(name, tmp_path):
    held_out = [] if name.endswith("scaled") else ["server.held_out=30"]
    sweep = load_sweep(name, [*SMALL, *held_out, "sweep.seed=[1]"])
    done = set()
    for cell in sweep.cells:
        if method(cell, sweep) not in done:
            record = run(cell.loaded, out=tmp_path / str(len(done)), picture=False)
            assert record.status == "done"
            assert {"asr", "asr_excluding_target", "adversary_influence"} <= {
                row["metric"] for row in record.table("metrics")
            }
            done.add(method(cell, sweep))
    assert len(done) == len(next(axis for axis in sweep.axes if axis.key == "method").values)


@pytest.mark.ray
@pytest.mark.usefixtures("ray_session")
def test_teachers_and_what_clients_remember_are_the_same_on_ray(lively, outcome, tmp_path):
    where = ({"executor": "inline"}, {"executor": "ray", "peers_per_actor": 3})
    here, there = (
        run(lively("teachers", rounds=4, runtime=runtime), out=tmp_path / str(k), picture=False)
        for k, runtime in enumerate(where)
    )
    assert outcome(here) == outcome(there)
