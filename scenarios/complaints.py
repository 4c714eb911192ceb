"""What is wrong in a scenario file, in one message, each with its line."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING

from ruamel.yaml import YAML
from ruamel.yaml.nodes import MappingNode, Node, SequenceNode

from p2pfl.errors import ScenarioError

if TYPE_CHECKING:
    from scenarios.loader import Loaded
    from scenarios.reader import Place, Problem

SHOWN = 8
"""How many problems one message lists."""


def invalid(
    problems: "Sequence[Problem]", text: str, source: str, sets: Sequence[str]
) -> ScenarioError:
    """One message for all problems. A place that begins with an option stands in no file."""
    root = YAML(typ="safe", pure=True).compose(text)
    changed = {tuple(change.partition("=")[0].strip().split(".")): change for change in sets}
    lines = []
    for problem in problems[:SHOWN]:
        steps = tuple(map(str, problem.place))
        if steps and steps[0].startswith("--"):  # it stands on the command line
            lines.append(f"{'.'.join(steps)}: {problem.text}")
            continue
        origin = next(
            (f"--set {c}" for path, c in changed.items() if path == steps[: len(path)]),
            f"line {_line(root, problem.place)}{_kind_of(steps, changed)}",
        )
        where = ".".join(step if len(step) <= 60 else step[:57] + "..." for step in steps)
        lines.append(f"{origin}, {where}: {problem.text}" if steps else problem.text)
    if len(problems) > SHOWN:
        lines.append(f"and {len(problems) - SHOWN} more")
    if len(lines) == 1:
        return ScenarioError(f"{source}, {lines[0]}")
    return ScenarioError("\n  ".join([f"{source} has {len(problems)} problems:", *lines]))


@contextmanager
def about(section: str) -> Iterator[None]:
    """Who knows no scenario cannot say which section of it is wrong."""
    try:
        yield
    except ScenarioError as error:
        message = str(error)
        if not message.startswith((f"{section}:", f"{section}.")):
            error.args = (f"{section}: {message}",)
        raise


@contextmanager
def found_in(loaded: "Loaded") -> Iterator[None]:
    """Who knows no file cannot say where in it a section stands."""
    try:
        yield
    except ScenarioError as error:
        error.args = (loaded.located(str(error)),)
        raise


def _kind_of(steps: tuple[str, ...], changed: Mapping[tuple[str, ...], str]) -> str:
    """The change that says what kind of section a place is in: its keys are that kind's."""
    kinds = (c for path, c in changed.items() if path == (*steps[: len(path) - 1], "kind"))
    return next((f" with --set {change}" for change in kinds), "")


def _line(node: Node, place: "Place") -> int:
    """The line of a place in the file, or of the nearest place around it that is there."""
    line: int = node.start_mark.line
    for step in place:
        if isinstance(node, MappingNode):
            found = next(((k, v) for k, v in node.value if k.value == str(step)), None)
            if found is None:
                break
            line, node = found[0].start_mark.line, found[1]
        elif isinstance(node, SequenceNode) and isinstance(step, int) and step < len(node.value):
            node = node.value[step]
            line = node.start_mark.line
        else:
            break
    return line + 1
