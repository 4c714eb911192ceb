from dataclasses import fields
from math import sqrt
from pathlib import Path
from typing import get_args

import networkx as nx
import pytest

from graphs.availability import (
    CHURN,
    CHURNS,
    Availability,
    Churn,
    Session,
    Timeline,
    Trace,
    timeline,
)
from graphs.events import (
    EVENTS,
    Change,
    Crash,
    Heal,
    Join,
    Leave,
    LinkDown,
    LinkUp,
    NetworkEvent,
    Partition,
    Rejoin,
    Slow,
)
from graphs.round_plan import RoundPlan
from graphs.schedule import round_plans
from p2pfl.errors import TopologyError

HERE = Path()
LINE = nx.path_graph(4)
S = 10**9


def line_of(*events, graph=LINE, churn=None, folder=HERE, server=None):
    return timeline(graph, Availability(churn=churn), events, 1, folder, server)


def test_the_registries_are_the_unions():
    assert get_args(NetworkEvent) == EVENTS
    assert get_args(Churn) == CHURNS
    kinds = [fields(event)[-1].default for event in EVENTS]
    assert kinds == [
        "partition", "heal", "link_down", "link_up", "slow", "crash", "rejoin", "leave", "join",
        "attack_start", "attack_stop", "move_adversary",
    ]  # fmt: skip


def test_nothing_happens_by_default():
    assert line_of() == Timeline()
    assert not line_of()


def test_events_by_time_and_by_round():
    line = line_of(
        Heal(at_s=2.5),
        Slow(peers=(3,), factor=2, at_round=7),
        Partition(groups=((0, 1),), at_s=1),
        Slow(peers=(2,), factor=3, at_round=2),
    )
    assert line.at_ns == (
        (S, Change("partition", edges=((1, 2), (2, 1)))),
        (5 * S // 2, Change("heal")),
    )
    assert line.at_round == (
        (2, Change("slow", (2,), factor=3)),
        (7, Change("slow", (3,), factor=2)),
    )


def test_a_partition_cuts_what_crosses_groups_the_unnamed_being_one():
    ring = nx.cycle_graph(5)
    [(_, change)] = line_of(Partition(groups=((0,), (2,)), at_s=1), graph=ring).at_ns
    assert change.edges == ((0, 1), (0, 4), (1, 0), (1, 2), (2, 1), (2, 3), (3, 2), (4, 0))
    star = nx.star_graph(3)  # 0 is the server and keeps its links
    relabelled = nx.relabel_nodes(star, {0: 3, 3: 0})
    [(_, change)] = line_of(Partition(groups=((0,),), at_s=1), graph=relabelled, server=3).at_ns
    assert change.edges == ()


def test_links_go_down_both_ways_or_as_they_are_directed():
    [(_, change)] = line_of(LinkDown(edges=((2, 1),), at_s=1)).at_ns
    assert change == Change("link_down", edges=((1, 2), (2, 1)))
    graph = nx.DiGraph([(0, 1), (1, 0)])
    [(_, change)] = line_of(LinkUp(edges=((1, 0),), at_s=1), graph=graph).at_ns
    assert change == Change("link_up", edges=((1, 0),))


def test_a_crash_for_good_is_a_leave_and_who_joins_is_away_at_first():
    line = line_of(
        Crash(peers=(1, 2), at_s=1), Rejoin(peers=(2,), anew=True, at_s=3), Join(peers=(3,), at_s=2)
    )
    assert line.away == (3,)
    assert line.at_ns == (
        (S, Change("down", (2,))),
        (S, Change("leave", (1,))),
        (2 * S, Change("up", (3,))),
        (3 * S, Change("up", (2,), anew=True)),
    )


@pytest.mark.parametrize(
    ("event", "message"),
    [
        (Crash(peers=(4,), at_s=1), r"events: crash: there are peers 0 to 3, not \[4\]"),
        (Partition(groups=((0, 9),), at_s=1), r"events: partition: .* not \[9\]"),
        (LinkDown(edges=((0, 2),), at_s=1), r"events: link_down: the graph has no edge \[0, 2\]"),
        (Rejoin(peers=(1,), at_s=1), r"events: rejoin: peers \[1\] never crash"),
    ],
)
def test_events_that_do_not_fit_the_graph_are_refused(event, message):
    with pytest.raises(TopologyError, match=message):
        line_of(event)


def test_a_server_is_always_there():
    with pytest.raises(TopologyError, match=r"peers 0 to 2, not \[3\]"):
        line_of(Crash(peers=(3,), at_s=1), graph=nx.star_graph(3), server=3)


@pytest.mark.parametrize(
    ("build", "message"),
    [
        (lambda: Heal(), "give one, got None and None"),
        (lambda: Heal(at_s=1, at_round=1), "give one, got 1 and 1"),
        (lambda: Heal(at_s=-1), "at_s must be in .0, 1e9. seconds, got -1"),
        (lambda: Heal(at_round=0), "at_round counts rounds from 1, got 0"),
        (lambda: Leave(peers=(), at_s=1), r"peers must be ids >= 0, each once, got \[\]"),
        (lambda: Crash(peers=(1, 1), at_s=1), r"got \[1, 1\]"),
        (lambda: Partition(groups=((1,), (1,)), at_s=1), r"each once, got \[1, 1\]"),
        (lambda: Slow(peers=(1,), factor=0, at_s=1), r"factor must be in \(0, 1e6\], got 0"),
        (
            lambda: Session(mean_up_s=0, mean_down_s=1),
            "mean_up_s must be in .1e-3, 1e9. seconds, got 0",
        ),
        (lambda: Availability(dropout=1.5), r"dropout is a probability .* got 1.5"),
        (lambda: Availability(dropout=1), "dropout must be < 1"),
    ],
)
def test_settings_that_cannot_be_are_refused(build, message):
    with pytest.raises(ValueError, match=message):
        build()


# ---------------------------------------------------------------- churn


def traced(folder, text):
    (folder / "up.csv").write_text(text, encoding="utf-8")
    return line_of(churn=Trace(path="up.csv"), folder=folder).at_ns


def test_a_trace_by_hand(tmp_path):
    text = "peer, up, down\n1, 0, 2.5  # at the start\n1 4 inf\n\n3,1,2\n"
    assert traced(tmp_path, text) == (
        (0, Change("down", (3,), cause=CHURN)),
        (S, Change("up", (3,), cause=CHURN)),
        (2 * S, Change("leave", (3,), cause=CHURN)),
        (5 * S // 2, Change("down", (1,), cause=CHURN)),
        (4 * S, Change("up", (1,), cause=CHURN)),
    )


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("0 1\n", r"up\.csv, line 1: a session is peer, up and down in seconds, got '0 1'"),
        ("0 1 2\nx 1 2\n", "line 2: a session is"),
        ("0 3 2\n", "line 1: 0 <= up < down is needed"),
        ("0 1 2 3\n", "line 1: 0 <= up < down"),
        ("0 nan 2\n", "line 1: 0 <= up < down"),
        ("0 1 4\n0 3 5\n", r"line 2: peer 0 is up already until 4\.0 s"),
        ("7 1 4\n", r"trace: there are peers 0 to 3, not \[7\]"),
    ],
)
def test_traces_that_cannot_be_read_are_refused(tmp_path, text, message):
    with pytest.raises(TopologyError, match=message):
        traced(tmp_path, text)


def test_a_trace_that_is_not_there_is_named():
    with pytest.raises(TopologyError, match="there is no file 'nowhere'"):
        line_of(churn=Trace(path="nowhere"))


def test_sessions_have_their_means_and_are_exponential():
    sessions = line_of(churn=Session(mean_up_s=60, mean_down_s=20)).sessions
    assert sessions.peers == (0, 1, 2, 3)
    n = 2000
    for first, mean in ((0, 60), (1, 20)):
        lasts = [sessions.lasts_ns(peer % 4, first + 2 * (peer // 4)) / S for peer in range(n)]
        # Five standard deviations: of the mean, and of the binomial count beyond the mean.
        assert abs(sum(lasts) / n - mean) < 5 * mean / sqrt(n)
        beyond = 0.36787944117144233
        share = sum(last > mean for last in lasts) / n
        assert abs(share - beyond) < 5 * sqrt(beyond * (1 - beyond) / n)


def test_a_session_is_a_function_of_peer_and_number_alone():
    few = line_of(churn=Session(mean_up_s=60, mean_down_s=20)).sessions
    many = line_of(churn=Session(mean_up_s=60, mean_down_s=20), graph=nx.path_graph(9)).sessions
    assert [few.lasts_ns(2, k) for k in range(5)] == [many.lasts_ns(2, k) for k in range(5)]


# ---------------------------------------------------------------- dropout


def test_dropout_has_its_share():
    availability = Availability(dropout=0.2)
    n = 3000
    rests = sum(availability.rests(1, k % 10, k // 10) for k in range(n))
    assert abs(rests / n - 0.2) < 5 * sqrt(0.2 * 0.8 / n)
    assert not Availability().rests(1, 2, 3)


def test_who_rests_hears_and_tells_nobody():
    availability = Availability(dropout=0.5)
    plans = round_plans([LINE] * 12, availability, 1)
    for round_ in range(1, 13):
        resting = [peer for peer in LINE if availability.rests(1, peer, round_)]
        for peer in LINE:
            want = tuple(sorted(set(LINE[peer]) - set(resting))) if peer not in resting else ()
            plan = plans[peer][round_ - 1]
            assert plan == RoundPlan(want, want, peer in resting, tuple(resting))


def test_a_server_never_rests():
    plans = round_plans([nx.star_graph(3)] * 20, Availability(dropout=0.6), 1, server=0)
    assert not any(plan.rests for plan in plans[0])
    assert any(plan.rests for plan in plans[1])
