"""What a lane gives is what its streams give, value by value, whatever the sizes of its blocks."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import graphs.lane
from graphs.drops import Bernoulli, GilbertElliott
from graphs.lane import LOST, Lane
from graphs.latencies import Constant, Lognormal
from p2pfl.seeding import stream

LINK = (5, 1, 2)
LATE = Lognormal(median_ms=40, sigma=0.5)
SOME = Bernoulli(p=0.3)
BURSTS = GilbertElliott(p_good_to_bad=0.1, p_bad_to_good=0.5)


@pytest.mark.parametrize(("first", "largest"), [(1, 1), (3, 7), (64, 512), (1000, 1000)])
def test_the_value_at_an_ordinal_does_not_depend_on_the_blocks(monkeypatch, first, largest):
    monkeypatch.setattr(graphs.lane, "FIRST_BLOCK", first)
    monkeypatch.setattr(graphs.lane, "LARGEST_BLOCK", largest)
    lane = Lane(LINK, "", LATE, SOME)
    ms = 40 * np.exp(0.5 * stream(5, "latency", 1, 2).standard_normal(700))
    lost = stream(5, "drop", 1, 2).random(700) < 0.3
    want = np.where(lost, LOST, np.rint(ms * 1e6).astype(int))
    assert [lane.next() for _ in range(700)] == want.tolist()
    assert lane.ordinal == 700


@pytest.mark.parametrize("first", [1, 7, 64])
def test_bursts_are_drawn_beside_the_latencies(monkeypatch, first):
    monkeypatch.setattr(graphs.lane, "FIRST_BLOCK", first)
    lane = Lane(LINK, "_again", Constant(ms=3), BURSTS)
    pairs = [(lane.next(), *lane.burst()) for _ in range(200)]
    drawn = stream(5, "drop_again", 1, 2).random((200, 2)).tolist()
    assert pairs == [(3_000_000, u, v) for u, v in drawn]


def test_blocks_grow_to_their_largest(monkeypatch):
    sizes = []
    draw_ms = Lognormal.draw_ms

    def counted(latency, rng, count):
        sizes.append(count)
        return draw_ms(latency, rng, count)

    monkeypatch.setattr(Lognormal, "draw_ms", counted)
    lane = Lane(LINK, "", LATE, SOME)
    for _ in range(64 + 128 + 256 + 512 + 1):
        lane.next()
    assert sizes == [64, 128, 256, 512, 512]


def test_nothing_is_drawn_before_the_first_value(monkeypatch):
    made = []
    monkeypatch.setattr(graphs.lane, "stream", lambda *name: made.append(name) or stream(*name))
    lane = Lane(LINK, "", LATE, SOME)
    assert made == []
    lane.next()
    lane.next()
    assert made == [(5, "latency", 1, 2), (5, "drop", 1, 2)]


@pytest.mark.parametrize(("p", "want"), [(0.0, 3_000_000), (1.0, LOST)])
def test_where_all_messages_are_alike_nothing_is_drawn(monkeypatch, p, want):
    monkeypatch.setattr(graphs.lane, "stream", lambda *name: pytest.fail(f"made {name}"))
    lane = Lane(LINK, "", Constant(ms=3), Bernoulli(p=p))
    assert [lane.next() for _ in range(3)] == [want] * 3
    assert lane.ordinal == 0


@given(ordinal=st.integers(0, 400), drop=st.sampled_from([SOME, BURSTS]))
def test_a_lane_goes_on_where_another_was(ordinal, drop):
    def drawn(lane):
        return lane.next(), lane.burst() if drop is BURSTS else None

    one, other = Lane(LINK, "", LATE, drop), Lane(LINK, "", LATE, drop)
    values = [drawn(one) for _ in range(ordinal + 3)]
    other.skip_to(ordinal)
    assert other.ordinal == ordinal
    assert [drawn(other) for _ in range(3)] == values[ordinal:]
