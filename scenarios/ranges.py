"""The values of one axis of a sweep: a list as it stands, or a range written out.

::

    seed: {from: 1, to: 5}                               # 1, 2, 3, 4, 5
    adversaries.fraction: {from: 0.0, to: 0.4, step: 0.1}
    training.lr: {from: 0.01, to: 1.0, count: 3, scale: log}    # 0.01, 0.1, 1.0

Reckoned in decimals as written: 0.1 three times is 0.3. The last value is ``to``, or with a
``step`` that does not meet it, the last before it. Values are whole numbers where all that was
given are and all come out so, as keys that count need them.
"""

from fractions import Fraction
from math import exp, log
from typing import Any

from scenarios.reader import show

KEYS = ("from", "to", "step", "count", "scale")
ALLOWED = "a list of values, or a range such as {from: 1, to: 5} or {from: 0.1, to: 1, count: 4}"
MOST = 10_000
"""Values of a range; more are taken for a mistake."""


def values_of(section: Any) -> list[Any]:
    """The values that an axis lists.

    Raises:
        ValueError: If it is neither a list of one value or more nor a range.
    """
    if isinstance(section, list) and section:
        return section
    if not isinstance(section, dict) or not {"from", "to"} <= section.keys() <= set(KEYS):
        raise ValueError(f"came {show(section)}; allowed: {ALLOWED}")
    for key in section.keys() - {"scale"}:
        value = section[key]
        if isinstance(value, bool) or not isinstance(value, int | float) or value - value != 0:
            raise ValueError(f"{key} must be a finite number, got {show(value)}")
    if section.get("scale", "linear") not in ("linear", "log"):
        raise ValueError(f"scale must be linear or log, got {show(section['scale'])}")
    return _written_out(section)


def _written_out(section: dict[str, Any]) -> list[Any]:
    first, last = section["from"], section["to"]
    start, end = (Fraction(str(each)) for each in (first, last))
    if start > end:
        raise ValueError(f"from must not be above to, got from={first}, to={last}")
    logarithmic = section.get("scale") == "log"
    if "count" in section:
        if "step" in section:
            raise ValueError("give step or count, not both")
        count = section["count"]
        if not isinstance(count, int) or not 2 <= count <= MOST:
            raise ValueError(f"count must be a whole number in [2, {MOST}], got {show(count)}")
        if logarithmic:
            return _by_factors(first, last, count)
        values = [start + (end - start) * k / (count - 1) for k in range(count)]
    elif logarithmic:
        raise ValueError("scale log needs count: {from: 0.01, to: 1, count: 3, scale: log}")
    else:
        whole = isinstance(first, int) and isinstance(last, int)
        if "step" not in section and not whole:
            raise ValueError("a range between numbers that are not whole needs step or count")
        step = Fraction(str(section.get("step", 1)))
        if step <= 0:
            raise ValueError(f"step must be > 0, got {section['step']}")
        if (end - start) / step >= MOST:
            raise ValueError(f"a range has {MOST} values at most; give a larger step")
        values = [start + step * k for k in range(int((end - start) / step) + 1)]
    numbers = [first, last, section.get("step", 0)]
    if all(isinstance(number, int) for number in numbers) and all(
        value.denominator == 1 for value in values
    ):
        return [int(value) for value in values]
    return [float(value) for value in values]


def _by_factors(first: float, last: float, count: int) -> list[float]:
    if first <= 0:
        raise ValueError(f"scale log needs from > 0, got {first}")
    step = (log(last) - log(first)) / (count - 1)
    # Twelve digits: 0.1, not 0.10000000000000002.
    between = [float(f"{exp(log(first) + step * k):.12g}") for k in range(1, count - 1)]
    return [float(first), *between, float(last)]
