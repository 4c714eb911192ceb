"""Cells keep their folders when a sweep grows."""

import tempfile
from pathlib import Path
from unittest.mock import patch

from hypothesis import given
from hypothesis import strategies as st

import scenarios.cell_folders
from scenarios.cell_folders import folders_of


def names_of(texts, root, monkeypatch):
    monkeypatch.setattr(scenarios.cell_folders, "dump", str)
    return [path.name for path in folders_of(texts, root)]


def fill(root, held):
    for name, text in held.items():
        (root / name).mkdir(parents=True)
        (root / name / "scenario.yaml").write_text(text)


def test_a_new_sweep_is_numbered(tmp_path, monkeypatch):
    assert names_of("abc", tmp_path / "cells", monkeypatch) == ["0000", "0001", "0002"]


def test_what_was_run_keeps_its_folder_and_the_rest_takes_what_is_free(tmp_path, monkeypatch):
    fill(tmp_path, {"0000": "a", "0001": "b", "0002": "gone"})
    # A value more in the middle: x has number 1, where b is, and takes the first that is free.
    assert names_of("axbc", tmp_path, monkeypatch) == ["0000", "0002", "0001", "0003"]


def test_a_folder_without_a_scenario_is_free(tmp_path, monkeypatch):
    (tmp_path / "0000").mkdir()
    assert names_of("a", tmp_path, monkeypatch) == ["0000"]


@given(st.permutations("abcdef"), st.integers(0, 6), st.permutations("abcdefgh"))
def test_no_two_cells_share_a_folder_and_none_that_was_run_moves(before, done, after):
    with tempfile.TemporaryDirectory() as temporary, patch("scenarios.cell_folders.dump", str):
        root = Path(temporary)
        held = dict(zip((f"{k:04d}" for k in range(6)), before[:done], strict=False))
        fill(root, held)
        folders = [path.name for path in folders_of(after, root)]
        assert len(set(folders)) == len(after)
        of = dict(zip(after, folders, strict=True))
        assert all(of[text] == name for name, text in held.items())
