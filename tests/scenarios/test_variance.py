"""The variance of a sweep's results taken apart: by hand, and what must hold of any."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scenarios.sweep import Axis, References, Sweep
from scenarios.variance import variances


def sweep_of(**sizes):
    axes = (
        Axis(key.replace("_", "."), tuple(range(k)), tuple(map(str, range(k))), ((),) * k)
        for key, k in sizes.items()
    )
    return Sweep(tuple(axes), (), None, References((), {}))


def rows_of(sweep, result):
    rows = [{}]
    for axis in sweep.axes:
        rows = [{**row, axis.key: name} for row in rows for name in axis.names]
    return [
        {**row, "status": "done", "accuracy": result(*(int(name) for name in row.values()))}
        for row in rows
    ]


def shares(variance):
    return {part.axis: part.share for part in variance.parts}


def test_two_axes_by_hand():
    """0 1 / 4 7: mean 3, squares 9 + 4 + 1 + 16 = 30; rows' means 0.5, 5.5; columns' 2, 4."""
    sweep = sweep_of(defense=2, seed=2)
    values = {(0, 0): 0, (0, 1): 1, (1, 0): 4, (1, 1): 7}
    [found] = variances(sweep, rows_of(sweep, lambda *at: values[at]), "accuracy")
    assert shares(found) == pytest.approx(
        {"defense": 25 / 30, "seed": 4 / 30, None: 1 / 30}
    )  # fmt: skip
    assert found.standard_deviation == pytest.approx((30 / 4) ** 0.5)
    assert [part.degrees_of_freedom for part in found.parts] == [1, 1, 1]
    assert [part.by_chance for part in found.parts] == pytest.approx([1 / 3] * 3)


def test_seeds_within_what_was_varied_on_purpose():
    """The graph moves defense 0 by 2 and defense 1 by 4, the data both by 1."""
    sweep = sweep_of(defense=2, seeds_graph=2, seeds_data=2)
    rows = rows_of(sweep, lambda d, g, i: 100 * d + (2 + 2 * d) * g + i)
    whole, seeds = variances(sweep, rows, "accuracy")
    assert shares(whole)["defense"] > 0.99
    assert seeds.among == "seeds"
    # Within defense 0: graph 4, data 1 (sums of squares of 4 cells); within 1: 16 and 1.
    assert shares(seeds) == pytest.approx({"seeds.graph": 20 / 22, "seeds.data": 2 / 22, None: 0})


def test_an_axis_of_one_value_is_none():
    sweep = sweep_of(defense=1, seed=3)
    [found] = variances(sweep, rows_of(sweep, lambda d, s: s), "accuracy")
    assert shares(found) == pytest.approx({"seed": 1})


@given(st.lists(st.floats(0, 1), min_size=12, max_size=12, unique=True))
def test_shares_are_shares_and_sum_to_one(values):
    sweep = sweep_of(a=2, seeds_graph=3, seeds_links=2)
    rows = rows_of(sweep, lambda *at: values[at[0] * 6 + at[1] * 2 + at[2]])
    for found in variances(sweep, rows, "accuracy"):
        parts = shares(found).values()
        assert all(-1e-9 <= share <= 1 + 1e-9 for share in parts)
        assert sum(parts) == pytest.approx(1)
        assert sum(part.by_chance for part in found.parts) == pytest.approx(1)


@pytest.mark.parametrize(("sizes", "value", "said"), [
    ({"a": 1}, 0.5, "no axis of the sweep has two values"),
    ({"a": 2, "b": 2}, None, "no axis of the sweep has two values"),
    ({"a": 2, "b": 2}, 0.5, "the same in all cells"),
])  # fmt: skip
def test_designs_that_do_not_allow_it(sizes, value, said):
    sweep = sweep_of(**sizes)
    with pytest.raises(ValueError, match=said):
        variances(sweep, rows_of(sweep, lambda *at: value), "accuracy")


def test_values_that_cannot_have_the_result_are_left_out_and_failures_are_not():
    sweep = sweep_of(attack=3, seed=2)
    rows = rows_of(sweep, lambda a, s: None if a == 0 else 10 * a + s)
    [found] = variances(sweep, rows, "accuracy")
    assert shares(found) == pytest.approx({"attack": 100 / 101, "seed": 1 / 101, None: 0})
    rows[0]["status"] = rows[1]["status"] = "failed"
    with pytest.raises(ValueError, match=r"2 of 6 cells have no accuracy: .* not balanced"):
        variances(sweep, rows, "accuracy")


def test_an_axis_with_a_value_twice():
    twice = Axis("seed", (1, 1), ("1", "1"), ((), ()))
    sweep = Sweep((twice,), (), None, References((), {}))
    with pytest.raises(ValueError, match="seed has a value twice"):
        variances(sweep, rows_of(sweep, lambda s: s), "accuracy")
