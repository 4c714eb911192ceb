"""How a run goes, on a terminal and elsewhere."""

from io import StringIO
from statistics import fmean

import pytest
from rich.console import Console

from scenarios.progress import ConsoleWatcher
from scenarios.runner import run

HOSTILE = {
    "adversaries": {"count": 3}, "attack": {"kind": "backdoor"}, "allow_disconnected": True,
    "topology": {"kind": "ring", "peers": 6}, "seed": 3,
}  # fmt: skip


@pytest.fixture
def told(loaded, tmp_path):
    """``told(terminal)``: the record of a hostile run, and what was written."""

    def make(terminal, **sections):
        file = StringIO()
        console = Console(file=file, force_terminal=terminal, width=200)
        watcher = ConsoleWatcher(console)
        record = run(loaded(**{**HOSTILE, **sections}), out=tmp_path / "run", watcher=watcher)
        watcher.stop()
        return record, file.getvalue()

    return make


def mean_of(record, metric, peers):
    rows = record.table("metrics")
    last = {int(row["peer"]): float(row["value"]) for row in rows if row["metric"] == metric}
    return f"{100 * fmean(last[peer] for peer in peers):.1f} %"


@pytest.mark.parametrize("terminal", [False, True])
def test_it_says_accuracy_by_place_and_asr(told, terminal):
    record, text = told(terminal)
    dominated = record.summary["dominated"]
    others = [p for p in range(6) if p not in dominated + record.summary["adversaries"]]
    assert dominated
    assert others
    parts = (
        f"accuracy: not dominated {mean_of(record, 'accuracy', others)}, "
        f"dominated {mean_of(record, 'accuracy', dominated)}; "
        f"ASR {mean_of(record, 'asr_excluding_target', sorted(dominated + others))}"
    )
    assert parts in text
    assert "round 3/3" in text
    assert text.count("round 1/3  accuracy") == (not terminal)


def test_figures_of_an_earlier_round_say_so(told):
    _, text = told(False, rounds=5, evaluate={"every": 2})
    rounds = [line.partition(":")[0] for line in text.splitlines() if "accuracy" in line]
    assert rounds[:4] == [
        "round 2/5  accuracy", "round 3/5  accuracy in round 2", "round 4/5  accuracy",
        "round 5/5  accuracy",
    ]  # fmt: skip


def test_where_nothing_is_measured_it_counts_rounds(told):
    _, text = told(False, evaluate={"every": 0})
    assert "round 3/3" in text
    assert "accuracy:" not in text
