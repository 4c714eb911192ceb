"""The state machine of each peer of an experiment, and which adversary is shown what."""

from collections.abc import Sequence
from typing import Literal

from actors.protocols.absent import AbsentPeer
from actors.protocols.adversary import RoundsAdversary
from actors.protocols.events import PeerProtocol
from actors.protocols.gossip import Gossip, GossipAdversary, GossipPeer
from actors.protocols.hostility import Hostility
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
from scenarios.cast import begins_attacking
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
    listeners = [
        p.peer
        for p in peers
        if p.coalition is not None and (listens[p.coalition] or _rushes(coalitions[p.coalition]))
    ]
    plans = plans_of(experiment) if isinstance(scenario.protocol, Rounds) else {}
    measured, hear = frozenset(experiment.measured), frozenset(listeners)
    protocols: list[PeerProtocol] = []
    for peer in peers:
        me, every = peer.peer, _every(scenario) if peer.peer in measured else (0, 0)
        if peer.adversary and absent:
            protocols.append(AbsentPeer())
        elif isinstance(scenario.protocol, Rounds):
            protocols.append(_in_step(experiment, peer, every, listeners, plans.get(me, ())))
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
    coalition = experiment.spec.coalitions[peer.coalition]
    return RoundsAdversary(
        _hostility(experiment, peer, coalition),
        peer.targets,
        senders,
        rounds,
        settings,
        every_rounds,
        watched(experiment, coalition),
        coalition.attack.knowledge == "neighbourhood",
        listeners,
        plans,
        every_ns,
        scenario.defense.mutes,
        _offers(scenario),
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
        mutes=scenario.defense.mutes and (peer.coalition is None or _moves(experiment)),
    )
    hostility = None
    if peer.coalition is not None:
        coalition = experiment.spec.coalitions[peer.coalition]
        hostility = _hostility(experiment, peer, coalition)
    if isinstance(settings, Gossip):
        if hostility is not None:
            return GossipAdversary(
                place, settings, measuring, hostility, listens, _offers(scenario)
            )
        return GossipPeer(place, settings, measuring, _offers(scenario))
    assert isinstance(settings, Pairwise)
    if hostility is not None:
        return PairwiseAdversary(place, settings, measuring, hostility, listens)
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
            coalition = coalitions[peer.coalition]
            hostility = _hostility(experiment, peer, coalition)
            shown, timeout_s = watched(experiment, coalition), settings.timeout_s
            protocols.append(ClientAdversary(hostility, server, participation, timeout_s, shown))
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
    if knowledge == "full" and not _rushes(coalition):
        return tuple(
            peer.peer
            for peer in experiment.peers
            if not peer.server and (peer.coalition is None or peer.peer in coalition.everyone)
        )
    return coalition.everyone if knowledge in ("colluding", "full") else ()


def _rushes(coalition: Coalition) -> bool:
    """Whether it waits for what its neighbours send, and knows that."""
    return any(behaviour.listens for behaviour in coalition.conduct.behaviours)


def _moves(experiment: Experiment) -> bool:
    """Whether nodes that an adversary leaves are benign again."""
    return any(coalition.visited for coalition in experiment.spec.coalitions)


def _hostility(experiment: Experiment, peer: PeerSpec, coalition: Coalition) -> Hostility:
    scenario, hosts = experiment.scenario, set(coalition.everyone)
    if coalition.attack.knowledge == "full" and not _rushes(coalition):
        hosts -= {*coalition.visited}  # benign or not, all are shown
    return Hostility(
        me=peer.peer,
        seed=scenario.all_seeds.attack,
        conduct=coalition.conduct,
        members=coalition.members,
        targets=peer.targets,
        hosts=frozenset(hosts),
        possessed=peer.possessed,
        attacks=begins_attacking(scenario.events, peer.peer),
        turns=list(reversed(experiment.timeline.turns)),
        opening=experiment.cast.opening.get(peer.peer, ()),
    )


def watchers(experiment: Experiment) -> dict[int, list[int]]:
    """For each peer, the adversaries that are shown what it trained."""
    found: dict[int, list[int]] = {peer.peer: [] for peer in experiment.peers}
    for peer in experiment.peers:
        if peer.coalition is not None:
            for other in watched(experiment, experiment.spec.coalitions[peer.coalition]):
                if other != peer.peer:
                    found[other].append(peer.peer)
    return found
