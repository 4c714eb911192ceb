"""The rounds protocol, driven by hand: no engine, no links, no clock."""

from collections import Counter
from copy import deepcopy
from types import SimpleNamespace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from actors.protocols.adversary import RoundsAdversary
from actors.protocols.events import (
    Count,
    Envelope,
    Evaluate,
    Finished,
    Gone,
    Need,
    Note,
    Parcel,
    Received,
    Resolved,
    Send,
    SetTimer,
    Started,
    TimerFired,
    Work,
    WorkDone,
)
from actors.protocols.hostility import Hostility
from actors.protocols.rounds import Rounds, RoundsPeer
from graphs.events import Change
from p2pfl.behaviours.false_metadata import FalseMetadata
from p2pfl.behaviours.late import Late
from p2pfl.behaviours.replay import Replay
from p2pfl.behaviours.rushing import Rushing
from p2pfl.behaviours.selective import Selective
from p2pfl.behaviours.silent import Silent
from p2pfl.learner.conduct import Conduct

ME = 0


def make(senders=(1, 2), rounds=3, late="drop", ahead=2, **options):
    settings = Rounds(timeout_s=5.0, late=late, ahead=ahead)
    return RoundsPeer(senders, senders, rounds, settings, **options)


def receive(peer, sender, round_, handle=None):
    handle = handle or f"{sender}@{round_}"
    return list(peer.on(Received(Envelope(sender, ME, round_, 100, handle)), 0))


def train(peer, *handles):
    return list(peer.on(WorkDone("train", peer.round, handles or ("mine",), "loss"), 0))


def finish_merge(peer, summary="decision"):
    return list(peer.on(WorkDone("merge", peer.round, (), summary), 0))


def time_out(peer, round_=None):
    return list(peer.on(TimerFired(("round", round_ or peer.round)), 0))


def start(**options):
    peer = make(**options)
    peer.on(Started(), 0)
    return peer


def waiting(**options):
    """A peer that has sent its message of round 1."""
    peer = start(**options)
    train(peer)
    return peer


def next_round(peer, merge_summary="decision"):
    """From waiting in one round, with nothing more to come, to waiting in the next."""
    time_out(peer)
    finish_merge(peer, merge_summary)
    train(peer)


def merge(*parcels, round_=1, own="mine"):
    came = tuple(Parcel(s, r, f"{s}@{r}") for s, r in parcels)
    return Work("merge", round_, came, own)


# ---------------------------------------------------------------- the round itself


def test_a_round_from_its_start_to_the_next():
    peer = make(rounds=2)
    assert peer.on(Started(), 0) == [Note("round_start", 1), Work("train", 1)]
    assert train(peer, "mine") == [
        Send(1, 1, "mine"),
        Send(2, 1, "mine"),
        SetTimer(5_000_000_000, ("round", 1)),
    ]
    assert receive(peer, 2, 1) == []
    assert receive(peer, 1, 1) == [merge((1, 1), (2, 1))]  # by sender, not by arrival
    assert finish_merge(peer) == [
        Note("round_end", 1),
        Evaluate(1),
        Note("round_start", 2),
        Work("train", 2),
    ]


def test_the_last_round_ends_the_peer():
    peer = waiting(rounds=1, senders=(1,))
    receive(peer, 1, 1)
    assert finish_merge(peer) == [Note("round_end", 1), Evaluate(1), Finished()]


def test_messages_that_came_before_its_own_send_count():
    peer = start()
    assert receive(peer, 1, 1) == receive(peer, 2, 1) == []
    assert train(peer)[-1] == merge((1, 1), (2, 1))


def test_one_update_for_each_neighbour():
    peer = start()
    assert train(peer, "for 1", "for 2")[:2] == [Send(1, 1, "for 1"), Send(2, 1, "for 2")]


def test_a_peer_without_neighbours_keeps_going():
    peer = start(senders=(), rounds=1)
    assert train(peer) == [SetTimer(5_000_000_000, ("round", 1)), merge(round_=1)]
    assert finish_merge(peer)[-1] == Finished()


def test_it_sends_to_some_and_hears_others():
    peer = RoundsPeer((1, 2), (3,), 1, Rounds())
    peer.on(Started(), 0)
    assert [effect.destination for effect in train(peer)[:2]] == [1, 2]
    assert receive(peer, 3, 1) == [merge((3, 1))]
    assert receive(peer, 1, 1) == [Count(1, "rejected")]


# ---------------------------------------------------------------- timeout


def test_at_the_timeout_it_merges_what_came_and_says_who_is_missing():
    peer = waiting(senders=(1, 2, 3))
    receive(peer, 2, 1)
    assert time_out(peer) == [Note("timeout", 1, {"missing": [1, 3]}), merge((2, 1))]


def test_a_timeout_of_a_round_that_is_over_does_nothing():
    peer = waiting(senders=(1,))
    receive(peer, 1, 1)
    assert time_out(peer) == []
    finish_merge(peer)
    assert time_out(peer, 1) == []
    train(peer)
    assert time_out(peer, 1) == []
    assert time_out(peer, 2) == [Note("timeout", 2, {"missing": [1]}), merge(round_=2)]


# ---------------------------------------------------------------- late, early, twice, strange


def test_late_messages_are_dropped_and_counted():
    peer = waiting()
    next_round(peer)
    assert receive(peer, 1, 1) == [Count(1, "late")]
    assert time_out(peer)[-1] == merge(round_=2)


def test_a_message_that_comes_while_its_round_is_merged_is_late():
    peer = waiting()
    time_out(peer)
    assert receive(peer, 1, 1) == [Count(1, "late")]


def test_late_use_merges_the_newest_earlier_one_with_the_round_it_claims():
    peer = waiting(late="use", rounds=4)
    next_round(peer)
    next_round(peer)
    assert receive(peer, 1, 1) == []
    assert receive(peer, 1, 2) == [Count(1, "late")]  # the newer takes the older one's place
    assert receive(peer, 1, 1) == [Count(1, "late")]
    assert receive(peer, 2, 3) == []
    assert time_out(peer) == [Note("timeout", 3, {"missing": [1]}), merge((1, 2), (2, 3), round_=3)]
    # Used once, and then gone.
    finish_merge(peer)
    train(peer)
    assert time_out(peer)[-1] == merge(round_=4)


def test_late_use_does_not_end_the_wait_nor_replace_the_current_message():
    peer = waiting(late="use", senders=(1,))
    next_round(peer)
    assert receive(peer, 1, 1) == []
    assert receive(peer, 1, 2) == [Count(1, "late"), merge((1, 2), round_=2)]


def test_late_use_keeps_what_came_while_its_round_was_merged():
    peer = waiting(late="use", senders=(1,))
    time_out(peer)
    assert receive(peer, 1, 1) == []
    finish_merge(peer)
    train(peer)
    assert time_out(peer)[-1] == merge((1, 1), round_=2)


def test_messages_of_the_next_rounds_wait_for_their_round():
    peer = waiting(senders=(1,), ahead=2, rounds=5)
    assert receive(peer, 1, 2) == receive(peer, 1, 3) == []
    assert receive(peer, 1, 4) == [Count(1, "rejected")]
    assert receive(peer, 1, 1) == [merge((1, 1))]
    finish_merge(peer)
    assert train(peer)[-1] == merge((1, 2), round_=2)
    assert receive(peer, 1, 4) == []


def test_ahead_zero_takes_the_current_round_only():
    peer = waiting(senders=(1,), ahead=0)
    assert receive(peer, 1, 2) == [Count(1, "rejected")]
    assert receive(peer, 1, 1) == [merge((1, 1))]


@pytest.mark.parametrize("claimed", [-1, 0, 4])
@pytest.mark.parametrize("late", ["drop", "use"])
def test_rounds_that_never_are_are_rejected(claimed, late):
    peer = waiting(senders=(1,), rounds=3, ahead=10, late=late)
    assert receive(peer, 1, claimed) == [Count(1, "rejected")]
    assert time_out(peer)[-1] == merge(round_=1)


def test_of_two_messages_that_claim_one_round_the_newer_is_kept():
    peer = start(senders=(1,))
    assert receive(peer, 1, 1, "first") == receive(peer, 1, 2, "early") == []
    assert receive(peer, 1, 1, "second") == [Count(1, "rejected")]
    assert receive(peer, 1, 2, "newer") == [Count(1, "rejected")]
    assert train(peer)[-1] == Work("merge", 1, (Parcel(1, 1, "second"),), "mine")
    assert receive(peer, 1, 1, "third") == [Count(1, "late")]
    finish_merge(peer)
    assert train(peer)[-1] == Work("merge", 2, (Parcel(1, 2, "newer"),), "mine")


def test_strangers_are_rejected():
    peer = waiting()
    assert receive(peer, 7, 1) == [Count(7, "rejected")]


# ---------------------------------------------------------------- who is gone


def test_gone_ends_the_wait():
    peer = waiting()
    receive(peer, 1, 1)
    assert peer.on(Gone(2), 0) == [merge((1, 1))]


def test_the_last_message_of_one_that_is_gone_is_merged():
    peer = start()
    receive(peer, 2, 1)
    assert peer.on(Gone(2), 0) == ()
    assert train(peer)[-1] == SetTimer(5_000_000_000, ("round", 1))
    assert receive(peer, 1, 1) == [merge((1, 1), (2, 1))]


def test_nobody_waits_for_those_who_are_gone():
    peer = waiting()
    peer.on(Gone(2), 0)
    assert time_out(peer)[0] == Note("timeout", 1, {"missing": [1]})


def test_after_its_end_all_that_comes_is_late():
    for late in ("drop", "use"):
        peer = waiting(rounds=1, late=late)
        time_out(peer)
        assert receive(peer, 1, 1) == [Count(1, "late")]
        finish_merge(peer)
        assert receive(peer, 1, 1) == receive(peer, 1, 1) == [Count(1, "late")]
        assert peer.on(Gone(1), 0) == ()


# ---------------------------------------------------------------- muting


def test_a_muted_neighbour_gets_nothing_from_the_next_send_on():
    peer = waiting(mutes=True, rounds=4)
    time_out(peer)
    finish_merge(peer, "first decision")
    assert train(peer, "second") == [Need("first decision", "muted")]
    decision = SimpleNamespace(muted=(2,))
    assert peer.on(Resolved("muted", decision), 0) == [
        Note("mute", 2, {"neighbours": [2]}),
        Send(1, 2, "second"),
        SetTimer(5_000_000_000, ("round", 2)),
    ]
    time_out(peer)
    finish_merge(peer, "second decision")
    train(peer, "third")
    # Once muted, always muted, and said once.
    assert peer.on(Resolved("muted", decision), 0)[0] == Send(1, 3, "third")


def test_what_a_muted_neighbour_sends_is_still_heard():
    peer = waiting(mutes=True, senders=(1,))
    receive(peer, 1, 1)
    finish_merge(peer)
    train(peer)
    effects = peer.on(Resolved("muted", SimpleNamespace(muted=(1,))), 0)
    assert not [e for e in effects if isinstance(e, Send)]
    assert receive(peer, 1, 2) == [merge((1, 2), round_=2)]


def test_the_first_send_needs_no_decision():
    peer = start(mutes=True)
    assert train(peer, "mine")[0] == Send(1, 1, "mine")


# ---------------------------------------------------------------- evaluation


@pytest.mark.parametrize(
    ("every", "expected"), [(0, []), (1, [1, 2, 3, 4, 5]), (2, [2, 4, 5]), (5, [5]), (9, [5])]
)
def test_evaluations_come_every_so_many_rounds_and_after_the_last(every, expected):
    peer = make(senders=(), rounds=5, evaluate_every=every)
    peer.on(Started(), 0)
    seen = []
    for _ in range(5):
        train(peer)
        seen += [e.round for e in finish_merge(peer) if isinstance(e, Evaluate)]
    assert seen == expected


# ---------------------------------------------------------------- settings


@pytest.mark.parametrize("timeout_s", [0.0, -1.0, float("nan"), float("inf")])
def test_a_timeout_is_positive_and_finite(timeout_s):
    with pytest.raises(ValueError, match="timeout_s must be in"):
        Rounds(timeout_s=timeout_s)


def test_ahead_is_not_negative():
    with pytest.raises(ValueError, match="ahead counts rounds and must be >= 0, got -1"):
        Rounds(ahead=-1)


# ---------------------------------------------------------------- for every order of events

ROUNDS = 3
happenings = st.lists(
    st.one_of(
        st.tuples(st.just("message"), st.integers(1, 4), st.integers(-1, ROUNDS + 2)),
        st.tuples(st.just("work"), st.just(0), st.just(0)),
        st.tuples(st.just("timer"), st.just(0), st.just(0)),
        st.tuples(st.just("gone"), st.integers(1, 3), st.just(0)),
    ),
    max_size=60,
)


class Drive:
    """Feeds a peer, finishes its work and fires its timers when told; keeps the books."""

    def __init__(self, peer):
        self.peer = peer
        self.work, self.timers, self.merges = [], [], []
        self.counted, self.effects = Counter(), []
        self.do(Started())

    def do(self, event):
        for effect in self.peer.on(event, 0):
            self.effects.append(effect)
            if isinstance(effect, Work):
                self.work.append(effect)
                self.merges += [effect] if effect.kind == "merge" else []
            elif isinstance(effect, SetTimer):
                self.timers.append(effect.tag)
            elif isinstance(effect, Count):
                self.counted[effect.sender] += 1
            elif isinstance(effect, Need):
                self.do(Resolved(effect.tag, SimpleNamespace(muted=(3,))))

    def happens(self, what, sender, claimed, handle):
        if what == "message":
            self.do(Received(Envelope(sender, ME, claimed, 1, handle)))
        elif what == "gone":
            self.do(Gone(sender))
        elif what == "work" and self.work:
            done = self.work.pop(0)
            self.do(WorkDone(done.kind, done.round, (handle,), "summary"))
        elif what == "timer" and self.timers:
            self.do(TimerFired(self.timers.pop(0)))

    def to_the_end(self):
        while self.work or self.timers:
            self.happens("work" if self.work else "timer", 0, 0, "end")


def machines():
    settings = st.builds(
        Rounds, late=st.sampled_from(["drop", "use"]), ahead=st.integers(0, 3), timeout_s=st.just(1)
    )
    benign = st.builds(
        RoundsPeer, *map(st.just, ((1, 2, 3), (1, 2, 3), ROUNDS)), settings, mutes=st.booleans()
    )
    behaviours = st.lists(
        st.sampled_from([
            Late(after_s=1.0), Late(after_s=0.5, share=0.5), Silent(probability=0.5), Rushing(),
            Replay(age=1), Replay(of="neighbour", age=1), Selective(), FalseMetadata(rounds=1),
        ]),
        unique_by=lambda behaviour: behaviour.kind,
    )  # fmt: skip
    turns = st.lists(
        st.tuples(
            st.integers(1, ROUNDS),
            st.sampled_from([
                Change("move_adversary", (ME, 9)), Change("move_adversary", (9, ME)),
                Change("attack_stop"), Change("attack_start", (ME,)),
            ]),
        )
    )  # fmt: skip
    hostility = st.builds(
        Hostility,
        me=st.just(ME),
        members=st.just((ME,)),
        targets=st.just((1, 2, 3)),
        conduct=st.builds(Conduct, behaviours=behaviours.map(tuple)),
        turns=turns.map(lambda some: sorted(some, key=lambda each: -each[0])),
    )
    adversary = st.builds(
        RoundsAdversary,
        hostility,
        *map(st.just, ((1, 2, 3), (1, 2, 3), ROUNDS)),
        settings,
        listens=st.booleans(),
        mutes=st.booleans(),
    )
    return st.one_of(benign, adversary)


@given(machines(), happenings)
def test_every_message_is_merged_or_late_or_rejected_and_only_one_of_them(peer, order):
    drive = Drive(peer)
    arrived = Counter()
    for k, (what, sender, claimed) in enumerate(order):
        arrived[sender] += what == "message"
        drive.happens(what, sender, claimed, (k, sender, claimed))
    drive.to_the_end()
    merged = [parcel for work in drive.merges for parcel in work.inputs]
    assert len({parcel.handle for parcel in merged}) == len(merged)
    for parcel in merged:
        assert parcel.handle[1:] == (parcel.sender, parcel.round)
    accepted = Counter(parcel.sender for parcel in merged)
    assert arrived == accepted + drive.counted


@given(machines(), happenings)
def test_every_round_is_merged_once_in_order_and_the_end_comes_once(peer, order):
    drive = Drive(peer)
    for k, happening in enumerate(order):
        drive.happens(*happening, k)
    drive.to_the_end()
    assert [work.round for work in drive.merges] == [1, 2, 3]
    assert [e for e in drive.effects if isinstance(e, Finished)] == [Finished()]
    for work in drive.merges:
        senders = [parcel.sender for parcel in work.inputs]
        assert senders == sorted(set(senders))
        assert all(parcel.round <= work.round for parcel in work.inputs)


@given(happenings)
def test_a_peer_that_cannot_mute_never_needs_content(order):
    drive = Drive(make(senders=(1, 2, 3)))
    for k, happening in enumerate(order):
        drive.happens(*happening, k)
    drive.to_the_end()
    assert not [e for e in drive.effects if isinstance(e, Need)]


@given(machines(), happenings)
def test_the_same_events_give_the_same_effects(peer, order):
    drives = [Drive(deepcopy(peer)) for _ in range(2)]
    for k, happening in enumerate(order):
        for drive in drives:
            drive.happens(*happening, k)
    assert drives[0].effects == drives[1].effects


# ---------------------------------------------------------------- what is sent, and when


def offered(peer, handle="offer"):
    return list(peer.on(WorkDone("offer", peer.round, (handle,), None), 0))


def test_what_is_offered_after_training_is_sent_instead_of_the_trained_model():
    peer = start(offers="after")
    assert train(peer) == [Work("offer", 1)]
    assert offered(peer)[:2] == [Send(1, 1, "offer"), Send(2, 1, "offer")]
    receive(peer, 1, 1)
    assert receive(peer, 2, 1)[-1].own == "offer"


def test_what_is_offered_before_is_sent_while_the_peer_trains():
    peer = make(offers="before")
    assert peer.on(Started(), 0)[1:] == [Work("offer", 1), Work("train", 1)]
    assert offered(peer) == [Send(1, 1, "offer"), Send(2, 1, "offer")]
    receive(peer, 1, 1)
    assert receive(peer, 2, 1) == []  # both are there, and it still trains
    merge = train(peer)[-1]
    assert [parcel.sender for parcel in merge.inputs] == [1, 2]
    assert Work("offer", 2) in finish_merge(peer)


def test_a_peer_that_offers_before_waits_from_the_end_of_its_training():
    peer = start(offers="before")
    offered(peer)
    assert time_out(peer) == []
    assert train(peer) == [SetTimer(5 * 10**9, ("round", 1))]
    assert time_out(peer)[0] == Note("timeout", 1, {"missing": [1, 2]})


def test_who_is_muted_gets_nothing_of_what_is_offered_before():
    peer = start(offers="before", mutes=True)
    offered(peer)
    receive(peer, 1, 1)
    receive(peer, 2, 1)
    train(peer)
    finish_merge(peer, "decision")
    assert offered(peer, "second") == [Need("decision", "muted")]
    effects = list(peer.on(Resolved("muted", SimpleNamespace(muted=(2,))), 0))
    assert [e for e in effects if isinstance(e, Send)] == [Send(1, 2, "second")]
