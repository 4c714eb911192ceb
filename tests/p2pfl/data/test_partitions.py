"""Roles and places: who gets which part."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from p2pfl.data.class_splits import ClassesPerPeer, Explicit, LabelGroups
from p2pfl.data.partitions import partition
from p2pfl.data.splits import Dirichlet, Iid, Quantity
from p2pfl.errors import DataError

LABELS = np.repeat(np.arange(10), 60)
VARIANTS = [
    Iid(),
    Dirichlet(alpha=0.5, min_samples=2),
    Quantity(alpha=1.0),
    LabelGroups(p=0.7),
    ClassesPerPeer(k=4),
]


def deal(variant, *, labels=LABELS, peers=8, adversaries=(1, 6), seed=1, **rest):
    return partition(
        labels,
        peers=peers,
        classes=10,
        adversaries=frozenset(adversaries),
        variant=variant,
        seed=seed,
        **rest,
    )


def lists(parts):
    return [part.tolist() for part in parts]


@given(
    st.sampled_from(VARIANTS),
    st.sampled_from(["own", "all_classes", "shared"]),
    st.sets(st.integers(0, 7), max_size=5),
    st.integers(0, 2**32),
    st.one_of(st.none(), st.permutations(range(8))),
)
@settings(max_examples=200, deadline=None)
def test_every_sample_is_at_one_peer_and_none_is_empty(variant, data, adversaries, seed, order):
    order = None if order is None else tuple(order)
    parts = deal(variant, adversaries=adversaries, adversary_data=data, seed=seed, order=order)
    assert all(len(part) for part in parts)
    assert all((np.diff(part) > 0).all() for part in parts)
    alone = parts
    if data == "shared":
        alone = [part for peer, part in enumerate(parts) if peer not in adversaries]
        alone += [parts[min(adversaries)]] if adversaries else []
    assert sorted(np.concatenate(alone).tolist()) == list(range(600))


@pytest.mark.parametrize("variant", VARIANTS, ids=lambda v: v.kind)
def test_who_is_an_adversary_moves_nothing_under_own(variant):
    assert lists(deal(variant)) == lists(deal(variant, adversaries=(0, 2, 3)))


@pytest.mark.parametrize("variant", VARIANTS, ids=lambda v: v.kind)
def test_seeds_decide(variant):
    assert lists(deal(variant)) == lists(deal(variant))
    assert lists(deal(variant)) != lists(deal(variant, seed=2))


@pytest.mark.parametrize("data", ["all_classes", "copies", "shared"])
def test_without_adversaries_all_are_one(data):
    variant = Dirichlet(alpha=0.5)
    plain = deal(variant, adversaries=())
    assert lists(deal(variant, adversaries=(), adversary_data=data)) == lists(plain)


def test_all_classes_gives_adversaries_their_share_of_every_class():
    parts = deal(LabelGroups(p=1.0), peers=12, adversaries=(0, 5, 9), adversary_data="all_classes")
    theirs = np.concatenate([parts[peer] for peer in (0, 5, 9)])
    assert np.bincount(LABELS[theirs]).tolist() == [15] * 10  # 3 of 12 peers, of 60 samples a class
    assert [len(parts[peer]) for peer in (0, 5, 9)] == [50, 50, 50]
    benign = [parts[peer] for peer in range(12) if peer not in (0, 5, 9)]
    assert all(len(set(LABELS[part])) <= 2 for part in benign)  # ten groups on nine peers


def test_adversaries_alone_get_everything():
    parts = deal(Iid(), peers=2, adversaries=(0, 1), adversary_data="all_classes")
    assert [len(part) for part in parts] == [300, 300]


def test_copies_leave_benign_peers_all_the_data():
    parts = deal(ClassesPerPeer(k=3), peers=24, adversaries=(2, 8, 20, 23), adversary_data="copies")
    benign = [part for peer, part in enumerate(parts) if peer not in (2, 8, 20, 23)]
    assert sorted(np.concatenate(benign).tolist()) == list(range(600))
    assert all(len(np.unique(LABELS[part])) == 3 for part in benign)
    hostile = [parts[peer] for peer in (2, 8, 20, 23)]
    assert [len(np.unique(part)) for part in hostile] == [600 // 20] * 4
    assert len({tuple(part.tolist()) for part in hostile}) == 4
    assert len(np.unique(LABELS[np.concatenate(hostile)])) == 10


def test_shared_gives_each_adversary_what_all_of_them_have():
    own = deal(Dirichlet(alpha=0.3))
    shared = deal(Dirichlet(alpha=0.3), adversary_data="shared")
    union = sorted([*own[1].tolist(), *own[6].tolist()])
    for peer in range(8):
        assert shared[peer].tolist() == (union if peer in (1, 6) else own[peer].tolist())


def test_along_an_order_mean_labels_rise_and_parts_are_the_same():
    order = (3, 0, 7, 1, 6, 2, 5, 4)
    variant = LabelGroups(p=0.9)
    drawn, placed = deal(variant), deal(variant, order=order)
    means = [LABELS[placed[peer]].mean() for peer in order]
    assert means == sorted(means)
    assert sorted(lists(drawn)) == sorted(lists(placed))
    assert lists(drawn) != lists(placed)


def test_equal_means_keep_the_order_drawn():
    labels = np.zeros(40, np.int64)
    drawn = deal(Iid(), labels=labels, peers=4, adversaries=())
    placed = deal(Iid(), labels=labels, peers=4, adversaries=(), order=(2, 0, 3, 1))
    assert [placed[peer].tolist() for peer in (2, 0, 3, 1)] == lists(drawn)


def test_under_all_classes_only_benign_parts_follow_the_order():
    order = (3, 0, 7, 1, 6, 2, 5, 4)
    variant = LabelGroups(p=0.9)
    drawn = deal(variant, adversary_data="all_classes")
    placed = deal(variant, adversary_data="all_classes", order=order)
    for peer in (1, 6):
        assert placed[peer].tolist() == drawn[peer].tolist()
    means = [LABELS[placed[peer]].mean() for peer in order if peer not in (1, 6)]
    assert means == sorted(means)


def test_shared_is_what_adversaries_hold_in_their_places():
    order = (3, 0, 7, 1, 6, 2, 5, 4)
    own = deal(LabelGroups(p=0.9), order=order)
    shared = deal(LabelGroups(p=0.9), order=order, adversary_data="shared")
    assert shared[1].tolist() == sorted([*own[1].tolist(), *own[6].tolist()])


def test_explicit_with_free_adversaries_and_all_classes():
    variant = Explicit(benign=(0, 1))
    parts = deal(variant, peers=4, adversaries=(3,), adversary_data="all_classes")
    assert np.bincount(LABELS[parts[3]]).tolist() == [15] * 10
    assert {*LABELS[np.concatenate(parts[:3])]} == {0, 1}


@pytest.mark.parametrize("labels", [LABELS[:5], LABELS[:0]])
def test_an_empty_peer_is_named_with_what_would_help(labels):
    with pytest.raises(DataError, match=r"peer \d would get no .* 8 peers share [50] .*Take fewer"):
        deal(Iid(), labels=labels)


@pytest.mark.parametrize("order", [None, tuple(range(8))])
def test_an_empty_part_is_an_error_along_an_order_too(order):
    with pytest.raises(DataError, match="would get no training sample"):
        deal(LabelGroups(p=1.0), labels=np.zeros(600, np.int64), order=order)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"peers": 0, "adversaries": ()}, "peers must be at least 1, got 0"),
        ({"adversaries": (8,)}, r"adversaries must be in 0 \.\. 7, got \[8\]"),
        ({"order": (0, 1, 2)}, "order must name each of the 8 peers once"),
        ({"order": (0, 0, 1, 2, 3, 4, 5, 6)}, "order must name each of the 8 peers once"),
        (
            {"variant": Explicit(benign=(0,), adversary=(1,)), "order": tuple(range(8))},
            "explicit .* takes no order",
        ),
        (
            {
                "variant": Explicit(benign=(0,), adversary=(1,)),
                "adversary_data": "all_classes",
            },
            "leave one out",
        ),
    ],
)
def test_what_contradicts_itself_is_refused(change, message):
    with pytest.raises(ValueError, match=message):
        deal(change.pop("variant", Iid()), **change)
