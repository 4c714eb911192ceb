"""Arrival times by hand. At 8 Mbit/s a byte takes 1000 ns, so 100 bytes take 100 000."""

import json

import networkx as nx
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import graphs.lane
from graphs.drops import DROPS, Bernoulli, GilbertElliott
from graphs.latencies import LATENCIES, Constant, Exponential, Lognormal, Normal, Pareto, Uniform
from graphs.links import Links
from graphs.network import Network
from graphs.sites import Matrix
from p2pfl.errors import TopologyError
from p2pfl.seeding import stream

MS = 1_000_000
LINE = nx.path_graph(3)
SLOW = Network(latency=Constant(ms=1), bandwidth_mbps=8)
RANDOM = Network(latency=Lognormal(median_ms=40, sigma=0.5), drop=0.3)


def edge(**settings):
    graph = nx.path_graph(3)
    graph.edges[0, 1].update(settings)
    return graph


def test_without_settings_a_message_is_there_at_once():
    links = Links(LINE, Network(), 1)
    assert links.send(0, 1, 10**9, 5) == 5
    assert not links.has_downlink
    assert links.receive(1, 10**9, 5) == 5


def test_an_uplink_is_a_fifo():
    links = Links(LINE, SLOW, 1)
    assert links.send(1, 0, 100, 0) == 100_000 + MS
    assert links.send(1, 2, 100, 50_000) == 200_000 + MS  # waits, whatever its destination
    assert links.send(1, 0, 100, 500_000) == 600_000 + MS  # the uplink was free
    assert links.send(0, 1, 100, 50_000) == 150_000 + MS  # another peer's uplink


def test_a_downlink_is_a_fifo():
    links = Links(LINE, SLOW, 1)
    assert links.has_downlink
    assert links.receive(1, 100, 1_100_000) == 1_200_000
    assert links.receive(1, 100, 1_150_000) == 1_300_000
    assert links.receive(1, 100, 2_000_000) == 2_100_000
    assert links.receive(0, 100, 1_150_000) == 1_250_000


def test_both_ends_by_hand():
    """0 and 2 send 100 bytes each to 1 at once: the second is served after the first."""
    links = Links(LINE, SLOW, 1)
    first, second = links.send(0, 1, 100, 0), links.send(2, 1, 100, 0)
    assert (first, second) == (1_100_000, 1_100_000)
    assert links.receive(1, 100, first) == 1_200_000
    assert links.receive(1, 100, second) == 1_300_000


def test_up_and_down_go_before_bandwidth():
    links = Links(LINE, Network(bandwidth_mbps=8, up_mbps=4, down_mbps=2), 1)
    assert links.send(0, 1, 100, 0) == 200_000
    assert links.receive(1, 100, 0) == 400_000
    assert Links(LINE, Network(bandwidth_mbps=8, up_mbps=4), 1).receive(1, 100, 0) == 100_000
    assert Links(LINE, Network(bandwidth_mbps=8, down_mbps=4), 1).send(0, 1, 100, 0) == 100_000
    assert not Links(LINE, Network(up_mbps=4), 1).has_downlink


def test_each_step_is_rounded_once():
    links = Links(LINE, Network(latency=Constant(ms=0.0000015), bandwidth_mbps=3), 1)
    assert links.send(0, 1, 1, 0) == 2667 + 2  # 8000 / 3 ns, and 1.5 ns to even
    assert links.send(0, 1, 1, 0) == 2 * 2667 + 2
    assert links.receive(1, 1, 0) == 2667


def test_times_stay_whole_numbers_however_late():
    links = Links(LINE, SLOW, 1)
    late = 10**17 + 1
    assert links.send(0, 1, 100, late) == late + 100_000 + MS
    assert links.receive(1, 100, late) == late + 100_000


def test_an_edges_latency_replaces_the_distribution():
    links = Links(edge(latency_ms=3.0), Network(latency=Lognormal(median_ms=9, sigma=1)), 1)
    assert links.send(0, 1, 100, 7) == 7 + 3 * MS
    assert links.send(1, 0, 100, 7) == 7 + 3 * MS
    assert links.send(1, 2, 100, 7) != 7 + 3 * MS


def test_an_edges_bandwidth_replaces_the_uplinks_rate_in_the_same_fifo():
    links = Links(edge(bandwidth_mbps=1.0), Network(bandwidth_mbps=8), 1)
    assert links.send(1, 0, 100, 0) == 800_000
    assert links.send(1, 2, 100, 0) == 900_000  # behind it, at the uplink's own rate
    assert links.receive(0, 100, 800_000) == 900_000  # the downlink is as it was


def test_without_an_uplink_rate_messages_still_wait_behind_a_slow_edges():
    links = Links(edge(bandwidth_mbps=1.0), Network(), 1)
    assert links.send(1, 2, 100, 0) == 0
    assert links.send(1, 0, 100, 0) == 800_000
    assert links.send(1, 2, 100, 0) == 800_000
    assert links.send(1, 2, 100, 900_000) == 900_000
    assert not links.has_downlink


def test_drops_are_the_streams_own():
    links = Links(LINE, Network(drop=0.3), 4)
    got = [links.send(0, 1, 10, 0) is None for _ in range(500)]
    assert got == (stream(4, "drop", 0, 1).random(500) < 0.3).tolist()
    assert got != [links.send(1, 0, 10, 0) is None for _ in range(500)]


def test_a_dropped_message_has_used_the_uplink():
    links = Links(edge(drop=1.0), Network(up_mbps=8), 1)
    assert links.send(1, 0, 100, 0) is None
    assert links.send(1, 2, 100, 0) == 200_000


def test_an_edges_drop_replaces_the_networks():
    links = Links(edge(drop=0.0), Network(drop=1.0), 1)
    assert links.send(0, 1, 10, 0) == 0
    assert links.send(1, 2, 10, 0) is None


def test_latencies_are_the_streams_own():
    links = Links(LINE, Network(latency=Lognormal(median_ms=40, sigma=0.5)), 4)
    ms = 40 * np.exp(0.5 * stream(4, "latency", 1, 2).standard_normal(300))
    assert [links.send(1, 2, 10, 0) for _ in range(300)] == np.rint(ms * 1e6).astype(int).tolist()


def test_a_dropped_message_takes_its_latency_with_it():
    """So a drop, or its probability, does not move the latencies of those that arrive."""
    lossy, sure = Links(LINE, RANDOM, 4), Links(LINE, Network(latency=RANDOM.latency), 4)
    pairs = [(lossy.send(0, 1, 10, 0), sure.send(0, 1, 10, 0)) for _ in range(200)]
    assert 0 < sum(got is None for got, _ in pairs) < 200
    assert all(got in (None, want) for got, want in pairs)


@given(st.lists(st.sampled_from([(0, 1), (1, 0), (1, 2), (2, 1)]), max_size=60), st.integers(1, 40))
@settings(deadline=None)
def test_a_links_draws_do_not_depend_on_other_links_nor_on_blocks(order, first):
    alone = {link: Links(LINE, RANDOM, 9) for link in set(order)}
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(graphs.lane, "FIRST_BLOCK", first)
        together = Links(LINE, RANDOM, 9)
    for link in order:
        assert together.send(*link, 10, 0) == alone[link].send(*link, 10, 0)


EVERY_LATENCY = [
    Constant(ms=3),
    Uniform(low_ms=1, high_ms=9),
    Normal(mean_ms=5, std_ms=9),
    Lognormal(median_ms=40, sigma=0.5),
    Exponential(mean_ms=7),
    Pareto(scale_ms=2, shape=1.5),
]
EVERY_DROP = [
    0.3,
    Bernoulli(p=0.3),
    GilbertElliott(p_good_to_bad=0.2, p_bad_to_good=0.4, drop_good=0.1, drop_bad=0.8),
]


def test_every_latency_and_every_drop_is_here():
    assert {type(latency) for latency in EVERY_LATENCY} == {*LATENCIES} - {Matrix}
    assert {type(drop) for drop in EVERY_DROP} == {*DROPS, float}


@pytest.mark.parametrize("drop", EVERY_DROP, ids=str)
@pytest.mark.parametrize("latency", EVERY_LATENCY, ids=lambda latency: latency.kind)
def test_two_runs_that_differ_in_one_edge_share_every_other_draw(monkeypatch, latency, drop):
    """Whatever is sent, tried again or copied on the edge, and in blocks of whatever size."""
    network = Network(latency=latency, drop=drop, retries=1, duplicate=0.3)
    shared = [(0, 1), (1, 0), (1, 2), (3, 2)]

    def carried(links, on_the_edge):
        for step in range(60):
            for source, destination in on_the_edge:
                links.send(source, destination, 10, 0, again=step % 3 == 0)
                links.copy(source, destination, 0)
            for link in shared:
                yield links.send(*link, 10, 0, again=step % 2 == 0), links.copy(*link, 0)

    ring = list(carried(Links(nx.cycle_graph(4), network, 2), [(0, 3), (3, 0)]))
    monkeypatch.setattr(graphs.lane, "FIRST_BLOCK", 1)
    monkeypatch.setattr(graphs.lane, "LARGEST_BLOCK", 5)
    line = list(carried(Links(nx.path_graph(4), network, 2), []))
    assert ring == line


def test_bursts_are_the_streams_own():
    bursts = EVERY_DROP[2]
    links = Links(LINE, Network(drop=bursts), 4)
    bad, want = None, []
    for u, v in stream(4, "drop", 0, 1).random((300, 2)):
        leaves = u < (0.2 / 0.6 if bad is None else 0.4 if bad else 0.2)
        bad = bool(bad) != leaves
        want.append(v < (0.8 if bad else 0.1))
    assert [links.send(0, 1, 10, 0) is None for _ in range(300)] == want


def test_tries_again_move_no_first_try():
    plain, again = (Links(LINE, RANDOM, 4) for _ in range(2))
    for step in range(200):
        assert plain.send(0, 1, 10, 0) == again.send(0, 1, 10, 0)
        for _ in range(step % 3):
            again.send(0, 1, 10, 0, again=True)
    first = Links(LINE, RANDOM, 4)
    assert [again.send(0, 1, 10, 0, again=True) for _ in range(20)] != [
        first.send(0, 1, 10, 0) for _ in range(20)
    ]


def test_a_lost_message_is_sent_again_after_it_has_left_the_uplink():
    network = Network(up_mbps=8, drop=1.0, retries=2, retry_after_ms=5)
    links = Links(LINE, network, 1)
    assert links.send(1, 0, 100, 0) is None
    assert links.retry_ns(1, 1, 0) == 100_000 + 5 * MS
    assert links.send(1, 0, 100, 5_100_000, again=True) is None
    assert links.retry_ns(1, 2, 5_100_000) == 10_200_000
    assert links.retry_ns(1, 3, 10_200_000) is None
    assert Links(LINE, Network(drop=1.0), 1).retry_ns(1, 1, 0) is None
    free = Links(LINE, Network(drop=1.0, retries=1, retry_after_ms=5), 1)
    assert free.retry_ns(1, 1, 3) == 3 + 5 * MS


def test_fifo_keeps_the_order_of_a_link_and_of_no_other():
    network = Network(latency=Uniform(low_ms=0, high_ms=100), fifo=True)
    links, loose = Links(LINE, network, 1), Links(LINE, Network(latency=network.latency), 1)
    kept = [links.send(1, 0, 10, k) for k in range(50)]
    free = [loose.send(1, 0, 10, k) for k in range(50)]
    assert kept == [max(free[: k + 1]) for k in range(50)]
    assert kept != free
    assert links.send(1, 2, 10, 60) == loose.send(1, 2, 10, 60)


def test_copies():
    links = Links(LINE, Network(latency=Constant(ms=1), up_mbps=8, duplicate=1.0), 1)
    assert links.duplicates
    assert links.send(0, 1, 100, 0) == links.copy(0, 1, 0) == 100_000 + MS
    some = Links(LINE, Network(latency=RANDOM.latency, duplicate=0.4), 4)
    made = [some.copy(0, 1, 0) is not None for _ in range(300)]
    assert made == (stream(4, "drop_copy", 0, 1).random(300) >= 0.6).tolist()
    assert not Links(LINE, RANDOM, 1).duplicates


def test_a_lost_message_takes_its_copy_with_it():
    """So a loss does not move the copies of those that arrive, nor their order."""
    network = Network(latency=RANDOM.latency, duplicate=0.5, fifo=True)
    sure, lossy = Links(LINE, network, 4), Links(LINE, network, 4)
    every = [sure.copy(0, 1, 10**12 * k) for k in range(60)]
    some = [lossy.copy(0, 1, 10**12 * k, through=k % 3 > 0) for k in range(60)]
    assert some == [at_ns if k % 3 else None for k, at_ns in enumerate(every)]


@given(
    st.lists(st.tuples(st.sampled_from([(0, 1), (1, 0), (1, 2)]), st.integers(0, 2)), max_size=50),
    st.sampled_from(EVERY_LATENCY),
    st.sampled_from(EVERY_DROP),
    st.booleans(),
)
@settings(deadline=None)
def test_links_that_took_up_a_state_go_on_alike(messages, latency, drop, fifo):
    network = Network(
        latency=latency, drop=drop, bandwidth_mbps=8, retries=1, duplicate=0.5, fifo=fifo
    )
    links = Links(LINE, network, 3)

    def carry(links, now_ns):
        return [
            (links.copy(*edge, now_ns) if what == 2 else links.send(*edge, 100, now_ns, what == 1))
            for edge, what in messages
        ] + [links.receive(1, 100, now_ns)]

    carry(links, 0)
    state = json.loads(json.dumps(links.state()))
    state["up_free_ns"] = {int(peer): at_ns for peer, at_ns in state["up_free_ns"].items()}
    state["down_free_ns"] = {int(peer): at_ns for peer, at_ns in state["down_free_ns"].items()}
    later = Links(LINE, network, 3)
    later.restore(state)
    assert carry(later, 10**6) == carry(links, 10**6)


def test_graphs_that_differ_in_one_edge_share_the_other_links_draws():
    ring, line = Links(nx.cycle_graph(4), RANDOM, 2), Links(nx.path_graph(4), RANDOM, 2)
    shared = [(0, 1), (1, 0), (1, 2), (2, 1), (2, 3), (3, 2)]
    for _ in range(50):
        ring.send(0, 3, 10, 0)
        for link in shared:
            assert ring.send(*link, 10, 0) == line.send(*link, 10, 0)


def test_another_seed_draws_anew():
    one, two = Links(LINE, RANDOM, 1), Links(LINE, RANDOM, 2)
    assert [one.send(0, 1, 1, 0) for _ in range(9)] != [two.send(0, 1, 1, 0) for _ in range(9)]


@pytest.mark.parametrize("drop", [0.0, 1.0])
def test_no_stream_is_made_where_nothing_is_drawn(monkeypatch, drop):
    monkeypatch.setattr(graphs.lane, "stream", lambda *name: pytest.fail(f"made {name}"))
    links = Links(LINE, Network(latency=Constant(ms=3), drop=drop), 1)
    assert links.send(0, 1, 10, 0) == (None if drop else 3 * MS)


def test_a_monstrous_latency_is_cut():
    links = Links(LINE, Network(latency=Lognormal(median_ms=1e300, sigma=1)), 1)
    assert links.send(0, 1, 10, 0) == 2**53


def test_a_directed_edge_is_a_link_one_way():
    links = Links(nx.DiGraph([(0, 1)]), Network(), 1)
    assert links.send(0, 1, 10, 3) == 3
    with pytest.raises(TopologyError, match="no edge leads from peer 1 to peer 0"):
        links.send(1, 0, 10, 3)


def test_where_there_is_no_edge_nothing_is_sent():
    with pytest.raises(TopologyError, match="no edge leads from peer 0 to peer 2"):
        Links(LINE, Network(), 1).send(0, 2, 10, 0)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"bandwidth_mbps": 0}, "bandwidth_mbps must be a finite number >= 1e-6.* got 0"),
        ({"up_mbps": -1.0}, "up_mbps .* got -1.0"),
        ({"down_mbps": float("nan")}, "down_mbps .* got nan"),
        ({"drop": 1.5}, r"drop .* must be in \[0, 1\], got 1.5"),
        ({"drop": float("nan")}, "drop .* got nan"),
        ({"duplicate": -0.1}, r"duplicate .* must be in \[0, 1\], got -0.1"),
        ({"retries": -1}, r"retries must be in \[0, 1000\], got -1"),
        ({"retry_after_ms": 0}, r"retry_after_ms must be in \(0, 1e9\], got 0"),
    ],
)
def test_settings_out_of_range_are_refused(settings, message):
    with pytest.raises(ValueError, match=message):
        Network(**settings)
