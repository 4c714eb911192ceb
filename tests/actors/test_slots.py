"""Turns between real processes, which tell over one pipe in which order things happen."""

import os
import subprocess
import sys
import tempfile

import pytest

from actors.slots import Slots

CHILD = """
import os, sys
sys.modules["p2pfl.quick_torch"] = sys  # torch would be most of what a child does
from actors.slots import Slots

name, slots, pipe = sys.argv[1], Slots(int(sys.argv[2])), int(sys.argv[3])

def say(what):
    os.write(pipe, f"{name} {what}\\n".encode())

for line in sys.stdin:
    if line == "enter\\n":
        say("waits")
        slots.__enter__()
        say("is in")
    else:
        say("leaves")
        slots.__exit__(None, None, None)
"""


class Children:
    """Processes that enter and leave when told."""

    def __init__(self, count, folder):
        self.count = count
        self.folder = folder
        self.heard, self.mouth = os.pipe()
        self.told = os.fdopen(self.heard)
        self.processes = {}

    def start(self, *names):
        for name in names:
            self.processes[name] = subprocess.Popen(
                [sys.executable, "-c", CHILD, name, str(self.count), str(self.mouth)],
                stdin=subprocess.PIPE,
                text=True,
                pass_fds=(self.mouth,),
                env={**os.environ, "TMPDIR": str(self.folder)},
            )

    def tell(self, name, what):
        self.processes[name].stdin.write(what + "\n")
        self.processes[name].stdin.flush()

    def hear(self):
        return self.told.readline().strip()

    def enters(self, name):
        self.tell(name, "enter")
        assert self.hear() == f"{name} waits"

    def is_in(self, name):
        self.enters(name)
        assert self.hear() == f"{name} is in"

    def kill(self, name):
        self.processes[name].kill()
        self.processes[name].wait()

    def close(self):
        for process in self.processes.values():
            process.kill()
            process.wait()
            process.stdin.close()
        self.told.close()
        os.close(self.mouth)


@pytest.fixture
def children(tmp_path):
    made = []

    def make(count):
        made.append(Children(count, tmp_path))
        return made[0]

    yield make
    for those in made:
        those.close()


@pytest.fixture
def own(tmp_path, monkeypatch):
    """Slots in this process, on a file of the test's own."""
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    return Slots


def test_the_second_gets_the_slot_when_the_first_leaves(children):
    those = children(1)
    those.start("a", "b")
    those.is_in("a")
    those.enters("b")
    those.tell("a", "leave")
    assert [those.hear(), those.hear()] == ["a leaves", "b is in"]


def test_the_kernel_gives_a_killed_holders_slot_to_the_next(children):
    those = children(1)
    those.start("a", "b")
    those.is_in("a")
    those.enters("b")
    those.kill("a")
    assert those.hear() == "b is in"


def test_one_that_is_killed_while_it_waits_blocks_nobody(children):
    those = children(1)
    those.start("a", "b", "c")
    those.is_in("a")
    those.enters("b")
    those.enters("c")
    those.kill("b")
    those.tell("a", "leave")
    assert [those.hear(), those.hear()] == ["a leaves", "c is in"]


@pytest.mark.parametrize("first", ["a", "b"])
def test_whoever_waits_gets_whichever_slot_is_free_first(children, first):
    those = children(2)
    those.start("a", "b", "c")
    those.is_in("a")
    those.is_in("b")
    those.enters("c")
    those.tell(first, "leave")
    assert [those.hear(), those.hear()] == [f"{first} leaves", "c is in"]


def test_a_process_takes_turn_after_turn(own):
    slots = own(1)
    for _ in range(3):
        with slots:
            pass


def test_an_error_inside_gives_the_slot_back(own, children):
    slots = own(1)
    with pytest.raises(ZeroDivisionError), slots:
        1 / 0
    those = children(1)
    those.start("a")
    those.is_in("a")


def test_nobody_gets_in_while_this_process_is_in(own, children):
    those = children(1)
    those.start("a")
    with own(1):
        those.enters("a")
        os.write(those.mouth, b"still inside\n")
    assert [those.hear(), those.hear()] == ["still inside", "a is in"]
