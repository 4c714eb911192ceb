"""The graph's numbers of a run, from its folder alone: columns of a sweep's table."""

import json
from dataclasses import fields
from pathlib import Path

import networkx as nx

from graphs.covariates import Covariates, covariates
from scenarios.files import replace_file

COVARIATES = tuple(field.name for field in fields(Covariates))
"""Their names, which ``graphs.covariates`` explains. Of a graph that varies they are those of all
edges that are ever open; where a server stands in the middle there are none."""


def covariates_of(folder: Path) -> dict[str, float | None]:
    """Of a run by its folder; computed once, and kept there in covariates.json.

    Nothing of a run that ended before it had a graph, or that has a server.
    """
    kept, topology = folder / "covariates.json", folder / "topology.graphml"
    if kept.exists():
        found: dict[str, float | None] = json.loads(kept.read_text("utf-8"))
        return found
    if not topology.exists():
        return {}
    graph = nx.read_graphml(topology, node_type=int)
    roles = nx.get_node_attributes(graph, "role")
    hostile = [peer for peer, role in roles.items() if role == "adversary"]
    of_peers = "server" not in roles.values()
    numbers = covariates(graph, hostile).as_dict() if of_peers else {}
    replace_file(kept, json.dumps(numbers, indent=1) + "\n")
    return numbers
