"""An agenda gives what one heap of everything would give."""

from heapq import heappop, heappush

from hypothesis import given
from hypothesis import strategies as st

from actors.agenda import Agenda

TICK = 2**20
"""Nanoseconds that have a heap in common."""

times = st.integers(0, 3 * TICK) | st.sampled_from([0, TICK - 1, TICK, TICK + 1, 10**15])


def pop(agenda):
    return heappop(agenda.due) if agenda.due or agenda.advance() else None


def test_by_time_and_then_by_sequence():
    agenda = Agenda()
    pushed = [agenda.push(at_ns, 7, what) for at_ns, what in [(9, "b"), (5, "a"), (9, "c")]]
    assert pushed == [1, 2, 3] == list(range(1, agenda.sequence + 1))
    assert [pop(agenda) for _ in range(4)] == [(5, 2, 7, "a"), (9, 1, 7, "b"), (9, 3, 7, "c"), None]


@given(st.lists(st.tuples(st.booleans(), times), max_size=200), st.sets(st.integers(0, 200)))
def test_as_one_heap_also_when_it_was_stored(steps, stored):
    """What is pushed is never before what was popped last, as in a run."""
    agenda, heap, now_ns = Agenda(), [], 0
    for number, (pushes, after_ns) in enumerate(steps):
        if number in stored:
            state, agenda = agenda.state(), Agenda()
            agenda.push(5, 0, "of before")
            agenda.restore(state)
        if pushes:
            sequence = agenda.push(now_ns + after_ns, 1, number)
            heappush(heap, (now_ns + after_ns, sequence, 1, number))
        else:
            popped = heappop(heap) if heap else None
            assert pop(agenda) == popped
            now_ns = popped[0] if popped else now_ns
    assert [pop(agenda) for _ in heap] == sorted(heap)
    assert pop(agenda) is None


def test_cleared_it_is_over():
    agenda = Agenda()
    for at_ns in (0, 5 * TICK):
        agenda.push(at_ns, 0, "something")
    agenda.clear()
    assert pop(agenda) is None
    assert agenda.state() == (2, [])
