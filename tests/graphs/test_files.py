import json
from pathlib import Path

import networkx as nx
import numpy as np
import pytest

from graphs.files import GML, AdjacencyList, EdgeList, GraphML, NodeLink
from graphs.topologies import build_graph
from p2pfl.errors import TopologyError

RNG = np.random.default_rng(0)


def write(folder: Path, name: str, text: str) -> None:
    (folder / name).write_text(text, encoding="utf-8")


def test_an_edge_list_with_settings_and_comments(tmp_path):
    write(
        tmp_path,
        "net.txt",
        "# two sites\n\n10 2\n2 3 {'latency_ms': 80, 'drop': 0.1}  # slow\n",
    )
    graph = build_graph(EdgeList(path="net.txt"), 1, tmp_path)
    assert [graph.nodes[i]["label"] for i in graph] == ["2", "3", "10"]
    assert list(graph.edges(data=True)) == [
        (0, 1, {"latency_ms": 80.0, "drop": 0.1}),
        (0, 2, {}),
    ]


def test_an_edge_list_as_networkx_writes_it(tmp_path):
    nx.write_edgelist(nx.cycle_graph(4), tmp_path / "ring.txt")
    graph = build_graph(EdgeList(path="ring.txt"), 1, tmp_path)
    assert list(graph.edges) == [(0, 1), (0, 3), (1, 2), (2, 3)]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("0 1\n2\n", "line 2: an edge is two names, got '2'"),
        ("0 1\n1 2\n1 0\n", r"line 3: edge \(1, 0\) is there already"),
        ("0 1 3.5\n", "line 1: settings look like .* got '3.5'"),
        ("0 1 {'drop': }\n", "line 1: settings look like"),
        ("0 1 {1: 2}\n", "line 1: settings look like"),
        ("0 1 __import__('os')\n", "line 1: settings look like"),
        ("", "at least 2 peers, got 0"),
        ("a a\nb a\n", "self loop at a"),
        ("a b {'drop': 2}\n", r"edge \(a, b\): drop must be a share in \[0, 1\], got 2"),
    ],
)
def test_a_broken_edge_list_says_where(tmp_path, text, message):
    write(tmp_path, "net.txt", text)
    with pytest.raises(TopologyError, match=message):
        build_graph(EdgeList(path="net.txt"), 1, tmp_path)


def test_bytes_that_are_no_text_are_refused(tmp_path):
    (tmp_path / "net.txt").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(TopologyError, match=r"net\.txt cannot be read as text"):
        EdgeList(path="net.txt").build(RNG, tmp_path)


@pytest.mark.parametrize("topology", [EdgeList(path="no.txt"), GraphML(path="no.txt")])
def test_a_missing_file_says_where_it_was_looked_for(tmp_path, topology):
    with pytest.raises(TopologyError) as caught:
        topology.build(RNG, tmp_path)
    assert f"{topology.kind}: there is no file 'no.txt'" in str(caught.value)
    assert str(tmp_path / "no.txt") in str(caught.value)


def test_graphml_keeps_direction_names_and_settings(tmp_path):
    graph = nx.DiGraph()
    graph.add_edge("b", "a", latency_ms=5, bandwidth_mbps=2.5)
    graph.add_edge("a", "c", drop=1.0)
    nx.write_graphml(graph, tmp_path / "net.graphml")
    out = build_graph(GraphML(path="net.graphml"), 1, tmp_path)
    assert out.is_directed()
    assert list(out.edges(data=True)) == [
        (0, 2, {"drop": 1.0}),
        (1, 0, {"latency_ms": 5.0, "bandwidth_mbps": 2.5}),
    ]
    assert dict(out.nodes(data="label")) == {0: "a", 1: "b", 2: "c"}


def test_a_graph_survives_being_written_and_read(tmp_path):
    write(tmp_path, "net.txt", "x y {'drop': 0.5}\ny z\n")
    graph = build_graph(EdgeList(path="net.txt"), 1, tmp_path)
    nx.write_graphml(graph, tmp_path / "again.graphml")
    again = build_graph(GraphML(path="again.graphml"), 1, tmp_path)
    assert list(again.nodes(data=True)) == list(graph.nodes(data=True))
    assert list(again.edges(data=True)) == list(graph.edges(data=True))


@pytest.mark.parametrize("text", ["", "<graphml>", "0 1\n", "<html></html>"])
def test_what_is_no_graphml_is_refused(tmp_path, text):
    write(tmp_path, "net.graphml", text)
    with pytest.raises(TopologyError, match=r"net\.graphml is no GraphML that can be read"):
        GraphML(path="net.graphml").build(RNG, tmp_path)


def test_an_adjacency_list_by_hand_and_as_networkx_writes_it(tmp_path):
    write(tmp_path, "a.txt", "# who\nb a c  # an edge may come twice\na b\n\nd\n")
    graph = build_graph(AdjacencyList(path="a.txt"), 1, tmp_path)
    assert list(graph.edges) == [(0, 1), (1, 2)]
    assert list(graph) == [0, 1, 2, 3]
    nx.write_adjlist(nx.cycle_graph(12), tmp_path / "b.txt")
    graph = build_graph(AdjacencyList(path="b.txt"), 1, tmp_path)
    assert list(graph.edges) == sorted(nx.cycle_graph(12).edges)


@pytest.mark.parametrize("directed", [False, True])
@pytest.mark.parametrize("kind", [GML, NodeLink])
def test_gml_and_json_keep_direction_and_settings(tmp_path, kind, directed):
    graph = nx.DiGraph([(0, 1), (2, 1)]) if directed else nx.Graph([(0, 1), (2, 1)])
    graph.edges[0, 1]["latency_ms"] = 80.5
    if kind is GML:
        nx.write_gml(graph, tmp_path / "net")
    else:
        write(tmp_path, "net", json.dumps(nx.node_link_data(graph, edges="edges")))
    read = build_graph(kind(path="net"), 1, tmp_path)
    assert read.is_directed() == directed
    assert sorted(read.edges) == sorted(graph.edges if directed else [(0, 1), (1, 2)])
    assert read.edges[0, 1] == {"latency_ms": 80.5}


def test_gml_without_labels_and_json_of_old(tmp_path):
    write(tmp_path, "net.gml", "graph [ node [ id 7 ] node [ id 9 ] edge [ source 7 target 9 ] ]")
    graph = build_graph(GML(path="net.gml"), 1, tmp_path)
    assert [graph.nodes[k]["label"] for k in graph] == ["7", "9"]
    old = nx.node_link_data(nx.path_graph(3), edges="links")
    write(tmp_path, "net.json", json.dumps(old))
    assert list(build_graph(NodeLink(path="net.json"), 1, tmp_path).edges) == [(0, 1), (1, 2)]


@pytest.mark.parametrize(
    ("kind", "text", "message"),
    [
        (GML, "<xml>", "is no GML that can be read"),
        (GML, "graph [ node [ id 1 ] edge [ source 1 target 2 ] ]", "is no GML"),
        (NodeLink, "[1, 2", "is no node-link JSON that can be read: JSONDecodeError"),
        (NodeLink, "[1, 2]", "is no node-link JSON"),
        (
            NodeLink,
            '{"nodes": [{"id": 1}], "edges": [{"source": 1}]}',
            "is no node-link JSON.*KeyError",
        ),
        (AdjacencyList, "a a b", "self loop at a"),
    ],
)
def test_other_files_that_cannot_be_read_are_named(tmp_path, kind, text, message):
    write(tmp_path, "net", text)
    with pytest.raises(TopologyError, match=message):
        build_graph(kind(path="net"), 1, tmp_path)


@pytest.mark.parametrize("kind", [AdjacencyList, GML, NodeLink])
def test_files_that_are_not_there_are_named(tmp_path, kind):
    with pytest.raises(TopologyError, match="there is no file 'net'"):
        build_graph(kind(path="net"), 1, tmp_path)
