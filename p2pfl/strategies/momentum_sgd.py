"""SGD with momentum and any rule: one gradient a round from every client.

Source
    El-M. El Mhamdi, R. Guerraoui, S. Rouault. "Distributed Momentum for Byzantine-Resilient
    Stochastic Gradient Descent." ICLR 2021. The baselines of J. Xu et al., "Mitigating Model
    Poisoning Attacks on Distributed Learning with Heterogeneous Data", ICMLA 2023: those without
    "+" in table I, and SGD in figure 3.

Departs from the paper:
    Gradients are taken in evaluation mode, and running statistics stay. Where too few clients
    answer for the rule, its f is lowered, or the mean is taken.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import torch
from jaxtyping import Float
from torch import Tensor

from p2pfl.learner.training import Training
from p2pfl.rules import AnyRule, Mean
from p2pfl.strategies.base import ServerStrategy, averaged
from p2pfl.strategies.class_gradients import Averaging, Group, stepped
from p2pfl.strategies.descent import aggregated, among_the_rest, check_settings, heavier, moved
from p2pfl.strategies.types import Assignment, Gathering
from p2pfl.types import Kind, Merge, Vector

_MEAN = Mean()


@dataclass(frozen=True, slots=True, kw_only=True)
class MomentumSgd(ServerStrategy):
    """Step along the rule's aggregate of momenta: ``{kind: momentum_sgd, rule: {...}}``.

    A client takes one mini-batch a round, of ``training.batch_size``; the other settings of
    ``training`` do not act. Momentum lowers the variance that hostile gradients hide in, not what
    unlike data add to it.
    """

    rule: AnyRule = _MEAN
    """Aggregates what the clients sent."""
    server_lr: float = 0.1
    """Learning rate, finite and > 0."""
    momentum: float = 0.9
    """Share of the past, beta in [0, 1); 0: none."""
    at: Literal["clients", "server"] = "clients"
    """clients: each sends m <- beta m + (1 - beta) g; server: they send g, and the server steps
    along v <- beta v + Agg(g), which is 1 / (1 - beta) times as long."""
    weight_decay: float = 5e-4
    """Factor of the L2 penalty's gradient, at the server, finite and >= 0."""
    kind: Literal["momentum_sgd"] = "momentum_sgd"

    def __post_init__(self) -> None:
        check_settings(self.server_lr, self.momentum, self.weight_decay)

    @property
    def sends(self) -> Kind:
        """Gradients, or averages of them."""
        return "gradient"

    def needs(self, n: int) -> str | None:
        """As the rule says."""
        return self.rule.needs(n)

    def init(self, model: Vector) -> Float[Tensor, " p"] | None:
        """The server's momentum; None stands for 0."""
        return None

    def train(
        self, given: Assignment, memory: Mapping[int, Group] | None
    ) -> tuple[Vector, Mapping[int, Group]]:
        """The gradient of one mini-batch, or the client's momentum with it. Cost: one pass."""
        everything = {0: torch.arange(len(given.data.labels), device=given.data.labels.device)}
        beta = self.momentum if self.at == "clients" else 0.0
        batch = given.settings.batch_size
        after = stepped(given, everything, batch, Averaging.of(beta), memory or {})
        return after[0].momentum, after

    def client_effort(
        self, round_: int, hostile: bool, settings: Training, held: Sequence[int]
    ) -> float:
        """One mini-batch."""
        return min(settings.batch_size, sum(held))

    def aggregate(self, view: Gathering, state: Any) -> tuple[Merge, Any]:
        """To x - server_lr * (Agg(m) + weight_decay * x). All stays where nobody answered.

        Influence is the share in the aggregate. A late row is taken as it comes; claimed samples
        are ignored. A malformed row lowers the rule's f by one. Notes: ``fitted``, 1 where too few
        rows came for the rule as it was set. Cost as the rule's.
        """
        if not view.senders:
            return averaged(view, []), state
        p = view.functional.layout.p
        rule = among_the_rest(self.rule, len(view.rejected))
        direction, shares, fits = aggregated(rule, view.received[:, :p])
        if self.at == "server" and self.momentum:
            state = direction = heavier(state, direction, self.momentum)
        model = moved(view.model, direction, self.server_lr, self.weight_decay)
        return Merge(model=model, influence=shares, notes={"fitted": float(fits)}), state
