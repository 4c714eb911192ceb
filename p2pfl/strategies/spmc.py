"""SPMC: clients are weighed by their margin to the others' coalition, and train towards it.

Source
    W. He, W. Huang, B. Yang, S. Liu, M. Ye. "SPMC: Self-Purifying Federated Backdoor Defense via
    Margin Contribution." ICML 2025 (PMLR 267): by the authors' code and slides, where the text of
    the paper was not at hand.

Departs from the code:
    Batches are those of every client here; the code drops an epoch's last short one. Integer
    buffers are neither sent nor compared. Where a client was absent from a round the code crashes;
    here its teacher is the global model, or with ``absent: stale`` the last that it had. Where
    nothing is left without a client, likewise the global model. ``score_space: update``, ``gate``
    and temperatures are extensions.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import isfinite
from typing import ClassVar, Literal, NamedTuple

import torch

from p2pfl.learner.training import Training, samples_per_round
from p2pfl.rules.sums import average
from p2pfl.strategies.base import ServerStrategy, averaged, claimed_shares
from p2pfl.strategies.spmc_purifying import (
    Denominator,
    Granularity,
    Purifier,
    TeacherMode,
    teacher_of,
    without,
)
from p2pfl.strategies.spmc_scoring import (
    Metric,
    Sigma,
    coalitions,
    cosine_scores,
    distance_scores,
    shares_of,
)
from p2pfl.strategies.types import Assignment, Gathering, Instruction
from p2pfl.types import Merge, Vector


class Share(NamedTuple):
    """A client's part in a mixture of uploads, out of which it makes its teacher."""

    alpha: float
    round: int
    """Which upload of the client it was."""
    mixture: Vector | None
    """(d,) None: the present global model."""


class LastRound(NamedTuple):
    """What the server keeps of a round."""

    weights: Mapping[int, float]
    """Of those that answered in it."""
    shares: Mapping[int, Share]
    """Of those that are told one."""


Upload = tuple[int, Vector]
"""What a client remembers: its last message, and of which round."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Spmc(ServerStrategy):
    """Weigh by agreement, and do not unlearn what the others know: ``{kind: spmc}``.

    The defaults are the code's. The slides': ``{granularity: vector}``. Where attackers do not
    cooperate: ``{purify_scope: benign_only, purify_from_round: 1}``. By updates, an extension:
    ``{score_space: update, temperature: 0.1}``. A weight is at most e^2 times another and of
    models that started alike nearly equal, so by default the server half is almost the average.
    The client half slows a backdoor mainly by the attackers' own obedience.
    """

    individual: ClassVar[bool] = True

    score_space: Literal["model", "update"] = "model"
    """What is compared: models, or their differences from the present global model."""
    reference: Literal["loo", "global"] = "loo"
    """loo: with the average of all others. global: with the present global model, or with the
    average of all updates."""
    coalition_weights: Literal["uniform", "previous", "samples"] = "uniform"
    """How that average weighs. previous: by the last round's weights, 1/n for who has none.
    samples: by what each client claims, which is believed."""
    metric: Metric = "cosine"
    """A score is the cosine, or minus a distance: euclidean and chebyshev with the running
    statistics, wasserstein between the two bags of parameter values."""
    sigma: Sigma = "exp"
    """A weight is in proportion to sigma(-(best score - score) / temperature)."""
    temperature: float = 1.0
    """Of the weights, finite and > 0. A huge one makes them all alike."""
    gate: Literal["none", "relu"] = "none"
    """relu: whose cosine is not above 0 gets no weight. A sole client always has all."""
    eps: float = 1e-5
    """Added to a cosine's denominator, finite and >= 0."""
    lam: float = 1.0
    """How much of a conflict is taken out of a gradient, finite and >= 0. 0: plain training."""
    granularity: Granularity = "tensor"
    """Conflicts are sought in each weight and each bias by itself, or in all of them at once."""
    denominator: Denominator = "squared"
    """squared: by |G_g|^2, a projection. norm: by |G_g|, as printed on the slides."""
    teacher: Literal["coalition_alpha", "coalition_uniform", "global"] = "coalition_alpha"
    """The others' average, by the last round's weights or uniform (a second vector goes down), or
    the global model."""
    teacher_temperature: float = 1.0
    """Of the teacher's predictions, finite and > 0."""
    teacher_mode: TeacherMode = "train"
    """Whether the teacher normalises by the batch's statistics or by its own."""
    absent: Literal["global", "stale"] = "global"
    """The teacher of who did not answer in the last round: the global model; or the one made of the
    last round that it answered in (a second vector goes down, and the server keeps one for each
    round that somebody's answer was last in)."""
    purify_scope: Literal["all", "benign_only", "malicious_only"] = "all"
    """all: attackers too, as in the code. benign_only: they train as they like. malicious_only: to
    find out whose obedience it is that protects."""
    purify_from_round: int = 0
    """How many rounds all train plainly at first, >= 0. 1: before there is a coalition."""
    kind: Literal["spmc"] = "spmc"

    def __post_init__(self) -> None:
        for name, value in (
            ("temperature", self.temperature),
            ("teacher_temperature", self.teacher_temperature),
        ):
            if not (isfinite(value) and value > 0):
                raise ValueError(f"{name} must be finite and > 0, got {value}")
        for name, value in (("eps", self.eps), ("lam", self.lam)):
            if not (isfinite(value) and value >= 0):
                raise ValueError(f"{name} must be finite and >= 0, got {value}")
        if self.purify_from_round < 0:
            raise ValueError(f"purify_from_round must be >= 0, got {self.purify_from_round}")
        if self.absent == "stale" and self.teacher == "global":
            raise ValueError("absent: stale needs a teacher of the coalition, got teacher: global")
        if self.gate == "relu" and self.metric != "cosine":
            raise ValueError(f"gate: relu needs the metric cosine, got {self.metric}")

    @property
    def down(self) -> int:
        """Two where a teacher may be made of another mixture than the model."""
        return 2 if self.teacher == "coalition_uniform" or self.absent == "stale" else 1

    # ------------------------------------------------------------ the server's half

    def init(self, model: Vector) -> LastRound:
        """Nobody has answered yet."""
        return LastRound({}, {})

    def instruct(self, model: Vector, state: LastRound, round_: int, client: int) -> Instruction:
        """The model; ``alpha``, the client's share in a mixture, and of which upload that was.

        Who has none is told nothing more than the model.
        """
        share = state.shares.get(client)
        if share is None or self.teacher == "global":
            return Instruction(vector=model)
        return Instruction(
            vector=model,
            companion=share.mixture,
            meta={"alpha": share.alpha, "upload_round": float(share.round)},
        )

    def aggregate(self, view: Gathering, state: LastRound) -> tuple[Merge, LastRound]:
        """sum_k alpha_k w_k, alpha_k in proportion to sigma(-(max_j phi_j - phi_k) / temperature).

        phi_k is the score of client k. Where nobody answered, or the gate stopped all, the model
        stays. Influence is alpha. It weighs and does not judge, so no client is flagged. Details:
        ``score``. Staleness is ignored.

        Cost:
            Time O(m^2 d). The state holds vectors with ``teacher: coalition_uniform`` or
            ``absent: stale`` alone.
        """
        scores = self._scores(view, state.weights)
        alphas = self._shares(scores)
        merge = averaged(view, alphas, details={"score": scores})
        weights = dict(zip(view.senders, alphas, strict=True))
        return merge, LastRound(weights, self._told(view, weights, state.shares))

    def _told(
        self, view: Gathering, weights: Mapping[int, float], before: Mapping[int, Share]
    ) -> dict[int, Share]:
        """The parts in this round's mixture; with ``stale`` also those of the absent as before."""
        told: dict[int, Share] = {}
        if self.absent == "stale":
            # What was the present model is one no longer: it is kept from now on.
            for client, share in before.items():
                kept = view.model if share.mixture is None else share.mixture
                told[client] = share._replace(mixture=kept)
        uniform = self.teacher == "coalition_uniform"
        mean = average(view.received) if uniform and weights else None
        for (client, alpha), stale in zip(weights.items(), view.staleness, strict=True):
            part = 1 / len(weights) if uniform else alpha
            told[client] = Share(part, view.round - stale, mean)
        return told

    def _scores(self, view: Gathering, previous: Mapping[int, float]) -> list[float]:
        # As the code has it: two of the distances take the running statistics in.
        whole = self.metric in ("euclidean", "chebyshev")
        compared = slice(None if whole else view.functional.layout.p)
        rows, model = view.received[:, compared], view.model[compared]
        origin = model if self.score_space == "update" else torch.zeros_like(model)
        n = len(rows)
        weights = [1.0] * n
        if self.coalition_weights == "previous":
            weights = [previous.get(sender, 1 / n) for sender in view.senders]
        elif self.coalition_weights == "samples":
            weights = claimed_shares(view, "samples")
        shares = coalitions(weights, own=self.reference == "global")
        if self.reference == "global" and self.score_space == "model":
            rows = torch.cat([rows, model[None]])
            shares = torch.zeros(n, n + 1, dtype=torch.float64)
            shares[:, n] = 1
        if self.metric == "cosine":
            return cosine_scores(rows, origin, shares, self.eps)
        return distance_scores(rows, origin, shares, self.metric)

    def _shares(self, scores: list[float]) -> list[float]:
        alone = len(scores) == 1
        kept = [k for k, phi in enumerate(scores) if self.gate == "none" or phi > 0 or alone]
        shares = [0.0] * len(scores)
        parts = shares_of([scores[k] for k in kept], self.sigma, self.temperature)
        for k, share in zip(kept, parts, strict=True):
            shares[k] = share
        return shares

    # ------------------------------------------------------------ the clients' half

    def train(self, given: Assignment, memory: Upload | None) -> tuple[Vector, Upload | None]:
        """Local training whose gradients do not conflict with the teacher's: see ``Purifier``.

        The teacher is made of what came, the own share in it and the own last message; where that
        is not the upload that the share is of, it is the global model. An adversary that sent
        something else than it trained gets a teacher of what it trained.

        Cost:
            A forward pass of the teacher and a second backward pass for each batch.
        """
        purifies = self._purifies(given.round, given.hostile)
        guide = self._purifier(given, memory) if purifies else None
        trained = given.plain(given.model, None, guide)
        return trained, None if self.teacher == "global" else (given.round, trained)

    def client_effort(
        self, round_: int, hostile: bool, settings: Training, held: Sequence[int]
    ) -> float:
        """Twice plain training while it purifies: a teacher's forward pass and a second backward
        pass are as much as one pass of each, a backward pass taken for two forward ones."""
        once = samples_per_round(settings, sum(held))
        return 2.0 * once if self._purifies(round_, hostile) else once

    def _purifies(self, round_: int, hostile: bool) -> bool:
        who = {"all": True, "benign_only": not hostile, "malicious_only": hostile}
        return who[self.purify_scope] and self.lam > 0 and round_ > self.purify_from_round

    def _purifier(self, given: Assignment, memory: Upload | None) -> Purifier:
        flat = given.trainer.flat
        return Purifier(
            teacher=teacher_of(flat.module, self._teacher(given, memory), self.teacher_mode),
            temperature=self.teacher_temperature,
            parameters=flat.layout.parameters,
            lam=self.lam,
            granularity=self.granularity,
            denominator=self.denominator,
            precision=given.settings.precision,
        )

    def _teacher(self, given: Assignment, memory: Upload | None) -> Vector:
        """(d,) the model of the others, as far as it is known."""
        if memory is None or given.meta.get("upload_round") != memory[0]:
            return given.model
        mixture = given.model if given.companion is None else given.companion
        others = without(mixture, given.meta["alpha"], memory[1])
        return given.model if others is None else others
