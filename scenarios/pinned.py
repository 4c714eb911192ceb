"""A scenario with its graph and its adversaries written out: a change of one moves no other.

A placement such as ``dominate`` looks at the graph: on a graph with one edge less it would choose
others.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import networkx as nx

from graphs.canonical import EDGE_ATTRIBUTES
from graphs.types import Graph

GRAPH = "graph.graphml"
"""The file that a pinned scenario has its graph in, beside it."""

Tree = Mapping[str, Any]


def with_adversaries(
    tree: Tree, adversaries: Sequence[int], groups: Mapping[int, int]
) -> dict[str, Any]:
    """The scenario with these adversaries by name.

    Args:
        tree: Of plain values, with every default.
        adversaries: Their ids.
        groups: Which group of the attack each is in, counted from 0.
    """
    made = dict(tree)
    if tree["adversaries"] is not None:
        placement = {"kind": "nodes", "nodes": sorted(adversaries)}
        made["adversaries"] = {**tree["adversaries"], "placement": placement}
        made["adversaries"] |= {"count": None, "fraction": None}
    if isinstance(tree["attack"], list) and adversaries:
        made["attack"] = [
            {**group, "peers": [k for k in sorted(adversaries) if groups[k] == number]}
            | {"count": None, "share": None}
            for number, group in enumerate(tree["attack"])
        ]
    return made


def with_graph(tree: Tree) -> dict[str, Any]:
    """The scenario with the graph of the file ``GRAPH`` beside it."""
    return {**tree, "topology": {"kind": "graphml", "path": GRAPH}}


def write_graph(graph: Graph, folder: Path) -> None:
    """Write ``GRAPH``: peers by their numbers, and of the edges what they set for themselves."""
    plain: Graph = nx.DiGraph() if graph.is_directed() else nx.Graph()
    plain.add_nodes_from(sorted(graph))
    for source, target, data in sorted(graph.edges(data=True), key=lambda edge: edge[:2]):
        own = {name: value for name, value in data.items() if name in EDGE_ATTRIBUTES}
        plain.add_edge(source, target, **own)
    nx.write_graphml(plain, folder / GRAPH)
