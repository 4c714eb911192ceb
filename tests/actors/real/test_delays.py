"""Delays that are really slept: as they were asked for, and as late as a loop may be."""

import asyncio
import time
from math import log, sqrt

import networkx as nx
import pytest
from scipy.stats import lognorm

from actors.protocols.events import Received, Send, SetTimer, Started, TimerFired
from actors.real.clock import RealClock
from actors.real.journal import Late
from actors.real.mail import ShellSpec
from actors.real.shell import Shell
from graphs.links import Links, Lognormal, Network

MESSAGES = 400
MEDIAN_MS, SIGMA = 40, 0.5

pytestmark = [pytest.mark.asyncio, pytest.mark.real_clock]


class Ticks:
    """Sends a message each two milliseconds."""

    def __init__(self):
        self.sent = 0

    def on(self, event, now_ns):
        if not isinstance(event, Started | TimerFired) or self.sent == MESSAGES:
            return ()
        self.sent += 1
        return [Send(1, self.sent, "update"), SetTimer(2 * 10**6, ("tick", self.sent))]


class Listens:
    def __init__(self):
        self.heard = 0

    def on(self, event, now_ns):
        self.heard += isinstance(event, Received)
        return ()


async def test_measured_delays_follow_the_distribution():
    graph = nx.path_graph(2)
    network = Network(latency=Lognormal(median_ms=MEDIAN_MS, sigma=SIGMA))
    machines = [Ticks(), Listens()]
    clock = RealClock(time.time_ns())
    shells = []

    def post(destination, mail):
        shells[destination].take(mail)

    for peer, machine in enumerate(machines):
        spec = ShellSpec(
            peer=peer,
            machine=machine,
            links=Links(graph, network, 1),
            targets=(1 - peer,),
            senders=(1 - peer,),
            message_bytes=(1000, 1000),
            work_ns=lambda peer, work: 0,
        )
        shells.append(Shell(spec, None, post, clock))
    lives = [asyncio.create_task(shell.live()) for shell in shells]
    while machines[1].heard < MESSAGES:
        await asyncio.sleep(0.05)
    for life in lives:
        life.cancel()
    await asyncio.gather(*lives, return_exceptions=True)
    late = [e.what for e in shells[1].report().entries if isinstance(e.what, Late)]
    took_ms = sorted(each.took_ns / 1e6 for each in late)
    behind_ms = sorted((each.took_ns - each.asked_ns) / 1e6 for each in late)

    # None comes early. A loop's timer is late by up to 1 ms, as it sleeps whole milliseconds, and
    # by what else it has to do; half of all within 5 ms leaves room for a busy machine.
    assert behind_ms[0] >= 0
    assert behind_ms[MESSAGES // 2] < 5

    # Kolmogorov and Smirnov, at a risk of one in 10,000 (Dvoretzky-Kiefer-Wolfowitz, Massart's
    # constant), once the lateness is granted: a delay of at most t was asked for at most t - it.
    bound = sqrt(log(2 / 1e-4) / (2 * MESSAGES))
    delays = lognorm(s=SIGMA, scale=MEDIAN_MS)
    granted_ms = behind_ms[int(0.99 * MESSAGES)]
    for k, t in enumerate(took_ms):
        assert (k + 1) / MESSAGES <= delays.cdf(t) + bound
        assert k / MESSAGES >= delays.cdf(max(0, t - granted_ms)) - bound - 0.01
