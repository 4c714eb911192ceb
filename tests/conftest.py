"""What all tests share: one torch thread, and one Ray for the whole session."""

import os
import threading
from collections.abc import Callable, Iterator

import pytest
import torch
from hypothesis import settings

# No test is bounded in wall time: a busy machine is not a mistake.
settings.register_profile("untimed", deadline=None)
settings.load_profile("untimed")


def pytest_make_parametrize_id(val: object, argname: str) -> str | None:
    """Compressed files have the time in them; in two processes a test must have one name."""
    return argname if isinstance(val, bytes) else None


@pytest.hookimpl(tryfirst=True)  # xdist's own, which reads the groups, would come before
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """For several processes: who gets what, and first what takes long, so that none is left alone
    with it at the end.

    Those that share a Ray are for one process; each slow one, or with a Ray of its own, is by
    itself; the rest of a file goes together.
    """

    def turn(item: pytest.Item) -> int:
        if "ray_session" in getattr(item, "fixturenames", ()):
            return 0
        return 1 if {"ray", "slow"} & {mark.name for mark in item.iter_markers()} else 2

    items.sort(key=turn)
    for item in items:
        group = ("ray", item.nodeid, item.nodeid.partition("::")[0])[turn(item)]
        item.add_marker(pytest.mark.xdist_group(group))


@pytest.fixture(autouse=True, scope="session")
def _one_thread() -> None:
    torch.set_num_threads(1)


@pytest.fixture(autouse=True, scope="session")
def _no_precedence() -> None:
    # Ray lets its actors wait for everybody else: here, for all the other tests.
    os.environ["RAY_worker_niceness"] = "0"  # noqa: SIM112 -- so Ray writes it


@pytest.fixture(scope="session")
def until() -> Callable[[Callable[[], object]], None]:
    """Wait for what other processes bring about, and leave them the processor meanwhile.

    It gives up after ten minutes: a guard against a hang, not a bound on their speed.
    """
    never = threading.Event()

    def wait(condition: Callable[[], object]) -> None:
        for _ in range(30_000):
            if condition():
                return
            never.wait(0.02)
        pytest.fail("what was waited for never came")

    return wait


@pytest.fixture(scope="session")
def ray_session() -> Iterator[None]:
    """Ray, started as a run starts it; runs inside then use it and leave it on."""
    import ray

    from actors.on_ray import start_ray

    start_ray()
    yield
    ray.shutdown()
