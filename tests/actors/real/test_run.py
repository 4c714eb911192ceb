"""A run under the real clock as its record sees it, from reports that are made by hand."""

import networkx as nx
import pytest

from actors.lost import Lost
from actors.observer import EdgeCounts
from actors.protocols.absent import AbsentPeer
from actors.protocols.events import Envelope
from actors.real.journal import Entry, Fact, Late, Step
from actors.real.mail import Report, ShellSpec
from actors.real.run import RealRun
from graphs.links import Links, Network


class Told:
    """A fleet that reports as it is told, one list after the other, and the last without end."""

    def __init__(self, *reports):
        self.lost = {}
        self.begun = 0
        self.asked = 0
        self.told_of = []
        self._reports = reports

    def begin(self, shells):
        self.begun += 1

    def lose(self, peer):
        self.told_of.append(peer)

    def reports(self, wait_s):
        told = self._reports[min(self.asked, len(self._reports) - 1)]
        if self.asked >= len(self._reports):
            told = [report._replace(entries=()) for report in told]
        self.asked += 1
        return [report for report in told if report.peer not in self.lost]


class Tape:
    """An observer that remembers."""

    def __init__(self):
        self.rows = []

    def note(self, *row):
        self.rows.append(row)

    def merged(self, now_ns, peer, round_, summary):
        self.rows.append((now_ns, peer, "merge", round_, summary.content))

    def evaluated(self, now_ns, peer, round_, outcome, sent_bytes):
        updates = [box.content for box in outcome.updates]
        row = (now_ns, peer, "evaluate", round_, updates, outcome.summary.content, sent_bytes)
        self.rows.append(row)

    message = note


def report(peer, entries=(), until_ns=1000, **changes):
    standing = {
        "now_ns": 0, "idle": True, "cut_short": False, "posted": {}, "taken": {}, "counts": {},
        "sent_bytes": 0,
    }  # fmt: skip
    return Report(peer=peer, entries=entries, until_ns=until_ns, **standing | changes)


@pytest.fixture
def begun():
    def make(*reports, late=lambda *row: None):
        graph = nx.path_graph(2)
        shells = [
            ShellSpec(
                peer=peer,
                machine=AbsentPeer(),
                links=Links(graph, Network(), 1),
                targets=(1 - peer,),
                senders=(1 - peer,),
                message_bytes=(1, 1),
                work_ns=lambda peer, work: 0,
            )
            for peer in range(2)
        ]
        return RealRun(Told(*reports), shells, Tape(), late)

    return make


def rows(run):
    return run._observer.rows


def test_what_peers_say_is_told_in_the_order_of_time(begun):
    early, later = Fact("round_start", 1), Fact("round_end", 1)
    late = []
    run = begun(
        [report(0, [Entry(30, 0, later)], 35), report(1, [], 20, idle=False)],
        [report(0, [], 50), report(1, [Entry(25, 1, early), Entry(40, 1, later)], 45)],
        late=lambda *row: late.append(row),
    )
    seen = []

    def stopping():
        seen.append(len(rows(run)))
        return False

    assert run.run(stopping)
    assert seen == [0, 0, 3]  # not before the other can have nothing older to say
    assert rows(run) == [
        (25, 1, "round_start", 1, {}),
        (30, 0, "round_end", 1, {}),
        (40, 1, "round_end", 1, {}),
    ]


def test_each_kind_goes_to_whoever_writes_it_down(begun):
    took, step = Late("message", 1, 0, 2, 10, 12), Step("sent", Envelope(0, 1, 2, 9, None))
    entries = [
        Entry(1, 0, Fact("round_start", 2, {"a": 1}, (), 7)),
        Entry(2, 0, Fact("merge", 2, {}, ("decision",), 0)),
        Entry(3, 0, Fact("evaluate", 2, {}, ("model", "measured"), 9)),
        Entry(4, 0, took),
        Entry(5, 0, step),
    ]
    theirs = [Entry(0, 1, Fact("round_start", 1, {}, (), 100))]
    late = []
    run = begun([report(0, entries), report(1, theirs)], late=lambda *row: late.append(row))
    assert run.run()
    assert rows(run)[1:] == [
        (1, 0, "round_start", 2, {"a": 1}),
        (2, 0, "merge", 2, "decision"),
        (3, 0, "evaluate", 2, ["model"], "measured", 109),
        (5, "sent", step.envelope),
    ]
    assert late == [(4, took)]


@pytest.mark.parametrize(
    ("reports", "asked"),
    [
        pytest.param([[report(0), report(1)]], 2, id="twice the same"),
        pytest.param(
            [[report(0), report(1, idle=False)], [report(0), report(1)]], 3, id="one is busy"
        ),
        pytest.param(
            # Idle both times, but in between one has heard and told the other.
            [
                [report(0, posted={1: 1}), report(1, taken={0: 1})],
                [report(0, posted={1: 1}, taken={1: 1}), report(1, taken={0: 1}, posted={0: 1})],
            ],
            3,
            id="something happened between",
        ),
        pytest.param(
            [
                *[[report(0, posted={1: 1}), report(1)]] * 3,
                [report(0, posted={1: 1}), report(1, taken={0: 1})],
            ],
            5,
            id="mail is on its way",
        ),
    ],
)
def test_it_is_over_when_nothing_can_happen_any_more(begun, reports, asked):
    run = begun(*reports)
    assert run.run()
    assert run._fleet.asked == asked
    assert run._fleet.begun == 1


def test_it_stops_when_it_is_told_to_and_leaves_what_was_said(begun):
    entry = Entry(30, 0, Fact("round_start", 1))
    run = begun([report(0, [entry], 40), report(1, [], 20, idle=False)])
    assert not run.run(lambda: run._fleet.asked == 1)
    assert rows(run) == [(30, 0, "round_start", 1, {})]


def test_both_ends_of_an_edge_count_their_half(begun):
    source = {(0, 1): EdgeCounts(sent=3, dropped=1, bytes=30), (1, 0): EdgeCounts()}
    destination = {(0, 1): EdgeCounts(arrived=2, late=1), (1, 0): EdgeCounts(sent=1)}
    run = begun([report(0, counts=source), report(1, counts=destination)])
    assert run.run()
    assert run.counts == {
        (0, 1): EdgeCounts(sent=3, dropped=1, bytes=30, arrived=2, late=1),
        (1, 0): EdgeCounts(sent=1),
    }


def test_of_a_lost_peer_all_learn_once_and_nobody_waits_for_it(begun):
    begins = [Entry(5, 1, Fact("round_start", 4))]
    busy = [report(0), report(1, begins, posted={0: 3}, idle=False, now_ns=9)]
    run = begun(busy, [report(0), report(1, posted={0: 3}, idle=False, now_ns=9)])

    def stopping():
        if run._fleet.asked == 2:
            run._fleet.lost[1] = "killed"
        return False

    assert run.run(stopping)
    assert rows(run) == [(5, 1, "round_start", 4, {}), (9, 1, "merge", 4, Lost())]
    assert run._fleet.told_of == [1]


def test_the_run_is_spent_if_its_end_came_before_a_peers(begun):
    run = begun([report(0), report(1, cut_short=True, now_ns=7)])
    assert run.run()
    assert (run.spent, run.now_ns) == ("virtual_s", 7)
