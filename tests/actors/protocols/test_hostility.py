"""Hostile behaviours under rounds and around a server, driven by hand: events in, effects out."""

from actors.protocols.adversary import RoundsAdversary
from actors.protocols.events import (
    Envelope,
    Finished,
    Gone,
    Note,
    Observed,
    Parcel,
    Received,
    Returned,
    Send,
    SetTimer,
    Started,
    TimerFired,
    Turned,
    Work,
    WorkDone,
)
from actors.protocols.hostility import Hostility
from actors.protocols.participation import Participation
from actors.protocols.rounds import Rounds
from actors.protocols.server import ClientAdversary
from graphs.events import Change
from p2pfl.behaviours.false_metadata import FalseMetadata
from p2pfl.behaviours.late import Late
from p2pfl.behaviours.replay import Replay
from p2pfl.behaviours.rushing import Rushing
from p2pfl.behaviours.selective import Selective
from p2pfl.learner.conduct import Conduct

ME = 5


def hostility(*behaviours, members=(ME,), **more):
    return Hostility(
        me=ME,
        members=members,
        targets=(1, 2),
        conduct=Conduct(behaviours=behaviours),
        **more,
    )


def start(hostile, rounds=3, **options):
    peer = RoundsAdversary(hostile, (1, 2), (1, 2), rounds, Rounds(timeout_s=5), **options)
    return peer, list(peer.on(Started(), 0))


def done(peer, kind, *handles):
    return list(peer.on(WorkDone(kind, peer.round, handles, "summary"), 0))


def receive(peer, sender, round_):
    return list(peer.on(Received(Envelope(sender, ME, round_, 100, f"{sender}@{round_}")), 0))


def a_round(peer, crafted):
    """From the training of a round to the start of the next; what its crafting led to."""
    done(peer, "train", "mine")
    sent = done(peer, "craft", *crafted)
    for sender in (1, 2):
        receive(peer, sender, peer.round)
    return sent, done(peer, "merge")


# ---------------------------------------------------------------- messages


def test_a_late_message_is_sent_by_a_timer_and_the_round_goes_on():
    peer, _ = start(hostility(Late(after_s=2.0, peers=(1,))))
    done(peer, "train", "mine")
    assert done(peer, "craft", "crafted") == [
        Note("behaviour", 1, {"kind": "late", "after_s": 2.0, "to": [1]}),
        Send(2, 1, "crafted"),
        SetTimer(2 * 10**9, ("held", 1)),
        SetTimer(5 * 10**9, ("round", 1)),
    ]
    assert list(peer.on(TimerFired(("held", 1)), 0)) == [Send(1, 1, "crafted")]
    assert not peer.on(TimerFired(("held", 1)), 0)


def test_it_ends_when_its_last_late_message_is_sent():
    peer, _ = start(hostility(Late(after_s=2.0)), rounds=1)
    _, end = a_round(peer, ["crafted"])
    assert Finished() not in end
    assert list(peer.on(TimerFired(("held", 1)), 0)) == [
        Send(1, 1, "crafted"),
        Send(2, 1, "crafted"),
        Finished(),
    ]


def test_behaviours_act_one_after_the_other_each_with_its_note():
    peer, _ = start(hostility(Selective(peers=(2,)), FalseMetadata(rounds=1)))
    done(peer, "train", "mine")
    assert done(peer, "craft", "for 1", "for 2")[:3] == [
        Note("behaviour", 1, {"kind": "selective", "withheld": [1]}),
        Note("behaviour", 1, {"kind": "false_metadata", "claims_round": 2}),
        Send(2, 2, "for 2"),
    ]


def test_a_replayed_message_is_what_it_crafted_so_long_ago():
    peer, _ = start(hostility(Replay(age=2)), rounds=5)
    sent = [
        [effect.handle for effect in a_round(peer, [f"crafted {r}"])[0] if isinstance(effect, Send)]
        for r in (1, 2, 3, 4)
    ]
    assert sent == [[f"crafted {r}"] * 2 for r in (1, 2, 1, 2)]


def test_it_replays_what_a_neighbour_sent():
    peer, _ = start(hostility(Replay(of="neighbour", age=1, peer=2)))
    a_round(peer, ["one"])
    sent, _ = a_round(peer, ["two"])
    assert sent[:3] == [
        Note(
            "behaviour",
            2,
            {"kind": "replay", "to": [1, 2], "of_peer": [2, 2], "of_round": [1, 1]},
        ),
        Send(1, 2, "2@1"),
        Send(2, 2, "2@1"),
    ]


def test_rushing_hears_its_neighbours_first_whatever_its_attack_knows():
    peer, _ = start(hostility(Rushing(at_most_s=1.0)))
    assert done(peer, "train", "mine") == [SetTimer(10**9, ("craft", 1))]
    receive(peer, 2, 1)
    note, craft = receive(peer, 1, 1)
    assert note == Note("behaviour", 1, {"kind": "rushing", "heard": [1, 2]})
    assert craft.inputs == (Parcel(1, 1, "1@1"), Parcel(2, 1, "2@1"), Parcel(ME, 1, "mine"))


def test_rushing_crafts_with_what_it_has_when_its_wait_is_over():
    peer, _ = start(hostility(Rushing(at_most_s=1.0)))
    done(peer, "train", "mine")
    receive(peer, 2, 1)
    timeout, note, craft = peer.on(TimerFired(("craft", 1)), 0)
    assert timeout == Note("craft_timeout", 1)
    assert note.data == {"kind": "rushing", "heard": [2]}
    assert [parcel.sender for parcel in craft.inputs] == [2, ME]


def test_out_of_its_attack_it_behaves():
    hostile = hostility(Selective(peers=()), Rushing())
    hostile.conduct = Conduct(start=2, behaviours=hostile.conduct.behaviours)
    peer, begun = start(hostile)
    assert begun[-1] == Work("train", 1, stance="hidden", members=(ME,))
    done(peer, "train", "mine")
    assert done(peer, "craft", "honest")[:2] == [Send(1, 1, "honest"), Send(2, 1, "honest")]


def test_what_was_held_back_is_gone_when_it_begins_anew():
    peer, _ = start(hostility(Late(after_s=2.0)))
    done(peer, "train", "mine")
    done(peer, "craft", "crafted")
    peer.on(Returned(2, True), 0)
    assert not peer.on(TimerFired(("held", 1)), 0)


# ---------------------------------------------------------------- who is hostile, and when


def test_events_start_and_stop_the_attack_round_by_round():
    turns = [(3, Change("attack_start", (ME,))), (2, Change("attack_stop"))]
    peer, begun = start(hostility(turns=turns), rounds=3)
    assert begun[-1].stance == "hostile"
    _, second = a_round(peer, ["crafted"])
    assert Note("attack_stop", 2) in second
    assert second[-1].stance == "hidden"
    _, third = a_round(peer, ["honest"])
    assert Note("attack_start", 3) in third
    assert third[-1].stance == "hostile"


def test_an_event_at_a_time_counts_from_the_next_round_on():
    peer, _ = start(hostility())
    assert not peer.on(Turned(Change("attack_stop", (1, ME))), 0)
    assert not peer.on(Turned(Change("attack_start", (1,))), 0)  # another's
    done(peer, "train", "mine")
    assert done(peer, "craft", "crafted")[-1] == SetTimer(5 * 10**9, ("round", 1))
    receive(peer, 1, 1)
    receive(peer, 2, 1)
    assert done(peer, "merge")[-1] == Work("train", 2, stance="hidden", members=(ME,))


def test_the_node_that_is_left_is_benign_and_mutes_again():
    turns = [(2, Change("move_adversary", (ME, 9)))]
    peer, _ = start(hostility(turns=turns), mutes=True)
    _, second = a_round(peer, ["crafted"])
    assert Note("turned", 2, {"role": "benign"}) in second
    assert second[-1] == Work("train", 2)
    needs = done(peer, "train", "mine")
    assert [effect.tag for effect in needs] == ["muted"]


def test_the_node_that_is_come_to_attacks_and_knows_its_coalition():
    turns = [(2, Change("move_adversary", (7, ME)))]
    hostile = hostility(members=(7, 8), turns=turns, possessed=False, hosts=frozenset((7, 8, ME)))
    peer, begun = start(hostile, watches=(7, 8, ME))
    assert begun[-1] == Work("train", 1)
    assert done(peer, "train", "mine")[:2] == [Send(1, 1, "mine"), Send(2, 1, "mine")]
    peer.on(Observed(8, 2, "eight's"), 0)  # a fast one, before the move
    receive(peer, 1, 1)
    receive(peer, 2, 1)
    second = done(peer, "merge")
    assert Note("turned", 2, {"role": "adversary"}) in second
    assert second[-1] == Work("train", 2, stance="hostile", members=(ME, 8))
    # 7 is benign by now: nobody waits for it, and it is not shown.
    peer.on(Observed(7, 2, "seven's"), 0)
    craft = done(peer, "train", "mine")[-1]
    assert craft.inputs == (Parcel(ME, 2, "mine"), Parcel(8, 2, "eight's"))


def test_a_move_of_another_coalition_concerns_nobody_here():
    hostile = hostility(members=(ME, 8))
    hostile.turn(Change("move_adversary", (3, 4)))
    assert hostile.members == (ME, 8)
    hostile.turn(Change("move_adversary", (8, -1)))
    hostile.turn(Change("move_adversary", (-1, 11)))
    assert (hostile.members, hostile.possessed) == ((ME, 11), True)


# ---------------------------------------------------------------- at a server


def client(*behaviours, **more):
    hostile = hostility(*behaviours, **more)
    hostile.targets = (9,)
    return ClientAdversary(hostile, 9, Participation(1, (1, ME), 2), 5.0)


def answer(peer, round_):
    peer.on(Received(Envelope(9, ME, round_, 100, f"told {round_}")), 0)
    crafts = done(peer, "answer", f"mine {round_}")
    return crafts, done(peer, "craft", f"crafted {round_}") if len(crafts) > 1 else crafts


def test_a_client_is_late_and_takes_the_next_instruction_meanwhile():
    peer = client(Late(after_s=2.0), Replay(age=1))
    assert answer(peer, 1)[1][-1] == SetTimer(2 * 10**9, ("held", 1))
    assert answer(peer, 2)[1][-1] == SetTimer(2 * 10**9, ("held", 2))
    assert list(peer.on(TimerFired(("held", 1)), 0)) == [Send(9, 1, "crafted 1")]
    assert list(peer.on(TimerFired(("held", 2)), 0)) == [Send(9, 2, "crafted 1")]


def test_a_client_that_was_left_answers_as_others_do():
    peer = client(turns=[(2, Change("move_adversary", (ME, 1)))])
    crafts, _ = answer(peer, 1)
    assert crafts[-1].kind == "craft"
    assert answer(peer, 2)[0] == [Send(9, 2, "mine 2")]


def test_a_client_whose_server_has_ended_keeps_its_late_message_to_its_time():
    peer = client(Late(after_s=2.0))
    answer(peer, 1)
    assert not peer.on(Gone(9), 0)
    assert list(peer.on(TimerFired(("held", 1)), 0)) == [Send(9, 1, "crafted 1"), Finished()]
