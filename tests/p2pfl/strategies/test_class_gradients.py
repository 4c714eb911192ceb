"""What a client of Byz-DeSGD, or of SGD with momentum, answers."""

from dataclasses import replace
from typing import ClassVar

import numpy as np
import pytest
import torch

from p2pfl.attacks import Constant, Ipm, LabelFlip
from p2pfl.attacks.base import Honest, to_all
from p2pfl.defenses import LocalOnly
from p2pfl.learner.adversary import AdversarialLearner
from p2pfl.learner.conduct import Conduct
from p2pfl.learner.holder import Workbench
from p2pfl.learner.learner import Learner
from p2pfl.learner.server import ServerLearner
from p2pfl.learner.training import Trainer, Training
from p2pfl.models import Logistic, build_model
from p2pfl.rules import TrimmedMean
from p2pfl.strategies import Desgd, MomentumSgd
from p2pfl.types import InputSpec, Knowledge, Samples, Update
from p2pfl.vectors import FlatModel

D = 51
"""A logistic model of 16 inputs and three classes."""


def data(labels, classes=3):
    inputs = torch.randn(len(labels), 1, 4, 4, generator=torch.Generator().manual_seed(0))
    return Samples(inputs=inputs, labels=torch.tensor(labels), classes=classes)


def bench(strategy, batch_size=12):
    some = data([0, 1, 2])
    return Workbench(
        trainer=Trainer(FlatModel(build_model(Logistic(), (1, 4, 4), 3))),
        test=some,
        inputs=InputSpec(shape=(1, 4, 4), classes=3),
        backdoor=None,
        quick_test=some,
        quick_backdoor=None,
        rounds=1,
        training=Training(batch_size=batch_size),
        seed=1,
        attack_seed=1,
        on_shortfall="keep_own",
        strategy=strategy,
    )


def client(strategy, samples, batch_size=12):
    return Learner(1, bench(strategy, batch_size), samples, torch.zeros(D), LocalOnly(), {})


def hostile(strategy, samples, attack, stance="hostile"):
    sides = ((0,), (1,), LocalOnly(), None)
    learner = AdversarialLearner(
        1, bench(strategy), samples, torch.zeros(D), attack, Conduct(), {}, *sides
    )
    learner.take(stance, (1,))
    return learner


def told(round_, value=0.1):
    vector = np.full(D, value, dtype=np.float32)
    return Update(vector=vector, kind="model", round=round_, samples=0)


def gradient_of(samples, where=None, value=0.1):
    """The slow twin: of the mean loss on the samples of a class, or on all."""
    mask = torch.full_like(samples.labels, where is None, dtype=torch.bool)
    if where is not None:
        mask = samples.labels == where
    at = torch.full((D,), value, requires_grad=True)
    functional = bench(Desgd()).trainer.functional
    functional.loss(at, samples.inputs[mask], samples.labels[mask]).backward()
    return at.grad.numpy()


def test_momenta_of_all_own_classes_go_on_though_one_is_sent():
    samples = data([0, 0, 0, 2, 2, 2])
    learner = client(Desgd(momentum=0.75), samples)
    of_0, of_2 = gradient_of(samples, 0), gradient_of(samples, 2)
    first, _ = learner.answer(1, told(1))
    assert (first.kind, first.samples) == ("class_gradient", 6)
    np.testing.assert_allclose(first.vector, 0.25 * of_0, atol=1e-6)
    silent, _ = learner.answer(2, told(2))
    assert silent.samples == 0
    assert not silent.vector.any()
    third, _ = learner.answer(3, told(3))
    np.testing.assert_allclose(third.vector, (1 - 0.75**3) * of_2, atol=1e-6)
    fourth, _ = learner.answer(4, told(4))
    np.testing.assert_allclose(fourth.vector, (1 - 0.75**4) * of_0, atol=1e-6)


@pytest.mark.parametrize("forgetful", [{"momentum": 0.0}, {"at": "server"}])
def test_without_momenta_only_the_classes_asked_for_are_computed(forgetful):
    samples = data([0, 0, 2, 2])
    learner = client(Desgd(**forgetful, classes_per_round=2), samples)
    first, _ = learner.answer(1, told(1))  # classes 0 and 1
    np.testing.assert_allclose(first.vector[:D], gradient_of(samples, 0), atol=1e-6)
    assert not first.vector[D:].any()
    assert set(learner._memory) == {0}
    second, _ = learner.answer(2, told(2))  # classes 2 and 0
    expected = [gradient_of(samples, 2), gradient_of(samples, 0)]
    np.testing.assert_allclose(second.vector, np.concatenate(expected), atol=1e-6)


def test_momentum_as_printed_is_nearly_the_new_gradient():
    samples = data([0, 0, 0])
    learner = client(Desgd(momentum=0.9, literal_momentum=True), samples)
    first, _ = learner.answer(1, told(1))
    np.testing.assert_allclose(first.vector, 0.9 * gradient_of(samples), atol=1e-6)
    fourth, _ = learner.answer(4, told(4, value=0.0))
    expected = 0.9 * gradient_of(samples, value=0.0) + 0.1 * first.vector
    np.testing.assert_allclose(fourth.vector, expected, atol=1e-6)


def sizes_of_batches(strategy, samples, batch_size, rounds):
    """Read off what the epochs have left."""
    learner, sizes = client(strategy, samples, batch_size), []
    before = {}
    for round_ in range(1, rounds + 1):
        learner.answer(round_, told(round_))
        after = {c: len(group.left) for c, group in learner._memory.items()}
        count = {c: learner._memory[c].size for c in after}
        sizes.append({c: (before.get(c) or count[c]) - left for c, left in after.items()})
        before = after
    return sizes


def test_batches_use_up_each_class_before_it_is_shuffled_anew():
    samples = data([0] * 5 + [1] * 2)
    came = sizes_of_batches(Desgd(), samples, 2, 4)
    assert came == [{0: 2, 1: 2}, {0: 2, 1: 2}, {0: 1, 1: 2}, {0: 2, 1: 2}]


def test_a_batch_may_be_split_among_the_classes():
    samples = data([0] * 9 + [1] * 9)
    assert sizes_of_batches(Desgd(split_batch=True), samples, 5, 1) == [{0: 3, 1: 3}]


def test_with_one_class_and_no_memories_it_is_plain_sgd(gathering):
    samples = data([0] * 8, classes=1)
    strategy = Desgd(momentum=0.0, compensation=0.0, server_lr=0.5, weight_decay=0.01)
    model, state = torch.full((D,), 0.1), strategy.init(torch.zeros(D))
    workbench = bench(strategy)
    learner = Learner(1, workbench, samples, model, LocalOnly(), {})
    functional = workbench.trainer.functional
    for round_ in (1, 2, 3, 4):
        sent = Update(vector=model.numpy(), kind="model", round=round_, samples=0)
        answer, _ = learner.answer(round_, sent)
        view = gathering([0.0] * 3, [[0.0] * 3])
        received = torch.from_numpy(answer.vector)[None]
        view = replace(view, model=model, received=received, round=round_, functional=functional)
        merge, state = strategy.aggregate(view, state)
        model = merge.model
    plain = Training(lr=0.5, weight_decay=0.01, batch_size=8, local_steps=4)
    rng = np.random.default_rng(0)
    expected = workbench.trainer.train(torch.full((D,), 0.1), samples, plain, 0, rng)
    torch.testing.assert_close(model, expected.vector)


def test_sgd_sends_the_momentum_of_mini_batches():
    samples = data([0, 1, 2, 0])
    learner = client(MomentumSgd(momentum=0.5), samples)
    learner.answer(1, told(1))
    second, _ = learner.answer(2, told(2))
    assert (second.kind, second.samples) == ("gradient", 4)
    np.testing.assert_allclose(second.vector, 0.75 * gradient_of(samples), atol=1e-6)
    raw, _ = client(MomentumSgd(at="server"), samples).answer(1, told(1))
    np.testing.assert_allclose(raw.vector, gradient_of(samples), atol=1e-6)


# ------------------------------------------------------------ adversaries


class Seen(Honest):
    """Sends how many vectors it is shown."""

    knowledge: ClassVar[Knowledge] = "full"

    def craft(self, view, state, rng):
        assert not view.start.any()
        return to_all(view, torch.full_like(view.own, len(view.visible_ids))), state


def test_an_attack_sees_only_those_that_have_the_class_and_always_answers():
    learner = hostile(Desgd(), data([1, 1]), Seen())
    own, _ = learner.answer(1, told(1))
    assert own.samples == 2
    holder, _ = client(Desgd(), data([0])).answer(1, told(1))
    silent, _ = client(Desgd(), data([2])).answer(1, told(1))
    assert (holder.samples, silent.samples) == (1, 0)
    (crafted,) = learner.craft(1, (0, 1, 2), [holder, own, silent])
    assert crafted.vector.tolist() == [2.0] * D
    assert crafted.samples == 2


def test_out_of_its_attack_an_adversary_is_silent_as_others_are():
    learner = hostile(Desgd(), data([1, 1]), Seen(), "hidden")
    own, _ = learner.answer(1, told(1))
    (sent,) = learner.craft(1, (1,), [own])
    assert (own.samples, sent.samples) == (0, 0)


def test_a_relabelled_sample_counts_for_its_true_class():
    samples = data([0, 0, 0])
    learner = hostile(Desgd(momentum=0.0), samples, LabelFlip(), "hidden")
    learner.answer(1, told(1))
    learner.take("hostile", (1,))
    flipped = replace(samples, labels=2 - samples.labels)
    after, _ = learner.answer(4, told(4))
    np.testing.assert_allclose(after.vector, gradient_of(flipped), atol=1e-6)
    # Of the class that it calls them it has none.
    other, _ = learner.answer(3, told(3))
    assert not other.vector.any()


def test_with_a_part_of_its_data_poisoned_each_sample_stays_in_its_class():
    samples = data([2, 0, 1, 0])
    sides = (LabelFlip(), Conduct(), {}, (0,), (1,), LocalOnly(), (0,))
    learner = AdversarialLearner(1, bench(Desgd()), samples, torch.zeros(D), *sides)
    mixed = learner._samples(1, torch.zeros(D))
    assert mixed.labels.tolist() == [2, 1, 2, 2]
    assert learner._true_labels(1, mixed).tolist() == [2, 1, 0, 0]


def test_an_adversary_bends_its_gradients():
    class Half(Honest):
        knowledge: ClassVar[Knowledge] = "local"

        def steer(self, start, round_):
            return self

        def gradient(self, weights, gradient):
            gradient *= 0.5

        def weights(self, weights):
            pass

    samples = data([0, 0])
    answer, _ = hostile(Desgd(momentum=0.0), samples, Half()).answer(1, told(1))
    np.testing.assert_allclose(answer.vector, 0.5 * gradient_of(samples), atol=1e-6)


def test_an_adversary_that_sends_something_else_does_not_train():
    strategy, samples = Desgd(classes_per_round=2), data([0, 1, 2])
    honest = client(strategy, samples)
    benign, _ = honest.answer(1, told(1))
    for attack, row in ((Ipm(), -0.1 * benign.vector), (Constant(), np.full(2 * D, 5.0))):
        learner = hostile(strategy, samples, attack)
        own, _ = learner.answer(1, told(1))
        assert own.samples == 3
        assert not own.vector.any()
        assert learner._memory is None
        (sent,) = learner.craft(1, (0, 1), [benign, own])
        np.testing.assert_allclose(sent.vector, row, atol=1e-7)


def test_an_attack_acts_on_each_class_by_itself():
    strategy = Desgd(momentum=0.0, classes_per_round=2)
    of_both, of_one = data([0, 1, 1, 1]), data([1, 1])
    first, _ = client(strategy, of_both).answer(1, told(1))
    second, _ = client(strategy, of_one).answer(1, told(1))
    assert dict(second.meta) == {**first.meta, "says_0": 0.0}
    assert not second.vector[:D].any()
    learner = hostile(strategy, data([2]), Ipm(epsilon=1.0))
    own, _ = learner.answer(1, told(1))
    (sent,) = learner.craft(1, (0, 1, 2), [first, own, second])
    np.testing.assert_allclose(sent.vector[:D], -gradient_of(of_both, 0), atol=1e-6)
    mean = (gradient_of(of_both, 1) + gradient_of(of_one, 1)) / 2
    np.testing.assert_allclose(sent.vector[D:], -mean, atol=1e-6)
    assert (sent.meta["says_0"], sent.meta["says_1"]) == (1.0, 1.0)


def test_a_server_takes_messages_of_as_many_vectors_as_it_asked_for():
    strategy = Desgd(momentum=0.0, classes_per_round=2, compensation=0.0, weight_decay=0.0)
    server = ServerLearner(9, bench(strategy), torch.full((D,), 0.1), None)
    samples = data([0, 0, 1])
    good, _ = client(strategy, samples).answer(1, told(1))
    bad = [
        replace(good, vector=good.vector[:D]),
        replace(good, vector=np.full(2 * D, np.nan, dtype=np.float32)),
        replace(good, meta={"says_0": "yes"}),
    ]
    decision = server.merge(1, (0, 1, 2, 3), (1, 1, 1, 1), [*bad, good])
    assert (decision.senders, decision.rejected) == ((3,), (0, 1, 2))
    assert decision.influence == (1.0,)
    step = (gradient_of(samples, 0) + gradient_of(samples, 1)) / 2
    np.testing.assert_allclose(server.model(1).vector, 0.1 - 0.1 * step, atol=1e-6)


@pytest.mark.parametrize("strategy", [Desgd, MomentumSgd])
def test_at_the_server_a_malformed_row_lowers_f(strategy):
    server = ServerLearner(9, bench(strategy(rule=TrimmedMean(f=1))), torch.zeros(D), None)
    good, _ = client(strategy(), data([0])).answer(1, told(1))
    bad = replace(good, vector=np.full(D, np.nan, dtype=np.float32))
    for sent, fitted in (([good, good, bad], 0), ([good, good], 1), ([bad, bad, bad], None)):
        senders = tuple(range(len(sent)))
        assert server.merge(1, senders, (1,) * len(sent), sent).notes.get("fitted") == fitted


def test_momentum_at_the_server_leaves_clients_their_gradients():
    samples = data([0, 0])
    learner = client(Desgd(at="server", literal_momentum=True), samples)
    for round_ in (1, 4):
        answer, _ = learner.answer(round_, told(round_))
        np.testing.assert_allclose(answer.vector, gradient_of(samples), atol=1e-6)


@pytest.mark.parametrize("strategy", [Desgd(), MomentumSgd()], ids=str)
def test_the_same_rounds_give_the_same_bits(strategy):
    runs = []
    for _ in range(2):
        learner = client(strategy, data([0, 1, 2] * 4), batch_size=3)
        runs.append([learner.answer(r, told(r))[0].vector for r in range(1, 6)])
    assert np.array_equal(*runs)
