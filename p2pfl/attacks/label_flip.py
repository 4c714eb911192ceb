"""Label flip: train honestly on wrong labels.

Source
    ``reverse``: M. Fang, X. Cao, J. Jia, N. Z. Gong. "Local Model Poisoning Attacks to
    Byzantine-Robust Federated Learning." USENIX Security 2020. arXiv:1911.11815.
    ``pair``: V. Tolpegin, S. Truex, M. E. Gursoy, L. Liu. "Data Poisoning Attacks Against Federated
    Learning Systems." ESORICS 2020. arXiv:2007.08432.
    ``dynamic``: V. Shejwalkar, A. Houmansadr, P. Kairouz, D. Ramage. "Back to the Drawing Board: A
    Critical Evaluation of Poisoning Attacks on Production Federated Learning." IEEE S&P 2022.
    arXiv:2108.10241. In each round by the current model: J. Peng, W. Li, S. Vlaski, Q. Ling. "Mean
    Aggregator is More Robust than Robust Aggregators under Label Poisoning Attacks on Distributed
    Heterogeneous Data." JMLR 26, 2025.
    ``swap``, ``random`` and ``next`` are common in public code, without a source of their own.

Departs from the paper:
    ``dynamic`` of Shejwalkar et al. asks a surrogate model for the least likely label; of Peng et
    al. the global model of the round. Here it is the model at which the adversary's own training
    of the round starts: with ``receives: mean`` an average over its neighbourhood.
"""

from dataclasses import dataclass, replace
from typing import ClassVar, Literal

import numpy as np
import torch
from jaxtyping import Int64
from torch import Tensor

from p2pfl.attacks.base import Honest
from p2pfl.types import Knowledge, Logits, Samples

_BATCH = 200
"""Samples per forward pass, as in an evaluation."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LabelFlip(Honest):
    """Relabel own samples, then train and send honestly: ``{kind: label_flip}``.

    ``{kind: label_flip, mapping: pair, source: 5, target: 3}`` calls every 5 a 3.
    """

    knowledge: ClassVar[Knowledge] = "local"

    mapping: Literal["reverse", "pair", "swap", "random", "next", "dynamic"] = "reverse"
    """Which label becomes which of L. reverse: l to L - 1 - l (with L odd the middle class keeps
    its label); next: l to l + 1, the last to 0; random: each sample to any other class, drawn once;
    pair: ``source`` to ``target``, all others stay; swap: ``target`` to ``source`` as well;
    dynamic: anew in every round, each sample to the class that the model of the round's start finds
    least likely, be it the true one."""
    source: int | None = None
    """Class that ``pair`` and ``swap`` relabel, >= 0; null for the other mappings."""
    target: int | None = None
    """What they call it, >= 0; null for the other mappings."""
    kind: Literal["label_flip"] = "label_flip"

    def __post_init__(self) -> None:
        given = [c for c in (self.source, self.target) if c is not None]
        came = f"got mapping: {self.mapping}, source: {self.source}, target: {self.target}"
        of_two = self.mapping in ("pair", "swap")
        if given and not of_two:
            raise ValueError(f"source and target belong to mapping: pair or swap, {came}")
        if of_two and (len(set(given)) < 2 or min(given) < 0):
            raise ValueError(f"mapping: {self.mapping} needs two different classes >= 0, {came}")

    def poison(self, data: Samples, rng: np.random.Generator) -> Samples:
        """New labels for the same inputs. ValueError where the data set lacks a class of a pair."""
        return replace(data, labels=self._flipped(data, rng))

    def poison_round(self, data: Samples, logits: Logits) -> Samples:
        """With ``dynamic``, the labels of this round; of equally unlikely ones the smallest.

        Costs a pass over the own data in every round.
        """
        if self.mapping != "dynamic" or len(data.labels) == 0:
            return data
        parts = [logits(part).argmin(dim=1) for part in torch.split(data.inputs, _BATCH)]
        return replace(data, labels=torch.cat(parts))

    def _flipped(self, data: Samples, rng: np.random.Generator) -> Int64[Tensor, " n"]:
        labels, classes = data.labels, data.classes
        if self.mapping == "dynamic":
            return labels
        if self.mapping == "reverse":
            return classes - 1 - labels
        if self.mapping == "next":
            return (labels + 1) % classes
        if self.mapping == "random":
            shifts = rng.integers(1, classes, len(labels))
            return (labels + torch.from_numpy(shifts).to(labels.device)) % classes
        assert self.source is not None  # as __post_init__ checked
        assert self.target is not None
        if max(self.source, self.target) >= classes:
            came = f"source: {self.source}, target: {self.target}"
            raise ValueError(f"classes of the data set are 0 .. {classes - 1}, got {came}")
        flipped = torch.where(labels == self.source, self.target, labels)
        if self.mapping == "swap":
            flipped = torch.where(labels == self.target, self.source, flipped)
        return flipped
