"""When adversaries attack, how they behave, and what they do with what they receive."""

from dataclasses import dataclass
from typing import Literal, TypeAlias

from p2pfl.behaviours import Behaviour

Stance: TypeAlias = Literal["benign", "hidden", "hostile"]
"""How a peer does a round. benign: it follows the protocol and defends itself; hidden: an adversary
outside its attack, which trains on clean data and sends honestly; hostile: it attacks."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Conduct:
    """What a group of adversaries has in common, whatever its attack: ``{start: 5, every: 2}``."""

    receives: Literal["mean", "ignore"] = "mean"
    """mean: average what they receive, and so follow the benign peers; ignore: go their own way."""
    start: int = 1
    """First round of the attack, >= 1. Before it they train on clean data and send honestly."""
    stop: int | None = None
    """Last round of the attack; null: it never ends."""
    every: int = 1
    """Attack in each so many rounds, counted from ``start``, >= 1."""
    behaviours: tuple[Behaviour, ...] = ()
    """What they do with their messages in the rounds of the attack, one after the other, and with
    their ids, links and places: each kind once."""

    def __post_init__(self) -> None:
        if self.start < 1:
            raise ValueError(f"start counts rounds from 1, got {self.start}")
        if self.stop is not None and self.stop < self.start:
            raise ValueError(f"stop must be >= start ({self.start}), or null, got {self.stop}")
        if self.every < 1:
            raise ValueError(f"every counts rounds and must be >= 1, got {self.every}")
        kinds = [behaviour.kind for behaviour in self.behaviours]
        if len(set(kinds)) < len(kinds):
            raise ValueError(f"behaviours must be of different kinds, got {', '.join(kinds)}")
        if "mobile" in kinds and {"sybils", "whitewash"} & set(kinds):
            raise ValueError(f"behaviours: who is mobile has no other ids, got {', '.join(kinds)}")

    def active(self, round_: int) -> bool:
        """Whether round ``round_`` (from 1) is one of the attack."""
        if round_ < self.start or (self.stop is not None and round_ > self.stop):
            return False
        return (round_ - self.start) % self.every == 0
