"""The pages of sweeps and curves in a real browser, from made-up rows."""

from statistics import fmean

import pytest

from scenarios.curve.page import write_curve_page
from scenarios.curve.plan import CurvePlan
from scenarios.curve.study import make_study, write_study
from scenarios.loader import load
from scenarios.report.sweep_page import write_sweep_page
from scenarios.results import COLUMNS
from scenarios.sweep import Axis, Cell, References, Sweep
from scenarios.sweep_files import write_files

STATES = "Array.from(document.querySelectorAll('.panel'), p => [p.id, p.dataset.state])"


def axis(key, values):
    return Axis(key, tuple(values), tuple(map(str, values)), ((),) * len(values))


AXES = (
    axis("defense", ["mean", "a <b> & c", "krum"]), axis("attack", ["none", "backdoor"]),
    axis("adversaries.count", [0, 2, 4]), axis("seed", [1, 2, 3]),
)  # fmt: skip


def result(row):
    count, seed = int(row["adversaries.count"]), int(row["seed"])
    hostile = count * (row["attack"] == "backdoor")
    slope = {"mean": 0.15, "krum": 0.02}.get(row["defense"], 0.08)
    return {
        "status": "done", "accuracy": 0.9 - slope * hostile + 0.01 * seed, "benign_worst": 0.1,
        "asr": slope * count if row["attack"] == "backdoor" else None, "local_only": 0.5,
        "benign_only": 0.95, "shortfalls": 0, "without_guarantee": int(row["defense"] == "krum"),
        "hostile_share_mean": count / 8, "folder": f"cells/{count}{seed}",
    }  # fmt: skip


@pytest.fixture(scope="module")
def swept(tmp_path_factory):
    """A sweep and its rows, one of which failed."""
    folder = tmp_path_factory.mktemp("swept")
    cell = Cell(("",) * 4, folder / "cells" / "0000", load("quickstart", ["rounds=3"]))
    sweep = Sweep(AXES, (cell,), folder, References((), {}))
    rows = [{}]
    for each in AXES:
        rows = [{**row, each.key: name} for row in rows for name in each.names]
    rows = [{**dict.fromkeys(COLUMNS), **row, **result(row)} for row in rows]
    rows[-1] |= {"status": "failed", "accuracy": None, "asr": None, "error": "it <broke>"}
    write_files(sweep, rows)
    write_sweep_page(sweep, rows)
    return sweep, rows


@pytest.fixture(scope="module")
def drawn(swept):
    """The curves of its backdoor."""
    sweep, rows = swept
    plan = CurvePlan(over="adversaries.count", against="hostile_share_mean")
    study = make_study(sweep, rows, plan)
    write_study(sweep, study)
    return study, write_curve_page(sweep, study)


@pytest.mark.parametrize("width", [1280, 390])
@pytest.mark.parametrize("page", ["report", "curve"])
def test_all_is_drawn_without_a_word_on_the_console(browser, swept, drawn, page, width):
    path = swept[0].folder / f"{page}.html"
    browser.open(path, width, phone=width < 600)
    states = dict(browser.do(STATES))
    assert set(states.values()) == {"drawn"}
    assert len(states) == (9 if page == "report" else 4)
    assert browser.complaints() == []
    assert browser.asked_for() == [path.resolve().as_uri()]
    assert browser.do("document.documentElement.scrollWidth") <= width
    assert "cells/43" in browser.do("document.querySelector('.alarms').textContent")
    assert "it <broke>" in browser.do("document.querySelector('.alarms').textContent")


def test_a_heat_map_has_the_means_of_the_rows(browser, swept):
    sweep, rows = swept
    browser.open(sweep.folder / "report.html")
    fields = browser.do(
        "Array.from(document.querySelector('#map-accuracy-0 .chart')._fullData[0].z,"
        " line => Array.from(line))"
    )
    for line, defense in zip(fields, AXES[0].names, strict=False):
        for value, attack in zip(line, AXES[1].names, strict=True):
            known = [
                row["accuracy"] for row in rows
                if (row["defense"], row["attack"], row["adversaries.count"])
                == (defense, attack, "0")
            ]  # fmt: skip
            assert value == pytest.approx(100 * fmean(known))
    assert len(fields) == 3 + 2  # the references below
    table = browser.do("document.querySelector('.block table').textContent")
    assert "a <b> & c" in table
    assert "(local_only)" in table


def test_a_curve_has_its_points_and_its_break(browser, drawn):
    study, path = drawn
    browser.open(path)
    traces = browser.do(
        "document.querySelector('#accuracy-curve .chart')._fullData"
        ".filter(trace => trace.name && trace.marker?.symbol)"
        ".map(trace => [trace.name, Array.from(trace.x), Array.from(trace.y)])"
    )
    by_name = {name: (x, y) for name, x, y in traces}
    for line, points in zip(study.curves.lines, study.figures[0].points, strict=True):
        x, y = by_name[line.name]
        assert x == [0, 25, 50]
        assert y == pytest.approx([100 * point.mean for point in points])
    # 0.9 + 0.02 - 0.6 x 2 in a hundred is 0.725, half way from 0.5 to 0.95, at 16.25 %.
    number = [line.name for line in study.curves.lines].index("mean, backdoor")
    found = study.figures[0].breaks[number]
    assert found.at == pytest.approx((0.92 - 0.725) / 0.15 / 8)
    assert f"{100 * found.at:.1f} %" in browser.do("document.querySelector('main').textContent")
