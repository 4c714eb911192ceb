"""What one process holds: the data, one module, and the learners of one or several peers.

The same code computes in this process (inline) and in a Ray actor, on one thread, so that both
give the same bits.
"""

from collections.abc import Sequence
from dataclasses import replace
from time import perf_counter
from typing import Any, NamedTuple

import numpy as np
import torch

from actors.encoding import Codec, Encoded
from actors.executor import Task
from actors.failure import failure
from actors.lost import Lost, without_lost
from actors.protocols.events import MERGES
from actors.specs import Arrays, HostSpec, PeerSpec, shared
from p2pfl.errors import SnapshotError
from p2pfl.learner.adversary import AdversarialLearner
from p2pfl.learner.evaluation import Evaluation, thinned, thinned_backdoor
from p2pfl.learner.holder import Holder, Workbench
from p2pfl.learner.kernels import choose_kernels
from p2pfl.learner.learner import Learner
from p2pfl.learner.memory import keep_freed_memory
from p2pfl.learner.part import Part, Whole
from p2pfl.learner.server import ServerLearner
from p2pfl.learner.threads import single_thread
from p2pfl.learner.together import Ready, possible, train_together
from p2pfl.learner.training import Trainer
from p2pfl.metrics import consensus_distance
from p2pfl.models import build_model
from p2pfl.types import InputSpec, Samples, Update
from p2pfl.vectors import FlatModel


class Evaluated(NamedTuple):
    """Summary of an evaluation, with the wall time that it took."""

    evaluation: Evaluation
    seconds: float


class Consensus(NamedTuple):
    """Summary of a measure over the benign peers' models of one round."""

    distance: float


class Host:
    """The learners of some peers, and how to run a task at one of them."""

    def __init__(self, spec: HostSpec, peers: Sequence[PeerSpec], arrays: Arrays) -> None:
        single_thread()
        keep_freed_memory()
        choose_kernels(spec.deterministic)
        module = build_model(spec.model, spec.shape, spec.classes).to(spec.device)
        test = Samples(
            inputs=shared(arrays.test_inputs).to(spec.device),
            labels=shared(arrays.test_labels).to(spec.device),
            classes=spec.classes,
        )
        backdoor = arrays.backdoor.on(spec.device) if arrays.backdoor else None
        quick = spec.evaluate_samples
        self._bench = Workbench(
            trainer=Trainer(FlatModel(module)),
            test=test,
            inputs=InputSpec(shape=spec.shape, classes=spec.classes),
            backdoor=backdoor,
            quick_test=test if quick is None else thinned(test, quick),
            quick_backdoor=None
            if backdoor is None
            else (backdoor if quick is None else thinned_backdoor(backdoor, quick)),
            rounds=spec.rounds,
            keeps_prepared=frozenset(spec.keeps_prepared),
            training=spec.training,
            seed=spec.seed,
            attack_seed=spec.attack_seed,
            on_shortfall=spec.on_shortfall,
            strategy=spec.strategy,
            pace=spec.pace,
        )
        self._batches = possible(module)
        self._codec = Codec(_modules(spec))
        self._initial = torch.from_numpy(spec.initial.copy()).to(spec.device)
        self._whole = Whole(shared(arrays.inputs), shared(arrays.labels), spec.classes)
        self._spec, self._arrays = spec, arrays
        self._peers = {peer.peer: peer for peer in peers}
        self._learners: dict[int, Any] = {peer.peer: self._start(peer) for peer in peers}

    def _start(self, peer: PeerSpec) -> Holder:
        try:
            return self._learner(peer)
        except Exception as error:
            raise failure(f"peer {peer.peer} cannot start", error) from error

    def _learner(self, peer: PeerSpec) -> Holder:
        spec = self._spec
        if peer.server:
            held_out = self._samples(peer) if len(peer.samples) else None
            return ServerLearner(peer.peer, self._bench, self._initial, held_out)
        if peer.coalition is None:
            # On a GPU its samples stay there; here all learners share one copy of the data set.
            own = Part(self._whole, shared(peer.samples))
            return Learner(
                peer.peer,
                self._bench,
                own if spec.device == "cpu" else self._samples(peer),
                self._initial,
                spec.defense,
                peer.mixing,
                mixings=peer.mixings,
            )
        coalition = spec.coalitions[peer.coalition]
        return AdversarialLearner(
            peer.peer,
            self._bench,
            self._samples(peer),
            self._initial,
            coalition.attack,
            coalition.conduct,
            peer.mixing,
            peer.targets,
            coalition.everyone,
            spec.defense,
            spec.poisoned_classes,
            peer.coalition,
            peer.mixings,
        )

    def _samples(self, peer: PeerSpec) -> Samples:
        spec, arrays = self._spec, self._arrays
        return Samples(
            inputs=torch.from_numpy(arrays.inputs[peer.samples]).to(spec.device),
            labels=torch.from_numpy(arrays.labels[peer.samples]).to(spec.device),
            classes=spec.classes,
        )

    def run(self, peer: int, task: Task, inputs: Sequence[object]) -> tuple[object, ...]:
        """Run one task: its updates, then its summary.

        Raises:
            RunError: If the peer's own code (a defense, an attack) raised: who, what, and where.
        """
        if task.kind == "renew":
            self._learners[peer] = self._start(self._peers[peer])
            return (None,)
        learner = self._learners[peer]
        if task.stance is not None:
            learner.take(task.stance, task.members)
        try:
            return self._run(learner, task, inputs)
        except (Exception, SystemExit) as error:
            where = f"peer {peer} failed in {task.kind} of round {task.round}"
            raise failure(where, error) from error

    def run_together(self, asked: Sequence[tuple[int, Task]]) -> list[tuple[object, ...]]:
        """Local trainings of several peers, those that can be as one computation.

        Raises:
            RunError: As ``run`` does.
        """
        together: dict[int, list[tuple[int, Ready]]] = {}
        results: dict[int, tuple[object, ...]] = {}
        for peer, task in asked:
            ready = self._learners[peer].ready(task.round) if self._batches else None
            if ready is None:
                results[peer] = self.run(peer, task, ())
            else:
                together.setdefault(ready.samples, []).append((peer, ready))
        trainer, settings = self._bench.trainer, self._bench.training
        for group in together.values():
            begun = [ready for _, ready in group]
            module = trainer.flat.module
            found = train_together(module, trainer.flat.layout, begun, settings)
            for (peer, ready), trained in zip(group, found, strict=True):
                results[peer] = self._learners[peer].trained(ready.round + 1, trained)
        return [results[peer] for peer, _ in asked]

    def _saved(self, learner: Any) -> Encoded | str:
        """Its state; or why that cannot be stored, which is no reason to end a run."""
        try:
            return self._codec.encode(learner.state())[0]
        except SnapshotError as error:
            return str(error)

    def _run(self, learner: Any, task: Task, inputs: Sequence[Any]) -> tuple[object, ...]:
        if task.kind == "train":
            trained: tuple[object, ...] = learner.train(task.round)
            return trained
        if task.kind == "answer":
            if isinstance(inputs[0], Lost):
                return Lost(), Lost()
            answered: tuple[object, ...] = learner.answer(task.round, inputs[0])
            return answered
        if task.kind == "instruct":
            return (*learner.instruct(task.round, task.senders), None)
        if task.kind == "offer":
            return learner.offer(task.round), None
        if task.kind == "prepare":
            return (*learner.prepare(inputs), None)
        if task.kind == "step":
            return (learner.step(),)
        if task.kind in MERGES:
            merge = learner.meet if task.kind == "meet" else learner.merge
            task, inputs, missing = without_lost(task, inputs)
            updates, prepared = inputs[: len(task.senders)], inputs[len(task.senders) :]
            merged = merge(task.round, task.senders, task.claimed, updates, prepared)
            return (replace(merged, missing=missing) if missing else merged,)
        if task.kind == "conclude":
            return (learner.conclude(),)
        if task.kind == "evaluate":
            began = perf_counter()
            evaluated = Evaluated(learner.evaluate(task.round), perf_counter() - began)
            return (learner.model(task.round), evaluated) if task.outputs else (evaluated,)
        if task.kind == "consensus":
            vectors = [update.vector for update in inputs if isinstance(update, Update)]
            models = torch.from_numpy(np.stack(vectors))
            return (Consensus(consensus_distance(models)),)
        if task.kind == "digest":
            return (learner.digest(),)
        if task.kind == "model":
            return (learner.model(task.round),)
        if task.kind == "save":
            return (self._saved(learner),)
        if task.kind == "restore":
            learner.restore(self._codec.decode(inputs[0]))
            return (None,)
        return (*learner.craft(task.round, task.senders, inputs), None)


def _modules(spec: HostSpec) -> set[str]:
    """Where the variants of a run are defined: their states' types are known by name."""
    variants = (spec.defense, spec.strategy, *(coalition.attack for coalition in spec.coalitions))
    return {type(variant).__module__.partition(".")[0] for variant in variants}
