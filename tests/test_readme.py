"""What the README and the guide show must work as it stands there."""

import json
import re
import shlex
from pathlib import Path
from typing import Any

import pytest
from ruamel.yaml import YAML

from actors.budget import Budget
from p2pfl.attacks import Alie, LabelFlip
from p2pfl.rules import Krum
from scenarios import load, run
from scenarios.sweep import load_sweep

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text(encoding="utf-8")
GUIDE = (ROOT / "scenarios" / "GUIDE.md").read_text(encoding="utf-8")


def test_the_groups_of_adversaries_load():
    [block] = re.findall(r"```text\n(adversaries:.*?)```", GUIDE, re.DOTALL)
    tree = YAML(typ="safe").load(block)
    sets = [f"{key}={json.dumps(value)}" for key, value in tree.items()]
    first, second = load("quickstart", [*sets, "attack.1.attack.z=2"]).scenario.attack
    assert (first.share, first.attack) == (0.5, LabelFlip())
    assert (second.conduct.start, second.attack) == (3, Alie(z=2.0))


def test_the_network_that_breaks_runs(tmp_path):
    [block] = re.findall(r"```text\n(network:.*?)```", GUIDE, re.DOTALL)
    tree = YAML(typ="safe").load(block)
    sets = [f"{key}={json.dumps(value)}" for key, value in tree.items()]
    loaded = load("quickstart", [*sets, "rounds=12", "runtime.executor=inline"])
    record = run(loaded, out=tmp_path / "out")
    assert record.status == "done"
    events = (record.folder / "events.jsonl").read_text()
    for kind in ("partition", "heal", "slow", "leave", "rests", "down"):
        assert f'"event": "{kind}"' in events


def test_every_command_that_it_names_exists():
    from typer.main import get_command

    from scenarios.cli import app

    known = set(get_command(app).commands)
    named = set(re.findall(r"^p2pfl (\w+)", README + GUIDE, re.MULTILINE))
    assert named
    assert named <= known


def test_the_comparison_of_methods_loads(tmp_path):
    [block] = re.findall(r"```text\n(budget:.*?)```", GUIDE, re.DOTALL)
    tree = YAML(typ="safe").load(block)
    sets = [f"{key}={json.dumps(value)}" for key, value in tree.items()]
    gossip, krum = load_sweep("quickstart", sets, out=tmp_path).cells
    assert gossip.loaded.scenario.budget == krum.loaded.scenario.budget == Budget(bytes=2e7)
    assert gossip.loaded.scenario.server is None
    assert krum.loaded.scenario.server.strategy.rule == Krum(f=2)


def test_what_would_have_happened_is_told(tmp_path, monkeypatch):
    from scenarios.cli import main

    monkeypatch.chdir(tmp_path)
    part = GUIDE.partition("## What would have happened")[2].partition("\n## ")[0]
    commands = [line[6:] for line in re.findall(r"^p2pfl .*$", part, re.MULTILINE)]
    assert len(commands) == 9
    small = ("--set", "rounds=3", "--set", "runtime.executor=inline", "--no-report")
    for command in commands:
        words = shlex.split(command)
        more = {"run": small, "replay": ("--no-report",)}.get(words[0], ())
        assert main([*words, *more]) == 0, command
    [block] = re.findall(r"```python\n(from scenarios import open_run.*?)```", GUIDE, re.DOTALL)
    shown: dict[str, Any] = {}
    exec(block, shown)
    assert len(shown["record"].metrics()) > 0


@pytest.mark.parametrize("page", ["README.md", "scenarios/GUIDE.md"])
def test_what_it_links_to_is_there(page):
    links = re.findall(r"\]\(([^)]+)\)", (ROOT / page).read_text(encoding="utf-8"))
    assert links
    for link in links:
        if "://" in link:
            continue
        name, _, heading = link.partition("#")
        file = (ROOT / page).parent / name
        assert file.exists(), link
        if heading:
            assert heading in _headings(file), link


def _headings(page: Path) -> set[str]:
    """As GitHub names them in links."""
    lines = re.findall(r"^#+ (.*)$", page.read_text(encoding="utf-8"), re.MULTILINE)
    return {re.sub(r"[^\w -]", "", line.lower()).replace(" ", "-") for line in lines}


def test_the_picture_is_small():
    assert "](.github/report.png)" in README
    assert (ROOT / ".github" / "report.png").stat().st_size < 200_000
