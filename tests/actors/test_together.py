"""Trainings that wait for one another: when they are computed, and that nothing else moves."""

import pytest

from actors.executor import Task
from actors.together import MOST, Box, Queue


@pytest.fixture
def asked():
    return []


@pytest.fixture
def queue(asked):
    def run(waiting):
        asked.append([(peer, task.round) for peer, task in waiting])
        return [(f"update {peer}", f"loss {peer}") for peer, _ in waiting]

    return Queue(run)


def train(round_=1):
    return Task("train", round_, outputs=1)


def test_they_wait_until_one_is_looked_into(queue, asked):
    outcomes = [queue.add(peer, train()) for peer in (3, 1)]
    assert asked == []
    assert outcomes[1].updates[0].content == "update 1"
    assert asked == [[(3, 1), (1, 1)]]
    assert outcomes[0].summary.content == "loss 3"
    assert len(asked) == 1


def test_another_task_of_the_same_peer_comes_behind(queue, asked):
    queue.add(3, train())
    queue.before(1)
    assert asked == []
    queue.before(3)
    assert asked == [[(3, 1)]]


def test_a_peer_trains_twice_one_after_the_other(queue, asked):
    queue.add(3, train(1))
    second = queue.add(3, train(2))
    assert asked == [[(3, 1)]]
    assert second.summary.content == "loss 3"
    assert asked == [[(3, 1)], [(3, 2)]]


def test_many_are_enough(queue, asked):
    for peer in range(MOST + 1):
        queue.add(peer, train())
    assert [len(each) for each in asked] == [MOST]


def test_what_is_forgotten_is_never_asked_for(queue, asked):
    queue.add(3, train())
    queue.clear()
    queue.before(3)
    assert asked == []


def test_a_box_of_its_own_holds_what_it_was_given():
    assert Box("that").content == "that"
