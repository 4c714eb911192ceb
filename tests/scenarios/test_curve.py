"""Curves: intervals and breaking points by hand, from made-up rows."""

import csv
import json
from math import inf, sqrt

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from p2pfl.errors import ScenarioError
from scenarios.cli import main
from scenarios.covariates import COVARIATES
from scenarios.curve.breaks import break_of, crossing
from scenarios.curve.lines import axes_of, curves, differences, interval, points
from scenarios.curve.plan import CurvePlan, read_plan
from scenarios.curve.study import break_rows, make_study, write_study
from scenarios.loader import Draft
from scenarios.results import COLUMNS
from scenarios.sweep import Axis, References, Sweep

T_2 = 4.302652729911275  # Student's t, 97.5 %, 2 degrees of freedom


def axis(key, values):
    return Axis(key, tuple(values), tuple(map(str, values)), ((),) * len(values))


def sweep_of(folder, *axes):
    return Sweep(axes, (), folder, References((), {}))


def rows_of(sweep, result):
    rows = [{}]
    for each in sweep.axes:
        rows = [{**row, each.key: name} for row in rows for name in each.names]
    return [{**dict.fromkeys(COLUMNS), "status": "done", **row, **result(row)} for row in rows]


@pytest.fixture
def study(tmp_path):
    """Mean falls from 0.9 by 0.2 a step, median stays at 0.8; seeds are 0.01 apart."""
    sweep = sweep_of(
        tmp_path, axis("defense", ["mean", "median"]), axis("adversaries.count", [4, 0, 2]),
        axis("seed", [1, 2, 3]),
    )  # fmt: skip

    def result(row):
        count, seed = int(row["adversaries.count"]), int(row["seed"])
        accuracy = 0.9 - 0.1 * count if row["defense"] == "mean" else 0.8
        return {
            "accuracy": accuracy + 0.01 * (seed - 2), "local_only": 0.5, "benign_only": 0.9,
            "hostile_share_mean": count / 8 + 0.001 * seed, "dominated_share": 0.0,
        }  # fmt: skip

    return sweep, rows_of(sweep, result)


def test_an_interval_by_hand():
    assert interval([]) is None
    assert interval([0.4]) == (0.4, None, None, 1)
    found = interval([0.1, 0.2, 0.3])
    assert found.mean == pytest.approx(0.2)
    assert found.high - found.mean == pytest.approx(T_2 * 0.1 / sqrt(3))
    assert found.mean - found.low == pytest.approx(found.high - found.mean)


def test_points_are_means_over_seeds_at_ascending_places(study):
    made = curves(*study, CurvePlan())
    assert (made.over, made.names, made.x) == ("adversaries.count", ("0", "2", "4"), (0, 2, 4))
    assert [line.name for line in made.lines] == ["mean", "median"]
    found = points(made.lines[0], "accuracy")
    assert [point.mean for point in found] == pytest.approx([0.9, 0.7, 0.5])
    assert {point.n for point in found} == {3}
    assert found[0].high - found[0].mean == pytest.approx(T_2 * 0.01 / sqrt(3))


def test_differences_are_paired_so_that_what_seeds_share_falls_out(study):
    made = curves(*study, CurvePlan())
    found = differences(made.lines[1], made.lines[0], "accuracy")
    assert [each.mean for each in found] == pytest.approx([-0.1, 0.1, 0.3])
    for each in found:  # both move alike with the seed
        assert each.high - each.low == pytest.approx(0, abs=1e-12)


def test_a_seed_that_failed_is_missing_from_its_points_and_pairs(study):
    sweep, rows = study
    for row in rows:
        if (row["defense"], row["adversaries.count"], row["seed"]) == ("median", "2", "3"):
            row |= {"status": "failed", "accuracy": None, "error": "it broke", "folder": "cells/7"}
    made = make_study(sweep, rows, CurvePlan())
    [figure] = made.figures
    assert [point.n for point in figure.points[1]] == [3, 2, 3]
    assert [each.n for each in figure.differences[1]] == [3, 2, 3]
    assert figure.breaks[1].n == 2
    assert made.alarms == ("cells/7 failed: it broke",)


@pytest.mark.parametrize(("margin", "at"), [
    ([0.3, 0.1, -0.1, -0.2], 1.5),
    ([0.3, 0.3, 0.0, 0.1], inf),  # at the threshold it holds
    ([-0.1, 0.2, 0.3, 0.1], -inf),
    ([0.3, -0.1, 0.3, -0.3], 0.75),  # the first time counts
])  # fmt: skip
def test_where_a_margin_first_goes_below_zero(margin, at):
    assert crossing(np.arange(4.0), np.array(margin)) == pytest.approx(at)


def test_breaks_by_hand(study):
    """Threshold 0.7: the mean meets it at 2, each seed a little before or behind."""
    made = make_study(*study, CurvePlan())
    mean, median = made.figures[0].breaks
    assert mean.at == pytest.approx(2)
    assert mean.n == 3
    assert 1.9 - 1e-9 <= mean.low < 2 < mean.high <= 2.1 + 1e-9  # seeds alone: 1.9, 2, 2.1
    assert (median.at, median.low, median.high) == (inf, inf, inf)
    assert break_rows(made, made.figures[0])[1:] == [
        ["mean", "2", f"{mean.low:.4g} to {mean.high:.4g}", "3"],
        ["median", "holds throughout", "holds throughout", "3"],
    ]
    strict = make_study(*study, CurvePlan(halfway=1.0)).figures[0].breaks
    assert strict[0].at == pytest.approx(0, abs=1e-9)
    assert strict[1].at == -inf
    assert make_study(*study, CurvePlan()).figures == made.figures  # the same draws each time


@given(st.lists(st.lists(st.floats(-1, 1), min_size=4, max_size=4), min_size=2, max_size=5))
def test_a_breaks_interval_lies_within_what_seeds_give(table):
    sweep = sweep_of(
        None, axis("adversaries.count", range(4)), axis("seed", range(len(table)))
    )  # fmt: skip
    rows = rows_of(
        sweep,
        lambda row: {
            "accuracy": table[int(row["seed"])][int(row["adversaries.count"])],
            "local_only": 0.0, "benign_only": 0.0,
        },
    )  # fmt: skip
    made = curves(sweep, rows, CurvePlan())
    found = break_of(made.lines[0], made.x, "accuracy", CurvePlan())
    assert found.low <= found.high
    for end in (found.at, found.low, found.high):
        assert abs(end) == inf or 0 <= end <= 3


def test_success_breaks_where_it_rises(tmp_path):
    sweep = sweep_of(tmp_path, axis("attack.scale", [1, 2, 3]), axis("seed", [1, 2]))
    rows = rows_of(sweep, lambda row: {"asr": int(row["attack.scale"]) / 4, "accuracy": None})
    made = make_study(sweep, rows, CurvePlan(success=0.6))
    assert [figure.column for figure in made.figures] == ["asr"]
    assert made.figures[0].breaks[0].at == pytest.approx(2.4)
    assert made.curves.lines[0].name == "all"


def test_without_references_nobody_can_tell(study):
    sweep, rows = study
    for row in rows:
        row |= {"local_only": None, "benign_only": None}
    made = make_study(sweep, rows, CurvePlan())
    assert made.figures[0].breaks == (None, None)
    assert made.as_dict() == {"accuracy": {"mean": None, "median": None}}
    assert break_rows(made, made.figures[0])[1] == ["mean", "not told", "-", "-"]


def test_against_the_graphs_numbers(study):
    made = make_study(*study, CurvePlan(against="hostile_share_mean"))
    assert made.curves.x == pytest.approx((0.002, 0.252, 0.502))
    assert made.figures[0].breaks[0].at == pytest.approx(0.252)
    assert break_rows(made, made.figures[0])[1][1] == "25.2 %"
    with pytest.raises(ScenarioError, match=r"have the same dominated_share, 0; each point"):
        curves(*study, CurvePlan(against="dominated_share"))
    with pytest.raises(ScenarioError, match=r"no cell with adversaries\.count 4 has a mean_hops"):
        curves(*study, CurvePlan(against="mean_hops"))


def test_the_tables_say_what_was_computed(study):
    sweep, rows = study
    made = make_study(sweep, rows, CurvePlan())
    write_study(sweep, made)
    with (sweep.folder / "curve.csv").open() as file:
        lines = list(csv.DictReader(file))
    assert len(lines) == 6
    assert lines[4] == {
        "result": "accuracy", "defense": "median", "adversaries.count": "2", "x": "2.0",
        **dict(zip(("mean", "low", "high", "seeds"),
                   map(str, made.figures[0].points[1][1]), strict=True)),
        **dict(zip(("difference", "difference_low", "difference_high", "pairs"),
                   map(str, made.figures[0].differences[1][1]), strict=True)),
    }  # fmt: skip
    with (sweep.folder / "breaks.csv").open() as file:
        assert [line["at"] for line in csv.DictReader(file)] == [
            str(found.at) for found in made.figures[0].breaks
        ]


@pytest.mark.parametrize(("axes", "plan", "said"), [
    ([axis("rounds", [1, 2])], {}, "over seeds, .* came none"),
    ([axis("rounds", [1, 2]), axis("seed", [1])], {}, "came none"),
    ([axis("rounds", [1, 2]), axis("seeds.graph", [1, 2]), axis("seeds.data", [1, 2])], {},
     "came seeds.graph and seeds.data"),
    ([axis("rounds", [1, 2]), axis("training.lr", [1, 2]), axis("seed", [1, 2])], {},
     "give `over`.*rounds, training.lr"),
    ([axis("defense", ["a", "b"]), axis("seed", [1, 2])], {}, "axes of numbers are none"),
    ([axis("defense", ["a", "b"]), axis("seed", [1, 2])], {"over": "defense"}, "are no numbers"),
    ([axis("rounds", [1]), axis("seed", [1, 2])], {"over": "rounds"}, "has one value"),
    ([axis("rounds", [1, 2]), axis("seed", [1, 2])], {"over": "seed"}, "came seed; .* are rounds"),
])  # fmt: skip
def test_axes_that_make_no_curve(axes, plan, said):
    with pytest.raises(ScenarioError, match=said):
        axes_of(sweep_of(None, *axes), CurvePlan(**plan))


@pytest.mark.parametrize(("section", "said"), [
    ("{ovr: rounds}", r"line 2, curve.ovr: unknown key"),
    ("{against: hostile_share}", r"against must be one of .* did you mean"),
    ("{figures: [loss]}", "figures may be accuracy, .*, got 'loss'"),
    ("{figures: [asr, asr]}", "each once"),
    ("{halfway: 2}", r"halfway must be in \[0, 1\], got 2"),
    ("3", "curve: came 3"),
])  # fmt: skip
def test_a_section_that_is_wrong_is_told_with_its_line(tmp_path, section, said):
    path = tmp_path / "study.yaml"
    path.write_text(f"name: study\ncurve: {section}\n")
    with pytest.raises(ScenarioError, match=said):
        read_plan(Draft.read(path))


def test_what_it_can_be_drawn_against_is_in_the_table():
    assert set(COVARIATES) < set(COLUMNS)


STUDY = """\
name: study
rounds: 2
data: {train_samples: 100, test_samples: 60}
model: {kind: logistic}
training: {lr: 0.5, batch_size: 8}
topology: {kind: complete, peers: 5}
adversaries: {placement: {kind: random}}
attack: {kind: sign_flip, scale: 20.0}
sweep:
  defense: [{kind: gossip_average}, {kind: local_only}]
  adversaries.count: [0, 2]
curve: {against: hostile_share_max, figures: [accuracy]}
"""


@pytest.mark.slow
def test_the_command_runs_the_sweep_and_goes_on(tmp_path, capsys):
    path, out = tmp_path / "study.yaml", tmp_path / "out"
    path.write_text(STUDY)
    words = ["curve", str(path), "--out", str(out), "--jobs", "1"]
    assert main(words) == 2
    assert "sweep one of them" in capsys.readouterr().err
    assert not out.exists()
    words += ["--sweep", "seed={from: 1, to: 2}", "--over", "adversaries.count"]
    assert main([*words, "--json"]) == 0
    breaks = json.loads(capsys.readouterr().out)["breaks"]["accuracy"]
    assert 0 < breaks["gossip_average"]["at"] < 0.5
    assert breaks["gossip_average"]["seeds"] == 2
    assert breaks["local_only"]["at"] == "from the start"  # it never is half way
    pages = {name: (out / name).read_bytes() for name in ("curve.csv", "breaks.csv", "curve.html")}
    logs = {log: log.stat().st_mtime_ns for log in out.glob("*/*/log.txt")}
    assert len(logs) == 8 + 8
    assert main(words) == 0
    assert {log: log.stat().st_mtime_ns for log in logs} == logs  # nothing ran again
    assert {name: (out / name).read_bytes() for name in pages} == pages
    said = capsys.readouterr().out
    assert "from the start" in said
    assert str(out / "curve.html") in said.replace("\n", "")
