"""The page's figures, computed by hand from a run's CSV files, or known from a folder made here."""

import csv
import json
import re
from collections import defaultdict
from html import unescape
from shutil import copytree

import networkx as nx
import numpy as np
import pytest

from p2pfl.errors import ScenarioError
from scenarios.report.charts import chained, frames_of
from scenarios.report.decisions import decision_map, measured, rates
from scenarios.report.folder import Series, read_folder
from scenarios.report.headline import alarms, headline
from scenarios.report.layout import holds_ring, places
from scenarios.report.learning import curves, mean_of
from scenarios.report.page import page, write_report
from scenarios.report.place import by_client, by_place, covariates, means_along
from scenarios.report.spread import after_each, heeded, some_rounds, spread
from scenarios.report.styles import UNKNOWN
from scenarios.report.traffic import delays, edge_map, fates, round_times, staleness

MEASURES = ("bytes", "dropped", "late", "rejected", "accepted", "delay")


def table(folder, name):
    with (folder / f"{name}.csv").open() as file:
        return list(csv.DictReader(file))


def mean(values):
    values = list(values)
    return sum(values) / len(values)


@pytest.fixture
def folder(reported):
    return reported("p2p").folder


@pytest.fixture
def tiles(folder):
    """Name and text of each headline figure, as they stand in the page."""
    text = (folder / "report.html").read_text()
    found = re.findall(r"<dt>(.*?)</dt><dd>(.*?)</dd>", text)
    return {unescape(name): unescape(value) for name, value in found}


def last_of(folder, metric, role="benign"):
    rows = [row for row in table(folder, "metrics") if row["metric"] == metric]
    return {int(row["peer"]): float(row["value"]) for row in rows if row["role"] == role}


def test_the_headline_is_what_the_tables_say(folder, tiles):
    accuracy = last_of(folder, "accuracy")
    assert len(accuracy) == 5
    rows = table(folder, "metrics")
    of = {m: mean(float(r["value"]) for r in rows if r["metric"] == m)
          for m in ("adversary_influence", "tpr", "fpr")}  # fmt: skip
    sent = sum(int(row["bytes"]) for row in table(folder, "messages"))
    summary = json.loads((folder / "summary.json").read_text())
    assert tiles == {
        "Accuracy, benign mean": f"{100 * mean(accuracy.values()):.1f} %",
        "Worst benign peer": f"{100 * min(accuracy.values()):.1f} %",
        "Attack success (ASR)":
            f"{100 * mean(last_of(folder, 'asr_excluding_target').values()):.1f} %",
        "Adversaries' influence": f"{100 * of['adversary_influence']:.1f} %",
        "Adversaries flagged (TPR)": f"{100 * of['tpr']:.1f} %",
        "Benign flagged (FPR)": f"{100 * of['fpr']:.1f} %",
        "Bytes sent": f"{sent / 1e6:,.1f} MB",
        "Virtual time": f"{summary['virtual_s']:,.1f} s",
        "Wall time": f"{summary['wall_s']['total']:,.1f} s",
    }  # fmt: skip
    assert 0 < of["tpr"] < 1  # neither nothing nor everything: else this would not tell much


def test_the_headline_agrees_with_the_summary(reported):
    for name in ("p2p", "server", "two hundred", "one benign"):
        record = reported(name)
        figures = {figure.name: figure.value for figure in headline(read_folder(record.folder))}
        summary = record.summary
        who = "server" if name == "server" else "benign"
        first = next(iter(figures.values()))
        assert first == pytest.approx(summary["accuracy"][who]["mean"])
        if who == "benign":
            assert figures["Worst benign peer"] == summary["accuracy"]["benign"]["worst"]
        assert figures["Adversaries' influence"] == pytest.approx(summary["adversary_influence"])
        assert figures.get("Benign flagged (FPR)") == pytest.approx(summary["flags_fpr"])
        assert figures.get("Attack success (ASR)") == pytest.approx(summary["asr"])
        assert figures["Bytes sent"] == summary["messages"]["bytes"]


def test_means_of_a_group_by_round(folder):
    run = read_folder(folder)
    dominated = set(run.summary["dominated"])
    by_round = defaultdict(list)
    for row in table(folder, "metrics"):
        if row["metric"] == "accuracy" and int(row["peer"]) in dominated:
            by_round[int(row["round"])].append(100 * float(row["value"]))
    drawn = curves(run, run.metrics["accuracy"], "test accuracy", "round")
    [line] = [t for t in drawn.data if t.name == f"benign, dominated ({len(dominated)})"]
    assert dominated
    assert line.x.tolist() == sorted(by_round)
    assert line.y.tolist() == pytest.approx([mean(by_round[r]) for r in line.x], abs=1e-3)


def test_the_map_shows_influence_and_flags_of_a_round(folder):
    run = read_folder(folder)
    drawn = decision_map(run)
    assert [frame.name for frame in drawn.frames] == [str(r) for r in range(1, 7)]
    heat, right, wrong = drawn.frames[-1].data
    x, y = drawn.data[0].x, drawn.data[0].y
    seen = {}
    for line, peer in enumerate(y):
        for column, sender in enumerate(x):
            if not np.isnan(heat.z[line][column]):
                seen[int(peer), int(sender.removeprefix("adv. "))] = heat.z[line][column]
    rows = [row for row in table(folder, "edges") if row["round"] == "6"]
    want = {(int(r["peer"]), int(r["sender"])): 100 * float(r["influence"]) for r in rows}
    assert seen == pytest.approx(want, abs=1e-3)
    flagged = {(r["peer"], r["sender"], r["sender_role"]) for r in rows if r["flagged"] == "1"}
    hit = zip(right.y, right.x, ["adversary"] * len(right.x), strict=True)
    miss = zip(wrong.y, wrong.x, ["benign"] * len(wrong.x), strict=True)
    assert {(p, s.removeprefix("adv. "), role) for p, s, role in (*hit, *miss)} == flagged
    assert flagged


def test_the_network_panel(folder):
    run = read_folder(folder)
    rows = table(folder, "messages")
    drawn = edge_map(run)
    names = [name.removeprefix("adv. ") for name in drawn.data[0].x]
    steps = [json.loads(line) for line in (folder / "messages.jsonl").read_text().splitlines()]
    sent, under_way = {}, defaultdict(list)
    for step in steps:
        edge = str(step["source"]), str(step["destination"])
        if step["event"] == "sent":
            sent[edge, step["round"]] = step["time_s"]
        elif step["event"] == "arrived":
            under_way[edge].append(1000 * (step["time_s"] - sent[edge, step["round"]]))
    for trace, column in zip(drawn.data, MEASURES, strict=True):
        for row in rows:
            shown = trace.z[names.index(row["destination"])][names.index(row["source"])]
            if column == "delay":
                want = mean(under_way[row["source"], row["destination"]])
            elif column == "bytes":
                want = float(row["bytes"]) / 1e6
            else:
                want = 100 * float(row[column]) / float(row["sent"])
            assert shown == pytest.approx(want, rel=1e-5, abs=1e-4)
    roles = {int(k): g.partition("_")[0] for k, g in run.groups.items()}
    kind = "benign to benign"
    between = [
        r for r in rows if roles[int(r["source"])] == roles[int(r["destination"])] == "benign"
    ]
    [late] = [trace for trace in fates(run).data if trace.name == "too late"]
    at = late.y.index(kind)
    assert late.customdata[at] == sum(int(row["late"]) for row in between)
    total = sum(int(row["sent"]) for row in between)
    assert late.x[at] == pytest.approx(100 * late.customdata[at] / total)
    counts = sum(trace.customdata.sum() for trace in staleness(run).data)
    assert counts == len(table(folder, "edges"))
    arrived = sum(step["event"] == "arrived" for step in steps)
    assert delays(run).data[0].customdata.sum() == arrived == len(run.delays)
    assert run.delays.value.min() > 0
    slowest, median, fastest = (trace.y for trace in round_times(run).data)
    assert (slowest >= median).all()
    assert (median >= fastest).all()


def test_peers_by_place(folder):
    run = read_folder(folder)
    hops, degree, share = covariates(run)
    adversaries = set(run.summary["adversaries"])
    for peer in run.benign:
        around = set(run.graph[peer])
        assert degree.values[peer] == len(around) == 4
        assert share.values[peer] == pytest.approx(100 * len(around & adversaries) / 4)
        assert (hops.values[peer] == 1) == bool(around & adversaries)
    accuracy = run.last(run.metrics["accuracy"])
    marks = [t for t in by_place(run, share, accuracy, "test accuracy").data if t.mode == "markers"]
    shown = sorted(y for trace in marks for y in trace.y.tolist())
    assert shown == pytest.approx(sorted(100 * accuracy[p] for p in run.benign), abs=1e-3)


def test_the_graph_has_a_frame_for_each_round(folder):
    run = read_folder(folder)
    series = run.metrics["accuracy"]
    values = after_each(series, list(run.groups), some_rounds(series, 100))
    drawn = spread(run, values, list("abcdef"), "test accuracy")
    assert [step.label for step in drawn.layout.sliders[0].steps] == list("abcdef")
    last = drawn.frames[-1].data
    colours = np.concatenate([part.marker.color for part in last])
    want = last_of(folder, "accuracy")
    assert sorted(colours.tolist()) == pytest.approx(
        sorted(100 * x for x in want.values()), abs=1e-3
    )


def test_a_peer_that_is_not_evaluated_yet_is_grey(folder):
    run = read_folder(folder)
    values = np.full((2, 8), 0.5)
    values[0, run.benign[0]] = np.nan
    drawn = spread(run, values, ["1", "2"], "test accuracy")
    hidden = [1 - np.concatenate([part.marker.opacity for part in f.data]) for f in drawn.frames]
    assert [of.sum() for of in hidden] == [1, 0]
    [below] = [t for t in drawn.data if t.hoverinfo == "skip" and t.mode == "markers"]
    assert below.marker.color == UNKNOWN


def test_what_the_defense_measured_is_told_by_truth(folder):
    run = read_folder(folder)
    hostile = set(run.summary["adversaries"])
    of = defaultdict(list)
    for row in table(folder, "decisions"):
        if row["quantity"] == "recorded" and row["round"] == "6":
            of[int(row["sender"]) in hostile].append(float(row["value"]))
    drawn = measured(run)
    first = drawn.layout.updatemenus[0].buttons[0]
    assert first.label == "recorded"
    medians = [t for t, on in zip(drawn.data, first.args[0]["visible"], strict=True)
               if on and t.showlegend]  # fmt: skip
    assert [t.name for t in medians] == ["benign senders", "adversaries"]
    for trace, key in zip(medians, (False, True), strict=True):
        assert trace.y[-1] == pytest.approx(np.median(of[key]))


def test_what_a_server_gave_each_client(reported):
    folder = reported("server").folder
    run = read_folder(folder)
    shares = heeded(run.merges, list(run.groups), [(1, 2), (3, 4)])
    rows = table(folder, "edges")
    for k, rounds in enumerate((("1", "2"), ("3", "4"))):
        for column, peer in enumerate(run.groups):
            of = [float(r["influence"]) for r in rows
                  if r["sender"] == str(peer) and r["round"] in rounds]  # fmt: skip
            assert shares[k, column] == pytest.approx(mean(of) if of else np.nan, nan_ok=True)
    assert run.server == 7
    assert by_client(run) is not None


def test_rates_over_rounds(folder):
    run = read_folder(folder)
    rows = [row for row in table(folder, "metrics") if row["metric"] == "tpr"]
    of_last = [float(row["value"]) for row in rows if row["round"] == "6"]
    [tpr] = [trace for trace in rates(run).data if "TPR" in trace.name]
    assert tpr.y[-1] == pytest.approx(100 * mean(of_last), abs=1e-3)


# ------------------------------------------------------------ numbers known beforehand


@pytest.fixture
def series():
    """Two peers: 4 gives 0.5 and 0.7, 9 gives 0.1, much later."""
    return Series(
        np.array([1.0, 2.0, 10.0]), np.array([1, 2, 1]), np.array([4, 4, 9]),
        np.array([0.5, 0.7, 0.1]),
    )  # fmt: skip


def test_a_mean_over_time_takes_each_peers_last_value(series):
    times, means = mean_of(series, [4, 9], "time")
    assert times.tolist() == [1, 2, 10]
    assert means.tolist() == pytest.approx([0.5, 0.7, 0.4])
    rounds, means = mean_of(series, [4, 9], "round")
    assert rounds.tolist() == [1, 2]
    assert means.tolist() == pytest.approx([0.3, 0.7])


def test_many_peers_are_one_line_with_gaps(series):
    rounds, times, peers, values = chained(series, [9, 4])
    assert peers.tolist() == [4, 4, 4, 9]
    assert np.isnan(values).tolist() == [False, False, True, False]
    assert times[[0, 1, 3]].tolist() == [1, 2, 10]
    assert np.isnan(rounds[2])


def test_what_peers_had_after_rounds(series):
    after = after_each(series, [4, 5, 9], [1, 2, 3])
    assert after[:, 0].tolist() == [0.5, 0.7, 0.7]
    assert np.isnan(after[:, 1]).all()
    assert after[:, 2].tolist() == [0.1, 0.1, 0.1]
    assert some_rounds(series, 1) == [1]
    assert some_rounds(series, 9) == [1, 2]


def test_means_along_a_covariate_are_binned_if_there_are_many_values():
    x, y = means_along(np.array([1.0, 1.0, 3.0]), np.array([0.0, 1.0, 0.2]))
    assert (x.tolist(), y.tolist()) == ([1, 3], [0.5, 0.2])
    x, y = means_along(np.arange(17.0), np.arange(17.0))
    assert x.tolist() == [1, 3, 5, 7, 9, 11, 13, 15]
    assert y.tolist() == [0.5, 2.5, 4.5, 6.5, 8.5, 10.5, 12.5, 15]  # the last bin has its end too


def test_the_steps_of_a_slider_cover_all_rounds():
    assert frames_of(3, 10) == [(1, 1), (2, 2), (3, 3)]
    steps = frames_of(200, 37)
    assert len(steps) == 37
    assert [r for first, last in steps for r in range(first, last + 1)] == list(range(1, 201))


def test_a_ring_is_drawn_as_one_however_many_neighbours_a_peer_has():
    ring = nx.circulant_graph(50, [1, 2])
    assert holds_ring(ring)
    angles = [np.arctan2(y, x) for _, (x, y) in sorted(places(ring).items())]
    assert np.unwrap(angles) == pytest.approx(angles[0] + 2 * np.pi * np.arange(50) / 50, abs=1e-5)
    ring.remove_edge(0, 49)
    assert not holds_ring(ring)
    assert places(nx.star_graph(3), server=0)[0] == (0, 0)


# ------------------------------------------------------------ what stands in words


def test_the_page_says_what_is_wrong_first(reported):
    aborted = reported("aborted")
    [line] = alarms(read_folder(aborted.folder))
    assert line.startswith("The run was interrupted before its end")
    unguarded = read_folder(reported("one benign").folder)
    assert unguarded.summary["without_guarantee"] > 0
    text = page(unguarded)
    assert "without its guarantee" in text
    assert text.index("without its guarantee") < text.index('class="tiles"')


def test_the_page_says_what_is_our_reading_of_a_paper(folder):
    text = unescape((folder / "report.html").read_text())
    assert "arXiv:2501.04453" in text
    assert "What is stated and what is our reading" in text
    assert "All else is our reading" in text
    assert "p2pfl run scenario.yaml" in text


def test_names_in_a_scenario_are_text_not_markup(folder, tmp_path):
    copy = copytree(folder, tmp_path / "copy")
    summary = json.loads((copy / "summary.json").read_text())
    summary["warnings"] = ["</section><script>alert(1)</script> $title"]
    (copy / "summary.json").write_text(json.dumps(summary))
    text = page(read_folder(copy))
    assert "<script>alert" not in text
    assert "&lt;script&gt;alert(1)&lt;/script&gt; $title" in text


def test_it_is_made_again_the_same_from_the_folder_alone(folder, tmp_path):
    copy = copytree(folder, tmp_path / "copy")
    (copy / "report.html").unlink()
    assert write_report(copy).read_bytes() == (folder / "report.html").read_bytes()


def test_a_row_cut_in_two_is_left_out(folder, tmp_path):
    copy = copytree(folder, tmp_path / "copy")
    for name in ("metrics.csv", "edges.csv", "decisions.csv", "events.jsonl", "messages.jsonl"):
        text = (copy / name).read_text()
        (copy / name).write_text(text[: len(text) // 2])
    run = read_folder(copy)
    assert 0 < len(run.merges) < len(read_folder(folder).merges)
    assert 0 < len(run.metrics["accuracy"]) < 48
    assert write_report(copy).exists()


def test_what_is_no_run_folder_is_refused(tmp_path):
    with pytest.raises(ScenarioError, match="is no run folder: it has no scenario"):
        write_report(tmp_path)
