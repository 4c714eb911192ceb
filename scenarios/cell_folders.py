"""Which folder each cell of a sweep has: the one that holds it already, or one of its own."""

from collections.abc import Sequence
from itertools import count
from pathlib import Path
from typing import TYPE_CHECKING

from scenarios.loader import dump

if TYPE_CHECKING:
    from scenarios.schema import Scenario


def folders_of(scenarios: "Sequence[Scenario]", root: Path) -> list[Path]:
    """A folder below ``root`` for each cell, in order: ``0000``, ``0001`` ...

    A cell that was run, or begun, keeps its folder when others come before it: a sweep with a value
    more runs what is new. The others take their own number, or if that is taken the first that is
    free; what lies there is of no cell of the sweep.

    Cost:
        Each scenario is written out, about 10 ms, if there is anything below ``root``.
    """
    if not root.is_dir():
        return [root / f"{number:04d}" for number in range(len(scenarios))]
    known = {path.read_text("utf-8"): path.parent for path in sorted(root.glob("*/scenario.yaml"))}
    kept = [known.pop(dump(scenario), None) for scenario in scenarios]
    taken = set(kept)
    folders = []
    for number, folder in enumerate(kept):
        if folder is None:
            own = root / f"{number:04d}"
            numbered = (root / f"{other:04d}" for other in count())
            folder = next(path for path in numbered if path not in taken) if own in taken else own
            taken.add(folder)
        folders.append(folder)
    return folders
