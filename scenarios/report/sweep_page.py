"""report.html of a sweep: tables, methods side by side, heat maps, what results vary with."""

from collections.abc import Mapping, Sequence
from html import escape
from pathlib import Path
from typing import Any

from scenarios.files import replace_file
from scenarios.paper_table import PaperTable, paper_tables
from scenarios.paper_text import Text, fields
from scenarios.report.blocks import picture_block, section_block
from scenarios.report.charts import FONT, Chart
from scenarios.report.panels import Panel, Section
from scenarios.report.side_by_side import pictures
from scenarios.report.study_page import rerun_part, study_page, table_part, weakened
from scenarios.report.styles import SCALE
from scenarios.sweep import Sweep
from scenarios.sweep_files import FILES, explained, files_of
from scenarios.variance import Variance

_SHOWN_ERRORS = 12
_VARIANCE_TEXT = (
    "Share of the variance over the cells that each axis explains by itself (its main effect): "
    "the squares of its means' distances from the mean of all, times the cells behind each, over "
    "the squares of all cells' distances. The rest is explained by combinations of values alone. "
    "By chance: the share that an axis which moves nothing would have on the average; a share is "
    "worth reading where it is well above. "
)


def write_sweep_page(sweep: Sweep, rows: Sequence[Mapping[str, Any]]) -> Path:
    """Make report.html in the sweep's folder, replacing an earlier one.

    Args:
        sweep: Which was run.
        rows: A row per cell.

    Cost:
        A second, and 5 MB, of which Plotly's own code is nearly all.
    """
    path = sweep.folder / "report.html"
    replace_file(path, sweep_page(sweep, rows))
    return path


def sweep_page(sweep: Sweep, rows: Sequence[Mapping[str, Any]]) -> str:
    """The whole page."""
    tables = paper_tables(sweep, rows)
    maps = [_map(table, number) for number, table in enumerate(tables) if table.across]
    parts = [
        "<section><h2>Tables</h2>" + "".join(map(_paper_part, tables)) + "</section>",
        _side_by_side(sweep),
        section_block(Section("maps", "Heat maps", tuple(maps))) if maps else "",
        f"<section><h2>What the results vary with</h2>{_variance_part(sweep, rows)}</section>",
        rerun_part(
            sweep.command("sweep"),
            {path.name: FILES[path.name] for path in files_of(sweep) if path.name != "report.html"},
        ),
    ]
    name = sweep.cells[0].loaded.scenario.name
    return study_page(f"{name}: a sweep", _subtitle(sweep), _alarms(rows), parts)


def _side_by_side(sweep: Sweep) -> str:
    """The pictures of a comparison; nothing of a plain sweep."""
    about = "accuracy of each method against rounds, bytes and virtual time"
    shown = "".join(picture_block(path, about) for path in pictures(sweep))
    return f"<section><h2>Methods side by side</h2>{shown}</section>" if shown else ""


def _subtitle(sweep: Sweep) -> str:
    axes = " x ".join(f"{len(axis.names)} {axis.key}" for axis in sweep.axes)
    return f"{len(sweep.cells)} cells: {axes}; {len(sweep.references.cells)} reference runs beside"


def _alarms(rows: Sequence[Mapping[str, Any]]) -> list[str]:
    failed = [row for row in rows if row["status"] != "done"]
    lines = [f"{row['folder']} failed: {row['error']}" for row in failed[:_SHOWN_ERRORS]]
    if len(failed) > _SHOWN_ERRORS:
        lines.append(f"and {len(failed) - _SHOWN_ERRORS} more cells failed; results.csv says why")
    return [*lines, *weakened(rows)]


def _paper_part(table: PaperTable) -> str:
    head, *lines = fields(table)
    body = ""
    for number, line in enumerate(lines):
        first = "reference first" if number == len(table.lines) else "reference"
        kind = f' class="{first}"' if number >= len(table.lines) else ""
        body += f"<tr{kind}>{''.join(map(_cell, line))}</tr>"
    titles = "".join(f"<th>{escape(each.text)}</th>" for each in head)
    title = f"{table.title[0].upper()}{table.title[1:]}"
    return (
        f'<div class="block"><h3>{escape(title)}</h3><div class="scrolls"><table><thead><tr>'
        f"{titles}</tr></thead><tbody>{body}</tbody></table></div><p>{escape(_about(table))}</p>"
        "</div>"
    )


def _cell(field: Text) -> str:
    text = escape(field.text)
    return f"<td><strong>{text}</strong></td>" if field.bold else f"<td>{text}</td>"


def _about(table: PaperTable) -> str:
    text = f"Down: {table.down or 'all cells'}; across: {table.across or 'the figure'}. "
    if len(table.lines) > 1:
        text += "Bold: the best of a column, as printed. "
    if table.attacks > 1:
        text += "Mean: over the attacks, with the spread over seeds of that mean. "
    if table.worst_case:
        text += (
            f"Worst case: the value of {table.across} under which a line's mean is worst, which an "
            "adversary would choose who knows the defense and not the seeds. "
        )
    if table.references:
        text += (
            "In brackets, out of competition: local_only, each benign peer trains alone; "
            "benign_only, the adversaries and their edges are not there and peers average."
        )
    return text


def _map(table: PaperTable, number: int) -> Panel:
    at = "".join(f"; {key}: {name}" for key, name in table.at.items())
    chart = heat_map(table)
    return Panel(
        f"map-{table.figure.column}-{number}",
        f"{table.figure.title[0].upper()}{table.figure.title[1:]}{at}",
        f"Mean over {table.over}, in %: {table.down} down, {table.across} across. Bright is "
        "much, dark is little; grey: failed or not measured.",
        chart,
        wide=len(table.columns) > 8,
    )


def heat_map(table: PaperTable) -> Chart:
    """A field per entry, with its figure in it where there is room."""
    from plotly import graph_objects as go

    lines = [*table.lines, *table.references]
    values = [[None if e.mean is None else 100 * e.mean for e in line.entries] for line in lines]
    names = [
        line.name if k < len(table.lines) else f"({line.name})" for k, line in enumerate(lines)
    ]
    roomy = len(table.columns) <= 16
    figure = go.Figure(
        go.Heatmap(
            z=values,
            x=list(table.columns),
            y=names,
            text=[[entry.text() for entry in line.entries] for line in lines],
            texttemplate=("%{z:.0f}" if len(table.columns) > 8 else "%{z:.1f}") if roomy else None,
            hovertemplate=f"{table.down} %{{y}}<br>{table.across} %{{x}}<br>%{{text}} %"
            "<extra></extra>",
            colorscale=SCALE,
            zmin=0,
            zmax=100,
            hoverongaps=False,
            xgap=1,
            ygap=1,
            colorbar={"title": {"text": "%"}, "thickness": 14},
        )
    )
    figure.update_layout(
        template="none",
        height=150 + 30 * len(lines),
        margin={"l": 60, "r": 10, "t": 10, "b": 50},
        font={"family": FONT, "size": 13, "color": "#1F2933"},
        plot_bgcolor="#BDBDBD",
        xaxis={"type": "category", "title": {"text": table.across, "standoff": 8},
               "automargin": True, "showgrid": False},
        yaxis={"type": "category", "autorange": "reversed", "automargin": True, "showgrid": False,
               "title": {"text": table.down, "standoff": 8}},
    )  # fmt: skip
    return figure


def _variance_part(sweep: Sweep, rows: Sequence[Mapping[str, Any]]) -> str:
    found, refused = explained(sweep, rows)
    parts = [
        table_part(_variance_title(each), _among(each), _variance_rows(each)) for each in found
    ]
    parts += [
        f"<p>Of {escape(column)} it is not told: {escape(reason)}.</p>"
        for column, reason in refused.items()
    ]
    return f"<p>{escape(_VARIANCE_TEXT)}</p>{''.join(parts)}"


def _variance_title(variance: Variance) -> str:
    among = "among seeds alone" if variance.among == "seeds" else "over all cells"
    deviation = f"{100 * variance.standard_deviation:.2f} percentage points"
    return f"{variance.column}, {among}: standard deviation {deviation}"


def _among(variance: Variance) -> str:
    if variance.among != "seeds":
        return "Over all cells in which it can be measured."
    return "Within each combination of the other axes' values, summed over these."


def _variance_rows(variance: Variance) -> list[list[str]]:
    rows = [["axis", "share (%)", "by chance (%)", "degrees of freedom"]]
    for part in variance.parts:
        name = part.axis or "rest: combinations"
        shares = (f"{100 * share:.1f}" for share in (part.share, part.by_chance))
        rows.append([name, *shares, str(part.degrees_of_freedom)])
    return rows
