"""Any rule as a strategy: the server aggregates its clients' updates by it."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from typing import Literal

import torch

from p2pfl.rules import FOR_UPDATES, WEIGHTED, AnyRule
from p2pfl.rules.nesting import nested
from p2pfl.rules.per_tensor import Traced, traced_by_tensor
from p2pfl.rules.sums import weighted_sum
from p2pfl.strategies.base import ServerStrategy, averaged, claimed_shares
from p2pfl.strategies.types import Gathering
from p2pfl.types import Merge


@dataclass(frozen=True, slots=True, kw_only=True)
class RuleStrategy(ServerStrategy):
    """A rule over the clients' updates: ``{kind: rule, rule: {kind: krum, f: 2}}``.

    Rows are ascending by client, and all count the same unless ``weights`` says otherwise. The rule
    acts on the parameters. Running statistics are averaged by the rows' shares in these.
    """

    rule: AnyRule
    """The rule, with its hyper-parameters. Its n counts the clients that answered."""
    rows: Literal["updates", "models"] = "updates"
    """What the rule sees: what each client's model differs by from the global one, or models."""
    per_tensor: bool = False
    """Whether the rule acts on each tensor of the model apart."""
    server_lr: float = 1.0
    """Factor on the aggregated update, > 0."""
    weights: Literal["uniform", "samples"] = "uniform"
    """Whether all rows count the same, or by the samples that each client claims, which is
    believed; of multi_krum, geometric_median and rlr (the mean by samples is ``fed_avg``)."""
    kind: Literal["rule"] = "rule"

    def __post_init__(self) -> None:
        if self.rows == "models" and isinstance(nested(self.rule)[-1], FOR_UPDATES):
            raise ValueError(f"rows must be 'updates' for {self.rule}, got 'models'")
        if self.weights == "samples" and not isinstance(self.rule, WEIGHTED):
            allowed = "multi_krum, geometric_median and rlr take 'samples'"
            raise ValueError(f"weights must be 'uniform' for {self.rule}; only {allowed}")
        if not 0 < self.server_lr < float("inf"):
            raise ValueError(f"server_lr must be finite and > 0, got {self.server_lr}")

    def needs(self, n: int) -> str | None:
        """As the rule says."""
        return self.rule.needs(n)

    def aggregate(self, view: Gathering, state: None) -> tuple[Merge, None]:
        """Raises TooFewNeighbours where the rule cannot be computed. Cost as the rule's.

        By samples, a claim below 0 counts as 0, and where nobody has any the model stays.
        """
        claims = claimed_shares(view, self.weights)
        if view.senders and not any(claims):
            return averaged(view, claims), None
        layout = view.functional.layout
        p, model, rows = layout.p, view.model, view.received
        base = model[:p] if self.rows == "updates" else model.new_zeros(p)
        out, shares = traced_by_tensor(
            self._traced(claims), rows[:, :p] - base, layout, self.per_tensor
        )
        moved = base + out if self.rows == "updates" else out
        if self.server_lr != 1:
            moved = model[:p] + self.server_lr * (moved - model[:p])
        buffers = weighted_sum(rows[:, p:], shares.tolist())
        return Merge(model=torch.cat([moved, buffers]), influence=shares), None

    def _traced(self, claims: Sequence[float]) -> Traced:
        if self.weights == "samples" and isinstance(self.rule, WEIGHTED):
            return partial(self.rule.weighted, weights=claims)
        return self.rule.traced
