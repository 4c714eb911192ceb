"""What one peer knows of a round beforehand: whom it hears, whom it tells, who rests."""

from typing import NamedTuple


class RoundPlan(NamedTuple):
    """One round of one peer."""

    neighbours: tuple[int, ...]
    """To whom it sends, ascending."""
    senders: tuple[int, ...]
    """Who sends to it, ascending."""
    rests: bool
    """Whether it sits the round out."""
    resting: tuple[int, ...]
    """Everybody who does, ascending."""
