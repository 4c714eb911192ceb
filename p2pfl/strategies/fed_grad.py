"""FedGrad: two filters on the last layer's updates, histories of clients and pairs, and pardons.

Source
    T. D. Nguyen, A. D. Nguyen, T.-H. Nguyen, K.-S. Wong, H. H. Pham, et al. "FedGrad: Mitigating
    Backdoor Attacks in Federated Learning Through Local Ultimate Gradients Inspection." IJCNN 2023.
    arXiv:2305.00328. The authors' code is that of its experiments on edge cases.

Departs from the paper:
    The soft score has the sign of the authors' code; as printed it is minus that (``score_sign``).
    Sums by class are taken from the round's average, the bias's as well; the code leaves the bias
    as it is, the paper takes both from the global model (``reference``). Distances are squared, and
    the hard filter and pardons begin in round 50, as in the code; the paper says "predefined".
    Trust begins with a mark of 0.5, and reaching its threshold is enough, as in the code. Two
    clients are not clustered. The cosine of two clients whose rows do not move is 1, as of any two
    that are alike; of one of them with another it is 0. A message that fails the server's checks is
    not seen here, so it costs its client no trust.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from math import floor, isfinite, nan
from typing import Literal

from p2pfl.strategies.base import ServerStrategy, averaged, claimed_shares
from p2pfl.strategies.fed_grad_filters import (
    Reference,
    closeness,
    clusters,
    compromising,
    dynamic_threshold,
    last_layers,
    similarities,
)
from p2pfl.strategies.fed_grad_history import (
    History,
    Pair,
    features,
    marked,
    met,
    scored,
    trust,
)
from p2pfl.strategies.types import Gathering
from p2pfl.types import Merge, Vector


@dataclass(frozen=True, slots=True, kw_only=True)
class FedGrad(ServerStrategy):
    """Average those whose last layer neither filter suspects: ``{kind: fed_grad}``.

    The soft filter rejects about half of the clients in every round, whoever they are, and trust
    pardons those it seldom rejects. It needs ``model.warm_start``: from a random model the
    adversaries' soft scores may be the lowest, and the client that the hard filter trusts one of
    theirs, for models trained on the same data are the closest.
    """

    mode: Literal["full", "union", "soft", "hard"] = "full"
    """full: both filters, and pardons. union: both, nobody is pardoned. Else one filter alone."""
    score_sign: Literal["update", "literal"] = "update"
    """literal: the soft score as printed, which is minus the other."""
    reference: Reference = "mean"
    """What the hard filter takes weight and bias from: the round's average (mean); the same, and
    the bias as it is (code); the global model (paper)."""
    minmax_columns: bool = False
    """Whether each round's similarities to one client are scaled to [0, 1], as in the code."""
    threshold: float = 0.5
    """Scores above it are suspect, and above the median, if that is less; the paper's zeta."""
    threshold_factor: float = 1.0
    """On both; the paper has 0.35 where most are adversaries. Finite, >= 0."""
    hard_from: int = 50
    """The round in which the hard filter begins, >= 1."""
    adversaries: float = 0.25
    """The share of adversaries that closeness allows for, in [0, 1]: the paper's epsilon."""
    pardon_from: int | None = None
    """The round in which pardons begin, >= 1; ``hard_from`` by default. The paper's is 1."""
    pardon: Literal["at_least", "above"] = "at_least"
    """Whether trust must reach its threshold or exceed it, as the paper says."""
    trust_threshold: float = 0.75
    """For a pardon; the paper's gamma."""
    rejected_mark: float = 0.25
    """What a round adds to the trust of who was rejected; the paper's lambda_1."""
    accepted_mark: float = 1.0
    """And of who was not; lambda_2."""
    first_mark: float | None = 0.5
    """With which trust begins; None: with none."""
    refill: bool = False
    """Whether the soft filter's suspects are rejected after all where all are pardoned, as in the
    code."""
    weights: Literal["samples", "uniform"] = "samples"
    """Whether clients weigh by the samples that they claim, or all alike."""
    kind: Literal["fed_grad"] = "fed_grad"

    def __post_init__(self) -> None:
        for name in ("threshold", "threshold_factor"):
            value = getattr(self, name)
            if not (isfinite(value) and value >= 0):
                raise ValueError(f"{name} must be finite and >= 0, got {value}")
        for name in ("trust_threshold", "rejected_mark", "accepted_mark", "first_mark"):
            value = getattr(self, name)
            if value is not None and not isfinite(value):
                raise ValueError(f"{name} must be finite, got {value}")
        for name in ("hard_from", "pardon_from"):
            value = getattr(self, name)
            if value is not None and value < 1:
                raise ValueError(f"{name} counts rounds from 1, got {value}")
        if not 0 <= self.adversaries <= 1:
            raise ValueError(f"adversaries is a share in [0, 1], got {self.adversaries}")

    def init(self, model: Vector) -> History:
        """Nobody seen yet."""
        return History({}, {})

    def aggregate(self, view: Gathering, state: History) -> tuple[Merge, History]:
        """The average of the models that are not rejected, by claimed samples if so set.

        Where all are rejected the model stays. The rejected are flagged. A model whose last layer
        has no bias is judged by the weight alone; of one that is more than a weight and a bias, by
        these. Staleness is ignored. Notes: ``threshold``, that of the soft scores; ``pardoned``,
        how many were. Details: ``score``, the mean soft score; ``trust`` before this round;
        ``closeness``, and the ``cluster``, 0 with the trusted client and 1 without: NaN where they
        were not needed.

        Cost:
            Time O(m^2 p) from round ``hard_from`` on, O(m p) before. The state holds a few numbers
            for each client and each two that have met.
        """
        senders = view.senders
        if not senders:
            return averaged(view, [], flagged=()), state
        weight, bias = last_layers(
            view.received,
            view.model[None],
            claimed_shares(view, self.weights),
            view.functional.layout,
        )
        instant = compromising(weight, self.score_sign).tolist()
        clients = scored(state, senders, instant, self.first_mark)
        likeness = similarities(weight, bias, self.reference, self.minmax_columns)
        pairs = met(state, senders, likeness)

        scores = [clients[s].score for s in senders]
        limit = dynamic_threshold(scores, self.threshold, self.threshold_factor)
        soft = {s for s, score in zip(senders, scores, strict=True) if score > limit}
        near, groups = self._clustered(view, pairs, len(likeness))
        hard = {s for s, group in zip(senders, groups, strict=True) if group == 1}
        suspects = hard if self.mode == "hard" else soft | hard
        trusts = [trust(clients[s]) for s in senders]
        pardoned = self._pardoned(view.round, senders, trusts) & suspects
        rejected = suspects - pardoned
        if self.refill and pardoned and not rejected:
            rejected = soft

        merge = averaged(
            view,
            self._shares(view, rejected),
            flagged=tuple(s for s in senders if s in rejected),
            notes={"threshold": limit, "pardoned": float(len(suspects - rejected))},
            details={"score": scores, "trust": trusts, "closeness": near, "cluster": groups},
        )
        clients = marked(clients, senders, rejected, self.rejected_mark, self.accepted_mark)
        return merge, History(clients, pairs)

    def _clustered(
        self, view: Gathering, pairs: dict[tuple[int, int], Pair], parts: int
    ) -> tuple[Sequence[float], Sequence[float]]:
        """Each client's closeness and cluster; NaN while the hard filter rests."""
        m = len(view.senders)
        if self.mode == "soft" or view.round < self.hard_from or m < 3:
            return [nan] * m, [nan] * m
        # The summand keeps a product such as 0.29 * 100 from falling below 29.
        f = floor(self.adversaries * m + 1e-9)
        near = closeness(view.received[:, : view.functional.layout.p], f)
        trusted = near.index(min(near))
        seed = int(view.rng.integers(1 << 31))
        return near, clusters(features(pairs, view.senders, parts), trusted, seed)

    def _pardoned(self, round_: int, senders: Sequence[int], trusts: Sequence[float]) -> set[int]:
        """Who is trusted enough not to be rejected. Nobody without history is."""
        if self.mode != "full" or round_ < (self.pardon_from or self.hard_from):
            return set()
        least, above = self.trust_threshold, self.pardon == "above"
        return {
            s
            for s, t in zip(senders, trusts, strict=True)
            if t > least or (t == least and not above)
        }

    def _shares(self, view: Gathering, rejected: set[int]) -> list[float]:
        """Each row's share: 0 for the rejected."""
        kept = [k for k, sender in enumerate(view.senders) if sender not in rejected]
        shares = [0.0] * len(view.senders)
        # Not base.only, which would copy the rows.
        theirs = replace(view, samples=tuple(view.samples[k] for k in kept))
        for k, share in zip(kept, claimed_shares(theirs, self.weights), strict=True):
            shares[k] = share
        return shares
