"""Messages that are held back."""

from collections.abc import Sequence
from dataclasses import dataclass
from math import isfinite
from typing import Literal

from p2pfl.behaviours.base import Neutral, Outgoing, Scene, Told, check_some, chosen


@dataclass(frozen=True, slots=True, kw_only=True)
class Late(Neutral):
    """Hold messages back by so many seconds, and go on meanwhile: ``{kind: late, after_s: 2}``.

    A little less than the receivers' timeout slows every round down; a little more, and they go on
    without it, with ``late: use`` one round later.
    """

    after_s: float
    """How long, in virtual seconds, > 0."""
    share: float = 1.0
    """Share of its neighbours whose messages are late, in [0, 1], drawn once."""
    peers: tuple[int, ...] | None = None
    """Ids of those, in place of a share."""
    kind: Literal["late"] = "late"

    def __post_init__(self) -> None:
        if not (isfinite(self.after_s) and self.after_s > 0):
            raise ValueError(f"after_s must be a finite number of seconds > 0, got {self.after_s}")
        check_some(self.share, self.peers)

    def sends(self, outgoing: Sequence[Outgoing], scene: Scene) -> Told:
        """Later than it could."""
        late = chosen("late", scene, self.share, self.peers)
        after_ns = round(1e9 * self.after_s)
        changed = [
            each._replace(after_ns=each.after_ns + after_ns) if each.destination in late else each
            for each in outgoing
        ]
        to = [each.destination for each in outgoing if each.destination in late]
        return changed, {"after_s": self.after_s, "to": to} if to else None
