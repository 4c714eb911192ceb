"""What backdoors have in common that act by the adversary's data alone."""

from dataclasses import dataclass, replace
from math import isfinite
from typing import ClassVar

import numpy as np
import torch
from jaxtyping import Bool, Float, Int64
from torch import Tensor

from p2pfl.attacks.base import Honest
from p2pfl.data.triggers import Trigger
from p2pfl.data.word_triggers import WordTrigger
from p2pfl.errors import DataError
from p2pfl.learner.training import Training
from p2pfl.types import Backdoor, Knowledge, Samples


@dataclass(frozen=True, slots=True, kw_only=True)
class DataBackdoor(Honest):
    """The base: what the backdoor's inputs are to be taken for, and how it trains on them."""

    knowledge: ClassVar[Knowledge] = "local"

    target: int = 0
    """The class that the backdoor's inputs are to be taken for."""
    lr: float | None = None
    """Learning rate of the attack, > 0; null: that of benign peers."""
    local_epochs: int | None = None
    """Passes over its data per round of the attack, >= 1; null: as benign peers."""
    shared_data: int | None = None
    """How many training samples all members of the coalition train on instead of their own, >= 1:
    drawn at random of those that peers have, and poisoned, once for all; null: each its own."""

    def __post_init__(self) -> None:
        if self.shared_data is not None and self.shared_data < 1:
            raise ValueError(f"shared_data must be >= 1, or null, got {self.shared_data}")
        if self.target < 0:
            raise ValueError(f"target must be a class, from 0, got {self.target}")
        if self.lr is not None and not (isfinite(self.lr) and self.lr > 0):
            raise ValueError(f"lr must be finite and > 0, or null, got {self.lr}")
        if self.local_epochs is not None and self.local_epochs < 1:
            raise ValueError(f"local_epochs must be >= 1, or null, got {self.local_epochs}")

    def shared_samples(self) -> int | None:
        """So many as ``shared_data`` says."""
        return self.shared_data

    def settings(self, benign: Training) -> Training:
        """Those of benign peers, with its own learning rate and epochs."""
        own = benign if self.lr is None else replace(benign, lr=self.lr)
        if self.local_epochs is None:
            return own
        return replace(own, local_epochs=self.local_epochs, local_steps=None)

    def _goal(
        self, inputs: Float[Tensor, "n ..."], truly: Int64[Tensor, " n"], classes: int
    ) -> Backdoor:
        """The inputs, whose true classes are given, wanted as the target.

        Raises:
            DataError: If the target is no class of the data set, or there is no input.
        """
        check_class("target", self.target, classes)
        if len(truly) == 0:
            raise DataError("the test set has no sample on which the backdoor could be measured")
        return Backdoor(
            inputs=inputs,
            labels=torch.full_like(truly, self.target),
            of_target=truly == self.target,
        )


def check_class(name: str, label: int, classes: int) -> None:
    """Raises DataError if there is no such class."""
    if label >= classes:
        raise DataError(f"{name} must be a class of the data set, 0 .. {classes - 1}, got {label}")


def check_share(name: str, share: float) -> None:
    """Raises ValueError unless it is in (0, 1]."""
    if not 0 < share <= 1:
        raise ValueError(f"{name} must be in (0, 1], got {share}")


def stamp(inputs: Float[Tensor, "n ..."], trigger: Trigger | WordTrigger) -> Float[Tensor, "n ..."]:
    """Copies of the inputs with the trigger on each.

    Raises:
        DataError: If it does not fit them.
    """
    return torch.from_numpy(trigger.stamped(inputs.cpu().numpy())).to(inputs.device)


def chosen(count: int, data: Samples, rng: np.random.Generator) -> Bool[Tensor, " n"]:
    """So many samples at random."""
    mask = np.zeros(len(data.labels), np.bool_)
    mask[rng.permutation(len(mask))[:count]] = True
    return torch.from_numpy(mask).to(data.labels.device)


def replaced(
    data: Samples, mask: Bool[Tensor, " n"], inputs: Float[Tensor, "m ..."], label: int
) -> Samples:
    """New samples in which the masked ones are these inputs, with this label."""
    all_inputs, labels = data.inputs.clone(), data.labels.clone()
    all_inputs[mask] = inputs
    labels[mask] = label
    return replace(data, inputs=all_inputs, labels=labels)
