"""Every model of the registry: sizes by hand, shapes, seeds, and what does not fit."""

import dataclasses
from itertools import pairwise

import numpy as np
import pytest
import torch

from p2pfl.errors import ScenarioError
from p2pfl.learner.training import Trainer, Training
from p2pfl.models import (
    MODELS,
    Cnn,
    LeNet,
    Logistic,
    Mlp,
    ResNet10,
    ResNet18,
    SpmcCnn,
    Text,
    Vgg9,
    build_model,
    initial_vector,
)
from p2pfl.seeding import torch_seed
from p2pfl.types import Samples
from p2pfl.vectors import FlatModel, FunctionalModel, Layout

DIGITS, MNIST, CIFAR, TOKENS = (1, 8, 8), (1, 28, 28), (3, 32, 32), (1, 20)


def conv(inputs, outputs):
    return 9 * inputs * outputs


def block(inputs, outputs):
    """Two convolutions without bias, two norms, and where they do not fit, a 1x1 and its norm."""
    both = conv(inputs, outputs) + conv(outputs, outputs) + 4 * outputs
    return both + (inputs != outputs) * (inputs * outputs + 2 * outputs)


VGG9_SIXTEENTH = (
    sum(conv(a, b) + b for a, b in pairwise((3, 4, 8, 16, 16, 32, 32, 32, 32))) + 33 * 10
)
RESNET10_SIXTEENTH = conv(1, 4) + 8 + sum(block(*s) for s in pairwise((4, 4, 8, 16, 32))) + 330
RESNET18_SIXTEENTH = RESNET10_SIXTEENTH + sum(block(c, c) for c in (4, 8, 16, 32))

FITTING = [
    (Logistic(), DIGITS, 64 * 10 + 10),
    (Logistic(), MNIST, 784 * 10 + 10),
    (Logistic(), (30,), 30 * 10 + 10),
    (Mlp(), DIGITS, 65 * 64 + 65 * 10),
    (Mlp(hidden=(200,)), MNIST, 785 * 200 + 201 * 10),
    (Mlp(hidden=(32, 16)), (30,), 31 * 32 + 33 * 16 + 17 * 10),
    (Cnn(), MNIST, 80_202),
    (Cnn(), CIFAR, (75 + 1) * 16 + (400 + 1) * 32 + (32 * 5 * 5 + 1) * 128 + 129 * 10),
    (Cnn(kernel=3, padding=1), DIGITS, 10 * 16 + 145 * 32 + (32 * 2 * 2 + 1) * 128 + 129 * 10),
    (Cnn(channels=(2, 3), hidden=5), (1, 16, 20), 52 + 153 + (3 * 1 * 2 + 1) * 5 + 6 * 10),
    (LeNet(), MNIST, 61_706),
    (LeNet(), (1, 32, 32), 61_706),
    (LeNet(), CIFAR, 61_706 + 2 * 25 * 6),
    (SpmcCnn(), CIFAR, 92_626),
    (SpmcCnn(), MNIST, 92_626 - 2 * 25 * 6),
    (SpmcCnn(mean=(0.1, 0.2, 0.3), std=(0.5, 1.0, 2.0)), CIFAR, 92_626),
    (Vgg9(width=1 / 16), CIFAR, VGG9_SIXTEENTH),
    (Vgg9(width=1 / 16), (3, 64, 100), VGG9_SIXTEENTH + (2 * 3 - 1) * 32 * 10),
    (ResNet10(width=1 / 16), DIGITS, RESNET10_SIXTEENTH),
    (ResNet10(width=1 / 16, norm="batch"), DIGITS, RESNET10_SIXTEENTH),
    (ResNet18(width=1 / 16), DIGITS, RESNET18_SIXTEENTH),
    (ResNet18(width=1 / 16, norm="batch"), (1, 1, 5), RESNET18_SIXTEENTH),
    (Text(vocabulary=50, dimension=6), TOKENS, 50 * 6 + 7 * 10),
]
fitting = pytest.mark.parametrize(("model", "shape", "parameters"), FITTING)


@fitting
def test_parameters_by_hand(model, shape, parameters):
    assert Layout.of(build_model(model, shape, 10)).p == parameters


@pytest.mark.parametrize(
    ("model", "shape", "classes", "parameters"),
    [
        (Vgg9(), CIFAR, 10, 9_225_610),
        (ResNet10(), CIFAR, 10, 4_903_242),  # as published with SPMC's code
        (ResNet18(), CIFAR, 10, 11_173_962),  # as everybody's for CIFAR-10
        (ResNet18(norm="batch"), CIFAR, 10, 11_173_962),
        (Text(), (1, 256), 20, 641_300),
    ],
)
def test_published_sizes(model, shape, classes, parameters):
    with torch.device("meta"):
        layout = Layout.of(build_model(model, shape, classes))
    assert layout.p == parameters
    # Mean and variance of each channel of 20 norms: the stem's, 16 in blocks, 3 in shortcuts.
    batch = getattr(model, "norm", None) == "batch"
    assert layout.d - layout.p == batch * 2 * (64 * 5 + (128 + 256 + 512) * 5)


@fitting
def test_logits_for_any_number_of_samples(model, shape, parameters):
    module = build_model(model, shape, 10)
    for n in (1, 3):
        assert module(torch.zeros(n, *shape)).shape == (n, 10)
    assert build_model(model, shape, 4)(torch.zeros(2, *shape)).shape == (2, 4)


@fitting
def test_the_last_layer_is_the_one_that_gives_the_classes(model, shape, parameters):
    module = build_model(model, shape, 7)
    last = list(module.modules())[-1]
    layout = Layout.of(module)
    assert last.out_features == 7
    assert layout.last_layer == slice(layout.p - last.weight.numel() - 7, layout.p)


def test_spmcs_network_normalises_each_channel_first():
    plain = build_model(SpmcCnn(), CIFAR, 10)
    normal = build_model(SpmcCnn(mean=(0.1, 0.2, 0.3), std=(0.5, 1.0, 2.0)), CIFAR, 10)
    FlatModel(normal).load(FlatModel(plain).read())  # the same values in both
    inputs = torch.rand(2, *CIFAR, generator=torch.Generator().manual_seed(1))
    wanted = inputs.clone()
    for channel, (mean, std) in enumerate(((0.1, 0.5), (0.2, 1.0), (0.3, 2.0))):
        wanted[:, channel] = (inputs[:, channel] - mean) / std
    torch.testing.assert_close(normal(inputs), plain(wanted))


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"mean": (0.1,)}, "mean and std"),
        ({"mean": (float("nan"),), "std": (1.0,)}, "mean must be finite"),
        ({"mean": (0.1,), "std": (0.0,)}, "std must be finite and > 0"),
    ],
)
def test_a_wrong_normalisation_is_refused(wrong, said):
    with pytest.raises(ValueError, match=said):
        SpmcCnn(**wrong)


def test_a_normalisation_of_other_channels_is_refused():
    with pytest.raises(ScenarioError, match="has 1 channels, the images have 3"):
        SpmcCnn(mean=(0.1,), std=(1.0,)).build(CIFAR, 10)


def test_the_registry_has_each_kind_once():
    assert [model.kind for model in (m() for m in MODELS)] == [
        *("logistic", "mlp", "cnn", "lenet"),
        *("spmc_cnn", "vgg9", "resnet10", "resnet18", "text"),
    ]
    for model in MODELS:
        assert [field.name for field in dataclasses.fields(model)][-1] == "kind"
        with pytest.raises(dataclasses.FrozenInstanceError):
            model().kind = "other"


# ---------------------------------------------------------------- at work


def samples_of(shape, n=5):
    draws = torch.Generator().manual_seed(1)
    inputs = torch.rand(n, *shape, generator=draws)
    if len(shape) == 2:
        inputs = (inputs * 60).floor()  # tokens, some beyond the vocabulary
    return Samples(inputs=inputs, labels=torch.arange(n) % 3, classes=10)


@fitting
def test_it_trains_and_the_vector_is_all_there_is(model, shape, parameters):
    """The last batch has one sample: batch norm must not mind."""
    flat = FlatModel(build_model(model, shape, 10))
    start, data = initial_vector(model, shape, 10, seed=1), samples_of(shape)
    settings = Training(lr=0.01, batch_size=4)
    trained = Trainer(flat).train(start, data, settings, 0, np.random.default_rng(1))
    assert trained.vector.isfinite().all()
    assert not torch.equal(trained.vector, start)
    for part in flat.layout.parameters[-2:]:
        assert not torch.equal(trained.vector[part.slice], start[part.slice])
    flat.load(trained.vector)
    assert torch.equal(flat.read(), trained.vector)
    other = build_model(model, shape, 10).eval()
    logits = FunctionalModel(other, Layout.of(other)).logits(trained.vector, data.inputs)
    torch.testing.assert_close(logits, flat.module.eval()(data.inputs))


@fitting
def test_the_loss_has_first_and_second_derivatives(model, shape, parameters):
    module = build_model(model, shape, 10)
    functional, data = FunctionalModel(module, Layout.of(module)), samples_of(shape)
    vector = initial_vector(model, shape, 10, seed=1).requires_grad_()
    loss = functional.loss(vector, data.inputs, data.labels)
    (gradient,) = torch.autograd.grad(loss, vector, create_graph=True)
    (second,) = torch.autograd.grad(gradient.square().sum(), vector)
    assert gradient.abs().sum() > 0
    assert second.abs().sum() > 0


# ---------------------------------------------------------------- initial vector


@fitting
def test_one_seed_one_vector(model, shape, parameters):
    vector = initial_vector(model, shape, 10, seed=3)
    assert vector.dtype == torch.float32
    assert torch.equal(vector, initial_vector(model, shape, 10, seed=3))
    assert not torch.equal(vector, initial_vector(model, shape, 10, seed=4))
    FlatModel(build_model(model, shape, 10)).load(vector)


def test_it_is_torchs_own_initialisation():
    vector = initial_vector(Mlp(hidden=(5,)), (4,), 3, seed=1)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(torch_seed(1, "model"))
        layers = [torch.nn.Linear(a, b) for a, b in pairwise((4, 5, 3))]
    wanted = [p.detach().flatten() for layer in layers for p in layer.parameters()]
    assert torch.equal(vector, torch.cat(wanted))


@pytest.mark.parametrize("use", [build_model, lambda *a: initial_vector(*a, seed=1)])
def test_the_global_generator_stays_as_it_was(use):
    before = torch.random.get_rng_state()
    use(Cnn(), MNIST, 10)
    assert torch.equal(torch.random.get_rng_state(), before)
    with pytest.raises(ScenarioError):
        use(Cnn(), DIGITS, 10)
    assert torch.equal(torch.random.get_rng_state(), before)


def test_what_was_drawn_before_does_not_matter():
    first = initial_vector(Logistic(), DIGITS, 10, seed=1)
    with torch.random.fork_rng(devices=[]):
        torch.rand(3)
        assert torch.equal(initial_vector(Logistic(), DIGITS, 10, seed=1), first)


# ---------------------------------------------------------------- what does not fit


def test_five_by_five_kernels_on_digits_are_refused_layer_by_layer():
    with pytest.raises(ScenarioError) as refusal:
        build_model(Cnn(), DIGITS, 10)
    assert str(refusal.value) == (
        "cnn with kernel: 5, padding: 0 does not fit images of 8x8: 8x8 -> 4x4 (convolution 1) -> "
        "2x2 (pooling 1) -> nothing (convolution 2). kernel: 3, padding: 1 would fit"
    )


@pytest.mark.parametrize("side", range(1, 33))
@pytest.mark.parametrize(("kernel", "padding"), [(5, 0), (3, 0), (3, 1), (1, 0), (4, 3), (7, 1)])
def test_a_cnn_is_refused_exactly_where_torch_would_fail(side, kernel, padding):
    model = Cnn(channels=(2, 2), hidden=3, kernel=kernel, padding=padding)
    layers = build_model(model, (1, 64, 64), 2)[:6]
    try:
        fits = min(layers(torch.zeros(1, 1, side, side)).shape) > 0
    except RuntimeError:
        fits = False
    if fits:
        module = build_model(model, (1, side, side), 2)
        assert module(torch.zeros(1, 1, side, side)).shape == (1, 2)
    else:
        with pytest.raises(ScenarioError, match=f"does not fit images of {side}x{side}"):
            build_model(model, (1, side, side), 2)


@pytest.mark.parametrize("side", range(1, 20))
def test_what_a_refusal_suggests_does_fit(side):
    with pytest.raises(ScenarioError) as refusal:
        build_model(Cnn(kernel=9), (1, side, 30), 10)
    if side < 4:
        assert "logistic and mlp take any shape" in str(refusal.value)
    else:
        assert "kernel: 3, padding: 1 would fit" in str(refusal.value)
        build_model(Cnn(kernel=3, padding=1), (1, side, 30), 10)


@pytest.mark.parametrize("model", [Cnn(), LeNet(), SpmcCnn(), Vgg9(), ResNet10(), ResNet18()])
@pytest.mark.parametrize("shape", [(64,), (8, 8), (1, 1, 28, 28)])
def test_images_only(model, shape):
    with pytest.raises(ScenarioError, match=f"{model.kind} takes images.*logistic and mlp"):
        build_model(model, shape, 10)


@pytest.mark.parametrize("model", [LeNet(), SpmcCnn()])
@pytest.mark.parametrize("shape", [DIGITS, (1, 28, 32), (3, 64, 64)])
def test_two_sizes_only(model, shape):
    message = f"{model.kind} takes.* 32x32, or of 28x28 .*are {shape[1]}x{shape[2]}"
    with pytest.raises(ScenarioError, match=message):
        build_model(model, shape, 10)


@pytest.mark.parametrize("shape", [(), (0,), (1, 0, 8)])
@pytest.mark.parametrize("use", [build_model, lambda *a: initial_vector(*a, seed=1)])
def test_a_shape_without_extent_is_refused(use, shape):
    with pytest.raises(ScenarioError, match="sides >= 1"):
        use(Logistic(), shape, 10)


def test_one_class_is_nothing_to_learn():
    with pytest.raises(ScenarioError, match=">= 2 classes to tell apart, got 1"):
        build_model(Logistic(), DIGITS, 1)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: Mlp(hidden=()), r"at least one layer.*got \[\]; kind: logistic"),
        (lambda: Mlp(hidden=(3, 0)), r"got \[3, 0\]"),
        (lambda: Cnn(channels=(0, 3)), r"channels must be >= 1 each, got \[0, 3\]"),
        (lambda: Cnn(kernel=0), "kernel must be >= 1, got 0"),
        (lambda: Cnn(hidden=-1), "hidden must be >= 1, got -1"),
        (lambda: Cnn(padding=-1), "padding must be >= 0, got -1"),
        (lambda: Vgg9(width=0.0), "width must be finite and > 0, got 0"),
        (lambda: ResNet10(width=-1.0), "width must be finite and > 0, got -1"),
        (lambda: ResNet18(width=float("inf")), "width must be finite and > 0, got inf"),
        (lambda: Text(vocabulary=1), "vocabulary must be >= 2, got 1"),
        (lambda: Text(dimension=0), "dimension must be >= 1, got 0"),
    ],
)
def test_impossible_sizes_are_refused(make, message):
    with pytest.raises(ValueError, match=message):
        make()
