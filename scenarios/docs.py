"""What the variants' source says of itself: the string under a field is its documentation."""

import ast
import inspect
import re
from collections.abc import Callable
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
    """What the class or its module names as its source, on one line; empty where they name none.

    That is the indented text under the line ``Source`` or ``Sources`` of a docstring.
    """
    found = _sections(cls, lambda head: head in ("Source", "Sources"))
    return next((" ".join(text.split()) for text in found.values()), "")


def departures(cls: type) -> dict[str, str]:
    """Where a class is not, or may not be, what its source published, as it or its module says.

    By heading: the indented text under each line of a docstring that begins with ``Departs from``
    or ends with ``our reading``; paragraphs are apart by an empty line.
    """
    return _sections(cls, lambda head: head.startswith("Departs from") or head.endswith("reading"))


def _sections(cls: type, wanted: Callable[[str], bool]) -> dict[str, str]:
    """The text under some headings of the docstrings of a class and its module, by heading."""
    module = inspect.getmodule(cls)
    found: dict[str, str] = {}
    for doc in (cls.__doc__, module.__doc__ if module else None):
        lines = inspect.cleandoc(doc or "").splitlines()
        for k, line in enumerate(lines):
            head = line.rstrip(":")
            if head and head[0] != " " and wanted(head):
                under = takewhile(lambda text: not text or text.startswith(" "), lines[k + 1 :])
                text = unmarked(dedent("\n".join(under)).strip())
                found[head] = f"{found[head]}\n\n{text}" if head in found else text
    return found


def unmarked(text: str) -> str:
    """A docstring's text without its markup: code stands between single backquotes.

    >>> unmarked("See :func:`~p2pfl.metrics.r_and_v` and ``lr``.")
    'See `r_and_v` and `lr`.'
    """
    return _ROLE.sub(r"`\1`", text).replace("``", "`")
