"""RSA: clients keep models of their own, and the server follows the signs of the differences.

Source
    L. Li, W. Xu, T. Chen, G. B. Giannakis, Q. Ling. "RSA: Byzantine-Robust Stochastic Aggregation
    Methods for Distributed Learning from Heterogeneous Datasets." AAAI 2019. arXiv:1811.03761:
    the l1 norm.

Departs from the paper:
    Client and server take turns after each step there, at one decaying rate; here a client does a
    round of local training and the server one step, at ``server_lr``. The authors' code divides a
    client's loss by the number of clients. Running statistics are averaged.
"""

from dataclasses import dataclass
from math import isfinite
from typing import Any, Literal

import torch
from jaxtyping import Float
from torch import Tensor

from p2pfl.defenses.mixing import float32
from p2pfl.strategies.base import ServerStrategy, averaged, claimed_shares
from p2pfl.strategies.types import Assignment, Gathering
from p2pfl.types import Merge, Vector


@dataclass(frozen=True, slots=True, kw_only=True)
class Rsa(ServerStrategy):
    """Tie own models to the server's by an l1 penalty: ``{kind: rsa, penalty: 0.001}``.

    min over w, w_1 .. w_n of sum_k (F_k(w_k) + penalty |w_k - w|_1) + decay / 2 |w|^2. A client
    moves a coordinate of the server's model by server_lr * penalty a round, whatever it sends;
    where clients with unlike data pull apart, or adversaries are the majority, signs mislead.
    """

    penalty: float = 0.001
    """Strength of the tie, finite and > 0; the paper's lambda, 0.07 in its experiments."""
    server_lr: float = 5.0
    """Size of the server's step, finite and > 0. It makes one in a round where the paper's makes
    as many as its clients: about the sum of their rates over a round does for all."""
    decay: float = 0.0
    """Of the server's model, as weight decay, finite and >= 0; 0.01 in the paper's experiments."""
    own_models: bool = True
    """Whether clients keep models of their own. Otherwise each round starts from the server's,
    without penalty, as in SPMC's baseline."""
    cap: int | None = None
    """Bound on the sum of signs, >= 1; SPMC's baseline has 3, and as there it acts after each
    client that is added, in an order drawn for each round: the last ones weigh most."""
    kind: Literal["rsa"] = "rsa"

    def __post_init__(self) -> None:
        for name, value in (("penalty", self.penalty), ("server_lr", self.server_lr)):
            if not (isfinite(value) and value > 0):
                raise ValueError(f"{name} must be finite and > 0, got {value}")
        if not (isfinite(self.decay) and self.decay >= 0):
            raise ValueError(f"decay must be finite and >= 0, got {self.decay}")
        if self.cap is not None and self.cap < 1:
            raise ValueError(f"cap counts signs and must be >= 1, got {self.cap}")

    def train(self, given: Assignment, memory: Vector | None) -> tuple[Vector, Any]:
        """A round of training of the own model, whose steps are drawn to the server's.

        g <- g + penalty * sign(w_k - w) in each step. The own model is what it remembers; before it
        has any, it takes the server's.
        """
        if not self.own_models:
            return given.plain(given.model), None
        start = given.model if memory is None else memory
        own = given.plain(start, _Tie(given.model, self.penalty))
        return own, own

    def aggregate(self, view: Gathering, state: None) -> tuple[Merge, None]:
        """One step: w - server_lr * (penalty * sum_k sign(w - w_k) + decay * w).

        Every client that answered has one vote for each coordinate, so influence is equal. Where
        nobody answered the model stays. Staleness and claimed samples are ignored. Time O(m d).
        """
        merge = averaged(view, claimed_shares(view, "uniform"))
        if not view.senders:
            return merge, None
        p = view.functional.layout.p
        model = view.model[:p].double()
        signs = torch.zeros_like(model)
        for k in view.rng.permutation(len(view.senders)):
            signs += (model - view.received[k, :p]).sign()
            if self.cap is not None:
                signs.clamp_(-self.cap, self.cap)
        step = self.penalty * signs + self.decay * model
        merge.model[:p] = float32(model - self.server_lr * step)
        return merge, None


@dataclass(frozen=True, slots=True)
class _Tie:
    """The gradient of strength * |weights - target|_1, added in each step."""

    target: Vector
    strength: float

    def gradient(self, weights: Float[Tensor, " p"], gradient: Float[Tensor, " p"]) -> None:
        apart = weights - self.target[: len(weights)]
        gradient.add_(apart.sign_(), alpha=self.strength)

    def weights(self, weights: Float[Tensor, " p"]) -> None:
        """Steps end where they end."""
