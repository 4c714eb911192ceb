"""A federation of peers under GPD, driven by hand: no engine, no network, no clock."""

from dataclasses import dataclass, field

import networkx as nx
import pytest
import torch
from torch import nn

from p2pfl.types import InputSpec, Neighbourhood
from p2pfl.vectors import FunctionalModel, Layout


def flat_model(p, buffers=0):
    """A model of which only the layout matters: p parameters, then running statistics."""
    module = nn.Linear(p, 1, bias=False)
    if buffers:
        module.register_buffer("statistics", torch.zeros(buffers))
    return FunctionalModel(module, Layout.of(module))


@dataclass
class Federation:
    """Peers 0 .. n - 1 on a graph with Metropolis weights, all at ``initial`` before round 1."""

    defense: object
    graph: nx.Graph
    initial: torch.Tensor
    gradient: object
    """(peer, (d,) start, round) to the (d,) local step, which is subtracted."""
    hostile: tuple[int, ...] = ()
    lie: object = None
    """(federation, sender, target) to the (d,) model that an adversary pretends to have; with own
    gradients, to the one that it pretends to have trained. None: it behaves, on its own data."""
    lost: object = lambda sender, target, round_: False
    late: object = lambda sender, target, round_: 0
    """Rounds by which a message is late."""
    follows: object = None
    """How adversaries merge; None: as the benign do, without suspicion."""
    special: dict = field(default_factory=dict)
    """Benign peers with a defense of their own."""
    buffers: int = 0
    round: int = 0
    models: dict = field(init=False)
    states: dict = field(init=False)
    merges: dict = field(default_factory=dict)

    def __post_init__(self):
        self.peers = sorted(self.graph)
        self.benign = [peer for peer in self.peers if peer not in self.hostile]
        d = len(self.initial)
        self.model = flat_model(d - self.buffers, self.buffers)
        self.models = {peer: self.initial.clone() for peer in self.peers}
        self.states = {peer: self._merger(peer).init(d) for peer in self.peers}
        self._said = {}
        self._under_way = []
        self.steps = {}

    def _merger(self, peer):
        if peer in self.hostile:
            return self.follows or self.defense.trusting()
        return self.special.get(peer, self.defense)

    def weight(self, i, j):
        return 1 / (1 + max(self.graph.degree[i], self.graph.degree[j]))

    def run(self, rounds):
        for _ in range(rounds):
            self.step()
        return self

    def step(self):
        self.round += 1
        self.starts = dict(self.models)
        self.steps = {p: self.gradient(p, self.starts[p], self.round) for p in self.peers}
        self.trained = {p: self.starts[p] - self.steps[p] for p in self.peers}
        for sender in self.peers:
            for target in self.graph[sender]:
                self._send(sender, target)
        arrived = [m for m in self._under_way if m[0] <= self.round]
        self._under_way = [m for m in self._under_way if m[0] > self.round]
        for peer in self.peers:
            self._merge(peer, {m[1]: m for m in arrived if m[2] == peer})

    def _send(self, sender, target):
        model = self.starts[sender] if self.defense.early else self.trained[sender]
        if sender in self.hostile and self.lie is not None:
            model = self.lie(self, sender, target)
        previous = self._said.get((sender, target), self.initial)
        self._said[sender, target] = model
        vector = self.defense.encode(model, self.starts[sender], previous, self.initial)
        meta = self._merger(sender).attach(self.states[sender])
        if not self.lost(sender, target, self.round):
            due = self.round + self.late(sender, target, self.round)
            self._under_way.append((due, sender, target, self.round, vector, meta))

    def _merge(self, peer, messages):
        sound = [s for s in messages if messages[s][4].isfinite().all()]
        senders = tuple(sorted(sound))
        view = Neighbourhood(
            me=peer,
            round=self.round,
            own=self.trained[peer],
            start=self.starts[peer],
            received=torch.stack([messages[s][4] for s in senders])
            if senders
            else torch.zeros(0, len(self.initial)),
            senders=senders,
            staleness=tuple(self.round - messages[s][3] for s in senders),
            mixing=tuple(self.weight(peer, s) for s in senders),
            samples=(1,) * len(senders),
            own_samples=1,
            meta=tuple(messages[s][5] for s in senders),
            model=self.model,
            inputs=InputSpec(shape=(1,), classes=1),
            loss=lambda vector: 0.0,
            rejected=tuple(sorted(messages.keys() - set(sound))),
        )
        merge, self.states[peer] = self._merger(peer).merge(view, self.states[peer])
        self.merges[peer] = merge
        self.models[peer] = merge.model

    def aggregated(self, peers):
        """The sum of y over some peers in the last round: how far they went together."""
        return sum((self.starts[p] - self.models[p]).double() for p in peers)

    def local(self, peers):
        """The sum of their local steps in the last round."""
        return sum(self.steps[p].double() for p in peers)

    def excluded(self, peer):
        """Whom a peer excludes now."""
        record = self.states[peer].record
        return {sender for sender, edge in record.edges.items() if edge.excluded}

    def wrongly(self):
        """Edges between benign peers that are cut at one end at least."""
        return {(i, j) for i in self.benign for j in self.excluded(i) if j in self.benign}

    def missed(self):
        """Edges from adversaries to benign peers that are not cut."""
        return {
            (i, j)
            for i in self.benign
            for j in set(self.graph[i]) & set(self.hostile) - self.excluded(i)
        }


@pytest.fixture
def federation():
    """Quadratic losses |w - t_i|^2 / 2 with noise; targets differ between peers."""

    def make(defense, graph=None, p=6, lr=0.1, spread=1.0, noise=0.1, seed=0, **others):
        graph = nx.random_regular_graph(4, 10, seed=1) if graph is None else graph
        draws = torch.Generator().manual_seed(seed)
        targets = 1 + spread * torch.randn(len(graph), p, generator=draws)

        def gradient(peer, start, round_):
            rng = torch.Generator().manual_seed(1000 * round_ + peer)
            away = start[:p] - targets[peer] + noise * torch.randn(p, generator=rng)
            return torch.cat([lr * away, torch.zeros(len(start) - p)])

        initial = others.pop("initial", torch.zeros(p))
        made = Federation(defense, graph, initial, others.pop("gradient", gradient), **others)
        made.targets = targets
        return made

    return make
