"""What a peer or a server decided about what it received, as it goes into the record."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field

import torch

from p2pfl.types import Artifact, Merge


@dataclass(frozen=True, slots=True, kw_only=True)
class Decision:
    """Summary of one merge: what became of each row, and why."""

    senders: tuple[int, ...] = ()
    """Whose rows were merged, ascending; the fields below are in their order."""
    staleness: tuple[int, ...] = ()
    influence: tuple[float, ...] = ()
    flagged: tuple[int, ...] | None = None
    """None if the method does not judge."""
    muted: tuple[int, ...] = ()
    rejected: tuple[int, ...] = ()
    """Whose messages failed a check."""
    missing: tuple[int, ...] = ()
    """Whose messages were lost with the process that should have made them."""
    shortfall: str | None = None
    """Why the method could not be computed and ``on_shortfall`` decided."""
    unguaranteed: str | None = None
    """What is missing to the rule's guarantee, though it was computed."""
    notes: Mapping[str, float] = field(default_factory=dict)
    details: Mapping[str, Sequence[float]] = field(default_factory=dict)
    """By name, one number per row."""
    prepared: Artifact | None = None
    """What was made of the peer's own message, if that is to be kept."""


def decided(
    merge: Merge,
    senders: tuple[int, ...],
    staleness: tuple[int, ...],
    rejected: Collection[int],
    shortfall: str | None,
    unguaranteed: str | None,
) -> Decision:
    """Tensors to plain numbers."""
    return Decision(
        senders=senders,
        staleness=staleness,
        influence=tuple(float(share) for share in merge.influence),
        flagged=None if merge.flagged is None else tuple(map(int, merge.flagged)),
        muted=tuple(int(neighbour) for neighbour in merge.muted),
        rejected=tuple(sorted(rejected)),
        shortfall=shortfall,
        unguaranteed=unguaranteed,
        notes={name: float(value) for name, value in merge.notes.items()},
        details={name: tuple(map(float, of)) for name, of in merge.details.items()},
    )


def check_merge(merge: Merge, rows: int, d: int, method: str) -> None:
    """Hold a method, which may be a user's own, to what it must return.

    Raises:
        ValueError: If a length or a type is wrong.
    """
    if merge.model.shape != (d,) or merge.model.dtype != torch.float32:
        came = f"shape {tuple(merge.model.shape)} of {merge.model.dtype}"
        raise ValueError(f"{method} gave a model of {came}, not (d,) = {d} float32")
    if merge.influence.shape != (rows,):
        lengths = tuple(merge.influence.shape)
        raise ValueError(f"{method} gave influence {lengths} for {rows} rows")
    for what, numbers in merge.details.items():
        if len(numbers) != rows:
            came = f"{len(numbers)} numbers for {rows} rows"
            raise ValueError(f"{method} gave details {what!r} of {came}")
