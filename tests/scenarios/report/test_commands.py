"""``p2pfl run`` leaves a report unless told not to; ``p2pfl report`` makes it anew."""

import subprocess
import sys

import pytest

from scenarios.cli import main

FEW = ("--set", "rounds=1", "--set", "runtime.executor=inline", "--set", "model={kind: logistic}")


@pytest.mark.parametrize("wanted", [True, False])
def test_a_run_makes_its_report_unless_told_not_to(tmp_path, capsys, wanted):
    flags = () if wanted else ("--no-report",)
    assert main(["run", "quickstart", *FEW, "--out", str(tmp_path / "run"), *flags]) == 0
    assert (tmp_path / "run" / "report.html").exists() == wanted
    assert ("report.html" in capsys.readouterr().out) == wanted


def test_a_report_is_made_anew_of_each_folder(reported, tmp_path, capsys):
    folders = [reported(name).folder for name in ("p2p", "server")]
    before = [(folder / "report.html").read_bytes() for folder in folders]
    for folder in folders:
        (folder / "report.html").write_text("an old one")
    assert main(["report", *map(str, folders)]) == 0
    assert [(folder / "report.html").read_bytes() for folder in folders] == before
    assert capsys.readouterr().out.split() == [str(f / "report.html") for f in folders]


def test_what_is_no_run_folder_is_wrong_input(tmp_path, capsys):
    assert main(["report", str(tmp_path)]) == 2
    assert "is no run folder: it has no scenario.yaml" in capsys.readouterr().err
    assert main(["report", str(tmp_path / "nowhere")]) == 2
    assert "is no run folder: there is no such folder" in capsys.readouterr().err
    (tmp_path / "cells").mkdir()
    assert main(["report", str(tmp_path)]) == 2
    assert "is no run folder but a sweep's: its runs are in" in capsys.readouterr().err


def test_nobody_waits_for_plotly_who_makes_no_report():
    code = "import sys, scenarios.runner, scenarios.report.page; sys.exit('plotly' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
