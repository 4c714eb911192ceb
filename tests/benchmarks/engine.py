"""Messages per second of the engine alone: one core, training switched off.

One message is: uplink, drop, latency, downlink, delivery to the protocol's ``on``. The executor
returns constants. ``rounds`` is the real protocol; ``ticks`` sends on a timer and ignores what it
hears, so the difference between the two is what the protocol costs. ``recorded`` also writes the
run folder as a run does: among others one row of edges.csv per merged message.

The large network is 1,000 peers of degree 8, with log-normal latency, 2 % drops and bandwidth. It
runs 100 rounds: in 20, for which each link makes its generators too, it is a fifth slower. It takes
300 bytes of memory for each message in flight: its place on the agenda, and the message itself
without its content, as counted by ``tracemalloc``.

Run ``python tests/benchmarks/engine.py`` (about four minutes); ``--repeats N`` for more or fewer.
"""

import argparse
import tempfile
import tracemalloc
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from statistics import median
from time import perf_counter, process_time

import networkx as nx

from actors.collector import seldom_collecting
from actors.engine import Engine
from actors.executor import Outcome, Task
from actors.observer import Observer
from actors.protocols.events import (
    Effect,
    Envelope,
    Event,
    Handle,
    PeerProtocol,
    Received,
    Send,
    SetTimer,
)
from actors.protocols.rounds import Rounds, RoundsPeer
from graphs.links import Constant, Links, Lognormal, Network
from p2pfl.learner.decision import Decision
from scenarios.record import Recorder
from scenarios.tables import Tables
from scenarios.watcher import Watcher

PEERS, DEGREE, ROUNDS = 100, 10, 100
LARGE = (1000, 8, 100)
"""Peers, degree and rounds of the large network."""
MESSAGE_BYTES = 320_000
LATENCIES = {"constant": Constant(ms=10), "lognormal": Lognormal(median_ms=40, sigma=0.5)}
BANDWIDTHS = {"no bandwidth": None, "bandwidth": 100.0}
PROTOCOLS = ("ticks", "rounds", "recorded")


class Constants:
    """An executor whose results are made beforehand."""

    def __init__(self) -> None:
        self.waits = 0
        self._updates: tuple[Handle, ...] = ("update",)
        self._decisions: dict[tuple[int, ...], Decision] = {}

    def submit(self, peer: int, task: Task, inputs: Sequence[Handle]) -> Outcome:
        if task.kind == "train":
            return Outcome(self._updates, "loss")
        senders = task.senders
        if senders not in self._decisions:
            m = len(senders)
            shares = (1 / (m + 1),) * m
            self._decisions[senders] = Decision(
                senders=senders, staleness=(0,) * m, influence=shares
            )
        return Outcome((), self._decisions[senders])

    def resolved(self, handles: Sequence[Handle], timeout_s: float) -> int:
        return len(handles)

    def fetch(self, handles: Sequence[Handle]) -> list[object]:
        return list(handles)

    def close(self) -> None:
        pass


class Nobody:
    """An observer that writes nothing."""

    def note(
        self, now_ns: int, peer: int, event: str, round_: int, data: Mapping[str, object]
    ) -> None: ...

    def merged(self, now_ns: int, peer: int, round_: int, summary: Handle) -> None: ...

    def evaluated(
        self, now_ns: int, peer: int, round_: int, outcome: Outcome, sent_bytes: int
    ) -> None: ...

    def message(self, now_ns: int, what: str, envelope: Envelope) -> None: ...


class Ticks:
    """Sends to all neighbours once a virtual second, and ignores what it hears."""

    def __init__(self, neighbours: Sequence[int], rounds: int) -> None:
        self._neighbours = neighbours
        self._rounds = rounds
        self._round = 0

    def on(self, event: Event, now_ns: int) -> Sequence[Effect]:
        if isinstance(event, Received) or self._round == self._rounds:
            return ()
        self._round += 1
        sends: list[Effect] = [Send(n, self._round, "update") for n in self._neighbours]
        return [*sends, SetTimer(10**9, ("tick", self._round))]


def once(protocol: str, network: Network, size: tuple[int, int, int] | None = None) -> float:
    """Messages per second of process time of one run; ``size``: its peers, degree and rounds."""
    peers, degree, rounds = size or (PEERS, DEGREE, ROUNDS)
    graph = nx.random_regular_graph(degree, peers, seed=1)
    neighbours = [sorted(graph[peer]) for peer in range(peers)]
    executor = Constants()
    protocols: list[PeerProtocol]
    if protocol == "ticks":
        protocols = [Ticks(those, rounds) for those in neighbours]
    else:
        protocols = [RoundsPeer(those, those, rounds, Rounds(), 0) for those in neighbours]

    def run(observer: Observer) -> Engine:
        engine = Engine(
            protocols,
            Links(graph, network, seed=1),
            executor,
            observer,
            edges=[(i, j) for i in range(peers) for j in neighbours[i]],
            work_ns=lambda peer, work: 10**8 if work.kind == "train" else 0,
            message_bytes=[MESSAGE_BYTES] * len(protocols),
            outputs=[1] * peers,
            watchers={},
        )
        with seldom_collecting():
            engine.run()
        return engine

    with tempfile.TemporaryDirectory() as temporary:
        roles = ["benign"] * peers
        tables = Tables(Path(temporary), roles, Watcher())
        recorder = Recorder(tables, roles, executor)
        began = process_time()
        if protocol == "recorded":
            engine = run(recorder)
            recorder.finish()
            tables.write_messages(engine.counts)
        else:
            engine = run(Nobody())
        seconds = process_time() - began
        tables.close()
    sent = sum(edge.sent for edge in engine.counts.values())
    assert sent == peers * degree * rounds
    return sent / seconds


def bytes_in_flight(rounds: int = 20) -> float:
    """Memory of one message under way, in bytes: of many that all are, nothing else changing."""
    peers, degree, _ = LARGE
    graph = nx.random_regular_graph(degree, peers, seed=1)
    engine = Engine(
        [Ticks(sorted(graph[peer]), rounds) for peer in range(peers)],
        Links(graph, Network(latency=Constant(ms=1e6), bandwidth_mbps=1e6), seed=1),
        Constants(),
        Nobody(),
        edges=[(i, j) for i in graph for j in sorted(graph[i])],
        work_ns=lambda peer, work: 0,
        message_bytes=[MESSAGE_BYTES] * peers,
        outputs=[1] * peers,
        watchers={},
    )

    def until(events: int) -> tuple[int, int]:
        left = iter(range(events))
        engine.run(lambda: next(left, None) is None)
        in_flight = sum(edge.in_flight for edge in engine.counts.values())
        return in_flight, tracemalloc.get_traced_memory()[0]

    tracemalloc.start()
    some, before = until(2 * peers)
    more, after = until((rounds - 3) * peers)
    tracemalloc.stop()
    assert more > some
    return (after - before) / (more - some)


def measure(repeats: int = 5) -> dict[str, list[float]]:
    """Messages per second of process time, per variant and run; the variants take turns."""
    variants: dict[str, Callable[[], float]] = {
        f"{protocol}, {latency}, {bandwidth}": (
            lambda protocol=protocol, latency=latency, bandwidth=bandwidth: once(
                protocol,
                Network(
                    latency=LATENCIES[latency],
                    bandwidth_mbps=BANDWIDTHS[bandwidth],
                    drop=0.01,
                ),
            )
        )
        for protocol in PROTOCOLS
        for latency in LATENCIES
        for bandwidth in BANDWIDTHS
    }
    large = Network(latency=LATENCIES["lognormal"], bandwidth_mbps=100.0, drop=0.02)
    for protocol in PROTOCOLS:
        name = f"{protocol}, {LARGE[0]:,} peers"
        variants[name] = lambda protocol=protocol: once(protocol, large, LARGE)
    results: dict[str, list[float]] = {name: [] for name in variants}
    for _ in range(repeats):
        for name, variant in variants.items():
            results[name].append(variant())
    return results


def report(results: Mapping[str, Sequence[float]]) -> None:
    """Print the table."""
    print(f"messages per second ({PEERS} peers, degree {DEGREE}, {ROUNDS} rounds)")
    for name, rates in results.items():
        spread = f"{min(rates):,.0f} to {max(rates):,.0f}"
        print(f"    {name:36} {median(rates):9,.0f}  ({spread}, {len(rates)} runs)")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--repeats", type=int, default=5)
    began = perf_counter()
    report(measure(parser.parse_args().repeats))
    print(f"bytes of memory for each message in flight: {bytes_in_flight():.0f}")
    print(f"took {perf_counter() - began:.0f} s")
