"""A run's seed, and seeds of single parts of it: what is drawn anew, and what stays.

::

    seed: 1
    seeds: {graph: 3}

Another graph of the same kind, and every other draw as it was. Adversaries are placed on it anew
where their places follow the graph, as the most central peers do.
"""

from dataclasses import dataclass
from typing import NamedTuple

SEEDS_KEY = "seeds"


class AllSeeds(NamedTuple):
    """The seed of each part of a run."""

    graph: int
    placement: int
    data: int
    training: int
    links: int
    attack: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Seeds:
    """Parts that are drawn from a seed of their own: ``{graph: 3}``. Null follows ``seed``.

    In a sweep each can be an axis, and its share of the variance is told: ``seeds.graph: [1, 2]``.
    """

    graph: int | None = None
    """The edges, also of graphs that vary."""
    placement: int | None = None
    """Who is an adversary, and in which group of the attack."""
    data: int | None = None
    """Which samples are taken, who has them, which a server holds out or a start is trained on, and
    which peers are measured."""
    training: int | None = None
    """The first model, mini-batches, which clients take part in a round, what a server draws."""
    links: int | None = None
    """Delays, drops, sites, who is down when, whom gossip tells, and how fast each peer is."""
    attack: int | None = None
    """What adversaries draw: poisoned samples, noise in what they send."""

    def over(self, seed: int) -> AllSeeds:
        """Those that are given, and the run's seed for the others."""
        own = (self.graph, self.placement, self.data, self.training, self.links, self.attack)
        return AllSeeds(*(seed if each is None else each for each in own))


def is_seed(key: str) -> bool:
    """Whether a dotted key of a scenario is a seed.

    >>> is_seed("seed"), is_seed("seeds.graph"), is_seed("training.lr")
    (True, True, False)
    """
    return key == "seed" or key.startswith(f"{SEEDS_KEY}.")
