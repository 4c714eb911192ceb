"""The state machine of each peer of an experiment, and which adversary is shown what."""

from collections.abc import Sequence
from typing import Literal

from actors.protocols.absent import AbsentPeer
from actors.protocols.adversary import RoundsAdversary
from actors.protocols.events import PeerProtocol
from actors.protocols.gossip import Gossip, GossipAdversary, GossipPeer
from actors.protocols.measuring import Measuring
from actors.protocols.own_pace import Place
from actors.protocols.pairwise import Pairwise, PairwiseAdversary, PairwisePeer
from actors.protocols.participation import Participation
from actors.protocols.rounds import Rounds, RoundsPeer
from actors.protocols.server import ClientAdversary, ClientPeer, ServerPeer
from actors.specs import Coalition, PeerSpec
from graphs.round_plan import RoundPlan
from graphs.schedule import round_plans
from scenarios.build import Experiment
from scenarios.schema import Scenario

WITHOUT_END = 1 << 53
"""Rounds of a run that ends by its time."""


def make_protocols(experiment: Experiment) -> list[PeerProtocol]:
    """One per peer, by id; the server's last."""
    if experiment.server is not None:
        return _around_a_server(experiment, experiment.server)
    return _among_peers(experiment)


def _among_peers(experiment: Experiment) -> list[PeerProtocol]:
    scenario, peers = experiment.scenario, experiment.peers
    absent = scenario.adversaries is not None and scenario.adversaries.absent
    coalitions = experiment.spec.coalitions
    listens = [coalition.attack.knowledge == "neighbourhood" for coalition in coalitions]
    listeners = [p.peer for p in peers if p.coalition is not None and listens[p.coalition]]
    plans = plans_of(experiment) if isinstance(scenario.protocol, Rounds) else {}
    measured, hear = frozenset(experiment.measured), frozenset(listeners)
    protocols: list[PeerProtocol] = []
    for peer in peers:
        me, every = peer.peer, _every(scenario) if peer.peer in measured else (0, 0)
        if peer.adversary and absent:
            protocols.append(AbsentPeer())
        elif isinstance(scenario.protocol, Rounds):
            heard_first = listeners if me in hear else ()
            protocols.append(_in_step(experiment, peer, every, heard_first, plans.get(me, ())))
        else:
            protocols.append(_at_own_pace(experiment, peer, every, me in hear))
    return protocols


def _in_step(
    experiment: Experiment,
    peer: PeerSpec,
    every: tuple[int, int],
    listeners: Sequence[int],
    plans: tuple[RoundPlan, ...],
) -> PeerProtocol:
    scenario, senders, settings = experiment.scenario, sorted(peer.mixing), _rounds(experiment)
    rounds, (every_rounds, every_ns) = scenario.rounds or WITHOUT_END, every
    if peer.coalition is None:
        return RoundsPeer(
            peer.targets,
            senders,
            rounds,
            settings,
            every_rounds,
            scenario.defense.mutes,
            _offers(scenario),
            plans,
            every_ns,
        )
    return RoundsAdversary(
        peer.peer,
        peer.targets,
        senders,
        rounds,
        settings,
        every_rounds,
        watched(experiment, experiment.spec.coalitions[peer.coalition]),
        bool(listeners),
        listeners,
        plans,
        every_ns,
    )


def _at_own_pace(
    experiment: Experiment, peer: PeerSpec, every: tuple[int, int], listens: bool
) -> PeerProtocol:
    scenario = experiment.scenario
    settings = scenario.protocol
    measuring = Measuring(every=every[0], every_ns=every[1])
    place = Place(
        me=peer.peer,
        neighbours=peer.targets,
        senders=tuple(sorted(peer.mixing)),
        rounds=scenario.rounds,
        seed=scenario.all_seeds.links,
        availability=scenario.availability,
        mutes=scenario.defense.mutes and not peer.adversary,
    )
    if isinstance(settings, Gossip):
        if peer.adversary:
            return GossipAdversary(place, settings, measuring, listens)
        return GossipPeer(place, settings, measuring, _offers(scenario))
    assert isinstance(settings, Pairwise)
    if peer.adversary:
        return PairwiseAdversary(place, settings, measuring, listens)
    return PairwisePeer(place, settings, measuring)


def _offers(scenario: Scenario) -> Literal["trained", "after", "before"]:
    """What benign peers send, and when."""
    defense = scenario.defense
    return "before" if defense.early else "after" if defense.encodes else "trained"


def _every(scenario: Scenario) -> tuple[int, int]:
    """After how many rounds, or nanoseconds, models are measured; 0: not by these."""
    return scenario.evaluate.every or 0, round(1e9 * (scenario.evaluate.every_s or 0))


def _rounds(experiment: Experiment) -> Rounds:
    settings = experiment.scenario.protocol
    assert isinstance(settings, Rounds)
    return settings


def _around_a_server(experiment: Experiment, server: int) -> list[PeerProtocol]:
    scenario, coalitions = experiment.scenario, experiment.spec.coalitions
    assert scenario.server is not None
    settings = _rounds(experiment)
    absent = scenario.adversaries is not None and scenario.adversaries.absent
    clients = tuple(
        peer.peer
        for peer in experiment.peers
        if not peer.server and not (peer.adversary and absent)
    )
    count = min(scenario.server.participants or len(clients), len(clients))
    participation = Participation(scenario.all_seeds.training, clients, count)
    protocols: list[PeerProtocol] = []
    for peer in experiment.peers[:-1]:
        if peer.adversary and absent:
            protocols.append(AbsentPeer())
        elif peer.coalition is not None:
            shown = watched(experiment, coalitions[peer.coalition])
            timeout_s = settings.timeout_s
            protocols.append(ClientAdversary(peer.peer, server, participation, timeout_s, shown))
        else:
            protocols.append(ClientPeer(server))
    individual = scenario.server.strategy.individual
    every, every_ns = _every(scenario)
    plans = plans_of(experiment).get(server, ())
    rounds = scenario.rounds or WITHOUT_END
    middle = ServerPeer(participation, rounds, settings, every, individual, plans, every_ns)
    return [*protocols, middle]


def plans_of(experiment: Experiment) -> dict[int, tuple[RoundPlan, ...]]:
    """What each peer knows of each round beforehand; nothing where all rounds are alike."""
    scenario = experiment.scenario
    if not (scenario.availability.dropout or experiment.by_round):
        return {}
    assert scenario.rounds is not None  # as build has seen to
    graphs = experiment.by_round or [experiment.graph] * scenario.rounds
    return round_plans(graphs, scenario.availability, scenario.all_seeds.links, experiment.server)


def watched(experiment: Experiment, coalition: Coalition) -> tuple[int, ...]:
    """Whose training its members are shown: never that of another coalition's."""
    knowledge = coalition.attack.knowledge
    if knowledge == "full":
        known = (p for p in experiment.peers if p.role == "benign" or p.peer in coalition.members)
        return tuple(p.peer for p in known)
    return coalition.members if knowledge == "colluding" else ()


def watchers(experiment: Experiment) -> dict[int, list[int]]:
    """For each peer, the adversaries that are shown what it trained."""
    found: dict[int, list[int]] = {peer.peer: [] for peer in experiment.peers}
    for peer in experiment.peers:
        if peer.coalition is not None:
            for other in watched(experiment, experiment.spec.coalitions[peer.coalition]):
                if other != peer.peer:
                    found[other].append(peer.peer)
    return found
