import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import nn

from p2pfl.learner.training import Trainer, Training
from p2pfl.models import Logistic, ResNet10, SpmcCnn, build_model
from p2pfl.strategies.spmc_purifying import Purifier, project, teacher_of, without
from p2pfl.types import Samples
from p2pfl.vectors import FlatModel, Layout

ALL = [slice(2)]
EACH = [slice(0, 1), slice(1, 2)]


def projected(gradient, second, parts=ALL, lam=1.0, denominator="squared"):
    gradient = torch.tensor(gradient)
    project(gradient, torch.tensor(second), parts, lam, denominator)
    return gradient.tolist()


@pytest.mark.parametrize(
    ("lam", "denominator", "expected"),
    [
        (1.0, "squared", [1.0, 0.0]),
        (0.5, "squared", [1.0, -1.0]),
        (1.0, "norm", [1.0, 2.0]),
        (0.0, "squared", [1.0, -2.0]),
    ],
)
def test_a_conflict_is_taken_out_by_hand(lam, denominator, expected):
    came = projected([1.0, -2.0], [0.0, 2.0], lam=lam, denominator=denominator)
    assert came == pytest.approx(expected)


def test_tensor_by_tensor_or_all_at_once():
    assert projected([1.0, -1.0], [1.0, 3.0], EACH) == pytest.approx([1.0, 0.0])
    assert projected([1.0, -1.0], [1.0, 3.0], ALL) == pytest.approx([1.2, -0.4])


@pytest.mark.parametrize(
    "second",
    [[0.0, 0.0], [2.0, 1.0], [1.0, 0.0], [float("nan"), 1.0], [float("-inf"), 1.0]],
    ids=["zero", "orthogonal", "agrees", "nan", "inf"],
)
def test_without_a_conflict_every_bit_stays(second):
    gradient = [0.1, -0.2]
    assert projected(gradient, second) == torch.tensor(gradient).tolist()


def test_a_tiny_second_gradient_has_a_direction_too():
    assert projected([1.0, -2.0], [0.0, 1e-42]) == pytest.approx([1.0, 0.0])


@given(st.lists(st.floats(-100, 100, width=32), min_size=6, max_size=6))
def test_nothing_of_the_conflict_is_left(values):
    gradient, second = torch.tensor(values).split(3)
    before = gradient.double()
    bent = gradient.clone()
    project(bent, second, [slice(3)], 1.0, "squared")
    dot = float(bent.double() @ second.double())
    assert dot >= -1e-5 * float(before.norm() * second.double().norm()) - 1e-30
    assert float(bent.double().norm()) <= float(before.norm()) * (1 + 1e-6)


def test_what_is_left_of_a_mixture_by_hand():
    rows = torch.tensor([[1.0, 0.0], [1.0, 0.5], [0.0, 1.0]])
    alphas = (0.311068, 0.461272, 0.227659)
    mixture = sum(a * row for a, row in zip(alphas, rows, strict=True))
    expected = [(0.669547, 0.665226), (0.577413, 0.422587), (1.0, 0.298620)]
    for alpha, own, left in zip(alphas, rows, expected, strict=True):
        assert without(mixture, alpha, own).tolist() == pytest.approx(left, abs=4e-6)


def test_nothing_is_left_where_one_had_all():
    own = torch.tensor([1.0])
    assert without(own, 1.0, own) is None
    assert without(own, 1 - 5e-9, own) is None
    assert without(own, 1 - 2e-8, own).isfinite().all()
    huge = torch.tensor([3e38])
    assert without(huge, 0.9, -huge).tolist() == [torch.finfo(torch.float32).max]


# ------------------------------------------------------------ the teacher


def purifier(teacher, layout, temperature=1.0, precision="float32"):
    return Purifier(
        teacher=teacher,
        temperature=temperature,
        parameters=layout.parameters,
        lam=1.0,
        granularity="tensor",
        denominator="squared",
        precision=precision,
    )


@pytest.mark.parametrize("temperature", [1.0, 2.0])
def test_the_agreement_losss_gradient_by_its_formula(temperature):
    module = build_model(Logistic(), (1, 2, 2), 3)
    layout = Layout.of(module)
    vector = torch.linspace(-1, 1, layout.d)
    inputs = torch.randn(5, 1, 2, 2, generator=torch.Generator().manual_seed(0))
    logits = torch.randn(5, 3, generator=torch.Generator().manual_seed(1), requires_grad=True)
    teacher = teacher_of(module, vector, "eval")
    purifier(teacher, layout, temperature).loss(inputs, logits).backward()
    soft = (teacher(inputs).detach() / temperature).softmax(1)
    loss = -(soft * logits.log_softmax(1)).sum(1).mean() * temperature**2
    torch.testing.assert_close(logits.grad, torch.autograd.grad(loss, logits)[0])


@pytest.mark.parametrize(
    ("model", "shape", "precision"),
    [
        (Logistic(), (1, 8, 8), "float32"),
        (SpmcCnn(), (1, 28, 28), "float32"),
        (SpmcCnn(), (1, 28, 28), "bfloat16"),
        (ResNet10(norm="batch", width=0.125), (3, 16, 16), "float32"),
    ],
)
def test_with_itself_as_teacher_a_step_is_plain_to_the_bit(model, shape, precision):
    trainer = Trainer(FlatModel(build_model(model, shape, 10)))
    start = trainer.flat.read()
    generator = torch.Generator().manual_seed(0)
    data = Samples(
        inputs=torch.rand(12, *shape, generator=generator),
        labels=torch.randint(10, (12,), generator=generator),
        classes=10,
    )
    teacher = teacher_of(trainer.flat.module, start, "train")
    guide = purifier(teacher, trainer.flat.layout, precision=precision)
    for steps, alike in ((1, True), (2, False)):
        settings = Training(batch_size=12, local_steps=steps, precision=precision)
        plain, guided = (
            trainer.train(start, data, settings, 0, np.random.default_rng(0), guide=each).vector
            for each in (None, guide)
        )
        assert torch.equal(plain, guided) == alike


def test_a_teacher_is_a_copy_and_normalises_as_it_is_told():
    module = nn.Sequential(nn.Linear(2, 2), nn.BatchNorm1d(2))
    flat = FlatModel(module)
    before = flat.read()
    inputs = torch.tensor([[0.0, 1.0], [2.0, 5.0], [4.0, 0.0]])
    vector = torch.linspace(0.5, 2, flat.layout.d)
    copy = vector.clone()
    outputs = {mode: teacher_of(module, vector, mode)(inputs) for mode in ("train", "eval")}
    assert torch.equal(flat.read(), before)
    assert torch.equal(vector, copy)
    # Normalised by the batch, only the shift is left of its mean.
    batch = outputs["train"].detach().mean(0)
    torch.testing.assert_close(batch, vector[8:10])  # the shift
    assert not torch.allclose(outputs["eval"], outputs["train"])
