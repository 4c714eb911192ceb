"""The command line: exit codes, messages, and answers that a program can read."""

import json
import re
import subprocess
import sys
from types import SimpleNamespace

import pytest
import requests

import scenarios.doctor
import scenarios.fetch
import scenarios.runner
from p2pfl.data import DATASETS
from p2pfl.data.edge_cases import EDGE_SOURCES
from p2pfl.errors import DataError, PeerLost, RunError, ScenarioError, TooFewNeighbours
from scenarios.cli import main
from scenarios.commands.look import Family
from scenarios.doctor import Finding, examine
from scenarios.listing import catalogue

MAIN = "import sys; from scenarios.cli import main; sys.exit(main(sys.argv[1:]))"
SMALL = """\
name: small
rounds: 3
model: {kind: mlp}
topology: {kind: random_regular, peers: 4, degree: 3}
defense: {kind: rule, rule: {kind: krum, f: 1}}
network: {latency: {kind: constant, ms: 10}}
"""


@pytest.fixture
def cli(capsys):
    """Run a command: its exit code, and what it wrote."""

    def cli(*arguments):
        code = main([str(argument) for argument in arguments])
        written = capsys.readouterr()
        return SimpleNamespace(code=code, out=written.out, err=written.err)

    return cli


@pytest.fixture
def small(tmp_path):
    path = tmp_path / "small.yaml"
    path.write_text(SMALL)
    return path


@pytest.mark.parametrize("command", ["run", "check"])
@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        pytest.param(
            "rounds:", "ronds:",
            ["line 2, ronds: unknown key; allowed here: name, seed", "did you mean 'rounds'?"],
            id="typo in a key",
        ),
        pytest.param(
            "rounds: 3", "rounds: three",
            ['line 2, rounds: came "three" (text); allowed: a valid integer'],
            id="wrong type",
        ),
        pytest.param(
            "degree: 3", "degree: 4",
            ["line 4, topology.degree: degree must be in [1, peers)", "got 4"],
            id="impossible degree",
        ),
        pytest.param(
            "rounds: 3", "rounds: 3\ndata: {dataset: minst}",
            ['line 3, data.dataset: came "minst" (text); allowed: ', "did you mean 'mnist'?"],
            id="unknown data set",
        ),
        pytest.param(
            "ms: 10", "ms: -10",
            ["line 6, network.latency.ms: ms ", "-10"],
            id="negative latency",
        ),
        pytest.param(
            "kind: krum", "kind: crum",
            ["line 5, defense.rule.kind: came", "allowed: mean, median", "did you mean 'krum'?"],
            id="unknown rule",
        ),
        pytest.param(
            "kind: mlp}", "kind: mlp",
            ["small.yaml, line 4, column ", "is no valid YAML: while parsing a flow mapping"],
            id="bad YAML",
        ),
        pytest.param(
            "{kind: krum, f: 1}", "{kind: trimmed_mean, f: 2}",
            ["defense.rule: can be computed in no neighbourhood: ", "n=4, f=2", "lower f"],
            id="f too large",
        ),
        pytest.param(
            "{kind: random_regular, peers: 4, degree: 3}",
            "{kind: networkx, name: caveman_graph, arguments: {l: 2, k: 3}}",
            ["disconnected: it has 2 components, of 3, 3 peers", "allow_disconnected: true"],
            id="disconnected graph",
        ),
        pytest.param(SMALL, "", ["small.yaml: is empty; a scenario needs at least"], id="empty"),
    ],
)  # fmt: skip
def test_broken_scenarios(cli, small, command, old, new, said):
    assert old in SMALL
    small.write_text(SMALL.replace(old, new))
    done = cli(command, small)
    assert done.code == 2
    assert done.out == ""
    assert done.err.startswith("p2pfl: ")
    assert "Traceback" not in done.err
    for text in said:
        assert text in done.err


def test_a_rule_in_the_place_of_a_defense_is_told_apart(cli, small):
    for kind in ("median", "medain"):
        answer = cli("check", small, "--set", f"defense={{kind: {kind}}}")
        assert answer.code == 2
        hint = "median is a rule: {kind: rule, rule: {kind: median}}"
        assert answer.err.endswith(f"dfl_dual, gpd; {hint}\n")


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ("adversaries.count=4", "adversaries: the adversaries must leave a benign peer: 0 to 3"),
        ("attack={kind: backdoor, target: 40}", "attack: target must be a class of the data set"),
        ("topology={kind: ring, peers: 4}", "topology: the benign part of the graph is disco"),
    ],
)
def test_what_a_part_refuses_names_its_section(cli, small, change, said):
    rest = ["--set", "adversaries={placement: {kind: nodes, nodes: [0, 2]}}"]
    if "count" in change:
        rest = []
    answer = cli("check", small, *rest, "--set", change)
    assert answer.code == 2
    assert said in answer.err


def test_an_attack_that_nobody_carries_out_is_told(cli, small):
    told = "attack: nobody carries it out, as there are no adversaries"
    assert told in cli("check", small, "--set", "attack={kind: sign_flip}").out
    assert told not in cli("check", small).out


def test_a_reader_that_goes_away_ends_no_run(small, tmp_path):
    folder = tmp_path / "run"
    command = [sys.executable, "-u", "-c", MAIN, "run", str(small), "--out", str(folder)]
    command += ["--set", "runtime.executor=inline"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        assert process.stdout.readline()
        process.stdout.close()
        assert process.stderr.read() == b""
        assert process.wait() == 0
    assert json.loads((folder / "summary.json").read_text())["status"] == "done"


def test_missing_file(cli, tmp_path):
    done = cli("run", tmp_path / "quickstat.yaml")
    assert done.code == 2
    assert "no such file; bundled scenarios: " in done.err
    assert "did you mean 'quickstart'?" in done.err


def test_a_bad_set(cli, small):
    done = cli("run", small, "--set", "rounds=3", "--set", "rounds.x=3")
    assert done.code == 2
    assert "--set rounds.x=3: rounds is 3 and has nothing inside" in done.err


@pytest.mark.parametrize(
    "arguments", [["--nothing"], ["run"], ["fly"], ["list", "birds"], ["check", "a", "--out", "b"]]
)
def test_wrong_use_exits_with_2(cli, arguments):
    done = cli(*arguments)
    assert done.code == 2
    assert done.err
    assert "Traceback" not in done.err


class FakeRun:
    """Stands for a run: remembers how it was asked, and ends as told."""

    def __init__(self, outcome):
        self.outcome = outcome

    def __call__(self, loaded, out=None, data=None, watcher=None, report=False):
        self.asked = (loaded.scenario.rounds, loaded.sets, out, data)
        if isinstance(self.outcome, BaseException):
            raise self.outcome
        return self.outcome


@pytest.fixture
def fake_run(monkeypatch):
    def fake_run(outcome):
        fake = FakeRun(outcome)
        monkeypatch.setattr(scenarios.runner, "run", fake)
        return fake

    return fake_run


@pytest.mark.parametrize(
    ("outcome", "code"),
    [
        (ScenarioError("f is too large"), 2),
        (DataError("digits is damaged"), 2),
        (RunError("it failed"), 1),
        (PeerLost("peer 3: the process is gone"), 1),
        (TooFewNeighbours("needs n > 2f"), 1),
    ],
)
def test_errors_of_a_run(cli, small, fake_run, outcome, code):
    fake_run(outcome)
    done = cli("run", small)
    assert (done.code, done.err) == (code, f"p2pfl: {outcome}\n")


def test_ctrl_c(cli, small, fake_run):
    fake_run(KeyboardInterrupt())
    assert cli("run", small).code == 130


def record(tmp_path, status):
    return scenarios.runner.Record(tmp_path / "small-1", {"name": "small", "status": status})


def test_a_run_that_was_interrupted_in_good_order(cli, small, tmp_path, fake_run):
    fake_run(record(tmp_path, "interrupted"))
    assert cli("run", small).code == 130


def test_what_a_run_is_asked_and_answers(cli, small, tmp_path, fake_run):
    fake = fake_run(record(tmp_path, "done"))
    out, data = tmp_path / "here", tmp_path / "data"
    arguments = ("--set", "rounds=5", "--out", out, "--data", data, "--json")
    done = cli("run", small, *arguments)
    assert done.code == 0
    assert fake.asked == (5, ("rounds=5",), out, data)
    assert json.loads(done.out) == {
        "folder": str(tmp_path / "small-1"), "name": "small", "status": "done",
    }  # fmt: skip


def test_going_on_takes_a_folder_and_nothing_else(cli, small, tmp_path, monkeypatch):
    asked = []

    def resume(folder, data=None, watcher=None, report=False):
        asked.append((folder, data, report))
        return record(tmp_path, "done")

    monkeypatch.setattr(scenarios.runner, "resume", resume)
    done = cli("run", "--resume", tmp_path, "--data", tmp_path / "data", "--json")
    assert (done.code, json.loads(done.out)["status"]) == (0, "done")
    assert asked == [(tmp_path, tmp_path / "data", True)]
    for more in ((small,), ("--set", "rounds=5"), ("--out", tmp_path / "new")):
        done = cli("run", *more, "--resume", tmp_path)
        assert done.code == 2
        assert "resume" in done.err
    assert len(asked) == 1


def test_going_on_where_nothing_ran(cli, tmp_path):
    done = cli("run", "--resume", tmp_path / "nowhere")
    assert done.code == 2
    assert done.err == (
        f"p2pfl: --resume {tmp_path / 'nowhere'}: is no run folder: it has no scenario.yaml\n"
    )


def test_check_shows_each_neighbourhood_and_runs_nothing(cli, small, tmp_path):
    done = cli("check", small, "--set", "adversaries={count: 1}", "--set", "rounds=9")
    assert done.code == 0
    assert "who each benign peer hears" in done.out
    assert "dominated: 0 of 3 benign peers" in done.out
    assert "nothing was run" in done.out
    assert [path.name for path in tmp_path.iterdir()] == ["small.yaml"]


def test_check_for_programs(cli, small):
    done = cli("check", small, "--json", "--set", "adversaries={count: 1}")
    answer = json.loads(done.out)
    assert len(answer["adversaries"]) == 1
    assert answer["more_than_f"] == []
    assert [row["degree"] for row in answer["neighbourhoods"]["peers"]] == [3, 3, 3]
    assert answer["processes"]["peers_of_each_actor"] == [[0], [1], [2], [3]]


def test_check_shows_what_holds_the_graph_together(cli, small):
    done = cli("check", small)
    assert "spectral gap 1, vertex cut 3; the whole graph is r-robust for r up to 2" in done.out
    answer = json.loads(cli("check", small, "--json").out)
    assert answer["structure"]["robustness"] == {"at_least": 2, "at_most": 2, "tolerates": 0}
    # Krum with f = 1 needs more than four rows, and everybody has four.
    assert set(answer["breakdown"]) == {"0", "1", "2", "3"}
    assert "krum needs n > 2f + 2" in answer["breakdown"]["3"]
    assert "has no guarantee at 4 benign peers (0, 1, 2, 3)" in done.out


def test_check_names_every_peer_whose_rule_has_no_guarantee(cli, small):
    sets = ("--set", "topology={kind: ring, peers: 9}")
    done = cli("check", small, *sets, "--set", "defense.rule.f=0")
    assert "no guarantee" not in done.out
    done = cli("check", small, *sets, "--set", "defense={kind: rule, rule: {kind: median}}")
    assert "no guarantee" not in done.out
    done = cli("check", small, *sets)
    assert "at 9 benign peers (0, 1, 2, 3, 4, 5, 6, 7, 8)" in done.out


def test_check_draws_the_graph(cli, small, tmp_path):
    done = cli("check", small, "--png", tmp_path / "graph.png", "--set", "adversaries={count: 1}")
    assert done.code == 0
    assert (tmp_path / "graph.png").read_bytes().startswith(b"\x89PNG")
    done = cli("check", small, "--png", tmp_path / "nowhere" / "graph.png")
    assert done.code == 2
    assert "cannot be written: No such file or directory" in done.err


def test_check_names_those_whose_rule_cannot_hold(cli, small):
    sets = ("--set", "adversaries={placement: {kind: nodes, nodes: [0, 2]}}")
    assert json.loads(cli("check", small, "--json", *sets).out)["more_than_f"] == [1, 3]
    sets += ("--set", "defense={kind: gossip_average}")
    assert json.loads(cli("check", small, "--json", *sets).out)["more_than_f"] is None


def test_list_has_everything(cli):
    done = cli("list")
    assert done.code == 0
    for family in catalogue().values():
        for entry in family:
            assert entry.name in done.out
    assert {family.value for family in Family} == set(catalogue())


def test_list_one_family_with_its_keys(cli):
    done = cli("list", "topologies", "--verbose")
    assert "random_regular" in done.out
    assert "degree: int, required." in done.out
    assert "trimmed_mean" not in done.out


@pytest.mark.parametrize(
    ("singular", "plural"), [("attack", "attacks"), ("topology", "topologies")]
)
def test_list_takes_the_singular(cli, singular, plural):
    assert cli("list", singular).out == cli("list", plural).out != ""


def test_list_knows_what_a_typo_means(cli):
    done = cli("list", "atacks")
    assert done.code == 2
    assert "did you mean 'attacks'?" in " ".join(done.err.replace("\u2502", " ").split())


def test_list_shows_no_markup(cli):
    shown = cli("list", "--verbose").out
    assert "``" not in shown
    assert not re.search(r":\w+:`", shown)


def test_list_for_programs(cli):
    answer = json.loads(cli("list", "protocols", "--json").out)
    assert [entry["name"] for entry in answer["protocols"]] == ["rounds", "gossip", "pairwise"]
    rounds = answer["protocols"][0]
    timeout = next(key for key in rounds["keys"] if key["name"] == "timeout_s")
    assert (timeout["type"], timeout["required"], timeout["default"]) == ("float", False, 60.0)
    names = [
        entry["name"] for entry in json.loads(cli("list", "datasets", "--json").out)["datasets"]
    ]
    assert names == [source.name for source in DATASETS]


def test_schema_is_json(cli):
    assert json.loads(cli("schema").out)["title"] == "p2pfl scenario"


@pytest.fixture
def healthy(monkeypatch, tmp_path):
    monkeypatch.setattr(scenarios.doctor, "try_ray", lambda: None)
    monkeypatch.delenv("P2PFL_DATA", raising=False)
    return tmp_path


def test_doctor(cli, healthy):
    done = cli("doctor", "--data", healthy)
    assert done.code == 0
    for text in ("Python", "torch", "cores", "GPU", "Ray starts", "p2pfl data get mnist"):
        assert text in done.out.replace("\n", " ")


def test_doctor_for_programs(cli, healthy):
    found = {finding["name"]: finding for finding in json.loads(cli("doctor", "--json").out)}
    assert found["data folder"]["state"] == "note"
    assert found["data set digits"]["state"] == "good"


def test_doctor_says_that_ray_does_not_start(cli, healthy, monkeypatch):
    monkeypatch.setattr(scenarios.doctor, "try_ray", lambda: "no room in /dev/shm")
    done = cli("doctor")
    assert done.code == 1
    assert "no room in /dev/shm" in done.out.replace("\n", " ")


def test_doctor_finds_data(healthy):
    def state(name):
        found = {finding.name: finding for finding in examine(healthy)}
        return found[f"data set {name}"]

    source = next(source for source in DATASETS if source.name == "mnist")
    assert state("mnist").state == "note"
    folder = healthy / source.folders[0]
    folder.mkdir(parents=True)
    for file in source.files:
        (folder / (file + source.suffixes[-1])).touch()
    assert state("mnist") == Finding("data set mnist", "good", "is there")


def test_doctor_counts_the_parts(healthy):
    source = next(source for source in DATASETS if source.parts)
    folder = healthy / source.folders[0]
    folder.mkdir(parents=True)
    for file in (*source.files, source.parts[0]):
        (folder / file).touch()
    texts = {finding.name: finding.text for finding in examine(healthy)}
    assert texts[f"data set {source.name}"] == f"1 of {len(source.parts)} training files"


def test_doctor_finds_edge_case_images(healthy):
    source = EDGE_SOURCES["southwest"]
    (healthy / source.folder).mkdir()
    (healthy / source.folder / source.files[0]).touch()
    found = {finding.name: finding for finding in examine(healthy)}
    assert found["edge-case images southwest"].state == "good"
    assert "`p2pfl data get ardis` says how" in found["edge-case images ardis"].text


def test_data_get(cli, tmp_path, monkeypatch):
    asked = []

    def download(source, folder, on_progress, base_url=None):
        on_progress("x.gz", 5, 10)
        asked.append((source.name, folder, base_url))
        return (folder / "x.gz",)

    monkeypatch.setattr(scenarios.fetch, "download", download)
    done = cli("data", "get", "mnist", "--data", tmp_path, "--base-url", "http://localhost:1")
    assert (done.code, done.out) == (0, f"{tmp_path / 'x.gz'}\n")
    assert asked == [("mnist", tmp_path, "http://localhost:1")]


def test_data_get_refusals(cli, tmp_path, monkeypatch):
    monkeypatch.delenv("P2PFL_DATA", raising=False)
    done = cli("data", "get", "mnist")
    assert done.code == 2
    assert "Pass --data DIR or set P2PFL_DATA" in done.err
    done = cli("data", "get", "minst", "--data", tmp_path)
    assert done.code == 2
    assert "Did you mean 'mnist'?" in done.err
    assert cli("data", "get", "digits").code == 0


@pytest.mark.parametrize("name", ["ardis", "southwest"])
def test_data_get_says_how_to_place_what_it_cannot_get(cli, name):
    done = cli("data", "get", name)
    assert done.code == 2
    assert f"{name} cannot be downloaded from here: " in done.err
    assert EDGE_SOURCES[name].how in done.err
    assert name in cli("data", "get", "--help").out


def test_data_get_says_that_nobody_answers(cli, tmp_path, monkeypatch):
    def refuse(*_, **__):
        raise requests.ConnectionError("refused")

    monkeypatch.setattr(requests, "get", refuse)
    done = cli("data", "get", "mnist", "--data", tmp_path)
    assert done.code == 2
    assert "cannot fetch" in done.err


def test_help_imports_nothing_heavy():
    code = (
        "import sys; from scenarios.cli import main; main(['--help']);"
        "print(sorted({'torch', 'ray', 'matplotlib', 'sklearn', 'networkx'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == "[]"


def test_a_missing_file_is_told_before_anything_heavy_is_imported(tmp_path):
    code = (
        f"import sys; from scenarios.cli import main; main(['run', {str(tmp_path / 'x')!r}]);"
        "print(sorted({'torch', 'ray', 'matplotlib', 'sklearn', 'networkx'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"


def test_list_names_source_and_knowledge(cli):
    attacks = json.loads(cli("list", "attacks", "--json").out)["attacks"]
    by_name = {entry["name"]: entry for entry in attacks}
    assert "NeurIPS 2019. arXiv:1902.06156" in by_name["alie"]["source"]
    assert by_name["sign_flip"]["knowledge"] == "local"
    without = {entry["name"] for entry in attacks if not entry["source"]}
    rules = json.loads(cli("list", "rules", "--json").out)["rules"]
    assert without <= {"none", "constant", "zero", "random", "non_finite", "feature_noise"}
    assert all(rule["source"] for rule in rules if rule["name"] != "mean")
    assert "source: " in cli("list", "rules", "--verbose").out
