"""DeSGD from the file to the folder, and the papers' scenarios of it on a small scale."""

from itertools import chain
from statistics import fmean

import pytest

from p2pfl.attacks import (
    Alie,
    Constant,
    Gaussian,
    Ipm,
    LabelFlip,
    Mimic,
    NoAttack,
    SignFlip,
)
from p2pfl.rules import (
    Bucketing,
    ClipMean,
    Clustering,
    Dnc,
    GeometricMedian,
    Krum,
    Mean,
    TrimmedMean,
)
from p2pfl.strategies import Desgd, MomentumSgd
from scenarios.build import build
from scenarios.results import RESULTS
from scenarios.runner import run
from scenarios.sweep import load_sweep

PAPERS = {
    "desgd_table1": 12 * 8,
    "desgd_table1_short": 8 * 4,
    "desgd_scaled": 8 * 4,
    "desgd_table2": 6 * 3,
    "desgd_figure2": 8,
    "desgd_figure3": 6,
    "desgd_classes": 4 * 2 * 3,
}
"""How many cells each has, for one seed."""
RULES = {
    "mean": Mean(),
    "ClipMean": ClipMean(),
    "Krum": Krum(f=4),
    "GeoMed": GeometricMedian(),
    "Clustering": Clustering(),
    "TrMean": TrimmedMean(f=4),
    "DnC": Dnc(f=4, coordinates=1000),
}
ATTACKS = {
    "none": NoAttack(),
    "mimic": Mimic(),
    "constant": Constant(value=5.0),
    "gaussian": Gaussian(std=2.0),
    "label_flip": LabelFlip(),
    "sign_flip": SignFlip(scale=1.0),
    "ipm": Ipm(epsilon=0.1),
    "alie": Alie(z=1.0, knowledge="full"),
}
ARMS = {
    "SGD with global momentum": MomentumSgd(rule=Krum(f=4), at="server"),
    "SGD with local momentum": MomentumSgd(rule=Krum(f=4)),
    "DeSGD with global momentum": Desgd(rule=Krum(f=4), at="server", compensation=0.0),
    "DeSGD with local momentum": Desgd(rule=Krum(f=4), compensation=0.0),
    "DeSGD with local momentum and compensation": Desgd(rule=Krum(f=4)),
    "the same with momentum as printed": Desgd(rule=Krum(f=4), literal_momentum=True),
}
TINY = (
    "data.dataset=digits", "model={kind: logistic}", "training.batch_size=5", "rounds=2",
    "evaluate.every=1", "sweep.seed=[1]",
)  # fmt: skip
STAR = {
    "data": {"partition": {"kind": "classes_per_peer", "k": 3}, "adversary_data": "copies"},
    "topology": {"kind": "clients", "peers": 12},
    "adversaries": {"count": 2},
    "training": {"batch_size": 8, "local_steps": 1},
}


def accuracies(record):
    found = {}
    for row in record.table("metrics"):
        if row["metric"] == "accuracy":
            found.setdefault(int(row["round"]), []).append(float(row["value"]))
    return found


def strategy_of(cell):
    """What the names of a cell stand for."""
    name, *others = cell.names
    if name in ARMS:
        return ARMS[name]
    if name.isdecimal():
        rule = {"krum": "Krum", "clustering": "Clustering"}[others[0]]
        return Desgd(rule=RULES[rule], classes_per_round=int(name))
    rule, _, way = name.replace("+", " + DeSGD" if name.endswith("+") else "+").partition(" + ")
    if way == "DeSGD":
        return Desgd(rule=RULES[rule])
    bucketed = Bucketing(s=2, rule=RULES[rule]) if way else RULES[rule]
    return MomentumSgd(rule=bucketed, at="server" if rule == "mean" else "clients")


@pytest.mark.parametrize(("name", "count"), PAPERS.items(), ids=PAPERS)
def test_a_table_of_the_paper_is_as_the_paper_has_it(name, count, tmp_path):
    assert len(load_sweep(f"papers/{name}", TINY, tmp_path).cells) == count
    for cell in load_sweep(f"papers/{name}", (), tmp_path).cells:
        scenario = cell.loaded.scenario
        assert scenario.data.dataset == "fashion_mnist"
        assert (scenario.data.partition.k, scenario.data.adversary_data) == (3, "copies")
        assert (scenario.topology.peers, scenario.adversaries.count) == (24, 4)
        assert (scenario.training.lr, scenario.training.batch_size) == (0.1, 50)
        assert scenario.rounds == {"desgd_table1_short": 1000, "desgd_scaled": 300}.get(name, 3000)
        assert scenario.server.strategy == strategy_of(cell)
        shown = [part for part in cell.names if part in ATTACKS] or ["sign_flip"]
        assert [scenario.attack] == [ATTACKS[part] for part in shown]


def test_the_settings_of_the_paper_are_the_defaults():
    strategy = Desgd()
    assert (strategy.server_lr, strategy.momentum, strategy.compensation) == (0.1, 0.9, 0.5)
    assert (strategy.weight_decay, strategy.classes_per_round) == (5e-4, 1)
    plain = MomentumSgd()
    assert (plain.server_lr, plain.momentum, plain.weight_decay) == (0.1, 0.9, 5e-4)


# The others have no method, no attack and no setting beyond these.
@pytest.mark.parametrize("name", ["desgd_table1", "desgd_table2", "desgd_figure3", "desgd_classes"])
def test_a_table_of_the_paper_runs_small(name, tmp_path):
    seen = set()
    for cell in load_sweep(f"papers/{name}", TINY, tmp_path).cells:
        # Each value of each axis once: the cells beyond differ in combination only.
        values = set(enumerate(cell.names))
        if values <= seen:
            continue
        seen |= values
        record = run(cell.loaded, out=cell.folder, picture=False)
        assert record.status == "done"
        assert 0 <= record.summary["accuracy"]["server"]["mean"] <= 1
        assert record.summary["peers"]["adversary"] == 4


@pytest.mark.parametrize("classes", [2, 3, 10])
def test_several_classes_a_round_are_as_many_vectors(classes, loaded, run_small):
    strategy = {"kind": "desgd", "classes_per_round": classes}
    attack = {"kind": "alie", "z": 1.0, "knowledge": "full"}
    sections = {**STAR, "server": {"strategy": strategy}, "attack": attack}
    sizes = build(loaded(**sections)).message_bytes
    assert sizes[0] - sizes[-1] == (classes - 1) * 4 * 650  # of a logistic model of digits
    record = run_small(**sections, rounds=4)
    assert record.status == "done"
    assert record.summary["messages"]["rejected"] == 0
    heard = {int(row["sender"]) for row in record.table("edges") if float(row["influence"]) > 0}
    assert heard == set(range(12))


def test_all_classes_a_round_learn_as_plain_averaging_does(run_small):
    settings = {"momentum": 0.0, "weight_decay": 0.0, "server_lr": 0.5}
    by_class = {"kind": "desgd", "classes_per_round": 10, "compensation": 0.0, **settings}
    strategies = (by_class, {"kind": "momentum_sgd", **settings})
    summaries = (
        run_small(**STAR, rounds=30, server={"strategy": strategy}).summary
        for strategy in strategies
    )
    by_classes, plain = (summary["accuracy"]["server"]["mean"] for summary in summaries)
    assert plain > 0.8
    assert by_classes == pytest.approx(plain, abs=0.05)


def test_adversaries_hold_all_classes_where_benign_clients_hold_three(loaded):
    server = {"strategy": {"kind": "desgd"}}
    experiment = build(loaded(**STAR, server=server, attack={"kind": "label_flip"}))
    labels = experiment.dataset.labels
    for peer in experiment.peers:
        own = set(labels[peer.samples].tolist())
        assert len(own) == {"benign": 3, "adversary": 10, "server": 0}[peer.role]
    benign = list(chain(*(p.samples for p in experiment.peers if p.role == "benign")))
    assert sorted(benign) == list(range(len(labels)))


def test_a_rule_at_its_limit_runs_as_published_and_is_counted(run_small):
    # Ten of twelve are benign with three of ten classes each: of a class there are five at most.
    strategy = {"kind": "desgd", "rule": {"kind": "krum", "f": 2}}
    summary = run_small(**STAR, rounds=10, server={"strategy": strategy}).summary
    assert (summary["without_guarantee"], summary["shortfalls"]) == (10, 0)
    assert any("class 0: krum needs n > 2f + 2, got n=5, f=2" in w for w in summary["warnings"])


@pytest.mark.parametrize(("f", "warned"), [(1, False), (2, True)])
def test_check_counts_those_that_answer_for_a_class(f, warned, loaded):
    # Of each class there are three benign holders, and both adversaries: 5 rows of 12.
    strategy = {"kind": "desgd", "rule": {"kind": "krum", "f": f}}
    warnings = build(loaded(**STAR, server={"strategy": strategy})).warnings
    sentence = (
        f"strategy desgd has no guarantee for 10 of 10 classes: krum needs n > 2f + 2, got n=5, "
        f"f={f} (class 0, with the adversaries counted)"
    )
    assert (sentence in warnings) == warned
    assert len([w for w in warnings if "guarantee" in w]) == warned


def test_check_says_that_krum_of_the_paper_runs_at_its_limit(tmp_path):
    cells = load_sweep("papers/desgd_table1", TINY, tmp_path).cells
    krum = next(cell for cell in cells if cell.names[0] == "Krum+")
    (warning,) = (w for w in build(krum.loaded).warnings if "guarantee" in w)
    assert "for 10 of 10 classes: krum needs n > 2f + 2, got n=10, f=4" in warning


def test_the_best_round_and_how_far_apart_the_last_are(run_small):
    record = run_small(**STAR, rounds=12, server={"strategy": {"kind": "desgd"}})
    curve = {round_: value for round_, (value,) in accuracies(record).items()}
    summary = record.summary["curve"]
    assert summary["best"] == max(curve.values())
    assert curve[summary["best_round"]] == summary["best"]
    assert summary["late_spread"] == abs(curve[11] - curve[12])
    assert summary["late_mean"] == fmean([curve[11], curve[12]])
    assert summary["late_asr"] is None
    assert {"best", "late_mean", "late_asr", "late_spread"} <= set(RESULTS)


def test_how_many_rounds_are_late_and_how_often_a_backdoor_succeeds_in_them(run_small):
    late = {"every": 2, "late_rounds": 3}
    backdoor = {"adversaries": {"count": 1}, "attack": {"kind": "backdoor"}}
    record = run_small(rounds=5, evaluate=late, **backdoor)
    summary = record.summary["curve"]
    for metric, name in (("accuracy", "late_mean"), ("asr_excluding_target", "late_asr")):
        shares = [
            float(row["value"])
            for row in record.table("metrics")
            if row["metric"] == metric and row["role"] == "benign" and row["round"] in ("4", "5")
        ]  # rounds 3 to 5 are late, and of these two are measured
        assert summary[name] == pytest.approx(fmean(shares), abs=1e-12)
    assert summary["late_asr"] != record.summary["asr"]


def test_a_curve_of_peers_is_that_of_the_benign_peers_mean(run_small):
    record = run_small(rounds=2)
    curve = {round_: fmean(values) for round_, values in accuracies(record).items()}
    assert record.summary["curve"]["best"] == max(curve.values())
    assert run_small(evaluate={"every": 0}).summary["curve"] is None


@pytest.mark.ray
@pytest.mark.usefixtures("ray_session")
def test_several_classes_a_round_are_the_same_on_ray(run_small):
    strategy = {"kind": "desgd", "rule": {"kind": "krum", "f": 2}, "classes_per_round": 3}
    sections = {**STAR, "server": {"strategy": strategy}, "attack": {"kind": "sign_flip"}}
    inline = run_small(**sections)
    runtime = {"executor": "ray", "peers_per_actor": 6}
    elsewhere = run_small(**sections, runtime=runtime)
    assert elsewhere.summary["digest"] == inline.summary["digest"]
    for name in ("metrics.csv", "edges.csv", "messages.csv", "events.jsonl"):
        assert (inline.folder / name).read_bytes() == (elsewhere.folder / name).read_bytes()
