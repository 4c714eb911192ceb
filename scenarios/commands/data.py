"""``p2pfl data``: published data sets."""

from pathlib import Path
from typing import Annotated

import typer

from p2pfl.errors import ScenarioError
from scenarios.commands.options import DataFolder
from scenarios.terminal import Terminal


def get(
    name: Annotated[str, typer.Argument(metavar="NAME", help="As `p2pfl list datasets` has it.")],
    data: DataFolder = None,
    base_url: Annotated[
        str | None, typer.Option(metavar="URL", help="A mirror with the same files.")
    ] = None,
) -> None:
    """Download a data set, resume where it broke off, check it.

    The rare images of the attack edge_case, southwest and ardis, are placed by hand: asked for one
    of these, it says how.
    """
    from p2pfl.data import data_folder, find_source
    from p2pfl.data.edge_cases import EDGE_SOURCES
    from scenarios.fetch import fetch

    if name in EDGE_SOURCES:
        raise ScenarioError(f"{name} cannot be downloaded from here: {EDGE_SOURCES[name].how}")
    source = find_source(name)
    folder = data_folder(data)
    if source.downloads and folder is None:
        raise ScenarioError(f"where to put {name}? Pass --data DIR or set P2PFL_DATA")
    for path in fetch(source, folder or Path(), base_url, Terminal()):
        print(path)
