"""Where in the graph the chosen defense can be computed, and where its guarantee holds."""

from collections.abc import Sequence
from math import ceil
from typing import Any

from actors.protocols.gossip import Gossip
from actors.protocols.pairwise import Pairwise
from actors.protocols.rounds import Rounds
from actors.specs import PeerSpec
from graphs.varying import VARYING
from p2pfl.attacks import NoAttack
from p2pfl.defenses import Bridge, DflDual, GossipAverage, Gpd, RuleDefense
from p2pfl.errors import ScenarioError
from p2pfl.strategies import Desgd, RuleStrategy
from p2pfl.strategies.types import Strategy
from scenarios.schema import Scenario, Server
from scenarios.variants import name_of

_HEARD = 10
"""How often GPD should have heard a neighbour before its first check."""


def method_warnings(
    scenario: Scenario, peers: Sequence[PeerSpec], held: Sequence[Sequence[int]]
) -> list[str]:
    """What the defense, or the server's strategy, misses, as sentences.

    Args:
        scenario: Of the run.
        peers: All of it.
        held: How many samples of each class each peer has.

    Raises:
        ScenarioError: If it can never be computed, or wants what is not carried.
    """
    warnings = _attack_warnings(scenario)
    if scenario.server is None:
        return [*warnings, *_defense_warnings(scenario, peers)]
    warnings += _strategy_warnings(scenario.server, len(peers) - 1)
    if isinstance(scenario.server.strategy, Desgd):
        warnings += _class_warnings(scenario.server.strategy, peers[:-1], held)
    if scenario.defense != GossipAverage():
        name = name_of(scenario.defense)
        warnings.append(f"defense {name} is not used: peers hear the server alone")
    if isinstance(scenario.topology, VARYING):
        name = name_of(scenario.topology)
        warnings.append(f"topology {name} does not vary: peers hear the server alone")
    return warnings


def _attack_warnings(scenario: Scenario) -> list[str]:
    if scenario.adversaries is not None or scenario.attack == NoAttack():
        return []
    return ["attack: nobody carries it out, as there are no adversaries"]


def _strategy_warnings(server: Server, clients: int) -> list[str]:
    count = server.participants or clients
    strategy = server.strategy
    if isinstance(strategy, RuleStrategy) and (reason := strategy.rule.computable(count)):
        raise ScenarioError(
            f"server.strategy.rule: can never be computed: {reason} ({count} clients take part in "
            "a round); lower f or let more take part"
        )
    missing = strategy.needs(count)
    return [f"strategy {strategy_name(strategy)} has no guarantee: {missing}"] if missing else []


def _class_warnings(
    strategy: Desgd, clients: Sequence[PeerSpec], held: Sequence[Sequence[int]]
) -> list[str]:
    """What its rule misses among those that answer for a class if all take part."""
    classes = range(len(held[0]))
    rows = [sum(p.adversary or held[p.peer][c] > 0 for p in clients) for c in classes]
    missing = [c for c in classes if strategy.needs(rows[c]) is not None]
    if not missing:
        return []
    fewest = min(missing, key=lambda c: rows[c])
    return [
        f"strategy {strategy_name(strategy)} has no guarantee for {len(missing)} of {len(rows)} "
        f"classes: {strategy.needs(rows[fewest])} (class {fewest}, with the adversaries counted)"
    ]


def strategy_name(strategy: Strategy[Any]) -> str:
    """What tables call it: of a rule at the server, the rule."""
    return name_of(strategy.rule if isinstance(strategy, RuleStrategy) else strategy)


def _defense_warnings(scenario: Scenario, peers: Sequence[PeerSpec]) -> list[str]:
    """What a rule misses in which neighbourhoods, in their smallest round, as sentences.

    Raises:
        ScenarioError: If it cannot be computed in any neighbourhood of a benign peer, or the
            defense wants what the protocol does not carry.
    """
    defense, protocol = scenario.defense, scenario.protocol
    if defense.sends != "model" and not defense.encodes:
        raise ScenarioError(
            f"defense: sends {defense.sends!r} and encodes nothing; what peers train is a 'model'"
        )
    if isinstance(defense, Gpd) and not isinstance(protocol, Rounds):
        return _rarely_heard(defense, protocol, peers)
    if isinstance(defense, DflDual) and isinstance(protocol, Pairwise):
        return ["defense dfl_dual compares the models of a merge, and under pairwise there is one"]
    if not isinstance(defense, RuleDefense | Bridge):
        return []
    # bridge itself says what its rule needs: not all see the own row.
    rule = defense.rule if isinstance(defense, RuleDefense) else defense
    rows = {peer.peer: _fewest(scenario, peer) + 1 for peer in peers if not peer.adversary}
    missing = {peer: rule.computable(n) for peer, n in rows.items()}
    lacking = [peer for peer, reason in missing.items() if reason is not None]
    alone = isinstance(protocol, Pairwise)
    most = {p.peer: 2 if alone else len(p.mixing) + 1 for p in peers if not p.adversary}
    if most and all(rule.computable(n) is not None for n in most.values()):
        largest = max(most, key=lambda peer: most[peer])
        raise ScenarioError(
            f"defense.rule: can be computed in no neighbourhood: {rule.computable(most[largest])} "
            f"(peer {largest}, the largest, with itself counted); lower f or raise the degree"
        )
    warnings = []
    if lacking:
        warnings.append(
            f"rule {name_of(rule)} cannot be computed at {_peers_named(lacking)}: "
            f"{missing[lacking[0]]}; on_shortfall: {scenario.on_shortfall} decides there"
        )
    unsure = [peer for peer in breakdown(scenario, peers) if missing[peer] is None]
    if unsure:
        reason = rule.needs(rows[unsure[0]])
        warnings.append(
            f"rule {name_of(rule)} has no guarantee at {_peers_named(unsure)}: {reason}"
        )
    return warnings


def _rarely_heard(
    defense: Gpd, protocol: Gossip | Pairwise, peers: Sequence[PeerSpec]
) -> list[str]:
    """Whether GPD's windows are too short for how seldom a neighbour is heard."""
    degree = max((len(peer.mixing) for peer in peers if not peer.adversary), default=0)
    told = 1 if isinstance(protocol, Pairwise) else protocol.fanout or degree
    apart = ceil(degree / told) if told else 1
    if not defense.judge.judges or apart < 2 or defense.first_window >= _HEARD * apart:
        return []
    return [
        f"defense gpd counts its own merges and hears a neighbour in about one of {apart}: it will "
        f"flag benign ones; give first_window: {_HEARD * apart}, pause: {_HEARD * apart}, "
        f"window: {4 * _HEARD * apart}"
    ]


def breakdown(scenario: Scenario, peers: Sequence[PeerSpec]) -> dict[int, str]:
    """What the rule misses in the neighbourhood of each benign peer where it misses something."""
    defense = scenario.defense
    if scenario.server is not None or not isinstance(defense, RuleDefense | Bridge):
        return {}
    # bridge itself says what its rule needs: not all see the own row.
    rule = defense.rule if isinstance(defense, RuleDefense) else defense
    found = {}
    for peer in peers:
        n = _fewest(scenario, peer) + 1
        if not peer.adversary and (reason := rule.computable(n) or rule.needs(n)):
            found[peer.peer] = reason
    return found


def _fewest(scenario: Scenario, peer: PeerSpec) -> int:
    """How many neighbours a peer merges with; where the graph varies, in the round with the fewest.

    Under gossip as many as it has, though not all of them need have come.
    """
    if isinstance(scenario.protocol, Pairwise):
        return min(1, len(peer.mixing))
    return min(map(len, peer.mixings), default=len(peer.mixing))


def _peers_named(peers: Sequence[int]) -> str:
    names = ", ".join(str(peer) for peer in peers)
    return f"{len(peers)} benign peer{'s' if len(peers) > 1 else ''} ({names})"
