"""What the designated server actor holds: the global model, and the strategy's own half."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from p2pfl.errors import TooFewNeighbours
from p2pfl.learner.decision import Decision, check_merge, decided
from p2pfl.learner.holder import Holder, Workbench
from p2pfl.learner.outward import to_host
from p2pfl.rules.nesting import assumed_f, with_f_at_most
from p2pfl.seeding import stream
from p2pfl.strategies import RuleStrategy
from p2pfl.strategies.base import averaged
from p2pfl.strategies.types import Gathering
from p2pfl.types import Artifact, Merge, Samples, Update, Vector


class ServerLearner(Holder):
    """The server: tells clients what to do, and builds the next global model of what came."""

    def __init__(
        self, peer: int, bench: Workbench, model: Vector, held_out: Samples | None
    ) -> None:
        """Start from the initial model (d,)."""
        super().__init__(peer, bench, model)
        assert bench.strategy is not None
        self._strategy = bench.strategy
        self._state = bench.strategy.init(self._model)
        self._held_out = held_out

    def instruct(self, round_: int, clients: Sequence[int]) -> list[Update]:
        """One message for all clients of the round, or one for each."""
        self._start = self._model
        told = clients if self._strategy.individual else clients[:1]
        given = [self._strategy.instruct(self._model, self._state, round_, c) for c in told]
        return [
            Update(
                vector=to_host(instruction.vector),
                kind="model",
                round=round_,
                samples=0,
                meta=instruction.meta,
                companion=None if instruction.companion is None else to_host(instruction.companion),
            )
            for instruction in given
        ]

    def merge(
        self,
        round_: int,
        senders: Sequence[int],
        claimed: Sequence[int],
        updates: Sequence[object],
        prepared: Sequence[Artifact] = (),
    ) -> Decision:
        """Aggregate. A hostile message never raises here."""
        came = zip(senders, claimed, updates, strict=True)
        kind = self._strategy.sends
        good = [
            (sender, claim, update)
            for sender, claim, update in came
            if isinstance(update, Update) and self._sound(update, kind)
        ]
        heard = tuple(sender for sender, _, _ in good)
        view = Gathering(
            round=round_,
            model=self._model,
            received=self._stack([update.vector for _, _, update in good]),
            senders=heard,
            staleness=tuple(round_ - claim for _, claim, _ in good),
            samples=tuple(update.samples for _, _, update in good),
            meta=tuple(update.meta for _, _, update in good),
            functional=self._bench.trainer.functional,
            inputs=self._bench.inputs,
            held_out=self._held_out,
            train=lambda model, epochs: self._train(model, epochs, round_),
            rng=stream(self._bench.seed, "server", round_),
            rejected=tuple(sorted(set(senders).difference(heard))),
        )
        merge, shortfall = self._aggregate(view)
        rows = len(view.senders)
        check_merge(merge, rows, len(view.model), f"{type(self._strategy).__name__}.aggregate")
        self._model = merge.model
        missing = None if shortfall else merge.unguaranteed or self._strategy.needs(rows)
        return decided(merge, heard, view.staleness, view.rejected, shortfall, missing)

    def state(self) -> dict[str, Any]:
        """The model and the strategy's state."""
        return super().state() | {"strategy": self._state}

    def restore(self, state: Mapping[str, Any]) -> None:
        """Take up what ``state`` gave."""
        super().restore(state)
        self._state = state["strategy"]

    def _aggregate(self, view: Gathering) -> tuple[Merge, str | None]:
        try:
            merge, self._state = self._strategy.aggregate(view, self._state)
        except TooFewNeighbours as error:
            if self._bench.on_shortfall == "fail":
                raise
            return self._fall_back(view), str(error)
        return merge, None

    def _fall_back(self, view: Gathering) -> Merge:
        """What ``on_shortfall`` says: keep the model, average, or lower f as far as needed."""
        rows = len(view.senders)
        if self._bench.on_shortfall == "mean":
            return averaged(view, [1 / rows] * rows)
        strategy: Any = self._strategy
        if self._bench.on_shortfall == "clamp" and isinstance(strategy, RuleStrategy):
            for f in reversed(range(assumed_f(strategy.rule) or 0)):
                lower: Any = with_f_at_most(strategy.rule, f)
                try:
                    return replace(strategy, rule=lower).aggregate(view, None)[0]
                except TooFewNeighbours:
                    continue
        return averaged(view, [0.0] * rows)

    def _train(self, model: Vector, epochs: int, round_: int) -> Vector:
        assert self._held_out is not None
        bench = self._bench
        settings = replace(bench.training, local_epochs=epochs, local_steps=None)
        rng: np.random.Generator = stream(bench.seed, "train", self.peer, round_)
        return bench.trainer.train(model, self._held_out, settings, round_ - 1, rng).vector
