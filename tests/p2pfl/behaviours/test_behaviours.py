"""Each behaviour by itself: what it makes of the messages of a round, by hand."""

import re

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from p2pfl.behaviours import BEHAVIOURS, Outgoing, Scene
from p2pfl.behaviours.base import some_of
from p2pfl.behaviours.equivocate import Equivocate
from p2pfl.behaviours.false_metadata import FalseMetadata
from p2pfl.behaviours.fast_links import FastLinks
from p2pfl.behaviours.late import Late
from p2pfl.behaviours.mobile import Mobile
from p2pfl.behaviours.replay import Replay
from p2pfl.behaviours.rushing import Rushing
from p2pfl.behaviours.selective import Selective
from p2pfl.behaviours.silent import Silent
from p2pfl.behaviours.sybils import Sybils
from p2pfl.behaviours.whitewash import Whitewash
from p2pfl.learner.conduct import Conduct

TARGETS = (1, 2, 3, 4)
MESSAGES = tuple(Outgoing(target, 5, f"to {target}") for target in TARGETS)


def scene(sent=None, heard=None, round_=5, me=0):
    return Scene(me, round_, 1, TARGETS, sent or {}, heard or {})


def test_selective_sends_to_those_that_it_names():
    kept, told = Selective(peers=(2, 4)).sends(MESSAGES, scene())
    assert [each.destination for each in kept] == [2, 4]
    assert told == {"withheld": [1, 3]}
    assert Selective(share=1.0).sends(MESSAGES, scene())[1] is None


def test_silence_sends_nothing_or_in_some_rounds():
    assert Silent().sends(MESSAGES, scene()) == ((), {"withheld": [1, 2, 3, 4]})
    assert Silent(probability=0.0).sends(MESSAGES, scene()) == (MESSAGES, None)
    half = [bool(Silent(probability=0.5).sends(MESSAGES, scene(round_=r))[0]) for r in range(200)]
    assert 70 < sum(half) < 130  # four standard deviations


def test_late_adds_its_delay_to_some():
    changed, told = Late(after_s=1.5, peers=(3,)).sends(MESSAGES, scene())
    assert [each.after_ns for each in changed] == [0, 0, 1_500_000_000, 0]
    assert told == {"after_s": 1.5, "to": [3]}
    twice, _ = Late(after_s=0.5).sends(changed, scene())
    assert [each.after_ns for each in twice] == [5 * 10**8, 5 * 10**8, 2 * 10**9, 5 * 10**8]


def test_false_metadata_claims_another_round_and_other_samples():
    changed, told = FalseMetadata(rounds=-2).sends(MESSAGES, scene())
    assert [each.round for each in changed] == [3] * 4
    assert told == {"claims_round": 3}
    assert FalseMetadata(samples_factor=2.5).claims(7) == 18
    assert FalseMetadata().sends(MESSAGES, scene()) == (list(MESSAGES), None)


def test_replay_sends_the_newest_own_message_that_is_old_enough():
    sent = {1: {1: "a1", 2: "a2"}, 2: {2: "b2"}, 3: {3: "c3"}, 4: {1: "d1"}}
    changed, told = Replay(age=2).sends(MESSAGES, scene(sent))
    assert [each.message for each in changed] == ["a1", "b2", "c3", "to 4"]
    assert [each.round for each in changed] == [5] * 4
    assert told == {"to": [1, 2, 3], "of_peer": [0, 0, 0], "of_round": [1, 2, 3]}
    assert Replay(age=5).sends(MESSAGES, scene(sent)) == (list(MESSAGES), None)


def test_replay_of_a_neighbour_is_what_that_one_sent():
    heard = {3: {4: "four's", 2: "two's"}, 4: {1: "one's"}}
    lowest, told = Replay(of="neighbour", age=2).sends(MESSAGES, scene(heard=heard))
    assert {each.message for each in lowest} == {"two's"}
    assert told == {"to": [1, 2, 3, 4], "of_peer": [2] * 4, "of_round": [3] * 4}
    named, _ = Replay(of="neighbour", age=1, peer=4).sends(MESSAGES, scene(heard=heard))
    assert {each.message for each in named} == {"four's"}


@pytest.mark.parametrize(("others", "second"), [
    ("trained", [1.0, 2.0]), ("start", [9.0, 9.0]), ("opposite", [-8.0, -6.0]),
])  # fmt: skip
def test_equivocation_shows_the_others_another_face(others, second):
    crafted = torch.tensor([[10.0, 10.0]] * 4)
    honest, start = torch.tensor([1.0, 2.0]), torch.tensor([9.0, 9.0])
    two_faced = Equivocate(peers=(2, 3), others=others)
    rows = two_faced.rows(crafted, honest, start, scene())
    assert rows.tolist() == [second, [10.0, 10.0], [10.0, 10.0], second]
    assert crafted.tolist() == [[10.0, 10.0]] * 4
    assert two_faced.sends(MESSAGES[1:], scene()) == (
        MESSAGES[1:],
        {"attacked": [2, 3], "others": others},
    )


def test_what_does_not_concern_messages_leaves_them():
    for behaviour in (
        Mobile(every=1),
        Sybils(ids=1),
        Whitewash(every=1),
        FastLinks(),
        Rushing(at_most_s=2.0),
    ):
        assert behaviour.sends(MESSAGES, scene()) == (MESSAGES, None)
        assert behaviour.claims(7) == 7
    assert Rushing(at_most_s=2.0).wait_s == 2.0
    assert FastLinks(latency_ms=1, drop=None).edge == {"latency_ms": 1.0}


@given(
    st.frozensets(st.integers(0, 30), min_size=1, max_size=12),
    st.integers(0, 30),
    st.floats(0, 1),
)
def test_a_share_is_drawn_for_each_by_itself(targets, more, share):
    ordered = tuple(sorted(targets))
    some = some_of("late", 1, 9, ordered, share)
    assert some <= targets
    assert abs(len(some) - share * len(targets)) <= 0.5 + 1e-9
    larger = some_of("late", 1, 9, tuple(sorted({*targets, more})), 1.0)
    assert larger == {*targets, more}
    assert some <= some_of("late", 1, 9, ordered, min(1.0, share + 0.3))


@pytest.mark.parametrize(("kind", "given", "message"), [
    (Equivocate, {"share": 1.1}, "share must be in [0, 1], got 1.1"),
    (Selective, {"peers": (1, 1)}, "peers must be ids >= 0, each once, got [1, 1]"),
    (Silent, {"probability": -0.1}, "probability must be in [0, 1], got -0.1"),
    (Late, {"after_s": 0.0}, "after_s must be a finite number of seconds > 0, got 0.0"),
    (Rushing, {"at_most_s": 0.0}, "at_most_s must be a finite number of seconds > 0, or null"),
    (Replay, {"age": 0}, "age counts rounds and must be in [1, 1000], got 0"),
    (Replay, {"peer": 3}, "peer says which neighbour's, and of is own: got 3"),
    (FalseMetadata, {"samples_factor": -1.0}, "samples_factor must be in [0, 1e9], got -1.0"),
    (Mobile, {"every": 0}, "every counts rounds and must be >= 1, got 0"),
    (Sybils, {"ids": 0}, "ids must be in [1, 10000], got 0"),
    (Sybils, {"ids": 1, "targets": (1,), "degree": 1}, "targets or degree: give one"),
    (Whitewash, {"every": 1, "away": 0}, "away counts rounds and must be >= 1, got 0"),
    (FastLinks, {"bandwidth_mbps": 0.0}, "bandwidth_mbps must be finite and > 0, or null, got 0.0"),
])  # fmt: skip
def test_what_cannot_be_is_refused(kind, given, message):
    with pytest.raises(ValueError, match=re.escape(message)):
        kind(**given)


def test_each_kind_stands_once_and_who_is_mobile_has_no_other_ids():
    with pytest.raises(ValueError, match="of different kinds, got late, late"):
        Conduct(behaviours=(Late(after_s=1.0), Late(after_s=2.0)))
    with pytest.raises(ValueError, match="who is mobile has no other ids, got mobile, sybils"):
        Conduct(behaviours=(Mobile(every=1), Sybils(ids=1)))


def test_what_several_receivers_are_needed_for_is_known():
    among = {behaviour.__name__ for behaviour in BEHAVIOURS if behaviour.among_peers}
    assert among == {"Equivocate", "Selective", "Rushing"}
