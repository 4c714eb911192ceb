"""Who is connected with whom: the graphs that a scenario can name.

A topology is built once, from the stream (seed, "graph"). What is built of one that varies has all
edges that may ever be open; ``graphs_by_round`` and ``OpenEdges`` say which are, and when. A
run refuses a graph whose benign part is in several parts (:func:`require_connected`), unless the
scenario allows it.
"""

from collections.abc import Collection
from itertools import islice
from pathlib import Path
from typing import TypeAlias

import networkx as nx

from graphs.canonical import canonical
from graphs.fixed import FIXED, Fixed
from graphs.neighbourhoods import benign_components
from graphs.types import Graph
from graphs.varying import VARYING, Varying
from p2pfl.errors import TopologyError
from p2pfl.seeding import stream

Topology: TypeAlias = Fixed | Varying
TOPOLOGIES = (*FIXED, *VARYING)


def build_graph(topology: Topology, seed: int, folder: Path) -> Graph:
    """Build the graph of a run, in the form of :func:`graphs.canonical.canonical`.

    Args:
        topology: One of ``TOPOLOGIES``.
        seed: The run's seed; the graph is a function of it and of the topology.
        folder: Where relative paths are looked for.

    Returns:
        Nodes 0 ... n-1 with the attribute ``label``; edges with those of ``latency_ms``,
        ``bandwidth_mbps`` and ``drop`` that the input sets. Both in ascending order.

    Raises:
        TopologyError: If there is no such graph, or it is not one that peers can be put on.
    """
    return canonical(topology.build(stream(seed, "graph"), folder))


def graphs_by_round(
    topology: Topology, graph: Graph, seed: int, folder: Path, rounds: int
) -> list[Graph]:
    """The graph of each round of a topology that varies by rounds; nothing of any other.

    Args:
        topology: One of ``TOPOLOGIES``.
        graph: What ``build_graph`` gave of it.
        seed: The run's seed.
        folder: Where relative paths are looked for.
        rounds: How many.
    """
    if not isinstance(topology, VARYING) or topology.every_s is not None:
        return []
    steps = (rounds - 1) // topology.every_rounds + 1
    graphs = list(islice(topology.graphs(graph, seed, folder), steps))
    return [graphs[round_ // topology.every_rounds] for round_ in range(rounds)]


def around_a_server(clients: Graph) -> Graph:
    """A star: every client of the graph, and a server that is connected with all of them.

    The server's id is the number of clients. Edges between clients are left out.
    """
    server = len(clients)
    graph: Graph = nx.Graph()
    graph.add_nodes_from(clients.nodes(data=True))
    graph.add_node(server, label="server")
    graph.add_edges_from((client, server) for client in sorted(clients))
    return graph


def without_edges_of(graph: Graph, peers: Collection[int]) -> Graph:
    """The graph in which nobody hears these peers, nor they anybody. They stay, as its nodes."""
    smaller = graph.copy()
    smaller.remove_edges_from([edge for edge in graph.edges if set(edge) & set(peers)])
    return smaller


def require_connected(graph: Graph, adversaries: Collection[int]) -> None:
    """Refuse a graph on which some benign peers cannot hear of one another, even indirectly.

    Paths lead over benign peers only; in a directed graph they must lead both ways.

    Raises:
        TopologyError: Gives the sizes of the parts and the key of the scenario that allows it.
    """
    parts = benign_components(graph, adversaries)
    if len(parts) > 1:
        sizes = ", ".join(str(len(part)) for part in parts[:8]) + (
            ", ..." if len(parts) > 8 else ""
        )
        count = len(set(adversaries))
        without = f"without {count} adversaries " if count else ""
        apart = " that do not hear one another both ways" if graph.is_directed() else ""
        raise TopologyError(
            f"the benign part of the graph is disconnected: {without}it has {len(parts)} "
            f"components{apart}, of {sizes} peers; add edges, change the seed or the "
            "placement, or say allow_disconnected: true"
        )
