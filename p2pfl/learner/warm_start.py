"""Training the model that a run starts from, before there is any peer."""

from dataclasses import replace

import numpy as np

from p2pfl.learner.training import Trainer, Training
from p2pfl.types import Samples, Vector


def warm_training(settings: Training, lr: float | None, batch_size: int | None) -> Training:
    """The peers' settings for one epoch after another, with what differs.

    The rate does not decay, and momentum is carried from epoch to epoch.
    """
    return replace(
        settings,
        lr=settings.lr if lr is None else lr,
        lr_decay=1.0,
        batch_size=batch_size or settings.batch_size,
        local_epochs=1,
        local_steps=None,
        keep_momentum=True,
    )


def warmed_up(
    trainer: Trainer,
    start: Vector,
    data: Samples,
    settings: Training,
    epochs: int,
    rng: np.random.Generator,
) -> Vector:
    """A vector (d,) that was trained for so many epochs.

    Args:
        trainer: Its module is overwritten.
        start: (d,) where training begins. Not modified.
        data: Clean samples.
        settings: From :func:`warm_training`.
        epochs: >= 1.
        rng: Draws the epochs' permutations.

    Cost:
        One forward and backward pass over ``data`` per epoch.
    """
    vector, momentum = start, None
    for _ in range(epochs):
        trained = trainer.train(vector, data, settings, 0, rng, momentum)
        vector, momentum = trained.vector, trained.momentum
    return vector
