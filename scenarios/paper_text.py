"""The tables of ``scenarios.paper_table`` as text: Markdown, and LaTeX with booktabs."""

from collections.abc import Sequence
from typing import NamedTuple

from scenarios.paper_table import Line, PaperTable


class Text(NamedTuple):
    """One field of a table."""

    text: str
    bold: bool = False


WORST = "worst case"


def fields(table: PaperTable, between: str = "±") -> list[list[Text]]:
    """The head, a line per value of the axis that goes down, and the references."""
    averaged = table.attacks > 1
    mean = [f"mean of {table.attacks} attacks"] if averaged else []
    worst = [WORST] if table.worst_case else []
    columns = table.columns if table.across else (f"{table.figure.column} (%)",)
    head = [Text(name) for name in (table.down, *columns, *mean, *worst)]
    columns_of_lines = zip(*(line.entries for line in table.lines), strict=True)
    best = [table.best(entries) for entries in columns_of_lines]
    best_mean = table.best(line.mean for line in table.lines)
    best_worst = table.best(line.worst_entry for line in table.lines)

    def line_of(line: Line, competes: bool) -> list[Text]:
        texts = [
            Text(entry.text(between), competes and line.name in best[k])
            for k, entry in enumerate(line.entries)
        ]
        if averaged:
            texts.append(Text(line.mean.text(between), competes and line.name in best_mean))
        if table.worst_case:
            text = _worst(line, table.columns, between)
            texts.append(Text(text, competes and line.name in best_worst))
        return [Text(line.name if competes else f"({line.name})"), *texts]

    lines = [line_of(line, True) for line in table.lines]
    return [head, *lines, *(line_of(line, False) for line in table.references)]


def _worst(line: Line, columns: Sequence[str], between: str) -> str:
    if line.worst is None:
        return "-"
    return f"{line.entries[line.worst].text(between)} ({columns[line.worst]})"


def markdown(tables: Sequence[PaperTable]) -> str:
    """All tables, each under its title."""
    return "\n".join(map(_markdown, tables))


def _markdown(table: PaperTable) -> str:
    head, *lines = [
        [f"**{_bars(text)}**" if bold else _bars(text) for text, bold in line]
        for line in fields(table)
    ]
    rule = ["---", *["---:"] * (len(head) - 1)]
    rows = [f"| {' | '.join(line)} |" for line in (head, rule, *lines)]
    return "\n".join([f"**{table.title}**", "", *rows, ""])


def _bars(text: str) -> str:
    return text.replace("|", r"\|").replace("*", r"\*")


_SPECIAL = {
    "\\": r"\textbackslash{}", "{": r"\{", "}": r"\}", "$": r"\$", "&": r"\&", "#": r"\#",
    "%": r"\%", "_": r"\_", "~": r"\textasciitilde{}", "^": r"\textasciicircum{}", "±": r"$\pm$",
}  # fmt: skip


def latex(tables: Sequence[PaperTable]) -> str:
    r"""All tables, each as a ``table``; they need ``\usepackage{booktabs}``."""
    return "\n".join(["% \\usepackage{booktabs}", *map(_latex, tables)])


def _latex(table: PaperTable) -> str:
    head, *lines = [
        [rf"\textbf{{{_escaped(text)}}}" if bold else _escaped(text) for text, bold in line]
        for line in fields(table)
    ]
    rows = [" & ".join(line) + r" \\" for line in lines]
    if table.references:
        rows.insert(len(table.lines), r"\midrule")
    return "\n".join(
        [
            r"\begin{table}",
            r"\centering",
            rf"\caption{{{_escaped(table.title)}}}",
            rf"\begin{{tabular}}{{l{'r' * (len(head) - 1)}}}",
            r"\toprule",
            " & ".join(head) + r" \\",
            r"\midrule",
            *rows,
            r"\bottomrule",
            r"\end{tabular}",
            r"\end{table}",
            "",
        ]
    )


def _escaped(text: str) -> str:
    return "".join(_SPECIAL.get(letter, letter) for letter in text)
