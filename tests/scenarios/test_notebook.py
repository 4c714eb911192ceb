"""A run's tables as data frames, and its charts as figures: what a notebook has of it."""

import builtins
import json

import pandas as pd
import pytest

from p2pfl.errors import ScenarioError
from scenarios import load, open_run, run
from scenarios.report.folder import read_folder
from scenarios.report.panels import sections

SMALL = (
    "runtime.executor=inline", "model={kind: logistic}", "data.train_samples=300", "rounds=3",
    "data.test_samples=100", "topology={kind: random_regular, peers: 8, degree: 4}",
    "evaluate.consensus=true", "allow_disconnected=true",
)  # fmt: skip
RUNS = {
    "p2p": ("attack={kind: backdoor}", "defense={kind: gpd, first_window: 2}"),
    "plain": ("protocol.timeout_s=0.05",),
    "server": (
        "topology={kind: clients, peers: 6}",
        "server={strategy: {kind: flame}}",
        "adversaries={count: 2}",
    ),
    "unmeasured": ("evaluate.every=0", "rounds=1"),
}


@pytest.fixture(scope="module")
def record(tmp_path_factory):
    """``record("p2p")``: that run, opened from its folder."""
    made = {}

    def get(name):
        if name not in made:
            out = tmp_path_factory.mktemp("run") / "out"
            made[name] = run(load("quickstart", [*SMALL, *RUNS[name]]), out=out, picture=False)
        return open_run(str(made[name].folder))

    return get


def test_metrics_have_types_and_the_figures_of_the_summary(record):
    frame = record("p2p").metrics()
    assert list(frame) == ["time_s", "round", "peer", "role", "metric", "value"]
    assert str(frame.dtypes["peer"]) == "Int64"
    accuracy = frame[(frame.metric == "accuracy") & (frame.role == "benign")]
    last = accuracy.groupby("peer").value.last()
    want = record("p2p").summary["accuracy_by_peer"]
    assert {str(peer): value for peer, value in last.items()} == want  # to the last bit
    of_all = frame[frame.metric == "consensus_distance"]
    assert len(of_all) == 3
    assert of_all.peer.isna().all()


def test_edges_decisions_and_messages(record):
    opened = record("p2p")
    edges = opened.edges()
    assert len(edges) == len(opened.table("edges"))
    assert edges.flagged.dtype == bool
    assert edges.influence.between(0, 1).all()
    assert set(edges.sender_role) == {"benign", "adversary"}
    measured = opened.decisions()
    assert set(measured.groupby(["round", "peer", "sender"]).size().index) <= set(
        edges.groupby(["round", "peer", "sender"]).size().index
    )
    messages = opened.messages()
    assert messages.sent.sum() == opened.summary["messages"]["sent"]


def test_events_are_rows_with_what_each_has(record):
    frame = record("plain").events()
    assert list(frame)[:4] == ["time_s", "event", "peer", "round"]
    counts = frame.event.value_counts()
    assert counts["round_end"] == 8 * 3
    late = frame[frame.event == "timeout"]
    assert len(late) == record("plain").summary["timeouts"] > 0
    assert late.missing.map(len).min() >= 1
    assert frame[frame.event == "round_start"].missing.isna().all()


def test_a_killed_runs_last_line_is_left_out(record, tmp_path):
    whole = record("plain")
    for name in ("metrics.csv", "events.jsonl", "summary.json"):
        text = (whole.folder / name).read_text()
        (tmp_path / name).write_text(text if name == "summary.json" else text[:-5])
    opened = open_run(tmp_path)
    assert len(opened.metrics()) == len(whole.metrics()) - 1
    assert len(opened.events()) == len(whole.events()) - 1
    with pytest.raises(ScenarioError, match=r"edges\.csv is not there"):
        opened.edges()


@pytest.mark.parametrize(
    ("plot", "panel"),
    [
        (lambda plot: plot.accuracy(), "accuracy-by-round"),
        (lambda plot: plot.accuracy("time"), "accuracy-by-time"),
        (lambda plot: plot.asr(), "asr-by-round"),
        (lambda plot: plot.graph(), "graph-accuracy"),
        (lambda plot: plot.graph("asr"), "graph-asr"),
        (lambda plot: plot.decisions(), "map"),
    ],
)
def test_figures_are_those_of_the_report(record, plot, panel):
    opened = record("p2p")
    panels = {p.name: p for part in sections(read_folder(opened.folder)) for p in part.panels}
    assert json.loads(plot(opened.plot).to_json()) == json.loads(panels[panel].chart.to_json())


def test_the_graph_of_a_server_is_its_clients_influence(record):
    assert "influence" in record("server").plot.graph().layout.coloraxis.colorbar.title.text


@pytest.mark.parametrize(
    ("name", "what", "said"),
    [
        ("plain", "asr", "no attack of this run aims at a class"),
        ("unmeasured", "accuracy", "no model was evaluated"),
        ("unmeasured", "graph", "no model was evaluated"),
    ],
)
def test_what_is_not_there_is_not_drawn(record, name, what, said):
    with pytest.raises(ScenarioError, match=said):
        getattr(record(name).plot, what)()


def test_what_is_no_run_folder_is_not_opened(tmp_path):
    with pytest.raises(ScenarioError, match="is no run folder"):
        open_run(tmp_path)


def test_without_pandas_it_says_what_to_install(record, monkeypatch):
    real = builtins.__import__

    def without(name, *rest):
        if name == "pandas":
            raise ImportError(name)
        return real(name, *rest)

    monkeypatch.setattr(builtins, "__import__", without)
    for read in (record("plain").metrics, record("plain").events):
        with pytest.raises(ScenarioError, match="p2pfl-emulator\\[notebook\\]"):
            read()
    monkeypatch.undo()
    assert isinstance(record("plain").metrics(), pd.DataFrame)
