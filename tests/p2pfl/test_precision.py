"""Mixed precision: by hand where bfloat16 rounds, and for every model."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import nn

from p2pfl.learner.evaluation import evaluate
from p2pfl.learner.together import Ready, possible, train_together
from p2pfl.learner.training import Trainer, Training
from p2pfl.models import MODELS, Text, build_model, initial_vector
from p2pfl.precision import logits_of
from p2pfl.types import Samples
from p2pfl.vectors import FlatModel

HALF = Training(lr=0.1, batch_size=1, precision="bfloat16")


def linear(*weights):
    """Logits w x of one input, for as many classes as weights."""
    module = nn.Sequential(nn.Flatten(), nn.Linear(1, len(weights), bias=False))
    flat = FlatModel(module)
    flat.load(torch.tensor(weights))
    return flat


def one_sample(value, label=0, classes=2):
    return Samples(inputs=torch.full((1, 1), value), labels=torch.tensor([label]), classes=classes)


def test_products_are_of_rounded_numbers():
    # Between 1 and 2 bfloat16 has steps of 2^-7; 1 + 2^-9 is nearer to 1.
    flat = linear(1 + 2**-9, -1.0)
    ones = torch.ones(1, 1)
    assert logits_of(flat.module, ones, "bfloat16").tolist() == [[1.0, -1.0]]
    assert logits_of(flat.module, ones, "float32").tolist() == [[1 + 2**-9, -1.0]]
    assert logits_of(flat.module, ones, "bfloat16").dtype == torch.float32


class Strides(nn.Module):
    """Gives what it gets, and notes its strides."""

    def forward(self, images):
        self.came = images.stride()
        return images


@pytest.mark.parametrize(("shape", "wanted"), [
    ((2, 3, 4, 5), (60, 1, 15, 3)),
    ((2, 1, 4, 5), (20, 1, 5, 1)),  # the same numbers in the same places
])  # fmt: skip
def test_a_module_gets_images_with_channels_side_by_side(shape, wanted):
    images = torch.randn(3, *shape[1:])[1:]  # not from the storage's beginning
    module = Strides()
    assert torch.equal(logits_of(module, images, "float32"), images)
    assert module.came == wanted
    turned = torch.randn(shape).transpose(2, 3)
    assert torch.equal(logits_of(module, turned, "float32"), turned)


@pytest.mark.parametrize("inputs", [torch.randn(2, 4), torch.randn(2, 3, 4)])
def test_other_inputs_come_as_they_are(inputs):
    module = Strides()
    assert logits_of(module, inputs, "float32") is inputs
    images = torch.randn(2, 3, 4, 5)
    assert logits_of(lambda came: came, images, "float32") is images  # as under vmap


def test_weights_are_kept_in_float32():
    # At zero logits the gradient is (p - y) x = (-1, 1), exact in bfloat16; the step 0.1 is not.
    flat = linear(0.0, 0.0)
    rng = np.random.default_rng(0)
    trained = Trainer(flat).train(torch.zeros(2), one_sample(2.0), HALF, 0, rng)
    assert trained.vector.dtype == torch.float32
    assert torch.equal(trained.vector, torch.tensor([0.1, -0.1]))
    assert trained.loss == pytest.approx(np.log(2))


def test_steps_below_the_resolution_add_up():
    # 0.001 is lost beside 1 in bfloat16; a hundred of them are not in the float32 weights.
    flat = linear(1.0, 1.0)
    settings = replace(HALF, lr=0.001, batch_size=1, local_epochs=None, local_steps=100)
    start, rng = torch.ones(2), np.random.default_rng(0)
    trained = Trainer(flat).train(start, one_sample(1.0), settings, 0, rng)
    # Until 0.002 of it have come together bfloat16 sees (1, 1): 100 gradients near (-0.5, 0.5).
    assert trained.vector.tolist() == pytest.approx([1.05, 0.95], abs=2e-3)


def test_an_evaluation_is_of_rounded_products_too():
    flat = linear(1.0, 1 + 2**-9)
    vector = flat.read()
    second = one_sample(1.0, label=1)
    assert evaluate(flat, vector, second).accuracy == 1
    # Now both logits are 1, and the first of equals counts.
    assert evaluate(flat, vector, second, precision="bfloat16").accuracy == 0


@pytest.mark.parametrize("model", MODELS, ids=lambda model: model.__name__)
def test_every_model_trains_near_what_it_does_in_float32(model):
    tokens = model is Text
    shape = (1, 6) if tokens else (3, 32, 32)
    generator = torch.Generator().manual_seed(1)
    inputs = torch.rand(6, *shape, generator=generator)
    data = Samples(
        inputs=(inputs * 100).round() if tokens else inputs,
        labels=torch.tensor([0, 1, 2, 0, 1, 2]),
        classes=3,
    )
    flat = FlatModel(build_model(model(), shape, 3))
    trainer, start = Trainer(flat), initial_vector(model(), shape, 3, seed=1)
    found = {}
    for precision in ("float32", "bfloat16"):
        settings = Training(lr=0.01, batch_size=3, precision=precision)
        trained = trainer.train(start, data, settings, 0, np.random.default_rng(0))
        evaluation = evaluate(flat, start, data, precision=precision)
        found[precision] = trained.vector - start, evaluation.loss
    (exact, exact_loss), (ours, loss) = found.values()
    assert torch.linalg.vector_norm(ours - exact) < 0.5 * torch.linalg.vector_norm(exact)
    assert not torch.equal(ours, exact)
    assert loss == pytest.approx(exact_loss, rel=0.02)
    assert flat.read().dtype == flat.gradient.dtype == torch.float32


@pytest.mark.parametrize("model", ["Logistic", "Mlp", "Cnn"])
def test_together_as_one_by_one(model):
    kind = next(each for each in MODELS if each.__name__ == model)
    module = build_model(kind(), (1, 16, 16), 3)
    assert possible(module)
    flat = FlatModel(module)
    generator = torch.Generator().manual_seed(1)
    settings = Training(lr=0.1, batch_size=4, momentum=0.9, precision="bfloat16")
    start = initial_vector(kind(), (1, 16, 16), 3, seed=1)
    peers = [
        Ready(
            start=start,
            data=Samples(
                inputs=torch.rand(8, 1, 16, 16, generator=generator),
                labels=torch.randint(3, (8,), generator=generator),
                classes=3,
            ),
            round=0,
            rng=np.random.default_rng(k),
            momentum=None,
        )
        for k in range(3)
    ]
    found = train_together(module, flat.layout, peers, settings)
    for k, (peer, ours) in enumerate(zip(peers, found, strict=True)):
        rng = np.random.default_rng(k)
        alone = Trainer(flat).train(start, peer.data, settings, 0, rng)
        assert ours.vector.dtype == torch.float32
        apart = torch.linalg.vector_norm(ours.vector - alone.vector)
        assert apart < 0.1 * torch.linalg.vector_norm(alone.vector - start)
        assert ours.loss == pytest.approx(alone.loss, rel=0.02)
