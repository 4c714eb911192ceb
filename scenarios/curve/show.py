"""Where the lines break, on a terminal."""

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from scenarios.curve.study import Study, break_rows, means_when
from scenarios.sweep import Sweep
from scenarios.sweep_files import FILES


def show_study(sweep: Sweep, study: Study, console: Console) -> None:
    """A table for each result, and where the rest is."""
    made = study.curves
    for figure in study.figures:
        console.print(
            f"{figure.column} against {made.title}: breaks {means_when(figure, study.plan)}",
            highlight=False, soft_wrap=True,
        )  # fmt: skip
        head, *lines = break_rows(study, figure)
        table = Table()
        for number, column in enumerate(head):
            table.add_column(column, justify="right" if number else "left", no_wrap=True)
        for line in lines:
            table.add_row(*map(escape, line))
        console.print(table)
    for text in study.alarms:
        console.print(f"[yellow]warning[/]: {escape(text)}", highlight=False, soft_wrap=True)
    for name in ("results.csv", "curve.csv", "breaks.csv", "curve.html"):
        path = escape(str(sweep.folder / name))
        console.print(f"{FILES[name]}: {path}", highlight=False, soft_wrap=True)
