"""One adversary: what it trains on and sends in rounds of the attack, and in the others."""

from dataclasses import dataclass, replace
from typing import ClassVar

import numpy as np
import pytest
import torch

from p2pfl.attacks import Dba, LabelFlip, NoAttack, SignFlip
from p2pfl.attacks.base import Honest, to_all
from p2pfl.data.triggers import Trigger
from p2pfl.defenses import GossipAverage
from p2pfl.learner.adversary import AdversarialLearner
from p2pfl.learner.conduct import Conduct
from p2pfl.learner.holder import Workbench
from p2pfl.learner.learner import Learner
from p2pfl.learner.training import Trainer, Training
from p2pfl.models import Logistic, build_model
from p2pfl.types import InputSpec, Knowledge, Samples, Update
from p2pfl.vectors import FlatModel

MIXING = {0: 0.5, 1: 0.25}


def data(n=12):
    inputs = torch.randn(n, 1, 4, 4, generator=torch.Generator().manual_seed(0))
    return Samples(inputs=inputs, labels=torch.arange(n) % 3, classes=3)


def bench(**training):
    return Workbench(
        trainer=Trainer(FlatModel(build_model(Logistic(), (1, 4, 4), 3))),
        test=data(),
        inputs=InputSpec(shape=(1, 4, 4), classes=3),
        backdoor=None,
        quick_test=data(),
        quick_backdoor=None,
        rounds=1,
        training=Training(batch_size=5, **training),
        seed=1,
        attack_seed=1,
        on_shortfall="keep_own",
    )


def adversary(
    attack, conduct=None, members=(2, 5), targets=(0, 1, 7), classes=None, coalition=0, **training
):
    workbench = bench(**training)
    start = torch.linspace(-1, 1, workbench.trainer.flat.layout.d)
    conduct = conduct or Conduct()
    return AdversarialLearner(
        2,
        workbench,
        data(),
        start,
        attack,
        conduct,
        MIXING,
        targets,
        members,
        GossipAverage(),
        classes,
        coalition,
    )


def benign(samples=None, start=None, **training):
    workbench = bench(**training)
    if start is None:
        start = torch.linspace(-1, 1, workbench.trainer.flat.layout.d)
    return Learner(2, workbench, samples or data(), start, GossipAverage(), MIXING)


def round_of(learner, round_):
    """Train, and craft from what it trained itself."""
    own, _ = learner.train(round_)
    return own, learner.craft(round_, [2], [own])


def same(ours, theirs):
    return np.array_equal(ours.vector, theirs.vector)


@dataclass(frozen=True)
class Spy(Honest):
    """Keeps each view, and sends what ``rows`` gives."""

    knowledge: ClassVar[Knowledge] = "colluding"
    views: list
    rows: object = staticmethod(lambda view: to_all(view, view.own))

    def craft(self, view, state, rng):
        self.views.append((view, rng.integers(1000)))
        return self.rows(view), state


@dataclass(frozen=True)
class SpyPerTarget(Spy):
    equivocates: ClassVar[bool] = True


class Freeze:
    """Lets nothing move."""

    def __init__(self, start):
        self.start = start.clone()

    def gradient(self, weights, gradient):
        gradient.zero_()

    def weights(self, weights):
        weights.copy_(self.start[: len(weights)])


@dataclass(frozen=True)
class Frozen(Honest):
    knowledge: ClassVar[Knowledge] = "local"

    def steer(self, start, round_):
        return Freeze(start) if round_ == 2 else None


# ---------------------------------------------------------------- data and training


def test_it_trains_on_poisoned_data():
    flipped = replace(data(), labels=2 - data().labels)
    assert same(round_of(adversary(LabelFlip()), 1)[0], benign(flipped).train(1)[0])


def test_only_samples_of_the_poisoned_classes_are_poisoned():
    samples = data()
    zero = samples.labels == 0
    wanted = replace(
        samples,
        inputs=torch.cat([samples.inputs[~zero], samples.inputs[zero]]),
        labels=torch.cat([samples.labels[~zero], 2 - samples.labels[zero]]),
    )
    assert same(adversary(LabelFlip(), classes=(0,)).train(1)[0], benign(wanted).train(1)[0])


@pytest.mark.parametrize("classes", [None, (0, 2)])
def test_data_may_be_poisoned_anew_in_every_round_by_the_model_that_it_starts_from(classes):
    hostile = adversary(LabelFlip(mapping="dynamic"), classes=classes)
    samples, functional = data(), bench().trainer.functional
    chosen = torch.isin(samples.labels, torch.tensor(classes or (0, 1, 2)))
    start = torch.linspace(-1, 1, functional.layout.d)
    flipped = []
    for round_ in (1, 2):
        wrong = functional.logits(start, samples.inputs).argmin(dim=1)
        order = torch.cat([torch.nonzero(~chosen), torch.nonzero(chosen)]).flatten()
        labels = torch.where(chosen, wrong, samples.labels)[order]
        flipped.append(labels)
        own, _ = hostile.train(round_)
        poisoned = replace(samples, inputs=samples.inputs[order], labels=labels)
        assert same(own, benign(poisoned, start).train(round_)[0])
        start = torch.from_numpy(own.vector)
    assert not torch.equal(*flipped)  # the second round's model says otherwise


def test_no_attack_is_a_benign_peer():
    own, sent = round_of(adversary(NoAttack()), 1)
    wanted, _ = benign().train(1)
    assert same(own, wanted)
    assert [same(update, wanted) for update in sent] == [True]


def test_it_is_a_member_of_its_coalition():
    """Peer 5 is the second: it stamps the second part."""
    attack = Dba(trigger=Trigger(shape="bars", size=1, gap=0), poison_rate=1.0)
    second = adversary(attack, members=(1, 2, 5))
    wanted = attack.as_member(1).poison(data(), np.random.default_rng(0))
    # All are stamped, so it does not matter which were drawn.
    assert same(second.train(1)[0], benign(wanted).train(1)[0])
    assert not same(adversary(attack, members=(2, 5)).train(1)[0], second.train(1)[0])


def test_it_trains_as_the_attack_sets():
    attack = Dba(trigger=Trigger(size=1, part=0), poison_rate=0.01, lr=0.5, local_epochs=3)
    wanted, _ = benign(lr=0.5, local_epochs=3).train(1)
    assert same(adversary(attack, lr=0.1).train(1)[0], wanted)


def test_it_is_steered_in_the_round_that_the_attack_says():
    learner, plain = adversary(Frozen()), benign()
    first, second = learner.train(1)[0], learner.train(2)[0]
    assert same(first, plain.train(1)[0])
    assert same(second, first)


# ---------------------------------------------------------------- conduct


def test_outside_its_rounds_it_is_benign_and_in_them_it_attacks():
    learner, plain = adversary(SignFlip()), benign()
    for round_, attacks in ((1, False), (2, True), (3, True), (4, False)):
        learner.take("hostile" if attacks else "hidden", (2, 5))
        own, (sent,) = round_of(learner, round_)
        assert same(own, plain.train(round_)[0])
        assert same(sent, own) is not attacks


def test_outside_its_rounds_it_trains_on_clean_data():
    learner, plain = adversary(LabelFlip()), benign()
    learner.take("hidden", (2, 5))
    assert same(learner.train(1)[0], plain.train(1)[0])
    learner.take("hostile", (2, 5))
    assert not same(learner.train(2)[0], plain.train(2)[0])


def test_outside_its_rounds_the_attack_sees_nothing():
    views = []
    learner = adversary(Spy(views))
    for round_ in range(1, 5):
        learner.take("hostile" if round_ in (1, 3) else "hidden", (2, 5))
        round_of(learner, round_)
    assert [view.round for view, _ in views] == [1, 3]


@pytest.mark.parametrize(("receives", "moved"), [("mean", 0.5 * 1 + 0.25 * 2), ("ignore", 0.0)])
def test_what_it_does_with_what_it_receives(receives, moved):
    views = []
    learner = adversary(Spy(views), Conduct(receives=receives))
    own, _ = learner.train(1)
    received = [replace(own, vector=own.vector + 1), replace(own, vector=own.vector + 2)]
    decision = learner.merge(1, [0, 1], [1, 1], received)
    assert decision.influence == ((0.5, 0.25) if moved else (0.0, 0.0))
    round_of(learner, 2)
    assert views[0][0].start.numpy() == pytest.approx(own.vector + moved, abs=1e-6)


# ---------------------------------------------------------------- what the attack sees


def test_its_view():
    views = []
    learner = adversary(Spy(views))
    start = torch.linspace(-1, 1, 51)
    own, _ = learner.train(1)
    other = replace(own, vector=own.vector + 1)
    broken = replace(own, vector=own.vector * np.float32("nan"))
    learner.craft(1, [0, 2, 5], [broken, own, other])
    ((view, draw),) = views
    assert (view.me, view.round, view.targets, view.members) == (2, 1, (0, 1, 7), (2, 5))
    assert view.visible_ids == (2, 5)
    assert np.array_equal(view.visible.numpy(), np.stack([own.vector, other.vector]))
    assert torch.equal(view.start, start)
    assert np.array_equal(view.own.numpy(), own.vector)
    assert view.layout.d == 51
    partner = adversary(Spy(views), members=(2, 9))
    round_of(partner, 1)
    assert views[1][1] == draw  # a coalition draws alike


def test_another_coalition_draws_otherwise():
    views = []
    for coalition in (0, 1, 1, 2):
        round_of(adversary(Spy(views), coalition=coalition), 1)
    draws = [draw for _, draw in views]
    assert draws[1] == draws[2]
    assert len(set(draws)) == 3


@pytest.mark.parametrize("training", [{}, {"momentum": 0.9, "keep_momentum": True}])
def test_retraining_is_the_rounds_training(training):
    """From the same start, unsteered, to the same bits; also with momentum that is carried."""
    views = []
    learner = adversary(Spy(views), **training)
    for round_ in (1, 2):
        round_of(learner, round_)
        view, _ = views[-1]
        assert torch.equal(view.retrain(view.start), view.own)
        assert not torch.equal(view.retrain(view.start + 1), view.own)
        p = view.layout.p
        frozen = view.retrain(view.start, Freeze(view.start))
        assert torch.equal(frozen[:p], view.start[:p])


# ---------------------------------------------------------------- what it sends


def rows_apart(view):
    return view.own + torch.arange(float(len(view.targets)))[:, None]


def test_one_update_for_each_target_if_it_equivocates():
    own, sent = round_of(adversary(SpyPerTarget([], rows_apart)), 1)
    assert len(sent) == 3
    assert all(np.array_equal(u.vector, own.vector + i) for i, u in enumerate(sent))
    assert all(isinstance(update, Update) and update.round == 1 for update in sent)


def test_without_targets_it_sends_to_nobody():
    views = []
    assert len(round_of(adversary(Spy(views), targets=()), 1)[1]) == 1
    assert views == []


def test_rows_of_nan_are_equal_rows():
    attack = Spy([], lambda view: torch.full((3, len(view.own)), float("nan")))
    assert len(round_of(adversary(attack), 1)[1]) == 1


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        (lambda view: view.own[None], r"Spy.craft gave shape \(1, 51\) for 3 targets"),
        (lambda view: view.own, r"Spy.craft gave shape \(51,\) for 3 targets"),
        (rows_apart, "Spy.craft gave different rows, but equivocates is False"),
    ],
)
def test_what_an_attack_must_not_return(rows, message):
    with pytest.raises(ValueError, match=message):
        round_of(adversary(Spy([], rows)), 1)
