"""What GPD takes back from the excluded, and whom it readmits."""

from dataclasses import dataclass, replace

import networkx as nx
import pytest
import torch

from p2pfl.defenses import Gpd
from p2pfl.defenses.gpd_detectors import Judge, Nobody, Oracle


@dataclass(frozen=True)
class Once(Judge):
    """Suspects one neighbour at the first check, and clears everybody at all others."""

    whom: int

    def suspects(self, evidence):
        return {self.whom} & set(evidence.senders) if evidence.first else set()

    def clears(self, excluded, live):
        return set(excluded.senders)


def drifting(federation, sender, target):
    """Whoever listens is dragged along, a little farther in each round."""
    return federation.starts[target] + 0.05 * federation.round


def graph_of(peers, degree):
    return nx.random_regular_graph(degree, peers, seed=1)


def test_all_excluded_trains_alone(federation):
    defense = Gpd(first_window=1, detector=Oracle(adversaries=tuple(range(10))))
    run = federation(defense).run(3)
    for peer in run.peers:
        assert torch.equal(run.models[peer], run.trained[peer])
        assert run.merges[peer].notes["live"] == 0


def errors(federation, lie, rounds=60, **settings):
    oracle = Oracle(adversaries=(0, 5))
    run = federation(
        Gpd(first_window=20, detector=oracle, **settings), graph=graph_of(12, 6), hostile=(0, 5),
        lie=lie, p=50,
    ).run(rounds)  # fmt: skip
    target = torch.stack([run.targets[p] for p in run.benign]).mean(dim=0)
    return float((torch.stack([run.models[p] for p in run.benign]).mean(dim=0) - target).norm())


def test_purify_beats_freeze(federation):
    assert errors(federation, drifting) < 0.2 * errors(federation, drifting, mitigation="freeze")


def test_rollback_takes_all_inflow_out_of_the_model(federation):
    spared, rolled = (
        federation(
            Gpd(first_window=4, detector=Oracle(adversaries=(0,)), mitigation=mitigation),
            hostile=(0,),
            lie=drifting,
        )
        for mitigation in ("purify", "rollback")
    )
    peer = next(iter(spared.graph[0]))
    inflow = torch.zeros(6)
    for run in (spared, rolled):
        run.run(4)
    for round_ in range(1, 5):  # from all rounds before the check in the fifth
        inflow += spared.weight(peer, 0) * 0.05 * round_
    spared.step()
    rolled.step()
    assert (spared.models[peer] - rolled.models[peer]).tolist() == pytest.approx(inflow.tolist())
    spared.step()
    rolled.step()
    assert 0 not in rolled.states[peer].kept.inflows


def test_rollback_waits_for_no_message(federation):
    """Whose edge is dead in the round of the verdict, as it sends notices, is rolled back too."""
    peer = 1

    class Leaving(Gpd):
        def attach(self, state):
            after_four = state is not None and max(state.record.own) == 4
            return {f"excludes:{peer}": 1.0} if after_four else {}

    settings = {"detector": Oracle(adversaries=(0,)), "mitigation": "rollback"}
    run = federation(
        Gpd(first_window=4, **settings), nx.complete_graph(4), hostile=(0,), lie=drifting,
        follows=Leaving(detector=Nobody()),
    ).run(4)  # fmt: skip
    inflow = run.states[peer].kept.inflows[0]
    run.step()
    assert run.merges[peer].details["live"] == [0.0, 1.0, 1.0]
    assert 0 not in run.states[peer].kept.inflows
    mixed = run.trained[peer] + sum(0.25 * (run.starts[j] - run.starts[peer]) for j in (2, 3))
    assert run.models[peer].tolist() == pytest.approx((mixed - inflow).tolist(), abs=1e-6)


def test_freeze_lets_the_last_inflow_go_on(federation):
    purified, frozen = (
        federation(
            Gpd(first_window=4, detector=Oracle(adversaries=(0,)), mitigation=mitigation),
            hostile=(0,),
            lie=drifting,
        ).run(5)
        for mitigation in ("purify", "freeze")
    )
    peer = next(iter(purified.graph[0]))
    inflow = purified.weight(peer, 0) * 0.05 * 5
    bias = frozen.models[peer] - purified.models[peer]
    assert bias.tolist() == pytest.approx([inflow] * 6, rel=1e-4)
    assert frozen.states[peer].kept.frozen[0].tolist() == pytest.approx([inflow] * 6, rel=1e-4)


def test_knowledge_that_only_attackers_had_outlives_the_purge_but_not_the_rollback(federation):
    # Three classes in a plane, softmax regression: nobody benign has class 2.
    centres = torch.tensor([[2.0, 0.0], [-2.0, 0.0], [0.0, 3.0]])

    def gradient(peer, start, round_):
        rng = torch.Generator().manual_seed(1000 * round_ + peer)
        labels = torch.full((16,), 2) if peer in (0, 5) else torch.arange(16) % 2
        inputs = torch.cat(
            [centres[labels] + 0.3 * torch.randn(16, 2, generator=rng), torch.ones(16, 1)], dim=1
        )
        logits = inputs @ start.view(3, 3).T
        wrong = logits.softmax(dim=1) - torch.eye(3)[labels]
        return 0.3 * (wrong.T @ inputs / 16).flatten()

    def accuracy(run):
        inputs = torch.cat([centres[2] + torch.zeros(1, 2), torch.ones(1, 1)], dim=1)
        hits = [int((inputs @ run.models[p].view(3, 3).T).argmax()) == 2 for p in run.benign]
        return sum(hits) / len(hits)

    found = {}
    for mitigation in ("purify", "rollback"):
        defense = Gpd(
            first_window=20,
            detector=Oracle(adversaries=(0, 5)),
            mitigation=mitigation,
            readmit="off",
        )
        run = federation(
            defense, graph=nx.complete_graph(6), p=9, hostile=(0, 5), gradient=gradient
        ).run(20)
        assert accuracy(run) == 1
        found[mitigation] = accuracy(run.run(1))
    assert found["purify"] > 0.5
    assert found["rollback"] == 0


def readmitting(federation, **settings):
    accuse = Gpd(first_window=4, pause=2, window=4, detector=Once(whom=2), **settings)
    trust = replace(accuse, detector=Oracle(adversaries=()))
    return federation(trust, graph=nx.complete_graph(4), special={1: accuse}, p=40)


def test_two_clean_checks_readmit_at_both_ends_in_the_same_round(federation):
    run = readmitting(federation).run(5)
    cut = [run.round for _ in range(13) if run.excluded(1) and not run.step()]
    assert cut == list(range(6, 18))  # checks in rounds 11 and 17
    assert run.merges[1].influence.tolist() == [0.25, 0.0, 0.25]
    run.step()
    assert run.merges[1].influence.tolist() == [0.25] * 3
    assert run.merges[2].influence.tolist() == [0.25] * 3
    assert run.states[1].record.edges[2].readmitted == 1


@pytest.mark.parametrize(("readmit", "restarts"), [("mix", False), ("anew", True)])
def test_what_flows_over_a_readmitted_edge(federation, readmit, restarts):
    run = readmitting(federation, readmit=readmit)
    run.run(17)
    apart = run.models[2] - run.models[1]
    starts = dict(run.models)
    run.step()
    others = sum(0.25 * (starts[j] - starts[1]) for j in (0, 3))
    inflow = run.models[1] - (run.trained[1] + others)
    wanted = torch.zeros(40) if restarts else 0.25 * apart
    assert inflow.tolist() == pytest.approx(wanted.tolist(), abs=1e-6)
    for _ in range(3):  # and the two ends agree on it
        sums = run.aggregated(run.peers) - run.local(run.peers)
        assert float(sums.abs().max()) < 1e-5
        run.step()


@pytest.mark.parametrize("settings", [{"readmit": "off"}, {"readmissions": 0}])
def test_without_readmission_the_excluded_stay_out(federation, settings):
    run = readmitting(federation, **settings).run(40)
    assert run.excluded(1) == {2}


def test_an_edge_is_readmitted_only_so_often(federation):
    class Always(Once):
        def suspects(self, evidence):
            return {self.whom} & set(evidence.senders)

    accuse = Gpd(first_window=2, pause=1, window=2, detector=Always(whom=1), readmissions=2)
    run = federation(accuse, graph=nx.path_graph(2), special={1: Gpd()}).run(60)
    edge = run.states[0].record.edges[1]
    assert (edge.excluded, edge.readmitted) == (True, 2)


def test_a_liar_can_cut_no_edge_but_its_own(federation):
    class Framing(Gpd):
        def attach(self, state):
            return {f"excludes:{peer}": 1.0 for peer in range(10)}

    run = federation(Gpd(), hostile=(0,), follows=Framing(detector=Nobody())).run(2)
    for peer in run.benign:
        edges = run.states[peer].record.edges
        assert [s for s, edge in edges.items() if edge.told] == [0] * (0 in run.graph[peer])
