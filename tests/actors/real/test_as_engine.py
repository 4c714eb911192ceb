"""Where time passes exactly, the shells together do what the engine does: event for event."""

import asyncio
from collections import Counter

import networkx as nx
from hypothesis import given, settings
from hypothesis import strategies as st

from actors.engine import Engine
from actors.executor import Outcome
from actors.observer import EdgeCounts
from actors.protocols.adversary import RoundsAdversary
from actors.protocols.gossip import Gossip, GossipAdversary, GossipPeer
from actors.protocols.hostility import Hostility
from actors.protocols.measuring import Measuring
from actors.protocols.own_pace import Place
from actors.protocols.pairwise import Pairwise, PairwiseAdversary, PairwisePeer
from actors.protocols.rounds import Rounds, RoundsPeer
from actors.real.mail import ShellSpec
from actors.real.shell import Shell
from graphs.drops import GilbertElliott
from graphs.latencies import Exponential, Lognormal
from graphs.links import Links, Network

ROUNDS = 3
SETTLED = 5
"""Turns of a loop in which nothing happens: whatever is computed at once is done by then."""


class ExactClock:
    """Time of several shells: jumps to the next that is due once all of them wait."""

    def __init__(self, shells):
        self.ns, self.shells, self.waiting = 0, shells, {}
        self.changes = 0

    def now_ns(self):
        return self.ns

    async def wait(self, woken, until_ns):
        me = object()
        self.waiting[me] = until_ns
        self.changes += 1
        quiet, seen = 0, self.changes
        while not woken.is_set():
            await asyncio.sleep(0)
            quiet, seen = (quiet + 1, seen) if seen == self.changes else (0, self.changes)
            times = [each for each in self.waiting.values() if each is not None]
            all_wait = len(self.waiting) == self.shells and quiet > SETTLED
            if all_wait and times and until_ns == min(times):
                self.ns = max(self.ns, until_ns)
                break
        del self.waiting[me]
        self.changes += 1


class Instant:
    """Computes nothing, at once; as an executor and as a desk."""

    waits = 0

    def submit(self, peer, task, inputs):
        name = f"{task.kind} {peer}@{task.round}"
        return Outcome(tuple(f"{name} #{k}" for k in range(task.outputs)), name)

    async def run(self, peer, task, inputs, prepares=False):
        outcome = self.submit(peer, task, inputs)
        return (*outcome.updates, outcome.summary)

    def fetch(self, handles):
        return list(handles)

    def resolved(self, handles, timeout_s):
        return len(handles)


class Nobody:
    def note(self, *row): ...

    merged = evaluated = message = note


class Logged:
    def __init__(self, machine, log):
        self.machine, self.log = machine, log

    def on(self, event, now_ns):
        self.log.append((now_ns, repr(event)))
        return self.machine.on(event, now_ns)


def machines_of(graph, rules):
    """Benign peers, and an adversary that sees what two of them train."""
    others = [sorted(graph[peer]) for peer in sorted(graph)]
    last = len(graph) - 1
    hostility = Hostility(me=last)
    if not isinstance(rules, Rounds):
        benign, adversary = (
            (GossipPeer, GossipAdversary)
            if isinstance(rules, Gossip)
            else (PairwisePeer, PairwiseAdversary)
        )
        places = [
            Place(me=k, neighbours=tuple(those), senders=tuple(those), rounds=ROUNDS, seed=1)
            for k, those in enumerate(others)
        ]
        machines = [benign(place, rules, Measuring()) for place in places[:-1]]
        return [*machines, adversary(places[-1], rules, Measuring(), hostility)]
    machines = [RoundsPeer(those, those, ROUNDS, rules) for those in others[:-1]]
    hostile = (hostility, others[-1], others[-1], ROUNDS, rules)
    return [*machines, RoundsAdversary(*hostile, watches=(0, 1))]


def work_ns(peer, work):
    return (peer + 1) * 300 * 10**6 if work.kind == "train" else 7 * 10**6


def by_engine(graph, network, rules, logs):
    engine = Engine(
        [Logged(m, logs[k]) for k, m in enumerate(machines_of(graph, rules))],
        Links(graph, network, 1),
        Instant(),
        Nobody(),
        edges=[(i, j) for i in graph for j in graph[i]],
        work_ns=work_ns,
        message_bytes=[20_000] * len(graph),
        outputs=[1] * len(graph),
        watchers={0: [len(graph) - 1], 1: [len(graph) - 1]},
    )
    engine.run()
    return dict(engine.counts)


async def by_shells(graph, network, rules, logs):
    clock, shells = ExactClock(len(graph)), {}

    def post(destination, mail):
        shells[destination].take(mail)

    for peer, machine in enumerate(machines_of(graph, rules)):
        spec = ShellSpec(
            peer=peer,
            machine=Logged(machine, logs[peer]),
            links=Links(graph, network, 1),
            targets=tuple(sorted(graph[peer])),
            senders=tuple(sorted(graph[peer])),
            message_bytes=[20_000] * len(graph),
            work_ns=work_ns,
            watchers=(len(graph) - 1,) if peer < 2 else (),
        )
        shells[peer] = Shell(spec, Instant(), post, clock)
    lives = [asyncio.create_task(shell.live()) for shell in shells.values()]
    while not all(shell.report().idle for shell in shells.values()):
        await asyncio.sleep(0)
        assert not any(life.done() for life in lives)
    for life in lives:
        life.cancel()
    await asyncio.gather(*lives, return_exceptions=True)
    counts = Counter()
    for shell in shells.values():
        for edge, half in shell.report().counts.items():
            counts[edge] = half.plus(counts[edge] or EdgeCounts())
    return dict(counts)


networks = st.builds(
    Network,
    latency=st.sampled_from([Exponential(mean_ms=80), Lognormal(median_ms=200, sigma=1)]),
    up_mbps=st.sampled_from([None, 2.0]),
    down_mbps=st.sampled_from([None, 1.0]),
    drop=st.sampled_from([0.0, 0.3, GilbertElliott(p_good_to_bad=0.3, p_bad_to_good=0.5)]),
    retries=st.sampled_from([0, 2]),
    duplicate=st.sampled_from([0.0, 0.3]),
    fifo=st.booleans(),
)
waits = st.sampled_from([0.25, 5.0])
rules = st.one_of(
    st.builds(Rounds, timeout_s=waits, late=st.sampled_from(["drop", "use"])),
    st.builds(Gossip, fanout=st.sampled_from([None, 1])),
    st.builds(Pairwise, timeout_s=waits),
)


@settings(max_examples=60, deadline=None)
@given(network=networks, rules=rules, peers=st.integers(3, 5))
def test_shells_do_what_the_engine_does(network, rules, peers):
    graph = nx.cycle_graph(peers)
    expected, logs = ([[] for _ in range(peers)] for _ in range(2))
    counts = by_engine(graph, network, rules, expected)
    assert asyncio.run(by_shells(graph, network, rules, logs)) == counts
    for peer in range(peers):
        # Of what happens to a peer at one moment, the order is not the same.
        assert sorted(logs[peer]) == sorted(expected[peer])
