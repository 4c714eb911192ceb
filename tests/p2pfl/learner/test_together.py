"""Training together against training one by one."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import nn

from p2pfl.learner.together import Ready, is_faster, possible, train_together
from p2pfl.learner.training import Trainer, Training
from p2pfl.models import Cnn, Logistic, Mlp, build_model
from p2pfl.types import Samples
from p2pfl.vectors import FlatModel

SHAPE, CLASSES = (1, 12, 12), 3
MODELS = {
    "logistic": Logistic(),
    "mlp": Mlp(),
    "cnn": Cnn(channels=(2, 3), kernel=3, padding=1, hidden=5),
}


def peers(d, count=4, samples=11, rounds=(0, 0, 3, 1)):
    generator = torch.Generator().manual_seed(1)
    made = []
    for k in range(count):
        data = Samples(
            inputs=torch.rand(samples, *SHAPE, generator=generator),
            labels=torch.randint(CLASSES, (samples,), generator=generator),
            classes=CLASSES,
        )
        start = 0.3 * torch.randn(d, generator=generator)
        rng = np.random.default_rng(k)
        made.append(Ready(start=start, data=data, round=rounds[k], rng=rng, momentum=None))
    return made


def alone(trainer, peer, settings, seed):
    rng = np.random.default_rng(seed)
    return trainer.train(peer.start, peer.data, settings, peer.round, rng, peer.momentum)


@pytest.mark.parametrize("model", MODELS)
@pytest.mark.parametrize(
    "settings",
    [
        Training(lr=0.1, batch_size=4, local_epochs=2),
        Training(lr=0.1, lr_decay=0.5, batch_size=20, momentum=0.9, weight_decay=0.01),
        Training(lr=0.1, batch_size=5, local_steps=4, momentum=0.5, keep_momentum=True),
    ],
    ids=["epochs", "decay", "steps"],
)
def test_each_gets_what_it_gets_alone(model, settings):
    flat = FlatModel(build_model(MODELS[model], SHAPE, CLASSES))
    trainer, begun = Trainer(flat), peers(flat.layout.d)
    if settings.keep_momentum:  # two of them have some of the round before
        begun[1:3] = [replace(p, momentum=0.1 * torch.ones(flat.layout.p)) for p in begun[1:3]]
    starts = [peer.start.clone() for peer in begun]
    found = train_together(flat.module, flat.layout, begun, settings)
    for k, (peer, ours) in enumerate(zip(begun, found, strict=True)):
        theirs = alone(trainer, peer, settings, k)
        assert torch.allclose(ours.vector, theirs.vector, rtol=1e-5, atol=1e-5)
        assert ours.loss == pytest.approx(theirs.loss, rel=1e-5)
        assert ours.samples == theirs.samples
        assert (ours.momentum is None) == (theirs.momentum is None)
        if ours.momentum is not None:
            assert torch.allclose(ours.momentum, theirs.momentum, rtol=1e-5, atol=1e-5)
        assert torch.equal(peer.start, starts[k])


def test_one_step_by_hand():
    # Softmax of zeros over two classes: the gradient of the weights is (p - y) x = (-0.5, 0.5) x.
    module = nn.Sequential(nn.Flatten(), nn.Linear(1, 2, bias=False))
    flat = FlatModel(module)
    begun = [
        Ready(
            start=torch.zeros(2),
            data=Samples(inputs=torch.full((1, 1), x), labels=torch.tensor([0]), classes=2),
            round=0,
            rng=np.random.default_rng(0),
            momentum=None,
        )
        for x in (2.0, 4.0)
    ]
    found = train_together(module, flat.layout, begun, Training(lr=0.1, batch_size=1))
    assert found[0].vector.tolist() == pytest.approx([0.1, -0.1])
    assert found[1].vector.tolist() == pytest.approx([0.2, -0.2])
    assert found[0].loss == pytest.approx(np.log(2))


def test_one_that_diverges_leaves_the_others_alone():
    flat = FlatModel(build_model(Logistic(), SHAPE, CLASSES))
    begun = peers(flat.layout.d)
    begun[2] = replace(begun[2], start=torch.full((flat.layout.d,), torch.nan))
    settings = Training(lr=0.1, batch_size=4)
    found = train_together(flat.module, flat.layout, begun, settings)
    assert found[2].vector.isnan().all()
    theirs = alone(Trainer(flat), begun[3], settings, 3)
    assert torch.allclose(found[3].vector, theirs.vector, rtol=1e-5, atol=1e-5)


def test_peers_must_have_equally_many_samples():
    flat = FlatModel(build_model(Logistic(), SHAPE, CLASSES))
    unlike = [peers(flat.layout.d)[0], peers(flat.layout.d, samples=7)[1]]
    with pytest.raises(ValueError, match=r"equally many samples, got \[7, 11\]"):
        train_together(flat.module, flat.layout, unlike, Training())


def test_the_rule():
    logistic, cnn = (build_model(model, SHAPE, CLASSES) for model in (Logistic(), MODELS["cnn"]))
    assert is_faster(logistic, "cpu")
    assert not is_faster(cnn, "cpu")
    assert is_faster(cnn, "cuda")
    normed = nn.Sequential(nn.Flatten(), nn.Linear(4, 4), nn.BatchNorm1d(4))
    assert not possible(normed)
    assert not is_faster(normed, "cuda")
    assert not possible(nn.Sequential(nn.Linear(2, 2), nn.Dropout(0.1)))
