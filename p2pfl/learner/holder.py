"""What every learner has: a model, and the workbench that it shares with others of its process."""

import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from hashlib import sha256
from typing import Any

import numpy as np
import torch

from p2pfl.defenses.shortfall import OnShortfall
from p2pfl.learner.conduct import Stance
from p2pfl.learner.evaluation import Evaluation, evaluate
from p2pfl.learner.outward import to_host
from p2pfl.learner.training import Trainer, Training
from p2pfl.strategies.types import Strategy
from p2pfl.types import Backdoor, Float32Array, InputSpec, Matrix, Pace, Samples, Update, Vector


@dataclass(frozen=True, slots=True, kw_only=True)
class Workbench:
    """What the learners of one process share."""

    trainer: Trainer
    test: Samples
    inputs: InputSpec
    backdoor: Backdoor | None
    """On what the attack's success is measured, if it aims at a class."""
    quick_test: Samples
    quick_backdoor: Backdoor | None
    """The same two for evaluations before the last round; they may be fewer."""
    rounds: int | None
    """None: until the run ends."""
    training: Training
    seed: int
    attack_seed: int
    """Of what adversaries draw for their attack; their training draws from ``seed``."""
    on_shortfall: OnShortfall
    strategy: Strategy[Any] | None = None
    """The method of a server and its clients; None among peers."""
    keeps_prepared: frozenset[int] = frozenset()
    """Peers whose last merge gives what was made of their own message."""
    pace: Pace = "rounds"


class Holder:
    """Holds a model. Vectors are never changed in place: what was sent stays what it was."""

    def __init__(self, peer: int, bench: Workbench, model: Vector) -> None:
        self.peer = peer
        self._bench = bench
        self._model = model.clone()
        self._received = (len(model) * (bench.strategy.up if bench.strategy else 1),)
        self._start = self._model
        self._concluded = False

    def take(self, stance: Stance, members: Sequence[int]) -> None:
        """How to do what follows. Nobody but an adversary has a choice."""

    def conclude(self) -> None:
        """Go back to the model that the present round started from: it will not be finished."""
        self._model = self._start
        self._concluded = True

    def evaluate(self, round_: int) -> Evaluation:
        """Accuracy and loss of the present model on the test set; and the attack's success.

        Before the last round, or the end of the budget, on fewer samples, if the scenario says so.
        """
        bench = self._bench
        test, backdoor = bench.test, bench.backdoor
        if (bench.rounds is None or round_ < bench.rounds) and not self._concluded:
            test, backdoor = bench.quick_test, bench.quick_backdoor
        precision = bench.training.precision
        return evaluate(bench.trainer.flat, self._model, test, backdoor, precision=precision)

    def model(self, round_: int) -> Update:
        """The present model, for measures over several peers. Not sent to anybody."""
        vector = to_host(self._model)
        return Update(vector=vector, kind="model", round=round_, samples=0)

    def digest(self) -> str:
        """SHA-256 of the present model's bytes."""
        return sha256(to_host(self._model).tobytes()).hexdigest()

    def state(self) -> dict[str, Any]:
        """All that changes from task to task, as plain data: what a snapshot stores."""
        return {"model": self._model, "start": self._start, "concluded": self._concluded}

    def restore(self, state: Mapping[str, Any]) -> None:
        """Take up what ``state`` gave, at a learner that was made alike."""
        self._model = state["model"]
        self._start = state["start"]
        self._concluded = state["concluded"]

    def _stack(self, vectors: Sequence[Float32Array]) -> Matrix:
        rows = torch.empty((len(vectors), *self._received))
        for row, vector in zip(rows.numpy(), vectors, strict=True):
            np.copyto(row, vector)
        return rows.to(self._model.device)

    def _sound(self, update: object, kind: str, both: bool = False) -> bool:
        """Whether a message can be used. Never raises: its fields' types are claims as well.

        Args:
            update: What came.
            kind: What its vector must be.
            both: Whether it must have a companion too.
        """
        if not isinstance(update, Update):
            return False
        claimed: object = update.kind
        samples: object = update.samples
        if not isinstance(claimed, str) or claimed != kind:  # an array would compare as an array
            return False
        if not isinstance(samples, int) or not _numbers(update.meta):
            return False
        return self._finite(update.vector) and (not both or self._finite(update.companion))

    def _finite(self, vector: object) -> bool:
        if not isinstance(vector, np.ndarray) or vector.dtype != np.float32:
            return False
        if vector.shape != self._received:
            return False
        # One pass: a sum in float64 is finite exactly if all float32 terms are.
        return bool(np.isfinite(np.sum(vector, dtype=np.float64)))


_LARGEST = sys.float_info.max


def _numbers(meta: object) -> bool:
    if not isinstance(meta, Mapping):
        return False
    # Comparing takes any int, and is False for NaN; isfinite() raises where an int fits no float.
    return all(
        isinstance(value, int | float) and -_LARGEST <= value <= _LARGEST for value in meta.values()
    )
