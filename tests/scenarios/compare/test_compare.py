"""Runs compared: what differs, who changed, where they part; the command and the page."""

import json
import shutil

import pytest

from p2pfl.errors import ScenarioError
from scenarios.cli import main
from scenarios.compare.comparison import compare
from scenarios.compare.pairs import pairs_of
from scenarios.compare.parting import partings
from scenarios.loader import load
from scenarios.runner import run

SMALL = (
    "runtime.executor=inline", "model={kind: logistic}", "data.train_samples=300", "rounds=3",
    "data.test_samples=100", "topology={kind: random_regular, peers: 8, degree: 4}",
    "adversaries={placement: {kind: nodes, nodes: [0, 1]}}", "record.messages=true",
    "allow_disconnected=true",
)  # fmt: skip
RUNS = {
    "median": (),
    "again": (),
    "mean": ("defense.rule={kind: mean}",),
    "krum": ("defense.rule={kind: krum, f: 1}",),
    "median 2": ("seed=2",),
    "mean 2": ("seed=2", "defense.rule={kind: mean}"),
    "moved": ("adversaries.placement.nodes=[0, 2]",),
    "larger": ("topology.peers=10",),
    "server": ("topology={kind: clients, peers: 8}", "server={strategy: {kind: fed_avg}}"),
}


@pytest.fixture(scope="module")
def ran(tmp_path_factory):
    """``ran("mean")``: the folder of that run; each is run once."""
    root, made = tmp_path_factory.mktemp("compared"), {}

    def folder(name):
        if name not in made:
            made[name] = root / name.replace(" ", "-")
            run(load("quickstart", [*SMALL, *RUNS[name]]), out=made[name], picture=False)
        return made[name]

    return folder


def test_only_the_key_that_was_set_differs(ran):
    (made,) = compare([ran("median"), ran("mean")])
    assert [tuple(change) for change in made.keys] == [
        ("defense.rule", "{kind: median}", "{kind: mean}")
    ]
    assert made.outcomes == ()
    assert made.over == "peers"


def test_keys_of_another_version_are_one_line(ran, tmp_path):
    older = tmp_path / "older"
    shutil.copytree(ran("mean"), older)
    text = (older / "scenario.yaml").read_text()
    assert "\non_shortfall: keep_own\n" in text
    (older / "scenario.yaml").write_text(text.replace("\non_shortfall: keep_own\n", "\n"))
    (made,) = compare([ran("median"), older])
    assert [tuple(change) for change in made.keys] == [
        ("defense.rule", "{kind: median}", "{kind: mean}"),
        ("keys of one version only", "on_shortfall", "none"),
    ]


def test_equal_runs_never_part(ran):
    (made,) = compare([ran("median"), ran("again")])
    assert (made.keys, made.outcomes, made.peers, made.partings) == ((), (), (), ())
    assert all(each.mean == 0 for course in made.courses for each in course.estimates)


def test_the_figures_are_those_of_the_tables(ran):
    (made,) = compare([ran("median"), ran("mean")])
    last = next(c.last for c in made.courses if (c.metric, c.role) == ("accuracy", "benign"))
    by_peer = [
        json.loads((ran(name) / "summary.json").read_text())["accuracy_by_peer"]
        for name in ("median", "mean")
    ]
    gains = {peer: by_peer[1][peer] - by_peer[0][peer] for peer in by_peer[0]}
    assert last.n == 6
    assert last.mean == pytest.approx(sum(gains.values()) / 6)
    changed = {str(change.peer): change.by for change in made.peers if change.peer > 1}
    assert len(changed) >= 2
    assert all(changed[peer] == abs(gains[peer]) for peer in changed)
    assert [change.by for change in made.peers] == sorted(
        (change.by for change in made.peers), reverse=True
    )


def test_a_moved_attacker_shows_in_the_outcome_and_at_the_peers(ran):
    (made,) = compare([ran("median"), ran("moved")])
    outcome = {change.what: (change.a, change.b) for change in made.outcomes}
    assert outcome["adversaries"] == ("0, 1", "0, 2")
    roles = {change.peer: (change.group_a, change.group_b) for change in made.peers}
    assert roles[1][0] == "adversary"
    assert roles[1][1].startswith("benign")
    assert roles[2][1] == "adversary"


def test_the_first_line_that_differs_is_found(ran, tmp_path):
    edited = tmp_path / "edited"
    shutil.copytree(ran("median"), edited)
    lines = (edited / "events.jsonl").read_text().splitlines()
    event = json.loads(lines[20])
    lines[20] = json.dumps({**event, "event": "timeout", "missing": [7]})
    (edited / "events.jsonl").write_text("\n".join([*lines, ""]))
    (found,) = partings(pairs_of([ran("median"), edited])[0][0])
    assert (found.file, found.line, found.time_s) == ("events.jsonl", 21, event["time_s"])
    assert found.b.peer == event["peer"]
    assert found.b.what == f"timeout: missing [7] (round {event['round']})"


def test_a_run_that_ends_early_parts_where_it_ends(ran, tmp_path):
    edited = tmp_path / "edited"
    shutil.copytree(ran("median"), edited)
    rows = (edited / "edges.csv").read_text().splitlines()
    (edited / "edges.csv").write_text("\n".join(rows[:9]) + "\n")
    (found,) = partings(pairs_of([ran("median"), edited])[0][0])
    assert (found.file, found.line, found.b) == ("edges.csv", 10, None)
    assert found.time_s == float(rows[9].split(",")[0])


@pytest.mark.parametrize(
    "order", [("median", "mean", "median 2", "mean 2"), ("median 2", "median", "mean 2", "mean")]
)
def test_pairs_are_of_one_seed_each(ran, order):
    (pairs,) = pairs_of([ran(name) for name in order])
    assert [(p.a.path, p.b.path) for p in pairs] == [
        (ran("median 2"), ran("mean 2")), (ran("median"), ran("mean")),
    ]  # fmt: skip
    (made,) = compare([ran(name) for name in order])
    assert made.over == "seeds"
    assert made.uneven == ()
    assert {change.what for change in made.keys} == {"defense.rule"}
    assert {course.last.n for course in made.courses} == {2}


def test_three_runs_are_two_comparisons_with_the_first(ran):
    made = compare([ran("median"), ran("mean"), ran("krum")])
    assert [(c.pairs[0].a.path, c.pairs[0].b.path) for c in made] == [
        (ran("median"), ran("mean")), (ran("median"), ran("krum")),
    ]  # fmt: skip


def test_another_seed_alone_is_a_comparison_too(ran):
    (made,) = compare([ran("median"), ran("median 2")])
    assert [change.what for change in made.keys] == ["seed"]
    assert made.pairs[0].seed == "58 | 2"


@pytest.mark.parametrize("other", ["larger", "server"])
def test_runs_of_other_peers_have_means_and_no_peers(ran, other):
    (made,) = compare([ran("median"), ran(other)])
    assert [course.role for course in made.courses] == ["judged"]
    assert made.peers == ()


@pytest.mark.parametrize(
    ("names", "said"),
    [
        (("median",), "two run folders or more, got 1"),
        (("median", "median"), "came twice"),
        (("median", "mean", "median 2"), "got 1 with seed 2, 2 with seed 58"),
    ],
)
def test_what_makes_no_pairs_is_refused(ran, names, said):
    with pytest.raises(ScenarioError, match=said):
        pairs_of([ran(name) for name in names])


def test_what_is_no_run_folder_exits_with_2(ran, tmp_path, capsys):
    assert main(["compare", str(ran("median")), str(tmp_path)]) == 2
    assert "is no run folder" in capsys.readouterr().err


def test_the_terminal_says_it_all(ran, capsys):
    assert main(["compare", str(ran("median")), str(ran("mean"))]) == 0
    said = capsys.readouterr().out
    for text in ("{kind: mean}", "at the end", "paired by peer", "which peers changed",
                 "the runs part at"):  # fmt: skip
        assert text in said


def test_a_program_can_read_it(ran, capsys):
    assert main(["compare", str(ran("median")), str(ran("mean")), "--json"]) == 0
    (made,) = json.loads(capsys.readouterr().out)
    assert made["intervals_over"] == "peers"
    assert made["keys"] == [{"what": "defense.rule", "a": "{kind: median}", "b": "{kind: mean}"}]
    assert [each["round"] for each in made["courses"][0]["by_round"]] == [1, 2, 3]


def test_a_page_that_cannot_be_written_exits_with_2(ran, tmp_path, capsys):
    out = tmp_path / "no" / "page.html"
    assert main(["compare", str(ran("median")), str(ran("mean")), "--out", str(out)]) == 2
    assert "cannot be written" in capsys.readouterr().err
