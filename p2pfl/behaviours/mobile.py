"""An adversary that moves from node to node.

Source
    R. Ostrovsky, M. Yung. "How to Withstand Mobile Virus Attacks." PODC 1991.
    J. Garay. "Reaching (and Maintaining) Agreement in the Presence of Mobile Faults." WDAG 1994.
"""

from dataclasses import dataclass
from typing import Literal

from p2pfl.behaviours.base import Neutral


@dataclass(frozen=True, slots=True, kw_only=True)
class Mobile(Neutral):
    """Move to another node every so many rounds: ``{kind: mobile, every: 5}``.

    The node that it leaves is benign again, with the model that it has and with what its defense
    remembers from before; what the attack remembers stays behind. For single moves there is the
    event ``move_adversary``.
    """

    every: int
    """After each so many rounds, >= 1; each node counts its own."""
    to: Literal["neighbour", "anywhere"] = "neighbour"
    """To a benign neighbour, or to any benign peer, drawn; where there is none it stays."""
    kind: Literal["mobile"] = "mobile"

    def __post_init__(self) -> None:
        if self.every < 1:
            raise ValueError(f"every counts rounds and must be >= 1, got {self.every}")
