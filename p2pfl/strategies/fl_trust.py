"""FLTrust: the server trains on clean samples of its own, and trusts who moves the same way.

Source
    X. Cao, M. Fang, J. Liu, N. Z. Gong. "FLTrust: Byzantine-robust Federated Learning via Trust
    Bootstrapping." NDSS 2021. arXiv:2012.13995: algorithms 1 and 2.

Departs from the paper:
    The server trains for whole epochs on its root data, the held-out samples; the paper's trains
    for as many steps as its clients. Running statistics are averaged by trust.
"""

from dataclasses import dataclass
from math import fsum, isfinite
from typing import ClassVar, Literal

import torch

from p2pfl.defenses.mixing import float32
from p2pfl.defenses.trust import add_trusted
from p2pfl.strategies.base import ServerStrategy, averaged
from p2pfl.strategies.types import Gathering
from p2pfl.types import Merge


@dataclass(frozen=True, slots=True, kw_only=True)
class FlTrust(ServerStrategy):
    """Weigh each client's update by its cosine with the server's own: ``{kind: fl_trust}``.

    Any number of adversaries may be among the clients: a negative cosine counts as 0, and every
    update is scaled to the server's length. Updates that share a part of its direction enter with
    that part of trust.
    """

    holds_out: ClassVar[bool] = True

    epochs: int = 1
    """Passes over the held-out samples for the server's update, >= 1."""
    server_lr: float = 1.0
    """Factor on the aggregated update, finite and > 0; the paper's alpha."""
    kind: Literal["fl_trust"] = "fl_trust"

    def __post_init__(self) -> None:
        if self.epochs < 1:
            raise ValueError(f"epochs must be >= 1, got {self.epochs}")
        if not (isfinite(self.server_lr) and self.server_lr > 0):
            raise ValueError(f"server_lr must be finite and > 0, got {self.server_lr}")

    def effort(self, messages: int, held_out: int) -> float:
        """The server's own training."""
        return float(self.epochs * held_out)

    def aggregate(self, view: Gathering, state: None) -> tuple[Merge, None]:
        """The model plus the average by trust of the updates, each at the server's length.

        w + server_lr * (sum_k t_k |g| / |u_k| u_k) / sum_k t_k, for u_k = w_k - w, the server's
        g = train(w) - w and t_k = max(0, cos(u_k, g)). Where nobody is trusted the model stays.
        Influence is the share of trust. It scores and does not judge, so no client is flagged.
        Details: ``trust``. Staleness and claimed samples are ignored.

        Cost:
            The server's training, and time O(m d).
        """
        p = view.functional.layout.p
        start = view.model[:p].double()
        root = view.train(view.model, self.epochs)[:p].double() - start
        total = torch.zeros_like(start)
        trusts = add_trusted(total, view.received[:, :p], start, root)
        whole = fsum(trusts)
        shares = [trust / whole if whole > 0 else 0.0 for trust in trusts]
        merge = averaged(view, shares, details={"trust": trusts})
        if whole > 0:
            merge.model[:p] = float32(start + self.server_lr / whole * total)
        return merge, None
