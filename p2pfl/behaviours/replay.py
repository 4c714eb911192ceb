"""An old message, sent as if it were new.

Source
    P. Syverson. "A Taxonomy of Replay Attacks." Computer Security Foundations Workshop VII, 1994.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from p2pfl.behaviours.base import Messages, Neutral, Outgoing, Scene, Told


@dataclass(frozen=True, slots=True, kw_only=True)
class Replay(Neutral):
    """Send an old message of one's own, or one that a neighbour sent: ``{kind: replay, age: 3}``.

    It claims the present round. As long as there is none so old, messages stay as they are. What
    is replayed is the whole message, whatever it was encoded as.
    """

    of: Literal["own", "neighbour"] = "own"
    """own: what it crafted for the same receiver; neighbour: what a neighbour sent to it."""
    age: int = 3
    """How many rounds old, >= 1; if there is none of that round, the newest that is older."""
    peer: int | None = None
    """Which neighbour's, by id; null: of those of that round the one of the lowest id. That
    neighbour gets its own model back."""
    kind: Literal["replay"] = "replay"

    def __post_init__(self) -> None:
        if not 1 <= self.age <= 1000:
            raise ValueError(f"age counts rounds and must be in [1, 1000], got {self.age}")
        if self.peer is not None and self.of == "own":
            raise ValueError(f"peer says which neighbour's, and of is own: got {self.peer}")

    @property
    def remembers(self) -> int:
        """So long."""
        return self.age

    def sends(self, outgoing: Sequence[Outgoing], scene: Scene) -> Told:
        """The old ones in place of the new."""
        past = scene.sent if self.of == "own" else scene.heard
        rounds = sorted((r for r in past if r <= scene.round - self.age), reverse=True)
        changed, to, of_round, of_peer = list(outgoing), [], [], []
        for k, each in enumerate(outgoing):
            for round_ in rounds:
                whose = self._whose(past[round_], each.destination)
                if whose is not None:
                    changed[k] = each._replace(message=past[round_][whose])
                    to.append(each.destination)
                    of_round.append(round_)
                    of_peer.append(scene.me if self.of == "own" else whose)
                    break
        return changed, {"to": to, "of_peer": of_peer, "of_round": of_round} if to else None

    def _whose(self, messages: Messages, destination: int) -> int | None:
        """The key of the message that is replayed, of those of one round."""
        if self.of == "own":
            whose: int | None = destination
        else:
            whose = min(messages, default=None) if self.peer is None else self.peer
        return whose if whose in messages else None
