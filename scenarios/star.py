"""What becomes of an experiment where a server stands in the middle."""

from dataclasses import replace

import numpy as np

from actors.specs import PeerSpec
from p2pfl.data.dataset import Dataset, IntArray
from p2pfl.errors import ScenarioError
from scenarios.schema import Scenario, Server


def left_to_clients(scenario: Scenario, dataset: Dataset) -> IntArray:
    """Indices of the training samples that no server holds out, here or in a comparison.

    Raises:
        ScenarioError: If what is withheld is not what the server holds out.
    """
    everything = np.arange(len(dataset.labels))
    held_out = scenario.server.held_out if scenario.server else 0
    withheld = scenario.data.withheld
    if held_out and withheld and held_out != withheld:
        raise ScenarioError(
            f"data.withheld must be server.held_out ({held_out}) or 0, got {withheld}"
        )
    if not held_out and not withheld:
        return everything
    return np.setdiff1d(everything, dataset.held_out(held_out or withheld, scenario.all_seeds.data))


def held_out_words(held_out: int, withheld: int) -> str:
    """Of which samples no client learns, behind a semicolon; "" if of none.

    Args:
        held_out: How many the server keeps, as ``server.held_out`` says.
        withheld: How many nobody is given, as ``data.withheld`` says.
    """
    if held_out:
        return f"; the server holds out {held_out:,} training samples, which no client has"
    if withheld:
        return (
            f"; {withheld:,} training samples are withheld from all, as if a server held them out"
        )
    return ""


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
