"""What goes between the nodes of a cluster, counted."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from actors import travel
from actors.travel import Travel, shares


def test_a_message_goes_to_a_node_once():
    went = Travel(["a", "a", "b", "b"])
    went.made(0, [b"x", b"y"])
    went.needed(1, [b"x", b"y"])  # on its own node
    assert went.counts.total() == 0
    went.needed(2, [b"x"])
    went.needed(3, [b"x"])  # it is there
    assert went.counts == {("a", "b"): 1}
    went.made(2, [b"z"])
    went.needed(0, [b"z", b"from a snapshot"])
    assert went.counts == {("a", "b"): 1, ("b", "a"): 1}
    assert went.remarks() == ["actors by node: 2, 2; messages between nodes: 2"]


def test_on_one_node_nothing_is_counted():
    went = Travel(["a", "a"])
    went.made(0, [b"x"])
    went.needed(1, [b"x"])
    assert not went.counts
    assert went.remarks() == []


def test_what_is_old_is_forgotten(monkeypatch):
    monkeypatch.setattr(travel, "MOST_REMEMBERED", 2)
    went = Travel(["a", "b"])
    went.made(0, [b"1", b"2", b"3"])
    went.needed(1, [b"1", b"2", b"3"])
    assert went.counts.total() == 2


@given(
    st.dictionaries(st.text(max_size=3), st.integers(0, 64), min_size=1, max_size=8),
    st.integers(1, 200),
)
def test_every_actor_has_a_node_and_nodes_have_a_fair_share(nodes, actors):
    placed = shares(nodes, actors)
    assert len(placed) == actors
    assert placed == sorted(placed, key=list(nodes).index)
    if total := sum(nodes.values()):
        for node, size in nodes.items():
            assert placed.count(node) == pytest.approx(actors * size / total, abs=1)
