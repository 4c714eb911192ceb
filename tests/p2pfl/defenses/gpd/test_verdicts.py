"""Whom GPD excludes."""

import networkx as nx
import pytest
import torch

from p2pfl.defenses import Gpd, LocalOnly
from p2pfl.defenses.gpd_detectors import Consistency, Nobody, Oracle


def graph_of(peers, degree):
    return nx.random_regular_graph(degree, peers, seed=1)


@pytest.mark.parametrize("spread", [0.0, 1.0])
def test_without_attack_nobody_is_flagged(federation, spread):
    run = federation(Gpd(), graph=graph_of(20, 6), p=400, spread=spread, noise=1.0)
    for _ in range(160):
        run.step()
        assert not run.wrongly()


def test_a_constant_bias_is_found_at_the_first_check(federation):
    hostile = (0, 5)
    run = federation(
        Gpd(), graph=graph_of(12, 6), p=400, noise=1.0, hostile=hostile,
        follows=LocalOnly(), lie=lambda f, sender, target: f.starts[sender],
    )  # fmt: skip
    honest = run.gradient
    # They go their own way, each step by the same vector.
    run.gradient = lambda p, start, r: (
        torch.full((400,), 0.05) if p in hostile else honest(p, start, r)
    )
    run.run(11)
    found = [
        (sender in hostile, value)
        for peer in run.benign
        for sender, value in zip(
            sorted(run.graph[peer]), run.merges[peer].details["chi"], strict=True
        )
    ]
    bad, good = ([value for is_bad, value in found if is_bad == of] for of in (True, False))
    assert min(bad) > 2 * max(good)
    assert not run.missed()
    assert not run.wrongly()
    run.run(30)
    mean, wanted = run.aggregated(run.benign) / 10, run.local(run.benign) / 10
    assert float((mean - wanted).abs().max()) < 1e-5
    found = torch.stack([run.models[p] for p in run.benign]).mean(dim=0)
    target = torch.stack([run.targets[p] for p in run.benign]).mean(dim=0)
    assert float((found - target).abs().mean()) < 0.15


def test_a_dominated_neighbourhood(federation):
    # 12 of 20 walk to a target of their own.
    hostile = tuple(range(12))
    graph = graph_of(20, 10)
    assert any(len(set(graph[p]) & set(hostile)) > 5 for p in range(12, 20))
    others = {"graph": graph, "p": 400, "noise": 1.0, "spread": 0.3}
    run = federation(
        Gpd(), hostile=hostile, follows=LocalOnly(), lie=lambda f, s, t: f.starts[s], **others
    )
    run.targets[:12] = -2
    run.run(160)
    upper = federation(
        Gpd(first_window=1, detector=Oracle(adversaries=hostile)), hostile=hostile, **others
    ).run(160)
    assert not run.missed()
    assert not run.wrongly()
    target = run.targets[12:].mean(dim=0)
    far, near = (max(float((f.models[p] - target).norm()) for p in f.benign) for f in (run, upper))
    assert far < 1.1 * near


def test_who_mixes_well_and_trains_on_poisoned_data_is_found_by_its_pull(federation):
    hostile = (0, 5)
    others = {"graph": graph_of(12, 6), "p": 400, "noise": 3.0, "spread": 0.1, "hostile": hostile}
    seen, blind = (
        federation(Gpd(detector=detector), **others)
        for detector in (Consistency(), Consistency(displaced=None))
    )
    for run in (seen, blind):
        run.targets[list(hostile)] = -2
        run.run(11)
        assert not run.wrongly()
    assert not seen.missed()
    assert blind.missed()


def test_a_monstrous_message_is_refused_at_once(federation):
    def lie(f, sender, target):
        return f.starts[sender] + (1e6 if f.round == 4 else 0.0)

    run = federation(Gpd(), hostile=(0,), lie=lie).run(3)
    assert not any(run.excluded(p) for p in run.benign)
    peer = next(iter(run.graph[0]))
    before = run.states[peer].record.sums_of([0])
    run.step()
    assert run.merges[peer].notes["check"] == 0
    assert not run.missed()
    assert not run.wrongly()
    assert (run.states[peer].record.sums_of([0]) == before).all()
    assert float(run.models[peer].abs().max()) < 10


@pytest.mark.parametrize("since", [1, 4])
def test_who_sends_what_is_no_model_is_excluded_at_once(federation, since):
    def lie(f, sender, target):
        return f.starts[sender] + (torch.inf if f.round >= since else 3.0)

    run = federation(Gpd(), hostile=(0,), lie=lie).run(since)
    assert not run.missed()
    assert not run.wrongly()
    # Not even what it sent before flows on.
    assert float((run.aggregated(run.benign) - run.local(run.benign)).abs().max()) < 1e-5


def test_in_the_first_round_all_are_where_all_began(federation):
    run = federation(Gpd(guard=10.0), hostile=(0,), lie=lambda f, s, t: f.initial + 100.0).run(1)
    assert not run.missed()
    assert not run.wrongly()


def test_trusting_heeds_neither_guard_nor_notice(federation):
    accuse = Gpd(first_window=1, detector=Oracle(adversaries=(2,)))
    run = federation(
        Gpd(detector=Nobody()), graph=nx.complete_graph(3), special={1: accuse}, hostile=(0,),
        lie=lambda f, sender, target: f.starts[sender] + 1e6,
    ).run(3)  # fmt: skip
    assert run.excluded(1) >= {2}
    merge = run.merges[2]
    assert merge.flagged is None
    assert merge.influence.tolist() == pytest.approx([1 / 3, 1 / 3])
    assert merge.details == {}
