"""What is too large or too long is refused before it is built, and the message says the limit."""

from pathlib import Path

import networkx as nx
import pytest

from graphs.availability import Session, Trace
from graphs.canonical import canonical
from graphs.events import Heal
from graphs.fixed import Clients, Complete, Rewire, Ring, Star
from graphs.latencies import Constant
from graphs.lattices import (
    BinaryTree,
    Caveman,
    Dumbbell,
    Exponential,
    Grid,
    Line,
    Torus,
    TwoCliques,
)
from graphs.network import Network
from graphs.random_graphs import (
    BarabasiAlbert,
    ErdosRenyi,
    RandomGeometric,
    RandomRegular,
    StochasticBlock,
    WattsStrogatz,
)
from graphs.sites import Matrix
from graphs.two_rings import TwoRings
from graphs.varying import OnePeerExponential
from p2pfl.errors import TopologyError

MANY = 10**9


@pytest.mark.parametrize(
    "build",
    [
        lambda: Ring(peers=MANY),
        lambda: Star(peers=MANY),
        lambda: Clients(peers=MANY),
        lambda: Complete(peers=MANY),
        lambda: Line(peers=MANY),
        lambda: Grid(rows=MANY, columns=1),
        lambda: Grid(rows=1000, columns=1000),
        lambda: Torus(rows=3, columns=MANY),
        lambda: BinaryTree(peers=MANY),
        lambda: Exponential(peers=MANY),
        lambda: OnePeerExponential(peers=MANY),
        lambda: Dumbbell(clique=3, bridge=MANY),
        lambda: Dumbbell(clique=10_000),
        lambda: TwoCliques(size=10_000),
        lambda: Caveman(cliques=MANY, size=3),
        lambda: Caveman(cliques=2, size=10_000),
        lambda: TwoRings(benign=MANY, byzantine=1),
        lambda: RandomRegular(peers=MANY, degree=2),
        lambda: RandomRegular(peers=10_000, degree=9_998),
        lambda: ErdosRenyi(peers=10_000, p=0.1),
        lambda: WattsStrogatz(peers=50_000, k=1000, p=0.1),
        lambda: BarabasiAlbert(peers=50_000, m=1000),
        lambda: StochasticBlock(sizes=(10_000, 1), p_in=0.1, p_out=0.1),
        lambda: RandomGeometric(peers=10_000, radius=0.1),
        lambda: Rewire(of=Ring(peers=5), swaps=MANY),
    ],
)
def test_a_graph_that_fits_no_machine_is_refused(build):
    with pytest.raises(ValueError, match=r"100,000 peers at most|5,000,000 at most|at most 3000"):
        build()


def test_the_largest_are_allowed():
    assert Ring(peers=100_000, neighbours=100).peers == 100_000
    assert RandomRegular(peers=100_000, degree=100).degree == 100
    assert ErdosRenyi(peers=3000, p=0.5).p == 0.5


@pytest.mark.parametrize(
    ("build", "said"),
    [
        (lambda: Heal(at_s=1e308), r"at_s must be in \[0, 1e9\] seconds, got 1e\+308"),
        (lambda: Session(mean_up_s=1e-300, mean_down_s=1), r"mean_up_s must be in \[1e-3, 1e9\]"),
        (lambda: Session(mean_up_s=1, mean_down_s=1e300), r"mean_down_s must be in \[1e-3, 1e9\]"),
        (lambda: OnePeerExponential(peers=4, every_s=1e-9), r"every_s must be in \[1e-3, 1e9\]"),
        (lambda: Constant(ms=1e308), r"ms must be in \[0, 1e9\], got 1e\+308"),
        (lambda: Network(up_mbps=1e-300), r"up_mbps must be a finite number >= 1e-6"),
    ],
)
def test_a_time_that_no_run_can_have_is_refused(build, said):
    with pytest.raises(ValueError, match=said):
        build()


@pytest.mark.parametrize(
    ("name", "value"), [("latency_ms", 1e10), ("latency_ms", 10**400), ("bandwidth_mbps", 1e-7)]
)
def test_the_same_of_an_edges_own(name, value):
    graph = nx.path_graph(2)
    graph.edges[0, 1][name] = value
    with pytest.raises(TopologyError, match=f"edge .0, 1.: {name} must be"):
        canonical(graph)


def test_the_same_in_files(tmp_path: Path):
    (tmp_path / "matrix").write_text("0 1\n1e300 0\n")
    with pytest.raises(TopologyError, match=r"line 2: a latency is a number of ms in \[0, 1e9\]"):
        Matrix(path="matrix").read(2, 1, tmp_path)
    (tmp_path / "trace").write_text("0 1 1e300\n")
    with pytest.raises(TopologyError, match="line 1: a time is at most 1e9 s"):
        Trace(path="trace").read(tmp_path)
