"""Local training: mini-batch SGD from one vector to the next.

Source
    The update is that of ``torch.optim.SGD`` (dampening 0, no Nesterov), to the bit. The round's
    shape, local epochs over one's own data, is that of B. McMahan et al. "Communication-Efficient
    Learning of Deep Networks from Decentralized Data." AISTATS 2017. arXiv:1602.05629.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from math import ceil, isfinite

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn.functional import cross_entropy

from p2pfl.learner.part import Batch, Part, drawn_from
from p2pfl.precision import Precision, logits_of
from p2pfl.types import Guide, Samples, Steer, Vector
from p2pfl.vectors import FlatModel, FunctionalModel


@dataclass(frozen=True, slots=True, kw_only=True)
class Training:
    """What every peer does in a round: ``{lr: 0.1, batch_size: 32, local_epochs: 1}``."""

    lr: float = 0.1
    """Learning rate of round 0, finite and > 0."""
    lr_decay: float = 1.0
    """Factor on the learning rate per round, in (0, 1]: round r trains with lr * lr_decay ** r."""
    momentum: float = 0.0
    """Share of the last step's direction that is kept, in [0, 1)."""
    weight_decay: float = 0.0
    """Factor of the L2 penalty's gradient, finite and >= 0. Acts on all parameters."""
    batch_size: int = 32
    """Samples of a step, >= 1. The last batch of an epoch has what is left."""
    local_epochs: int | None = None
    """Passes over the peer's own data per round, >= 1. 1 unless ``local_steps`` is given."""
    local_steps: int | None = None
    """Mini-batches per round, >= 1, instead of ``local_epochs``. Epochs follow one another as far
    as needed, and the next round begins a new one."""
    keep_momentum: bool = False
    """Whether a peer carries its momentum from round to round. Otherwise each starts at zero."""
    precision: Precision = "float32"
    """In what training and evaluation compute. bfloat16: mixed precision, for GPUs: convolutions
    and products of matrices in bfloat16, two to three decimal digits, so that results differ from
    those of float32 beyond rounding. Models, momentum and messages are float32 in either case, and
    so is all that defenses, strategies and attacks reckon besides."""

    def __post_init__(self) -> None:
        if not (isfinite(self.lr) and self.lr > 0):
            raise ValueError(f"lr must be finite and > 0, got {self.lr}")
        if not 0 < self.lr_decay <= 1:
            raise ValueError(f"lr_decay is a factor per round in (0, 1], got {self.lr_decay}")
        if not 0 <= self.momentum < 1:
            raise ValueError(f"momentum must be in [0, 1), got {self.momentum}")
        if not (isfinite(self.weight_decay) and self.weight_decay >= 0):
            raise ValueError(f"weight_decay must be finite and >= 0, got {self.weight_decay}")
        if self.local_epochs is not None and self.local_steps is not None:
            raise ValueError(
                "give local_epochs or local_steps, not both: got "
                f"local_epochs: {self.local_epochs}, local_steps: {self.local_steps}"
            )
        if self.local_epochs is None and self.local_steps is None:
            # Here and not as the field's default, or every local_steps would need a null beside it.
            object.__setattr__(self, "local_epochs", 1)
        for name, count in (
            ("batch_size", self.batch_size),
            ("local_epochs", self.local_epochs),
            ("local_steps", self.local_steps),
        ):
            if count is not None and count < 1:
                raise ValueError(f"{name} must be >= 1, got {count}")

    def steps(self, n_samples: int) -> int:
        """Mini-batches of one round on ``n_samples`` samples.

        Raises:
            ValueError: If there is no sample.
        """
        if n_samples < 1:
            raise ValueError(f"training needs at least one sample, got {n_samples}")
        if self.local_steps is not None:
            return self.local_steps
        assert self.local_epochs is not None  # as __post_init__ left it
        return self.local_epochs * ceil(n_samples / self.batch_size)


@dataclass(frozen=True, slots=True, kw_only=True)
class Trained:
    """What a round of local training gave."""

    vector: Vector
    """(d,) a tensor of its own."""
    momentum: Float[Tensor, " p"] | None
    """(p,) for the next round; None unless it is to be kept."""
    loss: float
    """Mean cross-entropy over all processed samples, each under the model of its step."""
    samples: int
    """Processed samples, one of two epochs counted twice."""


class Trainer:
    """Trains vectors in one module, which all learners of the process share.

    It holds nothing of a learner: what a learner is lies in its vector, its momentum, its data
    and its generator. Same arguments, same bits, on one thread of the same kind of machine.
    """

    flat: FlatModel
    """The shared module: load a vector before using it."""
    functional: FunctionalModel
    """The same module at any vector, for methods that differentiate."""

    def __init__(self, flat: FlatModel) -> None:
        self.flat = flat
        self.functional = FunctionalModel(flat.module, flat.layout)

    def train(
        self,
        start: Vector,
        data: Samples | Part,
        settings: Training,
        round: int,  # noqa: A002 - the project's word
        rng: np.random.Generator,
        momentum: Float[Tensor, " p"] | None = None,
        steer: Steer | None = None,
        guide: Guide | None = None,
    ) -> Trained:
        """One round of local SGD.

        A model that diverges (inf, NaN) is returned as it is: that is a result, not an error.

        Args:
            start: (d,) not modified.
            data: At least one sample, on the module's device.
            settings: The hyper-parameters.
            round: The peer's count of rounds from 0, for the learning rate's decay.
            rng: Draws the epochs' permutations, and nothing else.
            momentum: (p,) what the last round returned. Not modified; used only if
                ``settings.keep_momentum``.
            steer: How an adversary bends its steps; None for everybody else.
            guide: A second loss, whose gradient acts before ``steer``. Costs another backward pass.

        Raises:
            ValueError: If ``data`` is empty or ``start`` has the wrong length.
        """
        flat = self.flat
        flat.load(start)
        flat.module.train()
        # Without the graph, so that a step in place needs no context around it.
        weights, gradient = flat.parameters.detach(), flat.gradient
        keeps = settings.keep_momentum and settings.momentum > 0
        velocity = momentum.clone() if keeps and momentum is not None else None
        step_size = -settings.lr * settings.lr_decay**round
        losses: list[Tensor] = []
        sizes: list[int] = []
        for inputs, labels in batches(data, settings, rng):
            flat.zero_grad()
            logits = logits_of(flat.module, inputs, settings.precision)
            second = None
            if guide is not None:
                guide.loss(inputs, logits).backward(retain_graph=True)  # type: ignore[no-untyped-call]
                second = gradient.clone()
                flat.zero_grad()
            loss = cross_entropy(logits, labels)
            loss.backward()  # type: ignore[no-untyped-call]
            losses.append(loss.detach())  # reading its value here would wait for a GPU
            sizes.append(len(labels))
            if guide is not None and second is not None:
                guide.gradient(gradient, second)
            if steer is not None:
                steer.gradient(weights, gradient)
            # torch.optim.SGD by hand: to construct one imports torch's compiler, which costs every
            # process a second and 75 MB, and its step costs 15 microseconds more than this.
            if settings.weight_decay:
                gradient.add_(weights, alpha=settings.weight_decay)
            direction = gradient
            if settings.momentum:
                if velocity is None:
                    velocity = gradient.clone()
                else:
                    velocity.mul_(settings.momentum).add_(gradient)
                direction = velocity
            weights.add_(direction, alpha=step_size)
            if steer is not None:
                steer.weights(weights)
        return Trained(
            vector=flat.read(),
            momentum=velocity if keeps else None,
            loss=weighted_mean(losses, sizes),
            samples=sum(sizes),
        )


def samples_per_round(settings: Training, n_samples: int) -> int:
    """How many samples a round processes, each as often as it is used.

    Raises:
        ValueError: If ``n_samples`` is below 1.

    >>> samples_per_round(Training(batch_size=32, local_steps=4), 70)  # 32 + 32 + 6, then 32
    102
    """
    epochs, more = divmod(settings.steps(n_samples), ceil(n_samples / settings.batch_size))
    return epochs * n_samples + more * settings.batch_size


def batches(data: Samples | Part, settings: Training, rng: np.random.Generator) -> Iterator[Batch]:
    """Cut a fresh permutation per epoch into batches, until the round has its steps."""
    part = drawn_from(data)
    left = settings.steps(len(part))
    while left > 0:
        drawn = rng.permutation(len(part))[: left * settings.batch_size]
        order = torch.from_numpy(drawn).to(part.device)
        for batch in torch.split(order, settings.batch_size):
            yield part.batch(batch)
            left -= 1


def weighted_mean(losses: list[Tensor], sizes: list[int]) -> float:
    """Of a loss per step, each as often as it has samples. In float64."""
    values = torch.stack(losses).cpu().double()
    weights = torch.tensor(sizes, dtype=torch.float64)
    return float((values * weights).sum() / weights.sum())
