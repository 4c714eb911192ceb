"""Messages to some neighbours only."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar, Literal

from p2pfl.behaviours.base import Neutral, Outgoing, Scene, Told, check_some, chosen


@dataclass(frozen=True, slots=True, kw_only=True)
class Selective(Neutral):
    """Send to some neighbours, and nothing to the others, which wait in vain."""

    among_peers: ClassVar[bool] = True

    share: float = 0.5
    """Share of its neighbours that it sends to, in [0, 1], drawn once."""
    peers: tuple[int, ...] | None = None
    """Ids of those that it sends to, in place of a share."""
    kind: Literal["selective"] = "selective"

    def __post_init__(self) -> None:
        check_some(self.share, self.peers)

    def sends(self, outgoing: Sequence[Outgoing], scene: Scene) -> Told:
        """Without the others' messages."""
        to = chosen("selective", scene, self.share, self.peers)
        withheld = [each.destination for each in outgoing if each.destination not in to]
        kept = [each for each in outgoing if each.destination in to]
        return kept, {"withheld": withheld} if withheld else None
