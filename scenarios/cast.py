"""Who is hostile where and when: more ids of adversaries, their coming and going, their moves.

All of it is settled before the run, but for moves at a given time, which the engine carries out.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace

import networkx as nx

from actors.specs import Coalition
from graphs.availability import Timeline
from graphs.events import AttackStart, AttackStop, Change, MoveAdversary, NetworkEvent
from graphs.types import Graph
from graphs.varying import VARYING
from p2pfl.behaviours.fast_links import FastLinks
from p2pfl.behaviours.mobile import Mobile
from p2pfl.behaviours.sybils import Sybils
from p2pfl.behaviours.whitewash import Whitewash
from p2pfl.errors import ScenarioError
from p2pfl.seeding import stream
from scenarios.schema import Scenario

NOWHERE = -1


@dataclass(frozen=True, slots=True, kw_only=True)
class Cast:
    """What becomes of the graph and of the coalitions."""

    graph: Graph
    """With the ids that adversaries have besides, behind those of all peers."""
    coalitions: tuple[Coalition, ...]
    owner: Mapping[int, int] = field(default_factory=dict)
    """Whose each of these ids is."""
    later: frozenset[int] = frozenset()
    """Those of them that are not there from the beginning."""
    changes: tuple[tuple[int, Change], ...] = ()
    """Who comes and goes, by round."""
    turns: tuple[tuple[int, Change], ...] = ()
    """Who is hostile, by round."""
    opening: Mapping[int, tuple[Mapping[str, object], ...]] = field(default_factory=dict)
    """What the record says of an adversary when it begins."""

    @property
    def adversaries(self) -> tuple[int, ...]:
        """All ids that are hostile at the beginning or when they join, ascending."""
        members = (peer for coalition in self.coalitions for peer in coalition.members)
        return tuple(sorted({*members, *self.owner}))

    def put_on(self, timeline: Timeline) -> Timeline:
        """A timeline with this besides."""
        at_round = sorted((*timeline.at_round, *self.changes), key=lambda each: each[0])
        turns = sorted((*timeline.turns, *self.turns), key=lambda each: each[0])
        return timeline._replace(
            at_round=tuple(at_round),
            away=tuple(sorted({*timeline.away, *self.later})),
            turns=tuple(turns),
        )


def make_cast(scenario: Scenario, graph: Graph, coalitions: Sequence[Coalition]) -> Cast:
    """Carry out what behaviours say of ids, times and places, and check the events.

    Raises:
        ScenarioError: If they do not fit the graph, the adversaries, or one another.
    """
    if scenario.adversaries is not None and scenario.adversaries.absent:
        return Cast(graph=graph, coalitions=tuple(coalitions))
    _check_behaviours(scenario, coalitions)
    maker = _Maker(scenario, graph, coalitions)
    for number, coalition in enumerate(coalitions):
        for behaviour in coalition.conduct.behaviours:
            if isinstance(behaviour, Sybils):
                maker.add_sybils(number, behaviour)
            elif isinstance(behaviour, Whitewash):
                maker.add_whitewashing(number, behaviour)
            elif isinstance(behaviour, FastLinks):
                for peer in coalition.members:
                    maker.say(peer, {"kind": behaviour.kind, **behaviour.edge})
    maker.add_moves()
    return maker.made()


def with_fast_links(graph: Graph, coalitions: Sequence[Coalition]) -> Graph:
    """The graph, in which the adversaries' edges are as their behaviour says."""
    fast = [
        (behaviour.edge, coalition)
        for coalition in coalitions
        for behaviour in coalition.conduct.behaviours
        if isinstance(behaviour, FastLinks)
    ]
    if not fast:
        return graph
    changed = graph.copy()
    for edge, coalition in fast:
        own = set(coalition.everyone) - set(coalition.visited)
        for i, j in changed.edges:
            if i in own or j in own:
                changed.edges[i, j].update(edge)
    return changed


class _Maker:
    """What has been made so far."""

    def __init__(self, scenario: Scenario, graph: Graph, coalitions: Sequence[Coalition]) -> None:
        self._scenario = scenario
        self._rounds = scenario.rounds or 0
        self._graph = graph
        self._coalitions = tuple(coalitions)
        self._edges: list[tuple[int, int]] = []
        self._owner: dict[int, int] = {}
        self._later: set[int] = set()
        self._changes: list[tuple[int, Change]] = []
        self._turns: list[tuple[int, Change]] = []
        self._opening: dict[int, tuple[Mapping[str, object], ...]] = {}
        self._ids: list[list[int]] = [[] for _ in coalitions]
        self._absent: list[set[int]] = [set() for _ in coalitions]
        self._visited: list[set[int]] = [set() for _ in coalitions]
        self._hostile = {peer for coalition in coalitions for peer in coalition.members}

    def say(self, peer: int, told: Mapping[str, object]) -> None:
        self._opening[peer] = (*self._opening.get(peer, ()), told)

    def _new_id(self, number: int, owner: int, others: Iterable[int]) -> int:
        new = len(self._graph) + len(self._owner)
        self._owner[new] = owner
        self._ids[number].append(new)
        self._edges += [(new, other) for other in sorted(others)]
        return new

    # ------------------------------------------------------------ more ids

    def add_sybils(self, number: int, sybils: Sybils) -> None:
        graph, seed = self._graph, self._scenario.all_seeds.placement
        benign = [peer for peer in graph if peer not in self._hostile]
        targets = sybils.targets
        if targets and (strangers := sorted(set(targets) - set(graph))):
            raise ScenarioError(
                f"sybils.targets: there are peers 0 to {len(graph) - 1}, not {strangers}"
            )
        if sybils.degree is not None and sybils.degree > len(benign):
            raise ScenarioError(
                f"sybils.degree must be in 1 .. {len(benign)}, the number of benign peers, got "
                f"{sybils.degree}"
            )
        for owner in self._coalitions[number].members:
            for k in range(sybils.ids):
                if sybils.degree is not None:
                    drawn = stream(seed, "sybil", owner, k).permutation(len(benign))
                    others: Iterable[int] = [benign[i] for i in drawn[: sybils.degree].tolist()]
                else:
                    others = targets or graph.adj[owner]
                new = self._new_id(number, owner, others)
                self.say(new, {"kind": sybils.kind, "of": owner})
                if sybils.joins_in > 1:
                    self._later.add(new)
                    self._joins(number, sybils.joins_in, new)

    def add_whitewashing(self, number: int, wash: Whitewash) -> None:
        """It leaves in round ``every + 1`` and is back ``away`` rounds later, again and again."""
        for owner in self._coalitions[number].members:
            present, leaves = owner, wash.every + 1
            while leaves <= self._rounds:
                back = leaves + wash.away
                self._changes.append(
                    (leaves, Change("leave" if wash.new_id else "down", (present,)))
                )
                self._turns.append((leaves, Change("move_adversary", (present, NOWHERE))))
                if back > self._rounds:
                    break
                if wash.new_id:
                    present = self._new_id(number, owner, self._graph.adj[owner])
                    self._later.add(present)
                    self.say(present, {"kind": wash.kind, "of": owner})
                self._joins(number, back, present, anew=not wash.new_id)
                leaves = back + wash.every

    def _joins(self, number: int, round_: int, peer: int, anew: bool = False) -> None:
        self._changes.append((round_, Change("up", (peer,), anew=anew)))
        self._turns.append((round_, Change("move_adversary", (NOWHERE, peer))))
        if peer in self._later:
            self._absent[number].add(peer)

    # ------------------------------------------------------------ moves

    def add_moves(self) -> None:
        """Of mobile coalitions, drawn; and those that the events name."""
        where = {p: n for n, coalition in enumerate(self._coalitions) for p in coalition.members}
        home = dict(where)
        moving = [(n, b) for n, c in enumerate(self._coalitions) for b in c.conduct.behaviours]
        mobile = {n: b for n, b in moving if isinstance(b, Mobile)}
        for round_ in range(2, self._rounds + 1) if mobile else ():
            for number, behaviour in mobile.items():
                step, rest = divmod(round_ - 1, behaviour.every)
                if not rest:
                    for peer in sorted(p for p, n in where.items() if n == number):
                        to = self._next(peer, number, behaviour, step, where, home)
                        if to is not None:
                            self._move(peer, to, where, home)
                            self._turns.append((round_, Change("move_adversary", (peer, to))))
        events = [e for e in self._scenario.events if isinstance(e, MoveAdversary)]
        if events and mobile:
            raise ScenarioError("events: move_adversary: the adversaries are mobile by themselves")
        for event in _in_order(events):
            if event.peer not in where:
                raise ScenarioError(
                    f"events: move_adversary: no adversary is at {event.peer} then; they are at "
                    f"{sorted(where)}"
                )
            if event.to in where or home.get(event.to, where[event.peer]) != where[event.peer]:
                raise ScenarioError(
                    f"events: move_adversary: {event.to} is an adversary's, of this group or "
                    "another"
                )
            self._move(event.peer, event.to, where, home)

    def _move(self, peer: int, to: int, where: dict[int, int], home: dict[int, int]) -> None:
        number = where.pop(peer)
        where[to] = home[to] = number
        if to not in self._hostile:
            self._visited[number].add(to)

    def _next(
        self,
        peer: int,
        number: int,
        behaviour: Mobile,
        step: int,
        where: Mapping[int, int],
        home: Mapping[int, int],
    ) -> int | None:
        near = self._graph.adj[peer] if behaviour.to == "neighbour" else self._graph
        free = sorted(p for p in near if p not in where and home.get(p, number) == number)
        if not free:
            return None
        return free[
            int(stream(self._scenario.all_seeds.placement, "move", peer, step).integers(len(free)))
        ]

    # ------------------------------------------------------------ all together

    def made(self) -> Cast:
        coalitions = tuple(
            replace(
                coalition,
                members=tuple(sorted({*coalition.members, *ids} - absent)),
                everyone=tuple(sorted({*coalition.members, *ids, *visited})),
                visited=tuple(sorted(visited)),
            )
            for coalition, ids, absent, visited in zip(
                self._coalitions, self._ids, self._absent, self._visited, strict=True
            )
        )
        for coalition in coalitions:
            if coalition.visited and coalition.attack.shared_samples() is not None:
                raise ScenarioError("attack: with shared_data its adversaries cannot move")
        self._check_attacks({peer for coalition in coalitions for peer in coalition.everyone})
        return Cast(
            graph=_extended(self._graph, self._owner, self._edges),
            coalitions=coalitions,
            owner=self._owner,
            later=frozenset(self._later),
            changes=tuple(self._changes),
            turns=tuple(self._turns),
            opening=self._opening,
        )

    def _check_attacks(self, hostile: set[int]) -> None:
        for event in self._scenario.events:
            if isinstance(event, AttackStart | AttackStop):
                if not hostile:
                    raise ScenarioError(f"events: {event.kind}: there is no adversary")
                if strangers := sorted(set(event.peers or ()) - hostile):
                    raise ScenarioError(
                        f"events: {event.kind}: {strangers} are no adversaries; these are "
                        f"{sorted(hostile)}"
                    )


def _check_behaviours(scenario: Scenario, coalitions: Sequence[Coalition]) -> None:
    varies = scenario.server is None and isinstance(scenario.topology, VARYING)
    for coalition in coalitions:
        for behaviour in coalition.conduct.behaviours:
            if behaviour.among_peers and scenario.server is not None:
                raise ScenarioError(
                    f"behaviour {behaviour.kind} is for peers: a client hears and tells the server "
                    "alone"
                )
            if isinstance(behaviour, Mobile | Whitewash) and scenario.rounds is None:
                raise ScenarioError(f"behaviour {behaviour.kind} counts rounds: the run needs some")
            comes = isinstance(behaviour, Whitewash) or (
                isinstance(behaviour, Sybils) and behaviour.joins_in > 1
            )
            if comes and scenario.runtime.clock == "real":
                raise ScenarioError(
                    f"behaviour {behaviour.kind} has peers come and go, which takes clock: virtual"
                )
            if isinstance(behaviour, Sybils | Whitewash) and varies:
                raise ScenarioError(
                    f"behaviour {behaviour.kind} adds ids to a graph that stays; this one varies"
                )


def _in_order(events: Sequence[MoveAdversary]) -> list[MoveAdversary]:
    timed = [event for event in events if event.at_s is not None]
    if timed and len(timed) < len(events):
        raise ScenarioError(
            "events: move_adversary: give all at_s or all at_round, so that it is known who is "
            "where"
        )
    return sorted(events, key=lambda event: (event.at_s or 0, event.at_round or 0))


def begins_attacking(events: Sequence[NetworkEvent], peer: int) -> bool:
    """Whether an adversary attacks before any event: not if the first about it starts it."""
    for event in events:
        if isinstance(event, AttackStart | AttackStop) and peer in (event.peers or (peer,)):
            return isinstance(event, AttackStop)
    return True


def _extended(graph: Graph, owner: Mapping[int, int], edges: Sequence[tuple[int, int]]) -> Graph:
    if not owner:
        return graph
    larger = graph.copy()
    for new in sorted(owner):
        larger.add_node(new, label=str(new))
    larger.add_edges_from(edges)
    if larger.is_directed():
        larger.add_edges_from((j, i) for i, j in edges)
    # Nodes and edges in ascending order, as everywhere.
    out: Graph = nx.DiGraph() if larger.is_directed() else nx.Graph()
    out.add_nodes_from(sorted(larger.nodes(data=True)))
    out.add_edges_from(sorted(larger.edges(data=True), key=lambda edge: edge[:2]))
    return out
