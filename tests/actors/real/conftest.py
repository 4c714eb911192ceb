"""A shell that lives by itself: time passes when it is waited for; and whoever surrounds it."""

import asyncio

import networkx as nx
import pytest

from actors.protocols.events import Envelope, Received
from actors.real.mail import Mail, ShellSpec
from actors.real.shell import Shell
from graphs.links import Links, Network


class JumpClock:
    """Time stands still, and jumps to whatever is waited for."""

    def __init__(self):
        self.ns = 0

    def now_ns(self):
        return self.ns

    async def wait(self, woken, until_ns):
        if until_ns is None:
            await woken.wait()
        else:
            await asyncio.sleep(0)  # who computes comes first
            if not woken.is_set():
                self.ns = max(self.ns, until_ns)


class Machine:
    """A protocol that remembers its events and reacts as it is told: by the event's type."""

    def __init__(self, **reactions):
        self.reactions = reactions
        self.log = []

    def on(self, event, now_ns):
        self.log.append((now_ns, event))
        effects = self.reactions.get(type(event).__name__, ())
        return effects(event) if callable(effects) else effects

    def times(self, kind):
        return [now_ns for now_ns, event in self.log if isinstance(event, kind)]


class FakeDesk:
    """Computes nothing. Each task waits for ``gate``, if there is one."""

    def __init__(self, gate=None, error=None):
        self.gate, self.error, self.tasks = gate, error, []

    async def run(self, peer, task, inputs, prepares=False):
        self.tasks.append((task, tuple(inputs), prepares))
        if self.gate is not None:
            await self.gate.wait()
        if self.error is not None:
            raise self.error
        name = f"{task.kind} {peer}@{task.round}"
        return (*(f"{name} #{k}" for k in range(task.outputs)), name)


class Alone:
    """One shell, peer 0 of a path, whose mail to peer 1 is kept."""

    def __init__(self, machine, network=None, *, peer=0, desk=None, clock=None, **spec):
        self.machine, self.desk, self.clock = machine, desk or FakeDesk(), clock or JumpClock()
        self.mail, self.entries = [], []
        settings = {
            "peer": peer,
            "machine": machine,
            "links": Links(nx.path_graph(2), network or Network(), 1),
            "targets": (1 - peer,),
            "senders": (1 - peer,),
            "message_bytes": (1000, 1000),
            "work_ns": lambda peer, work: 10**9,
        }
        self.shell = Shell(
            ShellSpec(**settings | spec),
            self.desk,
            lambda destination, mail: self.mail.append((destination, mail)),
            self.clock,
        )

    async def live(self, until=lambda: False):
        """Until it is idle, or ``until`` says so."""
        life = asyncio.create_task(self.shell.live())
        for _ in range(10_000):
            await asyncio.sleep(0)
            report = self.shell.report()
            self.entries += report.entries
            if life.done() or until() or report.idle:
                break
        else:
            raise AssertionError("it does not come to rest")
        if not life.done():
            life.cancel()
        await asyncio.gather(life, return_exceptions=True)
        if not life.cancelled():
            life.result()

    def said(self, kind):
        """What it had to say for the record, of one kind."""
        return [entry.what for entry in self.entries if isinstance(entry.what, kind)]

    def posted(self):
        return [mail.event for _, mail in self.mail]


def envelope_to(peer, round_=1, handle="update"):
    return Envelope(1 - peer, peer, round_, 1000, handle)


@pytest.fixture
def machine():
    return Machine


@pytest.fixture
def alone():
    return Alone


@pytest.fixture
def fake_desk():
    return FakeDesk


@pytest.fixture
def arriving():
    """``arriving(at_ms, round)``: mail to peer 0 with a message of peer 1."""

    def make(at_ms, round_=1, kind=Received, asked_ms=0):
        event = kind(envelope_to(0, round_))
        return Mail(1, asked_ms * 10**6, at_ms * 10**6, event)

    return make
