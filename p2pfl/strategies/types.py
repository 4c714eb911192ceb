"""What a server and its clients hand to one another."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, ClassVar, Protocol, TypeVar

import numpy as np
from jaxtyping import Int64
from torch import Tensor

from p2pfl.learner.training import Trainer, Training
from p2pfl.types import Guide, InputSpec, Kind, Matrix, Merge, Samples, Steer, Vector
from p2pfl.vectors import FunctionalModel

S = TypeVar("S")


@dataclass(frozen=True, slots=True, kw_only=True)
class Instruction:
    """What the server sends to a client at the start of a round."""

    vector: Vector
    """(d,) the global model."""
    companion: Vector | None = None
    """(d,) a second vector, such as a teacher's model. It counts in the bytes."""
    meta: Mapping[str, float] = field(default_factory=dict)
    """Numbers beside it, such as the class that is asked for."""


class Plain(Protocol):
    """Local training as every client does it, bent by ``Assignment.steer``: (d,) to (d,)."""

    def __call__(
        self, start: Vector, steer: Steer | None = None, guide: Guide | None = None
    ) -> Vector:
        """From any start; ``guide``, then ``steer`` bend it, before an adversary's own does."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Assignment:
    """All that one client has to go on in a round."""

    client: int
    round: int
    """The server's count of rounds, from 1."""
    model: Vector
    """(d,) the global model, as it came."""
    companion: Vector | None
    meta: Mapping[str, float]
    data: Samples
    """Its own samples; an adversary's are poisoned."""
    true_labels: Int64[Tensor, " n"]
    """Of these samples, before an adversary relabelled them; their labels where it made others."""
    trainer: Trainer
    settings: Training
    rng: np.random.Generator
    """For a training of the strategy's own: one stream per client and round."""
    hostile: bool
    """Whether an adversary runs this, in a round of its attack."""
    steer: Steer | None
    """How an adversary bends its steps; None for everybody else."""
    plain: Plain


@dataclass(frozen=True, slots=True, kw_only=True)
class Gathering:
    """All that the server may use to build the next global model.

    Row k of ``received`` came from ``senders[k]``; rows are ascending by sender and were checked:
    finite, of the right length and kind. There may be none (m = 0).
    """

    round: int
    model: Vector
    """(d,) the global model that this round started from."""
    received: Matrix
    """(m, up * d)."""
    senders: tuple[int, ...]
    staleness: tuple[int, ...]
    samples: tuple[int, ...]
    """Training samples behind each row, as claimed."""
    meta: Sequence[Mapping[str, float]]
    functional: FunctionalModel
    inputs: InputSpec
    held_out: Samples | None
    """What the server holds out of the training data; None unless the scenario says so."""
    train: Callable[[Vector, int], Vector]
    """Trains a model (d,) on the held-out samples for so many epochs, as a client would."""
    rng: np.random.Generator
    """For a strategy that draws: one stream per round."""
    rejected: tuple[int, ...] = ()
    """Who sent nothing but what failed a check."""


class Strategy(Protocol[S]):
    """A centralised method: the server's half and its clients' half.

    Derive from :class:`p2pfl.strategies.base.ServerStrategy`, which has all but ``aggregate``.
    """

    individual: ClassVar[bool]
    """Whether clients of one round get different instructions. Otherwise one travels to all."""
    holds_out: ClassVar[bool]
    """Whether it needs ``Gathering.held_out``."""

    @property
    def down(self) -> int:
        """Vectors in an instruction: 2 with a companion."""
        ...

    @property
    def up(self) -> int:
        """Vectors in a client's message, one behind the other."""
        ...

    @property
    def sends(self) -> Kind:
        """What a client's message is."""
        ...

    def init(self, model: Vector) -> S:
        """The server's state before the first round, given the initial model (d,)."""
        ...

    def instruct(self, model: Vector, state: S, round_: int, client: int) -> Instruction:
        """What a client is told. With ``individual`` False it is called once, for the first."""
        ...

    def answers(self, given: Assignment) -> Sequence[bool]:
        """At the client: of each vector of its message, whether it says anything. If not, no attack
        is shown it, and it must not count in ``aggregate``: see :func:`says`."""
        ...

    def train(self, given: Assignment, memory: Any) -> tuple[Vector, Any]:
        """At the client: its message (up * d,), and what it remembers until it is asked again.

        ``memory`` is None at first.
        """
        ...

    def client_effort(
        self, round_: int, hostile: bool, settings: Training, held: Sequence[int]
    ) -> float:
        """What ``train`` costs a client that has so many samples of each class, in passes of one
        training sample (forward and backward): charged in virtual time. ``hostile``: an
        adversary's, in a round of its attack."""
        ...

    def effort(self, messages: int, held_out: int) -> float:
        """What ``aggregate`` costs, in passes of one training sample (forward and backward), for so
        many messages and held-out samples: charged in virtual time."""
        ...

    def aggregate(self, view: Gathering, state: S) -> tuple[Merge, S]:
        """The next global model, and what each row counted for. Raises TooFewNeighbours where it
        cannot be computed."""
        ...

    def needs(self, n: int) -> str | None:
        """None if its guarantee holds for n clients, else what is missing, as a sentence."""
        ...


def claims(answers: Sequence[bool]) -> dict[str, float]:
    """What a message of several vectors says of each beside it; of a single one its samples do."""
    if len(answers) == 1:
        return {}
    return {f"says_{part}": float(says) for part, says in enumerate(answers)}


def says(samples: int, meta: Mapping[str, float], part: int, up: int) -> bool:
    """Whether a message claims to say anything in its vector number ``part`` of ``up``."""
    return samples > 0 and (up == 1 or meta.get(f"says_{part}", 0.0) > 0)
