"""Who trains on what: the partitions, and the deal that takes roles and places into account."""

from typing import Literal, Protocol, TypeAlias

import numpy as np

from p2pfl.data.class_splits import ClassesPerPeer, Explicit, LabelGroups
from p2pfl.data.dataset import IntArray
from p2pfl.data.splits import Deal, Dirichlet, Iid, Quantity
from p2pfl.data.stratify import stratified
from p2pfl.errors import DataError
from p2pfl.seeding import stream

PARTITIONS = (Iid, Dirichlet, LabelGroups, ClassesPerPeer, Quantity, Explicit)

AdversaryData: TypeAlias = Literal["own", "all_classes", "copies", "shared"]


class Partition(Protocol):
    """How samples are dealt to peers. A frozen dataclass whose fields are the hyper-parameters."""

    def split(self, deal: Deal) -> list[IntArray]:
        """One ascending array of indices into the labels per peer, in the order of the peers.

        Every sample is at exactly one peer (``explicit`` may leave classes out). Only ``explicit``
        looks at the adversaries: for all others the parts do not depend on who is one.

        Raises:
            DataError: It does not fit these peers or classes.
        """
        ...


def partition(
    labels: IntArray,
    *,
    peers: int,
    classes: int,
    adversaries: frozenset[int],
    variant: Partition,
    adversary_data: AdversaryData = "own",
    seed: int,
    order: tuple[int, ...] | None = None,
) -> tuple[IntArray, ...]:
    """Deal the training samples to peers 0 .. ``peers`` - 1.

    Args:
        labels: Shape (N,), in ``0 .. classes - 1``.
        peers: Number of peers.
        classes: Number of classes of the data set.
        adversaries: Who among them is an adversary.
        variant: The partition.
        adversary_data: ``own``: adversaries get what the partition gives them. ``all_classes``:
            first, adversaries get their share of the data (their number over ``peers``), each class
            in proportion, dealt out IID; benign peers split the rest by ``variant``. ``copies``:
            benign peers split all data by ``variant``, and each adversary holds as many samples as
            one of them on average, drawn from all. ``shared``: each adversary holds all that the
            adversaries got under ``own``.
        seed: The run's seed.
        order: The peers by their place in the graph: parts are handed out along it by mean label
            (ties by part number), so that neighbours get like labels. Under ``all_classes`` the
            benign peers' parts only. None: as drawn.

    Returns:
        One ascending array of indices into ``labels`` per peer, none empty. Except under
        ``copies`` and ``shared`` none overlap; together they are all samples, unless ``variant``
        leaves out.

    Raises:
        ValueError: ``adversaries`` or ``order`` do not fit ``peers``, or an ``order`` comes with
            ``explicit``, which says itself who holds what.
        DataError: A peer would get nothing, or ``variant`` does not fit.
    """
    _check(peers, adversaries, variant, adversary_data, order)
    rng = stream(seed, "partition")
    everyone = tuple(range(peers))
    place = order or everyone

    def deal(part: IntArray, among: tuple[int, ...], draws: np.random.Generator) -> Deal:
        return Deal(labels=part, peers=among, classes=classes, adversaries=adversaries, rng=draws)

    if adversary_data in ("all_classes", "copies"):
        benign = tuple(peer for peer in everyone if peer not in adversaries)
        theirs = tuple(sorted(adversaries))
        draws = stream(seed, "partition", "adversaries")
        rest = np.arange(len(labels))
        if adversary_data == "copies":
            size = len(labels) // (len(benign) or peers)
            hold = {peer: np.sort(draws.choice(rest, size, replace=False)) for peer in theirs}
        else:
            aside = stratified(labels, round(len(labels) * len(adversaries) / peers), draws)
            shares = Iid().split(deal(labels[aside], theirs, draws)) if theirs else []
            hold = {peer: aside[part] for peer, part in zip(theirs, shares, strict=True)}
            rest = np.setdiff1d(rest, aside)
        if benign:
            parts = variant.split(deal(labels[rest], benign, rng))
            along = tuple(peer for peer in place if peer in benign)
            hold |= _hand_out([rest[part] for part in parts], labels, along, order is not None)
    else:
        parts = variant.split(deal(labels, everyone, rng))
        hold = _hand_out(parts, labels, place, order is not None)
        if adversary_data == "shared" and adversaries:
            union = np.sort(np.concatenate([hold[peer] for peer in adversaries]))
            hold |= dict.fromkeys(adversaries, union)
    for peer in everyone:
        if len(hold[peer]) == 0:
            raise DataError(
                f"peer {peer} would get no training sample: {peers} peers share {len(labels)} "
                f"samples by {type(variant).__name__}. Take fewer peers, more training samples, a "
                "milder skew, or a partition with min_samples"
            )
    return tuple(hold[peer] for peer in everyone)


def _hand_out(
    parts: list[IntArray], labels: IntArray, along: tuple[int, ...], by_skew: bool
) -> dict[int, IntArray]:
    """Parts to peers: in the order drawn, or by mean label."""
    if by_skew:
        parts = sorted(parts, key=lambda part: labels[part].mean() if len(part) else -1.0)
    return dict(zip(along, parts, strict=True))


def _check(
    peers: int,
    adversaries: frozenset[int],
    variant: Partition,
    adversary_data: AdversaryData,
    order: tuple[int, ...] | None,
) -> None:
    if peers < 1:
        raise ValueError(f"peers must be at least 1, got {peers}")
    if not adversaries <= set(range(peers)):
        raise ValueError(f"adversaries must be in 0 .. {peers - 1}, got {sorted(adversaries)}")
    if order is not None and sorted(order) != list(range(peers)):
        raise ValueError(f"order must name each of the {peers} peers once, got {order}")
    if not isinstance(variant, Explicit):
        return
    if order is not None:
        raise DataError("explicit says itself who holds what: it takes no order, assign: random")
    if adversary_data in ("all_classes", "copies") and variant.adversary is not None:
        raise DataError(
            f"explicit names the classes of adversaries, and adversary_data: {adversary_data} "
            "gives them all: leave one out"
        )
