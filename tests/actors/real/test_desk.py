"""One thread computes for all: in order, prepared where it is asked for, errors and all."""

import asyncio
import threading

import pytest

from actors.executor import Task
from actors.real.desk import Desk
from p2pfl.errors import RunError


class FakeHost:
    def __init__(self, log):
        self.log = log
        log.append(("made", threading.current_thread().name))

    def run(self, peer, task, inputs):
        self.log.append((task.kind, peer, tuple(inputs), threading.current_thread().name))
        if task.kind == "conclude":
            raise RunError("boom")
        return (*(f"{task.kind} {each}" for each in inputs[: task.outputs]), None)


@pytest.fixture
def desk():
    log, held = [], []

    class Slots:
        def __enter__(self):
            held.append(len(log))

        def __exit__(self, *error):
            held.append(len(log))

    made = Desk(lambda: FakeHost(log), Slots())
    made.log, made.held = log, held
    made.open()
    yield made
    made.close()


@pytest.mark.asyncio
async def test_tasks_are_run_in_their_order_in_one_thread(desk):
    tasks = [desk.run(peer, Task("train", peer), ()) for peer in range(3)]
    await asyncio.gather(*tasks)
    ((_, thread),) = desk.log[:1]
    assert thread != threading.current_thread().name
    assert desk.log[1:] == [("train", peer, (), thread) for peer in range(3)]
    assert desk.held == [1, 2, 2, 3, 3, 4]  # a slot is held around each


@pytest.mark.asyncio
async def test_messages_are_prepared_before_they_are_merged(desk):
    merge = Task("merge", 1, senders=(4, 5), claimed=(1, 1))
    await desk.run(0, merge, ["a", "b", "own"], prepares=True)
    prepare, merged = desk.log[1:]
    assert prepare[:3] == ("prepare", 0, ("a", "b", "own"))
    assert merged[2] == ("a", "b", "prepare a", "prepare b", "prepare own")


@pytest.mark.asyncio
async def test_an_error_comes_to_who_asked(desk):
    with pytest.raises(RunError, match="boom"):
        await desk.run(0, Task("conclude", 1), ())
    assert await desk.run(0, Task("train", 1), ()) == (None,)
