"""Gossip, driven by hand: no engine, no links, no clock."""

from collections import Counter
from copy import deepcopy
from types import SimpleNamespace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from actors.protocols.events import (
    Away,
    Back,
    BudgetSpent,
    Conclude,
    Count,
    Envelope,
    Evaluate,
    Finished,
    Gone,
    Need,
    Note,
    Observed,
    Parcel,
    Received,
    Resolved,
    Returned,
    Send,
    Started,
    Work,
    WorkDone,
)
from actors.protocols.gossip import Gossip, GossipAdversary, GossipPeer
from actors.protocols.hostility import Hostility
from actors.protocols.measuring import Measuring
from actors.protocols.own_pace import Place
from graphs.availability import Availability
from graphs.events import Change
from p2pfl.behaviours.replay import Replay
from p2pfl.behaviours.silent import Silent
from p2pfl.learner.conduct import Conduct

ME = 5
S = 10**9


def place(others=(1, 2), rounds=3, **options):
    return Place(me=ME, neighbours=others, senders=others, rounds=rounds, seed=1, **options)


def start(others=(1, 2), rounds=3, offers="trained", measuring=None, settings=None, **options):
    how = settings or Gossip()
    peer = GossipPeer(place(others, rounds, **options), how, measuring or Measuring(), offers)
    offer = [Work("offer", 1)] if offers == "before" else []
    assert peer.on(Started(), 0) == [Note("round_start", 1), *offer, Work("train", 1)]
    return peer


def without_stance(effects):
    """How it stands is the matter of test_hostility.py."""
    plain = {"stance": "benign", "members": ()}
    return [e._replace(**plain) if isinstance(e, Work) else e for e in effects]


def done(peer, kind, *handles, now_ns=0):
    return without_stance(peer.on(WorkDone(kind, peer.round, handles, "summary"), now_ns))


def receive(peer, sender, round_, handle=None):
    handle = handle or f"{sender}@{round_}"
    return list(peer.on(Received(Envelope(sender, ME, round_, 100, handle)), 0))


def merge(*senders, round_=1, own="mine"):
    parcels = tuple(Parcel(sender, claimed, f"{sender}@{claimed}") for sender, claimed in senders)
    return Work("merge", round_, parcels, own)


# ---------------------------------------------------------------- a round


def test_it_sends_to_all_and_merges_what_is_there_without_waiting():
    peer = start()
    assert receive(peer, 2, 1) == []
    assert done(peer, "train", "mine") == [
        Send(1, 1, "mine"),
        Send(2, 1, "mine"),
        merge((2, 1)),
    ]
    assert done(peer, "merge") == [
        Note("round_end", 1),
        Evaluate(1),
        Note("round_start", 2),
        Work("train", 2),
    ]


def test_with_nothing_there_it_merges_nothing():
    assert done(start(), "train", "mine")[-1] == merge()


def test_the_newest_message_of_each_neighbour_is_merged_and_only_once():
    peer = start()
    receive(peer, 1, 4)
    assert receive(peer, 1, 7) == [Count(1, "late")]  # what it replaces
    assert receive(peer, 1, 5) == [Count(1, "late")]  # older
    assert receive(peer, 1, 7) == [Count(1, "late")]  # a copy
    assert done(peer, "train", "mine")[-1] == merge((1, 7))
    assert receive(peer, 1, 7) == [Count(1, "late")]  # a copy of what was merged
    done(peer, "merge")
    assert done(peer, "train", "mine")[-1] == merge(round_=2)


def test_after_so_many_rounds_it_ends_and_what_comes_then_is_late():
    peer = start(rounds=1)
    done(peer, "train", "mine")
    receive(peer, 1, 9)  # while it merges
    assert done(peer, "merge") == [
        Note("round_end", 1),
        Evaluate(1),
        Count(1, "late"),
        Finished(),
    ]
    assert receive(peer, 1, 10) == [Count(1, "late")]


def test_without_a_number_of_rounds_it_goes_on():
    peer = start(rounds=None)
    for _ in range(50):
        done(peer, "train", "mine")
        assert Finished() not in done(peer, "merge")


@pytest.mark.parametrize(("sender", "round_"), [(3, 1), (1, 0), (1, -2)])
def test_strangers_and_impossible_rounds_are_rejected(sender, round_):
    assert receive(start(), sender, round_) == [Count(sender, "rejected")]


def test_what_is_too_old_is_late_when_it_would_be_merged():
    peer = start(settings=Gossip(max_staleness=1), rounds=9)
    for _ in range(3):
        done(peer, "train", "mine")
        done(peer, "merge")
    receive(peer, 1, 2)
    receive(peer, 2, 3)
    assert done(peer, "train", "mine")[2:] == [Count(1, "late"), merge((2, 3), round_=4)]


# ---------------------------------------------------------------- to whom


def test_a_fanout_is_drawn_anew_in_each_round_and_is_a_function_of_the_seed():
    def told():
        peer, found = start(others=tuple(range(10, 18)), rounds=None, settings=Gossip(fanout=3)), []
        for _ in range(20):
            sent = [e.destination for e in done(peer, "train", "mine") if isinstance(e, Send)]
            assert sent == sorted(set(sent))
            assert len(sent) == 3
            found.append(tuple(sent))
            done(peer, "merge")
        return found

    drawn = told()
    assert drawn == told()
    assert len(set(drawn)) > 10


def test_who_is_away_moves_nobody_elses_draw():
    def order(away):
        peer = start(others=(1, 2, 3, 4), settings=Gossip(fanout=2))
        for other in away:
            peer.on(Away(other), 0)
        return {e.destination for e in done(peer, "train", "mine") if isinstance(e, Send)}

    everybody = order([])
    [one, other] = sorted(everybody)
    assert one not in order([one])
    assert other in order([one])


def test_nothing_is_sent_to_whom_is_away_or_gone_until_it_is_back():
    peer = start(others=(1, 2, 3), rounds=5)
    peer.on(Away(1), 0)
    peer.on(Gone(2), 0)
    assert [e for e in done(peer, "train", "mine") if isinstance(e, Send)] == [Send(3, 1, "mine")]
    done(peer, "merge")
    peer.on(Back(1), 0)
    told = [e.destination for e in done(peer, "train", "mine") if isinstance(e, Send)]
    assert told == [1, 3]


def test_a_muted_neighbour_gets_nothing_from_the_next_send_on():
    peer = start(mutes=True)
    done(peer, "train", "mine")
    done(peer, "merge")
    assert done(peer, "train", "second") == [Need("summary", "muted")]
    assert peer.on(Resolved("muted", SimpleNamespace(muted=(2,))), 0) == [
        Note("mute", 2, {"neighbours": [2]}),
        Send(1, 2, "second"),
        merge(round_=2, own="second"),
    ]


def test_what_is_offered_before_training_is_sent_while_it_trains():
    peer = start(offers="before")
    assert done(peer, "offer", "mine") == [Send(1, 1, "mine"), Send(2, 1, "mine")]
    receive(peer, 1, 1)
    assert done(peer, "train", "trained") == [merge((1, 1))]


def test_what_is_offered_after_training_is_sent_instead():
    peer = start(offers="after")
    assert done(peer, "train", "trained") == [Work("offer", 1)]
    assert done(peer, "offer", "mine")[0] == Send(1, 1, "mine")


# ---------------------------------------------------------------- ends, rests, comings and goings


def test_by_time_it_is_measured_after_the_first_round_to_end_in_each_period():
    peer = start(rounds=6, measuring=Measuring(every=0, every_ns=10 * S))
    seen = []
    for now_ns in (4 * S, 10 * S, 11 * S, 35 * S, 39 * S, 39 * S):
        done(peer, "train", "mine", now_ns=now_ns)
        seen += [e.round for e in done(peer, "merge", now_ns=now_ns) if isinstance(e, Evaluate)]
    assert seen == [2, 4, 6]  # the last in any case


def test_a_round_that_it_rests_in_takes_its_time_and_nothing_else():
    never = next(s for s in range(99) if not Availability(dropout=0.5).rests(s, ME, 1)
                 and Availability(dropout=0.5).rests(s, ME, 2))  # fmt: skip
    rests = Place(
        me=ME, neighbours=(1,), senders=(1,), rounds=3, seed=never,
        availability=Availability(dropout=0.5),
    )  # fmt: skip
    peer = GossipPeer(rests, Gossip(), Measuring(every=0))
    peer.on(Started(), 0)
    done(peer, "train", "mine")
    assert done(peer, "merge")[1:] == [
        Note("round_start", 2),
        Note("rests", 2),
        Work("rest", 2),
    ]
    assert receive(peer, 1, 1) == []
    assert done(peer, "rest")[:2] == [Note("round_end", 2), Note("round_start", 3)]


def test_back_with_its_state_it_goes_on_and_back_anew_it_does_its_round_again():
    peer = start()
    receive(peer, 1, 1)
    assert peer.on(Returned(9, False), 0) == ()
    assert peer.on(Returned(9, True), 0) == [
        Count(1, "late"),
        Note("round_start", 1),
        Work("train", 1),
    ]


def test_who_joins_anew_begins():
    peer = GossipPeer(place(), Gossip(), Measuring())
    assert peer.on(Returned(4, True), 0) == [Note("round_start", 1), Work("train", 1)]


def test_when_the_time_is_up_it_goes_back_to_the_last_whole_round():
    peer = start()
    done(peer, "train", "mine")
    done(peer, "merge")
    done(peer, "train", "more")
    over = [Note("budget_spent", 1), Conclude(1), Evaluate(1)]
    assert peer.on(BudgetSpent(), 0) == over
    never = start(measuring=Measuring(every=0))
    assert never.on(BudgetSpent(), 0) == [Note("budget_spent", 0), Conclude(0)]


@pytest.mark.parametrize("keys", [{"fanout": 0}, {"max_staleness": -1}])
def test_settings_are_checked(keys):
    [(name, value)] = keys.items()
    with pytest.raises(ValueError, match=rf"^{name} must be .* got {value}"):
        Gossip(**keys)


# ---------------------------------------------------------------- an adversary


def adversary(**options):
    peer = GossipAdversary(
        place(), Gossip(), Measuring(every=0), Hostility(me=place().me), **options
    )
    assert without_stance(peer.on(Started(), 0))[-1] == Work("train", 1)
    return peer


def test_it_crafts_with_the_newest_that_it_was_shown_and_waits_for_nothing():
    peer = adversary()
    assert done(peer, "train", "mine")[-1] == Work("craft", 1, (Parcel(ME, 1, "mine"),))
    assert done(peer, "craft", "crafted") == [
        Send(1, 1, "crafted"),
        Send(2, 1, "crafted"),
        merge(own="crafted"),
    ]
    done(peer, "merge")
    for round_ in (4, 5):
        assert not peer.on(Observed(9, round_, f"trained 9@{round_}"), 0)
    peer.on(Observed(0, 1, "trained 0@1"), 0)
    seen = (Parcel(0, 1, "trained 0@1"), Parcel(ME, 2, "mine"), Parcel(9, 5, "trained 9@5"))
    assert done(peer, "train", "mine") == [Work("craft", 2, seen)]


def test_messages_are_shown_to_one_that_listens():
    for listens, seen in ((False, ()), (True, (Parcel(1, 3, "1@3"),))):
        peer = adversary(listens=listens)
        receive(peer, 1, 3)
        crafts = Work("craft", 1, (*seen, Parcel(ME, 1, "mine")))
        assert done(peer, "train", "mine") == [crafts]
        assert done(peer, "craft", "for 1", "for 2") == [
            Send(1, 1, "for 1"),
            Send(2, 1, "for 2"),
            merge((1, 3), own="for 1"),
        ]


def test_back_anew_it_has_seen_nothing():
    peer = adversary()
    peer.on(Observed(9, 4, "trained 9@4"), 0)
    peer.on(Returned(1, True), 0)
    assert done(peer, "train", "mine") == [Work("craft", 1, (Parcel(ME, 1, "mine"),))]


# ---------------------------------------------------------------- for every order of events

happenings = st.lists(
    st.one_of(
        st.tuples(st.just("message"), st.integers(1, 4), st.integers(-1, 6)),
        st.tuples(st.just("work"), st.just(0), st.just(0)),
        st.tuples(st.sampled_from(["gone", "away", "back"]), st.integers(1, 3), st.just(0)),
        st.tuples(st.just("anew"), st.just(0), st.just(0)),
    ),
    max_size=60,
)
NEWS = {"gone": Gone, "away": Away, "back": Back}


class Drive:
    """Feeds a peer and finishes its work when told; keeps the books."""

    def __init__(self, peer):
        self.peer, self.work, self.effects = peer, [], []
        self.arrived, self.counted = Counter(), Counter()
        self.do(Started())

    def do(self, event):
        for effect in self.peer.on(event, 0):
            self.effects.append(effect)
            if isinstance(effect, Work):
                self.work.append(effect)
            elif isinstance(effect, Count):
                self.counted[effect.sender] += 1
            elif isinstance(effect, Need):
                self.do(Resolved(effect.tag, SimpleNamespace(muted=(3,))))

    def happens(self, what, sender, claimed, handle):
        if what == "message":
            self.arrived[sender] += 1
            self.do(Received(Envelope(sender, ME, claimed, 1, handle)))
        elif what in NEWS:
            self.do(NEWS[what](sender))
        elif what == "anew":
            self.work.clear()
            if Finished() not in self.effects:
                self.do(Returned(1, True))
        elif self.work:
            done = self.work.pop(0)
            self.do(WorkDone(done.kind, done.round, (handle,), "summary"))

    def to_the_end(self):
        while self.work:
            self.happens("work", 0, 0, "end")

    @property
    def merges(self):
        return [e for e in self.effects if isinstance(e, Work) and e.kind == "merge"]


def at_times_hostile():
    """It moves away and comes back, sends old models and leaves messages out."""
    return Hostility(
        me=ME,
        members=(ME,),
        targets=(1, 2, 3),
        conduct=Conduct(behaviours=(Replay(age=1), Silent(probability=0.3))),
        turns=[
            (3, Change("move_adversary", (9, ME))),
            (2, Change("move_adversary", (ME, 9))),
        ],
    )


machines = st.builds(
    lambda kind, how, mutes: kind(place((1, 2, 3), mutes=mutes), how, Measuring()),
    st.sampled_from(
        [
            GossipPeer,
            lambda *given: GossipAdversary(*given, Hostility(me=ME)),
            lambda *given: GossipAdversary(*given, at_times_hostile()),
        ]
    ),
    st.builds(
        Gossip,
        fanout=st.sampled_from([None, 1, 2, 9]),
        max_staleness=st.sampled_from([None, 0, 2]),
    ),
    st.booleans(),
)


@settings(max_examples=150)
@given(machines, happenings)
def test_every_message_is_merged_or_counted_once_and_every_round_is_done(peer, order):
    twin = Drive(deepcopy(peer))
    drive = Drive(peer)
    for k, (what, sender, claimed) in enumerate(order):
        for each in (drive, twin):
            each.happens(what, sender, claimed, (k, sender, claimed))
    drive.to_the_end()
    twin.to_the_end()
    assert drive.effects == twin.effects
    merged = [parcel for work in drive.merges for parcel in work.inputs]
    assert len({parcel.handle for parcel in merged}) == len(merged)
    assert drive.arrived == Counter(parcel.sender for parcel in merged) + drive.counted
    assert [e.round for e in drive.effects if isinstance(e, Note) and e.event == "round_end"] == [
        1, 2, 3,
    ]  # fmt: skip
    assert drive.effects.count(Finished()) == 1
    for work in drive.merges:
        senders = [parcel.sender for parcel in work.inputs]
        assert senders == sorted(set(senders))
