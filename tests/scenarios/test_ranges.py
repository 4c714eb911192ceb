"""Ranges of a sweep: written out in decimals, and refused where they are none."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scenarios.ranges import values_of


@pytest.mark.parametrize(("section", "values"), [
    ([3], [3]),
    ({"from": 1, "to": 5}, [1, 2, 3, 4, 5]),
    ({"from": 0, "to": 7, "step": 3}, [0, 3, 6]),
    ({"from": 0, "to": 4, "count": 3}, [0, 2, 4]),
    ({"from": 0, "to": 1, "count": 3}, [0.0, 0.5, 1.0]),
    ({"from": 0.0, "to": 0.4, "step": 0.1}, [0.0, 0.1, 0.2, 0.3, 0.4]),
    ({"from": 0.1, "to": 0.7, "count": 3}, [0.1, 0.4, 0.7]),
    ({"from": 1.0, "to": 3.0, "step": 1}, [1.0, 2.0, 3.0]),
    ({"from": 0.01, "to": 1, "count": 3, "scale": "log"}, [0.01, 0.1, 1.0]),
    ({"from": 2, "to": 2}, [2]),
])  # fmt: skip
def test_values(section, values):
    found = values_of(section)
    assert found == values
    assert list(map(type, found)) == list(map(type, values))


@pytest.mark.parametrize(("section", "said"), [
    ([], r"allowed: a list of values, or a range"),
    (3, "came 3"),
    ({"from": 1}, "allowed: a list"),
    ({"from": 1, "to": 2, "by": 1}, "allowed: a list"),
    ({"from": 1, "to": "x"}, "to must be a finite number"),
    ({"from": 1, "to": True}, "to must be a finite number"),
    ({"from": 0, "to": float("inf")}, "to must be a finite number"),
    ({"from": 2, "to": 1}, "from must not be above to, got from=2, to=1"),
    ({"from": 0.1, "to": 1}, "needs step or count"),
    ({"from": 0, "to": 1, "step": 0}, "step must be > 0, got 0"),
    ({"from": 0, "to": 1, "step": 0.5, "count": 3}, "step or count, not both"),
    ({"from": 0, "to": 1, "count": 1}, "count must be a whole number"),
    ({"from": 0, "to": 1, "count": 2.5}, "count must be a whole number"),
    ({"from": 0, "to": 9, "step": 1e-6}, "10000 values at most"),
    ({"from": 0, "to": 1, "count": 3, "scale": "log"}, "scale log needs from > 0, got 0"),
    ({"from": 1, "to": 2, "scale": "log"}, "scale log needs count"),
    ({"from": 1, "to": 2, "count": 3, "scale": "cubic"}, "must be linear or log, got .cubic"),
])  # fmt: skip
def test_what_is_no_range_is_refused(section, said):
    with pytest.raises(ValueError, match=said):
        values_of(section)


@given(
    st.decimals(-100, 100, places=2), st.decimals("0.01", 50, places=2), st.integers(1, 40)
)  # fmt: skip
def test_a_step_that_meets_the_end_gives_decimals_and_both_ends(first, step, steps):
    last = first + step * steps
    values = values_of({"from": float(first), "to": float(last), "step": float(step)})
    assert values == [float(first + step * k) for k in range(steps + 1)]
