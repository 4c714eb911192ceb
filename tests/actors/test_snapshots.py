"""Snapshots on the disk: whole or not there, and what was torn or edited is noticed."""

import os

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from actors.encoding import Codec
from actors.snapshots import Shelf, Snapshots


def parts(number):
    run, _ = Codec().encode({"number": number, "vector": np.arange(5, dtype=np.float32)})
    peer, _ = Codec().encode([np.full((2, 3), number), np.float32(number), ()])
    return {"run": run, "peer0": peer}


@pytest.fixture
def shelf(tmp_path):
    return Shelf(tmp_path / "snapshots")


def names(shelf):
    return sorted(path.name for path in shelf.folder.iterdir())


def test_what_was_stored_comes_back(shelf):
    assert shelf.newest() == (None, {})
    assert not shelf.folder.exists()
    path = shelf.store({"virtual_ns": 7}, parts(1))
    assert path.parent == shelf.folder
    assert path.name.startswith("000001-")
    snapshot, damaged = shelf.newest()
    assert damaged == {}
    assert (snapshot.number, snapshot.about) == (1, {"virtual_ns": 7})
    assert list(snapshot.parts) == ["run", "peer0"]
    back = Codec().decode(snapshot.parts["run"])
    assert back["vector"].tolist() == [0, 1, 2, 3, 4]
    square, scalar, nothing = Codec().decode(snapshot.parts["peer0"])
    assert (square.tolist(), type(scalar), nothing) == ([[1] * 3] * 2, np.float32, ())


def test_many_arrays_come_back_in_their_order(shelf):
    many = [np.array(k) for k in range(25)]
    shelf.store({}, {"run": Codec().encode(many)[0]})
    snapshot, _ = shelf.newest()
    assert Codec().decode(snapshot.parts["run"]) == list(range(25))


def test_the_last_two_are_kept_and_numbers_never_come_twice(shelf):
    for number in range(1, 6):
        shelf.store({}, parts(number))
        assert len(names(shelf)) == min(number, 2)
    assert [name[:6] for name in names(shelf)] == ["000004", "000005"]
    snapshot, _ = Shelf(shelf.folder).newest()
    assert snapshot.number == 5


def test_what_a_killed_writer_left_is_removed(shelf):
    shelf.store({}, parts(1))
    (shelf.folder / "000002.part").write_bytes(b"half of it")
    assert shelf.newest()[0].number == 1
    shelf.store({}, parts(2))
    assert [name[:6] for name in names(shelf)] == ["000001", "000002"]


def test_a_write_that_fails_leaves_the_ones_before_and_nothing_else(shelf, monkeypatch):
    shelf.store({}, parts(1))
    before = names(shelf)

    def full(number):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match="No space"):
        shelf.store({}, parts(2))
    assert names(shelf) == before


def test_it_is_on_the_disk_before_it_has_its_name(shelf, monkeypatch):
    shelf.folder.mkdir()
    seen, sync = [], os.fsync

    def watch(number):
        seen.append([name for name in names(shelf) if not os.path.isdir(shelf.folder / name)])
        sync(number)

    monkeypatch.setattr(os, "fsync", watch)
    path = shelf.store({}, parts(1))
    assert seen == [["000001.part"], [path.name]]  # the file, then the folder


def test_a_cleared_shelf_is_gone(shelf):
    shelf.clear()
    shelf.store({}, parts(1))
    (shelf.folder / "000009.part").touch()
    shelf.clear()
    assert not shelf.folder.exists()


def test_what_is_not_ours_is_left_alone(shelf):
    shelf.store({}, parts(1))
    (shelf.folder / "mine.npz").write_bytes(b"mine")
    assert shelf.newest()[0].number == 1
    shelf.clear()
    assert names(shelf) == ["mine.npz"]


@pytest.fixture(scope="module")
def two(tmp_path_factory):
    """A shelf with two, the newer one's path, and its bytes."""
    shelf = Shelf(tmp_path_factory.mktemp("two") / "snapshots")
    shelf.store({}, parts(1))
    path = shelf.store({}, parts(2))
    return shelf, path, path.read_bytes()


def expect_the_one_before(shelf, path, content):
    path.write_bytes(content)
    snapshot, damaged = shelf.newest()
    assert snapshot.number == 1
    assert list(damaged) == [path]
    assert "match" in damaged[path]


@given(data=st.data())
def test_one_that_is_torn_anywhere_is_noticed(two, data):
    *_, whole = two
    expect_the_one_before(*two[:2], whole[: data.draw(st.integers(0, len(whole) - 1))])


@given(data=st.data())
def test_one_changed_bit_is_noticed(two, data):
    *_, whole = two
    place, bit = data.draw(st.integers(0, len(whole) - 1)), data.draw(st.integers(0, 7))
    changed = bytearray(whole)
    changed[place] ^= 1 << bit
    expect_the_one_before(*two[:2], bytes(changed))


def test_of_two_damaged_ones_none_is_left(two):
    shelf, path, whole = two
    path.write_bytes(whole)
    older = min(shelf.folder.iterdir())
    kept = older.read_bytes()
    try:
        for one in (path, older):
            one.write_bytes(one.read_bytes()[:-1])
        snapshot, damaged = shelf.newest()
        assert snapshot is None
        assert list(damaged) == [path, older]
    finally:
        older.write_bytes(kept)


def test_one_that_fits_not_is_passed_over(two):
    shelf, path, whole = two
    path.write_bytes(whole)
    snapshot, damaged = shelf.newest(lambda one: "is too new" if one.number == 2 else None)
    assert snapshot.number == 1
    assert damaged == {path: "is too new"}


def test_objects_are_not_read_even_if_the_digest_is_right(shelf, tmp_path):
    from hashlib import sha256

    class Echo:
        def __reduce__(self):
            return (print, ("was run",))

    shelf.folder.mkdir()
    made = tmp_path / "made.npz"
    np.savez(made, about=np.array([Echo()], dtype=object))
    content = made.read_bytes()
    (shelf.folder / f"000001-{sha256(content).hexdigest()}.npz").write_bytes(content)
    snapshot, damaged = shelf.newest()
    assert snapshot is None
    assert "allow_pickle" in next(iter(damaged.values()))


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({}, "every_rounds or every_s must be given"),
        ({"every_rounds": 0}, "every_rounds counts rounds"),
        ({"every_s": 0.0}, "every_s must be a finite number > 0"),
        ({"every_s": float("nan")}, "every_s"),
        ({"every_s": float("inf"), "every_rounds": 3}, "every_s"),
    ],
    ids=str,
)
def test_settings_that_cannot_be(settings, said):
    with pytest.raises(ValueError, match=said):
        Snapshots(**settings)
