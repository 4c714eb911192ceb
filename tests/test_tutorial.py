"""The tutorial works as it stands there, and its figures are those that come out."""

import re
import shlex
from pathlib import Path

import pytest

import scenarios
from scenarios.cli import main
from scenarios.report.folder import read_folder

PAGES = Path(scenarios.__file__).parent
TUTORIAL = (PAGES / "TUTORIAL.md").read_text(encoding="utf-8")
POINTS = 8.0
"""How far a figure may be off on another kind of processor, in points of accuracy."""


def blocks(kind):
    return re.findall(rf"```{kind}\n(.*?)```", TUTORIAL, re.DOTALL)


def tables():
    """Of each table, the mean accuracy by group, in %."""
    found = []
    for table in re.findall(r"\| peers \|.*?\n\n", TUTORIAL, re.DOTALL):
        rows = re.findall(r"^\| ([a-z ]+) \| (\d+) \| ([\d.]+) \|$", table, re.MULTILINE)
        found.append({name: (int(number), float(mean)) for name, number, mean in rows})
    return found


@pytest.mark.slow
def test_it_runs_from_an_empty_folder_and_gives_its_figures(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    for text in (*blocks("yaml"), *blocks("python")):
        name = text.partition("\n")[0].removeprefix("# ")
        (tmp_path / name).write_text(text, encoding="utf-8")
    assert {path.name for path in tmp_path.iterdir()} == {"ring.yaml", "own_data.py"}
    said = []
    for block in blocks("console"):
        for line in block.splitlines():
            program, *arguments = shlex.split(line)
            assert program == "p2pfl"
            assert main(arguments) == 0, line
            said.append(capsys.readouterr().out)
    assert [block.split()[1] for block in blocks("console")] == [
        "check", "run", "run", "compare", "run",
    ]  # fmt: skip
    assert "dominated: 6 of 20 benign peers" in said[0]
    assert "which peers changed" in said[3]
    assert "the runs part" in said[3]
    keys = {
        "benign": "benign",
        "not dominated": "benign_other",
        "dominated": "benign_dominated",
    }
    for number, shown in enumerate(tables(), start=1):
        run = read_folder(tmp_path / "runs" / f"ring-{number}")
        assert (run.path / "report.html").exists()
        assert set(shown) == set(keys)
        for name, (peers, mean) in shown.items():
            assert run.summary["peers"][keys[name]] == peers
            measured = 100 * run.summary["accuracy"][keys[name]]["mean"]
            assert measured == pytest.approx(mean, abs=POINTS)


def test_what_it_links_to_is_there():
    for page in ("TUTORIAL.md", "CHOOSING.md"):
        text = (PAGES / page).read_text(encoding="utf-8")
        links = re.findall(r"\]\(([^)#]+)\)", text)
        assert links
        for link in links:
            assert (PAGES / link).exists(), (page, link)
