"""What goes between the nodes of a cluster: which node needs a message that another one made.

Ray brings an object to a node once, for all actors there. So that is how it is counted.
"""

from collections import Counter, OrderedDict
from collections.abc import Iterable, Mapping, Sequence
from itertools import pairwise

MOST_REMEMBERED = 1 << 17
"""Messages of which it is known where they are; older ones are in no inbox any more."""


class Travel:
    """Where each actor is, and what its node needed of others."""

    def __init__(self, nodes: Sequence[str]) -> None:
        """Nothing has travelled yet. ``nodes`` has the node of each actor."""
        self.nodes = tuple(nodes)
        self.several = len(set(nodes)) > 1
        self.counts: Counter[tuple[str, str]] = Counter()
        """Messages by the nodes from and to which they went."""
        self._made_at: OrderedDict[bytes, str] = OrderedDict()
        self._came: OrderedDict[tuple[bytes, str], None] = OrderedDict()

    def made(self, actor: int, messages: Iterable[bytes]) -> None:
        """An actor was asked for these messages, each by its identity."""
        if not self.several:
            return
        self._made_at.update(dict.fromkeys(messages, self.nodes[actor]))
        while len(self._made_at) > MOST_REMEMBERED:
            self._made_at.popitem(last=False)

    def needed(self, actor: int, messages: Iterable[bytes]) -> None:
        """An actor was given these messages; those that are no actor's count for nothing."""
        if not self.several:
            return
        node = self.nodes[actor]
        for message in messages:
            source = self._made_at.get(message, node)
            if source != node and (message, node) not in self._came:
                self._came[message, node] = None
                self.counts[source, node] += 1
        while len(self._came) > MOST_REMEMBERED:
            self._came.popitem(last=False)

    def remarks(self) -> list[str]:
        """For the log; nothing where there is one node."""
        if not self.several:
            return []
        actors = ", ".join(str(count) for count in Counter(self.nodes).values())
        return [f"actors by node: {actors}; messages between nodes: {self.counts.total()}"]


def shares(nodes: Mapping[str, float], actors: int) -> list[str]:
    """The node of each actor: nodes get as many in a row as they have of what actors need.

    >>> shares({"a": 2, "b": 4}, 6)
    ['a', 'a', 'b', 'b', 'b', 'b']
    >>> shares({"a": 0, "b": 0}, 2)  # nobody has any: alike
    ['a', 'b']
    """
    total = sum(nodes.values())
    weights = [size / total if total else 1 / len(nodes) for size in nodes.values()]
    bounds = [0, *(round(actors * sum(weights[: k + 1])) for k in range(len(weights)))]
    counts = [b - a for a, b in pairwise(bounds)]
    return [node for node, count in zip(nodes, counts, strict=True) for _ in range(count)]
