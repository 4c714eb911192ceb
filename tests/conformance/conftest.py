"""What a peer, an adversary, a server or a client would see of a small federation."""

import importlib.util
import sys
from collections.abc import Callable, Sequence
from types import ModuleType
from typing import Any
from unittest.mock import MagicMock

import pytest
import torch
from torch import Tensor, nn

from actors.encoding import Codec
from p2pfl.learner.steers import both
from p2pfl.learner.training import Trainer, Training
from p2pfl.seeding import stream
from p2pfl.strategies.types import Assignment, Gathering, Instruction, claims
from p2pfl.types import (
    AdversaryView,
    Guide,
    InputSpec,
    Knowledge,
    Neighbourhood,
    Samples,
    Steer,
)
from p2pfl.vectors import FlatModel, FunctionalModel, Layout

P, D = 5, 7
"""Parameters, and the length of a vector with the two running statistics."""


def functional_model() -> FunctionalModel:
    module = nn.Sequential(nn.Linear(2, 1), nn.BatchNorm1d(1))
    return FunctionalModel(module, Layout.of(module))


@pytest.fixture(scope="session")
def byzfl() -> ModuleType:
    """The library, where it is installed. Mocks stand in for what only its benchmark needs."""
    if importlib.util.find_spec("byzfl") is None:
        pytest.skip("byzfl is not installed")
    for name in ("torchvision", "seaborn"):
        if importlib.util.find_spec(name) is None:
            sys.modules[name] = MagicMock()
    import byzfl

    return byzfl


@pytest.fixture(scope="session")
def stored() -> Callable[[Any], Any]:
    """What a snapshot makes of a state: all of it, equal to the bit."""

    def make(state: Any) -> Any:
        encoded, handles = Codec().encode(state)
        assert handles == []
        back = Codec().decode(encoded)
        again, _ = Codec().encode(back)
        assert again.tree == encoded.tree
        assert [_bits(array) for array in again.arrays] == [_bits(a) for a in encoded.arrays]
        return back

    return make


def _bits(array: Any) -> tuple[Any, ...]:
    return array.dtype, array.shape, array.tobytes()


@pytest.fixture
def neighbourhood():
    def make(own: Tensor, received: Tensor, staleness: Sequence[int] | None = None):
        m = len(received)
        return Neighbourhood(
            me=1,
            round=2,
            own=own,
            start=own - 0.1,
            received=received,
            senders=tuple(range(10, 10 + m)),
            staleness=(0,) * m if staleness is None else tuple(staleness),
            mixing=(1 / (m + 1),) * m,
            samples=(32,) * m,
            own_samples=32,
            meta=({},) * m,
            model=functional_model(),
            inputs=InputSpec(shape=(2,), classes=1),
            loss=lambda vector: float(vector.square().sum()),
        )

    return make


@pytest.fixture(scope="session")
def federation_view():
    """What peer ``me`` of a coalition, of 1, 4 and 6 of eight peers, sees of models ``trained``."""

    def make(
        trained: Tensor,
        knowledge: Knowledge,
        me: int = 4,
        targets: tuple[int, ...] = (0, 2, 5),
        hide: bool = True,
        members: tuple[int, ...] = (1, 4, 6),
    ):
        admitted = {"local": {me}, "neighbourhood": {me, *targets}, "colluding": {me, *members}}
        ids = range(len(trained))
        shown = [i for i in ids if not hide or i in admitted.get(knowledge, ids)]
        return AdversaryView(
            me=me,
            own=trained[me],
            start=torch.linspace(-1, 1, trained.shape[1]),
            round=3,
            targets=targets,
            members=members,
            visible=trained[shown],
            visible_ids=tuple(shown),
            layout=functional_model().layout,
            retrain=lambda start, steer=None: start + 0.5 * (trained[me] - start),
        )

    return make


def classifier() -> nn.Module:
    """Two classes: ten parameters, and four running statistics."""
    return nn.Sequential(nn.Linear(2, 2), nn.BatchNorm1d(2))


def few_samples(n: int) -> Samples:
    inputs = torch.randn(n, 2, generator=torch.Generator().manual_seed(7))
    return Samples(inputs=inputs, labels=torch.arange(n) % 2, classes=2)


@pytest.fixture
def gathering():
    """What a server sees of ``received``; its own training goes half the way to one."""

    def make(
        model: Tensor,
        received: Tensor,
        senders: Sequence[int] | None = None,
        staleness: Sequence[int] | None = None,
        round_: int = 9,
    ):
        m, module = len(received), classifier()
        return Gathering(
            round=round_,
            model=model,
            received=received,
            senders=tuple(range(m) if senders is None else senders),
            staleness=(0,) * m if staleness is None else tuple(staleness),
            samples=tuple(range(30, 30 + m)),
            meta=(claims([True] * (received.shape[1] // len(model))),) * m,
            functional=FunctionalModel(module, Layout.of(module)),
            inputs=InputSpec(shape=(2,), classes=2),
            held_out=few_samples(8),
            train=lambda vector, epochs: vector + 0.5 * epochs * (1 - vector),
            rng=stream(0, "server", round_),
        )

    return make


@pytest.fixture
def assignment():
    """What a client has to go on when it is told ``instruction``."""

    def make(instruction: Instruction, round_: int, own: Steer | None = None):
        trainer, settings = Trainer(FlatModel(classifier())), Training(lr=0.1, batch_size=4)

        def plain(start: Tensor, steer: Steer | None = None, guide: Guide | None = None) -> Tensor:
            rng, data, bent = stream(0, "train", 3, round_), few_samples(10), both(steer, own)
            return trainer.train(start, data, settings, round_, rng, None, bent, guide).vector

        return Assignment(
            client=3,
            round=round_,
            model=instruction.vector,
            companion=instruction.companion,
            meta=instruction.meta,
            data=few_samples(10),
            true_labels=few_samples(10).labels,
            trainer=trainer,
            settings=settings,
            rng=stream(0, "train", 3, round_),
            hostile=own is not None,
            steer=own,
            plain=plain,
        )

    return make
