"""curve.html: a chart for each result, where the lines break, and all points as a table."""

from pathlib import Path

from scenarios.curve.charts import above_first, result_chart
from scenarios.curve.lines import Interval
from scenarios.curve.study import Figure, Study, break_rows, means_when, place_text
from scenarios.files import replace_file
from scenarios.report.blocks import section_block
from scenarios.report.panels import Panel, Section
from scenarios.report.study_page import rerun_part, study_page, table_part
from scenarios.sweep import Sweep
from scenarios.sweep_files import FILES, files_of

TITLES = {
    "accuracy": "Test accuracy",
    "benign_mean": "Test accuracy, mean of the benign peers",
    "benign_worst": "Test accuracy of the worst benign peer",
    "benign_not_dominated": "Test accuracy, mean of the benign peers that are not dominated",
    "benign_dominated": "Test accuracy, mean of the dominated peers",
    "asr": "Attack success (ASR)",
}


def write_curve_page(sweep: Sweep, study: Study) -> Path:
    """Make curve.html in the sweep's folder, replacing an earlier one. A second, and 5 MB."""
    path = sweep.folder / "curve.html"
    replace_file(path, curve_page(sweep, study))
    return path


def curve_page(sweep: Sweep, study: Study) -> str:
    """The whole page."""
    made = study.curves
    name = sweep.cells[0].loaded.scenario.name
    subtitle = (
        f"{len(made.lines)} lines over {len(made.x)} values of {made.over}, {len(made.seeds)} "
        "paired seeds"
    )
    parts = [section_block(_section(study, figure)) + _tables(study, figure)
             for figure in study.figures]  # fmt: skip
    files = {path.name: FILES[path.name] for path in files_of(sweep) if path.name != "curve.html"}
    return study_page(
        f"{name}: curves",
        subtitle,
        study.alarms,
        [*parts, rerun_part(sweep.command("curve"), files)],
    )


def _section(study: Study, figure: Figure) -> Section:
    title = TITLES[figure.column]
    panels = [
        Panel(
            f"{figure.column}-curve",
            f"{title} against {study.curves.title}",
            "Points: mean over the seeds, in %; bands: 95 % intervals of these means (Student's t "
            f"over seeds). Crosses: where a line breaks, {means_when(figure, study.plan)}. "
            + _references(figure),
            result_chart(study, figure),
            wide=True,
        )
    ]
    if len(study.curves.lines) > 1:
        first = study.curves.lines[0].name
        panels.append(
            Panel(
                f"{figure.column}-above",
                f"{title}: difference from {first}",
                f"In percentage points, above 0: more than {first}. Paired: each seed gives one "
                "difference, and bands are 95 % intervals of their means (Student's t). Where a "
                "band does not touch 0, the difference is hardly the seeds' doing.",
                above_first(study, figure),
                wide=True,
            )
        )
    return Section(figure.column, title, tuple(panels))


def _references(figure: Figure) -> str:
    if figure.column == "asr":
        return "Dotted: that share."
    return (
        "Grey: the reference runs, in which peers train alone (local_only) or the adversaries are "
        "not there (benign_only), and, dotted, the threshold between them; means over the seeds."
    )


def _tables(study: Study, figure: Figure) -> str:
    text = (
        f"A line breaks {means_when(figure, study.plan)}: where the mean over the seeds first "
        "does, in a straight line between two values. Interval: 95 %, bootstrap over seeds, "
        "percentiles of 2,000 draws; of few seeds it is rather too narrow. Seeds: those that ran "
        "to their end at every value."
    )
    found = table_part("Where each breaks", text, break_rows(study, figure))
    return found + table_part(
        "All points",
        f"At: {study.curves.title}. In %: mean over the seeds, and its 95 % interval.",
        _points(study, figure),
    )


def _points(study: Study, figure: Figure) -> list[list[str]]:
    made = study.curves
    rows = [["at", *(line.name for line in made.lines)]]
    for i, x in enumerate(made.x):
        rows.append([place_text(x, study), *(_text(of[i]) for of in figure.points)])
    return rows


def _text(found: Interval | None) -> str:
    if found is None:
        return "-"
    if found.low is None or found.high is None:
        return f"{100 * found.mean:.1f}"
    return f"{100 * found.mean:.1f} ({100 * found.low:.1f} to {100 * found.high:.1f})"
