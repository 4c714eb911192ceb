"""What the variants' source says of itself: the string under a field is its documentation."""

import ast
import inspect
import re
from dataclasses import is_dataclass
from functools import cache
from itertools import pairwise, takewhile
from textwrap import dedent

_ROLE = re.compile(r":[a-z:]+:`(?:~[\w.]*\.)?([^`<]+?)(?: <[^`]*>)?`")


@cache
def field_docs(cls: type) -> dict[str, str]:
    """The string literal under each annotated field of a class and its bases, on one plain line.

    Fields without one are left out, and so is all of a class whose source is not at hand.
    """
    docs: dict[str, str] = {}
    for base in reversed(cls.__mro__):
        if is_dataclass(base):
            docs |= _own_docs(base)
    return docs


def _own_docs(cls: type) -> dict[str, str]:
    try:
        tree = ast.parse(dedent(inspect.getsource(cls)))
    except (OSError, TypeError, SyntaxError):
        return {}
    body = tree.body[0].body if isinstance(tree.body[0], ast.ClassDef) else []
    return {
        field.target.id: unmarked(" ".join(doc.value.value.split()))
        for field, doc in pairwise(body)
        if isinstance(field, ast.AnnAssign)
        and isinstance(field.target, ast.Name)
        and isinstance(doc, ast.Expr)
        and isinstance(doc.value, ast.Constant)
        and isinstance(doc.value.value, str)
    }


def summary(cls: type) -> str:
    """The first line of a class's docstring; empty where it has none of its own."""
    text = inspect.cleandoc(cls.__doc__ or "")
    # A dataclass without a docstring is given its signature for one.
    return "" if text.startswith(f"{cls.__name__}(") else unmarked(text.partition("\n")[0])


def source(cls: type) -> str:
    """What the class's module names as its source, on one line; empty where it names none.

    That is the indented text under the line ``Source`` or ``Sources`` of the module's docstring.
    """
    module = inspect.getmodule(cls)
    lines = inspect.cleandoc((module.__doc__ if module else None) or "").splitlines()
    heads = [k for k, line in enumerate(lines) if line.rstrip(":") in ("Source", "Sources")]
    if not heads:
        return ""
    under = takewhile(lambda line: not line or line.startswith(" "), lines[heads[0] + 1 :])
    return unmarked(" ".join(" ".join(under).split()))


def departures(cls: type) -> dict[str, str]:
    """Where the class's module says that it is not, or may not be, what its source published.

    By heading: the indented text under each line of the module's docstring that begins with
    ``Departs from`` or speaks of ``our reading``; paragraphs are apart by an empty line.
    """
    module = inspect.getmodule(cls)
    lines = inspect.cleandoc((module.__doc__ if module else None) or "").splitlines()
    found = {}
    for k, line in enumerate(lines):
        if line.startswith("Departs from") or (line.endswith("our reading:") and line[0] != " "):
            under = takewhile(lambda text: not text or text.startswith(" "), lines[k + 1 :])
            found[line.rstrip(":")] = unmarked(dedent("\n".join(under)).strip())
    return found


def unmarked(text: str) -> str:
    """A docstring's text without its markup: code stands between single backquotes.

    >>> unmarked("See :func:`~p2pfl.metrics.r_and_v` and ``lr``.")
    'See `r_and_v` and `lr`.'
    """
    return _ROLE.sub(r"`\1`", text).replace("``", "`")
