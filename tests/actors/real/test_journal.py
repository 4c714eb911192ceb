"""What a peer says stays in its order, though some of it is still being computed."""

from actors.protocols.events import Envelope
from actors.real.journal import Entry, Fact, Journal, Step


def test_what_stands_behind_a_blank_waits_for_it():
    journal = Journal(3)
    start, end = Fact("round_start", 1), Fact("round_end", 1)
    journal.write(10, start)
    blank = journal.keep(20, Fact("merge", 1))
    journal.write(30, end)
    assert journal.take(99) == ([Entry(10, 3, start)], 19)
    assert journal.take(100) == ([], 19)
    journal.fill(blank, ("decision",))
    merge = Fact("merge", 1, results=("decision",))
    assert journal.take(101) == ([Entry(20, 3, merge), Entry(30, 3, end)], 101)
    assert journal.take(102) == ([], 102)


def test_a_step_of_a_message_leaves_its_content_out():
    journal = Journal(3)
    journal.message(5, "sent", Envelope(3, 4, 1, 100, "a model"))
    ((now_ns, peer, step),), _ = journal.take(6)
    assert (now_ns, peer, step) == (5, 3, Step("sent", Envelope(3, 4, 1, 100, None)))
