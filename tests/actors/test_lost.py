"""What becomes of a merge, and of a run, when a process died: by hand, without one."""

import networkx as nx
import pytest

from actors.executor import Task
from actors.lost import Lost, without_lost
from actors.protocols.adversary import RoundsAdversary
from actors.protocols.events import Gone, Started, Work, WorkDone
from actors.protocols.hostility import Hostility
from actors.protocols.participation import Participation
from actors.protocols.rounds import Rounds, RoundsPeer
from actors.protocols.server import ClientAdversary
from graphs.links import Constant, Network

S, MS = 10**9, 10**6
MERGE = Task("merge", 3, (1, 4, 5), (3, 2, 3))


@pytest.mark.parametrize(("inputs", "senders", "rest", "missing"), [
    (["a", "b", "c"], (1, 4, 5), ["a", "b", "c"], ()),
    (["a", Lost(), "c"], (1, 5), ["a", "c"], (4,)),
    ([Lost()] * 3, (), [], (1, 4, 5)),
    # Prepared: one for each message, and of the own one.
    (["a", "b", "c", "A", "B", "C", "own"], (1, 4, 5), ["a", "b", "c", "A", "B", "C", "own"], ()),
    (["a", Lost(), "c", "A", Lost(), "C", "own"], (1, 5), ["a", "c", "A", "C", "own"], (4,)),
    (["a", "b", "c", "A", Lost(), "C", "own"], (1, 4, 5), ["a", "b", "c"], ()),
    (["a", "b", "c", "A", "B", "C", Lost()], (1, 4, 5), ["a", "b", "c"], ()),
])  # fmt: skip
def test_a_merge_goes_without_what_was_lost(inputs, senders, rest, missing):
    task, kept, whose = without_lost(MERGE, inputs)
    assert (task.senders, list(kept), whose) == (senders, rest, missing)
    assert len(task.claimed) == len(senders)
    assert set(zip(task.senders, task.claimed, strict=True)) <= {(1, 3), (4, 2), (5, 3)}
    assert (task.kind, task.round) == ("merge", 3)


def test_nobody_waits_for_a_peer_that_is_lost(emulation):
    """It has trained in the third round and is lost before it sends; the others go on at once."""
    slow = Network(latency=Constant(ms=10))
    run = emulation(nx.complete_graph(3), slow, rounds=5, settings=Rounds(timeout_s=60))
    assert not run.engine.run(lambda: run.engine.now_ns >= 2 * 1010 * MS)
    run.engine.lose(2)
    run.engine.lose(2)  # harmless
    before = len(run.log)
    run.run()
    assert [event for _, peer, event in run.log[before:] if peer == 2] == []
    assert (
        sorted(now_ns for now_ns, peer, round_, _ in run.tape.merges if round_ == 5)
        == [5 * 1010 * MS] * 2
    )
    assert not [note for note in run.tape.notes if note[2] == "timeout"]
    assert [gone.peer for _, _, gone in run.events(Gone)][:2] == [2, 2]
    # What was on its way to it arrives, and nobody merges it.
    for source in (0, 1):
        counts = run.engine.counts[source, 2]
        assert counts.sent == counts.arrived


def test_an_adversary_that_is_no_neighbour_learns_of_it_too(emulation):
    """0 - 1 - 2: adversary 2 watches 0, which it does not hear, and crafts without it."""
    adversary = RoundsAdversary(
        Hostility(me=2), (1,), (1,), 3, Rounds(timeout_s=60), watches=(0, 1, 2)
    )
    run = emulation(
        nx.path_graph(3),
        protocols=[
            RoundsPeer((1,), (1,), 3, Rounds()),
            RoundsPeer((0, 2), (0, 2), 3, Rounds()),
            adversary,
        ],
        watchers={0: [2], 1: [2]},
    )
    assert not run.engine.run(lambda: run.engine.now_ns >= S)
    run.engine.lose(0)
    run.run()
    assert not [note for note in run.tape.notes if "timeout" in note[2]]
    crafts = [task.senders for _, task, _ in run.executor.submitted if task.kind == "craft"]
    assert crafts[1:] == [(1, 2), (1, 2)]


def test_a_hostile_client_waits_for_no_client_that_is_lost():
    client = ClientAdversary(Hostility(me=0), 9, Participation(1, (0, 1), 2), 60.0, watches=(0, 1))
    client.on(Started(), 0)
    client.on(WorkDone("answer", 0, ("mine",), None), 0)
    [craft] = client.on(Gone(1), 5)
    assert isinstance(craft, Work)
    assert [parcel.sender for parcel in craft.inputs] == [0]
