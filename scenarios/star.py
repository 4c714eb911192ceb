"""What becomes of an experiment where a server stands in the middle."""

from dataclasses import replace

import numpy as np

from actors.specs import PeerSpec
from p2pfl.data.dataset import Dataset, IntArray
from p2pfl.errors import ScenarioError
from scenarios.schema import Scenario, Server


def left_to_clients(scenario: Scenario, dataset: Dataset) -> IntArray:
    """Indices of the training samples that the server does not hold out."""
    everything = np.arange(len(dataset.labels))
    if scenario.server is None or not scenario.server.held_out:
        return everything
    held_out = dataset.held_out(scenario.server.held_out, scenario.seed)
    return np.setdiff1d(everything, held_out)


def with_server(
    server: Server, dataset: Dataset, peers: tuple[PeerSpec, ...], seed: int
) -> tuple[PeerSpec, ...]:
    """The peers as clients, and the server behind them.

    Raises:
        ScenarioError: If more clients are to take part than there are.
    """
    count, own = len(peers), len(peers)
    if server.participants is not None and server.participants > count:
        raise ScenarioError(
            f"server.participants must be in 1 .. {count}, the number of clients, got "
            f"{server.participants}"
        )
    held_out = dataset.held_out(server.held_out, seed) if server.held_out else np.arange(0)
    clients = [replace(peer, mixing={own: 1.0}, targets=(own,)) for peer in peers]
    middle = PeerSpec(
        peer=own,
        samples=held_out,
        mixing={peer.peer: 1 / count for peer in peers},
        targets=tuple(peer.peer for peer in peers),
        coalition=None,
        server=True,
    )
    return (*clients, middle)


def vectors_sent(scenario: Scenario, peer: PeerSpec) -> int:
    """How many vectors one message of a peer carries."""
    if peer.server:
        assert scenario.server is not None
        return scenario.server.strategy.down
    if scenario.server:
        return scenario.server.strategy.up
    return 1 + scenario.defense.companion
