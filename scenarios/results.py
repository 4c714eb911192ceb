"""What a sweep comes to: a row per cell, and tables of one result for a terminal."""

from collections.abc import Iterator, Mapping, Sequence
from statistics import fmean
from typing import Any

from scenarios.covariates import COVARIATES
from scenarios.paper_table import figures_of
from scenarios.references import REFERENCES, Reference, beside
from scenarios.seeds import is_seed
from scenarios.sweep import Cell, Sweep

RESULTS = (
    "status", "accuracy", "benign_mean", "benign_worst", "benign_not_dominated", "benign_dominated",
    "asr", "resistance", "resistance_excluding_target", "overall_value", "shortfalls",
    "without_guarantee", "local_only", "benign_only", "gain_mean", "gain_worst", "works",
    "benign_accepted", "adversaries_rejected", "flags_tpr", "flags_fpr", "best", "late_mean",
    "late_asr", "late_spread", "rounds_done", "bytes_sent", "virtual_s", "budget_spent",
)  # fmt: skip
"""What came out, as columns of results.csv after those of the axes.

``accuracy`` is that of the server's model, or the mean of the benign peers; accuracies, gains,
asr and shares are in [0, 1]; ``resistance`` is R = 1 - ASR over all triggered inputs,
``resistance_excluding_target`` over those not of the target class, ``overall_value`` is V = (A + R)
/ 2; the five from local_only on are explained in ``scenarios.references``; ``best`` is the best
accuracy of any round; of the late rounds (``evaluate.late_rounds``) are ``late_mean``, the mean
accuracy, ``late_asr``, the mean ASR, and ``late_spread``, how far apart the accuracies are: all of
the server or of the benign peers' mean; ``rounds_done`` is the least of a peer, or the server's;
``budget_spent`` says which budget ended the run, if one did.
"""

COLUMNS = (*RESULTS, *COVARIATES, "digest", "folder", "error")
"""All columns after those of the axes: what came out, the graph's numbers, the digest of the final
models, the cell's folder within the sweep's, and why it failed. No wall times: a sweep that was
killed and went on has the same table to the byte."""

_FLAGS = ("benign_accepted", "adversaries_rejected", "flags_tpr", "flags_fpr")
_RESISTED = ("resistance", "resistance_excluding_target", "overall_value")
_CURVE = ("best", "late_mean", "late_asr", "late_spread")


def row_of(
    sweep: Sweep,
    cell: Cell,
    summary: Mapping[str, Any],
    references: Mapping[Reference, Mapping[str, Any]],
    places: Mapping[str, float | None],
) -> dict[str, Any]:
    """A cell's row, given its summary, its references' summaries and its graph's numbers."""
    accuracy, curve = summary.get("accuracy", {}), summary.get("curve") or {}

    def mean(group: str, which: str = "mean") -> float | None:
        return (accuracy.get(group) or {}).get(which)

    of_server = mean("server")
    values = (
        summary["status"], mean("benign") if of_server is None else of_server, mean("benign"),
        mean("benign", "worst"), mean("benign_other"), mean("benign_dominated"),
        summary.get("asr"), *map(summary.get, _RESISTED), summary.get("shortfalls"),
        summary.get("without_guarantee"),
        *beside(summary, references).values(), *map(summary.get, _FLAGS), *map(curve.get, _CURVE),
        summary.get("rounds_done", {}).get("least"),
        summary.get("messages", {}).get("bytes"), summary.get("virtual_s"),
        (summary.get("budget") or {}).get("spent"), *map(places.get, COVARIATES),
        summary.get("digest"), cell.folder.relative_to(sweep.folder).as_posix(),
        summary.get("error"),
    )  # fmt: skip
    keys = (axis.key for axis in sweep.axes)
    return dict(zip(keys, cell.names, strict=True)) | dict(zip(COLUMNS, values, strict=True))


def grid(sweep: Sweep, rows: Sequence[Mapping[str, Any]], column: str) -> Iterator[list[str]]:
    """A table of one result, in percent: the first axis down, the second across.

    Further axes are averaged over. A failed cell shows as ``failed``. Below accuracies stand those
    of the reference runs.
    """
    down, across = sweep.axes[0], sweep.axes[1] if len(sweep.axes) > 1 else None
    yield [down.key, *(across.names if across else [column])]
    for name in down.names:
        line = [name]
        for other in across.names if across else [None]:
            those = [
                row
                for row in rows
                if row[down.key] == name and (across is None or row[across.key] == other)
            ]
            if any(row["status"] != "done" for row in those):
                line.append("failed")
                continue
            line.append(_percent([row[column] for row in those]))
        yield line
    if column == "accuracy" and any(row[name] is not None for row in rows for name in REFERENCES):
        for name in REFERENCES:
            below = [
                [row[name] for row in rows if across is None or row[across.key] == other]
                for other in (across.names if across else [None])
            ]
            yield [f"({name})", *map(_percent, below)]


def side_by_side(sweep: Sweep, rows: Sequence[Mapping[str, Any]]) -> Iterator[list[str]]:
    """A table of methods: a line for each, and for each value of the other axes.

    Averaged over seeds. Accuracy and ASR as ``evaluate.score`` says; bytes in MB (10^6).
    """
    accuracy, *_, asr = (figure.column for figure in figures_of(sweep))
    names = [axis.key for axis in sweep.axes if not is_seed(axis.key)]
    yield [*names, "accuracy", "ASR", "rounds", "MB sent", "virtual s", "ended by"]
    kept: dict[tuple[str, ...], list[Mapping[str, Any]]] = {}
    for row in rows:
        kept.setdefault(tuple(row[name] for name in names), []).append(row)
    for values, those in kept.items():
        if any(row["status"] != "done" for row in those):
            yield [*values, "failed", *[""] * 5]
            continue
        ends = {row["budget_spent"] or "rounds" for row in those}
        yield [
            *values,
            *(_percent([row[column] for row in those]) for column in (accuracy, asr)),
            f"{fmean(row['rounds_done'] for row in those):.4g}",
            f"{fmean(row['bytes_sent'] for row in those) / 1e6:,.2f}",
            f"{fmean(row['virtual_s'] for row in those):,.1f}",
            ", ".join(sorted(ends)),
        ]


def _percent(values: Sequence[float | None]) -> str:
    known = [value for value in values if value is not None]
    return f"{100 * sum(known) / len(known):.1f}" if known else "-"
