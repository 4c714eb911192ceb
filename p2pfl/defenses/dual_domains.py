"""DFL-Dual's two domains: how far models are, how far their data, and the scales between the two.

Source
    P. Sun, X. Liu, Z. Wang, B. Liu. "Byzantine-robust Decentralized Federated Learning via
    Dual-domain Clustering and Trust Bootstrapping." CVPR 2024, eq. 6 and 7.

Departs from the paper:
    It does not say what alpha and c1 are. Where they are not given they follow from the distances
    of a peer's first neighbourhoods, so that the model domain weighs some times as much as the data
    domain, whose noise is high: see :func:`measured` and :func:`followed`.
"""

from math import inf
from typing import NamedTuple

import numpy as np
import torch
from jaxtyping import Float, Float64
from torch import Tensor

from p2pfl.defenses.two_medians import FloatArray
from p2pfl.rules.distances import norms, squared_distances

_ALPHA, _C1 = 5.0, 10.0
_COLUMNS_PER_CHUNK = 1 << 12  # of float64: 1 MiB for 32 rows


class Scales(NamedTuple):
    """What is known of alpha and c1: the state of one peer. None is not known yet."""

    alpha: float | None
    c1: float | None
    merges: int = 0
    """How many merges they have followed."""


class Domains(NamedTuple):
    """Of n models, the peer's own first."""

    models: FloatArray
    """(n, n) E."""
    data: FloatArray
    """(n, n) W, with c1 where a model could not be inverted."""
    both: FloatArray
    """(n, n) D = min(W + alpha E, c1)."""
    trust: FloatArray
    """(n,) S."""
    alpha: float
    c1: float


def domains(
    models: Float[Tensor, "n p"], data: FloatArray, given: Scales, known: Scales, settle: int
) -> tuple[Domains, Scales]:
    """All distances, and the scales as they are known from now on.

    Args:
        models: Finite; the peer's own first.
        data: (n, n) W, NaN where a model could not be inverted.
        given: What the scales are, or None where they are to be found.
        known: The scales after the last merge; after none, ``given``.
        settle: How many merges they follow.
    """
    between = squared_distances(models).sqrt().cpu().numpy()
    scales = followed(between, data, given, known, settle)
    # Where nothing tells the scale all are alike, or all at c1: it does not matter.
    alpha = 1.0 if scales.alpha is None else scales.alpha
    c1 = 1.0 if scales.c1 is None else scales.c1
    data = np.where(np.isnan(data), c1, data)
    both = np.minimum(_both(between, data, alpha), c1)
    np.fill_diagonal(both, 0)
    return Domains(between, data, both, cosines(models), alpha, c1), scales


def followed(
    models: FloatArray, data: FloatArray, given: Scales, known: Scales, settle: int
) -> Scales:
    """The scales after a merge: measured anew in the first ``settle`` of them, then kept.

    Merges that tell no scale do not count. In the first round all peers start at the same model,
    and then their dummy samples hardly differ: on MNIST with logistic regression and 6,000 samples
    each the median of W was 13 in the first round without adversaries and 900 to 1,600 in the next
    nine; on Fashion-MNIST with one hidden layer 330, then 1,700 to 2,900. With c1 from that first
    round, later distances of benign peers are all clipped, and six of ten who flip labels win.
    """
    if known.merges >= settle:
        return known
    alpha, c1 = measured(models, data, given)
    return known if alpha is None or c1 is None else Scales(alpha, c1, known.merges + 1)


def measured(
    models: FloatArray, data: FloatArray, given: Scales
) -> tuple[float | None, float | None]:
    """Where not given: alpha = 5 q(W) / q(E), c1 = 10 q(W + alpha E), q the lower quartile of the
    distances from the peer itself to those whom it hears and whose W is known; None where it is 0.

    In a neighbourhood without adversaries this is what the scales should be. Of one with them the
    nearest are benign, as long as a quarter of it is: with six of ten hostile alpha is 0.96 to 1.06
    and c1 1.00 to 1.11 times what the benign alone would give (three models, flipped labels and
    the Krum attack, rounds 1 to 10, the middle one of the four peers). Medians over
    all pairs made alpha a fortieth and c1 the double under the Krum attack on a cnn: then one very
    far model hides two that are far.
    """
    alpha, c1, _ = given
    if alpha is None:
        # Of those that have both.
        far, apart = _near(np.where(np.isnan(data), np.nan, models)), _near(data)
        alpha = _positive(_ALPHA * apart / far) if far > 0 else None
    if c1 is None and alpha is not None:
        c1 = _positive(_C1 * _near(_both(models, data, alpha)))
    return alpha, c1


def _both(models: FloatArray, data: FloatArray, alpha: float) -> FloatArray:
    with np.errstate(over="ignore"):  # of huge models: clipped
        return data + alpha * models


def _positive(number: float) -> float | None:
    return number if 0 < number < inf else None


def _near(distances: FloatArray) -> float:
    """Lower quartile of the own distances; 0 without any."""
    own = distances[0, 1:]
    own = own[~np.isnan(own)]
    return float(np.quantile(own, 0.25, method="lower")) if len(own) else 0.0


def cosines(models: Float[Tensor, "n p"]) -> FloatArray:
    """Of each model with the first, in float64; 0 where either is zero, but 1 with itself."""
    dots = torch.zeros(len(models), dtype=torch.float64, device=models.device)
    for columns in torch.split(models, _COLUMNS_PER_CHUNK, dim=1):
        values = columns.double()
        dots += values @ values[0]
    lengths = norms(models)
    scale = lengths * lengths[0]
    found: Float64[Tensor, " n"] = torch.where(scale > 0, dots / scale, 0).clamp(-1, 1)
    found[0] = 1
    cosine: FloatArray = found.cpu().numpy()
    return cosine
