"""A run ends with its budget, by hand: what is sent by then, and what peers do to conclude."""

import networkx as nx
import pytest

from actors.budget import Budget
from actors.protocols.adversary import RoundsAdversary
from actors.protocols.events import (
    BudgetSpent,
    Conclude,
    Evaluate,
    Note,
    Returned,
    Started,
    WorkDone,
)
from actors.protocols.hostility import Hostility
from actors.protocols.participation import Participation
from actors.protocols.rounds import Rounds, RoundsPeer
from actors.protocols.server import ClientPeer, ServerPeer
from graphs.links import Constant, Network

S, MS = 10**9, 10**6
PAIR = nx.path_graph(2)
# Two peers that train for 1 s; a message of 1000 bytes takes 12 ms: a round takes 1.012 s.
SLOW = Network(latency=Constant(ms=10), bandwidth_mbps=8)


def concluded(run):
    return [(peer, task.round) for peer, task, _ in run.executor.submitted if "conc" in task.kind]


def notes(run, event):
    return [(t, peer, round_) for t, peer, what, round_, _ in run.tape.notes if what == event]


@pytest.mark.parametrize("wrong", [
    {}, {"bytes": 0.0}, {"bytes": float("inf")}, {"virtual_s": -1.0}, {"virtual_s": float("nan")},
])  # fmt: skip
def test_a_budget_is_of_something(wrong):
    with pytest.raises(ValueError, match=r"bytes|virtual_s"):
        Budget(**wrong)


def test_bytes_that_suffice_for_two_rounds_and_a_half(emulation):
    run = emulation(PAIR, SLOW, rounds=9, budget=Budget(bytes=5999)).run()
    assert run.engine.spent == "bytes"
    # Five messages of 1000: two in each of two rounds, and that of peer 0 in the third.
    assert run.engine.sent_bytes == 5000
    assert [run.engine.counts[edge].sent for edge in [(0, 1), (1, 0)]] == [3, 2]
    at_ns = 2 * 1012 * MS + S
    assert run.engine.now_ns == at_ns
    assert notes(run, "budget_spent") == [(at_ns, 0, 2), (at_ns, 1, 2)]
    assert concluded(run) == [(0, 2), (1, 2)]
    assert run.tape.evaluations[-2:] == [
        (at_ns, 0, 2, "evaluate 0@2"),
        (at_ns, 1, 2, "evaluate 1@2"),
    ]
    assert run.tape.sent_bytes == [2000, 2000, 4000, 4000, 5000, 5000]


def test_the_last_byte_may_be_spent(emulation):
    run = emulation(PAIR, SLOW, rounds=2, budget=Budget(bytes=4000)).run()
    assert run.engine.spent is None
    assert run.engine.sent_bytes == 4000
    assert concluded(run) == []


def test_a_lost_message_counts(emulation):
    network = Network(latency=Constant(ms=10), drop=1)
    run = emulation(PAIR, network, rounds=9, budget=Budget(bytes=3000)).run()
    assert [run.engine.counts[edge].dropped for edge in [(0, 1), (1, 0)]] == [2, 1]


@pytest.mark.parametrize(("virtual_s", "done"), [(2.023, 1), (2.024, 2), (2.5, 2)])
def test_what_happens_at_the_last_moment_still_does(emulation, virtual_s, done):
    run = emulation(PAIR, SLOW, rounds=9, budget=Budget(virtual_s=virtual_s)).run()
    assert run.engine.spent == "virtual_s"
    assert run.engine.now_ns == round(virtual_s * 1e9)
    assert concluded(run) == [(0, done), (1, done)]
    assert max(now_ns for now_ns, _, _ in run.log) == run.engine.now_ns


def test_the_first_of_two_ends_it(emulation):
    both = Budget(bytes=5999, virtual_s=2.5)
    assert emulation(PAIR, SLOW, rounds=9, budget=both).run().engine.spent == "virtual_s"
    both = Budget(bytes=3999, virtual_s=2.5)
    assert emulation(PAIR, SLOW, rounds=9, budget=both).run().engine.spent == "bytes"


def test_a_run_with_enough_is_the_run_without_a_budget(emulation):
    plain = emulation(PAIR, SLOW, rounds=3).run()
    rich = emulation(PAIR, SLOW, rounds=3, budget=Budget(bytes=1e12, virtual_s=61)).run()
    assert rich.engine.spent is None  # its unused timeouts are behind the budget's end
    assert rich.log == plain.log
    assert vars(rich.tape) == vars(plain.tape)


def test_a_budget_that_cuts_off_late_messages_alone_was_not_spent(emulation):
    """Both peers give up waiting at 1.5 s and are done; their messages arrive at 11 s."""
    late = Network(latency=Constant(ms=10_000))
    how = Rounds(timeout_s=0.5)
    run = emulation(PAIR, late, settings=how, budget=Budget(virtual_s=5)).run()
    assert run.engine.spent is None
    assert run.engine.now_ns == 1500 * MS
    assert concluded(run) == []
    assert len(run.tape.merges) == 2
    assert run.engine.counts[0, 1].in_flight == 1


def test_nothing_happens_after_the_end(emulation):
    run = emulation(PAIR, SLOW, rounds=9, budget=Budget(virtual_s=1.5)).run()
    events = len(run.log)
    assert run.engine.run()
    assert len(run.log) == events
    assert [type(event) for _, _, event in run.log[-2:]] == [BudgetSpent, BudgetSpent]


def test_who_has_finished_all_rounds_concludes_nothing(emulation):
    hasty = RoundsPeer((1,), (1,), 1, Rounds())
    others = RoundsPeer((0,), (0,), 9, Rounds())
    protocols = [hasty, others]
    run = emulation(PAIR, SLOW, protocols=protocols, budget=Budget(virtual_s=3.5)).run()
    assert concluded(run) == [(1, 3)]


# ---------------------------------------------------------------- what each machine does


def test_a_peer_goes_back_to_its_last_round():
    peer = RoundsPeer((1,), (1,), 5, Rounds())
    peer.on(Started(), 0)
    assert peer.on(BudgetSpent(), 7) == [Note("budget_spent", 0), Conclude(0), Evaluate(0)]
    silent = RoundsPeer((1,), (1,), 5, Rounds(), evaluate_every=0)
    silent.on(Started(), 0)
    assert silent.on(BudgetSpent(), 7) == [Note("budget_spent", 0), Conclude(0)]


@pytest.mark.parametrize(("anew", "done"), [(False, 1), (True, 0)])
def test_rounds_that_a_peer_left_out_are_not_its_last(anew, done):
    peer = RoundsPeer((1,), (1,), 9, Rounds())
    peer.on(Started(), 0)
    peer.on(WorkDone("train", 1, ("x",), None), 1)
    peer.on(Returned(5, anew), 2)  # it was away while others went on to round 5
    if not anew:
        peer.on(WorkDone("merge", 1, (), None), 3)
    assert peer.round == 5
    assert peer.on(BudgetSpent(), 7) == [Note("budget_spent", done), Conclude(done), Evaluate(done)]


def test_an_adversary_that_could_craft_does_not():
    adversary = RoundsAdversary(Hostility(me=0), (1,), (1,), 5, Rounds(), watches=(2,))
    adversary.on(Started(), 0)
    adversary.on(WorkDone("train", 1, ("x",), None), 5)
    effects = adversary.on(BudgetSpent(), 7)
    assert effects == [Note("budget_spent", 0), Conclude(0), Evaluate(0)]


def test_a_server_concludes_for_its_clients():
    server = ServerPeer(Participation(1, (0, 1), 2), 5, Rounds())
    server.on(Started(), 0)
    server.on(WorkDone("instruct", 1, ("model",), None), 0)
    assert server.on(BudgetSpent(), 7) == [Note("budget_spent", 0), Conclude(0), Evaluate(0)]
    assert ClientPeer(2).on(BudgetSpent(), 7) == ()
