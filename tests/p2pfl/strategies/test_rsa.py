from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import pytest
import torch

from p2pfl.attacks.base import Honest
from p2pfl.defenses import LocalOnly
from p2pfl.learner.adversary import AdversarialLearner
from p2pfl.learner.conduct import Conduct
from p2pfl.learner.holder import Workbench
from p2pfl.learner.learner import Learner
from p2pfl.learner.training import Trainer, Training
from p2pfl.models import Logistic, build_model
from p2pfl.seeding import stream
from p2pfl.strategies import Rsa
from p2pfl.types import InputSpec, Knowledge, Samples, Update
from p2pfl.vectors import FlatModel

ROWS = [[1.0, -1.0, 0.0], [2.0, 5.0, 0.0], [3.0, -7.0, 1.0]]
"""From the model 0 the signs of model - row add up to -3, 1 and -1."""


def test_the_servers_step_by_hand(gathering):
    strategy = Rsa(penalty=0.1, server_lr=2.0)
    rows = [[*row, k, k] for k, row in enumerate(ROWS)]
    merge, _ = strategy.aggregate(gathering([0.0] * 3 + [5.0] * 2, rows), None)
    assert merge.model.tolist() == pytest.approx([0.6, -0.2, 0.2, 1.0, 1.0])
    assert merge.influence.tolist() == pytest.approx([1 / 3] * 3)
    assert merge.flagged is None


def test_decay_and_cap(gathering):
    strategy = Rsa(penalty=0.1, server_lr=2.0, decay=0.05, cap=2)
    rows = [[10 + v for v in row] for row in ROWS]
    merge, _ = strategy.aggregate(gathering([10.0] * 3, rows), None)
    assert merge.model.tolist() == pytest.approx([10 + 0.4 - 1, 10 - 0.2 - 1, 10 + 0.2 - 1])


def test_the_cap_acts_after_each_client_in_a_random_order(gathering):
    strategy = Rsa(penalty=1.0, server_lr=1.0, cap=1)
    rows = [[-1.0, 0.0, 0.0], [-1.0, 0.0, 0.0], [1.0, 0.0, 0.0]]
    seen = set()
    for round_ in range(20):
        view = gathering([0.0] * 3, rows, rng=stream(0, "server", round_))
        seen.add(strategy.aggregate(view, None)[0].model[0].item())
    # The lone vote cancels one of two where it comes last; elsewhere the second makes up for it.
    assert seen == {0.0, -1.0}


def test_a_client_has_one_vote_whatever_it_sends(gathering):
    strategy = Rsa(penalty=0.1, server_lr=1.0)
    for far in (1.0, 3e38):
        merge, _ = strategy.aggregate(gathering([-1e38, 0.0, 0.0], [[far, -far, 0.0]]), None)
        assert merge.model.tolist() == pytest.approx([-1e38, -0.1, 0.0])


def test_equal_models_stay_and_so_does_one_that_nobody_answers(gathering):
    for rows in ([], [[2.0] * 5] * 3):
        merge, _ = Rsa().aggregate(gathering([2.0] * 5, rows), None)
        assert merge.model.tolist() == [2.0] * 5


# ------------------------------------------------------------ the clients' half


@dataclass(frozen=True, slots=True, kw_only=True)
class Still(Honest):
    """Throws its gradients away, whatever is in them."""

    knowledge: ClassVar[Knowledge] = "local"

    def steer(self, start, round_):
        return self

    def gradient(self, weights, gradient):
        gradient.zero_()

    def weights(self, weights):
        pass


def data():
    inputs = torch.randn(12, 1, 4, 4, generator=torch.Generator().manual_seed(0))
    return Samples(inputs=inputs, labels=torch.arange(12) % 3, classes=3)


def bench(strategy, **training):
    return Workbench(
        trainer=Trainer(FlatModel(build_model(Logistic(), (1, 4, 4), 3))),
        test=data(),
        inputs=InputSpec(shape=(1, 4, 4), classes=3),
        backdoor=None,
        quick_test=data(),
        quick_backdoor=None,
        rounds=1,
        training=Training(batch_size=12, **training),
        seed=1,
        attack_seed=1,
        on_shortfall="keep_own",
        strategy=strategy,
    )


def client(strategy, samples=None, **training):
    workbench = bench(strategy, **training)
    initial = torch.zeros(workbench.trainer.flat.layout.d)
    return Learner(1, workbench, samples or data(), initial, LocalOnly(), {})


def told(value, round_):
    d = bench(Rsa()).trainer.flat.layout.d
    vector = np.full(d, value, dtype=np.float32)
    return Update(vector=vector, kind="model", round=round_, samples=0)


def gradient_at(vector):
    trainer = bench(Rsa()).trainer
    at = torch.from_numpy(vector.copy()).requires_grad_()
    trainer.functional.loss(at, data().inputs, data().labels).backward()
    return at.grad.numpy()


def test_a_client_trains_its_own_model_and_is_drawn_to_the_servers():
    # One step a round, on all samples: there is no tie at first, when both models are the same.
    learner = client(Rsa(penalty=0.5), lr=0.1)
    first, _ = learner.answer(1, told(1.0, 1))
    start = told(1.0, 1).vector
    np.testing.assert_allclose(first.vector, start - 0.1 * gradient_at(start), atol=1e-6)
    # Then the server's is at 9, and the own model is below: the penalty draws it up by 0.05.
    second, loss = learner.answer(2, told(9.0, 2))
    expected = first.vector - 0.1 * (gradient_at(first.vector) - 0.5)
    np.testing.assert_allclose(second.vector, expected, atol=1e-6)
    assert loss.loss > 0


def test_without_own_models_it_starts_from_the_servers_each_time():
    learner = client(Rsa(own_models=False), lr=0.1)
    learner.answer(1, told(1.0, 1))
    second, _ = learner.answer(2, told(9.0, 2))
    start = told(9.0, 2).vector
    np.testing.assert_allclose(second.vector, start - 0.1 * gradient_at(start), atol=1e-5)


def test_an_adversary_bends_the_tied_steps_and_has_the_last_word():
    workbench = bench(Rsa(penalty=0.5), lr=0.1)
    initial = torch.zeros(workbench.trainer.flat.layout.d)
    learner = AdversarialLearner(
        1, workbench, data(), initial, Still(), Conduct(), {}, (0,), (1,), LocalOnly(), None
    )
    learner.take("hidden", (1,))
    first, _ = learner.answer(1, told(1.0, 1))
    assert not np.array_equal(first.vector, told(1.0, 1).vector)  # benign as yet
    learner.take("hostile", (1,))
    second, _ = learner.answer(2, told(9.0, 2))
    assert np.array_equal(second.vector, first.vector)


@pytest.mark.parametrize(
    "wrong", [{"penalty": 0.0}, {"server_lr": -1.0}, {"decay": -0.1}, {"cap": 0}]
)
def test_wrong_settings_are_refused(wrong):
    with pytest.raises(ValueError, match=next(iter(wrong))):
        Rsa(**wrong)
