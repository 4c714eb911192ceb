"""Every strategy against its contract. A strategy without settings here fails the first test."""

import pickle
from typing import get_args

import pytest
import torch

from p2pfl.errors import TooFewNeighbours
from p2pfl.rules import Clustering, Krum, Mean, Median, TrimmedMean
from p2pfl.strategies import (
    STRATEGIES,
    CenteredClip,
    Crfl,
    Desgd,
    FedAvg,
    FedGrad,
    Finetuning,
    Flame,
    FlDetector,
    FlTrust,
    FoolsGold,
    MomentumSgd,
    Rsa,
    RuleStrategy,
    Sageflow,
    Spmc,
)
from p2pfl.types import Kind

SETTINGS = {
    FedAvg: (FedAvg(), FedAvg(weights="uniform")),
    RuleStrategy: (
        *(RuleStrategy(rule=rule) for rule in (Mean(), Median(), TrimmedMean(f=1), Krum(f=1))),
        RuleStrategy(rule=Median(), rows="models", per_tensor=True, server_lr=0.5),
    ),
    CenteredClip: (CenteredClip(tau=1.0), CenteredClip(tau=0.5, iterations=3, server_lr=0.5)),
    Flame: (Flame(), Flame(noise=0.0)),
    FlTrust: (FlTrust(), FlTrust(epochs=2, server_lr=0.5)),
    FlDetector: (
        FlDetector(),
        FlDetector(window=1),
        FlDetector(window=1, restarts=0, rule=Median()),
    ),
    FoolsGold: (
        FoolsGold(),
        FoolsGold(combine="sum", features="last_layer"),
        FoolsGold(max_norm=1.0),
    ),
    Rsa: (Rsa(), Rsa(own_models=False, cap=3, decay=0.01)),
    Sageflow: (Sageflow(), Sageflow(entropy=0.6, delta=5.0, gamma=0.5)),
    Finetuning: (Finetuning(), Finetuning(clients_start="average", weights="uniform")),
    Crfl: (Crfl(), Crfl(start=9.0, noise=0.0)),
    FedGrad: (
        FedGrad(),
        FedGrad(hard_from=1, reference="code", minmax_columns=True, refill=True),
        FedGrad(hard_from=1, reference="paper", pardon="above", pardon_from=1, mode="union"),
        FedGrad(hard_from=1, score_sign="literal", weights="uniform", mode="hard"),
    ),
    Desgd: (
        Desgd(),
        Desgd(rule=Krum(f=1), literal_momentum=True, split_batch=True),
        Desgd(rule=TrimmedMean(f=1), compensation=1.0, count_all=True),
        Desgd(rule=Clustering(), momentum=0.0, compensation=0.0, weight_decay=0.0),
        Desgd(rule=Krum(f=1), at="server", compensation=0.0),
        Desgd(rule=Median(), classes_per_round=2),
    ),
    MomentumSgd: (MomentumSgd(), MomentumSgd(rule=TrimmedMean(f=1), at="server")),
    Spmc: (
        Spmc(),
        Spmc(granularity="vector", denominator="norm", teacher_mode="eval"),
        Spmc(purify_scope="benign_only", purify_from_round=1, reference="global"),
        Spmc(score_space="update", temperature=0.1, gate="relu", coalition_weights="previous"),
        Spmc(metric="euclidean", sigma="sigmoid", teacher="coalition_uniform", absent="stale"),
        Spmc(metric="wasserstein", score_space="update", reference="global", teacher="global"),
        Spmc(metric="chebyshev", coalition_weights="samples", lam=0.5, eps=0.0),
    ),
}
every_strategy = pytest.mark.parametrize(
    "strategy",
    [strategy for variant in STRATEGIES for strategy in SETTINGS.get(variant, ())],
    ids=str,
)
P, D = 10, 14


def models(m, seed=0, up=1):
    """A small global model, and so many of clients, ``up`` times each; running statistics are not
    negative."""
    rows = torch.randn(m + 1, D, generator=torch.Generator().manual_seed(seed))
    rows[:, P:] = rows[:, P:].abs()
    return 0.1 * rows[0], rows[1:].repeat(1, up)


class Doubled:
    """How an adversary may bend its steps."""

    def gradient(self, weights, gradient):
        gradient *= 2

    def weights(self, weights):
        pass


def same(ours, theirs):
    """Two states, to the bit."""
    if isinstance(ours, torch.Tensor):
        return torch.equal(ours, theirs)
    if isinstance(ours, dict):
        return ours.keys() == theirs.keys() and all(same(ours[k], theirs[k]) for k in ours)
    if isinstance(ours, tuple):
        return len(ours) == len(theirs) and all(map(same, ours, theirs))
    return ours == theirs


def test_every_strategy_is_tested():
    assert set(SETTINGS) == set(STRATEGIES)


# ------------------------------------------------------------ the server's half


@every_strategy
@pytest.mark.parametrize("m", range(1, 7))
def test_an_aggregation_is_a_model_and_shares_or_a_shortfall(strategy, m, gathering):
    model, received = models(m, up=strategy.up)
    view = gathering(model, received)
    try:
        merge, _ = strategy.aggregate(view, strategy.init(model))
    except TooFewNeighbours:
        assert m < 3
        return
    assert (merge.model.shape, merge.model.dtype) == ((D,), torch.float32)
    assert merge.model.isfinite().all()
    assert merge.influence.shape == (m,)
    assert ((merge.influence >= 0) & (merge.influence <= 1)).all()
    assert merge.influence.sum() <= 1 + 1e-5
    assert set(merge.flagged or ()) <= set(view.senders)
    assert all(len(numbers) == m for numbers in merge.details.values())


@every_strategy
def test_where_nobody_answered_the_model_stays(strategy, gathering):
    model, none = models(0)
    try:
        merge, _ = strategy.aggregate(gathering(model, none), strategy.init(model))
    except TooFewNeighbours:
        assert isinstance(strategy, RuleStrategy)
        return
    assert torch.equal(merge.model, model)
    assert merge.influence.shape == (0,)


@every_strategy
def test_it_is_pure(strategy, gathering):
    model, received = models(5, up=strategy.up)
    state = strategy.init(model)
    _, state = strategy.aggregate(gathering(model, received, round_=8), state)
    before, copies = pickle.loads(pickle.dumps(state)), (model.clone(), received.clone())
    (first, after), (again, later) = (
        strategy.aggregate(gathering(model, received), state) for _ in range(2)
    )
    assert torch.equal(first.model, again.model)
    assert torch.equal(first.influence, again.influence)
    assert same(after, later)
    assert same(state, before)
    assert torch.equal(model, copies[0])
    assert torch.equal(received, copies[1])


@every_strategy
def test_clients_that_stand_still_leave_the_model_to_the_server(strategy, gathering):
    model, _ = models(0)
    still = model if strategy.sends == "model" else torch.zeros_like(model)
    view = gathering(model, still.repeat(5, strategy.up))
    merge, _ = strategy.aggregate(view, strategy.init(model))
    if isinstance(strategy, Finetuning):  # which goes on training
        model = view.train(model, strategy.epochs)
    if isinstance(strategy, Rsa | Desgd | MomentumSgd):  # whose model may decay
        decay = strategy.decay if isinstance(strategy, Rsa) else strategy.weight_decay
        model = torch.cat([model[:P] * (1 - strategy.server_lr * decay), model[P:]])
    torch.testing.assert_close(merge.model, model, rtol=1e-6, atol=1e-7)


@every_strategy
def test_clients_may_be_late_fall_silent_and_return(strategy, gathering):
    model, state = models(0)[0], None
    state = strategy.init(model)
    for round_, m in enumerate((6, 6, 3, 6, 4, 5, 6), start=1):
        _, received = models(m, seed=round_, up=strategy.up)
        senders = [(k * 2 + round_) % 7 for k in range(m)]
        stale = [k % round_ for k in range(m)]
        view = gathering(model, received, sorted(senders), stale, round_)
        merge, state = strategy.aggregate(view, state)
        model = merge.model
        assert model.isfinite().all()
        assert merge.influence.shape == (m,)


@every_strategy
def test_huge_models_of_all_clients_are_borne(strategy, gathering):
    model, _ = models(0)
    state = strategy.init(model)
    for seed in range(4):
        model, received = models(5, seed, strategy.up)
        huge = received.sign() * 3e38
        merge, state = strategy.aggregate(gathering(model, huge, round_=seed + 1), state)
        told = strategy.instruct(merge.model, state, seed + 2, 0)
        assert merge.model.isfinite().all()
        assert told.vector.isfinite().all()
        assert merge.influence.isfinite().all()


@every_strategy
def test_its_state_can_be_stored(strategy, gathering, stored):
    model, received = models(5, up=strategy.up)
    state = strategy.init(model)
    for round_ in (1, 2):
        _, state = strategy.aggregate(gathering(model, received, round_=round_), stored(state))
    again = stored(state)
    assert same(again, state)
    view = [gathering(*models(5, seed=1, up=strategy.up), round_=3) for _ in range(2)]
    here, _ = strategy.aggregate(view[0], state)
    there, _ = strategy.aggregate(view[1], again)
    assert torch.equal(here.model, there.model)


# ------------------------------------------------------------ what travels


@every_strategy
def test_instructions_are_what_the_strategy_says(strategy, gathering):
    model, received = models(5, up=strategy.up)
    state = strategy.init(model)
    for round_ in (1, 2, 3):
        told = [strategy.instruct(model, state, round_, client) for client in (0, 1, 0)]
        for instruction in told:
            vectors = [v for v in (instruction.vector, instruction.companion) if v is not None]
            assert len(vectors) <= strategy.down
            assert all((v.shape, v.dtype) == ((D,), torch.float32) for v in vectors)
        assert torch.equal(told[0].vector, told[2].vector)
        assert strategy.individual or torch.equal(told[0].vector, told[1].vector)
        merge, state = strategy.aggregate(gathering(model, received, round_=round_), state)
        model = merge.model


@every_strategy
@pytest.mark.parametrize("own", [None, Doubled()], ids=["benign", "hostile"])
def test_a_client_answers_and_its_memory_can_be_stored(strategy, own, assignment, stored):
    model, _ = models(0)
    told = strategy.instruct(model, strategy.init(model), 1, 3)
    before = told.vector.clone()
    first, memory = strategy.train(assignment(told, 1, own), None)
    here, _ = strategy.train(assignment(told, 2, own), memory)
    there, _ = strategy.train(assignment(told, 2, own), stored(memory))
    assert torch.equal(here, there)
    assert torch.equal(told.vector, before)
    for message in (first, here):
        assert (message.shape, message.dtype) == ((strategy.up * D,), torch.float32)
        assert message.isfinite().all()
    given = assignment(told, 1, own)
    assert len(strategy.answers(given)) == strategy.up
    assert own is None or any(strategy.answers(given))


@every_strategy
def test_it_says_what_clients_send_and_what_it_needs(strategy):
    assert strategy.sends in get_args(Kind)
    for n in range(12):
        missing = strategy.needs(n)
        assert missing is None or str(n) in missing
