"""Stand-ins for what surrounds the engine, and a small run put together from real parts."""

from collections import Counter

import networkx as nx
import pytest

from actors.engine import Engine
from actors.executor import Outcome
from actors.protocols.rounds import Rounds, RoundsPeer
from graphs.links import Links, Network


class FakeExecutor:
    """Computes nothing. A handle is a string that says what it stands for."""

    def __init__(self, contents=()):
        self.waits = 0
        self.contents = dict(contents)
        self.submitted = []

    def submit(self, peer, task, inputs):
        self.submitted.append((peer, task, tuple(inputs)))
        name = f"{task.kind} {peer}@{task.round}"
        return Outcome(tuple(f"{name} #{k}" for k in range(task.outputs)), name)

    def resolved(self, handles, timeout_s):
        return len(handles)

    def fetch(self, handles):
        return [self.contents.get(handle, handle) for handle in handles]

    def remarks(self):
        return []

    def close(self):
        pass

    def accepted(self):
        """How many messages of each directed edge were merged."""
        return Counter(
            (sender, peer)
            for peer, task, _ in self.submitted
            if task.kind == "merge"
            for sender in task.senders
        )


class Tape:
    """An observer that remembers."""

    def __init__(self):
        self.notes, self.merges, self.evaluations, self.messages = [], [], [], []
        self.sent_bytes = []

    def note(self, now_ns, peer, event, round_, data):
        self.notes.append((now_ns, peer, event, round_, dict(data)))

    def merged(self, now_ns, peer, round_, summary):
        self.merges.append((now_ns, peer, round_, summary))

    def evaluated(self, now_ns, peer, round_, outcome, sent_bytes):
        self.evaluations.append((now_ns, peer, round_, outcome.summary))
        self.sent_bytes.append(sent_bytes)

    def message(self, now_ns, what, envelope):
        self.messages.append((now_ns, what, *envelope[:3]))


class Logged:
    """A protocol that writes its events to a list on their way."""

    def __init__(self, peer, protocol, log):
        self.peer, self.protocol, self.log = peer, protocol, log

    def on(self, event, now_ns):
        self.log.append((now_ns, self.peer, event))
        return self.protocol.on(event, now_ns)


class Emulation:
    """A graph of peers under ``rounds`` over real links, with nothing to compute."""

    def __init__(
        self,
        graph,
        network=None,
        *,
        protocols=None,
        settings=None,
        rounds=1,
        seed=1,
        train_ns=10**9,
        craft_ns=0,
        message_bytes=1000,
        outputs=1,
        watchers=None,
        contents=(),
        evaluate_every=1,
        mutes=False,
        timeline=None,
        open_edges=None,
        plans=None,
        budget=None,
    ):
        self.graph = graph
        if protocols is None:
            protocols = [
                RoundsPeer(
                    sorted(graph.adj[peer]),
                    sorted(graph.pred[peer] if isinstance(graph, nx.DiGraph) else graph.adj[peer]),
                    rounds,
                    settings or Rounds(),
                    evaluate_every,
                    mutes,
                    plans=plans[peer] if plans else (),
                )
                for peer in sorted(graph)
            ]
        self.log = []
        self.tape = Tape()
        self.executor = FakeExecutor(contents)
        n = len(graph)
        trains = [train_ns] * n if isinstance(train_ns, int) else train_ns
        self.engine = Engine(
            [Logged(peer, protocol, self.log) for peer, protocol in enumerate(protocols)],
            Links(graph, network or Network(), seed),
            self.executor,
            self.tape,
            edges=[(i, j) for i in graph for j in graph.adj[i]],
            work_ns=lambda peer, work: {"train": trains[peer], "craft": craft_ns}.get(work.kind, 0),
            message_bytes=[message_bytes] * n,
            outputs=[outputs] * n,
            watchers=watchers or {},
            messages=True,
            timeline=timeline,
            open_edges=open_edges,
            budget=budget,
        )

    def run(self):
        assert self.engine.run()
        return self

    def events(self, kind, peer=None):
        """(time, peer, event) of one kind, and of one peer if it is named."""
        return [e for e in self.log if isinstance(e[2], kind) and peer in (None, e[1])]


@pytest.fixture(scope="session")
def emulation():
    """The class :class:`Emulation`: test modules cannot import one another."""
    return Emulation


@pytest.fixture(scope="session")
def fake_executor():
    """The class :class:`FakeExecutor`."""
    return FakeExecutor
