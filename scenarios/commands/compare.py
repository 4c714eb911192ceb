"""``p2pfl compare``."""

from pathlib import Path
from typing import Annotated

import typer

from scenarios.commands.options import AsJson, print_json
from scenarios.terminal import Terminal


def compare(
    runs: Annotated[
        list[Path],
        typer.Argument(
            metavar="RUN...",
            help="Two run folders or more, the first of each seed against the others of that seed.",
        ),
    ],
    out: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="Make a page of it too: one file for a browser."),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Hold runs against one another: what differs, how they fared, and where they part.

    Of two runs, differences are paired by peer; of several pairs with different seeds, by seed.
    """
    from scenarios.compare.comparison import compare as compare_runs
    from scenarios.compare.show import show_comparison

    console = Terminal(stderr=as_json)
    made = compare_runs(runs)
    if as_json:
        print_json([comparison.as_dict() for comparison in made])
    else:
        for comparison in made:
            show_comparison(comparison, console)
    if out is not None:
        from scenarios.compare.page import write_page

        console.print(f"page: {write_page(made, out)}", highlight=False, soft_wrap=True)
