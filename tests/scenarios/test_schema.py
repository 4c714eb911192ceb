"""The schema that is derived from the dataclasses: complete, documented, and the same as JSON."""

import json
from dataclasses import fields, is_dataclass
from pathlib import Path

import jsonschema
import pytest
from ruamel.yaml import YAML

from scenarios.docs import field_docs, summary
from scenarios.families import FAMILIES
from scenarios.jsonschema import DRAFT, json_schema
from scenarios.loader import bundled
from scenarios.reader import Reader
from scenarios.schema import Adversaries, Data, Evaluate, Recording, Scenario
from scenarios.shapes import Many, OneOrMany, OneOrPlain, Variants, annotations, settable, shape
from scenarios.variants import kind_of

VARIANTS = [variant for family in FAMILIES for variant in family.variants]


def reachable(annotation, found):
    """All dataclasses that a scenario can hold."""
    match shape(annotation, FAMILIES):
        case Variants(classes):
            for cls in classes:
                if cls not in found:
                    found.append(cls)
                    for inner in annotations(cls).values():
                        reachable(inner, found)
        case Many(_, inner):
            reachable(inner, found)
        case OneOrMany(one, other) | OneOrPlain(one, other):
            reachable(one, found)
            reachable(other, found)
    return found


EVERYTHING = reachable(Scenario, [])


@pytest.fixture(scope="module")
def schema():
    return json_schema()


@pytest.fixture(scope="module")
def under(schema):
    """The schema as a judge of trees; to read it takes longer than to judge."""
    jsonschema.Draft202012Validator.check_schema(schema)
    return jsonschema.Draft202012Validator(schema)


def tree_of(path: Path):
    return YAML(typ="safe", pure=True).load(path.read_text(encoding="utf-8"))


def test_every_variant_has_a_place_in_a_scenario():
    assert set(VARIANTS) <= set(EVERYTHING)


@pytest.mark.parametrize("family", FAMILIES, ids=lambda family: family.name)
def test_kinds_of_a_family_are_unique(family):
    kinds = [kind_of(variant) for variant in family.variants]
    assert None not in kinds
    assert len(set(kinds)) == len(kinds)


@pytest.mark.parametrize("cls", EVERYTHING, ids=lambda cls: cls.__name__)
def test_every_key_is_documented(cls):
    assert is_dataclass(cls)
    assert summary(cls)
    assert set(field_docs(cls)) == {field.name for field in settable(cls)} - {"kind"}


def test_sections_check_themselves():
    minimal = {"name": "a", "rounds": 1, "model": {"kind": "logistic"}}
    minimal["topology"] = {"kind": "ring", "peers": 3}

    def problems(**changes):
        reader = Reader(FAMILIES, Path())
        reader.read(Scenario, minimal | changes)
        return [(".".join(map(str, p.place)), p.text) for p in reader.problems]

    assert problems() == []
    assert problems(name="") == [
        ("name", "name may have letters, digits and . _ - only, got ''"),
    ]
    assert problems(name=".hidden")[0][0] == "name"
    assert problems(rounds=0) == [("rounds", "rounds must be >= 1, got 0")]
    assert problems(evaluate={"every": -1})[0][0] == "evaluate.every"
    assert problems(data={"train_samples": 0})[0][0] == "data.train_samples"
    assert problems(adversaries={"count": -1})[0][0] == "adversaries.count"
    assert problems(adversaries={"fraction": 1.5})[0][0] == "adversaries.fraction"
    assert problems(adversaries={"count": 1, "fraction": 0.1}) == [
        ("adversaries", "give count or fraction, not both: got count: 1, fraction: 0.1"),
    ]


def test_the_sections_defaults_are_valid():
    for cls in (Data, Adversaries, Evaluate, Recording):
        assert cls() == cls(**{field.name: getattr(cls(), field.name) for field in fields(cls)})


def test_json_schema_is_one(schema):
    assert schema["$schema"] == DRAFT
    jsonschema.Draft202012Validator.check_schema(schema)
    assert json.loads(json.dumps(schema)) == schema


@pytest.mark.parametrize("name", bundled())
def test_bundled_scenarios_are_valid_under_it(under, name):
    under.validate(tree_of(bundled()[name]))


@pytest.mark.parametrize(
    "change",
    [
        {"ronds": 3},
        {"rounds": "3"},
        {"training": {"learning_rate": 0.1}},
        {"model": {"kind": "mpl"}},
        {"model": {"hidden": [3]}},
        {"data": {"dataset": "digts"}},
        {"defense": {"kind": "rule", "rule": {"kind": "krum"}}},
        {"topology": None},
        {"attack": [{"kind": "alie"}]},
        {"attack": [{"attack": {"kind": "alie"}, "size": 1}]},
        {"attack": [{"attack": [{"kind": "alie"}]}]},
    ],
)
def test_it_refuses_what_the_reader_refuses(under, change):
    tree = tree_of(bundled()["quickstart"]) | change
    assert list(under.iter_errors(tree))
    reader = Reader(FAMILIES, Path())
    reader.read(Scenario, tree)
    assert reader.problems


def test_it_knows_groups_of_adversaries(under):
    groups = [
        {"peers": [1, 8], "attack": {"kind": "label_flip"}},
        {"share": 0.5, "attack": {"use": "mine:Own"}, "conduct": {"start": 3}},
        {"attack": {"kind": "alie", "z": None}, "conduct": None},
    ]
    under.validate(tree_of(bundled()["quickstart"]) | {"attack": groups})


@pytest.mark.parametrize(
    ("change", "right"),
    [
        ({"sweep": {"seed": [1], "rounds": {"from": 1, "to": 3}}}, True),
        ({"sweep": {"training.lr": {"from": 0.1, "to": 1, "count": 3, "scale": "log"}}}, True),
        ({"curve": {"over": "rounds", "against": None, "figures": ["asr"]}}, True),
        ({"sweep": {"seed": []}}, False),
        ({"sweep": {"seed": {"from": 1}}}, False),
        ({"sweep": {"seed": {"from": 1, "to": 3, "by": 1}}}, False),
        ({"curve": {"ovr": "rounds"}}, False),
    ],
)
def test_it_knows_sweeps_and_curves(under, change, right):
    tree = tree_of(bundled()["quickstart"]) | change
    assert under.is_valid(tree) is right


@pytest.mark.parametrize("key", ["model", "topology", "attack", "defense"])
def test_it_knows_use(under, key):
    tree = tree_of(bundled()["quickstart"]) | {key: {"use": "mine:Own", "size": 3}}
    under.validate(tree)


def test_it_has_defaults_and_descriptions(schema):
    entry = schema["$defs"]["scenarios.schema.Scenario"]["properties"]["on_shortfall"]
    assert entry["enum"] == ["keep_own", "clamp", "mean", "fail"]
    assert entry["default"] == "keep_own"
    assert entry["description"].startswith("What a peer does")
