"""How far a neighbour comes towards a peer, of what it would if it did nothing but mix."""

from math import isnan

import networkx as nx
import pytest
import torch

from p2pfl.defenses import Gpd, LocalOnly
from p2pfl.defenses.gpd_detectors import Consistency
from p2pfl.defenses.gpd_record import Edge

WIRES = ("model", "cumulative", "gradient")
DEAF_ALONE = Consistency(tau_first=9, tau=9, gap=1e9, shrunk=0, opposed=-1, displaced=None)
NO_GUARD = 1e12
"""Else one who never trains takes any step for too long."""


def wandering(peer, start, round_):
    """Only peer 0 trains, and every round elsewhere."""
    rng = torch.Generator().manual_seed(round_)
    return torch.randn(3, generator=rng) if peer == 0 else torch.zeros(3)


def leading(federation, window, **others):
    """Peer 0 goes by -1 in each round, peer 1 only half of the way between them, as 0 does too: so
    0 is ahead by 1 whenever they speak, from round 2 on."""
    gpd = Gpd(first_window=window, guard=NO_GUARD, detector=Consistency(deaf=None))
    path = nx.path_graph(2)
    return federation(
        gpd, path, p=1, gradient=lambda p, start, r: torch.full((1,), float(p == 0)), **others
    )


def pair(federation, defense, **others):
    return federation(defense, graph=nx.path_graph(2), p=3, gradient=wandering, **others)


def answer(run, peer=0, rounds=11):
    run.run(rounds)
    return run.merges[peer].details["answer"][0]


@pytest.mark.parametrize("wire", WIRES)
def test_who_does_nothing_but_mix_gives_the_whole_answer(federation, wire):
    run = pair(federation, Gpd(wire=wire, guard=NO_GUARD))
    assert answer(run) == pytest.approx(1, abs=1e-5)


@pytest.mark.parametrize("wire", WIRES)
def test_who_stays_in_its_place_gives_none(federation, wire):
    deaf = {"hostile": (1,), "follows": LocalOnly(), "lie": lambda f, s, t: f.starts[s]}
    run = pair(federation, Gpd(wire=wire), **deaf)
    assert answer(run) == 0
    assert run.excluded(0) == {1}


def test_by_hand(federation):
    run = leading(federation, window=2).run(3)
    assert run.merges[0].details["answer"] == [1.0]
    # To peer 1 the other owes 1/2 and goes 1 - 1/2 the other way.
    assert run.merges[1].details["answer"] == [-1.0]


def test_who_goes_its_own_way_persists_and_who_mixes_takes_its_steps_back(federation):
    """Two peers on their own noise: the mix takes back half of what came between them."""

    def persistence(**deaf):
        run = federation(
            Gpd(first_window=40, guard=NO_GUARD, detector=Consistency(deaf=None)),
            nx.path_graph(2), p=400, noise=1.0, lr=1.0, spread=0.0, gradient=noise, **deaf,
        ).run(41)  # fmt: skip
        return run.merges[0].details["persistence"][0]

    def noise(peer, start, round_):
        return torch.randn(400, generator=torch.Generator().manual_seed(1000 * round_ + peer))

    mixing = persistence()
    deaf = persistence(hostile=(1,), follows=LocalOnly(), lie=lambda f, s, t: f.starts[s])
    assert mixing == pytest.approx(0, abs=0.03)
    # With noise of length 1 the square of the distance d is 8/3: who mixes goes by d/2 and noise,
    # 5/3 squared, and next by d/4 less half of that noise, so that its cosine is -1/10.
    assert deaf == pytest.approx(0.1, abs=0.03)


def test_one_mix_is_owed_however_long_the_neighbour_was_silent(federation):
    # What 1 says in round 3 is lost: by round 4 it came 1/2 + 1/2 of the way of round 2.
    run = leading(federation, window=3, lost=lambda s, t, r: s == 1 and r == 3).run(4)
    assert run.merges[0].details["answer"] == [2.0]


def test_what_is_owed_is_the_weight_of_the_mix_that_the_step_came_from():
    after = Edge(weight=0.25, owes=0.5).answered(came=0.6, apart=0.8)  # the graph has changed since
    assert after == pytest.approx((0.6, 0.4))
    for nothing in (Edge(weight=0.5), Edge(weight=0.5, owes=0.5, excluded=True)):
        assert nothing.answered(came=0.6, apart=0.8) == (0, 0)


def test_a_new_window_begins_with_nothing(federation):
    run = pair(federation, Gpd())
    run.run(11)
    edge = run.states[0].record.edges[1]
    assert (edge.came, edge.owed) == (0, 0)


def test_who_is_cut_off_cannot_be_asked(federation):
    deaf = {"hostile": (1,), "follows": LocalOnly(), "lie": lambda f, s, t: f.starts[s]}
    run = pair(federation, Gpd(), **deaf)
    run.run(11 + 50)  # the second check
    assert not isnan(run.merges[0].details["chi"][0])
    assert isnan(run.merges[0].details["answer"][0])


def test_nobody_is_asked_where_models_are_not_mixed(federation):
    run = pair(federation, Gpd(wire="own_gradient", detector=DEAF_ALONE))
    assert isnan(answer(run, rounds=10))


def without_mixing(federation, defense, **others):
    """Twelve peers on a ring, unlike data, of whom 0 and 5 send what they learn alone."""
    return federation(
        defense, graph=nx.cycle_graph(12), p=400, noise=3.0, hostile=(0, 5),
        **{"follows": LocalOnly(), "lie": lambda f, sender, target: f.starts[sender], **others},
    )  # fmt: skip


def test_on_a_ring_with_unlike_data_only_the_answer_tells(federation):
    run = without_mixing(federation, Gpd()).run(11)
    assert not run.missed()
    assert not run.wrongly()
    blind = without_mixing(federation, Gpd(detector=Consistency(deaf=None))).run(11)
    assert blind.missed()
    honest = federation(Gpd(detector=DEAF_ALONE), graph=nx.cycle_graph(12), p=400, noise=3.0).run(
        161
    )
    assert not honest.wrongly()


@pytest.mark.parametrize("tells", [lambda r: r % 2 == 0, lambda r: r in (10, 11)])
def test_a_notice_now_and_then_saves_nobody(federation, tells):
    class Notices(LocalOnly):
        def attach(self, state):
            return {f"excludes:{peer}": 1.0 for peer in range(12)} if tells(run.round) else {}

    run = without_mixing(federation, Gpd(detector=DEAF_ALONE), follows=Notices())
    run.run(11)
    assert not run.missed()
    assert not run.wrongly()


def test_one_round_in_which_it_comes_back_from_afar_saves_nobody(federation):
    def lie(run, sender, target):
        away = run.starts[sender] - run.starts[target]
        return run.starts[sender] + away * (run.round == 6)

    run = without_mixing(federation, Gpd(detector=DEAF_ALONE), lie=lie).run(11)
    assert not run.missed()


def ring(federation, **others):
    graph, defense = nx.cycle_graph(12), Gpd(gain=0.5, detector=DEAF_ALONE)
    return federation(defense, graph=graph, p=400, noise=3.0, **others)


def test_who_loses_messages_is_not_taken_for_deaf(federation):
    def lost(sender, target, round_):
        rng = torch.Generator().manual_seed(10_000 * round_ + 100 * sender + target)
        return float(torch.rand(1, generator=rng)) < 0.4

    run = ring(federation, lost=lost)
    for _ in range(161):
        run.step()
        assert not run.wrongly()


def test_whose_messages_are_late_is_not_asked(federation):
    # It moves towards where the others were.
    run = ring(federation, late=lambda sender, target, round_: 2).run(161)
    assert not run.wrongly()
    mixed = ring(federation, late=lambda sender, target, round_: 2 * (sender == 3)).run(11)
    assert [isnan(x) for x in mixed.merges[4].details["answer"]] == [True, False]
    assert not mixed.wrongly()
