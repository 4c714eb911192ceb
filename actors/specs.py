"""What a process is told when it starts: the data, what all learners share, what is each one's own.

Small and picklable, but for the arrays.
"""

import warnings
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np
import numpy.typing as npt
import torch

from p2pfl.defenses.shortfall import OnShortfall
from p2pfl.learner.conduct import Conduct
from p2pfl.learner.training import Training
from p2pfl.models import Model
from p2pfl.strategies.types import Strategy
from p2pfl.types import Attack, Backdoor, Defense, Float32Array, Pace


@dataclass(frozen=True, slots=True, kw_only=True)
class BackdoorArrays:
    """A :class:`p2pfl.types.Backdoor` as numpy arrays."""

    inputs: Float32Array
    labels: npt.NDArray[np.int64]
    of_target: npt.NDArray[np.bool_]
    groups: Mapping[int, int] = field(default_factory=dict)

    @classmethod
    def of(cls, backdoor: Backdoor) -> "BackdoorArrays":
        """From tensors on the CPU."""
        return cls(
            inputs=np.ascontiguousarray(backdoor.inputs.numpy()),
            labels=backdoor.labels.numpy(),
            of_target=backdoor.of_target.numpy(),
            groups=backdoor.groups,
        )

    @property
    def nbytes(self) -> int:
        """Memory of all arrays, in bytes."""
        return self.inputs.nbytes + self.labels.nbytes + self.of_target.nbytes

    def on(self, device: str) -> Backdoor:
        """As tensors on a device; on the CPU without a copy."""
        return Backdoor(
            inputs=shared(self.inputs).to(device),
            labels=shared(self.labels).to(device),
            of_target=shared(self.of_target).to(device),
            groups=self.groups,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Arrays:
    """The data set as numpy arrays: on Ray one copy a node, shared by all its processes."""

    inputs: Float32Array
    labels: npt.NDArray[np.int64]
    test_inputs: Float32Array
    test_labels: npt.NDArray[np.int64]
    backdoor: BackdoorArrays | None = None
    """On what a targeted attack's success is measured."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PeerSpec:
    """What is one peer's own."""

    peer: int
    samples: npt.NDArray[np.int64]
    """Indices of its training samples."""
    mixing: Mapping[int, float]
    """Metropolis-Hastings weight of each peer that sends to it; under ``pairwise`` half for each,
    as it is merged alone."""
    mixings: tuple[Mapping[int, float], ...] = ()
    """The same of each round's graph, where rounds differ."""
    targets: tuple[int, ...]
    """To whom it sends, ascending."""
    server: bool = False
    """Whether it is the server. ``samples`` are then what it holds out."""
    coalition: int | None
    """Which of ``HostSpec.coalitions`` it is of, or will be; None for a benign peer."""
    possessed: bool = True
    """Of one that is: whether it is an adversary from the beginning on."""

    @property
    def role(self) -> str:
        """``benign``, ``adversary`` or ``server``."""
        return "server" if self.server else "adversary" if self.adversary else "benign"

    @property
    def adversary(self) -> bool:
        """Whether it is one at the beginning."""
        return self.coalition is not None and self.possessed


@dataclass(frozen=True, slots=True, kw_only=True)
class Coalition:
    """Adversaries that attack alike and know of one another."""

    attack: Attack[Any]
    conduct: Conduct
    members: tuple[int, ...]
    """At the beginning, ascending."""
    everyone: tuple[int, ...]
    """Where its adversaries are at some time, ascending."""
    visited: tuple[int, ...] = ()
    """Of these, who is benign at the beginning."""


@dataclass(frozen=True, slots=True, kw_only=True)
class HostSpec:
    """All that a process needs to know, beside the data. Small and picklable."""

    model: Model
    shape: tuple[int, ...]
    classes: int
    initial: Float32Array
    training: Training
    rounds: int | None
    """None: until the run ends."""
    keeps_prepared: tuple[int, ...]
    """Peers whose last merge gives what was made of their own message."""
    evaluate_samples: int | None
    """Test samples of evaluations before the last round; None: all."""
    defense: Defense[Any]
    strategy: Strategy[Any] | None = None
    """The server's; None among peers."""
    coalitions: tuple[Coalition, ...]
    on_shortfall: OnShortfall
    poisoned_classes: tuple[int, ...] | None
    seed: int
    """Of all draws but the adversaries' own."""
    attack_seed: int
    device: Literal["cpu", "cuda"]
    pace: Pace = "rounds"
    batch: bool = False
    """Whether peers of one process train together where they can."""
    deterministic: bool = False
    """Whether a GPU's kernels must give the same bits each time."""


def shared(array: npt.NDArray[Any]) -> torch.Tensor:
    """A tensor on the array's own memory, which nobody writes to."""
    with warnings.catch_warnings():
        # Memory from Ray's object store is read-only; torch has no such tensors and warns.
        warnings.filterwarnings("ignore", message="The given NumPy array is not writable")
        return torch.from_numpy(array)
