"""BRIDGE: screen the received models together with the own one, then take a gradient step.

Source
    C. Fang, Z. Yang, W. U. Bajwa. "BRIDGE: Byzantine-Resilient Decentralized Gradient Descent."
    IEEE Transactions on Signal and Information Processing over Networks 8, 2022.
    arXiv:1908.08098. Its variants: BRIDGE-M (median), BRIDGE-T (trimmed mean), BRIDGE-K (Krum),
    BRIDGE-B (Bulyan).

Departs from the paper:
    A peer of the paper sends w, screens to y and goes on to y - rho grad f(w): the gradient is
    taken at what it sent. That is ``gradient_at: sent``, with the whole of a round's local training
    for -rho grad f(w). By default a peer trains from y, sends the result and screens after that, so
    from one message to the next it is y - rho grad f(y), as in the other defenses here.
    Krum scores by squared distances, as it was published; the authors' code adds up distances. It
    also trims the own model in BRIDGE-T, which the paper does not, and neither do we.
"""

from dataclasses import dataclass, replace
from typing import Literal

import torch

from p2pfl.defenses.base import PeerDefense
from p2pfl.defenses.mixing import float32
from p2pfl.defenses.rule_defense import RuleDefense
from p2pfl.rules import FOR_UPDATES, AnyRule, Median, TrimmedMean
from p2pfl.rules.nesting import nested
from p2pfl.rules.sums import weighted_sum
from p2pfl.types import Merge, Neighbourhood

_MEDIAN = Median()


@dataclass(frozen=True, slots=True, kw_only=True)
class Bridge(PeerDefense):
    """Screen the closed neighbourhood by a rule: ``{kind: bridge}`` is BRIDGE-M, with the median.

    As the defense ``rule``, but for the trimmed mean: BRIDGE-T trims the received rows alone and
    averages the rest with the peer's own model, which is never trimmed. It holds where the rule
    does, at every benign peer, and the benign peers stay connected without the screened links.
    """

    rule: AnyRule = _MEDIAN
    """The screening rule, with its hyper-parameters."""
    gradient_at: Literal["screened", "sent"] = "screened"
    """Where a peer trains. screened: at what screening left, and it sends what that gave; sent: at
    the model that it sends, as in the paper, and adds the step to what screening left."""
    kind: Literal["bridge"] = "bridge"

    def __post_init__(self) -> None:
        if isinstance(nested(self.rule)[-1], FOR_UPDATES):
            raise ValueError(f"rule must be one for models, got {self.rule}, one for updates")

    @property
    def early(self) -> bool:
        """Send before training where the step is taken at what is sent."""
        return self.gradient_at == "sent"

    def init(self, d: int) -> None:
        """No state."""
        return

    def merge(self, view: Neighbourhood, state: None) -> tuple[Merge, None]:
        """Raises TooFewNeighbours where the rule cannot be computed. Cost as the rule's.

        BRIDGE-T cannot with 2f received rows or fewer; a rule over the closed neighbourhood counts
        the own row too. Staleness and mixing weights are ignored. With ``gradient_at: sent`` the
        own row is the peer's start, and its own step, own - start, is added to the screened model;
        running statistics are then screened only.
        """
        if self.gradient_at == "screened":
            return self._screen(view), None
        merge = self._screen(replace(view, own=view.start))
        p = view.model.layout.p
        step = view.own[:p].double() - view.start[:p]
        stepped = float32(merge.model[:p].double() + step)
        return replace(merge, model=torch.cat([stepped, merge.model[p:]])), None

    def _screen(self, view: Neighbourhood) -> Merge:
        if not isinstance(self.rule, TrimmedMean):
            return RuleDefense(rule=self.rule).merge(view, None)[0]
        p = view.model.layout.p
        trimmed, shares = self.rule.traced(view.received[:, :p])
        kept = len(view.received) - 2 * self.rule.f
        own_share = 1 / (kept + 1)
        screened = weighted_sum([view.own[:p], trimmed], [own_share, 1 - own_share])
        influence = (1 - own_share) * shares
        rows = [view.own[p:], *view.received[:, p:]]
        buffers = weighted_sum(rows, [own_share, *influence.tolist()])
        return Merge(model=torch.cat([screened, buffers]), influence=influence)

    def computable(self, n: int) -> str | None:
        """None if n rows, the own one included, can be screened, else what is missing."""
        return self.rule.computable(self._screened(n))

    def needs(self, n: int) -> str | None:
        """None if the screening of n rows, the own one included, is guaranteed."""
        return self.rule.needs(self._screened(n))

    def _screened(self, n: int) -> int:
        """How many of n rows the rule sees."""
        return n - 1 if isinstance(self.rule, TrimmedMean) else n
