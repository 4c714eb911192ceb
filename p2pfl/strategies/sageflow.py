"""Sageflow: leave out unsure models, weigh the others by their loss on public samples.

Source
    J. Park, D.-J. Han, M. Choi, J. Moon. "Sageflow: Robust Federated Learning against Both
    Stragglers and Adversaries." NeurIPS 2021: entropy-based filtering, loss-weighted averaging,
    grouping by staleness.

Departs from the paper:
    The public samples are the server's held-out ones. The paper lets gamma decay over the rounds;
    here it stays. Where the filter would stop everybody it stops nobody, of which the paper says
    nothing. Defaults are those of SPMC's baseline, which however judges the last global model in
    each client's place, so that all weights are equal; here each client's own is judged.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from math import exp, fsum, inf, isfinite, log
from typing import ClassVar, Literal, NamedTuple

import torch

from p2pfl.strategies.base import ServerStrategy, averaged, claimed_shares
from p2pfl.strategies.types import Gathering
from p2pfl.types import Merge, Vector

_BATCH = 500
_LEAST_LOSS = 1e-12


class Judgement(NamedTuple):
    """One model on the public samples. NaN where the model gives no number."""

    entropy: float
    """Mean entropy of its outputs, in nats."""
    loss: float
    """Mean cross-entropy, in nats."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Sageflow(ServerStrategy):
    """Filter by entropy, weigh by 1 / loss^delta: ``{kind: sageflow, entropy: 2.0, delta: 1.0}``.

    Any number of adversaries may be among the clients. The filter stops models that know nothing,
    the weights those that are surely wrong; a backdoor costs no loss, and passes. While benign
    clients know little themselves, the filter stops them and lets the surely wrong pass: then an
    entropy above log(classes), which stops nobody, and a larger delta do better.
    """

    holds_out: ClassVar[bool] = True

    entropy: float = 2.0
    """Models of this mean entropy or more are left out; the paper's E_th. Unit: nats, > 0; ten
    classes have at most 2.303."""
    delta: float = 1.0
    """Exponent of the loss, finite and >= 0. SPMC's group also has 5, with an entropy of 2.2."""
    staleness: float = 1.0
    """Exponent by which late answers count less, finite and >= 0; the paper's lambda."""
    gamma: float = 1.0
    """Share of the answers in the next model, in (0, 1]; the rest is the present one's."""
    weights: Literal["samples", "uniform"] = "samples"
    """samples: also by the samples that each client claims, as in the paper; a claim is believed.
    uniform: not so, as SPMC's baseline."""
    kind: Literal["sageflow"] = "sageflow"

    def __post_init__(self) -> None:
        if not self.entropy > 0:
            raise ValueError(f"entropy must be > 0, got {self.entropy}")
        for name, value in (("delta", self.delta), ("staleness", self.staleness)):
            if not (isfinite(value) and value >= 0):
                raise ValueError(f"{name} must be finite and >= 0, got {value}")
        if not 0 < self.gamma <= 1:
            raise ValueError(f"gamma must be in (0, 1], got {self.gamma}")

    def effort(self, messages: int, held_out: int) -> float:
        """A forward pass of every model over the held-out samples: a third of a pass each."""
        return messages * held_out / 3

    def aggregate(self, view: Gathering, state: None) -> tuple[Merge, None]:
        """(1 - gamma) w + gamma * sum_s a_s * sum_{k of staleness s} b_k w_k.

        b_k is in proportion to n_k / loss_k^delta among the answers of one staleness s, and a_s to
        their sum of n_k / (s + 1)^lambda; only models below the entropy count, if there are any,
        and never one that gives no finite numbers. Who is left out is flagged. Where nobody is
        left the model stays. Details: ``entropy`` and ``loss``.

        Cost:
            A forward pass of every model over the held-out samples, and time O(m d).
        """
        judged = [_judge(view, row) for row in view.received]
        finite = [k for k, j in enumerate(judged) if isfinite(j.entropy) and isfinite(j.loss)]
        kept = [k for k in finite if judged[k].entropy < self.entropy] or finite
        claims = claimed_shares(view, self.weights)
        shares = [0.0] * len(judged)
        groups = sorted({view.staleness[k] for k in kept})
        members = [[k for k in kept if view.staleness[k] == stale] for stale in groups]
        ages = [max(0, stale) + 1 for stale in groups]
        sums = [fsum(claims[k] for k in group) for group in members]
        parts = _in_proportion([n / age**self.staleness for n, age in zip(sums, ages, strict=True)])
        for part, group in zip(parts, members, strict=True):
            inner = _in_proportion(self._weights(judged, claims, group))
            for k, share in zip(group, inner, strict=True):
                shares[k] = self.gamma * part * share
        merge = averaged(
            view,
            shares,
            flagged=tuple(s for k, s in enumerate(view.senders) if k not in kept),
            details={
                "entropy": [j.entropy for j in judged],
                "loss": [j.loss for j in judged],
            },
        )
        return merge, None

    def _weights(
        self, judged: Sequence[Judgement], claims: Sequence[float], group: Sequence[int]
    ) -> list[float]:
        """What each counts for: n (least loss / loss)^delta, which does not overflow."""
        logs = [log(max(judged[k].loss, _LEAST_LOSS)) for k in group]
        least = min(logs, default=inf)
        return [
            claims[k] * exp(self.delta * (least - own)) for k, own in zip(group, logs, strict=True)
        ]


def _judge(view: Gathering, model: Vector) -> Judgement:
    samples = view.held_out
    assert samples is not None  # holds_out asks for it
    entropies, losses = [], []
    parts = (torch.split(tensor, _BATCH) for tensor in (samples.inputs, samples.labels))
    with torch.no_grad():
        for inputs, labels in zip(*parts, strict=True):
            logits = view.functional.logits(model, inputs).double().log_softmax(dim=1)
            entropies.append(-(logits.exp() * logits).sum(dim=1))
            losses.append(-logits.gather(1, labels[:, None])[:, 0])
    return Judgement(float(torch.cat(entropies).mean()), float(torch.cat(losses).mean()))


def _in_proportion(weights: Sequence[float]) -> list[float]:
    whole = fsum(weights)
    return [weight / whole if whole > 0 else 0.0 for weight in weights]
