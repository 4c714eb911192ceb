"""What an actor holds for one adversary: it trains on poisoned data and crafts what it sends."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import partial
from typing import Any

import torch
from jaxtyping import Int64
from torch import Tensor

from p2pfl.behaviours import Scene
from p2pfl.defenses import GossipAverage, LocalOnly
from p2pfl.learner.conduct import Conduct, Stance
from p2pfl.learner.holder import Workbench
from p2pfl.learner.learner import Learner
from p2pfl.learner.steers import both
from p2pfl.learner.together import Ready
from p2pfl.learner.training import Trained
from p2pfl.seeding import stream
from p2pfl.strategies.types import says
from p2pfl.types import (
    AdversaryView,
    Attack,
    Defense,
    Guide,
    Matrix,
    Samples,
    Steer,
    Update,
    Vector,
)


class AdversarialLearner(Learner):
    """One adversary, or one node that is hostile at times. Who calls says how it stands.

    As an adversary in rounds without attack it trains on its clean data and sends honestly. What
    it receives it averages, so that it follows the benign peers' models, or ignores. As a benign
    peer it merges with the benign peers' defense, which remembers nothing of the other rounds.
    """

    def __init__(
        self,
        peer: int,
        bench: Workbench,
        data: Samples,
        model: Vector,
        attack: Attack[Any],
        conduct: Conduct,
        mixing: Mapping[int, float],
        targets: tuple[int, ...],
        members: tuple[int, ...],
        wire: Defense[Any],
        poisoned_classes: tuple[int, ...] | None = None,
        coalition: int = 0,
        mixings: Sequence[Mapping[int, float]] = (),
    ) -> None:
        """Poison the data of the given classes (None: of all), with draws of its own.

        ``members`` are all peers where its coalition is at some time; ``take`` says which of them
        it is at present. The coalition's number tells its draws from another's.
        ``wire`` is the benign peers' defense, which says what travels.
        """
        follows = wire.trusting() or GossipAverage()
        merges = follows if conduct.receives == "mean" else LocalOnly()
        super().__init__(peer, bench, data, model, merges, mixing, wire, mixings)
        self._stance: Stance = "hostile"
        self._as_benign, self._benign_state = wire, wire.init(len(model))
        self._as_adversary, self._adversary_state = self._defense, self._state
        self._attack = attack.as_member(members.index(peer))
        self._up = bench.strategy.up if bench.strategy else 1
        self._attack_state = [self._attack.init(len(model))] * self._up
        # A run's only coalition draws without a number.
        self._number = (coalition,) if coalition else ()
        # What all members share is poisoned alike by each of them.
        shared = attack.shared_samples() is not None
        who: tuple[int | str, ...] = ("shared", *self._number) if shared else (peer,)
        rng = stream(bench.attack_seed, "poison", *who)
        self._true, self._clean = _split(data, poisoned_classes)
        self._poisoned = self._attack.poison(self._clean, rng)
        self._momentum_before = self._momentum
        self._conduct = conduct
        self._targets = targets
        self._members = members
        self._scene = Scene(peer, 0, bench.attack_seed, targets)
        self._several = attack.equivocates or any(b.several for b in conduct.behaviours)
        self._sent_before: list[Vector] = []  # by target

    def take(self, stance: Stance, members: Sequence[int]) -> None:
        """How it stands in the round of what follows, and who is of its coalition by now."""
        self._members = tuple(members) or self._members
        if stance == self._stance:
            return
        if self._stance == "benign":
            self._benign_state = self._state
            self._defense, self._state = self._as_adversary, self._adversary_state
            self._sent_before = []
        elif stance == "benign":
            self._adversary_state = self._state
            self._defense, self._state = self._as_benign, self._benign_state
            self._sent = self._sent_before[0] if self._sent_before else self._sent
        self._stance = stance

    def craft(
        self, round_: int, visible_ids: Sequence[int], visible: Sequence[object]
    ) -> list[Update]:
        """What it sends in this round: one update for all targets, or one for each.

        Raises:
            ValueError: If the attack returns another number of rows than it has targets, or
                different rows though it says that it does not equivocate.
        """
        count = len(self._targets) if self._several else 1
        if not self._targets or not self._hostile:
            honest = self._start if self._wire.early and not self._pairwise else self._model
            return self._messages([honest] * count, round_)
        shown = zip(visible_ids, visible, strict=True)
        usable = self._usable(((peer, round_, u) for peer, u in shown), self._kind)
        parts = [self._crafted(round_, usable, part) for part in range(self._up)]
        rows = parts[0] if self._up == 1 else torch.cat(parts, dim=1)
        for behaviour in self._conduct.behaviours:
            rows = behaviour.rows(rows, self._model, self._start, self._scene)
        return self._messages([row.to(torch.float32) for row in rows[:count]], round_)

    def _crafted(self, round_: int, usable: Sequence[tuple[int, int, Update]], part: int) -> Matrix:
        """(k, d): one row per target, for one vector of what is sent."""
        d = len(self._model) // self._up
        columns = slice(part * d, (part + 1) * d)
        # A client of a server that has nothing to say claims no samples.
        sound = [m for m in usable if says(m[2].samples, m[2].meta, part, self._up)]
        view = AdversaryView(
            me=self.peer,
            own=self._model[columns],
            start=self._start[columns],
            round=round_,
            targets=self._targets,
            members=self._members,
            visible=self._stack([update.vector for _, _, update in sound])[:, columns],
            visible_ids=tuple(peer for peer, _, _ in sound),
            layout=self._bench.trainer.flat.layout,
            retrain=partial(self._retrain, round_),
        )
        # One stream for the coalition, so that its members agree without talking.
        purpose = "attack" if part == 0 else f"attack_{part}"
        rng = stream(self._bench.attack_seed, purpose, round_, *self._number)
        rows, self._attack_state[part] = self._attack.craft(view, self._attack_state[part], rng)
        name = type(self._attack).__name__
        if rows.ndim != 2 or len(rows) != len(self._targets):
            came = tuple(rows.shape)
            raise ValueError(f"{name}.craft gave shape {came} for {len(self._targets)} targets")
        if not self._attack.equivocates and rows.stride(0):
            # Compared as bytes, so that NaN equals itself.
            bits = rows.contiguous().view(torch.uint8)
            if not torch.equal(bits, bits[:1].expand_as(bits)):
                raise ValueError(f"{name}.craft gave different rows, but equivocates is False")
        return rows

    def state(self) -> dict[str, Any]:
        """Besides, the attack's state."""
        return super().state() | {
            "attack": self._attack_state,
            "momentum_before": self._momentum_before,
            "sent_before": self._sent_before,
            "stance": self._stance,
            "members": self._members,
            "benign": self._benign_state,
            "adversary": self._adversary_state,
        }

    def restore(self, state: Mapping[str, Any]) -> None:
        """Take up what ``state`` gave."""
        super().restore(state)
        self._attack_state = state["attack"]
        self._momentum_before = state["momentum_before"]
        self._sent_before = state["sent_before"]
        self._stance, self._members = state["stance"], state["members"]
        self._benign_state, self._adversary_state = state["benign"], state["adversary"]
        benign = self._stance == "benign"
        self._defense = self._as_benign if benign else self._as_adversary

    def _messages(self, models: Sequence[Vector], round_: int) -> list[Update]:
        """Each model as it travels, one made once; all alike are one message."""
        if not self._wire.encodes:
            return [self._update(model, round_) for model in models]
        before = self._sent_before or [self._sent] * len(models)
        self._sent_before = list(models)
        return [
            self._encoded(model, last, round_) for model, last in zip(models, before, strict=True)
        ]

    def ready(self, round_: int) -> Ready | None:
        """It trains alone: its data, its settings or its steps may be its own."""
        return None

    def _samples(self, round_: int, start: Vector) -> Samples:
        return self._data_of_round(start) if self._hostile else self._data

    def _true_labels(self, round_: int, data: Samples) -> Int64[Tensor, " n"]:
        if not self._hostile:
            return data.labels
        parts = [self._clean] if self._true is None else [self._true, self._clean]
        before = torch.cat([part.labels for part in parts])
        return before if len(before) == len(data.labels) else data.labels

    def _claims(self) -> int:
        samples = super()._claims()
        for behaviour in self._conduct.behaviours if self._hostile else ():
            samples = behaviour.claims(samples)
        return samples

    @property
    def _hostile(self) -> bool:
        return self._stance == "hostile"

    @property
    def _trains(self) -> bool:
        return not (self._hostile and self._attack.ignores_own)

    def _steer(self, round_: int, start: Vector) -> Steer | None:
        return self._attack.steer(start, round_) if self._hostile else None

    def _local_training(
        self, start: Vector, round_: int, steer: Steer | None, guide: Guide | None
    ) -> Trained:
        self._momentum_before = self._momentum
        if not self._hostile:
            return super()._local_training(start, round_, steer, guide)
        bent = both(steer, self._steer(round_, start))
        return self._poisoned_training(start, round_, bent, guide)

    def _retrain(self, round_: int, start: Vector, steer: Steer | None = None) -> Vector:
        return self._poisoned_training(start, round_, steer).vector

    def _data_of_round(self, start: Vector) -> Samples:
        logits = partial(self._bench.trainer.functional.logits, start)
        bad = self._attack.poison_round(self._poisoned, logits)
        if self._true is None:
            return bad
        return replace(
            bad,
            inputs=torch.cat([self._true.inputs, bad.inputs]),
            labels=torch.cat([self._true.labels, bad.labels]),
        )

    def _poisoned_training(
        self, start: Vector, round_: int, steer: Steer | None, guide: Guide | None = None
    ) -> Trained:
        return self._bench.trainer.train(
            start,
            self._data_of_round(start),
            self._attack.settings(self._bench.training),
            round_ - 1,
            stream(self._bench.seed, "train", self.peer, round_),
            self._momentum_before,
            steer,
            guide,
        )


def _split(data: Samples, classes: tuple[int, ...] | None) -> tuple[Samples | None, Samples]:
    """What stays as it is (None: nothing), and what is to be poisoned: these classes, or all."""
    if classes is None:
        return None, data
    chosen = torch.isin(data.labels, torch.tensor(classes, device=data.labels.device))
    true, bad = (
        replace(data, inputs=data.inputs[mask], labels=data.labels[mask])
        for mask in (~chosen, chosen)
    )
    return true, bad
