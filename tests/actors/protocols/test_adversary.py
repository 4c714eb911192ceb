"""An adversary under rounds, driven by hand: when it crafts, and what it may look at."""

import pytest

from actors.protocols.adversary import RoundsAdversary
from actors.protocols.events import (
    Count,
    Envelope,
    Gone,
    Note,
    Observed,
    Parcel,
    Received,
    Send,
    SetTimer,
    Started,
    TimerFired,
    Work,
    WorkDone,
)
from actors.protocols.hostility import Hostility
from actors.protocols.rounds import Rounds

ME = 5
TIMER = SetTimer(5_000_000_000, ("craft", 1))


def work(kind, round_, inputs=(), own=None):
    return Work(kind, round_, inputs, own, stance="hostile", members=(ME,))


def start(senders=(1, 2), rounds=3, **options):
    peer = RoundsAdversary(
        Hostility(me=ME), senders, senders, rounds, Rounds(timeout_s=5), **options
    )
    assert peer.on(Started(), 0) == [Note("round_start", 1), work("train", 1)]
    return peer


def done(peer, kind, *handles):
    return list(peer.on(WorkDone(kind, peer.round, handles, "summary"), 0))


def receive(peer, sender, round_):
    return list(peer.on(Received(Envelope(sender, ME, round_, 100, f"{sender}@{round_}")), 0))


def observe(peer, other, round_):
    return list(peer.on(Observed(other, round_, f"trained {other}@{round_}"), 0))


def craft(*visible, round_=1):
    return work("craft", round_, tuple(Parcel(other, round_, h) for other, h in visible))


def to_the_next_round(peer):
    """From crafted to the start of the next round, without anything else."""
    done(peer, "craft", "crafted")
    peer.on(TimerFired(("round", peer.round)), 0)
    done(peer, "merge")


def test_local_knowledge_crafts_at_once():
    peer = start()
    assert done(peer, "train", "mine") == [TIMER, craft((ME, "mine"))]


def test_what_it_crafted_is_sent_and_then_it_waits_like_anybody():
    peer = start()
    done(peer, "train", "mine")
    assert done(peer, "craft", "for 1", "for 2") == [
        Send(1, 1, "for 1"),
        Send(2, 1, "for 2"),
        SetTimer(5_000_000_000, ("round", 1)),
    ]
    assert receive(peer, 2, 1) == []
    assert receive(peer, 1, 1) == [
        work("merge", 1, (Parcel(1, 1, "1@1"), Parcel(2, 1, "2@1")), "for 1"),
    ]
    assert done(peer, "merge")[-1] == work("train", 2)


def test_one_crafted_update_goes_to_all():
    peer = start()
    done(peer, "train", "mine")
    assert done(peer, "craft", "same")[:2] == [Send(1, 1, "same"), Send(2, 1, "same")]


# ---------------------------------------------------------------- watching


def test_it_waits_for_all_that_it_watches_and_shows_them_ascending():
    peer = start(watches=(9, ME, 0))
    assert done(peer, "train", "mine") == [TIMER]
    assert observe(peer, 9, 1) == []
    assert observe(peer, 0, 1) == [
        craft((0, "trained 0@1"), (ME, "mine"), (9, "trained 9@1")),
    ]


def test_it_waits_for_its_own_training_too():
    peer = start(watches=(0, ME))
    assert observe(peer, 0, 1) == []
    assert done(peer, "train", "mine") == [TIMER, craft((0, "trained 0@1"), (ME, "mine"))]


def test_messages_do_not_end_the_wait_of_one_that_watches():
    peer = start(watches=(0,))
    done(peer, "train", "mine")
    assert receive(peer, 1, 1) == receive(peer, 2, 1) == []


def test_a_later_round_is_kept_for_its_turn_and_an_earlier_one_is_dropped():
    peer = start(watches=(0, 9))
    done(peer, "train", "mine")
    assert observe(peer, 0, 2) == []  # a fast one, a round ahead
    assert observe(peer, 0, 1) == []
    assert observe(peer, 9, 1) == [
        craft((0, "trained 0@1"), (ME, "mine"), (9, "trained 9@1")),
    ]
    to_the_next_round(peer)
    assert observe(peer, 9, 1) == []  # a slow one, a round behind
    assert done(peer, "train", "next")[1:] == []
    assert observe(peer, 9, 2) == [
        craft((0, "trained 0@2"), (ME, "next"), (9, "trained 9@2"), round_=2),
    ]


# ---------------------------------------------------------------- listening


def test_it_hears_its_neighbours_before_it_crafts():
    peer = start(listens=True)
    assert done(peer, "train", "mine") == [TIMER]
    assert receive(peer, 2, 1) == []
    assert receive(peer, 1, 1) == [craft((1, "1@1"), (2, "2@1"), (ME, "mine"))]
    # What it looked at is merged as well.
    assert done(peer, "craft", "crafted")[-1] == work(
        "merge", 1, (Parcel(1, 1, "1@1"), Parcel(2, 1, "2@1")), "crafted"
    )


def test_messages_of_another_round_are_not_shown():
    peer = start(listens=True, senders=(1,))
    done(peer, "train", "mine")
    assert receive(peer, 1, 2) == []
    assert receive(peer, 1, 1) == [craft((1, "1@1"), (ME, "mine"))]
    assert receive(peer, 3, 1) == [Count(3, "rejected")]


def test_a_neighbour_that_is_gone_is_not_waited_for():
    peer = start(listens=True)
    done(peer, "train", "mine")
    receive(peer, 1, 1)
    assert peer.on(Gone(2), 0) == [craft((1, "1@1"), (ME, "mine"))]


def test_two_that_listen_do_not_wait_for_one_another():
    peer = start(senders=(1, 2, 8), listens=True, listeners=(2, ME, 8))
    done(peer, "train", "mine")
    receive(peer, 8, 1)  # what comes in time is seen nevertheless
    assert receive(peer, 1, 1) == [craft((1, "1@1"), (ME, "mine"), (8, "8@1"))]


# ---------------------------------------------------------------- timeout


@pytest.mark.parametrize("options", [{"watches": (0, 9)}, {"listens": True, "senders": (0, 9)}])
def test_at_the_timeout_it_crafts_with_those_that_are_there(options):
    peer = start(**options)
    done(peer, "train", "mine")
    if "watches" in options:
        observe(peer, 9, 1)
        seen = (9, "trained 9@1")
    else:
        receive(peer, 9, 1)
        seen = (9, "9@1")
    assert peer.on(TimerFired(("craft", 1)), 0) == [
        Note("craft_timeout", 1),
        craft((ME, "mine"), seen),
    ]


def test_what_it_would_have_waited_for_comes_too_late_for_this_round():
    peer = start(watches=(0,))
    done(peer, "train", "mine")
    peer.on(TimerFired(("craft", 1)), 0)
    assert observe(peer, 0, 1) == []
    to_the_next_round(peer)
    assert observe(peer, 0, 2) == []
    assert done(peer, "train", "next")[-1] == craft((0, "trained 0@2"), (ME, "next"), round_=2)


def test_a_timeout_after_it_crafted_does_nothing():
    peer = start()
    done(peer, "train", "mine")
    assert not peer.on(TimerFired(("craft", 1)), 0)
    to_the_next_round(peer)
    assert not peer.on(TimerFired(("craft", 1)), 0)


def test_its_wait_for_messages_times_out_as_for_a_benign_peer():
    peer = start()
    done(peer, "train", "mine")
    done(peer, "craft", "crafted")
    assert peer.on(TimerFired(("round", 1)), 0) == [
        Note("timeout", 1, {"missing": [1, 2]}),
        work("merge", 1, (), "crafted"),
    ]
