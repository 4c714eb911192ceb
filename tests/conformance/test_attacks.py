"""Every attack against its contract. An attack without settings here fails the first test."""

import pickle
from dataclasses import replace
from typing import get_args

import numpy as np
import pytest
import torch

from p2pfl.attacks import (
    ATTACKS,
    AdaptiveDistance,
    AdaptiveScale,
    Alie,
    AlieBackdoor,
    BackGradient,
    Constant,
    ConstrainAndScale,
    Dba,
    Dissensus,
    EdgeCase,
    FangTrimmedMean,
    FeatureNoise,
    FreeRider,
    Gaussian,
    Ipm,
    KrumAttack,
    LabelFlip,
    Mimic,
    MinMax,
    MinSum,
    ModelReplacement,
    Neurotoxin,
    NoAttack,
    NonFinite,
    Pgd,
    RandomUniform,
    SemanticBackdoor,
    SignFlip,
    TriggerBackdoor,
    Zero,
)
from p2pfl.data.triggers import Trigger
from p2pfl.errors import DataError
from p2pfl.learner.training import Training
from p2pfl.rules import Krum, Median, TrimmedMean
from p2pfl.types import Knowledge, Samples

DBA = Dba(trigger=Trigger(shape="bars", size=2, gap=1))
SYNTHETIC = EdgeCase(source="synthetic")
SETTINGS = {
    NoAttack: (NoAttack(),),
    SignFlip: (SignFlip(scale=3.0),),
    Gaussian: (Gaussian(), Gaussian(std=0.1, around="own")),
    Constant: (Constant(),),
    RandomUniform: (RandomUniform(),),
    Zero: (Zero(),),
    FreeRider: (FreeRider(), FreeRider(std=0.01)),
    NonFinite: (NonFinite(), NonFinite(value="inf")),
    LabelFlip: (
        LabelFlip(),
        LabelFlip(mapping="pair", source=5, target=3),
        LabelFlip(mapping="swap", source=5, target=3),
        LabelFlip(mapping="random"),
        LabelFlip(mapping="next"),
        LabelFlip(mapping="dynamic"),
    ),
    FeatureNoise: (FeatureNoise(),),
    BackGradient: (BackGradient(iterations=3),),
    Alie: (Alie(), Alie(z=1.0, knowledge="full"), Alie(knowledge="full")),
    Ipm: (Ipm(), Ipm(epsilon=2.0, knowledge="colluding")),
    Mimic: (Mimic(), Mimic(target=3), Mimic(choice="variance")),
    MinMax: (MinMax(), MinMax(deviation="unit", knowledge="colluding"), MinMax(deviation="sign")),
    MinSum: (MinSum(), MinSum(deviation="unit", knowledge="colluding"), MinSum(deviation="sign")),
    FangTrimmedMean: (FangTrimmedMean(), FangTrimmedMean(knowledge="colluding")),
    KrumAttack: (KrumAttack(), KrumAttack(knowledge="colluding")),
    Dissensus: (Dissensus(), Dissensus(knowledge="neighbourhood", epsilon=2.0)),
    AdaptiveScale: (
        AdaptiveScale(rule=TrimmedMean(f=1)),
        AdaptiveScale(rule=Krum(f=1), base="ipm"),
        AdaptiveScale(rule=Median()),
    ),
    TriggerBackdoor: (
        TriggerBackdoor(),
        TriggerBackdoor(trigger=Trigger(shape="pixels"), poison_rate=1.0),
    ),
    ModelReplacement: (ModelReplacement(), ModelReplacement(gamma=10.0, data=DBA)),
    ConstrainAndScale: (ConstrainAndScale(), ConstrainAndScale(distance="cosine", data=SYNTHETIC)),
    Pgd: (Pgd(), Pgd(radius=0.1, every=3, gamma=None)),
    Dba: (DBA,),
    Neurotoxin: (Neurotoxin(), Neurotoxin(top=0.3, gamma=None)),
    SemanticBackdoor: (SemanticBackdoor(), SemanticBackdoor(source=4, share=0.4)),
    EdgeCase: (SYNTHETIC,),
    AlieBackdoor: (AlieBackdoor(), AlieBackdoor(z=None, knowledge="full")),
    AdaptiveDistance: (AdaptiveDistance(), AdaptiveDistance(beta=0.0, gamma=None)),
}
every_attack = pytest.mark.parametrize(
    "attack", [attack for variant in ATTACKS for attack in SETTINGS.get(variant, ())], ids=str
)


def trained(seed=0, d=40):
    return torch.randn(8, d, generator=torch.Generator().manual_seed(seed))


def craft(attack, view, seed=0):
    state = attack.init(len(view.own))
    return attack.craft(view, state, np.random.default_rng(seed))[0]


def images(n=30):
    inputs = torch.rand(n, 1, 8, 8, generator=torch.Generator().manual_seed(0))
    return Samples(inputs=inputs, labels=torch.arange(n) % 10, classes=10)


def same(ours, theirs):
    """To the bit, so that NaN equals itself."""
    return ours.shape == theirs.shape and ours.numpy().tobytes() == theirs.numpy().tobytes()


def test_every_attack_is_tested():
    assert set(SETTINGS) == set(ATTACKS)


@every_attack
def test_its_knowledge_is_one_of_the_levels(attack):
    assert attack.knowledge in get_args(Knowledge)


@every_attack
@pytest.mark.parametrize("targets", [(), (2,), (0, 2, 5)])
def test_one_row_per_target(attack, targets, federation_view):
    rows = craft(attack, federation_view(trained(), attack.knowledge, targets=targets))
    assert rows.shape == (len(targets), 40)
    assert rows.dtype == torch.float32
    assert rows.isfinite().all() or isinstance(attack, NonFinite)


@every_attack
def test_rows_differ_only_if_it_equivocates(attack, federation_view):
    rows = craft(attack, federation_view(trained(), attack.knowledge))
    assert attack.equivocates or all(same(row, rows[0]) for row in rows)


@every_attack
def test_the_same_draws_give_the_same_bits_and_no_global_draw_is_used(attack, federation_view):
    view = federation_view(trained(), attack.knowledge)
    ours, theirs = torch.get_rng_state(), np.random.get_state()[1].copy()  # noqa: NPY002
    assert same(craft(attack, view), craft(attack, view))
    assert torch.equal(torch.get_rng_state(), ours)
    assert np.array_equal(np.random.get_state()[1], theirs)  # noqa: NPY002


@every_attack
def test_what_it_sees_is_not_modified(attack, federation_view):
    view = federation_view(trained(), attack.knowledge)
    own, start, visible = view.own.clone(), view.start.clone(), view.visible.clone()
    craft(attack, view)
    assert torch.equal(view.own, own)
    assert torch.equal(view.start, start)
    assert torch.equal(view.visible, visible)


@every_attack
def test_it_does_not_look_beyond_its_knowledge(attack, federation_view):
    view = federation_view(trained(), attack.knowledge)
    altered = trained(seed=1)
    altered[list(view.visible_ids)] = view.visible
    unhidden = federation_view(altered, attack.knowledge, hide=False)
    assert same(craft(attack, unhidden), craft(attack, view))


@every_attack
def test_a_diverged_model_neither_raises_nor_hangs(attack, federation_view):
    rows = trained()
    rows[4] = float("nan")
    view = federation_view(rows, attack.knowledge)
    others = [row for row, peer in enumerate(view.visible_ids) if peer != view.me]
    sees = {"visible": view.visible[others], "visible_ids": (*np.take(view.visible_ids, others),)}
    for start in (view.start, rows[4]):
        assert craft(attack, replace(view, start=start, **sees)).shape == (3, 40)


@every_attack
def test_it_says_whether_it_trains_once_more(attack, federation_view):
    """In its second round: it may need the first to know what from."""
    view, trainings = federation_view(trained(), attack.knowledge), []

    def retrain(start, steer=None):
        trainings.append(start)
        return start

    _, state = attack.craft(view, attack.init(40), np.random.default_rng(0))
    attack.craft(replace(view, retrain=retrain), state, np.random.default_rng(0))
    assert len(trainings) == (1 if attack.retrains else 0)


@every_attack
def test_it_says_whether_it_looks_at_what_it_trained(attack, federation_view):
    view = federation_view(trained(), attack.knowledge)
    members = [row for row, peer in enumerate(view.visible_ids) if peer in view.members]
    visible = view.visible.clone()
    visible[members] = 7.0
    untrained = replace(view, own=view.start, visible=visible)
    unmoved = same(craft(attack, untrained), craft(attack, view))
    assert unmoved or not attack.ignores_own


@every_attack
def test_its_state_can_be_stored(attack, federation_view, stored):
    view = federation_view(trained(), attack.knowledge)
    _, state = attack.craft(view, stored(attack.init(40)), np.random.default_rng(0))
    here = attack.craft(view, state, np.random.default_rng(1))[0]
    there = attack.craft(view, stored(state), np.random.default_rng(1))[0]
    assert same(here, there)


@every_attack
def test_poisoning_leaves_the_data_it_was_given(attack):
    data = images()
    inputs, labels = data.inputs.clone(), data.labels.clone()
    poisoned = attack.poison(data, np.random.default_rng(0))
    again = attack.poison(data, np.random.default_rng(0))
    assert torch.equal(data.inputs, inputs)
    assert torch.equal(data.labels, labels)
    assert torch.equal(poisoned.inputs, again.inputs)
    assert torch.equal(poisoned.labels, again.labels)
    assert len(poisoned.inputs) == len(poisoned.labels)
    assert ((poisoned.labels >= 0) & (poisoned.labels < poisoned.classes)).all()


@every_attack
def test_an_adversary_may_have_nothing_to_poison(attack):
    poisoned = attack.poison(images(0), np.random.default_rng(0))
    assert len(poisoned.inputs) == len(poisoned.labels) == 0


@every_attack
@pytest.mark.parametrize("n", [0, 30])
def test_poisoning_of_a_round_leaves_the_data_it_was_given(attack, n):
    data = images(n)
    inputs, labels = data.inputs.clone(), data.labels.clone()
    weights = torch.randn(64, 10, generator=torch.Generator().manual_seed(0))
    poisoned, again = (
        attack.poison_round(data, lambda part: part.flatten(1) @ weights) for _ in range(2)
    )
    assert torch.equal(data.inputs, inputs)
    assert torch.equal(data.labels, labels)
    assert torch.equal(poisoned.labels, again.labels)
    assert len(poisoned.inputs) == len(poisoned.labels) == n
    assert ((poisoned.labels >= 0) & (poisoned.labels < poisoned.classes)).all()


@every_attack
def test_it_reaches_every_process(attack):
    assert pickle.loads(pickle.dumps(attack)) == attack
    assert attack.loaded(None) == attack


@every_attack
@pytest.mark.parametrize("index", [0, 5])
def test_every_member_does_the_same_attack(attack, index):
    member = attack.as_member(index)
    assert type(member) is type(attack)
    assert member.as_member(index) == member


@every_attack
def test_its_training_is_a_training(attack):
    assert isinstance(attack.settings(Training(lr=0.3, local_steps=2)), Training)


@every_attack
def test_it_steers_in_place_and_never_its_start(attack):
    start = trained()[0]
    kept = start.clone()
    steer = attack.steer(start, 1)
    if steer is not None:
        weights, gradient = start[:30] + 1, torch.ones(30)
        assert steer.gradient(weights, gradient) is None
        assert steer.weights(weights) is None
        assert weights.isfinite().all()
        assert gradient.isfinite().all()
    assert torch.equal(start, kept)


@every_attack
def test_its_backdoor_is_made_of_the_test_set_and_leaves_it_as_it_is(attack):
    test = images()
    inputs, labels = test.inputs.clone(), test.labels.clone()
    backdoor = attack.backdoor(test)
    assert torch.equal(test.inputs, inputs)
    assert torch.equal(test.labels, labels)
    if backdoor is not None:
        n = len(backdoor.inputs)
        assert 1 <= n <= 30
        assert backdoor.inputs.shape[1:] == inputs.shape[1:]
        assert (backdoor.labels.shape, backdoor.labels.dtype) == ((n,), torch.int64)
        assert (backdoor.of_target.shape, backdoor.of_target.dtype) == ((n,), torch.bool)
        assert ((backdoor.labels >= 0) & (backdoor.labels < 10)).all()


@every_attack
def test_a_backdoor_that_does_not_fit_is_an_error_of_the_input(attack):
    two = Samples(inputs=torch.rand(4, 1, 2, 3), labels=torch.zeros(4).long(), classes=2)
    if attack.backdoor(images()) is not None:
        with pytest.raises(DataError):
            attack.backdoor(two)
