from pathlib import Path

import networkx as nx
import pytest

from graphs.links import Links
from graphs.network import Network
from graphs.sites import Matrix, Sites
from p2pfl.errors import TopologyError
from p2pfl.seeding import stream

MS = 1_000_000
TEXT = "lyon, tokyo\n0.5, 120 # from lyon\n\n115 1\n"


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "rtt.csv").write_text(TEXT, encoding="utf-8")
    return tmp_path


def test_a_matrix_of_sites_by_hand(folder):
    sites = Matrix(path="rtt.csv", sites=(0, 1, 1)).read(3, 1, folder)
    assert sites == Sites(of=(0, 1, 1), median_ms=((0.5, 120.0), (115.0, 1.0)))
    network = Network(latency=Matrix(path="rtt.csv"))
    links = Links(nx.complete_graph(3), network, 1, sites)
    assert links.send(0, 1, 10, 0) == 120 * MS
    assert links.send(1, 0, 10, 0) == 115 * MS
    assert links.send(1, 2, 10, 0) == MS


def test_where_peers_are(folder):
    matrix = Matrix(path="rtt.csv", assign="in_turn")
    assert matrix.read(5, 1, folder).of == (0, 1, 0, 1, 0)
    drawn = Matrix(path="rtt.csv").read(40, 7, folder).of
    assert drawn == tuple(int(stream(7, "site", peer).integers(2)) for peer in range(40))
    assert drawn[:20] == Matrix(path="rtt.csv").read(20, 7, folder).of  # whoever comes later
    assert set(drawn) == {0, 1}


def test_messages_spread_around_the_median(folder):
    matrix = Matrix(path="rtt.csv", sites=(0, 1), sigma=0.3)
    links = Links(nx.path_graph(2), Network(latency=matrix), 1, matrix.read(2, 1, folder))
    n = 4000
    below = sum(links.send(0, 1, 10, 0) < 120 * MS for _ in range(n))
    assert abs(below - n / 2) < 5 * (n / 4) ** 0.5  # five standard deviations of a binomial count


def test_an_edges_own_latency_goes_before_the_sites(folder):
    graph = nx.path_graph(2)
    graph.edges[0, 1]["latency_ms"] = 3.0
    matrix = Matrix(path="rtt.csv", sites=(0, 1))
    links = Links(graph, Network(latency=matrix), 1, matrix.read(2, 1, folder))
    assert links.send(0, 1, 10, 0) == 3 * MS


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("1 2\n3\n", r"net.csv must have as many .* 2 lines have 2 \+ 1 numbers"),
        ("a b\n", "0 lines have 0 numbers"),
        ("1 2\n3 x\n", "net.csv, line 2: a latency is a number of ms in .0, 1e9."),
        ("1 2\n3 -4\n", "line 2"),
        ("1 2\n3 inf\n", "line 2"),
        ("1 2\n3 nan\n", "line 2"),
    ],
)
def test_files_that_are_no_matrix_are_refused(tmp_path, text, message):
    (tmp_path / "net.csv").write_text(text, encoding="utf-8")
    with pytest.raises(TopologyError, match=message):
        Matrix(path="net.csv").read(2, 1, tmp_path)


@pytest.mark.parametrize(
    ("sites", "message"),
    [
        ((0, 1), "network.latency.sites has 2 entries for 3 peers"),
        ((0, 1, 2), "rtt.csv has sites 0 to 1, not 2"),
    ],
)
def test_sites_that_do_not_fit_are_refused(folder, sites, message):
    with pytest.raises(TopologyError, match=message):
        Matrix(path="rtt.csv", sites=sites).read(3, 1, folder)


def test_a_file_that_is_not_there_is_named():
    with pytest.raises(TopologyError, match=r"there is no file 'nowhere\.csv'"):
        Matrix(path="nowhere.csv").read(3, 1, Path())


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"sigma": 11}, r"sigma must be in \[0, 10\], got 11"),
        ({"sites": ()}, r"sites must be numbers of sites >= 0, one per peer, got \[\]"),
        ({"sites": (-1,)}, r"got \[-1\]"),
    ],
)
def test_settings_out_of_range_are_refused(fields, message):
    with pytest.raises(ValueError, match=message):
        Matrix(path="rtt.csv", **fields)
