"""Parts of a page: panels with their charts, tables, and what is the same on every page."""

import gzip
from base64 import b64encode
from collections.abc import Iterable, Sequence
from html import escape
from pathlib import Path

from scenarios.report.panels import Panel, Section

_HERE = Path(__file__).parent


def file_text(name: str) -> str:
    """A file of this folder, such as ``page.css``."""
    return (_HERE / name).read_text(encoding="utf-8")


def section_block(section: Section) -> str:
    """A section with its panels."""
    panels = "".join(map(panel_block, section.panels))
    return (
        f'<section id="{section.name}"><h2>{escape(section.title)}</h2>'
        f'<div class="panels">{panels}</div></section>'
    )


def panel_block(panel: Panel) -> str:
    """A chart with its caption, or why there is none."""
    kind = "panel wide" if panel.wide else "panel"
    head = f'<figure class="{kind}" id="{panel.name}"><h3>{escape(panel.title)}</h3>'
    if panel.chart is None:
        return f'{head}<p class="absent">{escape(panel.absent)}</p></figure>'
    return (
        f'{head}<div class="chart" role="group" aria-label="{escape(panel.title)}" '
        f'style="min-height:{panel.chart.layout.height}px"></div>'
        f'<script type="text/plain" class="packed">{_packed(panel.chart.to_json())}</script>'
        f"<figcaption>{escape(panel.caption)}</figcaption></figure>"
    )


def picture_block(path: Path, about: str) -> str:
    """A PNG file, within the page, and what it shows."""
    data = b64encode(path.read_bytes()).decode("ascii")
    return (
        f'<figure class="panel wide"><img src="data:image/png;base64,{data}" '
        f'alt="{escape(about)}" style="width:100%"></figure>'
    )


def _packed(text: str) -> str:
    """Charts compress to a tenth; the page unpacks each when it draws it."""
    return b64encode(gzip.compress(text.encode(), mtime=0)).decode("ascii")


def table_block(rows: Sequence[Sequence[str]]) -> str:
    """A table whose first row is its head."""
    head, *body = rows
    lines = "".join(f"<tr>{_cells(row, 'td')}</tr>" for row in body)
    return f"<table><thead><tr>{_cells(head, 'th')}</tr></thead><tbody>{lines}</tbody></table>"


def _cells(row: Iterable[str], tag: str) -> str:
    return "".join(f"<{tag}>{escape(cell)}</{tag}>" for cell in row)
