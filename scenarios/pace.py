"""What the protocol asks of the rest of a scenario, and what each peer gives to a neighbour."""

from collections.abc import Mapping, Sequence

from actors.protocols.gossip import Gossip
from actors.protocols.pairwise import Pairwise
from actors.protocols.rounds import Rounds
from actors.specs import PeerSpec
from graphs.mixing import metropolis
from graphs.types import Graph
from graphs.varying import VARYING
from p2pfl.defenses import Gpd
from p2pfl.defenses.gpd_detectors import Consistency
from p2pfl.errors import ScenarioError
from scenarios.schema import Scenario
from scenarios.timing import Timing

SHORTEST_NS = 1000
"""Of a round, where nothing else bounds how many there are."""


def check_pace(scenario: Scenario, graph: Graph) -> None:
    """Hold the protocol against topology, defense and availability.

    Raises:
        ScenarioError: If they do not go together; says what would.
    """
    protocol, topology = scenario.protocol, scenario.topology
    by_rounds = isinstance(topology, VARYING) and topology.every_s is None
    if isinstance(protocol, Rounds):
        _check_answers(scenario, graph)
        if scenario.rounds is None and (by_rounds or scenario.availability.dropout):
            what = "a topology that varies by rounds" if by_rounds else "availability.dropout"
            raise ScenarioError(f"{what} is known beforehand for each round: give rounds as well")
        return
    if scenario.server is not None:
        raise ScenarioError(f"protocol {protocol.kind} has no server: give rounds, or no server")
    if by_rounds:
        raise ScenarioError(
            f"topology {topology.kind} varies by rounds, and under {protocol.kind} peers have none "
            "in common: give it every_s"
        )
    if isinstance(protocol, Pairwise) and graph.is_directed():
        raise ScenarioError(
            "protocol pairwise averages both ends of an edge: the topology must not be directed"
        )
    _check_wire(scenario, protocol)


def _check_answers(scenario: Scenario, graph: Graph) -> None:
    """GPD asks whether a neighbour mixes what it hears: then it must hear the peer."""
    defense = scenario.defense
    judge = defense.judge if isinstance(defense, Gpd) else None
    if not isinstance(judge, Consistency) or judge.deaf is None or not graph.is_directed():
        return
    varies = isinstance(scenario.topology, VARYING)
    for sender, target in graph.edges:
        if varies or not graph.has_edge(target, sender):
            raise ScenarioError(
                f"defense.detector: peer {target} hears peer {sender}, which does not hear it"
                f"{' in the same round' * varies}, and would take it for one who does not mix: on "
                "such a graph give {kind: consistency, deaf: null}"
            )


def _check_wire(scenario: Scenario, protocol: Gossip | Pairwise) -> None:
    """GPD's forms that say what has changed, or what one round gave, need all of them."""
    defense = scenario.defense
    if not isinstance(defense, Gpd) or defense.wire == "model":
        return
    if isinstance(protocol, Pairwise):
        raise ScenarioError(f"defense.wire must be model under pairwise, got {defense.wire}")
    if defense.wire == "gradient" and protocol.fanout is not None:
        raise ScenarioError(
            "defense.wire gradient says what has changed since the last message, and with a fanout "
            "not every neighbour had that: give model or cumulative, or protocol.fanout: null"
        )


def rounds_of(scenario: Scenario, timing: Timing) -> int:
    """How many rounds a peer does: as the scenario says, or about so many as its time allows.

    The latter for the median peer's training and merge; what it waits for is not counted.
    """
    if scenario.rounds is not None:
        return scenario.rounds
    assert scenario.duration_s is not None  # one of them is given
    typical = sorted(timing.honest_ns)[len(timing.honest_ns) // 2] + timing.merge_ns(0, 1)
    return max(1, round(1e9 * scenario.duration_s / typical))


def evaluations_of(scenario: Scenario, rounds: int) -> int:
    """How often a peer is measured before its end, where it does so many rounds."""
    settings = scenario.evaluate
    if settings.every_s is not None:
        return int((scenario.duration_s or 0) / settings.every_s)
    return (rounds - 1) // settings.every if settings.every else 0


def check_speed(scenario: Scenario, peers: Sequence[PeerSpec], timing: Timing) -> None:
    """Without a number of rounds, each has to take some time, or the run would not end.

    Raises:
        ScenarioError: If one takes none.
    """
    if scenario.rounds is not None:
        return
    training = [timing.honest_ns[peer.peer] for peer in peers if not peer.server]
    if min((*training, *timing.attack_ns.values())) < SHORTEST_NS:
        raise ScenarioError(
            f"compute: a round of training takes less than {SHORTEST_NS} ns at some peer; give "
            "rounds as well, or lower samples_per_s"
        )


def mixing_of(scenario: Scenario, graph: Graph) -> Mapping[int, Mapping[int, float]]:
    """What each peer gives to each that it hears when it averages: half, if that one is alone."""
    mixing = metropolis(graph)
    if not isinstance(scenario.protocol, Pairwise):
        return mixing
    return {peer: dict.fromkeys(row, 0.5) for peer, row in mixing.items()}
