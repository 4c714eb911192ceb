"""Which methods a run used, and where the code departs from their papers."""

from dataclasses import dataclass

from p2pfl.attacks import Alie
from p2pfl.data.splits import Quantity
from p2pfl.defenses.gpd import Gpd
from scenarios.docs import departures, source
from scenarios.report.published import methods


def test_departures_are_read_off_the_module():
    found = departures(Alie)
    assert list(found) == ["Departs from the paper"]
    text = found["Departs from the paper"]
    assert text.startswith("There the n workers of one server face one rule.")
    assert text.endswith("z is 1.5 there.")
    assert list(departures(Gpd)) == ["What is stated and what is our reading"]


def test_what_a_class_says_itself_counts_too():
    found = departures(Quantity)["Departs from the paper"]
    assert found.startswith("A peer below `min_samples` is filled up")
    assert "ICDE 2022" in source(Quantity)
    assert source(Alie).startswith("M. Baruch")


def test_a_module_that_says_nothing_has_none():
    @dataclass(frozen=True)
    class Own:
        """Not of this project."""

    assert departures(Own) == {}


def test_methods_of_a_scenario_are_told_once_with_their_role():
    scenario = {
        "model": {"kind": "mlp"},
        "topology": {"kind": "ring"},
        "adversaries": {"placement": {"kind": "random"}},
        "attack": [
            {"attack": {"kind": "alie"}, "share": 0.5},
            {"attack": {"kind": "alie"}},
            {"attack": {"use": "mine:Own"}},
        ],
        "defense": {"kind": "rule", "rule": {"kind": "bucketing", "rule": {"kind": "krum"}}},
        "server": None,
    }
    found = [(method.role, method.name) for method in methods(scenario)]
    assert found == [
        ("model", "mlp"), ("topology", "ring"), ("placement", "random"), ("attack", "alie"),
        ("attack", "mine:Own"), ("defense", "rule"), ("rule", "bucketing"), ("rule", "krum"),
    ]  # fmt: skip


def test_what_was_not_used_is_left_out():
    scenario = {
        "attack": {"kind": "alie"},
        "adversaries": None,
        "defense": {"kind": "gpd"},
        "server": {"strategy": {"kind": "flame"}},
    }
    [method] = methods(scenario)
    assert (method.role, method.name) == ("strategy", "flame")
    assert "FLAME" in method.source
    assert method.departures


def test_a_method_of_another_version_is_named():
    [method] = methods({"defense": {"kind": "of_tomorrow"}})
    assert (method.name, method.text) == ("of_tomorrow", "Not known to this version.")
