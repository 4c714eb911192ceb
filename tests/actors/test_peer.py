"""The executor on Ray against the one in this process, and what happens when something breaks."""

import os
import signal
from dataclasses import replace

import networkx as nx
import numpy as np
import pytest
import ray

from actors.engine import Engine
from actors.executor import Task
from actors.host import Evaluated
from actors.inline import InlineExecutor
from actors.lost import Lost
from actors.protocols.adversary import RoundsAdversary
from actors.protocols.hostility import Hostility
from actors.protocols.rounds import Rounds, RoundsPeer
from actors.specs import Arrays, Coalition, HostSpec, PeerSpec
from graphs.links import Constant, Links, Network
from p2pfl.attacks import SignFlip
from p2pfl.defenses import GossipAverage
from p2pfl.errors import PeerLost, RunError
from p2pfl.learner.conduct import Conduct
from p2pfl.learner.training import Training
from p2pfl.models import Logistic, initial_vector

pytestmark = pytest.mark.ray

SHAPE, CLASSES, PEERS = (1, 4, 4), 3, range(4)
ADVERSARY = 3
GROUPS = ((0, 1), (2, 3))

# What a user might have beside the scenario file; Ray's processes find it there.
MODULE = """
import os
import signal
from dataclasses import dataclass
from pathlib import Path

from p2pfl.attacks.base import Honest
from p2pfl.defenses import GossipAverage
from p2pfl.defenses.base import PeerDefense
from p2pfl.types import Merge


@dataclass(frozen=True, slots=True, kw_only=True)
class Waits(PeerDefense):
    '''Merges nothing, and that only when somebody writes to the pipe.'''

    pipe: str

    def init(self, d):
        if not self.pipe:
            raise LookupError("no pipe was named")

    def merge(self, view, state):
        Path(self.pipe).read_text()
        return Merge(model=view.own, influence=view.own.new_zeros(len(view.senders))), state


@dataclass(frozen=True, slots=True, kw_only=True)
class DiesOnce(GossipAverage):
    '''Whoever is made first ends its process.'''

    note: str

    def init(self, d):
        if not Path(self.note).exists():
            Path(self.note).touch()
            os.kill(os.getpid(), signal.SIGKILL)
        return GossipAverage.init(self, d)


@dataclass(frozen=True, slots=True, kw_only=True)
class Raises(Honest):
    '''Cannot craft.'''

    knowledge = "local"

    def craft(self, view, state, rng):
        raise LookupError("nothing to craft from")
"""


@pytest.fixture(scope="module")
def arrays():
    rng = np.random.default_rng(1)
    return Arrays(
        inputs=rng.normal(size=(40, *SHAPE)).astype(np.float32),
        labels=rng.integers(0, CLASSES, 40),
        test_inputs=rng.normal(size=(10, *SHAPE)).astype(np.float32),
        test_labels=rng.integers(0, CLASSES, 10),
    )


@pytest.fixture(scope="module")
def peers():
    others = {peer: [other for other in PEERS if other != peer] for peer in PEERS}
    return [
        PeerSpec(
            peer=peer,
            samples=np.arange(10 * peer, 10 * peer + 10),
            mixing=dict.fromkeys(others[peer], 0.25),
            targets=tuple(others[peer]),
            coalition=0 if peer == ADVERSARY else None,
        )
        for peer in PEERS
    ]


def coalition(attack):
    return Coalition(attack=attack, conduct=Conduct(), members=(ADVERSARY,), everyone=(ADVERSARY,))


@pytest.fixture(scope="module")
def spec():
    return HostSpec(
        model=Logistic(),
        shape=SHAPE,
        classes=CLASSES,
        initial=initial_vector(Logistic(), SHAPE, CLASSES, 1).numpy(),
        training=Training(batch_size=4, momentum=0.9),
        rounds=3,
        keeps_prepared=(),
        evaluate_samples=None,
        defense=GossipAverage(),
        coalitions=(coalition(SignFlip(scale=4.0)),),
        on_shortfall="keep_own",
        poisoned_classes=None,
        seed=1,
        attack_seed=1,
        device="cpu",
    )


@pytest.fixture
def users(tmp_path, monkeypatch):
    """A user's module, as the driver has imported it; its folder is ``tmp_path``."""
    name = f"users_{os.getpid()}_{tmp_path.name}"
    (tmp_path / f"{name}.py").write_text(MODULE)
    monkeypatch.syspath_prepend(tmp_path)
    return __import__(name)


@pytest.fixture
def on_ray(ray_session, peers, arrays):
    """Makes executors, and closes them."""
    from actors.peer import RayExecutor

    made = []

    def make(spec, groups=GROUPS, **options):
        made.append(RayExecutor(spec, peers, arrays, groups, **options))
        return made[-1]

    yield make
    for executor in made:
        executor.close()
        executor.close()  # harmless


def train(executor, peer, round_=1):
    return executor.submit(peer, Task("train", round_, outputs=1), ())


def merge(executor, peer, sender, handle, round_=1):
    return executor.submit(peer, Task("merge", round_, (sender,), (round_,)), [handle])


class Tape:
    """Keeps the summaries of a run, in their order."""

    def __init__(self):
        self.summaries = []

    def note(self, now_ns, peer, event, round_, data):
        pass

    def merged(self, now_ns, peer, round_, summary):
        self.summaries.append(summary)

    def evaluated(self, now_ns, peer, round_, outcome, sent_bytes):
        self.summaries.append(outcome.summary)


def experiment(executor, peers):
    """Three rounds on a complete graph with one adversary: all summaries, and the models."""
    tape = Tape()
    machines = [
        RoundsAdversary(
            Hostility(me=p.peer, members=(ADVERSARY,)),
            p.targets,
            p.targets,
            3,
            Rounds(),
            watches=PEERS,
        )
        if p.adversary
        else RoundsPeer(p.targets, p.targets, 3, Rounds())
        for p in peers
    ]
    Engine(
        machines,
        Links(nx.complete_graph(4), Network(latency=Constant(ms=10), drop=0.1), seed=1),
        executor,
        tape,
        edges=[(p.peer, target) for p in peers for target in p.targets],
        work_ns=lambda peer, work: [3, 1, 4, 1][peer] if work.kind == "train" else 0,
        message_bytes=[100] * 4,
        outputs=[1] * 4,
        watchers={peer: [ADVERSARY] for peer in PEERS if peer != ADVERSARY},
    ).run()
    digests = [executor.submit(peer, Task("digest", 3), ()).summary for peer in PEERS]
    results = executor.fetch([*tape.summaries, *digests])
    return [r.evaluation if isinstance(r, Evaluated) else r for r in results]


def test_results_equal_those_of_this_process_to_the_byte(on_ray, spec, peers, arrays):
    inline = InlineExecutor(spec, peers, arrays)
    expected = experiment(inline, peers)
    assert len(expected) == 2 * 3 * 4 + 4
    for groups in (GROUPS, (tuple(PEERS),)):
        executor = on_ray(spec, groups)
        assert experiment(executor, peers) == expected
        assert executor.waits == inline.waits == 0
        assert executor.most_in_flight <= 8 * len(groups)


def test_work_in_flight_is_bounded(on_ray, spec, users, tmp_path):
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    asked = []

    def stopping():
        # Asked while it waits for room, of which there is none before the merge is let go.
        if not asked:
            pipe.write_text("go on")
        asked.append(executor.most_in_flight)
        return False

    executor = on_ray(
        replace(spec, defense=users.Waits(pipe=str(pipe))),
        [tuple(PEERS)],
        folders=[tmp_path],
        stopping=stopping,
    )
    executor.submit(0, Task("merge", 1), ())
    handles = [executor.submit(1, Task("evaluate", 1), ()).summary for _ in range(7)]
    assert asked == []
    assert executor.most_in_flight == 8
    handles += [executor.submit(1, Task("evaluate", 1), ()).summary for _ in range(40)]
    assert asked
    assert len(executor.fetch(handles)) == 47
    assert executor.most_in_flight == 8


def test_one_that_is_told_to_stop_does_not_wait_for_room(on_ray, spec, users, tmp_path):
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    executor = on_ray(
        replace(spec, defense=users.Waits(pipe=str(pipe))),
        [tuple(PEERS)],
        folders=[tmp_path],
        stopping=lambda: True,
    )
    executor.submit(0, Task("merge", 1), ())
    handles = [executor.submit(1, Task("evaluate", 1), ()).summary for _ in range(9)]
    assert executor.resolved(handles, 0.0) == 0


def test_what_is_there_is_counted_from_the_front(on_ray, spec, users, tmp_path):
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    executor = on_ray(
        replace(spec, defense=users.Waits(pipe=str(pipe))), GROUPS, folders=[tmp_path]
    )
    here = train(executor, 2).summary
    there = executor.submit(0, Task("merge", 1), ()).summary
    executor.fetch([here])
    assert executor.resolved([here, there], 0.0) == 1
    assert executor.resolved([there, here], 0.0) == 0
    pipe.write_text("go on")
    executor.fetch([there])
    assert executor.resolved([there, here], 0.0) == 2


def test_a_peer_whose_code_raises_is_named_with_its_task(on_ray, spec, users, tmp_path):
    executor = on_ray(replace(spec, coalitions=(coalition(users.Raises()),)), folders=[tmp_path])
    crafted = executor.submit(
        ADVERSARY, Task("craft", 1, (ADVERSARY,), (1,), outputs=1), train(executor, 3).updates
    )
    message = (
        r"^peer 3 failed in craft of round 1: LookupError: nothing to craft from "
        r"\(\w+\.py, line \d+, in craft\)$"
    )
    with pytest.raises(RunError, match=message):
        executor.fetch([crafted.summary])
    # Who was to merge it says the same, and both actors go on.
    merged = merge(executor, 0, ADVERSARY, crafted.updates[0])
    with pytest.raises(RunError, match=message):
        executor.fetch([merged.summary])
    executor.fetch([train(executor, 0).summary, train(executor, 3).summary])


def test_a_process_that_died_gives_nothing_any_more_and_nobody_waits_for_it(on_ray, spec):
    executor = on_ray(spec)
    before = train(executor, 2)
    executor.fetch([before.summary])
    os.kill(executor.pids[1], signal.SIGKILL)
    after = train(executor, 2, 2)
    assert executor.fetch([after.summary, *after.updates]) == [Lost(), Lost()]
    # To who merges it its message is missing, and was not refused.
    [decision] = executor.fetch([merge(executor, 0, 2, after.updates[0]).summary])
    assert (decision.senders, decision.rejected, decision.missing) == ((), (), (2,))
    # What it had made before does not go with it.
    [decision] = executor.fetch([merge(executor, 0, 2, before.updates[0]).summary])
    assert (decision.senders, decision.missing) == ((2,), ())
    # All else that is asked of it is lost too, of the other peer there as well.
    several = executor.submit(3, Task("prepare", 2, outputs=2), [before.updates[0]] * 2)
    evaluated = executor.submit(3, Task("evaluate", 2), ()).summary
    assert executor.fetch([*several.updates, several.summary, evaluated]) == [Lost()] * 4


def test_a_task_that_comes_twice_does_not_run_twice(on_ray, spec):
    executor = on_ray(spec, [tuple(PEERS)])
    executor.fetch([train(executor, 0).summary])
    executor._submitted[0] -= 1  # as if Ray had sent it once more
    with pytest.raises(RunError, match="task 1 of an actor came behind its task 1"):
        executor.fetch([train(executor, 0).summary])


def test_an_actor_that_is_ended_for_good_is_named(on_ray, spec):
    executor = on_ray(spec)
    ray.kill(executor._actors[1])
    lost = r"^peers 2 to 3: the actor's process is gone"
    after = train(executor, 2)
    with pytest.raises(PeerLost, match=lost):
        executor.fetch([after.summary])
    with pytest.raises(PeerLost, match=lost):
        executor.fetch([merge(executor, 0, 2, after.updates[0]).summary])
    # All that is asked of it from now on fails at once, and counts as there.
    assert executor.resolved([train(executor, 3).summary], 60.0) == 1


@pytest.mark.parametrize("silent", [False, pytest.param(True, marks=pytest.mark.whole)])
def test_a_process_that_dies_while_it_starts_is_replaced(on_ray, spec, users, tmp_path, silent):
    note = tmp_path / "died"
    dying = replace(spec, defense=users.DiesOnce(note=str(note)))
    executor = on_ray(dying, folders=[tmp_path], silent=silent)
    assert note.exists()
    assert len(set(executor.pids)) == len(GROUPS)
    [decision] = executor.fetch([merge(executor, 0, 2, train(executor, 2).updates[0]).summary])
    assert decision.senders == (2,)


def test_an_actor_that_cannot_start_says_why(on_ray, spec, users, tmp_path):
    broken = replace(spec, defense=users.Waits(pipe=""))
    with pytest.raises(RunError, match="no pipe was named"):
        on_ray(broken, [tuple(PEERS)], folders=[tmp_path])
