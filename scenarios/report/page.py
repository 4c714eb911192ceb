"""report.html: one file with all that a run folder says, for a browser without a network."""

import gzip
import json
from base64 import b64encode
from collections.abc import Iterable, Sequence
from html import escape
from pathlib import Path
from string import Template

from scenarios.files import replace_file
from scenarios.report.folder import RunFolder, read_folder
from scenarios.report.headline import alarms, headline
from scenarios.report.panels import Panel, Section, sections
from scenarios.report.place import table_of
from scenarios.report.published import methods

_HERE = Path(__file__).parent
_FREE_DATA = ("digits", "synthetic")


def write_report(folder: Path) -> Path:
    """Make report.html from a run folder alone, replacing an earlier one.

    Returns:
        Its path.

    Raises:
        ScenarioError: If it is no run folder.

    Cost:
        A second or two, and 5 MB, of which Plotly's own code is nearly all. Of 200 peers and 200
        rounds some ten seconds.
    """
    path = folder / "report.html"
    replace_file(path, page(read_folder(folder)))
    return path


def page(run: RunFolder) -> str:
    """The whole page."""
    from plotly.offline import get_plotlyjs

    parts = sections(run)
    return Template(_text("page.html")).substitute(
        title=escape(run.summary["name"]),
        subtitle=escape(_subtitle(run)),
        style=_text("page.css"),
        alarms=_alarms(alarms(run)),
        tiles="".join(
            f'<div class="tile"><dt>{escape(figure.name)}</dt><dd>{escape(figure.text)}</dd>'
            f"<p>{escape(figure.note)}</p></div>"
            for figure in headline(run)
        ),
        contents="".join(f'<a href="#{part.name}">{escape(part.title)}</a>' for part in parts),
        sections="".join(map(_section, parts)),
        peers=_table(_peers(run)),
        methods=_methods(run),
        rerun=_rerun(run),
        scenario=escape(run.scenario_text),
        environment=escape(json.dumps(run.environment, indent=1)),
        plotly=get_plotlyjs(),
        script=_text("page.js"),
    )


def _text(name: str) -> str:
    return (_HERE / name).read_text(encoding="utf-8")


def _subtitle(run: RunFolder) -> str:
    summary = run.summary
    peers = summary["peers"]
    who = "clients of a server" if run.server is not None else "benign peers"
    text = f"{summary['dataset']}; {peers['benign']} {who}, {peers['adversary']} adversaries"
    if peers["adversary"]:
        text += f" that send {summary['attack']} (knowledge: {summary['knowledge']})"
    most = (
        f"{summary['virtual_s']:g} s"
        if summary["rounds"] is None
        else f"{summary['rounds']} rounds"
    )
    rounds = f"{most}, seed {summary['seed']}"
    return f"{text}; defense: {summary['defense']}; {rounds}"


def _alarms(lines: Sequence[str]) -> str:
    if not lines:
        return ""
    items = "".join(f"<li>{escape(line)}</li>" for line in lines)
    head = '<section class="alarms" role="alert"><h2>Before you read on</h2>'
    return f"{head}<ul>{items}</ul></section>"


def _section(section: Section) -> str:
    panels = "".join(map(_panel, section.panels))
    return (
        f'<section id="{section.name}"><h2>{escape(section.title)}</h2>'
        f'<div class="panels">{panels}</div></section>'
    )


def _panel(panel: Panel) -> str:
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


def _packed(text: str) -> str:
    """Charts compress to a tenth; the page unpacks each when it draws it."""
    return b64encode(gzip.compress(text.encode(), mtime=0)).decode("ascii")


def _peers(run: RunFolder) -> list[Sequence[str]]:
    columns = {"last accuracy": run.last(run.metrics.get("accuracy"))}
    if run.success is not None:
        columns["last ASR"] = run.last(run.success)
    return table_of(run, columns)


def _table(rows: Sequence[Sequence[str]]) -> str:
    head, *body = rows
    lines = "".join(f"<tr>{_cells(row, 'td')}</tr>" for row in body)
    return f"<table><thead><tr>{_cells(head, 'th')}</tr></thead><tbody>{lines}</tbody></table>"


def _cells(row: Iterable[str], tag: str) -> str:
    return "".join(f"<{tag}>{escape(cell)}</{tag}>" for cell in row)


def _methods(run: RunFolder) -> str:
    blocks = []
    for method in methods(run.scenario):
        block = f"<h3>{escape(method.role)}: {escape(method.name)}</h3><p>{escape(method.text)}</p>"
        if method.source:
            block += f"<p><strong>Published:</strong> {escape(method.source)}</p>"
        for heading, text in method.departures.items():
            paragraphs = "".join(f"<p>{escape(part)}</p>" for part in text.split("\n\n"))
            block += f'<div class="departs"><h4>{escape(heading)}</h4>{paragraphs}</div>'
        blocks.append(f'<div class="method">{block}</div>')
    return "".join(blocks)


def _rerun(run: RunFolder) -> str:
    summary = run.summary
    data = "" if summary["dataset"] in _FREE_DATA else " --data DIR"
    commands = [
        f"p2pfl run scenario.yaml{data}    # the same run again",
        f"p2pfl run scenario.yaml{data} --set seed={summary['seed'] + 1}    # other draws",
        "p2pfl report .    # this page again",
    ]
    digest = (
        f"<p>On the same kind of machine the final models have the digest <code>"
        f"{escape(summary['digest'])}</code> again, and the tables are equal to the byte.</p>"
        if summary["digest"]
        else ""
    )
    lines = escape("\n".join(commands))
    return f"<p>In the run folder, where scenario.yaml lies:</p><pre>{lines}</pre>{digest}"
