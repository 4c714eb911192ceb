"""The files of a sweep: tidy, typed, the same whatever happened on the way."""

import csv

import pyarrow.parquet
import pytest

import scenarios.parquet
from scenarios.covariates import COVARIATES, covariates_of
from scenarios.loader import dump
from scenarios.results import COLUMNS
from scenarios.sweep import load_sweep
from scenarios.sweeper import _says_the_same, run_sweep


@pytest.fixture(scope="module")
def rewired(tmp_path_factory):
    """A ring whose edges are swapped: the degrees stay, the rest does not."""
    folder = tmp_path_factory.mktemp("rewired")
    path = folder / "study.yaml"
    path.write_text("""\
name: study
rounds: 1
data: {train_samples: 100, test_samples: 50}
model: {kind: logistic}
topology: {kind: rewire, swaps: 0, of: {kind: ring, peers: 12, neighbours: 4}}
adversaries: {count: 2}
allow_disconnected: true
evaluate: {samples: 20}
sweep: {topology.swaps: [0, 40]}
""")
    sweep = load_sweep(path, out=folder / "out")
    return sweep, run_sweep(sweep, jobs=1)


def test_every_row_has_the_graphs_numbers(rewired):
    sweep, (ring, swapped) = rewired
    for row in (ring, swapped):
        assert (row["degree_min"], row["degree_mean"], row["degree_max"]) == (4, 4.0, 4)
        assert 0 < row["hostile_share_mean"] <= row["hostile_share_max"] <= 1
        assert row["robust_at_least"] == row["robust_at_most"]  # 12 peers: exact
    assert ring["spectral_gap"] < swapped["spectral_gap"]
    with (sweep.folder / "results.csv").open() as file:
        for line, row in zip(csv.DictReader(file), (ring, swapped), strict=True):
            assert [line[name] for name in COVARIATES] == [str(row[name]) for name in COVARIATES]
            assert list(line) == ["topology.swaps", *COLUMNS]
            assert (sweep.folder / line["folder"] / "summary.json").exists()


def test_parquet_has_the_same_rows_with_types(rewired, monkeypatch):
    sweep, rows = rewired
    table = pyarrow.parquet.read_table(sweep.folder / "results.parquet")
    kinds = {field.name: str(field.type) for field in table.schema}
    assert kinds["topology.swaps"] == kinds["bytes_sent"] == "int64"
    assert (kinds["accuracy"], kinds["works"], kinds["error"]) == ("double", "bool", "string")
    assert table.to_pylist() == [
        {**row, "topology.swaps": swaps} for row, swaps in zip(rows, (0, 40), strict=True)
    ]


def test_without_pyarrow_nothing_old_is_left(rewired, monkeypatch, tmp_path):
    _, rows = rewired
    path = tmp_path / "results.parquet"
    path.touch()
    monkeypatch.setattr(scenarios.parquet, "find_spec", lambda name: None)
    assert scenarios.parquet.write_parquet(path, rows, {"accuracy": float}) is False
    assert not path.exists()


def test_a_run_behind_a_server_has_no_neighbourhoods(run_small, tmp_path):
    record = run_small(topology={"kind": "clients", "peers": 3}, server={}, rounds=1)
    assert covariates_of(record.folder) == {}
    assert covariates_of(tmp_path) == {}


def test_a_cell_of_a_version_with_fewer_keys_is_still_done(rewired, tmp_path):
    sweep, _ = rewired
    loaded = sweep.cells[0].loaded
    text = dump(loaded.scenario)
    block = text[text.index("seeds:") : text.index("rounds:")]
    path = tmp_path / "scenario.yaml"
    for old, same in (
        (text, True),
        (text.replace(block, ""), True),
        (text.replace("seed: 1\n", "seed: 2\n"), False),
        (text + "no_such_key: 1\n", False),
    ):
        path.write_text(old)
        assert _says_the_same(path, loaded) is same
