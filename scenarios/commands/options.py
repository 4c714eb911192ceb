"""Arguments that commands share, and their exit codes."""

import json
from pathlib import Path
from typing import Annotated, Any

import typer

DONE, FAILED, WRONG_INPUT, INTERRUPTED = 0, 1, 2, 130

SourceOf = Annotated[
    str, typer.Argument(metavar="SCENARIO", help="A file, or the name of a bundled scenario.")
]
Sets = Annotated[
    list[str] | None,
    typer.Option("--set", metavar="a.b=c", help="Change a key; the value is YAML. May repeat."),
]
Sweeps = Annotated[
    list[str] | None,
    typer.Option(
        "--sweep",
        metavar="KEY=VALUES",
        help="A further axis: a.b=[1, 2] or 'a.b={from: 1, to: 5}'. May repeat.",
    ),
]
Jobs = Annotated[
    int | None,
    typer.Option(min=1, help="Cells at once; by default one per core, as far as memory goes."),
]
DataFolder = Annotated[
    Path | None,
    typer.Option("--data", metavar="DIR", help="The data folder; by default P2PFL_DATA names it."),
]
SweepFolder = Annotated[
    Path | None,
    typer.Option(
        "--out", metavar="DIR", help="The sweep's folder; by default ./runs/NAME. Goes on."
    ),
]
AsJson = Annotated[bool, typer.Option("--json", help="Answer in JSON on standard output.")]


def print_json(value: Any) -> None:
    """Answer on standard output."""
    print(json.dumps(value, indent=2, ensure_ascii=False))
