"""What an actor holds for one benign peer: its vectors, its data, and its defense.

A learner's own state is its vectors and its method's state; the module and the test set belong to
the workbench, which all learners of a process share. Vectors are never changed in place: what has
been sent stays what it was.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import numpy as np
import torch
from jaxtyping import Int64
from torch import Tensor

from p2pfl.defenses.shortfall import guarantee_missing, merge_or_fall_back
from p2pfl.learner.decision import Decision, check_merge, decided
from p2pfl.learner.holder import Holder, Workbench
from p2pfl.learner.outward import to_host
from p2pfl.learner.part import Part, drawn_from
from p2pfl.learner.together import Ready
from p2pfl.learner.training import Trained
from p2pfl.seeding import stream
from p2pfl.strategies.types import Assignment, claims
from p2pfl.types import (
    Artifact,
    Defense,
    Guide,
    Kind,
    Merge,
    Neighbourhood,
    Samples,
    Steer,
    Update,
    Vector,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class TrainingLoss:
    """Summary of one round of local training."""

    loss: float


class Learner(Holder):
    """One peer that merges with a defense, and talks as the experiment's defense has it.

    Or one client of a server: then it only trains, as the server's strategy has it.
    """

    def __init__(
        self,
        peer: int,
        bench: Workbench,
        data: Samples | Part,
        model: Vector,
        defense: Defense[Any],
        mixing: Mapping[int, float],
        wire: Defense[Any] | None = None,
        mixings: Sequence[Mapping[int, float]] = (),
    ) -> None:
        """Make the learner.

        Args:
            peer: Its id.
            bench: What it shares with others.
            data: Its own training samples, or which of its process's they are.
            model: (d,) where all peers start.
            defense: How it merges.
            mixing: The mixing weight of each peer that sends to it.
            wire: The defense that says what travels; None: the same.
            mixings: The mixing weights of each round, where rounds differ.
        """
        super().__init__(peer, bench, model)
        self._own_data = data
        self._own_samples = len(drawn_from(data))
        self._claimed = self._own_samples
        self._initial = model
        self._sent = model
        self._momentum: Vector | None = None
        self._loss = 0.0
        self._memory: Any = None
        self._answers: Mapping[str, float] = {}
        self._found: Vector | None = None
        """What training found and ``step`` has not taken yet: ``pairwise``."""
        self._last_step: Vector | None = None
        self._merges = 0
        self._defense = defense
        self._wire = wire or defense
        self._state = defense.init(len(model))
        self._mixing = mixing
        self._mixings = mixings
        self._kind: Kind = bench.strategy.sends if bench.strategy else "model"
        batch = bench.training.batch_size
        steps = bench.training.steps(self._own_samples)
        epochs = bench.training.local_epochs or steps * batch / self._own_samples
        self._meta = {"local_epochs": float(epochs), "batch_size": float(batch)}

    def train(self, round_: int) -> tuple[Update, TrainingLoss]:
        """One round of local training. Gives the trained model: what a benign peer sends, unless
        its defense sends ``early`` or ``encodes``. Under ``pairwise`` it is then up to ``step``."""
        self._start = self._model
        return self._found_out(round_, self._trained(round_, self._start))

    def ready(self, round_: int) -> Ready | None:
        """Begin a round of training that others of the process join; None where it must be alone.

        Instead of ``train``; what comes of it, ``trained`` is told.
        """
        if self._bench.strategy is not None:
            return None
        self._start = self._model
        return Ready(
            start=self._start,
            data=self._own_data,
            round=round_ - 1,
            rng=stream(self._bench.seed, "train", self.peer, round_),
            momentum=self._momentum,
        )

    def trained(self, round_: int, found: Trained) -> tuple[Update, TrainingLoss]:
        """End what ``ready`` began; gives what ``train`` gives."""
        self._momentum, self._loss = found.momentum, found.loss
        return self._found_out(round_, found.vector)

    def _found_out(self, round_: int, vector: Vector) -> tuple[Update, TrainingLoss]:
        if self._pairwise:
            self._found = vector
        else:
            self._model = vector
        return self._update(vector, round_), TrainingLoss(loss=self._loss)

    def step(self) -> None:
        """Add what the last training found to the model, which may have been merged meanwhile."""
        assert self._found is not None
        found, self._found = self._found, None
        self._last_step = found - self._start
        moved = not torch.equal(self._model, self._start)
        self._model = self._model + self._last_step if moved else found

    def answer(self, round_: int, instruction: Update) -> tuple[Update, TrainingLoss]:
        """As a client: train as the server's strategy has it. Gives what a benign client sends."""
        strategy = self._bench.strategy
        assert strategy is not None
        start = self._tensor(instruction.vector)
        data = self._samples(round_, start)
        given = Assignment(
            client=self.peer,
            round=round_,
            model=start,
            companion=None
            if instruction.companion is None
            else self._tensor(instruction.companion),
            meta=instruction.meta,
            data=data,
            true_labels=self._true_labels(round_, data),
            trainer=self._bench.trainer,
            settings=self._bench.training,
            rng=stream(self._bench.seed, "train", self.peer, round_),
            hostile=self._hostile,
            steer=self._steer(round_, start),
            plain=partial(self._trained, round_),
        )
        answers = strategy.answers(given)
        self._claimed = self._own_samples if any(answers) else 0
        self._answers = claims(answers)
        # To an attack a gradient is what a model differs by from zero.
        sends_models = strategy.sends == "model"
        self._start = given.model if sends_models else start.new_zeros(len(start) * strategy.up)
        if self._trains:
            self._model, self._memory = strategy.train(given, self._memory)
        else:
            self._model = self._start
        return self._update(self._model, round_), TrainingLoss(loss=self._loss)

    def offer(self, round_: int) -> Update:
        """What a benign peer sends where the defense has a say in it. Before ``train`` if the
        defense sends early, else behind it. Under ``pairwise`` the model as it is now."""
        if self._wire.early and not self._pairwise:
            self._start = self._model
        start = self._before() if self._pairwise else self._start
        offered = self._encoded(self._model, self._sent, round_, start)
        self._sent = self._model.clone()
        return offered

    def prepare(self, updates: Sequence[object]) -> list[Artifact]:
        """What the defense makes of each message, by itself; nothing of one that fails a check."""
        wire, bench = self._wire, self._bench
        fits = [self._sound(update, wire.sends, wire.companion) for update in updates]
        sound = [u for u, good in zip(updates, fits, strict=True) if good and isinstance(u, Update)]
        made = iter(wire.prepare(sound, bench.trainer.functional, bench.inputs))
        return [next(made) if good else {} for good in fits]

    def merge(
        self,
        round_: int,
        senders: Sequence[int],
        claimed: Sequence[int],
        updates: Sequence[object],
        prepared: Sequence[Artifact] = (),
    ) -> Decision:
        """Build the next model from what was received.

        Args:
            round_: This peer's round.
            senders: Who sent each update, ascending.
            claimed: The round that each update claims.
            updates: What came, unchecked: a hostile message never raises here.
            prepared: What was made of each update, and last of this peer's own message; or nothing.
        """
        merge, decision = self._merged(self._start, round_, senders, claimed, updates, prepared)
        self._model = merge.model
        return decision

    def meet(
        self,
        round_: int,
        senders: Sequence[int],
        claimed: Sequence[int],
        updates: Sequence[object],
        prepared: Sequence[Artifact] = (),
    ) -> Decision:
        """As ``merge``, under ``pairwise``: perhaps while it trains."""
        merge, decision = self._merged(self._before(), round_, senders, claimed, updates, prepared)
        self._model = merge.model
        return decision

    def _merged(
        self,
        start: Vector,
        round_: int,
        senders: Sequence[int],
        claimed: Sequence[int],
        updates: Sequence[object],
        prepared: Sequence[Artifact],
    ) -> tuple[Merge, Decision]:
        wire = self._wire
        own_pace = self._bench.pace != "rounds"
        self._merges += own_pace
        good = self._usable(zip(senders, claimed, updates, strict=True), wire.sends, wire.companion)
        made = dict(zip(senders, prepared, strict=False))
        mixing = self._mixings[round_ - 1] if self._mixings else self._mixing
        view = Neighbourhood(
            me=self.peer,
            round=round_,
            own=self._model,
            start=start,
            received=self._stack([update.vector for _, _, update in good]),
            senders=tuple(sender for sender, _, _ in good),
            staleness=tuple(round_ - claim for _, claim, _ in good),
            mixing=tuple(mixing[sender] for sender, _, _ in good),
            samples=tuple(update.samples for _, _, update in good),
            own_samples=self._own_samples,
            meta=tuple(update.meta for _, _, update in good),
            model=self._bench.trainer.functional,
            inputs=self._bench.inputs,
            loss=self._own_loss,
            companions=self._stack([u.companion for _, _, u in good if u.companion is not None])
            if wire.companion
            else None,
            own_meta=self._meta,
            prepared=[made[sender] for sender, _, _ in good] if prepared else (),
            own_prepared=prepared[-1] if prepared else {},
            rejected=tuple(sorted(set(senders) - {sender for sender, _, _ in good})),
            merge=self._merges if own_pace else None,
        )
        merge, self._state, shortfall = merge_or_fall_back(
            self._defense, view, self._state, self._bench.on_shortfall
        )
        rows = len(view.senders)
        check_merge(merge, rows, len(view.own), f"{type(self._defense).__name__}.merge")
        missing = None if shortfall else guarantee_missing(self._defense, rows + 1)
        decision = decided(merge, view.senders, view.staleness, view.rejected, shortfall, missing)
        if round_ == self._bench.rounds and self.peer in self._bench.keeps_prepared:
            decision = replace(decision, prepared=view.own_prepared)
        return merge, decision

    def state(self) -> dict[str, Any]:
        """The vectors, the momentum, and the state of the defense and of the client's half."""
        return super().state() | {
            "claimed": self._claimed,
            "sent": self._sent,
            "momentum": self._momentum,
            "loss": self._loss,
            "memory": self._memory,
            "answers": dict(self._answers),
            "defense": self._state,
            "found": self._found,
            "last_step": self._last_step,
            "merges": self._merges,
        }

    def restore(self, state: Mapping[str, Any]) -> None:
        """Take up what ``state`` gave."""
        super().restore(state)
        self._claimed = state["claimed"]
        self._sent = state["sent"]
        self._momentum = state["momentum"]
        self._loss = state["loss"]
        self._memory = state["memory"]
        self._answers = state["answers"]
        self._state = state["defense"]
        self._found = state["found"]
        self._last_step = state["last_step"]
        self._merges = state["merges"]

    # ------------------------------------------------------------ what an adversary does otherwise

    def _samples(self, round_: int, start: Vector) -> Samples:
        return self._data

    def _true_labels(self, round_: int, data: Samples) -> Int64[Tensor, " n"]:
        return data.labels

    def _claims(self) -> int:
        """How many training samples are behind what it sends."""
        return self._claimed

    @property
    def _hostile(self) -> bool:
        return False

    @property
    def _trains(self) -> bool:
        return True

    def _steer(self, round_: int, start: Vector) -> Steer | None:
        return None

    def _local_training(
        self, start: Vector, round_: int, steer: Steer | None, guide: Guide | None
    ) -> Trained:
        return self._bench.trainer.train(
            start,
            self._own_data,
            self._bench.training,
            round_ - 1,  # the first round trains at the full rate
            stream(self._bench.seed, "train", self.peer, round_),
            self._momentum,
            steer,
            guide,
        )

    # ------------------------------------------------------------ helpers

    @property
    def _pairwise(self) -> bool:
        return self._bench.pace == "pairwise"

    def _before(self) -> Vector:
        """Under ``pairwise``: what the model would be without the last step. Where messages stand
        for models before a step, the model itself."""
        if self._last_step is None or self._wire.early:
            return self._model
        return self._model - self._last_step

    @property
    def _data(self) -> Samples:
        data = self._own_data
        return data.samples() if isinstance(data, Part) else data

    def _trained(
        self,
        round_: int,
        start: Vector,
        steer: Steer | None = None,
        guide: Guide | None = None,
    ) -> Vector:
        trained = self._local_training(start, round_, steer, guide)
        self._momentum, self._loss = trained.momentum, trained.loss
        return trained.vector

    def _tensor(self, vector: np.ndarray[Any, np.dtype[np.float32]]) -> Vector:
        return torch.from_numpy(vector.copy()).to(self._model.device)

    def _update(self, vector: Vector, round_: int, start: Vector | None = None) -> Update:
        """A model as it is. ``start``: from where its training began; None: as the last one's."""
        start = self._start if start is None else start
        # A copy: a method may work in place on its own model, and what was sent stays what it was.
        return Update(
            vector=to_host(vector),
            kind=self._kind,
            round=round_,
            samples=self._claims(),
            meta={**self._meta, **self._answers},
            companion=to_host(start) if self._wire.companion else None,
        )

    def _encoded(
        self, model: Vector, previous: Vector, round_: int, start: Vector | None = None
    ) -> Update:
        """A model as it travels under a defense that encodes."""
        wire, start = self._wire, self._start if start is None else start
        vector = wire.encode(model, start, previous, self._initial)
        meta = {**self._meta, **self._defense.attach(self._state)}
        return replace(self._update(vector, round_, start), kind=wire.sends, meta=meta)

    def _usable(
        self, messages: Iterable[tuple[int, int, object]], kind: Kind, both: bool = False
    ) -> list[tuple[int, int, Update]]:
        return [
            (sender, claim, update)
            for sender, claim, update in messages
            if isinstance(update, Update) and self._sound(update, kind, both)
        ]

    def _own_loss(self, vector: Vector) -> float:
        with torch.no_grad():
            functional = self._bench.trainer.functional
            data = self._data
            return float(functional.loss(vector, data.inputs, data.labels))
