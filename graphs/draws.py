"""A link's random values, drawn ahead in blocks."""

from collections.abc import Callable
from typing import Generic, TypeVar

import numpy as np

from p2pfl.seeding import stream

T = TypeVar("T")

FIRST_BLOCK = 16
LARGEST_BLOCK = 128
"""Larger ones save next to nothing, and a complete graph has many links."""


class Draws(Generic[T]):
    """The values of one named stream, one after the other.

    The value at an ordinal does not depend on the sizes of the blocks, provided that ``draw`` takes
    from the generator value by value, as numpy's ``random`` and ``standard_normal`` do. The stream
    is made at the first draw.
    """

    __slots__ = ("_block", "_draw", "_drawn", "_left", "_name", "_rng")

    def __init__(
        self,
        name: tuple[int, str, int, int],
        draw: Callable[[np.random.Generator, int], list[T]],
    ) -> None:
        self._name = name
        self._draw = draw
        self._block = FIRST_BLOCK
        self._rng: np.random.Generator | None = None
        self._drawn = 0
        self._left: list[T] = []
        """What is drawn and not yet used, last first."""

    @property
    def ordinal(self) -> int:
        """How many values were taken."""
        return self._drawn - len(self._left)

    def skip_to(self, ordinal: int) -> None:
        """Go on, or begin again, so that the next value is the one at this ordinal (from 0).

        Costs as much as drawing what lies between.
        """
        if ordinal < self.ordinal:
            self._rng, self._left, self._drawn = None, [], 0
        while self.ordinal < ordinal:
            self.next()

    def next(self) -> T:
        """The value at the next ordinal."""
        if not self._left:
            self._draw_ahead()
        return self._left.pop()

    def block(self) -> list[T]:
        """The next values, last first, at least one. Those of two that have given as many values
        are as many."""
        if not self._left:
            self._draw_ahead()
        taken, self._left = self._left, []
        return taken

    def _draw_ahead(self) -> None:
        if self._rng is None:
            self._rng = stream(*self._name)
        self._left = self._draw(self._rng, self._block)[::-1]
        self._drawn += self._block
        self._block = min(2 * self._block, LARGEST_BLOCK)
