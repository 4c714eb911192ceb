"""The files of a sweep beside its cells' folders: one tidy table, and what is made of it."""

import csv
from collections.abc import Iterator, Mapping, Sequence
from io import StringIO
from pathlib import Path
from typing import Any

from scenarios.files import replace_file
from scenarios.paper_table import figures_of, paper_tables
from scenarios.paper_text import latex, markdown
from scenarios.parquet import write_parquet
from scenarios.references import peer_by_peer
from scenarios.results import COLUMNS
from scenarios.sweep import Axis, Sweep
from scenarios.variance import Variance, variances

_TEXTS = ("status", "budget_spent", "digest", "folder", "error")
_COUNTS = (
    "shortfalls", "without_guarantee", "rounds_done", "bytes_sent", "degree_min", "degree_max",
    "benign_components", "robust_at_least", "robust_at_most",
)  # fmt: skip


FILES = {
    "results.csv": "a row per cell",
    "results.parquet": "the same with types",
    "gains.csv": "each benign peer's gain over training alone",
    "table.md": "tables as papers have them",
    "table.tex": "the same for LaTeX",
    "variance.csv": "what the results vary with",
    "report.html": "all of it in a browser",
    "curve.csv": "the points of the curves",
    "breaks.csv": "where each curve breaks",
    "curve.html": "the curves in a browser",
}
"""All that can be there, and what it is. ``scenarios.report.sweep_page`` makes report.html, and
``scenarios.curve`` what comes behind it."""

_VARIANCE = (
    "result", "among", "axis", "degrees_of_freedom", "share", "by_chance", "standard_deviation",
)  # fmt: skip


def files_of(sweep: Sweep) -> list[Path]:
    """Those that are there."""
    return [path for name in FILES if (path := sweep.folder / name).exists()]


def forget(sweep: Sweep) -> None:
    """Remove what was made of other cells than those that are to be."""
    for path in files_of(sweep):
        path.unlink()


def write_files(sweep: Sweep, rows: Sequence[Mapping[str, Any]]) -> None:
    """Replace results.csv, and the tables that are made of it.

    Parquet if pyarrow is there; variance.csv if the design allows it.
    """
    sweep.folder.mkdir(parents=True, exist_ok=True)
    columns = [axis.key for axis in sweep.axes] + list(COLUMNS)
    write_csv(sweep.folder / "results.csv", columns, rows)
    write_parquet(sweep.folder / "results.parquet", _typed(sweep, rows), _types(sweep))
    tables = paper_tables(sweep, rows)
    replace_file(sweep.folder / "table.md", markdown(tables))
    replace_file(sweep.folder / "table.tex", latex(tables))
    found, _ = explained(sweep, rows)
    if found:
        write_csv(sweep.folder / "variance.csv", _VARIANCE, list(_variance_rows(found)))


def write_gains(sweep: Sweep, known: Mapping[Path, Mapping[str, Any]]) -> None:
    """Replace gains.csv: how far each benign peer of each cell comes above its local_only.

    A row per cell and peer, accuracies in [0, 1]; no file where no cell has that reference.

    Args:
        sweep: Which was run.
        known: The summaries of its cells and references, by their folders.
    """
    keys = [axis.key for axis in sweep.axes]
    rows = [
        {**dict(zip(keys, cell.names, strict=True)), "peer": peer, "accuracy": each.accuracy,
         "local_only": each.alone, "gain": each.accuracy - each.alone}
        for cell in sweep.cells
        for peer, each in peer_by_peer(
            known[cell.folder], sweep.references.summaries(cell, known)
        ).items()
    ]  # fmt: skip
    if rows:
        write_csv(
            sweep.folder / "gains.csv", [*keys, "peer", "accuracy", "local_only", "gain"], rows
        )


def explained(
    sweep: Sweep, rows: Sequence[Mapping[str, Any]]
) -> tuple[list[Variance], dict[str, str]]:
    """The variance of each figure that was measured; and why not, by figure, where it cannot be."""
    found: list[Variance] = []
    refused: dict[str, str] = {}
    for figure in figures_of(sweep):
        if all(row[figure.column] is None for row in rows):
            continue
        try:
            found += variances(sweep, rows, figure.column)
        except ValueError as error:
            refused[figure.column] = str(error)
    return found, refused


def _variance_rows(found: Sequence[Variance]) -> Iterator[dict[str, Any]]:
    for variance in found:
        for part in variance.parts:
            values = (
                variance.column, variance.among, part.axis or "rest", part.degrees_of_freedom,
                part.share, part.by_chance, variance.standard_deviation,
            )  # fmt: skip
            yield dict(zip(_VARIANCE, values, strict=True))


def write_csv(path: Path, columns: Sequence[str], rows: Sequence[Mapping[str, Any]]) -> None:
    """Replace a CSV file."""
    text = StringIO()
    writer = csv.DictWriter(text, columns, lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    replace_file(path, text.getvalue())


def _types(sweep: Sweep) -> dict[str, type]:
    """What each column holds; an axis of numbers is one."""

    def of_axis(axis: Axis) -> type:
        if axis.numbers is None:
            return str
        return int if all(isinstance(number, int) for number in axis.numbers) else float

    def of_result(name: str) -> type:
        return str if name in _TEXTS else int if name in _COUNTS else float

    kinds = {axis.key: of_axis(axis) for axis in sweep.axes}
    return kinds | {name: of_result(name) for name in COLUMNS} | {"works": bool}


def _typed(sweep: Sweep, rows: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """The rows with numbers instead of their names where an axis has some."""
    numbers = {
        axis.key: dict(zip(axis.names, axis.numbers, strict=True))
        for axis in sweep.axes
        if axis.numbers is not None
    }
    return [{**row, **{key: of[row[key]] for key, of in numbers.items()}} for row in rows]
