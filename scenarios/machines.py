"""The state machine of each peer of an experiment, and which adversary is shown what."""

from typing import Literal

from actors.protocols.absent import AbsentPeer
from actors.protocols.adversary import RoundsAdversary
from actors.protocols.events import PeerProtocol
from actors.protocols.hostility import Hostility
from actors.protocols.participation import Participation
from actors.protocols.rounds import RoundsPeer
from actors.protocols.server import ClientAdversary, ClientPeer, ServerPeer
from actors.specs import Coalition, PeerSpec
from graphs.round_plan import RoundPlan
from graphs.schedule import round_plans
from scenarios.build import Experiment
from scenarios.cast import begins_attacking


def make_protocols(experiment: Experiment) -> list[PeerProtocol]:
    """One per peer, by id; the server's last."""
    if experiment.server is not None:
        return _around_a_server(experiment, experiment.server)
    return _among_peers(experiment)


def _among_peers(experiment: Experiment) -> list[PeerProtocol]:
    scenario, peers = experiment.scenario, experiment.peers
    defense, coalitions = scenario.defense, experiment.spec.coalitions
    listens = [coalition.attack.knowledge == "neighbourhood" for coalition in coalitions]
    listeners = [
        p.peer
        for p in peers
        if p.coalition is not None and (listens[p.coalition] or _rushes(coalitions[p.coalition]))
    ]
    absent = scenario.adversaries is not None and scenario.adversaries.absent
    plans = plans_of(experiment)
    protocols: list[PeerProtocol] = []
    for peer in peers:
        senders = sorted(peer.mixing)
        offers: Literal["trained", "after", "before"] = (
            "before" if defense.early else "after" if defense.encodes else "trained"
        )
        if peer.adversary and absent:
            protocols.append(AbsentPeer())
        elif peer.coalition is not None:
            protocols.append(
                RoundsAdversary(
                    _hostility(experiment, peer, coalitions[peer.coalition]),
                    peer.targets,
                    senders,
                    scenario.rounds,
                    scenario.protocol,
                    scenario.evaluate.every,
                    watched(experiment, coalitions[peer.coalition]),
                    listens[peer.coalition],
                    listeners,
                    plans.get(peer.peer, ()),
                    defense.mutes,
                    offers,
                    _shown_while_there(coalitions[peer.coalition]),
                )
            )
        else:
            protocols.append(
                RoundsPeer(
                    peer.targets,
                    senders,
                    scenario.rounds,
                    scenario.protocol,
                    scenario.evaluate.every,
                    defense.mutes,
                    offers,
                    plans.get(peer.peer, ()),
                )
            )
    return protocols


def _around_a_server(experiment: Experiment, server: int) -> list[PeerProtocol]:
    scenario, coalitions = experiment.scenario, experiment.spec.coalitions
    assert scenario.server is not None
    absent = scenario.adversaries is not None and scenario.adversaries.absent
    clients = tuple(
        peer.peer
        for peer in experiment.peers
        if not peer.server and not (peer.adversary and absent)
    )
    count = min(scenario.server.participants or len(clients), len(clients))
    participation = Participation(scenario.seed, clients, count)
    protocols: list[PeerProtocol] = []
    for peer in experiment.peers[:-1]:
        if peer.adversary and absent:
            protocols.append(AbsentPeer())
        elif peer.coalition is not None:
            coalition = coalitions[peer.coalition]
            protocols.append(
                ClientAdversary(
                    _hostility(experiment, peer, coalition),
                    server,
                    participation,
                    scenario.protocol.timeout_s,
                    watched(experiment, coalition),
                    _shown_while_there(coalition),
                )
            )
        else:
            protocols.append(ClientPeer(server))
    individual = scenario.server.strategy.individual
    every = scenario.evaluate.every
    plans = plans_of(experiment).get(server, ())
    middle = ServerPeer(participation, scenario.rounds, scenario.protocol, every, individual, plans)
    return [*protocols, middle]


def plans_of(experiment: Experiment) -> dict[int, tuple[RoundPlan, ...]]:
    """What each peer knows of each round beforehand; nothing where all rounds are alike."""
    scenario = experiment.scenario
    if not (scenario.availability.dropout or experiment.by_round):
        return {}
    graphs = experiment.by_round or [experiment.graph] * scenario.rounds
    return round_plans(graphs, scenario.availability, scenario.seed, experiment.server)


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


def _shown_while_there(coalition: Coalition) -> tuple[int, ...]:
    """Whose training its members are shown only while an adversary of theirs is there."""
    if coalition.attack.knowledge == "full" and not _rushes(coalition):
        return tuple(sorted(set(coalition.everyone) - set(coalition.visited)))
    return coalition.everyone


def _rushes(coalition: Coalition) -> bool:
    """Whether it knows what it hears."""
    return any(behaviour.listens for behaviour in coalition.conduct.behaviours)


def _hostility(experiment: Experiment, peer: PeerSpec, coalition: Coalition) -> Hostility:
    scenario = experiment.scenario
    return Hostility(
        me=peer.peer,
        seed=scenario.seed,
        conduct=coalition.conduct,
        members=coalition.members,
        targets=peer.targets,
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
