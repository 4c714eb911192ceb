"""Who is benign and who an adversary in which round: adversaries may move."""

from collections.abc import Sequence
from typing import Any


class Roles:
    """The role of each peer, round by round."""

    def __init__(self, at_start: Sequence[str]) -> None:
        """``benign``, ``adversary`` or ``server``, by peer."""
        self._turned: list[list[tuple[int, str]]] = [[(0, role)] for role in at_start]

    def turn(self, peer: int, round_: int, role: str) -> None:
        """From this round of its own on."""
        self._turned[peer].append((round_, role))

    def of(self, peer: int, round_: int) -> str:
        """In a round of its own."""
        return next(role for since, role in reversed(self._turned[peer]) if since <= round_)

    def at_last(self) -> list[str]:
        """As far as is known, by peer."""
        return [turned[-1][1] for turned in self._turned]

    def count(self, role: str, round_: int) -> int:
        """How many have a role in a round."""
        return sum(self.of(peer, round_) == role for peer in range(len(self._turned)))

    def state(self) -> list[list[tuple[int, str]]]:
        """As plain data."""
        return self._turned

    def restore(self, state: Any) -> None:
        """Take up what ``state`` gave."""
        self._turned = state
