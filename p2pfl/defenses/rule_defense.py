"""Any rule as a defense: applied to one's own model and the received ones together."""

from dataclasses import dataclass
from typing import Literal

import torch

from p2pfl.defenses.base import PeerDefense
from p2pfl.rules import FOR_UPDATES, AnyRule
from p2pfl.rules.nesting import nested
from p2pfl.rules.per_tensor import traced_by_tensor
from p2pfl.rules.sums import weighted_sum
from p2pfl.types import Merge, Neighbourhood


@dataclass(frozen=True, slots=True, kw_only=True)
class RuleDefense(PeerDefense):
    """A rule over the closed neighbourhood: ``{kind: rule, rule: {kind: krum, f: 1}}``.

    Rows are the peer's own model first, then the received ones by ascending sender, so a rule's
    ties fall to the peer itself. All rows count the same: staleness, mixing weights and claimed
    samples are ignored. The rule acts on the parameters. Running statistics are averaged by the
    rows' shares in the parameters, so they follow a row that was selected and ignore one that was
    rejected; the rule's guarantee does not cover them.

    Rules that measure norms or angles from zero were made for updates. With ``rows: updates`` each
    row is a model less this peer's own model before its local training, and the result is added to
    that model again.
    """

    rule: AnyRule
    """The rule, with its hyper-parameters. Its n counts the peer itself."""
    rows: Literal["models", "updates"] = "models"
    """What the rule sees: models, or their differences to this peer's model before training."""
    per_tensor: bool = False
    """Whether the rule acts on each tensor of the model apart. A guarantee then holds for each
    tensor, not for the whole; shares are averaged by the tensors' sizes."""
    kind: Literal["rule"] = "rule"

    def __post_init__(self) -> None:
        if self.rows == "models" and isinstance(nested(self.rule)[-1], FOR_UPDATES):
            raise ValueError(f"rows must be 'updates' for {self.rule}, got 'models'")

    def init(self, d: int) -> None:
        """No state."""
        return

    def merge(self, view: Neighbourhood, state: None) -> tuple[Merge, None]:
        """Raises TooFewNeighbours where the rule cannot be computed. Cost as the rule's."""
        layout = view.model.layout
        p = layout.p
        rows = torch.cat([view.own[None], view.received])
        if self.rows == "updates":
            start = view.start[:p]
            seen = rows[:, :p] - start
            update, shares = traced_by_tensor(self.rule.traced, seen, layout, self.per_tensor)
            parameters = start + update
        else:
            seen = rows[:, :p]
            parameters, shares = traced_by_tensor(self.rule.traced, seen, layout, self.per_tensor)
        buffers = weighted_sum(rows[:, p:], shares.tolist())
        return Merge(model=torch.cat([parameters, buffers]), influence=shares[1:]), None
