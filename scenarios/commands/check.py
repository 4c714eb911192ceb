"""``p2pfl check`` and ``p2pfl calibrate``: about a scenario, before it is run."""

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import typer

from scenarios.commands.options import AsJson, DataFolder, Sets, SourceOf, Sweeps, print_json
from scenarios.terminal import Terminal


def check(
    scenario: SourceOf,
    sets: Sets = None,
    sweeps: Sweeps = None,
    data: DataFolder = None,
    png: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Draw the graph into this file.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Validate a scenario, plan its processes, show each neighbourhood. Runs nothing.

    Of a sweep or a comparison, every cell is validated, and the first one is shown.
    """
    from scenarios.loader import Draft

    draft = Draft.read(scenario, sets or ())
    if sweeps or "sweep" in draft.tree or "compare" in draft.tree:
        _check_sweep(scenario, sets or (), sweeps or (), data, png, as_json)
        return
    loaded = draft.loaded(sets or ())

    from scenarios.build import build
    from scenarios.check import check_as_json, draw_check, show_check

    experiment = build(loaded, data)
    if png is not None:
        draw_check(experiment, png)
    if as_json:
        print_json(check_as_json(experiment))
    else:
        show_check(experiment, Terminal())


def _check_sweep(
    scenario: str,
    sets: Sequence[str],
    sweeps: Sequence[str],
    data: Path | None,
    png: Path | None,
    as_json: bool,
) -> None:
    from scenarios.sweep import load_sweep

    wanted = load_sweep(scenario, sets, sweeps=sweeps)

    from scenarios.check import check_sweep, draw_check, show_sweep_check, sweep_as_json

    checked = check_sweep(wanted, data)
    if png is not None:
        draw_check(checked.first, png)
    if as_json:
        print_json(sweep_as_json(checked))
    else:
        show_sweep_check(checked, Terminal())


def calibrate(
    scenario: SourceOf, sets: Sets = None, data: DataFolder = None, as_json: AsJson = False
) -> None:
    """Find alpha and c1 of a dfl_dual scenario, from its first rounds with nobody hostile."""
    from scenarios.loader import load

    loaded = load(scenario, sets or ())

    from scenarios.calibrate import calibrate as calibrate_scenario

    found = calibrate_scenario(loaded, data)
    if as_json:
        print_json(found._asdict())
    else:
        for name, value, (least, most) in (
            ("alpha", found.alpha, found.alpha_range),
            ("c1", found.c1, found.c1_range),
        ):
            print(f"{name}: {value:.4g}    # {least:.4g} to {most:.4g} over the peers")
