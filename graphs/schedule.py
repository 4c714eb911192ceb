"""A run's rounds as peers know them beforehand: the graph of each, and who rests in it."""

from collections.abc import Sequence

from graphs.availability import Availability
from graphs.round_plan import RoundPlan
from graphs.types import Graph, heard


def round_plans(
    graphs: Sequence[Graph], availability: Availability, seed: int, server: int | None = None
) -> dict[int, tuple[RoundPlan, ...]]:
    """What each peer knows of each round.

    Who rests hears and tells nobody, and nobody waits for it.

    Args:
        graphs: The graph of each round, all of the same peers.
        availability: Who rests.
        seed: The run's seed.
        server: Its id; it never rests.

    Cost:
        O(rounds (n + m)) for n peers and m edges.
    """
    plans: dict[int, list[RoundPlan]] = {peer: [] for peer in sorted(graphs[0])}
    for round_, graph in enumerate(graphs, start=1):
        resting = tuple(
            peer for peer in plans if peer != server and availability.rests(seed, peer, round_)
        )
        absent = frozenset(resting)
        neighbours = heard(graph)
        for peer, plan in plans.items():
            rests = peer in resting
            tells = () if rests else tuple(sorted(graph.adj[peer].keys() - absent))
            hears = () if rests else tuple(sorted(neighbours[peer].keys() - absent))
            plan.append(RoundPlan(tells, hears, rests, resting))
    return {peer: tuple(plan) for peer, plan in plans.items()}
