"""The clients' half, and both together."""

import numpy as np
import pytest
import torch
from torch.nn.functional import cross_entropy

from p2pfl.attacks import NoAttack
from p2pfl.defenses import LocalOnly
from p2pfl.learner.adversary import AdversarialLearner
from p2pfl.learner.conduct import Conduct
from p2pfl.learner.holder import Workbench
from p2pfl.learner.learner import Learner
from p2pfl.learner.server import ServerLearner
from p2pfl.learner.training import Trainer, Training
from p2pfl.models import Logistic, build_model
from p2pfl.seeding import stream
from p2pfl.strategies import FedAvg, Spmc
from p2pfl.strategies.types import Assignment
from p2pfl.types import InputSpec, Samples, Update
from p2pfl.vectors import FlatModel


def data():
    inputs = torch.randn(12, 1, 4, 4, generator=torch.Generator().manual_seed(0))
    return Samples(inputs=inputs, labels=torch.arange(12) % 3, classes=3)


def bench(strategy, **training):
    training = {"lr": 0.1, "batch_size": 12, **training}
    return Workbench(
        trainer=Trainer(FlatModel(build_model(Logistic(), (1, 4, 4), 3))),
        test=data(),
        inputs=InputSpec(shape=(1, 4, 4), classes=3),
        backdoor=None,
        quick_test=data(),
        quick_backdoor=None,
        rounds=5,
        training=Training(**training),
        seed=1,
        attack_seed=1,
        on_shortfall="keep_own",
        strategy=strategy,
    )


D = bench(Spmc()).trainer.flat.layout.d
WEIGHT, BIAS = slice(48), slice(48, 51)


def client(strategy, **training):
    return Learner(1, bench(strategy, **training), data(), torch.zeros(D), LocalOnly(), {})


def adversary(strategy):
    return AdversarialLearner(
        1, bench(strategy), data(), torch.zeros(D), NoAttack(), Conduct(), {}, (0,), (1,),
        LocalOnly(),
    )  # fmt: skip


def vector(seed):
    return torch.randn(D, generator=torch.Generator().manual_seed(seed)).numpy()


def told(model, round_, alpha=None, upload=None, companion=None):
    meta = {} if alpha is None else {"alpha": alpha, "upload_round": float(upload)}
    return Update(
        vector=model, kind="model", round=round_, samples=0, meta=meta, companion=companion
    )


def by_hand(start, teacher, lam=1.0, parts=(WEIGHT, BIAS), power=2, heat=1.0):
    """The projected gradient on all samples, with autograd and nothing of the strategy's."""
    functional = bench(Spmc()).trainer.functional
    at = torch.from_numpy(start.copy()).requires_grad_()
    logits = functional.logits(at, data().inputs)
    soft = (functional.logits(torch.from_numpy(teacher.copy()), data().inputs) / heat).softmax(1)
    (general,) = torch.autograd.grad(
        -(soft * logits.log_softmax(1)).sum(1).mean() * heat**2, at, retain_graph=True
    )
    (domain,) = torch.autograd.grad(cross_entropy(logits, data().labels), at)
    conflicts = 0
    for part in parts:
        dot = domain[part] @ general[part]
        if dot < 0:
            conflicts += 1
            domain[part] -= lam * dot / general[part].norm() ** power * general[part]
    return domain.numpy(), conflicts


def stepped(learner, round_, instruction):
    update, loss = learner.answer(round_, instruction)
    assert loss.loss > 0
    return update.vector


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize(
    ("settings", "formula"),
    [
        ({}, {}),
        ({"granularity": "vector"}, {"parts": (slice(51),)}),
        ({"lam": 0.5}, {"lam": 0.5}),
        ({"denominator": "norm"}, {"power": 1}),
        ({"teacher_temperature": 2.0}, {"heat": 2.0}),
    ],
)
def test_a_step_with_the_coalition_as_teacher(settings, formula, seed):
    learner = client(Spmc(**settings))
    own = stepped(learner, 1, told(vector(seed), 1))
    model = vector(seed + 10)
    teacher = (model - 0.3 * own) / 0.7
    came = stepped(learner, 2, told(model, 2, alpha=0.3, upload=1))
    expected, conflicts = by_hand(model, teacher, **formula)
    np.testing.assert_allclose(came, model - 0.1 * expected, atol=1e-5)
    plainly = stepped(client(Spmc(lam=0.0)), 2, told(model, 2))
    assert bool(conflicts) != np.allclose(came, plainly, atol=1e-6)


def test_decay_and_momentum_act_behind_the_projection():
    learner = client(Spmc(), weight_decay=0.1, momentum=0.9, local_epochs=2)
    own = stepped(learner, 1, told(vector(0), 1))
    model = vector(10)
    teacher = (model - 0.3 * own) / 0.7
    first = by_hand(model, teacher)[0] + 0.1 * model
    then = model - 0.1 * first
    second = 0.9 * first + by_hand(then, teacher)[0] + 0.1 * then
    came = stepped(learner, 2, told(model, 2, alpha=0.3, upload=1))
    np.testing.assert_allclose(came, then - 0.1 * second, atol=1e-5)


def test_a_uniform_teacher_is_made_of_the_companion():
    learner = client(Spmc(teacher="coalition_uniform"))
    own = stepped(learner, 1, told(vector(0), 1))
    model, mean = vector(10), vector(20)
    came = stepped(learner, 2, told(model, 2, alpha=0.25, upload=1, companion=mean))
    expected, _ = by_hand(model, (mean - 0.25 * own) / 0.75)
    np.testing.assert_allclose(came, model - 0.1 * expected, atol=1e-5)


@pytest.mark.parametrize(
    ("alpha", "upload"),
    [(None, None), (0.3, 0), (1.0, 1), (1 - 1e-9, 1), (0.0, 1)],
    ids=["absent", "of another upload", "all its own", "nearly so", "no share"],
)
def test_elsewhere_the_teacher_is_the_global_model(alpha, upload):
    training = {"local_epochs": 3}  # at the first step it says nothing
    model = vector(10)
    learner = client(Spmc(), **training)
    stepped(learner, 1, told(vector(0), 1))
    came = stepped(learner, 2, told(model, 2, alpha, upload))
    expected = stepped(client(Spmc(teacher="global"), **training), 2, told(model, 2))
    np.testing.assert_array_equal(came, expected)
    at = model
    for _ in range(3):
        at = at - 0.1 * by_hand(at, model)[0]
    np.testing.assert_allclose(came, at, atol=1e-4)


@pytest.mark.parametrize("mode", ["train", "eval"])
def test_the_teacher_is_in_its_mode(mode):
    guides, workbench = [], bench(Spmc())
    given = Assignment(
        client=1,
        round=1,
        model=torch.zeros(D),
        companion=None,
        meta={},
        data=data(),
        true_labels=data().labels,
        trainer=workbench.trainer,
        settings=workbench.training,
        rng=stream(0, "train", 1, 1),
        hostile=False,
        steer=None,
        plain=lambda start, steer=None, guide=None: guides.append(guide) or start,
    )
    Spmc(teacher_mode=mode).train(given, None)
    [guide] = guides
    assert guide.teacher.training == (mode == "train")


@pytest.mark.parametrize(
    ("strategy", "plain"),
    [(Spmc(lam=0.0), {1, 2, 3}), (Spmc(purify_from_round=2), {1, 2}), (Spmc(), set())],
    ids=["no projection", "later", "at once"],
)
def test_plain_rounds_are_plain_to_the_bit(strategy, plain):
    training = {"batch_size": 4, "local_epochs": 2, "momentum": 0.9, "weight_decay": 0.01}
    alike = set()
    for round_ in (1, 2, 3):
        here, there = (
            stepped(client(method, **training), round_, told(vector(round_), round_))
            for method in (strategy, FedAvg())
        )
        alike |= {round_} if np.array_equal(here, there) else set()
    assert alike == plain


def test_who_purifies():
    model, start = vector(10), vector(0)
    came = {}
    for scope in ("all", "benign_only", "malicious_only"):
        for who, make in (("benign", client), ("hostile", adversary)):
            learner = make(Spmc(purify_scope=scope))
            stepped(learner, 1, told(start, 1))
            came[scope, who] = stepped(learner, 2, told(model, 2, alpha=0.3, upload=1))
    plainly = stepped(client(FedAvg()), 2, told(model, 2))
    np.testing.assert_array_equal(came["all", "hostile"], came["all", "benign"])
    np.testing.assert_array_equal(came["benign_only", "hostile"], plainly)
    np.testing.assert_array_equal(came["malicious_only", "benign"], plainly)
    np.testing.assert_array_equal(came["malicious_only", "hostile"], came["all", "hostile"])
    assert not np.array_equal(came["all", "hostile"], plainly)


def test_what_a_client_computes_is_the_others_average():
    strategy = Spmc()
    server = ServerLearner(3, bench(strategy), torch.zeros(D), None)
    rows = [vector(k) for k in range(3)]
    sent = [Update(vector=row, kind="model", round=1, samples=5) for row in rows]
    alphas = server.merge(1, (0, 1, 2), (1, 1, 1), sent).influence
    for k, instruction in enumerate(server.instruct(2, (0, 1, 2))):
        alpha = instruction.meta["alpha"]
        assert alpha == pytest.approx(alphas[k], abs=1e-7)
        left = (instruction.vector.astype(float) - alpha * rows[k]) / (1 - alpha)
        others = sum(alphas[j] * rows[j].astype(float) for j in range(3) if j != k)
        np.testing.assert_allclose(left, others / (1 - alphas[k]), atol=1e-6)


def test_an_upload_that_is_no_number_is_rejected_and_the_others_do_not_notice():
    rows = [vector(k) for k in range(4)]
    rows[2][5] = np.nan
    decisions = []
    for came in ((0, 1, 2, 3), (0, 1, 3)):
        server = ServerLearner(4, bench(Spmc()), torch.zeros(D), None)
        sent = [Update(vector=rows[k], kind="model", round=1, samples=5) for k in came]
        decisions.append((server.merge(1, came, (1,) * len(came), sent), server.digest()))
    (with_it, digest), (without_it, other) = decisions
    assert with_it.rejected == (2,)
    assert with_it.influence == without_it.influence
    assert digest == other
