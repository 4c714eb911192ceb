"""Local SGD: by hand, against torch's optimiser to the bit, and what a round hands to the next."""

import subprocess
import sys
from math import exp, isfinite, log

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn.functional import cross_entropy

from p2pfl.learner.evaluation import evaluate
from p2pfl.learner.training import Trainer, Training
from p2pfl.models import Cnn, LeNet, Logistic, Mlp, build_model, initial_vector
from p2pfl.precision import logits_of
from p2pfl.seeding import stream
from p2pfl.types import Samples
from p2pfl.vectors import FlatModel


@pytest.fixture(autouse=True)
def _one_thread():
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


def tiny() -> Trainer:
    """Logistic regression of one feature and two classes: (w0, w1, b0, b1)."""
    return Trainer(FlatModel(build_model(Logistic(), (1,), 2)))


def one_sample(x: float) -> Samples:
    return Samples(inputs=torch.tensor([[x]]), labels=torch.tensor([0]), classes=2)


def drawn(shape: tuple[int, ...], n: int, classes: int = 10) -> Samples:
    rng = stream(1, "test data", n)
    return Samples(
        inputs=torch.from_numpy(rng.standard_normal((n, *shape), dtype=np.float32)),
        labels=torch.from_numpy(rng.integers(classes, size=n)),
        classes=classes,
    )


def rng(round_: int = 0) -> np.random.Generator:
    return stream(1, "train", 0, round_)


def normalised() -> nn.Module:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        return nn.Sequential(nn.Linear(4, 8), nn.BatchNorm1d(8), nn.ReLU(), nn.Linear(8, 3))


# ---------------------------------------------------------------- by hand


def test_one_step_by_hand():
    """At zero both classes have 1/2, so the gradient is ((1/2 - 1) x, 1/2 x, -1/2, 1/2)."""
    out = tiny().train(torch.zeros(4), one_sample(2.0), Training(lr=0.1), 0, rng())
    assert out.vector.tolist() == pytest.approx([0.1, -0.1, 0.05, -0.05])
    assert out.loss == pytest.approx(log(2))
    assert out.samples == 1
    assert out.momentum is None


def test_weight_decay_by_hand():
    """x = 0: the weights feel the decay alone, the biases the loss alone."""
    start = torch.tensor([1.0, -1.0, 0.0, 0.0])
    settings = Training(lr=0.1, weight_decay=0.5)
    out = tiny().train(start, one_sample(0.0), settings, 0, rng())
    assert out.vector.tolist() == pytest.approx([0.95, -0.95, 0.05, -0.05])


def test_momentum_by_hand():
    second_gradient = -(1 - 1 / (1 + exp(-0.1)))  # after a first step of 0.1 * 0.5
    velocity = 0.9 * -0.5 + second_gradient
    bias = 0.05 - 0.1 * velocity
    settings = Training(lr=0.1, momentum=0.9, local_steps=2, keep_momentum=True)
    out = tiny().train(torch.zeros(4), one_sample(0.0), settings, 0, rng())
    assert out.vector.tolist() == pytest.approx([0, 0, bias, -bias])
    assert out.momentum.tolist() == pytest.approx([0, 0, velocity, -velocity])
    assert out.loss == pytest.approx((log(2) + log(1 + exp(-0.1))) / 2)
    assert out.samples == 2


@pytest.mark.parametrize(("round_", "lr"), [(0, 0.1), (1, 0.05), (3, 0.0125)])
def test_the_learning_rate_decays_per_round(round_, lr):
    settings = Training(lr=0.1, lr_decay=0.5)
    out = tiny().train(torch.zeros(4), one_sample(2.0), settings, round_, rng())
    assert out.vector.tolist() == pytest.approx([lr, -lr, lr / 2, -lr / 2])


def test_the_loss_weighs_each_sample_alike():
    """With a step too small to move anything it is the loss at the start, last batch included."""
    trainer, data = tiny(), drawn((1,), 10, classes=2)
    start = torch.tensor([1.0, -2.0, 0.5, 0.25])
    out = trainer.train(start, data, Training(lr=1e-30, batch_size=4), 0, rng())
    assert torch.equal(out.vector, start)
    assert out.loss == pytest.approx(evaluate(trainer.flat, start, data).loss)


# ---------------------------------------------------------------- against torch


@pytest.mark.parametrize("momentum", [0.0, 0.9])
@pytest.mark.parametrize("weight_decay", [0.0, 1e-2])
@pytest.mark.parametrize(
    ("model", "shape"),
    [
        (Logistic(), (1, 8, 8)),
        (Mlp(hidden=(16, 8)), (1, 8, 8)),
        (Cnn(channels=(4, 6), kernel=3, padding=1, hidden=16), (1, 8, 8)),
        (LeNet(), (1, 28, 28)),
    ],
)
def test_same_bits_as_torchs_sgd_on_the_modules_tensors(model, shape, momentum, weight_decay):
    data, start = drawn(shape, 41), initial_vector(model, shape, 10, seed=1)
    settings = Training(
        lr=0.05, momentum=momentum, weight_decay=weight_decay, batch_size=8, local_epochs=2
    )
    out = Trainer(FlatModel(build_model(model, shape, 10))).train(start, data, settings, 0, rng())

    module = build_model(model, shape, 10)
    nn.utils.vector_to_parameters(start.clone(), module.parameters())
    sgd = torch.optim.SGD(module.parameters(), 0.05, momentum, weight_decay=weight_decay)
    draws, losses = rng(), []
    for _ in range(2):
        for batch in torch.from_numpy(draws.permutation(41)).split(8):
            sgd.zero_grad()
            logits = logits_of(module, data.inputs[batch], "float32")
            loss = cross_entropy(logits, data.labels[batch])
            loss.backward()
            sgd.step()
            losses.append(loss.item() * len(batch))
    wanted = nn.utils.parameters_to_vector(module.parameters()).detach()
    assert torch.equal(out.vector.view(torch.int32), wanted.view(torch.int32))
    assert out.loss == pytest.approx(sum(losses) / 82)


def test_training_does_not_load_torchs_compiler():
    """torch.optim would: a second and 75 MB in every peer's process."""
    script = (
        "import sys, torch, numpy as np\n"
        "from p2pfl.learner.training import Trainer, Training\n"
        "from p2pfl.types import Samples\n"
        "from p2pfl.vectors import FlatModel\n"
        "data = Samples(inputs=torch.ones(1, 1), labels=torch.tensor([0]), classes=2)\n"
        "trainer = Trainer(FlatModel(torch.nn.Linear(1, 2)))\n"
        "trainer.train(torch.zeros(4), data, Training(), 0, np.random.default_rng(0))\n"
        "assert 'torch._dynamo' not in sys.modules\n"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


# ---------------------------------------------------------------- state


def test_momentum_is_carried_only_if_asked():
    data, trainer = one_sample(1.0), tiny()
    once = Training(momentum=0.9, keep_momentum=True)
    first = trainer.train(torch.zeros(4), data, once, 0, rng())
    kept = first.momentum.clone()
    second = trainer.train(first.vector, data, once, 1, rng(), first.momentum)
    assert torch.equal(first.momentum, kept)
    twice = Training(momentum=0.9, keep_momentum=True, local_steps=2)
    both = trainer.train(torch.zeros(4), data, twice, 0, rng())
    assert torch.equal(second.vector, both.vector)
    assert torch.equal(second.momentum, both.momentum)

    afresh = Training(momentum=0.9)
    alone = trainer.train(first.vector, data, afresh, 1, rng())
    ignored = trainer.train(first.vector, data, afresh, 1, rng(), kept)
    assert torch.equal(alone.vector, ignored.vector)
    assert not torch.equal(alone.vector, second.vector)
    assert alone.momentum is None


def test_without_momentum_there_is_none_to_keep():
    settings = Training(keep_momentum=True)
    out = tiny().train(torch.zeros(4), one_sample(1.0), settings, 0, rng(), torch.ones(4))
    assert out.vector.tolist() == pytest.approx([0.05, -0.05, 0.05, -0.05])
    assert out.momentum is None


def test_learners_may_share_a_trainer():
    """Also after an evaluation, and with running statistics that travel in the vector."""
    settings = Training(batch_size=4, momentum=0.9, local_epochs=2)
    data = [drawn((4,), n, classes=3) for n in (18, 23)]
    alone = []
    for one in data:
        trainer = Trainer(FlatModel(normalised()))
        vector = trainer.flat.read()
        for round_ in range(3):
            vector = trainer.train(vector, one, settings, round_, rng(round_)).vector
        alone.append(vector)
    shared = Trainer(FlatModel(normalised()))
    vectors = [shared.flat.read()] * 2
    for round_ in range(3):
        for peer, one in enumerate(data):
            out = shared.train(vectors[peer], one, settings, round_, rng(round_))
            vectors[peer] = out.vector
            evaluate(shared.flat, out.vector, one)
    p = shared.flat.layout.p
    assert all(torch.equal(a, b) for a, b in zip(alone, vectors, strict=True))
    assert not torch.equal(vectors[0][p:], normalised()[1].state_dict()["running_mean"].repeat(2))


def test_nothing_that_is_handed_in_or_out_is_touched_later():
    trainer, data = tiny(), drawn((1,), 9, classes=2)
    start, inputs = torch.ones(4), data.inputs.clone()
    before = torch.random.get_rng_state()
    first = trainer.train(start, data, Training(), 0, rng())
    kept = first.vector.clone()
    trainer.train(first.vector, data, Training(), 1, rng(1))
    assert torch.equal(start, torch.ones(4))
    assert torch.equal(data.inputs, inputs)
    assert torch.equal(first.vector, kept)
    assert torch.equal(torch.random.get_rng_state(), before)


@pytest.mark.parametrize("start", [0.0, float("nan"), float("inf"), 3e38])
def test_a_model_that_diverges_is_a_result(start):
    settings = Training(lr=1e38, momentum=0.9, local_epochs=9)
    out = tiny().train(torch.full((4,), start), drawn((1,), 64, 2), settings, 0, rng())
    assert not isfinite(out.loss)
    assert out.vector.abs().max() > 1e30 or out.vector.isnan().any()
    assert out.samples == 9 * 64


def test_no_data_and_a_wrong_length_are_refused():
    empty = Samples(inputs=torch.zeros(0, 1), labels=torch.zeros(0).long(), classes=2)
    with pytest.raises(ValueError, match="at least one sample, got 0"):
        tiny().train(torch.zeros(4), empty, Training(), 0, rng())
    with pytest.raises(ValueError, match=r"shape \(5,\), the model needs \(4,\)"):
        tiny().train(torch.zeros(5), one_sample(1.0), Training(), 0, rng())
