"""A server and its clients, driven by hand: no engine, no links, no clock."""

import pytest

from actors.protocols.events import (
    Count,
    Envelope,
    Evaluate,
    Finished,
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
from actors.protocols.participation import Participation
from actors.protocols.rounds import Rounds
from actors.protocols.server import ClientAdversary, ClientPeer, ServerPeer

SERVER = 4
ALL = Participation(1, (0, 1, 2, 3), 4)
TWO = Participation(1, (0, 1, 2, 3), 2)


def server(participation=ALL, rounds=2, late="drop", **options):
    peer = ServerPeer(participation, rounds, Rounds(timeout_s=5, late=late), **options)
    peer.on(Started(), 0)
    return peer


def done(peer, kind, *handles, round_=None):
    return list(peer.on(WorkDone(kind, round_ or peer.round, handles, "summary"), 0))


def hear(peer, source, round_, me=SERVER):
    envelope = Envelope(source, me, round_, 100, f"{source}@{round_}")
    return list(peer.on(Received(envelope), 0))


def merged(*parcels, round_=1):
    came = tuple(Parcel(source, claim, f"{source}@{claim}") for source, claim in parcels)
    return Work("merge", round_, came)


# ---------------------------------------------------------------- participation


def test_everybody_takes_part_unless_fewer_are_asked_for():
    assert [ALL.of(r) for r in (1, 2, 3)] == [(0, 1, 2, 3)] * 3


def test_participants_are_drawn_anew_each_round_and_by_the_seed_alone():
    rounds = [TWO.of(r) for r in range(1, 60)]
    assert rounds == [Participation(1, (0, 1, 2, 3), 2).of(r) for r in range(1, 60)]
    assert rounds != [Participation(2, (0, 1, 2, 3), 2).of(r) for r in range(1, 60)]
    assert all(len(chosen) == 2 and list(chosen) == sorted(chosen) for chosen in rounds)
    counts = [sum(k in chosen for chosen in rounds) for k in range(4)]
    assert min(counts) > 15  # 29.5 expected, with a standard deviation of 3.8


# ---------------------------------------------------------------- the server


def test_a_round_of_the_server_from_its_start_to_the_next():
    peer = ServerPeer(ALL, 2, Rounds(timeout_s=5))
    start = Note("round_start", 1, {"participants": [0, 1, 2, 3]})
    assert peer.on(Started(), 0) == [start, Work("instruct", 1, clients=(0, 1, 2, 3))]
    assert done(peer, "instruct", "model") == [
        *(Send(client, 1, "model") for client in range(4)),
        SetTimer(5 * 10**9, ("round", 1)),
    ]
    for client in (2, 0, 3):
        assert hear(peer, client, 1) == []
    assert hear(peer, 1, 1) == [merged((0, 1), (1, 1), (2, 1), (3, 1))]
    assert done(peer, "merge")[:2] == [Note("round_end", 1), Evaluate(1)]


def test_each_participant_can_be_told_something_of_its_own():
    peer = ServerPeer(ALL, 1, Rounds(timeout_s=5), individual=True)
    [_, work] = peer.on(Started(), 0)
    assert work.outputs == 4
    sent = done(peer, "instruct", "a", "b", "c", "d")[:4]
    assert [(e.destination, e.handle) for e in sent] == [(0, "a"), (1, "b"), (2, "c"), (3, "d")]


def test_it_tells_and_awaits_participants_only():
    peer = server(TWO)
    told = TWO.of(1)
    sent = [e for e in done(peer, "instruct", "model") if isinstance(e, Send)]
    assert tuple(e.destination for e in sent) == told
    assert hear(peer, told[0], 1) == []
    assert hear(peer, told[1], 1) == [merged(*((client, 1) for client in told))]


def test_a_client_that_does_not_answer_is_missing():
    peer = server()
    done(peer, "instruct", "model")
    for client in (0, 1, 3):
        hear(peer, client, 1)
    missing = Note("timeout", 1, {"missing": [2]})
    assert list(peer.on(TimerFired(("round", 1)), 0)) == [
        missing, merged((0, 1), (1, 1), (3, 1)),
    ]  # fmt: skip
    done(peer, "merge")
    assert hear(peer, 2, 1) == [Count(2, "late")]


def test_with_late_use_a_straggler_counts_in_the_next_round():
    peer = server(late="use")
    done(peer, "instruct", "model")
    for client in (0, 1, 3):
        hear(peer, client, 1)
    peer.on(TimerFired(("round", 1)), 0)
    done(peer, "merge")
    assert hear(peer, 2, 1) == []
    done(peer, "instruct", "model")
    for client in (0, 1, 3):
        hear(peer, client, 2)
    [_, merge] = peer.on(TimerFired(("round", 2)), 0)
    assert merge == merged((0, 2), (1, 2), (2, 1), (3, 2), round_=2)


def test_nobody_answers_and_the_round_goes_on():
    peer = server(rounds=1)
    done(peer, "instruct", "model")
    assert list(peer.on(TimerFired(("round", 1)), 0))[1] == merged()
    assert done(peer, "merge")[-1] == Finished()


def test_a_message_of_a_later_round_than_the_servers_is_kept_or_rejected():
    peer = server(rounds=9)
    done(peer, "instruct", "model")
    assert hear(peer, 0, 3) == []
    assert hear(peer, 0, 4) == [Count(0, "rejected")]
    assert hear(peer, 0, 0) == [Count(0, "rejected")]


# ---------------------------------------------------------------- a client


def answer(round_):
    return Work("answer", round_, (Parcel(SERVER, round_, f"{SERVER}@{round_}"),))


def told(peer, round_):
    return hear(peer, SERVER, round_, me=2)


def test_a_client_trains_when_it_is_told_to_and_answers():
    peer = ClientPeer(SERVER)
    assert not peer.on(Started(), 0)
    assert told(peer, 1) == [Count(SERVER, "accepted"), answer(1)]
    assert done(peer, "answer", "mine") == [Send(SERVER, 1, "mine")]
    assert told(peer, 5) == [Count(SERVER, "accepted"), answer(5)]


def test_told_again_while_it_trains_it_goes_on_with_the_newest():
    peer = ClientPeer(SERVER)
    told(peer, 1)
    assert told(peer, 2) == []
    assert told(peer, 3) == [Count(SERVER, "late")]  # in place of that of round 2
    assert done(peer, "answer", "mine") == [
        Send(SERVER, 1, "mine"), Count(SERVER, "accepted"), answer(3),
    ]  # fmt: skip


@pytest.mark.parametrize("round_", [0, 1, 2])
def test_an_instruction_that_is_older_than_the_newest_is_late(round_):
    peer = ClientPeer(SERVER)
    told(peer, 2)
    assert told(peer, round_) == [Count(SERVER, "late")]


def test_a_client_follows_nobody_but_its_server():
    peer = ClientPeer(SERVER)
    assert hear(peer, 3, 1, me=2) == [Count(3, "rejected")]


def test_when_the_server_has_ended_so_has_its_client():
    assert ClientPeer(SERVER).on(Gone(SERVER), 0) == (Finished(),)


# ---------------------------------------------------------------- a hostile one


def hostile(participation=ALL, watches=(0, 1, 2, 3)):
    return ClientAdversary(Hostility(me=2), SERVER, participation, 5.0, watches)


def crafts(*seen):
    return Work("craft", 1, seen, stance="hostile", members=(2,))


def observe(peer, other, round_=1):
    return list(peer.on(Observed(other, round_, f"trained {other}@{round_}"), 0))


def test_it_crafts_when_all_that_it_may_see_have_trained():
    peer = hostile()
    told(peer, 1)
    observe(peer, 0)
    assert done(peer, "answer", "mine") == [SetTimer(5 * 10**9, ("craft", 1))]
    assert observe(peer, 3) == []
    [craft] = observe(peer, 1)
    seen = [(0, "trained 0@1"), (1, "trained 1@1"), (2, "mine"), (3, "trained 3@1")]
    assert craft == crafts(*(Parcel(k, 1, handle) for k, handle in seen))
    assert done(peer, "craft", "crafted") == [Send(SERVER, 1, "crafted")]


def test_it_waits_for_participants_only():
    participation = Participation(1, (0, 1, 2, 3), 2)
    round_ = next(r for r in range(1, 50) if 2 in participation.of(r))
    peer = hostile(participation)
    told(peer, round_)
    done(peer, "answer", "mine")
    [other] = set(participation.of(round_)) - {2}
    [craft] = observe(peer, other, round_)
    assert [parcel.sender for parcel in craft.inputs] == sorted((2, other))


def test_at_its_timeout_it_crafts_from_what_it_has_seen():
    peer = hostile()
    told(peer, 1)
    done(peer, "answer", "mine")
    observe(peer, 3)
    note, craft = peer.on(TimerFired(("craft", 1)), 0)
    assert note == Note("craft_timeout", 1)
    assert [parcel.sender for parcel in craft.inputs] == [2, 3]
    assert not peer.on(TimerFired(("craft", 1)), 0)
    assert observe(peer, 0) == []


def test_local_knowledge_crafts_at_once():
    peer = hostile(watches=())
    told(peer, 1)
    assert done(peer, "answer", "mine")[1] == crafts(Parcel(2, 1, "mine"))
