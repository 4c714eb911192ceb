"""What befalls the network and its peers at a given moment: the events that a scenario can list.

Each is ``at_s``, virtual seconds, or ``at_round``: when the first peer begins that round.
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, NamedTuple, TypeAlias

from graphs.checks import check_moment
from p2pfl.errors import TopologyError

if TYPE_CHECKING:
    # What it is needs networkx, which actors, who import the events, do not.
    from graphs.types import Graph

Edges: TypeAlias = tuple[tuple[int, int], ...]


class Change(NamedTuple):
    """One change of who is there and which links are open, as the engine carries it out."""

    what: Literal[
        "down", "up", "leave", "link_down", "link_up", "partition", "heal", "slow", "vary",
        "attack_start", "attack_stop", "move_adversary",
    ]  # fmt: skip
    peers: tuple[int, ...] = ()
    """Whom it befalls. Of an attack: nobody named is all adversaries. Of a move: from where, to
    where, and -1 is nowhere."""
    edges: Edges = ()
    """Directed. Of a partition, and of a step of a graph that varies (``vary``): all that are cut,
    whatever was cut so before."""
    factor: float = 1.0
    cause: int = 1
    """Why a peer is down: 1 an event, 2 churn. It is up when nothing keeps it down."""
    anew: bool = False
    round: int = 0
    """Of one by rounds: when it happens. Who is up then joins in this round at the earliest."""


def _check_when(at_s: float | None, at_round: int | None) -> None:
    if (at_s is None) == (at_round is None):
        raise ValueError(f"at_s or at_round: give one, got {at_s} and {at_round}")
    if at_s is not None:
        check_moment("at_s", at_s)
    if at_round is not None and at_round < 1:
        raise ValueError(f"at_round counts rounds from 1, got {at_round}")


def _check_peers(peers: Sequence[int]) -> None:
    if not peers or len(set(peers)) < len(peers) or min(peers) < 0:
        raise ValueError(f"peers must be ids >= 0, each once, got {list(peers)}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Partition:
    """The network falls into groups: no message crosses. It replaces an earlier partition."""

    groups: tuple[tuple[int, ...], ...]
    """Ids of peers; all that are in none are one group more. A server keeps all its links."""
    at_s: float | None = None
    """When, in virtual seconds."""
    at_round: int | None = None
    """Or when the first peer begins this round."""
    kind: Literal["partition"] = "partition"

    def __post_init__(self) -> None:
        _check_when(self.at_s, self.at_round)
        _check_peers([peer for group in self.groups for peer in group])

    def change(self, graph: "Graph", server: int | None) -> Change:
        """All edges between two groups."""
        group = {peer: k for k, group in enumerate(self.groups, start=1) for peer in group}
        _check_known(self.kind, group, graph, server)
        crossing = tuple(
            (i, j)
            for i, j in _directed(graph)
            if server not in (i, j) and group.get(i, 0) != group.get(j, 0)
        )
        return Change("partition", edges=crossing)


@dataclass(frozen=True, slots=True, kw_only=True)
class Heal:
    """The partition ends."""

    at_s: float | None = None
    """When, in virtual seconds."""
    at_round: int | None = None
    """Or when the first peer begins this round."""
    kind: Literal["heal"] = "heal"

    def __post_init__(self) -> None:
        _check_when(self.at_s, self.at_round)

    def change(self, graph: "Graph", server: int | None) -> Change:
        """No edge is cut by a partition any more."""
        return Change("heal")


@dataclass(frozen=True, slots=True, kw_only=True)
class LinkDown:
    """These links carry nothing from now on; what is under way on them is lost."""

    edges: Edges
    """Pairs of ids; in both directions where the graph is undirected."""
    at_s: float | None = None
    """When, in virtual seconds."""
    at_round: int | None = None
    """Or when the first peer begins this round."""
    kind: Literal["link_down"] = "link_down"

    def __post_init__(self) -> None:
        _check_when(self.at_s, self.at_round)

    def change(self, graph: "Graph", server: int | None) -> Change:
        """Both directions of an undirected edge."""
        return Change("link_down", edges=_both_ways(self.kind, self.edges, graph))


@dataclass(frozen=True, slots=True, kw_only=True)
class LinkUp:
    """These links carry messages again."""

    edges: Edges
    """Pairs of ids; in both directions where the graph is undirected."""
    at_s: float | None = None
    """When, in virtual seconds."""
    at_round: int | None = None
    """Or when the first peer begins this round."""
    kind: Literal["link_up"] = "link_up"

    def __post_init__(self) -> None:
        _check_when(self.at_s, self.at_round)

    def change(self, graph: "Graph", server: int | None) -> Change:
        """Both directions of an undirected edge."""
        return Change("link_up", edges=_both_ways(self.kind, self.edges, graph))


@dataclass(frozen=True, slots=True, kw_only=True)
class Slow:
    """These peers compute so many times as long from now on; 1 is as before."""

    peers: tuple[int, ...]
    """Ids."""
    factor: float
    """Of the modelled time of work that begins from now on, > 0; it replaces an earlier one."""
    at_s: float | None = None
    """When, in virtual seconds."""
    at_round: int | None = None
    """Or when the first peer begins this round."""
    kind: Literal["slow"] = "slow"

    def __post_init__(self) -> None:
        _check_when(self.at_s, self.at_round)
        _check_peers(self.peers)
        if not 0 < self.factor <= 1e6:
            raise ValueError(f"factor must be in (0, 1e6], got {self.factor}")

    def change(self, graph: "Graph", server: int | None) -> Change:
        """As it says."""
        _check_known(self.kind, self.peers, graph, server)
        return Change("slow", self.peers, factor=self.factor)


@dataclass(frozen=True, slots=True, kw_only=True)
class Crash:
    """These peers are down: they neither compute nor hear, until they ``rejoin``."""

    peers: tuple[int, ...]
    """Ids."""
    at_s: float | None = None
    """When, in virtual seconds."""
    at_round: int | None = None
    """Or when the first peer begins this round."""
    kind: Literal["crash"] = "crash"

    def __post_init__(self) -> None:
        _check_when(self.at_s, self.at_round)
        _check_peers(self.peers)

    def change(self, graph: "Graph", server: int | None) -> Change:
        """Down, by an event."""
        _check_known(self.kind, self.peers, graph, server)
        return Change("down", self.peers)


@dataclass(frozen=True, slots=True, kw_only=True)
class Rejoin:
    """Peers that crashed are back: with their state, or anew."""

    peers: tuple[int, ...]
    """Ids of peers that crash before."""
    anew: bool = False
    """Whether they start from the first model again and remember nothing; else what they were
    computing is done when they are back, and they go on with it."""
    at_s: float | None = None
    """When, in virtual seconds."""
    at_round: int | None = None
    """Or when the first peer begins this round."""
    kind: Literal["rejoin"] = "rejoin"

    def __post_init__(self) -> None:
        _check_when(self.at_s, self.at_round)
        _check_peers(self.peers)

    def change(self, graph: "Graph", server: int | None) -> Change:
        """Up, as far as events go."""
        _check_known(self.kind, self.peers, graph, server)
        return Change("up", self.peers, anew=self.anew)


@dataclass(frozen=True, slots=True, kw_only=True)
class Leave:
    """These peers go for good."""

    peers: tuple[int, ...]
    """Ids."""
    at_s: float | None = None
    """When, in virtual seconds."""
    at_round: int | None = None
    """Or when the first peer begins this round."""
    kind: Literal["leave"] = "leave"

    def __post_init__(self) -> None:
        _check_when(self.at_s, self.at_round)
        _check_peers(self.peers)

    def change(self, graph: "Graph", server: int | None) -> Change:
        """Down, and no more."""
        _check_known(self.kind, self.peers, graph, server)
        return Change("leave", self.peers)


@dataclass(frozen=True, slots=True, kw_only=True)
class Join:
    """These peers are not there from the beginning, and come now."""

    peers: tuple[int, ...]
    """Ids."""
    at_s: float | None = None
    """When, in virtual seconds."""
    at_round: int | None = None
    """Or when the first peer begins this round."""
    kind: Literal["join"] = "join"

    def __post_init__(self) -> None:
        _check_when(self.at_s, self.at_round)
        _check_peers(self.peers)

    def change(self, graph: "Graph", server: int | None) -> Change:
        """Up for the first time."""
        _check_known(self.kind, self.peers, graph, server)
        return Change("up", self.peers)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Attacking:
    """What the beginning and the end of an attack have in common."""

    peers: tuple[int, ...] | None = None
    """Ids of adversaries; null: all."""
    at_s: float | None = None
    """When, in virtual seconds: from the next round that an adversary begins."""
    at_round: int | None = None
    """Or in this round of each adversary."""

    def __post_init__(self) -> None:
        _check_when(self.at_s, self.at_round)
        if self.peers is not None:
            _check_peers(self.peers)


@dataclass(frozen=True, slots=True, kw_only=True)
class AttackStart(_Attacking):
    """Adversaries attack from now on, in the rounds that their conduct admits.

    Whom the first such event of the list that concerns it starts, and does not stop, does not
    attack before.
    """

    kind: Literal["attack_start"] = "attack_start"

    def change(self, graph: "Graph", server: int | None) -> Change:
        """As it says."""
        _check_known(self.kind, self.peers or (), graph, server)
        return Change("attack_start", self.peers or ())


@dataclass(frozen=True, slots=True, kw_only=True)
class AttackStop(_Attacking):
    """Adversaries attack no more: they train on clean data and send honestly."""

    kind: Literal["attack_stop"] = "attack_stop"

    def change(self, graph: "Graph", server: int | None) -> Change:
        """As it says."""
        _check_known(self.kind, self.peers or (), graph, server)
        return Change("attack_stop", self.peers or ())


@dataclass(frozen=True, slots=True, kw_only=True)
class MoveAdversary:
    """An adversary moves to another node; the one that it leaves is benign again.

    That one keeps its model, and its defense remembers what it knew before.
    """

    peer: int
    """Where the adversary is."""
    to: int
    """Where it goes: a benign peer."""
    at_s: float | None = None
    """When, in virtual seconds: each of the two nodes turns with the next round that it begins."""
    at_round: int | None = None
    """Or in this round of each of the two."""
    kind: Literal["move_adversary"] = "move_adversary"

    def __post_init__(self) -> None:
        _check_when(self.at_s, self.at_round)
        _check_peers((self.peer, self.to))

    def change(self, graph: "Graph", server: int | None) -> Change:
        """As it says."""
        _check_known(self.kind, (self.peer, self.to), graph, server)
        return Change("move_adversary", (self.peer, self.to))


NetworkEvent: TypeAlias = (
    Partition
    | Heal
    | LinkDown
    | LinkUp
    | Slow
    | Crash
    | Rejoin
    | Leave
    | Join
    | AttackStart
    | AttackStop
    | MoveAdversary
)
EVENTS = (
    Partition,
    Heal,
    LinkDown,
    LinkUp,
    Slow,
    Crash,
    Rejoin,
    Leave,
    Join,
    AttackStart,
    AttackStop,
    MoveAdversary,
)
TURNS = frozenset({"attack_start", "attack_stop", "move_adversary"})
"""Changes of who is hostile. By rounds, each adversary carries them out in its own."""


def _check_known(kind: str, peers: Collection[int], graph: "Graph", server: int | None) -> None:
    if unknown := sorted(set(peers) - (set(graph) - {server})):
        last = len(graph) - 1 - (server is not None)
        raise TopologyError(f"events: {kind}: there are peers 0 to {last}, not {unknown}")


def _directed(graph: "Graph") -> list[tuple[int, int]]:
    return [(i, j) for i in sorted(graph) for j in sorted(graph.adj[i])]


def _both_ways(kind: str, edges: Edges, graph: "Graph") -> Edges:
    if missing := [list(edge) for edge in edges if not graph.has_edge(*edge)]:
        raise TopologyError(f"events: {kind}: the graph has no edge {missing[0]}")
    if graph.is_directed():
        return tuple(sorted(set(edges)))
    return tuple(sorted({pair for i, j in edges for pair in ((i, j), (j, i))}))
