"""Every defense against its contract. A defense without settings here fails the first test."""

from dataclasses import replace
from typing import get_args

import pytest
import torch

from p2pfl.defenses import (
    DEFENSES,
    Balance,
    Bridge,
    ClippedGossip,
    DflDetector,
    DflDual,
    DflTrust,
    FoolsGold,
    GossipAverage,
    Gpd,
    Ios,
    LocalOnly,
    RuleDefense,
    Ubar,
    WeightedMean,
)
from p2pfl.defenses.gpd_detectors import Cosine, Nobody, Oracle, Safeguard
from p2pfl.errors import TooFewNeighbours
from p2pfl.rules import Krum, Mean, Median, MultiKrum, TrimmedMean
from p2pfl.types import Kind

SETTINGS = {
    GossipAverage: (GossipAverage(),),
    LocalOnly: (LocalOnly(),),
    WeightedMean: (WeightedMean(),),
    Bridge: (
        Bridge(),
        Bridge(rule=TrimmedMean(f=1)),
        Bridge(rule=Krum(f=1)),
        Bridge(gradient_at="sent"),
    ),
    Ios: (Ios(b=0), Ios(b=2)),
    ClippedGossip: (ClippedGossip(), ClippedGossip(tau=0.5)),
    Balance: (Balance(rounds=10), Balance(rounds=10, gamma=3.0)),
    Ubar: (Ubar(rho=0.5),),
    DflTrust: (DflTrust(),),
    DflDetector: (DflDetector(), DflDetector(window=1)),
    FoolsGold: (FoolsGold(),),
    Gpd: (
        Gpd(),
        Gpd(first_window=1),
        *(Gpd(wire=wire) for wire in ("cumulative", "gradient", "own_gradient")),
        *(Gpd(first_window=1, detector=one) for one in (Cosine(), Safeguard(), Nobody())),
        *(
            Gpd(first_window=1, detector=Oracle(adversaries=(11, 13)), **others)
            for others in ({"mitigation": "freeze"}, {"mitigation": "rollback", "readmit": "anew"})
        ),
        Gpd(wire="own_gradient", first_window=1, detector=Oracle(adversaries=(11, 13))),
    ),
    DflDual: (
        DflDual(),
        DflDual(ref="receiver", samples_per_class=2, steps=2),
        DflDual(without="data_domain"),
        DflDual(without="trust", alpha=1.0, c1=100.0),
    ),
    RuleDefense: tuple(
        RuleDefense(rule=rule)
        for rule in (Mean(), Median(), TrimmedMean(f=1), Krum(f=1), MultiKrum(f=1))
    ),
}
every_defense = pytest.mark.parametrize(
    "defense", [defense for variant in DEFENSES for defense in SETTINGS.get(variant, ())], ids=str
)
D = 7


def models(m, seed=0):
    rows = torch.randn(m + 1, D, generator=torch.Generator().manual_seed(seed))
    return rows[0], rows[1:]


def test_every_defense_is_tested():
    assert set(SETTINGS) == set(DEFENSES)


@every_defense
@pytest.mark.parametrize("m", range(7))
def test_a_merge_is_a_model_and_shares_or_a_shortfall(defense, m, neighbourhood):
    view = neighbourhood(*models(m))
    try:
        merge, _ = defense.merge(view, defense.init(D))
    except TooFewNeighbours:
        assert m < 3
        return
    assert (merge.model.shape, merge.model.dtype) == ((D,), torch.float32)
    assert merge.model.isfinite().all()
    assert merge.influence.shape == (m,)
    assert ((merge.influence >= 0) & (merge.influence <= 1)).all()
    assert merge.influence.sum() <= 1 + 1e-5
    assert set(merge.flagged or ()) | set(merge.muted) <= set(view.senders)
    assert defense.mutes or not merge.muted


@every_defense
def test_it_is_pure(defense, neighbourhood):
    view = neighbourhood(*models(5))
    own, received = view.own.clone(), view.received.clone()
    first, _ = defense.merge(view, defense.init(D))
    again, _ = defense.merge(view, defense.init(D))
    assert torch.equal(first.model, again.model)
    assert torch.equal(first.influence, again.influence)
    assert torch.equal(view.own, own)
    assert torch.equal(view.received, received)


@every_defense
def test_peers_that_agree_stay_where_they_are(defense, neighbourhood):
    own, _ = models(0)
    view = neighbourhood(own, own.expand(5, -1))
    if defense.early:
        view = replace(view, start=own)
    sent = defense.encode(own, view.start, view.start, view.start)
    merge, _ = defense.merge(replace(view, received=sent.expand(5, -1)), defense.init(D))
    torch.testing.assert_close(merge.model, own, rtol=1e-6, atol=0)


@every_defense
def test_staleness_is_ignored(defense, neighbourhood):
    # Of GPD in its first round alone: later it compares with its own model of the message's round.
    fresh, _ = defense.merge(neighbourhood(*models(5)), defense.init(D))
    stale, _ = defense.merge(neighbourhood(*models(5), staleness=range(5)), defense.init(D))
    assert torch.equal(fresh.model, stale.model)


@every_defense
def test_neighbours_may_fall_silent_and_return(defense, neighbourhood):
    state = defense.init(D)
    for round_, m in enumerate((6, 6, 6, 4, 5, 6, 6)):
        view = neighbourhood(*models(m, seed=round_))
        merge, state = defense.merge(view, state)
        assert merge.model.isfinite().all()
        assert merge.influence.shape == (m,)


@every_defense
def test_huge_models_of_all_neighbours_are_borne(defense, neighbourhood):
    state = defense.init(D)
    for seed in range(4):
        own, received = models(5, seed)
        merge, state = defense.merge(neighbourhood(own, received.sign() * 3e38), state)
        assert merge.model.isfinite().all()
        assert merge.influence.isfinite().all()


@every_defense
def test_its_state_can_be_stored(defense, neighbourhood, stored):
    state, again = defense.init(D), stored(defense.init(D))
    for seed, m in enumerate((5, 3, 4)):  # two of them fall silent
        here, state = defense.merge(neighbourhood(*models(m, seed)), state)
        there, again = defense.merge(neighbourhood(*models(m, seed)), again)
        assert torch.equal(here.model, there.model)
        again = stored(state)


@every_defense
def test_it_says_what_its_peers_send(defense):
    assert defense.sends in get_args(Kind)
