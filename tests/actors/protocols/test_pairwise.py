"""Pairwise, driven by hand: who asks whom, who answers when, and that nobody waits for long."""

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
    SetTimer,
    Started,
    TimerFired,
    Work,
    WorkDone,
)
from actors.protocols.hostility import Hostility
from actors.protocols.measuring import Measuring
from actors.protocols.own_pace import Place
from actors.protocols.pairwise import Pairwise, PairwiseAdversary, PairwisePeer
from graphs.availability import Availability
from graphs.events import Change
from p2pfl.behaviours.late import Late
from p2pfl.behaviours.silent import Silent
from p2pfl.learner.conduct import Conduct

ME = 5
TIMER = SetTimer(2_000_000_000, ("ask", 1))
STEP = Work("step", 1, outputs=0)


def place(others=(1,), rounds=3, **options):
    return Place(me=ME, neighbours=others, senders=others, rounds=rounds, seed=1, **options)


def start(others=(1,), rounds=3, **options):
    """In its first round, having asked its only neighbour."""
    at = place(others, rounds, **options)
    peer = PairwisePeer(at, Pairwise(timeout_s=2), Measuring())
    assert peer.on(Started(), 0) == [Note("round_start", 1), Work("offer", 1), Work("train", 1)]
    return peer


def asking(**options):
    peer = start(**options)
    assert done(peer, "offer", "mine") == [Send(1, 1, "mine"), TIMER]
    return peer


def without_stance(effects):
    """How it stands is the matter of test_hostility.py."""
    plain = {"stance": "benign", "members": ()}
    return [e._replace(**plain) if isinstance(e, Work) else e for e in effects]


def done(peer, kind, *handles):
    return without_stance(peer.on(WorkDone(kind, peer.round, handles, "summary"), 0))


def receive(peer, sender, round_, answers=0):
    handle = f"{sender}@{round_}"
    return without_stance(peer.on(Received(Envelope(sender, ME, round_, 100, handle, answers)), 0))


def meet(sender, claimed, own="now", round_=1):
    return Work("meet", round_, (Parcel(sender, claimed, f"{sender}@{claimed}"),), own)


NEXT = [
    Note("round_end", 1),
    Evaluate(1),
    Note("round_start", 2),
    Work("offer", 2),
    Work("train", 2),
]

# ---------------------------------------------------------------- a round


def test_the_answer_is_merged_while_it_trains_and_the_round_ends_with_the_training():
    peer = asking()
    assert receive(peer, 1, 7, answers=1) == [Work("offer", 1)]
    assert done(peer, "offer", "now") == [meet(1, 7)]
    assert done(peer, "meet") == []
    assert done(peer, "train", "trained") == [STEP, *NEXT]


def test_a_round_ends_with_the_exchange_if_that_takes_longer():
    peer = asking()
    assert done(peer, "train", "trained") == [STEP]
    assert receive(peer, 1, 7, answers=1) == [Work("offer", 1)]
    assert done(peer, "offer", "now") == [meet(1, 7)]
    assert done(peer, "meet") == NEXT


def test_the_step_waits_for_a_merge_that_takes_time():
    peer = asking()
    receive(peer, 1, 7, answers=1)
    assert done(peer, "train", "trained") == []
    assert done(peer, "offer", "now") == [meet(1, 7)]
    assert done(peer, "meet") == [STEP, *NEXT]


def test_without_an_answer_it_goes_on_at_its_timeout_and_the_answer_is_late():
    peer = asking()
    done(peer, "train", "trained")
    assert peer.on(TimerFired(("ask", 1)), 0) == [Note("timeout", 1, {"missing": [1]}), *NEXT]
    assert peer.on(TimerFired(("ask", 1)), 0) == ()
    done(peer, "offer", "mine")
    assert receive(peer, 1, 7, answers=1) == [Count(1, "late")]
    assert receive(peer, 1, 8, answers=2) == [Work("offer", 2)]
    assert done(peer, "offer", "now") == [meet(1, 8, round_=2)]


def test_with_nobody_to_ask_it_trains_alone():
    peer = PairwisePeer(place(others=()), Pairwise(), Measuring(every=0))
    assert peer.on(Started(), 0) == [Note("round_start", 1), Work("train", 1)]
    assert done(peer, "train", "trained") == [
        STEP, Note("round_end", 1), Note("round_start", 2), Work("train", 2),
    ]  # fmt: skip


def test_after_its_rounds_it_ends_and_answers_nobody():
    peer = asking(rounds=1)
    done(peer, "train", "trained")
    receive(peer, 1, 7, answers=1)
    done(peer, "offer", "now")
    assert done(peer, "meet") == [Note("round_end", 1), Evaluate(1), Finished()]
    assert receive(peer, 1, 8) == [Count(1, "late")]


def test_whom_it_asks_is_drawn_anew_in_each_round():
    def asked(away=()):
        peer = PairwisePeer(place((1, 2, 3), None), Pairwise(), Measuring(every=0))
        for other in away:
            peer.on(Away(other), 0)
        peer.on(Started(), 0)
        found = []
        for _ in range(30):
            found.append(done(peer, "offer", "mine")[0].destination)
            done(peer, "train", "trained")
            peer.on(TimerFired(("ask", peer.round)), 0)
        return found

    everybody = asked()
    assert set(everybody) == {1, 2, 3}
    assert everybody == asked()
    without = asked(away=(2,))
    assert set(without) == {1, 3}
    assert [n for n, m in zip(without, everybody, strict=True) if m != 2] == [
        m for m in everybody if m != 2
    ]


# ---------------------------------------------------------------- being asked


def test_who_asks_is_answered_at_once_with_the_model_as_it_is_whatever_it_waits_for():
    peer = asking(others=(1,))
    assert receive(peer, 1, 4) == [Work("offer", 1)]
    assert done(peer, "offer", "now") == [
        Send(1, 1, "now", answers=4),
        meet(1, 4),
    ]
    assert done(peer, "meet") == []
    assert receive(peer, 1, 4, answers=1) == [Work("offer", 1)]  # and its own ask goes on


def test_those_who_ask_while_it_merges_are_answered_one_after_the_other():
    peer = start(others=(1, 2, 3))
    done(peer, "offer", "mine")
    assert receive(peer, 2, 1) == [Work("offer", 1)]
    assert receive(peer, 3, 1) == []
    assert receive(peer, 1, 1) == []
    done(peer, "offer", "now")
    assert done(peer, "meet") == [Work("offer", 1)]
    assert done(peer, "offer", "later")[0] == Send(3, 1, "later", answers=1)


def test_before_it_has_asked_itself_it_answers_nobody():
    peer = start()
    assert receive(peer, 1, 1) == []
    assert done(peer, "offer", "mine") == [Send(1, 1, "mine"), TIMER, Work("offer", 1)]


def test_who_asks_again_has_given_up_the_ask_before_and_a_copy_is_late():
    peer = start()
    receive(peer, 1, 4)
    assert receive(peer, 1, 5) == [Count(1, "late")]
    assert receive(peer, 1, 5) == [Count(1, "late")]
    assert receive(peer, 1, 4) == [Count(1, "late")]
    done(peer, "offer", "mine")
    assert done(peer, "offer", "now")[0] == Send(1, 1, "now", answers=5)


@pytest.mark.parametrize(
    ("sender", "round_", "answers"), [(9, 1, 0), (1, 0, 0), (1, 1, 2), (1, 1, -1), (9, 1, 1)]
)
def test_strangers_and_impossible_claims_are_rejected(sender, round_, answers):
    assert receive(asking(), sender, round_, answers) == [Count(sender, "rejected")]


def test_an_answer_that_nobody_asked_for_is_late():
    peer = start(others=(1, 2))
    asked = done(peer, "offer", "mine")[0].destination
    assert receive(peer, 3 - asked, 1, answers=1) == [Count(3 - asked, "late")]
    receive(peer, asked, 1, answers=1)
    assert receive(peer, asked, 1, answers=1) == [Count(asked, "late")]


# ---------------------------------------------------------------- comings and goings


@pytest.mark.parametrize("news", [Away, Gone])
def test_it_does_not_wait_for_who_goes_nor_answer_it(news):
    peer = start()
    receive(peer, 1, 4)
    assert peer.on(news(1), 0) == [Count(1, "late")]
    assert done(peer, "offer", "mine") == []  # what it would have asked with
    assert done(peer, "train", "trained") == [
        STEP, *NEXT[:3], Work("train", 2),
    ]  # fmt: skip
    peer.on(Back(1), 0)
    assert done(peer, "train", "trained")[-2:] == [Work("offer", 3), Work("train", 3)]


def test_back_anew_it_does_its_round_again_and_what_it_held_is_late():
    peer = asking(others=(1,))
    receive(peer, 1, 4)
    assert peer.on(Returned(9, True), 0) == [
        Count(1, "late"),
        Note("round_start", 1),
        Work("offer", 1),
        Work("train", 1),
    ]


def test_resting_it_answers_when_it_is_up_again():
    rest = Availability(dropout=0.5)
    seed = next(s for s in range(99) if rest.rests(s, ME, 1) and not rest.rests(s, ME, 2))
    at = Place(me=ME, neighbours=(1,), senders=(1,), rounds=3, seed=seed, availability=rest)
    peer = PairwisePeer(at, Pairwise(), Measuring(every=0))
    assert peer.on(Started(), 0)[1:] == [Note("rests", 1), Work("rest", 1)]
    assert receive(peer, 1, 4) == []
    assert done(peer, "rest")[-2:] == [Work("offer", 2), Work("train", 2)]
    assert done(peer, "offer", "mine")[-1] == Work("offer", 2)


def test_when_the_time_is_up_it_goes_back_to_the_last_whole_round():
    peer = asking()
    assert peer.on(BudgetSpent(), 0) == [Note("budget_spent", 0), Conclude(0), Evaluate(0)]


def test_a_muted_neighbour_is_neither_asked_nor_answered():
    peer = asking(mutes=True)
    receive(peer, 1, 7, answers=1)
    done(peer, "offer", "now")
    assert done(peer, "meet") == [Need("summary", "muted")]
    assert receive(peer, 1, 8) == []  # it may be muted now
    peer.on(Resolved("muted", SimpleNamespace(muted=(1,))), 0)
    done(peer, "offer", "now")
    done(peer, "meet")
    peer.on(Resolved("muted", SimpleNamespace(muted=(1,))), 0)
    assert receive(peer, 1, 9) == [Count(1, "rejected")]
    assert done(peer, "train", "trained")[-1] == Work("train", 2)


@pytest.mark.parametrize("timeout_s", [0.0, -1.0, float("nan"), float("inf")])
def test_a_timeout_is_positive_and_finite(timeout_s):
    with pytest.raises(ValueError, match="timeout_s must be in"):
        Pairwise(timeout_s=timeout_s)


# ---------------------------------------------------------------- an adversary


def adversary(others=(1,), **options):
    peer = PairwiseAdversary(
        place(others), Pairwise(timeout_s=2), Measuring(every=0), Hostility(me=ME), **options
    )
    begun = without_stance(peer.on(Started(), 0))
    assert begun == [Note("round_start", 1), Work("train", 1)]
    return peer


def test_it_crafts_when_it_has_trained_and_asks_with_that():
    peer = adversary()
    peer.on(Observed(9, 4, "trained 9@4"), 0)
    seen = (Parcel(ME, 1, "mine"), Parcel(9, 4, "trained 9@4"))
    assert done(peer, "train", "mine") == [STEP, Work("craft", 1, seen)]
    assert done(peer, "craft", "crafted") == [Send(1, 1, "crafted"), TIMER]
    assert receive(peer, 1, 3, answers=1) == [meet(1, 3, own="crafted")]
    assert done(peer, "meet")[-1] == Work("train", 2)


def test_it_answers_with_what_it_has_crafted_last_and_the_first_waits_for_that():
    peer = adversary(others=(1, 2), listens=True)
    assert receive(peer, 2, 1) == []
    seen = (Parcel(2, 1, "2@1"), Parcel(ME, 1, "mine"))
    assert done(peer, "train", "mine")[1] == Work("craft", 1, seen)
    effects = done(peer, "craft", "for 1", "for 2")
    asked = effects[0].destination
    assert effects[0] == Send(asked, 1, f"for {asked}")
    assert effects[2:] == [Send(2, 1, "for 2", answers=1), meet(2, 1, "for 2")]
    assert done(peer, "meet") == []
    assert receive(peer, 1, 6) == [
        Send(1, 1, "for 1", answers=6),
        meet(1, 6, "for 1"),
    ]


# ---------------------------------------------------------------- for every order of events

happenings = st.lists(
    st.one_of(
        st.tuples(st.just("message"), st.integers(1, 4), st.integers(-1, 6), st.integers(-1, 4)),
        st.tuples(st.just("work"), st.just(0), st.integers(0, 3), st.just(0)),
        st.tuples(st.sampled_from(["gone", "away", "back"]), st.integers(1, 3), *[st.just(0)] * 2),
        st.tuples(st.sampled_from(["anew", "timer"]), *[st.just(0)] * 3),
    ),
    max_size=80,
)
NEWS = {"gone": Gone, "away": Away, "back": Back}


class Drive:
    """Feeds a peer, finishes its work and fires its timers when told; keeps the books."""

    def __init__(self, peer):
        self.peer, self.work, self.timers, self.effects = peer, [], [], []
        self.arrived, self.counted = Counter(), Counter()
        self.do(Started())

    def do(self, event):
        for effect in self.peer.on(event, 0):
            self.effects.append(effect)
            if isinstance(effect, Work):
                self.work.append(effect)
            elif isinstance(effect, SetTimer):
                self.timers.append(effect.tag)
            elif isinstance(effect, Count):
                self.counted[effect.sender] += 1
            elif isinstance(effect, Need):
                self.do(Resolved(effect.tag, SimpleNamespace(muted=(3,))))

    def happens(self, what, sender, claimed, answers, handle):
        if what == "message":
            self.arrived[sender] += 1
            self.do(Received(Envelope(sender, ME, claimed, 1, handle, answers)))
        elif what in NEWS:
            self.do(NEWS[what](sender))
        elif what == "anew":
            self.work.clear()
            self.timers.clear()
            if Finished() not in self.effects:
                self.do(Returned(1, True))
        elif what == "timer" and self.timers:
            self.do(TimerFired(self.timers.pop(0)))
        elif what == "work" and self.work:
            # Training takes longer than what is asked for meanwhile: any order may come.
            done = self.work.pop(claimed % len(self.work))
            self.do(WorkDone(done.kind, done.round, (handle,), "summary"))

    def to_the_end(self):
        while self.work or self.timers:
            self.happens("work" if self.work else "timer", 0, 0, 0, "end")

    @property
    def merged(self):
        return [parcel for work in self.meets for parcel in work.inputs]

    @property
    def meets(self):
        return [e for e in self.effects if isinstance(e, Work) and e.kind == "meet"]


def at_times_hostile():
    """It moves away and comes back, and holds back and leaves out."""
    return Hostility(
        me=ME,
        members=(ME,),
        targets=(1, 2, 3),
        conduct=Conduct(behaviours=(Late(after_s=1.0, share=0.5), Silent(probability=0.3))),
        turns=[
            (3, Change("move_adversary", (9, ME))),
            (2, Change("move_adversary", (ME, 9))),
        ],
    )


machines = st.builds(
    lambda kind, mutes: kind(place((1, 2, 3), mutes=mutes), Pairwise(), Measuring()),
    st.sampled_from(
        [
            PairwisePeer,
            lambda *given: PairwiseAdversary(*given, Hostility(me=ME)),
            lambda *given: PairwiseAdversary(*given, at_times_hostile()),
        ]
    ),
    st.booleans(),
)


@settings(max_examples=200)
@given(machines, happenings)
def test_every_message_is_merged_or_counted_once_and_the_end_always_comes(peer, order):
    twin = Drive(deepcopy(peer))
    drive = Drive(peer)
    for k, (what, sender, claimed, answers) in enumerate(order):
        for each in (drive, twin):
            each.happens(what, sender, claimed, answers, (k, sender, claimed))
    drive.to_the_end()
    twin.to_the_end()
    assert drive.effects == twin.effects
    merged = drive.merged
    assert len({parcel.handle for parcel in merged}) == len(merged)
    assert drive.arrived == Counter(parcel.sender for parcel in merged) + drive.counted
    ended = [e.round for e in drive.effects if isinstance(e, Note) and e.event == "round_end"]
    assert ended == [1, 2, 3]
    assert drive.effects.count(Finished()) == 1
    # No answer goes out but for an ask that is merged.
    met = {(parcel.sender, parcel.round) for parcel in merged}
    answers = [e for e in drive.effects if isinstance(e, Send) and e.answers]
    assert {(e.destination, e.answers) for e in answers} <= met
