"""Named streams: pinned numbers, and that no two lists of names share a stream."""

import pickle

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from p2pfl.seeding import key, stream, torch_seed

seeds = st.integers(-(2**70), 2**70)
names = st.lists(st.integers() | st.text(), max_size=4)


def test_numbers_do_not_change_between_versions():
    """A changed digest would silently change every published result."""
    assert key(1, "train", 0, 3) == 140245209478694602755549142307173968047
    assert stream(1, "train", 0, 3).integers(1000, size=5).tolist() == [303, 935, 881, 531, 654]
    assert torch_seed(1, "model") == 2540081243624980757


@given(seeds, st.text(), names)
@settings(deadline=None)
def test_same_names_give_the_same_stream(seed, purpose, ids):
    again = stream(seed, purpose, *ids).random(3)
    assert (stream(seed, purpose, *ids).random(3) == again).all()


@given(seeds, st.text(), names)
@settings(deadline=None)
def test_a_stream_is_philox_from_its_key(seed, purpose, ids):
    made = stream(seed, purpose, *ids)
    philox = np.random.Generator(np.random.Philox(key=key(seed, purpose, *ids)))
    assert made.random(5).tolist() == philox.random(5).tolist()
    assert made.standard_normal(5).tolist() == philox.standard_normal(5).tolist()
    assert made.integers(9, size=5).tolist() == philox.integers(9, size=5).tolist()


def test_a_stream_goes_on_in_another_process():
    made = stream(1, "train", 0)
    made.random(3)
    copied = pickle.loads(pickle.dumps(made))
    assert copied.random(5).tolist() == made.random(5).tolist()


@given(st.tuples(seeds, st.text(), names), st.tuples(seeds, st.text(), names))
@settings(deadline=None)
def test_other_names_give_another_stream(one, other):
    same = one == other
    assert (key(one[0], one[1], *one[2]) == key(other[0], other[1], *other[2])) is same


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ((1, "train", 1), (1, "train", "1")),
        ((1, "train", 1, 2), (1, "train", 12)),
        ((1, "train", 1, 2), (1, "train", 2, 1)),
        ((1, "train"), (1, "train", 0)),
        ((1, "a', 'b"), (1, "a", "b")),
        ((1, "train"), (-1, "train")),
    ],
)
def test_names_that_look_alike_are_kept_apart(one, other):
    assert key(*one) != key(*other)


def test_the_order_of_asking_does_not_matter():
    first = stream(1, "train", 0).random(4)
    stream(1, "train", 1).random(100)
    np.random.default_rng(0).random(7)
    assert (stream(1, "train", 0).random(4) == first).all()


def test_numpy_integers_and_strings_read_as_pythons():
    plain = key(7, "train", 3, "a")
    assert key(np.int64(7), "train", np.int32(3), "a") == plain
    assert key(7, np.str_("train"), 3, np.str_("a")) == plain


@pytest.mark.parametrize("names", [(1.5, "train"), (1, "train", 2.0), (1, "train", None)])
def test_anything_but_integers_and_strings_is_refused(names):
    with pytest.raises(TypeError):
        key(*names)


@given(seeds, st.text())
@settings(deadline=None)
def test_torch_accepts_its_seed(seed, purpose):
    assert 0 <= torch_seed(seed, purpose) < 2**63
