"""DFL-Dual: clusters of models by their distance and by that of the data they were trained on.

Source
    P. Sun, X. Liu, Z. Wang, B. Liu. "Byzantine-robust Decentralized Federated Learning via
    Dual-domain Clustering and Trust Bootstrapping." CVPR 2024.

With G the peer i itself and the m neighbours whose models came, each as th^h after local training
and th before it:

    E_jk = |th_j^h - th_k^h|
    x'_k = argmin |grad loss(x', y'; th_k) - s^t (th_k^h - th_k) / (E |D_k| / B)|^2      (eq. 5)
    W_jk = sum over classes and features of the 1-Wasserstein distance of x'_j and x'_k  (eq. 6)
    D_jk = min(W_jk + alpha E_jk, c1)                                                    (eq. 7)
    S_j  = cos(th_i^h, th_j^h); the trust in a group is its mean                         (eq. 9)
    1.  the D_jk of each j in two groups by 2-median; q_j = their sum over the more trusted one
    2.  r_j = min(q_j / q_i, c2) in two groups; next is the mean of the more trusted one

Departs from the paper:
    Its supplement, with alpha, c1, c2, s and how the inversion is solved, was not to be had: those
    defaults are inferred. The files ``inversion.py``, ``two_medians.py`` and ``dual_groups.py`` say
    what else it leaves open and how that is closed here. The peer itself counts in the trust of its
    group. What beside th_k^h eq. 5 needs, the paper does not list: the sender's start travels too.

Where peers go their own pace (``gossip``, ``pairwise``; the paper has rounds only):
    A merge is a step of the method: alpha and c1 come of the first ``settle`` merges that had a
    neighbour in them, groups and trust are those of the merge; nothing else is kept from one to the
    next. The t of s^t stays the count of local trainings of who trained, as its message claims:
    s^t makes up for changes that shrink with training, and who is slower has trained less. So at
    unlike speeds the data domain compares gradients of unlike t; ``s: 1`` leaves that out. Under
    gossip G is who has been heard since the last merge. Under pairwise it is the peer and one
    other, of which no clustering can be made: ``single`` decides, and with ``keep`` nobody is ever
    rejected. The th before training is there the model without its last local step.

    Seen on digits, with scales from medians over all pairs (one seed, four benign of ten on two
    rings, six flip labels, eight rounds; the share of hostile and benign messages flagged): under
    rounds 1 and 0, accuracy 0.902 (alone 0.838); under gossip 1 and 0.33, accuracy 0.896; with a
    spread of 0.4 in speed 0.97 and 0.16, 0.883; with a fanout of 3 as well 0.94 and 0.09, 0.874. So
    it still keeps the hostile out, and pays with benign messages of other rounds than its own.
    Under pairwise nobody who flips labels is flagged, adversaries have a fifth of the weight, and
    accuracy is 0.673, below training alone: it does not hold there. If signs are flipped,
    ``if_trusted`` flags 11 of 12 hostile edges and no benign one, with accuracy 0.871.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from math import fsum, isfinite
from typing import Literal

import numpy as np
import torch

from p2pfl.defenses.base import PeerDefense
from p2pfl.defenses.dual_domains import Domains, Scales, domains
from p2pfl.defenses.dual_groups import Grouping, grouped
from p2pfl.defenses.dual_inversion import MISFIT, Inversion, data_distances
from p2pfl.defenses.rule_defense import RuleDefense
from p2pfl.defenses.two_medians import BoolArray, FloatArray
from p2pfl.rules.distances import norms
from p2pfl.rules.mean import Mean
from p2pfl.rules.sums import weighted_sum
from p2pfl.types import Artifact, InputSpec, Merge, Neighbourhood, Update
from p2pfl.vectors import FunctionalModel

_PASSES = 3
"""What a step of the inversion costs, in passes of its samples: it differentiates twice."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DflDual(PeerDefense):
    """Merge with the group that is close in both domains and trusted: ``{kind: dfl_dual}``.

    Any number of adversaries may be among the neighbours, as long as the peer's own model tells it
    which of two groups is its own: it needs benign neighbours whose data are like its own, and
    adversaries whose models or data are not.
    """

    alpha: float | Literal["auto"] = "auto"
    """Weight of the model domain, >= 0. auto: from who is nearest in the peer's first
    neighbourhoods; see ``dual_domains.measured``. `p2pfl calibrate` finds it in rounds without
    adversaries."""
    c1: float | Literal["auto"] = "auto"
    """Bound on the distance of two models, > 0, well above those of benign ones. auto: as alpha."""
    settle: int = 2
    """What auto follows: the peer's first merges with neighbours, >= 1. 1 is too early, since all
    start at one model; see ``dual_domains.followed``."""
    c2: float = 5.0
    """Bound on the divergence rate, in units of the peer's own, >= 1."""
    s: float = 1.05
    """Growth of the equivalent gradient per round, against ever smaller changes, > 0."""
    scale: float = 1.0
    """Factor on the equivalent gradient, not 0. 1: the paper's; negative: the sign of a descent."""
    samples_per_class: int = 10
    """Dummy samples of each class, >= 1. The paper: 10, and 5 on CIFAR-10."""
    steps: int = 50
    """Of the inversion, >= 1. 100 for convolutional networks."""
    step_size: float = 0.1
    """Adam's learning rate for the inversion, > 0."""
    ref: Literal["sender", "receiver"] = "sender"
    """Whose start stands for th_k. sender: its own, which travels beside the model and doubles the
    bytes. receiver: the receiver's, which cannot be lied about and is not the true one; then each
    receiver inverts each model itself."""
    without: Literal["model_domain", "data_domain", "trust"] | None = None
    """An ablation: alpha = 0; W = 0; or the nearer group instead of the more trusted. alpha and c1
    are to be found anew for each, as auto does."""
    whole_batches: bool = False
    """Whether a pass over the data has ceil(|D| / B) steps instead of |D| / B."""
    q_mean: bool = False
    """Whether q is the mean of the distances to the group instead of their sum."""
    weights: Literal["equal", "metropolis"] = "equal"
    """In the merge: all alike, or the graph's, renormalised over the group."""
    keep_self: bool = False
    """Whether the own model is merged where it is not in the group."""
    single: Literal["keep", "if_trusted"] = "keep"
    """A single neighbour cannot be judged by distances: keep it, or only if S > 0."""
    kind: Literal["dfl_dual"] = "dfl_dual"

    def __post_init__(self) -> None:
        at_least_one = {
            "settle": self.settle,
            "samples_per_class": self.samples_per_class,
            "steps": self.steps,
        }
        above_zero = {"s": self.s, "step_size": self.step_size}
        if self.c1 != "auto":
            above_zero["c1"] = self.c1
        for name, number in above_zero.items():
            if not (isfinite(number) and number > 0):
                raise ValueError(f"{name} must be finite and > 0, got {number}")
        for name, number in at_least_one.items():
            if number < 1:
                raise ValueError(f"{name} must be >= 1, got {number}")
        if self.alpha != "auto" and not (isfinite(self.alpha) and self.alpha >= 0):
            raise ValueError(f"alpha must be finite and >= 0, or auto, got {self.alpha}")
        if not (isfinite(self.c2) and self.c2 >= 1):
            raise ValueError(f"c2 must be finite and >= 1, got {self.c2}")
        if not (isfinite(self.scale) and self.scale != 0):
            raise ValueError(f"scale must be finite and not 0, got {self.scale}")

    # ------------------------------------------------------------ how it talks

    @property
    def companion(self) -> bool:
        """The sender's start, for the inversion."""
        return self.prepares

    @property
    def prepares(self) -> bool:
        """Inverted once a message, unless each receiver takes its own start."""
        return self.ref == "sender" and self.without != "data_domain"

    def trusting(self) -> RuleDefense:
        """The plain mean of all that came and the own model."""
        return RuleDefense(rule=Mean())

    def effort(self, messages: int, own_samples: int, inputs: InputSpec) -> float:
        """The inversions of what came and of the own model; the rest is small beside them."""
        if messages == 0 or self.without == "data_domain":
            return 0.0
        dummies = self.samples_per_class * inputs.classes
        return float(_PASSES * self.steps * dummies * (messages + 1))

    def prepare(
        self, updates: Sequence[Update], model: FunctionalModel, inputs: InputSpec
    ) -> list[Artifact]:
        """The dummy samples of each message, in one call; none where it claims what cannot be."""
        return self._inversion.of_messages(updates, model, inputs)

    # ------------------------------------------------------------ how it merges

    def init(self, d: int) -> Scales:
        """What is given of alpha and c1."""
        return self._given

    def merge(self, view: Neighbourhood, state: Scales) -> tuple[Merge, Scales]:
        """The mean of the chosen group; neighbours outside it are flagged.

        Alone, the peer keeps its model. Models whose inversion failed are at data distance c1 from
        all others. Staleness is ignored; a late message was inverted with its own round's s^t.

        Details: ``norm`` of the row; E, W and D to the own model as ``model_distance``,
        ``data_distance`` and ``distance``; ``trust`` S; q as ``nearby``, over ``nearby_size``
        peers; r as ``divergence``; whether it is in the ``lower`` group and ``chosen``; how far
        from its aim the inversion ended, as ``misfit``. Notes: ``alpha``, ``c1``, the size of the
        group, and whether the peer itself is in it.

        Cost:
            Time O(n^2 (p + w)) for n = m + 1 models and w numbers in a set of dummy samples,
            beside the inversions.
        """
        if not view.senders:
            none = view.own.new_zeros(0)
            return Merge(model=view.own.clone(), influence=none, flagged=()), state
        p = view.model.layout.p
        models = torch.cat([view.own[None, :p], view.received[:, :p]])
        prepared = self._prepared(view)
        if self.without == "data_domain":
            data = np.zeros((len(models), len(models)))
        else:
            data = data_distances(prepared, view.inputs.classes)
        known, state = domains(models, data, self._given, state, self.settle)
        trust = None if self.without == "trust" else known.trust
        groups = grouped(known.both, trust, self.c2, self.q_mean)
        chosen = groups.chosen.copy()
        if len(models) == 2 and self.single == "if_trusted":
            chosen[:] = (True, known.trust[1] > 0)
        chosen[0] |= self.keep_self
        shares = self._shares(view, chosen)
        merge = Merge(
            model=weighted_sum([view.own, *view.received], shares),
            influence=view.own.new_tensor(shares[1:]),
            flagged=tuple(k for k, kept in zip(view.senders, chosen[1:], strict=True) if not kept),
            notes={
                "alpha": known.alpha,
                "c1": known.c1,
                "group": float(chosen.sum()),
                "kept_self": float(chosen[0]),
            },
            details=_details(norms(models).cpu().numpy(), known, groups, chosen, prepared),
        )
        return merge, state

    @property
    def _given(self) -> Scales:
        alpha = None if self.alpha == "auto" else self.alpha
        if self.without == "model_domain":
            alpha = 0.0
        elif self.without == "data_domain" and alpha is None:
            alpha = 1.0  # its unit does not matter
        return Scales(alpha=alpha, c1=None if self.c1 == "auto" else self.c1)

    @property
    def _inversion(self) -> Inversion:
        return Inversion(
            scale=self.scale,
            s=self.s,
            whole_batches=self.whole_batches,
            samples_per_class=self.samples_per_class,
            steps=self.steps,
            step_size=self.step_size,
        )

    def _prepared(self, view: Neighbourhood) -> list[Artifact]:
        """The dummy samples of all models, the own first."""
        if self.prepares and view.prepared:
            return [view.own_prepared, *view.prepared]
        if self.ref == "sender" or self.without == "data_domain":
            return [{} for _ in range(len(view.senders) + 1)]
        claims = zip(view.staleness, view.samples, view.meta, strict=True)
        inversion = self._inversion
        factors = [
            inversion.factor(view.round, view.own_samples, view.own_meta),
            *(inversion.factor(view.round - late, n, meta) for late, n, meta in claims),
        ]
        models = torch.cat([view.own[None], view.received])
        starts = view.start.expand(len(models), -1)
        return inversion.dummies(models, starts, factors, view.model, view.inputs)

    def _shares(self, view: Neighbourhood, chosen: BoolArray) -> list[float]:
        """Of the own and each received model in the next; 0 outside the group."""
        weights = [1.0] * len(chosen)
        if self.weights == "metropolis":
            weights = [1 - fsum(view.mixing), *view.mixing]
        kept = [w if inside else 0.0 for w, inside in zip(weights, chosen, strict=True)]
        return [w / fsum(kept) for w in kept]


def _details(
    lengths: FloatArray,
    known: Domains,
    groups: Grouping,
    chosen: BoolArray,
    prepared: Sequence[Artifact],
) -> dict[str, list[float]]:
    numbers = {
        "norm": lengths,
        "model_distance": known.models[0],
        "data_distance": known.data[0],
        "distance": known.both[0],
        "trust": known.trust,
        "nearby": groups.nearby,
        "nearby_size": groups.sizes,
        "divergence": groups.divergence,
        "lower": groups.lower,
        "chosen": chosen,
        "misfit": np.array([float(made[MISFIT][0]) if made else np.nan for made in prepared]),
    }
    return {name: [float(number) for number in of[1:]] for name, of in numbers.items()}
