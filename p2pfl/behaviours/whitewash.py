"""Leave, and come back with a clean record.

Source
    M. Feldman, C. Papadimitriou, J. Chuang, I. Stoica. "Free-Riding and Whitewashing in Peer-to-
    Peer Systems." ACM SIGCOMM Workshop on Practice and Theory of Incentives, 2004.
"""

from dataclasses import dataclass
from typing import Literal

from p2pfl.behaviours.base import Neutral


@dataclass(frozen=True, slots=True, kw_only=True)
class Whitewash(Neutral):
    """Leave after so many rounds and come back, again and again: ``{kind: whitewash, every: 10}``.

    Whatever a defense holds against an id stays with that id. Under a new one the adversary is
    somebody of whom nothing is known; it begins with the first model, has the same samples and
    edges, and may be told apart by nobody.
    """

    every: int
    """How many rounds it stays, >= 1."""
    away: int = 1
    """How many rounds it is away then, >= 1."""
    new_id: bool = True
    """Whether it comes back under another id, behind those of all peers; else under its own."""
    kind: Literal["whitewash"] = "whitewash"

    def __post_init__(self) -> None:
        for name, count in (("every", self.every), ("away", self.away)):
            if count < 1:
                raise ValueError(f"{name} counts rounds and must be >= 1, got {count}")
