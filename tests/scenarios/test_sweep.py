"""A sweep runs every cell once, and goes on where it was."""

import csv
import json

import pytest
from ruamel.yaml import YAML

from p2pfl.errors import ScenarioError
from scenarios.cli import main
from scenarios.loader import load
from scenarios.results import grid
from scenarios.sweep import load_sweep
from scenarios.sweeper import run_cell, run_sweep

STUDY = {
    "name": "study",
    "rounds": 2,
    "model": {"kind": "logistic"},
    "topology": {"kind": "complete", "peers": 5},
    "adversaries": {"count": 1},
    "attack": {"kind": "sign_flip", "scale": 20.0},
    "sweep": {
        "defense": [
            {"kind": "gossip_average"},
            {"kind": "rule", "rule": {"kind": "median"}},
        ],
        "seed": [1, 2],
    },
}


@pytest.fixture
def study(tmp_path):
    def write(**sections):
        path = tmp_path / "study.yaml"
        YAML().dump({**STUDY, **sections}, path)
        return path

    return write


def sweep_of(path, tmp_path):
    return load_sweep(path, out=tmp_path / "out")


def test_what_belongs_together_is_set_together(study, tmp_path):
    sizes = [
        {"name": "few", "set": {"topology.peers": 4, "adversaries.count": 1}},
        {"name": "many", "set": {"topology.peers": 8, "adversaries.count": 3}},
    ]
    sweep = sweep_of(study(sweep={"size": sizes, "seed": [1, 2]}), tmp_path)
    found = [
        (cell.names, cell.loaded.scenario.topology.peers, cell.loaded.scenario.adversaries.count)
        for cell in sweep.cells
    ]
    assert found == [
        (("few", "1"), 4, 1), (("few", "2"), 4, 1), (("many", "1"), 8, 3), (("many", "2"), 8, 3),
    ]  # fmt: skip
    wrong = [{"name": "few", "set": {"topology.peers": 4, "adversaries.cuont": 1}}]
    with pytest.raises(
        ScenarioError, match=r"line \d+, sweep.size.0.set.adversaries.cuont: .*count"
    ):
        sweep_of(study(sweep={"size": wrong}), tmp_path)


def test_every_cell_runs_and_the_tables_agree(study, tmp_path):
    sweep = sweep_of(study(), tmp_path)
    told = []
    rows = run_sweep(sweep, jobs=1, on_cell=lambda cell, row: told.append(cell.names))
    assert [(row["defense"], row["seed"]) for row in rows] == [
        ("gossip_average", "1"), ("gossip_average", "2"), ("median", "1"), ("median", "2"),
    ]  # fmt: skip
    cells = (*sweep.references.cells, *sweep.cells)
    assert sorted(told) == sorted(cell.names for cell in cells)
    for cell, row in zip(sweep.cells, rows, strict=True):
        summary = json.loads((cell.folder / "summary.json").read_text())
        assert row["benign_mean"] == summary["accuracy"]["benign"]["mean"]
        assert summary["seed"] == int(row["seed"])
    with (sweep.folder / "results.csv").open() as file:
        assert [float(row["benign_mean"]) for row in csv.DictReader(file)] == [
            row["benign_mean"] for row in rows
        ]
    table = list(grid(sweep, rows, "accuracy"))
    assert table[0] == ["defense", "1", "2"]
    assert table[1][0] == "gossip_average"
    assert float(table[2][1]) == pytest.approx(100 * rows[2]["benign_mean"], abs=0.05)


def test_it_goes_on_where_it_was(study, tmp_path):
    sweep = sweep_of(study(), tmp_path)
    whole = run_sweep(sweep, jobs=1)
    times = {cell.names: (cell.folder / "log.txt").stat().st_mtime_ns for cell in sweep.cells}
    # One cell was killed in the middle, and one belongs to another version of the file.
    killed, other = sweep.cells[1], sweep.cells[2]
    summary = json.loads((killed.folder / "summary.json").read_text())
    (killed.folder / "summary.json").write_text(json.dumps({**summary, "status": "running"}))
    text = (other.folder / "scenario.yaml").read_text()
    (other.folder / "scenario.yaml").write_text(text.replace("rounds: 2", "rounds: 3"))
    again = run_sweep(sweep_of(study(), tmp_path), jobs=1)
    ran = {
        cell.names
        for cell in sweep.cells
        if (cell.folder / "log.txt").stat().st_mtime_ns != times[cell.names]
    }
    assert ran == {killed.names, other.names}
    assert again == whole


def test_a_cell_runs_again_when_the_users_own_code_has_changed(study, tmp_path):
    code = """
from dataclasses import dataclass

from p2pfl.defenses.base import PeerDefense
from p2pfl.types import Merge


@dataclass(frozen=True)
class Scaled(PeerDefense):
    def init(self, d):
        return None

    def merge(self, view, state):
        return Merge(model=view.own * FACTOR, influence=view.own.new_zeros(4)), state
"""
    module = tmp_path / "scaled_by.py"
    path = study(sweep={"defense": [{"use": "scaled_by:Scaled"}, {"kind": "local_only"}]})
    digests = []
    for factor in ("1.0", "0.0", "0.0"):
        module.write_text(code.replace("FACTOR", factor))
        sweep = sweep_of(path, tmp_path)
        run_sweep(sweep, jobs=1)
        texts = [(cell.folder / "summary.json").read_text() for cell in sweep.cells]
        digests.append([json.loads(text)["digest"] for text in texts])
    assert digests[0][0] == digests[0][1]  # factor 1 is to keep one's own
    assert digests[1][0] != digests[0][0]
    assert digests[2] == digests[1]


def test_a_failed_cell_stops_nobody(study, tmp_path):
    star = {"kind": "star", "peers": 5}
    rule = {"kind": "rule", "rule": {"kind": "trimmed_mean", "f": 1}}
    path = study(
        topology=star, defense=rule, adversaries=None,
        sweep={"on_shortfall": ["fail", "keep_own"]},
    )  # fmt: skip
    sweep = sweep_of(path, tmp_path)
    failed, done = run_sweep(sweep, jobs=1)
    assert failed["status"] == "failed"
    assert "trimmed_mean needs" in failed["error"]
    assert done["status"] == "done"
    assert list(grid(sweep, [failed, done], "accuracy"))[1] == ["fail", "failed"]


def test_a_cell_is_the_run_of_its_scenario(study, tmp_path):
    cell = sweep_of(study(), tmp_path).cells[3]
    summary = run_cell(cell, None)
    sets = ["seed=2", "defense={kind: rule, rule: {kind: median}}", "runtime.executor=inline"]
    from scenarios import run

    plain = {key: value for key, value in STUDY.items() if key != "sweep"}
    YAML().dump(plain, tmp_path / "plain.yaml")
    record = run(load(tmp_path / "plain.yaml", sets), out=tmp_path / "plain")
    assert record.summary["digest"] == summary["digest"]


@pytest.mark.parametrize(("section", "said"), [
    ({"seed": 3}, r"sweep.seed: came 3; allowed: a list"),
    ({"sed": [1]}, r"sweep.sed.0: unknown key.*did you mean 'seed'"),
    ({"attack": [{"kind": "none"}, {"kind": "sign_flop"}]}, "did you mean 'sign_flip'"),
    ([1], "sweep: allowed: a mapping of keys to lists"),
])  # fmt: skip
def test_what_is_wrong_is_said_before_anything_runs(study, tmp_path, section, said):
    with pytest.raises(ScenarioError, match=said):
        sweep_of(study(sweep=section), tmp_path)
    assert not (tmp_path / "out").exists()


LINES = """\
name: study
rounds: 2
model: {kind: logistic}
topology: {kind: complete, peers: 5}
adversaries: {count: 1}
attack: {kind: sign_flip}
sweep:
  attack:
    - {kind: none}
    - kind: sign_flip
      scale: 3.0
  training.lr: [1.0, 2.0]
  topology.peers:
    - 5
    - 6
"""


@pytest.mark.parametrize(("old", "new", "said", "cell"), [
    ("      scale: 3.0", "      scal: 3.0", "line 11, sweep.attack.1.scal: unknown key",
     "attack: sign_flip, training.lr: 1.0, topology.peers: 5"),
    ("[1.0, 2.0]", "[1.0, two]", 'line 12, sweep.training.lr.1: came "two" (text)',
     "attack: none, training.lr: two, topology.peers: 5"),
    ("    - 6", "    - -6", "line 15, sweep.topology.peers.1: peers ",
     "attack: none, training.lr: 1.0, topology.peers: -6"),
    ("rounds: 2", "rounds: two", 'line 2, rounds: came "two"',
     "attack: none, training.lr: 1.0, topology.peers: 5"),
    ("[1.0, 2.0]", "1.0", "line 12, sweep.training.lr: came 1.0; allowed: a list", None),
    ("training.lr:", "name.x:", "line 12, sweep.name.x.0: name is 'study' and has nothing", None),
])  # fmt: skip
def test_the_line_of_a_mistake_is_that_of_the_sweeps_value(tmp_path, old, new, said, cell):
    assert old in LINES
    path = tmp_path / "study.yaml"
    path.write_text(LINES.replace(old, new))
    with pytest.raises(ScenarioError) as raised:
        sweep_of(path, tmp_path)
    assert said in str(raised.value)
    notes = getattr(raised.value, "__notes__", [])
    assert notes == ([] if cell is None else [f"in the cell with {cell}"])


def test_a_set_that_is_wrong_in_a_sweep_is_named_and_no_line(study, tmp_path):
    with pytest.raises(ScenarioError, match=r"--set sweep\.seed=\[x\], sweep\.seed\.0: came"):
        load_sweep(study(), ["sweep.seed=[x]"], out=tmp_path / "out")


def test_check_tells_of_which_cells_it_warns(study, capsys):
    path = study(sweep={"adversaries": [None, {"count": 1}], "seed": [1, 2, 3]})
    assert main(["check", str(path)]) == 0
    out = capsys.readouterr().out
    assert "all valid, 3 with warnings" in out
    assert "warning, None, 1 and 2 more: attack: nobody carries it out" in out


def test_a_file_without_a_sweep_is_told_how_to_say_one(study, tmp_path):
    with pytest.raises(ScenarioError, match=r"says nothing to sweep over: .* --sweep 'seed="):
        load_sweep("quickstart", out=tmp_path / "out")


def test_check_builds_every_cell_and_shows_the_first(study, tmp_path, capsys):
    path = study(sweep={"attack.scale": [1.0, 2.0], "adversaries.count": [1, 2, 0]})
    assert main(["check", str(path)]) == 0
    out = capsys.readouterr().out
    assert "6 cells (2 attack.scale x 3 adversaries.count), all valid, 0 with warnings" in out
    assert "this is the first cell:" in out
    assert "who each benign peer hears" in out
    assert "nothing was run" in out
    assert [path.name for path in tmp_path.iterdir()] == ["study.yaml"]


def test_check_of_a_sweep_for_programs(study, capsys):
    krum = {"kind": "rule", "rule": {"kind": "krum", "f": 2}}  # 5 peers, n > 2f + 2
    path = study(sweep={"defense": [{"kind": "local_only"}, krum]})
    assert main(["check", str(path), "--json"]) == 0
    answer = json.loads(capsys.readouterr().out)
    assert (answer["cells"], answer["with_warnings"]) == (2, 1)
    assert answer["axes"] == {"defense": ["local_only", "krum"]}
    assert answer["first"]["scenario"].count("local_only") == 1


def test_check_names_the_first_cell_that_cannot_be_built(study, capsys):
    path = study(attack={"kind": "backdoor"}, sweep={"attack.target": [9, 10], "seed": [1, 2]})
    assert main(["check", str(path)]) == 2
    error = capsys.readouterr().err
    assert "target must be a class of the data set, 0 .. 9, got 10" in error
    assert "in the cell with attack.target: 10, seed: 1" in error


def test_a_run_does_not_take_a_sweep(study, capsys):
    assert main(["run", str(study())]) == 2
    assert "use `p2pfl sweep" in capsys.readouterr().err


def test_the_command_shows_the_table(study, tmp_path, capsys):
    path = study(sweep={"seed": [1, 2]})
    assert main(["sweep", str(path), "--out", str(tmp_path / "out"), "--jobs", "2"]) == 0
    out = capsys.readouterr().out
    assert "mean accuracy of benign peers in %" in out
    assert str(tmp_path / "out" / "results.csv") in out.replace("\n", "")


def test_which_accuracy_is_shown_moves_no_cell(study, tmp_path, capsys):
    def ended():
        logs = (tmp_path / "out").glob("*/*/log.txt")
        return {path: path.stat().st_mtime_ns for path in logs}

    rows = run_sweep(sweep_of(study(), tmp_path), jobs=1)
    times = ended()
    path = study(evaluate={"score": "best"})
    assert main(["sweep", str(path), "--out", str(tmp_path / "out"), "--jobs", "1"]) == 0
    out = capsys.readouterr().out
    assert "mean accuracy of benign peers at the best round in %" in out
    best = "  ".join(line for line in out.splitlines() if "median" in line)
    assert f"{100 * rows[2]['best']:.1f}" in best
    assert ended() == times
    with pytest.raises(ScenarioError, match=r"evaluate.score .* which differ in them"):
        sweep_of(study(sweep={"evaluate.score": ["best", "last"]}), tmp_path)


def test_the_command_shows_the_servers_model(study, tmp_path, capsys):
    swept = {"server.strategy": [{"kind": "fed_avg"}, {"kind": "flame"}]}
    path = study(topology={"kind": "clients", "peers": 5}, sweep=swept)
    assert main(["sweep", str(path), "--out", str(tmp_path / "out"), "--jobs", "1"]) == 0
    out = capsys.readouterr().out
    assert "accuracy of the server's model in %" in out
    assert "local_only" not in out  # a server has no references
    with (tmp_path / "out" / "results.csv").open() as file:
        for row in csv.DictReader(file):
            line = next(line for line in out.splitlines() if f"│ {row['server.strategy']}" in line)
            assert line.split()[-2] == f"{100 * float(row['accuracy']):.1f}"


def test_a_range_is_written_out_and_a_mistake_in_it_has_its_line(study, tmp_path):
    sweep = sweep_of(study(sweep={"attack.scale": {"from": 1, "to": 3}, "seed": [4]}), tmp_path)
    assert [cell.names for cell in sweep.cells] == [("1", "4"), ("2", "4"), ("3", "4")]
    assert sweep.axes[0].numbers == (1, 2, 3)
    path = tmp_path / "study.yaml"
    path.write_text(LINES.replace("[1.0, 2.0]", "{from: 1.0, to: 2.0}"))
    with pytest.raises(ScenarioError, match=r"line 12, sweep.training.lr: a range between"):
        sweep_of(path, tmp_path)
    path.write_text(LINES.replace("[1.0, 2.0]", "{from: -1, to: 2}"))
    with pytest.raises(
        ScenarioError, match=r"line 12, sweep.training.lr: lr must be finite and > 0"
    ):
        sweep_of(path, tmp_path)


def test_axes_on_the_command_line(study, tmp_path):
    def names(path, *sweeps):
        sweep = load_sweep(path, out=tmp_path / "out", sweeps=sweeps)
        return [axis.key for axis in sweep.axes], [cell.names for cell in sweep.cells]

    path = study(sweep={"seed": [1, 2]})
    more = "attack.scale={from: 1, to: 2}"
    assert names(path, more) == (
        ["seed", "attack.scale"], [("1", "1"), ("1", "2"), ("2", "1"), ("2", "2")],
    )  # fmt: skip
    assert names(path, "seed=[7]") == (["seed"], [("7",)])
    plain = {key: value for key, value in STUDY.items() if key != "sweep"}
    YAML().dump(plain, path)
    assert names(path, "seed=[7, 8]") == (["seed"], [("7",), ("8",)])
    for wrong, said in (
        ("seed", "--sweep seed: allowed: a path and a value"),
        ("seed=3", "--sweep seed: came 3; allowed: a list"),
        ("sed=[1]", "--sweep sed.0: unknown key"),
    ):
        with pytest.raises(ScenarioError, match=said):
            names(path, wrong)
