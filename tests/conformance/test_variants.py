"""Every variant is written the way the scenario schema expects it."""

from dataclasses import MISSING, fields, is_dataclass
from typing import get_args

import pytest

from p2pfl.attacks import ATTACKS
from p2pfl.behaviours import BEHAVIOURS
from p2pfl.defenses import DEFENSES
from p2pfl.rules import RULES, AnyRule
from p2pfl.strategies import STRATEGIES
from scenarios.docs import field_docs, summary
from scenarios.shapes import settable

FAMILIES = {
    "rules": RULES,
    "attacks": ATTACKS,
    "defenses": DEFENSES,
    "strategies": STRATEGIES,
    "behaviours": BEHAVIOURS,
}
VARIANTS = [variant for family in FAMILIES.values() for variant in family]


@pytest.mark.parametrize("variant", VARIANTS)
def test_a_variant_is_a_frozen_keyword_only_dataclass(variant):
    assert is_dataclass(variant)
    assert variant.__dataclass_params__.frozen
    assert "__slots__" in vars(variant)
    assert all(field.kw_only for field in fields(variant))


@pytest.mark.parametrize("variant", VARIANTS)
def test_its_last_field_is_its_kind(variant):
    last = fields(variant)[-1]
    assert last.name == "kind"
    assert get_args(last.type) == (last.default,)
    assert all(field.default_factory is MISSING for field in fields(variant))


@pytest.mark.parametrize("variant", VARIANTS)
def test_it_and_its_fields_are_documented(variant):
    named = {field.name for field in settable(variant)} - {"kind"}
    assert named <= set(field_docs(variant))
    assert summary(variant)


@pytest.mark.parametrize("family", FAMILIES.values(), ids=FAMILIES)
def test_kinds_are_unique_in_a_family(family):
    kinds = [fields(variant)[-1].default for variant in family]
    assert len(set(kinds)) == len(kinds)


def test_the_union_of_rules_is_the_tuple_of_rules():
    assert get_args(AnyRule) == RULES
