from dataclasses import fields
from pathlib import Path
from typing import get_args

import networkx as nx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from graphs.files import EdgeList, GraphML
from graphs.fixed import FIXED, Clients, Complete, Fixed, Ring, Star
from graphs.random_graphs import ErdosRenyi, RandomRegular, WattsStrogatz
from graphs.topologies import TOPOLOGIES, around_a_server, build_graph, require_connected
from graphs.varying import VARYING, Varying
from p2pfl.errors import TopologyError

HERE = Path()
DRAWN = [
    RandomRegular(peers=20, degree=3),
    ErdosRenyi(peers=20, p=0.3),
    WattsStrogatz(peers=20, k=4, p=0.5),
]


def test_clients_have_a_server_and_nobody_else():
    clients = build_graph(Clients(peers=3), 1, HERE)
    assert list(clients) == [0, 1, 2]
    assert not clients.edges
    graph = around_a_server(build_graph(Ring(peers=3), 1, HERE))
    assert list(graph) == [0, 1, 2, 3]
    assert list(graph.edges) == [(0, 3), (1, 3), (2, 3)]


def test_the_registry_is_the_union_and_kinds_are_told_apart():
    assert get_args(Fixed) == FIXED
    assert get_args(Varying) == VARYING
    assert (*FIXED, *VARYING) == TOPOLOGIES
    kinds = [fields(topology)[-1].default for topology in TOPOLOGIES]
    assert kinds == [
        "ring",
        "line",
        "grid",
        "torus",
        "hypercube",
        "binary_tree",
        "exponential",
        "complete",
        "star",
        "clients",
        "random_regular",
        "erdos_renyi",
        "watts_strogatz",
        "barabasi_albert",
        "stochastic_block",
        "random_geometric",
        "dumbbell",
        "two_cliques",
        "caveman",
        "two_rings",
        "rewire",
        "networkx",
        "edge_list",
        "adjacency_list",
        "graphml",
        "gml",
        "node_link",
        "periodic",
        "one_peer_exponential",
        "random_regular_anew",
        "edge_markov",
        "random_walk",
        "schedule",
    ]


def test_ring():
    assert list(build_graph(Ring(peers=4), 1, HERE).edges) == [(0, 1), (0, 3), (1, 2), (2, 3)]


def test_a_ring_with_four_neighbours():
    graph = build_graph(Ring(peers=7, neighbours=4), 1, HERE)
    assert sorted(graph[0]) == [1, 2, 5, 6]
    assert set(dict(graph.degree).values()) == {4}


def test_complete():
    assert list(build_graph(Complete(peers=3), 1, HERE).edges) == [(0, 1), (0, 2), (1, 2)]


def test_the_hub_of_a_star_is_peer_0():
    assert list(build_graph(Star(peers=4), 1, HERE).edges) == [(0, 1), (0, 2), (0, 3)]


@given(st.integers(2, 24), st.data())
@settings(deadline=None)
def test_random_regular_has_the_degree(peers, data):
    possible = [d for d in range(1, peers) if peers * d % 2 == 0]
    degree = data.draw(st.sampled_from(possible))
    graph = build_graph(RandomRegular(peers=peers, degree=degree), 3, HERE)
    assert dict(graph.degree) == dict.fromkeys(range(peers), degree)


@pytest.mark.parametrize("p", [0.0, 1.0])
def test_erdos_renyi_at_its_ends(p):
    assert build_graph(ErdosRenyi(peers=6, p=p), 1, HERE).size() == 15 * p


def test_watts_strogatz_keeps_the_number_of_edges_and_is_a_ring_without_rewiring():
    assert build_graph(WattsStrogatz(peers=12, k=4, p=0.7), 1, HERE).size() == 24
    still = build_graph(WattsStrogatz(peers=12, k=4, p=0.0), 1, HERE)
    assert list(still.edges) == list(build_graph(Ring(peers=12, neighbours=4), 1, HERE).edges)


@pytest.mark.parametrize("topology", DRAWN, ids=lambda t: t.kind)
def test_a_graph_is_a_function_of_its_seed(topology):
    first = build_graph(topology, 1, HERE)
    assert list(first.edges) == list(build_graph(topology, 1, HERE).edges)
    assert list(first.edges) != list(build_graph(topology, 2, HERE).edges)


@pytest.mark.parametrize(
    ("build", "message"),
    [
        (lambda: Complete(peers=1), "peers must be >= 2, got 1"),
        (lambda: Star(peers=0), "peers must be >= 2, got 0"),
        (lambda: Ring(peers=2), "with peers=2 no such number is possible, got 2"),
        (lambda: Ring(peers=8, neighbours=3), "with peers=8 2 to 6 is possible, got 3"),
        (lambda: Ring(peers=4, neighbours=4), "with peers=4 2 is possible, got 4"),
        (lambda: RandomRegular(peers=5, degree=5), "with peers=5 1 to 4 is possible, got 5"),
        (lambda: RandomRegular(peers=5, degree=0), "1 to 4 is possible, got 0"),
        (lambda: RandomRegular(peers=5, degree=3), "degree 2 would do, or 6 peers"),
        (lambda: RandomRegular(peers=5, degree=1), "degree 2 would do, or 6 peers"),
        (lambda: ErdosRenyi(peers=5, p=1.5), r"p is a probability .* got 1.5"),
        (lambda: ErdosRenyi(peers=5, p=float("nan")), r"p is a probability .* got nan"),
        (lambda: WattsStrogatz(peers=5, k=5, p=0.1), "k must be even.* 2 to 4 is possible, got 5"),
        (lambda: WattsStrogatz(peers=5, k=2, p=-0.1), "got -0.1"),
    ],
)
def test_impossible_settings_say_what_would_be_possible(build, message):
    with pytest.raises(ValueError, match=message):
        build()


def test_files_are_looked_for_in_the_folder(tmp_path):
    (tmp_path / "a.txt").write_text("0 1\n")
    nx.write_graphml(nx.path_graph(3), tmp_path / "b.graphml")
    assert build_graph(EdgeList(path="a.txt"), 1, tmp_path).size() == 1
    assert build_graph(GraphML(path="b.graphml"), 1, tmp_path).size() == 2
    assert build_graph(EdgeList(path=str(tmp_path / "a.txt")), 1, HERE).size() == 1


def test_adversaries_that_cut_the_benign_part_are_refused():
    path = nx.path_graph(6)
    require_connected(path, ())
    require_connected(path, (0, 5))
    with pytest.raises(
        TopologyError, match=r"2 components, of 3, 2 peers.*allow_disconnected: true"
    ):
        require_connected(path, (2,))


def test_adversaries_do_not_connect_what_is_apart_and_may_be_apart_themselves():
    graph = nx.disjoint_union(nx.path_graph(3), nx.path_graph(2))
    with pytest.raises(TopologyError, match="without 1 adversaries it has 2 components, of 3, 1"):
        require_connected(graph, (4,))
    require_connected(graph, (3, 4))


def test_in_a_directed_graph_benign_peers_must_reach_one_another_both_ways():
    require_connected(nx.DiGraph([(0, 1), (1, 2), (2, 0)]), ())
    with pytest.raises(
        TopologyError, match="3 components that do not hear one another both ways, of 1, 1, 1"
    ):
        require_connected(nx.DiGraph([(0, 1), (1, 2)]), ())


def test_many_parts_are_cut_short():
    with pytest.raises(TopologyError, match=r"30 components, of (1, ){8}\.\.\. peers"):
        require_connected(nx.empty_graph(30), ())
