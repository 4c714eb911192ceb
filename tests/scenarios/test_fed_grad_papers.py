"""FedGrad's tables and figures: every file is valid, and small versions of its cells run."""

from dataclasses import replace

import pytest

from graphs.fixed import Clients
from p2pfl.attacks.backdoors import DataBackdoor
from p2pfl.attacks.edge_case import EdgeCase
from p2pfl.attacks.pgd import Pgd
from p2pfl.data.splits import Iid
from p2pfl.data.triggers import Trigger
from p2pfl.models import Cnn, WarmStart, warm_start_of
from p2pfl.strategies import FedGrad
from scenarios.loader import Loaded, bundled
from scenarios.runner import run
from scenarios.schema import Data, Evaluate
from scenarios.sweep import load_sweep

FILES = sorted(name for name in bundled() if name.startswith("papers/fed_grad"))
files = pytest.mark.parametrize("name", FILES)
TRIGGER = Trigger(shape="bars", size=2, gap=1, row=0, col=0)


def tiny_attack(attack):
    """The same on digits, with few shared samples; of groups each."""
    if isinstance(attack, tuple):
        return tuple(replace(group, attack=tiny_attack(group.attack)) for group in attack)
    if not isinstance(attack, DataBackdoor):
        return replace(attack, data=tiny_attack(attack.data))
    if isinstance(attack, EdgeCase):
        return replace(attack, source="synthetic", transformed=7, shared_data=40)
    return replace(attack, trigger=TRIGGER, shared_data=40, local_epochs=None)


def tiny(cell):
    """Twelve clients, four of them a round, three rounds, the hard filter from the second."""
    scenario = cell.loaded.scenario
    strategy = scenario.server.strategy
    if isinstance(strategy, FedGrad):
        strategy = replace(strategy, hard_from=2)
    small = replace(
        scenario,
        rounds=3,
        data=Data(dataset="digits", partition=Iid(), train_samples=400, test_samples=100),
        model=Cnn(kernel=3, padding=1, channels=(2, 4), hidden=8, warm_start=WarmStart(epochs=2)),
        topology=Clients(peers=12),
        attack=tiny_attack(scenario.attack),
        server=replace(scenario.server, participants=4, strategy=strategy),
        runtime=replace(scenario.runtime, executor="inline"),
        evaluate=Evaluate(every=3),
    )
    return Loaded(small, cell.loaded.folder, cell.loaded.source)


def test_the_tables_and_figures_are_there():
    wanted = {
        *("table2_cifar10", "table2_emnist", "table3_mnist", "table3_cifar10", "table4"),
        *("table4_small", "figure7_ratio", "figure7_poison_rate", "figure7_participants"),
        *("figure8", "figure9", "mixed_rates", "majority"),
    }
    assert {name.removeprefix("papers/fed_grad_") for name in FILES} == wanted


@files
def test_every_cell_is_valid_starts_warm_and_shares_its_poisoned_set(name, tmp_path):
    sweep = load_sweep(name, out=tmp_path)
    assert sweep.cells
    for cell in sweep.cells:
        scenario = cell.loaded.scenario
        assert warm_start_of(scenario.model).epochs >= 1
        groups = scenario.attack if isinstance(scenario.attack, tuple) else ()
        for attack in [group.attack for group in groups] or [scenario.attack]:
            assert attack.shared_samples() >= 1


@files
def test_fed_grad_allows_for_as_many_adversaries_as_there_are(name, tmp_path):
    for cell in load_sweep(name, out=tmp_path).cells:
        scenario = cell.loaded.scenario
        if isinstance(scenario.server.strategy, FedGrad):
            assert scenario.server.strategy.adversaries == scenario.adversaries.fraction


@pytest.mark.parametrize(
    "name", ["papers/fed_grad_table2_cifar10", "papers/fed_grad_table2_emnist"]
)
def test_the_radius_shrinks_under_krum_and_multi_krum_alone(name, tmp_path):
    decays = {}
    for cell in load_sweep(name, out=tmp_path).cells:
        attack = cell.loaded.scenario.attack
        if isinstance(attack, Pgd):
            decays.setdefault(cell.names[0], set()).add((attack.radius, attack.decay))
    shrinking = {"Krum", "Multi-Krum"}
    assert len(decays) == 8
    for method, found in decays.items():
        assert found == {(2.0, 0.998 if method in shrinking else 1.0)}


@files
@pytest.mark.parametrize("place", [0, -1])
def test_a_small_version_runs(name, place, tmp_path):
    cell = load_sweep(name, out=tmp_path / "sweep").cells[place]
    record = run(tiny(cell), out=tmp_path / "run", picture=False)
    assert record.status == "done"
    summary = record.summary
    assert summary["merges"] == 3
    assert summary["timeouts"] == 0
    assert 0 <= summary["asr"] <= 1
    flags = isinstance(cell.loaded.scenario.server.strategy, FedGrad)
    if flags:
        assert 0 <= summary["flags_fpr"] <= 1
