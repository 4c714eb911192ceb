"""A comparison as one file for a browser without a network."""

from collections.abc import Sequence
from html import escape
from pathlib import Path
from string import Template

from p2pfl.errors import ScenarioError
from scenarios.compare.charts import both_means, by_peer, gains, in_the_graph
from scenarios.compare.comparison import Comparison
from scenarios.compare.differences import ROLES
from scenarios.compare.show import (
    FIGURES,
    METRICS,
    PEER_CELLS,
    figures,
    method_of,
    moment,
    parting_of,
    peer_cells,
)
from scenarios.files import replace_file
from scenarios.report.blocks import file_text, section_block, table_block
from scenarios.report.panels import Panel, Section

_HERE = Path(__file__).parent


def write_page(comparisons: Sequence[Comparison], path: Path) -> Path:
    """Make the page, replacing what is there.

    Args:
        comparisons: As :func:`scenarios.compare.comparison.compare` gives them.
        path: Of the file.

    Returns:
        The path.

    Raises:
        ScenarioError: If the file cannot be written.
    """
    try:
        replace_file(path, page(comparisons))
    except OSError as error:
        raise ScenarioError(f"--out {path} cannot be written: {error.strerror}") from error
    return path


def page(comparisons: Sequence[Comparison]) -> str:
    """The whole page: a part for each arm that is held against the first."""
    from plotly.offline import get_plotlyjs

    names = {comparison.pairs[0].a.summary["name"] for comparison in comparisons}
    return Template((_HERE / "page.html").read_text(encoding="utf-8")).substitute(
        title=escape(", ".join(sorted(names))),
        style=file_text("page.css"),
        parts="".join(_part(made, number) for number, made in enumerate(comparisons)),
        plotly=get_plotlyjs(),
        script=file_text("page.js"),
    )


def _part(made: Comparison, number: int) -> str:
    a, b = made.names
    changes = [["what", "A", "B"], *([*change] for change in (*made.keys, *made.outcomes))]
    seeds = ", ".join(pair.seed for pair in made.pairs)
    uneven = (
        f'<p class="alarms">The pairs differ in different ways: {escape(", ".join(made.uneven))}; '
        "what is shown is the first.</p>"
        if made.uneven
        else ""
    )
    parts = [
        f'<dl class="runs"><dt>A</dt><dd>{escape(a)}</dd><dt>B</dt><dd>{escape(b)}</dd>'
        f"<dt>seed</dt><dd>{escape(seeds)}</dd></dl>",
        "<h2>What differs</h2>",
        _scrolling(changes, True) if changes[1:] else "<p>The scenarios say the same.</p>",
        uneven,
        "<h2>At the end</h2>",
        _last(made),
        *(section_block(section) for section in _sections(made, number)),
        "<h2>Which peers changed</h2>",
        _peers(made),
        "<h2>Where the runs part</h2>",
        _partings(made),
    ]
    return f'<article id="part-{number}">{"".join(parts)}</article>'


def _scrolling(rows: Sequence[Sequence[str]], words: bool = False) -> str:
    """A table; of words rather than numbers, which then are not held to the right."""
    kind = "scrolls words" if words else "scrolls"
    return f'<div class="{kind}">{table_block(rows)}</div>'


def _last(made: Comparison) -> str:
    if not made.courses:
        return "<p>Nothing was evaluated in both.</p>"
    rows = [
        [METRICS[course.metric], ROLES[course.role], *figures(course.last)]
        for course in made.courses
    ]
    table = _scrolling([["figure", "of", *FIGURES], *rows])
    return f"{table}<p>Of each peer's last evaluation: {escape(method_of(made))}.</p>"


def _peers(made: Comparison) -> str:
    if not made.peers:
        return "<p>Of no peer did anything change, or the peers are not the same ones.</p>"
    several = len(made.pairs) > 1
    rows = [[change.seed] * several + peer_cells(change) for change in made.peers]
    text = (
        "Those first whose accuracy or ASR changed most. A neighbour counts as accepted by a peer "
        "that gave it influence in at least half of the merges that it had a model of it for."
    )
    return f"<p>{text}</p>{_scrolling([['seed'] * several + [*PEER_CELLS], *rows], True)}"


def _partings(made: Comparison) -> str:
    said = parting_of(made.partings)
    rows = [
        [parting.file, str(parting.line), moment(parting.a), moment(parting.b)]
        for parting in made.partings
    ]
    table = _scrolling([["table", "line", "A", "B"], *rows], True) if rows else ""
    which = f" (seed {escape(made.pairs[0].seed)})" if len(made.pairs) > 1 else ""
    return f"<p>{escape(said[0].upper() + said[1:])}{which}</p>{table}"


def _sections(made: Comparison, number: int) -> list[Section]:
    pair = made.pairs[0]
    of = f", seed {pair.seed}" if len(made.pairs) > 1 else ""
    sections = []
    for metric, what in (("accuracy", "test accuracy"), ("asr", "attack success (ASR)")):
        courses = [course for course in made.courses if course.metric == metric]
        if not courses:
            continue
        sides = [
            run.last(run.metrics.get("accuracy") if metric == "accuracy" else run.success)
            for run in (pair.a, pair.b)
        ]
        name, title = f"{metric}-{number}", f"{what[0].upper()}{what[1:]}"
        panels = [
            Panel(
                f"{name}-gain",
                f"{title}: B less A, round by round",
                f"With the interval as a band. {method_of(made)}.",
                gains(courses, what),
            ),
            Panel(
                f"{name}-both",
                f"{title} in both",
                "Mean of the peers of a role, in %: A dotted with hollow marks, B solid.",
                both_means(courses, what),
            ),
        ]
        if pair.by_peer and pair.b.server is None:
            panels += [
                Panel(
                    f"{name}-peers",
                    f"{title} of each peer{of}",
                    f"Each peer's last {what}, in %: A hollow, B filled, in the colour and shape "
                    "of its role in that run; whose rose most stands on top.",
                    by_peer(pair, what, *sides),
                    "No peer was evaluated in both.",
                ),
                Panel(
                    f"{name}-graph",
                    f"{title}: where in the graph{of}",
                    f"The graph of B. Colour: a benign peer's last {what} less that in A, in "
                    "percentage points; grey: not evaluated. Circles: benign; squares: benign and "
                    "dominated; red diamonds: adversaries. Edges that one run alone has are dashed "
                    "orange (A) or thick blue (B).",
                    in_the_graph(pair, what, *sides),
                    "No peer was evaluated in both.",
                ),
            ]
        sections.append(Section(f"{metric}-{number}", title, tuple(panels)))
    return sections
