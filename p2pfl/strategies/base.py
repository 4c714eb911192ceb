"""What strategies have in common: each says how it aggregates, and inherits all else."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from math import fsum
from typing import Any, ClassVar, Literal

from p2pfl.learner.training import Training, samples_per_round
from p2pfl.rules.sums import weighted_sum
from p2pfl.strategies.types import Assignment, Gathering, Instruction
from p2pfl.types import Kind, Merge, Vector


@dataclass(frozen=True, slots=True, kw_only=True)
class ServerStrategy:
    """What a strategy derives from: it brings ``aggregate``, and overrides what differs.

    By default the server sends its model to all, and a client trains it and sends it back.
    """

    individual: ClassVar[bool] = False
    holds_out: ClassVar[bool] = False

    @property
    def down(self) -> int:
        """The model alone."""
        return 1

    @property
    def up(self) -> int:
        """One."""
        return 1

    @property
    def sends(self) -> Kind:
        """Models."""
        return "model"

    def init(self, model: Vector) -> Any:
        """No state."""
        return None

    def instruct(self, model: Vector, state: Any, round_: int, client: int) -> Instruction:
        """The global model, and nothing else."""
        return Instruction(vector=model)

    def answers(self, given: Assignment) -> Sequence[bool]:
        """Every client does."""
        return (True,)

    def train(self, given: Assignment, memory: Any) -> tuple[Vector, Any]:
        """Local training from the global model."""
        return given.plain(given.model), None

    def client_effort(
        self, round_: int, hostile: bool, settings: Training, held: Sequence[int]
    ) -> float:
        """Plain local training."""
        return samples_per_round(settings, sum(held))

    def effort(self, messages: int, held_out: int) -> float:
        """As good as free: sums over models are little beside training them."""
        return 0.0

    def needs(self, n: int) -> str | None:
        """It promises nothing."""
        return None


def claimed_shares(view: Gathering, weights: Literal["samples", "uniform"]) -> list[float]:
    """Each row's share: by the samples that it claims, or all alike.

    A claim below 0 counts as 0. Where nobody has samples all shares are 0.
    """
    claims = [max(0, n) for n in view.samples]
    if weights == "uniform":
        claims = [1] * len(claims)
    total = sum(claims)
    # Divided as integers: a claim may be too large for a float.
    return [claim / total if total else 0.0 for claim in claims]


def only(view: Gathering, places: Sequence[int]) -> Gathering:
    """What would be at hand if only these rows had come."""
    return replace(
        view,
        received=view.received[list(places)],
        senders=tuple(view.senders[k] for k in places),
        staleness=tuple(view.staleness[k] for k in places),
        samples=tuple(view.samples[k] for k in places),
        meta=tuple(view.meta[k] for k in places),
    )


def averaged(
    view: Gathering,
    shares: Sequence[float],
    flagged: tuple[int, ...] | None = None,
    notes: Mapping[str, float] | None = None,
    details: Mapping[str, Sequence[float]] | None = None,
) -> Merge:
    """The average of the received models by shares, in float64.

    What is missing to 1 is the present model's share; with no rows it stays. A row of share 0 is
    not looked at.
    """
    kept = max(0.0, 1 - fsum(shares))
    return Merge(
        model=weighted_sum([view.model, *view.received], [kept, *shares]),
        influence=view.model.new_tensor(shares),
        flagged=flagged,
        notes=notes or {},
        details=details or {},
    )
