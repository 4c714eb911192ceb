"""How long a scenario's own tasks take here: at one benign peer, at one adversary of each coalition
and at the server, in this process.

Each is run some times and the mean counts, as what disturbs it will disturb the run too.
Training is cut to some steps on at most 600 samples, an evaluation to 200 test samples. What comes
of it is scaled to all peers and samples.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from statistics import fmean
from time import process_time
from typing import Any

import numpy as np

from actors.executor import Task
from actors.host import Host
from actors.specs import HostSpec, PeerSpec
from p2pfl.learner.training import Training, samples_per_round
from p2pfl.seeding import stream
from p2pfl.types import Update
from scenarios.build import Experiment
from scenarios.machines import watched
from scenarios.pace import evaluations_of
from scenarios.timing import held_of

MOST_STEPS, MOST_SAMPLES, TESTED = 12, 600, 200
"""Of the calibration: steps of a round, samples of a peer, test samples."""
ENOUGH_S, MOST_TIMES = 0.3, 30
"""A task is repeated for so long, at most so often."""
DISTINCT = 8
"""Messages that are made for a merge; with more senders they repeat."""


def taking_part(experiment: Experiment) -> list[PeerSpec]:
    """Who does something in a round: of a server's clients, so many as it asks."""
    server, scenario = experiment.scenario.server, experiment.scenario
    absent = scenario.adversaries is not None and scenario.adversaries.absent
    there = [peer for peer in experiment.peers if not (absent and peer.adversary)]
    if server is None or server.participants is None:
        return there
    clients = there[:-1]
    stride = max(1, len(clients) // server.participants)
    chosen = clients[::stride][: server.participants]
    return [*chosen, there[-1]]


class Calibration:
    """The scenario's own tasks at a few of its peers."""

    def __init__(self, experiment: Experiment) -> None:
        self._experiment = experiment
        spec = experiment.spec
        there = taking_part(experiment)
        benign = sorted((p for p in there if p.role == "benign"), key=lambda p: len(p.mixing))
        typical = benign[len(benign) // 2] if benign else there[0]
        hostile = {p.coalition: p for p in reversed(there) if p.coalition is not None}
        server = [p for p in there if p.server]
        chosen = [typical, *(p for p in hostile.values() if p is not typical), *server]
        short = [replace(p, samples=p.samples[:MOST_SAMPLES]) for p in chosen]
        steps = min(MOST_STEPS, spec.training.steps(len(short[0].samples)))
        training = replace(spec.training, local_epochs=None, local_steps=steps)
        self._spec: HostSpec = replace(
            spec,
            training=training,
            rounds=1 << 30,
            keeps_prepared=(),
            evaluate_samples=TESTED,
            coalitions=tuple(
                replace(c, conduct=replace(c.conduct, start=1, every=1, stop=None))
                for c in spec.coalitions
            ),
        )
        self._host = Host(self._spec, short, experiment.arrays)
        self._typical, self._server = short[0], server[0] if server else None
        self._hostile = {k: next(s for s in short if s.peer == p.peer) for k, p in hostile.items()}

    def rounds(self, peers: Sequence[PeerSpec]) -> tuple[float, float, float]:
        """Seconds of training, merging and crafting in a round of these peers."""
        seconds, update = self._training(self._typical)
        benign = [peer for peer in peers if peer.role == "benign"]
        trained = sum(map(self._samples, benign)) * seconds
        merged = 0.0
        if self._server is not None:
            clients = [peer.peer for peer in peers[:-1]]
            merged = self._merge(self._server, clients, update)
        elif benign:
            once = self._merge(self._typical, _senders(self._typical), update)
            rows = 1 + len(self._typical.mixing)
            merged = sum(once * (1 + len(peer.mixing)) / rows for peer in benign)
        crafted = 0.0
        for k, one in self._hostile.items():
            members = [peer for peer in peers if peer.coalition == k]
            seconds, own = self._training(one)
            trained += sum(map(self._samples, members)) * seconds
            crafted += len(members) * self._craft(one, own)
            if self._server is None:
                merged += len(members) * self._merge(one, _senders(one), update, plain=True)
        return trained, merged, crafted

    def evaluations(self, rounds: int) -> float:
        """Seconds of all evaluations of so many rounds, over all peers that are measured."""
        experiment, settings = self._experiment, self._experiment.scenario.evaluate
        if not (settings.every or settings.every_s):
            return 0.0
        peer = self._server or self._typical
        seconds = _usual(lambda: self._run(peer, Task("evaluate", 1))[1])
        everything = len(experiment.arrays.test_labels)
        backdoor = experiment.arrays.backdoor
        aimed = len(backdoor.labels) if backdoor else 0

        def inputs(most: int | None) -> int:
            return min(everything, most or everything) + min(aimed, most or aimed)

        before = evaluations_of(experiment.scenario, rounds)
        count = before * inputs(settings.samples) + inputs(None)
        measured = 1 if self._server else len(experiment.measured)
        return measured * count * seconds / inputs(TESTED)

    def _samples(self, peer: PeerSpec) -> float:
        """That it trains on in a round, as often as it uses them; a client on an average."""
        spec = self._experiment.spec
        # The first round may be another than the rest, and a turn of all classes is so long.
        rounds = range(2, 2 + spec.classes)
        return fmean(self._effort(peer, round_, spec.training) for round_ in rounds)

    def _effort(self, peer: PeerSpec, round_: int, training: Training) -> float:
        """That it trains on in that round."""
        spec = self._experiment.spec
        if peer.coalition is not None:
            training = spec.coalitions[peer.coalition].attack.settings(training)
        if spec.strategy is None:
            return samples_per_round(training, len(peer.samples))
        held = held_of(peer, self._experiment.dataset)
        return spec.strategy.client_effort(round_, peer.adversary, training, held)

    def _training(self, peer: PeerSpec) -> tuple[float, Update]:
        """Seconds per sample, and what it sends."""
        spec = self._spec
        rounds = range(1, 1 + spec.classes)
        efforts = [self._effort(peer, round_, spec.training) for round_ in rounds]
        samples = max(efforts)
        if self._server is None:
            seconds = _usual(lambda: self._run(peer, Task("train", 1, outputs=1))[1])
            early = spec.defense.early or spec.defense.encodes
            (update, *_), _ = self._run(peer, Task("offer" if early else "train", 1, outputs=1))
            return seconds / samples, update
        # A round in which it has something to do.
        round_ = 1 + efforts.index(samples)
        told, _ = self._run(self._server, Task("instruct", round_, (peer.peer,)))
        answer = Task("answer", round_, outputs=1)
        seconds = _usual(lambda: self._run(peer, answer, [told[0]])[1])
        (update, *_), _ = self._run(peer, answer, [told[0]])
        return seconds / samples, update

    def _merge(
        self, peer: PeerSpec, senders: Sequence[int], update: Update, plain: bool = False
    ) -> float:
        messages: list[Any] = _alike(update, len(senders))
        prepared_s = 0.0
        if self._spec.defense.prepares and not plain and self._server is None:
            (made, *_), prepared_s = self._run(peer, Task("prepare", 1, outputs=1), [update])
            messages += [made] * (len(senders) + 1)
        task = Task("merge", 1, tuple(senders), (1,) * len(senders))
        return prepared_s + _usual(lambda: self._run(peer, task, messages)[1])

    def _craft(self, peer: PeerSpec, own: Update) -> float:
        assert peer.coalition is not None
        coalition = self._spec.coalitions[peer.coalition]
        ids = watched(self._experiment, coalition) or (peer.peer,)
        if coalition.attack.knowledge == "neighbourhood":
            ids = tuple(sorted({peer.peer, *peer.mixing}))
        task = Task("craft", 1, ids, (1,) * len(ids), outputs=1)
        return self._run(peer, task, _alike(own, len(ids)))[1]

    def _run(
        self, peer: PeerSpec, task: Task, inputs: Sequence[object] = ()
    ) -> tuple[tuple[Any, ...], float]:
        began = process_time()
        results = self._host.run(peer.peer, task, inputs)
        return results, process_time() - began


def _usual(run: Callable[[], float]) -> float:
    """The mean of two times or more, without the first one, which has memory to get.

    What takes milliseconds is repeated: two of these say little on a machine that others use too.
    """
    run()
    took = [run(), run()]
    while sum(took) < ENOUGH_S and len(took) < MOST_TIMES:
        took.append(run())
    return fmean(took)


def _senders(peer: PeerSpec) -> list[int]:
    mixing: Mapping[int, float] = peer.mixings[0] if peer.mixings else peer.mixing
    return sorted(mixing)


def _alike(update: Update, count: int) -> list[Any]:
    """So many messages like this one, a little apart."""
    rng = stream(0, "cost")
    scale = np.float32(0.01 * float(np.std(update.vector)))
    made: list[Any] = []
    for _ in range(min(count, DISTINCT)):
        noise = rng.standard_normal(len(update.vector), dtype=np.float32)
        made.append(replace(update, vector=update.vector + scale * noise))
    return [made[k % DISTINCT] for k in range(count)]
