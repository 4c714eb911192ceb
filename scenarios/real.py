"""A scenario under the real clock: what each peer's shell is."""

from collections.abc import Sequence

import networkx as nx

from actors.protocols.events import PeerProtocol
from actors.real.mail import ShellSpec
from graphs.links import Links
from graphs.types import Graph
from scenarios.build import Experiment


def make_shells(
    experiment: Experiment,
    machines: Sequence[PeerProtocol],
    crafts: Sequence[int],
    watchers: dict[int, list[int]],
) -> list[ShellSpec]:
    """One shell per peer, by id.

    Args:
        experiment: What is run.
        machines: The protocol of each peer.
        crafts: How many updates each peer's crafting gives.
        watchers: For each peer, the adversaries that are shown what it trained.
    """
    scenario, limit = experiment.scenario, experiment.scenario.limit
    ends_s = limit.virtual_s if limit else None
    return [
        ShellSpec(
            peer=peer.peer,
            machine=machines[peer.peer],
            links=_links_from(experiment, peer.peer),
            targets=peer.targets,
            senders=tuple(sorted(peer.mixing)),
            message_bytes=experiment.message_bytes,
            work_ns=experiment.timing,
            measured=scenario.compute.measured,
            crafts=crafts[peer.peer],
            watchers=tuple(watchers[peer.peer]),
            watches=tuple(other for other, who in watchers.items() if peer.peer in who),
            messages=scenario.record.messages,
            keeps_models=scenario.evaluate.consensus,
            prepares=scenario.defense.prepares,
            ends_ns=None if ends_s is None else round(1e9 * ends_s),
        )
        for peer in experiment.peers
    ]


def _links_from(experiment: Experiment, peer: int) -> Links:
    """A peer's own links: what they draw does not depend on any others."""
    scenario = experiment.scenario
    graph: Graph = nx.DiGraph()
    graph.add_node(peer)
    graph.add_edges_from((peer, other, edge) for other, edge in experiment.graph.adj[peer].items())
    return Links(graph, scenario.network, scenario.all_seeds.links, experiment.sites)
