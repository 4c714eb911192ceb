"""report.html: one file with all that a run folder says, for a browser without a network."""

import json
from collections.abc import Mapping, Sequence
from html import escape
from pathlib import Path
from string import Template
from typing import Any

from scenarios.files import replace_file
from scenarios.report.blocks import file_text, section_block, table_block
from scenarios.report.folder import RunFolder, read_folder
from scenarios.report.headline import alarms, headline
from scenarios.report.panels import sections
from scenarios.report.place import table_of
from scenarios.report.published import methods
from scenarios.star import held_out_words

_FREE_DATA = ("digits", "synthetic")
_LIVE = (
    '<p id="live" data-version="{version}">The run is under way; this page follows it. A chart '
    "under the pointer stays as it is until the pointer leaves it.</p>"
)
_PLOTLY_SERVED = '<script src="plotly.js"></script>'


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


def page(run: RunFolder, version: str | None = None) -> str:
    """The whole page; of a run under way, the version of it that ``live.py`` serves."""
    from plotly.offline import get_plotlyjs

    live = version is not None
    parts = sections(run)
    return Template(file_text("page.html")).substitute(
        title=escape(run.summary["name"]),
        subtitle=escape(_subtitle(run)),
        style=file_text("page.css"),
        live=_LIVE.format(version=version) if live else "",
        alarms=_alarms(alarms(run)),
        tiles="".join(
            f'<div class="tile"><dt>{escape(figure.name)}</dt><dd>{escape(figure.text)}</dd>'
            f"<p>{escape(figure.note)}</p></div>"
            for figure in headline(run)
        ),
        contents="".join(f'<a href="#{part.name}">{escape(part.title)}</a>' for part in parts),
        sections="".join(map(section_block, parts)),
        peers=table_block(_peers(run)),
        methods=_methods(run),
        rerun=_rerun(run),
        scenario=escape(run.scenario_text),
        environment=escape(_lines(run.environment)),
        plotly=_PLOTLY_SERVED if live else f"<script>{get_plotlyjs()}</script>",
        script=file_text("page.js") + (file_text("live.js") if live else ""),
    )


def _lines(facts: Mapping[str, Any]) -> str:
    """Some facts, a line for each: a list of 200 peers must not take 200."""
    return "\n".join(f"{name}: {json.dumps(fact)}" for name, fact in facts.items())


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
    server, data = run.scenario.get("server") or {}, run.scenario["data"]
    kept = held_out_words(server.get("held_out", 0), data.get("withheld", 0))
    text = f"{text}; defense: {summary['defense']}; {rounds}{kept}"
    return f"{text}; a replay of {Path(origin).name}" if (origin := run.origin) else text


def _alarms(lines: Sequence[str]) -> str:
    if not lines:
        return ""
    items = "".join(f"<li>{escape(line)}</li>" for line in lines)
    head = '<section class="alarms" role="alert"><h2>Before you read on</h2>'
    return f"{head}<ul>{items}</ul></section>"


def _peers(run: RunFolder) -> list[Sequence[str]]:
    columns = {"last accuracy": run.last(run.metrics.get("accuracy"))}
    if run.success is not None:
        columns["last ASR"] = run.last(run.success)
    return table_of(run, columns)


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
