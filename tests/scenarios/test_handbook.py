"""The handbook of all keys: up to date, and every example in it is one."""

import re
from dataclasses import MISSING
from pathlib import Path

import pytest

import scenarios
from graphs.events import EVENTS as EVENT_KINDS
from scenarios.examples import example_of
from scenarios.families import FAMILIES
from scenarios.handbook import all_classes, handbook
from scenarios.reader import Reader, plain
from scenarios.schema import Scenario
from scenarios.shapes import annotations, default, required, settable
from scenarios.variants import kind_of

PAGE = Path(scenarios.__file__).parent / "KEYS.md"
EVENTS = {kind_of(event) for event in EVENT_KINDS}
TOGETHER = {
    ("replay", "peer"): {"of": "neighbour"},
    ("networkx", "name"): {"arguments": {"n": 20, "m": 2}},
    ("WarmStart", "samples"): {"epochs": 2},
    ("WarmStart", "lr"): {"epochs": 2},
    ("WarmStart", "batch_size"): {"epochs": 2},
    ("Trigger", "row"): {"col": 0},
    ("Trigger", "col"): {"row": 0},
    ("label_flip", "source"): {"mapping": "pair", "target": 1},
    ("label_flip", "target"): {"mapping": "pair", "source": 7},
}
"""Keys that need another one."""


def test_the_page_is_what_the_schema_says_now():
    text = handbook()
    assert PAGE.read_text(encoding="utf-8") == text, "p2pfl schema --markdown > scenarios/KEYS.md"


def test_every_link_leads_somewhere_and_no_two_sections_share_a_name():
    text = handbook()
    anchors = [head.lower().replace(" ", "-") for head in re.findall(r"^##? (.*)$", text, re.M)]
    assert len(anchors) == len(set(anchors))
    assert set(re.findall(r"\]\(#(.*?)\)", text)) <= set(anchors)


def test_it_has_every_key_of_every_class():
    text = handbook()
    keys = re.findall(r"^\| `(\w+)` \|", text, re.M)
    want = [f.name for cls in all_classes() for f in settable(cls) if f.name != "kind"]
    assert sorted(keys) == sorted(want)
    assert len(want) > 500
    assert "| |\n" not in text.replace("| example | |\n", "")  # each says what it is


def examples(cls):
    """What the page shows for each key."""
    found = {}
    for field in settable(cls):
        if field.name == "kind":
            continue
        value = None if required(field) else default(field)
        found[field.name] = example_of(cls, field.name, value)
        if found[field.name] is None:
            found[field.name] = plain(annotations(cls)[field.name], value, FAMILIES)
    return found


@pytest.mark.parametrize("cls", all_classes(), ids=lambda cls: cls.__qualname__)
def test_each_example_can_be_read(cls, tmp_path):
    shown = examples(cls)
    needed = {f.name for f in settable(cls) if f.default is f.default_factory is MISSING}
    base = {} if kind_of(cls) is None else {"kind": kind_of(cls)}
    base |= {key: shown[key] for key in shown if key in needed}
    if cls is Scenario:
        base |= {"rounds": 20}
    for key, example in shown.items():
        others = TOGETHER.get((kind_of(cls) or cls.__name__, key), {})
        if kind_of(cls) in EVENTS and key != "at_round":
            others = {"at_s": 2.5}
        assert example is not None, f"{key} has no default: scenarios/examples.py needs an example"
        reader = Reader(FAMILIES, tmp_path)
        assert reader.read(cls, {**base, **others, key: example}) is not None
        assert [problem.text for problem in reader.problems] == [], (key, example)
