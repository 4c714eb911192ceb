"""What the pages of many runs have in common: their frame, alarms, and tables with words."""

from collections.abc import Mapping, Sequence
from html import escape
from string import Template
from typing import Any

from scenarios.report.blocks import file_text, table_block


def study_page(title: str, subtitle: str, alarms: Sequence[str], parts: Sequence[str]) -> str:
    """A page that needs no network.

    Args:
        title: As text, like the subtitle and the alarms.
        subtitle: What was run.
        alarms: What to know before reading on.
        parts: As HTML.
    """
    from plotly.offline import get_plotlyjs

    items = "".join(f"<li>{escape(line)}</li>" for line in alarms)
    head = '<section class="alarms" role="alert"><h2>Before you read on</h2>'
    return Template(file_text("study.html")).substitute(
        title=escape(title),
        subtitle=escape(subtitle),
        style=file_text("page.css"),
        alarms=f"{head}<ul>{items}</ul></section>" if items else "",
        parts="".join(parts),
        plotly=get_plotlyjs(),
        script=file_text("page.js"),
    )


def weakened(rows: Sequence[Mapping[str, Any]]) -> list[str]:
    """In how many cells of a sweep a defense ran without what it promises, by its rows."""
    lines = []
    for column, what in (
        ("shortfalls", "the defense could not be computed in some merge, and on_shortfall decided"),
        ("without_guarantee", "the rule was computed without its guarantee in some merge"),
    ):
        count = sum(bool(row[column]) for row in rows)
        if count:
            lines.append(f"in {count} of {len(rows)} cells {what}; results.csv counts the merges")
    return lines


def table_part(title: str, text: str, rows: Sequence[Sequence[str]], words: bool = False) -> str:
    """A table under its title, and what it shows; words, unlike numbers, are held to the left."""
    kind = "block words" if words else "block"
    return (
        f'<div class="{kind}"><h3>{escape(title)}</h3><div class="scrolls">{table_block(rows)}'
        f"</div><p>{escape(text)}</p></div>"
    )


def rerun_part(command: str, files: Mapping[str, str]) -> str:
    """How to make the page again, and what lies beside it."""
    names = "".join(
        f"<li><code>{escape(name)}</code>: {escape(what)}</li>" for name, what in files.items()
    )
    return (
        "<section><h2>Run it again</h2><p>Finished cells are skipped: this goes on where it was, "
        f"or makes the tables and this page anew.</p><pre>{escape(command)}</pre>"
        f"<p>In the same folder:</p><ul>{names}</ul></section>"
    )
