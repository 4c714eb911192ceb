"""Methods side by side: equal data, adversaries and seeds, an equal budget, a table, a picture."""

import csv
import json
from base64 import b64encode

import numpy as np
import pytest
from ruamel.yaml import YAML

from actors.executor import Task
from actors.host import Host
from p2pfl.errors import ScenarioError
from scenarios.build import build
from scenarios.cli import main
from scenarios.progress import describe
from scenarios.report.folder import read_folder
from scenarios.report.page import page
from scenarios.report.side_by_side import Point, _caption, course, over_seeds
from scenarios.results import side_by_side
from scenarios.sweep import load_sweep
from scenarios.sweeper import require_equal, run_sweep

MESSAGE = 4 * (64 * 10 + 10) + 64
"""A logistic model on digits, and the header."""

GOSSIP = {"name": "gossip", "set": {"defense": {"kind": "gossip_average"}}}
FEDAVG = {"name": "server", "set": {"server.strategy": {"kind": "fed_avg", "weights": "uniform"}}}
STUDY = {
    "name": "both",
    "rounds": 1000,
    "budget": {"bytes": 45.0 * MESSAGE},
    "data": {"dataset": "digits", "partition": {"kind": "dirichlet", "alpha": 1.0}},
    "model": {"kind": "logistic"},
    "training": {"lr": 0.5},
    "topology": {"kind": "random_regular", "peers": 6, "degree": 3},
    "adversaries": {"count": 2},
    "attack": {"kind": "backdoor"},
    "compute": {"samples_per_s": 1000, "spread": 0.3},
    "compare": [GOSSIP, FEDAVG],
}


@pytest.fixture(scope="module")
def study(tmp_path_factory):
    def write(**sections):
        path = tmp_path_factory.mktemp("study") / "both.yaml"
        tree = {**STUDY, **sections}
        YAML().dump({key: value for key, value in tree.items() if value is not None}, path)
        return path

    return write


@pytest.fixture(scope="module")
def finished(study, tmp_path_factory):
    """A comparison of two methods over two seeds, and its rows."""
    out = tmp_path_factory.mktemp("out")
    sweep = load_sweep(study(sweep={"seed": [1, 2]}), out=out)
    return sweep, run_sweep(sweep, jobs=1)


# ---------------------------------------------------------------- what is equal


def experiments(path, tmp_path):
    return [build(cell.loaded) for cell in load_sweep(path, out=tmp_path / "out").cells]


@pytest.mark.parametrize("attack", [{"kind": "backdoor"}, {"kind": "label_flip"}])
def test_every_client_has_the_same_samples_and_does_the_same_with_them(study, tmp_path, attack):
    among, around = experiments(study(attack=attack), tmp_path)
    assert among.placed.adversaries == around.placed.adversaries
    assert len(among.placed.adversaries) == 2
    assert among.spec.coalitions == around.spec.coalitions
    assert np.array_equal(among.spec.initial, around.spec.initial)
    for one, other in zip(among.peers, around.peers[:-1], strict=True):
        assert (one.peer, one.coalition) == (other.peer, other.coalition)
        assert np.array_equal(one.samples, other.samples)
    # Training takes as long, and its first round gives the same bits, of adversaries too.
    assert among.timing.honest_ns == around.timing.honest_ns[:-1]
    assert among.timing.attack_ns == around.timing.attack_ns
    hosts = [Host(each.spec, each.peers, each.arrays) for each in (among, around)]
    told, _ = hosts[1].run(6, Task("instruct", 1, (0,), outputs=1), ())
    for peer in range(6):
        trained, _ = hosts[0].run(peer, Task("train", 1, outputs=1), ())
        answered, _ = hosts[1].run(peer, Task("answer", 1, outputs=1), [told])
        assert np.array_equal(trained.vector, answered.vector)
        assert not np.array_equal(trained.vector, among.spec.initial)


def test_what_one_server_holds_out_nobody_else_has(study, tmp_path):
    trusting = {"strategy": {"kind": "fl_trust"}, "held_out": 40}
    path = study(compare=[GOSSIP, FEDAVG, {"name": "trust", "set": {"server": trusting}}])
    among, around, holding = experiments(path, tmp_path)
    assert [e.scenario.data.withheld for e in (among, around, holding)] == [40, 40, 0]
    own = set(holding.peers[-1].samples.tolist())
    assert len(own) == 40
    assert not len(around.peers[-1].samples)
    for peer in range(6):
        samples = among.peers[peer].samples
        assert not own & set(samples.tolist())
        assert np.array_equal(samples, around.peers[peer].samples)
        assert np.array_equal(samples, holding.peers[peer].samples)
    assert sum(len(peer.samples) for peer in among.peers) == len(among.dataset.labels) - 40


def test_what_is_held_out_is_said_wherever_a_run_is_described(study, tmp_path):
    trusting = {"strategy": {"kind": "fl_trust"}, "held_out": 40}
    path = study(compare=[GOSSIP, {"name": "trust", "set": {"server": trusting}}], rounds=1)
    sweep = load_sweep(path, out=tmp_path / "out")
    run_sweep(sweep, jobs=1)
    for cell, said in zip(sweep.cells, (
        "40 training samples are withheld from all, as if a server held them out",
        "the server holds out 40 training samples, which no client has",
    ), strict=True):  # fmt: skip
        assert describe(build(cell.loaded)).endswith(f"; {said}")  # what check begins with
        assert f"; {said}</p>" in page(read_folder(cell.folder))
        summary = json.loads((cell.folder / "summary.json").read_text())
        assert "40 training samples are held out from the peers" in _caption(1, True, summary)
    plain = load_sweep(study(), out=tmp_path / "plain").cells[0].loaded
    assert "training samples" not in describe(build(plain))


RING = {"name": "ring", "set": {"topology": {"kind": "ring", "peers": 6}}}


@pytest.mark.parametrize(("sections", "said"), [
    ({"compare": [GOSSIP, {"name": "more", "set": {"topology.peers": 8}}]},
     "'gossip' and 'more' .*: they have 6 and 8 peers"),
    ({"compare": [RING, GOSSIP], "topology": {"kind": "star", "peers": 6},
      "allow_disconnected": True, "attack": {"kind": "sign_flip"},
      "adversaries": {"placement": {"kind": "dominate", "share": 0.5, "of": 0.5}}},
     r"their adversaries are 0, 2, 4 and 0, as the placement follows the graph; name them"),
    ({"compare": [RING, GOSSIP],
      "adversaries": {"placement": {"kind": "nodes", "nodes": [0, 3]}},
      "data": {"dataset": "digits", "partition": {"kind": "dirichlet", "alpha": 0.3},
               "assign": "by_distance"}, "topology": {"kind": "star", "peers": 6},
      "allow_disconnected": True},
     r"do not have the same samples; give data.assign: random"),
])  # fmt: skip
def test_what_cannot_be_equal_is_refused(study, tmp_path, sections, said, capsys):
    path = study(**sections)
    sweep = load_sweep(path, out=tmp_path / "out")
    with pytest.raises(ScenarioError, match=said):
        require_equal(sweep, None)
    with pytest.raises(ScenarioError, match=said):
        run_sweep(sweep)
    assert not (tmp_path / "out").exists()
    assert main(["check", str(path)]) == 2
    error = capsys.readouterr().err
    assert "cannot be held against each other" in error
    assert "in the cell with method: " in error


def test_different_graphs_with_named_adversaries_can_be_compared(study, tmp_path):
    nodes = {"placement": {"kind": "nodes", "nodes": [1, 2]}}
    sweep = load_sweep(study(compare=[RING, GOSSIP, FEDAVG], adversaries=nodes), out=tmp_path)
    require_equal(sweep, None)
    assert [build(cell.loaded).placed.adversaries for cell in sweep.cells] == [(1, 2)] * 3


def test_two_servers_that_hold_out_different_numbers_are_refused(study, tmp_path):
    two = [{"name": f"{count} held out", "set": {"server.held_out": count}} for count in (20, 40)]
    with pytest.raises(ScenarioError, match="servers hold out 20 and 40 samples"):
        load_sweep(study(compare=two), out=tmp_path)


# ---------------------------------------------------------------- the section


LINES = """\
name: both
rounds: 2
model: {kind: logistic}
topology: {kind: complete, peers: 5}
compare:
  - name: gossip
    set: {defense: {kind: gossip_average}}
  - name: server
    set:
      server.strategy: {kind: fed_avg}
      training.lr: 0.2
sweep:
  rounds: [2, 3]
"""


@pytest.mark.parametrize(("old", "new", "said"), [
    ("fed_avg", "fed_awg", "line 10, compare.1.set.server.strategy.kind: came"),
    ("training.lr: 0.2", "training.lr: -1", "line 11, compare.1.set.training.lr: lr must be"),
    ("training.lr: 0.2", "seed: 3", "line 11, compare.1.set.seed: a method may set topology"),
    ("training.lr: 0.2", "trainin.lr: 3", "did you mean 'training'?"),
    ("name: server", "name: gossip", 'line 8, compare.1.name: came "gossip" (text) once more'),
    ("name: server", "nam: server", "line 8, compare.1: came"),
    ("{defense: {kind: gossip_average}}", "[1]", "line 7, compare.0.set: came [1] (a list)"),
    ("rounds: [2, 3]", "training.lr: [1.0]", "method 'server' of compare sets training.lr"),
    ("rounds: [2, 3]", "server: [null]", "method 'server' of compare sets server.strategy"),
    ("rounds: [2, 3]", "method: [1]", "sweep.method: the methods of compare are called so"),
    ("rounds: [2, 3]", "rounds: 2", "sweep.rounds: came 2; allowed: a list"),
])  # fmt: skip
def test_a_mistake_is_told_with_its_line(tmp_path, old, new, said):
    assert LINES.count(old) == 1
    path = tmp_path / "both.yaml"
    path.write_text(LINES.replace(old, new))
    with pytest.raises(ScenarioError) as raised:
        load_sweep(path, out=tmp_path / "out")
    assert said in str(raised.value)


@pytest.mark.parametrize("section", [3, [], [GOSSIP], {"gossip": {}}])
def test_a_comparison_is_of_two_or_more(study, section):
    with pytest.raises(ScenarioError, match=r"compare: came .*allowed: a list of two or more"):
        load_sweep(study(compare=section))


def test_a_run_does_not_take_a_comparison(study, capsys):
    assert main(["run", str(study())]) == 2
    assert "compares methods, so it is many runs: use `p2pfl sweep" in capsys.readouterr().err


def test_check_builds_every_method(study, capsys):
    assert main(["check", str(study()), "--json"]) == 0
    answer = json.loads(capsys.readouterr().out)
    assert answer["cells"] == 2
    assert answer["axes"] == {"method": ["gossip", "server"]}


# ---------------------------------------------------------------- running it


def test_every_method_has_the_same_budget_and_keeps_within_it(finished):
    sweep, rows = finished
    assert [(row["method"], row["seed"]) for row in rows] == [
        ("gossip", "1"), ("gossip", "2"), ("server", "1"), ("server", "2"),
    ]  # fmt: skip
    for cell, row in zip(sweep.cells, rows, strict=True):
        summary = json.loads((cell.folder / "summary.json").read_text())
        assert summary["budget"] == {"bytes": 45.0 * MESSAGE, "virtual_s": None, "spent": "bytes"}
        assert row["bytes_sent"] == summary["messages"]["bytes"] == 45 * MESSAGE
        who = "server" if row["method"] == "server" else "benign"
        assert row["accuracy"] == summary["accuracy"][who]["mean"]
        assert row["asr"] == summary["asr"] is not None
        for name in ("resistance", "resistance_excluding_target", "overall_value"):
            assert row[name] == summary[name] is not None
        assert row["resistance_excluding_target"] == pytest.approx(1 - row["asr"])
    # 18 messages a round on a graph of degree three, 12 with a server.
    assert [row["rounds_done"] for row in rows[2:]] == [3, 3]
    assert {row["rounds_done"] for row in rows[:2]} <= {1, 2}
    # What each peer trains alone is a reference of the methods among peers.
    assert [row["local_only"] is None for row in rows] == [False, False, True, True]


def test_results_and_table_agree(finished):
    sweep, rows = finished
    with (sweep.folder / "results.csv").open() as file:
        written = list(csv.DictReader(file))
    assert [row["method"] for row in written] == [row["method"] for row in rows]
    assert [float(row["accuracy"]) for row in written] == [row["accuracy"] for row in rows]
    header, gossip, server = side_by_side(sweep, rows)
    assert header == ["method", "accuracy", "ASR", "rounds", "MB sent", "virtual s", "ended by"]
    assert [gossip[0], server[0]] == ["gossip", "server"]
    both = (rows[2]["accuracy"] + rows[3]["accuracy"]) / 2
    assert server[1] == f"{100 * both:.1f}"
    assert server[3:5] == ["3", "0.12"]
    assert server[-1] == "bytes"


def test_it_goes_on_where_it_was_and_draws_again(finished):
    sweep, rows = finished
    picture = sweep.folder / "side_by_side.png"
    assert picture.stat().st_size > 10_000
    times = [(cell.folder / "log.txt").stat().st_mtime_ns for cell in sweep.cells]
    picture.unlink()
    assert run_sweep(sweep, jobs=1, report=True) == rows
    page = (sweep.folder / "report.html").read_text()
    assert b64encode(picture.read_bytes()).decode() in page
    assert [(cell.folder / "log.txt").stat().st_mtime_ns for cell in sweep.cells] == times
    assert picture.exists()


# ---------------------------------------------------------------- the lines of the picture

HEAD = "time_s,round,peer,role,metric,value\n"


def metrics(folder, rows):
    """(time, peer, role, accuracy, asr, bytes) as a metrics.csv."""
    lines = []
    for time_s, peer, role, accuracy, asr, sent in rows:
        for name, value in (("accuracy", accuracy), ("asr", asr), ("bytes_sent", sent)):
            if value is not None:
                lines.append(f"{time_s},1,{peer},{role},{name},{value}\n")
    (folder / "metrics.csv").write_text(HEAD + "".join(lines))


def test_a_course_is_the_mean_of_each_peers_latest(tmp_path):
    metrics(tmp_path, [
        (1.0, 0, "benign", 0.1, 0.5, 100),
        (2.0, 2, "adversary", 0.0, 1.0, 120),
        (3.0, 0, "benign", 0.3, 0.7, 140),
        (4.0, 1, "benign", 0.5, 0.9, 150),   # now both are known, and three have come in
        (5.0, 0, "benign", 0.7, 0.1, 200),   # one more behind the last point
    ])  # fmt: skip
    first, last = course(tmp_path)
    assert first == pytest.approx((4.0, 150, 1, 0.4, 0.8, 0.2, 0.3))
    assert last == pytest.approx((5.0, 200, 1, 0.6, 0.5, 0.5, 0.55))


def test_r_counts_all_inputs_and_asr_those_of_other_classes(tmp_path):
    rows = ("accuracy,0.8", "asr,0.4", "asr_excluding_target,0.3", "bytes_sent,10")
    (tmp_path / "metrics.csv").write_text(HEAD + "".join(f"1.0,2,3,benign,{r}\n" for r in rows))
    assert course(tmp_path) == [pytest.approx((1.0, 10, 2, 0.8, 0.3, 0.6, 0.7))]


def test_of_a_server_every_evaluation_is_a_point(tmp_path):
    metrics(tmp_path, [(1.0, 9, "server", 0.1, None, 10), (2.0, 9, "server", 0.2, None, 20)])
    assert course(tmp_path) == [Point(1.0, 10.0, 1, 0.1), Point(2.0, 20.0, 1, 0.2)]


def test_a_run_without_evaluations_has_no_course(tmp_path):
    (tmp_path / "metrics.csv").write_text(HEAD)
    assert course(tmp_path) == []
    assert over_seeds("none", False, [[]]).points == ()


def test_seeds_are_averaged_point_by_point_and_meet_at_their_ends():
    one = [Point(1.0, 10, 1, 0.2, 0.5), Point(2.0, 20, 2, 0.4, 0.5), Point(3.0, 30, 3, 0.8, 0.5)]
    other = [Point(3.0, 30, 1, 0.4, 0.1), Point(5.0, 40, 2, 0.6, 0.3)]
    found = over_seeds("both", True, [one, other])
    assert found.points[0][:5] == pytest.approx((2.0, 20, 1, 0.3, 0.3))
    assert found.points[1][:5] == pytest.approx((4.0, 35, 2.5, 0.7, 0.4))
    assert found.points[1].overall_value is None
    assert [p.accuracy for p in found.lowest] == [0.2, 0.6]
    assert [p.asr for p in found.highest] == [0.5, 0.5]
