"""Scenario files broken at random: one clear message and exit code 2, or a file that is valid.

What a file is depends on its number alone. ``make test`` takes a share of them.
"""

from copy import deepcopy
from io import StringIO
from typing import Any

import numpy as np
import pytest
from ruamel.yaml import YAML

from p2pfl.seeding import stream
from scenarios.cli import main
from scenarios.loader import bundled

ALL, SHARE = 2000, 200

DEEP: Any = 1
for _ in range(60):
    DEEP = [DEEP]

VALUES: tuple[Any, ...] = (
    None, True, False, 0, 1, -1, 2, 3, 7, 0.5, -0.5, 1e-300, 1e308, -1e308, 10**6, 10**9, 2**31,
    2**63, 2**64, 10**30, -(10**30), float("nan"), float("inf"), -float("inf"), "", " ", "0", "1",
    "nan", "yes", "null", "a" * 5000, "\u2028\u00e9\U0001f600", "../../../etc/passwd", "\x7f",
    [], {}, [None], [[]], [0, 1], [-1], ["a"], {"kind": None}, {"kind": "x"}, {"kind": []},
    {"kind": "krum", "f": 1}, {"use": "os:system"}, {"use": "nowhere:Nothing"}, {"use": ""},
    {"use": 3}, {"use": "a.b.c"}, {"a": {"b": {"c": 1}}}, {1: 2}, DEEP,
)  # fmt: skip
"""What a value is replaced by."""

SNIPPETS = (
    b"\x00", b"\xff\xfe", b"\x80abc", b"\t", b"\r", b"{", b"}", b"[", b"]", b": ", b"- ", b"# ",
    b"? ", b"&a ", b"*a", b"*nobody", b"<<: *a\n", b"!!python/object:os.system {}", b"!!int foo",
    b"!!float x", b"!!binary x", b"!!timestamp 2001-99-99", b"2001-02-03", b"!!set {a, b}",
    b"---\n", b"...\n", b"%YAML 9.9\n---\n", b"%TAG ! x",
    b"|\n", b">\n", b"'", b'"', b'"\\x', b"\\", b"@",
    b"`", b"0o9", b"0x", b"1_000", b"1e999", b".nan", b"-.inf", b"9" * 5000, b"[" * 300,
    b"{a: " * 300, b"- " * 300, b"\xef\xbb\xbf", b"\xed\xa0\x80", b"\xc2\x85",
    b"\xe2\x80\xa8", b"~", b"!!null x",
    b"!<tag:x> 1", b"!x {}", b"&a [*a]", b"12:30:45", b"0b2",
)  # fmt: skip
"""What is put into the text."""

LAUGHS = "a0: &a0 [x, x]\n" + "".join(
    f"a{k}: &a{k} [{', '.join([f'*a{k - 1}'] * 9)}]\n" for k in range(1, 12)
)


def bases(kinds: dict[str, Any]) -> list[str]:
    """Valid scenarios that have every section, as text."""
    trees = [SMALL, SWEEP, *(SMALL | kind for kind in kinds.values())]
    return [bundled()["quickstart"].read_text(), *map(written, trees)]


SMALL: dict[str, Any] = {
    "name": "small",
    "rounds": 3,
    "model": {"kind": "logistic"},
    "training": {"lr": 0.5, "batch_size": 32},
    "topology": {"kind": "complete", "peers": 5},
}
SWEEP: dict[str, Any] = {
    **SMALL,
    "adversaries": {"count": 1, "placement": {"kind": "dominate", "share": 0.5, "of": 0.2}},
    "attack": [{"share": 0.5, "attack": {"kind": "alie", "z": 1.0}}, {"attack": {"kind": "zero"}}],
    "sweep": {"defense.rule": [{"kind": "krum", "f": 1}, {"kind": "median"}], "seed": [1, 2]},
    "defense": {"kind": "rule", "rule": {"kind": "mean"}},
}


def written(tree: Any) -> str:
    out = StringIO()
    YAML(typ="safe", pure=True).dump(tree, out)
    return out.getvalue()


def places(tree: Any, place: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """All places of a tree below its root."""
    steps: Any = ()
    if isinstance(tree, dict):
        steps = tree
    elif isinstance(tree, list):
        steps = range(len(tree))
    found = []
    for step in steps:
        found += [(*place, step), *places(tree[step], (*place, step))]
    return found


def bent(tree: Any, rng: np.random.Generator) -> Any:
    """A tree with something changed at one place."""
    where = places(tree)
    if not where:
        return VALUES[rng.integers(len(VALUES))]
    *above, last = where[rng.integers(len(where))]
    inside = tree
    for step in above:
        inside = inside[step]
    other = tree
    for step in where[rng.integers(len(where))]:
        other = other[step]
    value = inside[last]
    what = rng.integers(10)
    if what == 0:
        del inside[last]
    elif what == 1 and isinstance(inside, dict):
        del inside[last]
        inside[misspelt(str(last), rng)] = value
    elif what == 2:
        inside[last] = deepcopy(other)
    elif what == 3:
        inside[last] = [deepcopy(value)] * int(rng.integers(4))
    elif what == 4:
        inside[last] = {misspelt(str(last), rng): deepcopy(value)}
    elif what == 5 and isinstance(value, int | float) and not isinstance(value, bool):
        inside[last] = value * (-1, 0, 1.5, 10, 1e3, 1e6, 1e12, 1e300, 1e-9)[rng.integers(9)]
    elif what == 6:
        inside[last] = str(value)
    elif what == 7 and isinstance(inside, dict):
        inside[misspelt("kind", rng)] = deepcopy(other)
    else:
        inside[last] = deepcopy(VALUES[rng.integers(len(VALUES))])
    return tree


def misspelt(name: str, rng: np.random.Generator) -> str:
    at = int(rng.integers(len(name) + 1))
    return name[:at] + ("", "x", "_", name)[rng.integers(4)] + name[at + 1 :]


def torn(text: bytes, rng: np.random.Generator) -> bytes:
    """Text with something put in, taken out, or said twice."""
    a, b = sorted(rng.integers(len(text) + 1, size=2).tolist())
    lines = text.splitlines(keepends=True)
    what = rng.integers(9)
    if what == 0:
        return text[:a]
    if what == 1:
        return text[:a] + text[b:]
    if what == 2 and lines:
        line = lines[rng.integers(len(lines))]
        lines.insert(int(rng.integers(len(lines) + 1)), line)
        return b"".join(lines)
    if what == 3:
        return text[:a] + rng.bytes(int(rng.integers(1, 30))) + text[a:]
    if what == 4:
        return text[:a] + text[a:b].swapcase() + text[b:]
    if what == 5 and lines:
        at = rng.integers(len(lines))
        lines[at] = b" " * int(rng.integers(1, 9)) + lines[at]
        return b"".join(lines)
    return text[:a] + SNIPPETS[rng.integers(len(SNIPPETS))] + text[a:]


def mutant(bases: list[str], number: int) -> bytes:
    """One broken file."""
    rng = stream(0, "mutant", number)
    text = bases[rng.integers(len(bases))]
    if number % 100 == 0:
        return (LAUGHS + text).encode()
    if number % 100 == 1:
        return rng.bytes(int(rng.integers(1, 300)))
    if number % 100 == 2:
        return text.encode(("utf-16", "utf-32", "cp037")[rng.integers(3)])
    if rng.random() < 0.65:
        tree = YAML(typ="safe", pure=True).load(text)
        for _ in range(rng.integers(1, 4)):
            tree = bent(tree, rng)
        text = written(tree)
    content = text.encode("utf-8", "surrogatepass")
    if rng.random() < 0.45:
        for _ in range(rng.integers(1, 3)):
            content = torn(content, rng)
    return content


def check_alone(path, capsys):
    """What the program says of a file: whether it is valid, in one clear message if it is not."""
    code = main(["check", str(path)])
    out, err = capsys.readouterr()
    assert "Traceback" not in out + err
    if code == 0:
        assert out.endswith("nothing was run\n")
    else:
        assert code == 2
        assert err.startswith("p2pfl: ")
        assert err.count("p2pfl: ") <= 2  # which cell of a sweep it is may be a line of its own
        assert 20 < len(err) < 5000
    return code


def checked(numbers, kinds, capsys, tmp_path):
    """How many of these files were valid."""
    made, path, valid = bases(kinds), tmp_path / "mutant.yaml", 0
    for number in numbers:
        path.write_bytes(mutant(made, number))
        try:
            valid += check_alone(path, capsys) == 0
        except BaseException as error:
            error.add_note(f"of mutant {number}")
            raise
    return valid


@pytest.mark.parametrize(
    "part", [0, 1, *(pytest.param(k, marks=pytest.mark.whole) for k in (2, 3))]
)
def test_broken_files_get_one_clear_message(part, kinds, capsys, tmp_path):
    valid = checked(range(part, SHARE, 4), kinds, capsys, tmp_path)
    assert valid < SHARE / 4 / 2


@pytest.mark.whole
def test_all_broken_files_get_one_clear_message(kinds, capsys, tmp_path):
    valid = checked(range(ALL), kinds, capsys, tmp_path)
    print(f"{ALL - valid} refused, {valid} valid")
    assert valid < ALL / 2
