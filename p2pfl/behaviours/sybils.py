"""One adversary under many ids.

Source
    J. Douceur. "The Sybil Attack." IPTPS 2002.
"""

from dataclasses import dataclass
from typing import Literal

from p2pfl.behaviours.base import Neutral


@dataclass(frozen=True, slots=True, kw_only=True)
class Sybils(Neutral):
    """More ids for each adversary, with edges as it chooses: ``{kind: sybils, ids: 3}``.

    The ids come behind those of all peers. Each has the adversary's samples, trains, and counts as
    a member of its coalition; they have no edges among themselves.
    """

    ids: int
    """How many more each adversary has, >= 1."""
    targets: tuple[int, ...] | None = None
    """Ids of the peers that each of them is next to; null: the adversary's own neighbours."""
    degree: int | None = None
    """Or so many benign peers, drawn for each."""
    joins_in: int = 1
    """The round in which they join, >= 1."""
    kind: Literal["sybils"] = "sybils"

    def __post_init__(self) -> None:
        if not 1 <= self.ids <= 10_000:
            raise ValueError(f"ids must be in [1, 10000], got {self.ids}")
        if self.targets is not None and self.degree is not None:
            raise ValueError(
                f"targets or degree: give one, got {list(self.targets)} and {self.degree}"
            )
        if self.targets is not None and not (
            self.targets and len(set(self.targets)) == len(self.targets) and min(self.targets) >= 0
        ):
            raise ValueError(f"targets must be ids >= 0, each once, got {list(self.targets)}")
        if self.degree is not None and self.degree < 1:
            raise ValueError(f"degree must be >= 1, got {self.degree}")
        if self.joins_in < 1:
            raise ValueError(f"joins_in counts rounds from 1, got {self.joins_in}")
