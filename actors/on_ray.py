"""What all executors on Ray need: to start it, a place for each actor, and what went wrong."""

import logging
import os
import secrets
import signal
import threading
from collections.abc import Mapping, Sequence
from typing import Any, Literal, NamedTuple

import ray
from ray.exceptions import (
    GetTimeoutError,
    ObjectLostError,
    OutOfMemoryError,
    RayActorError,
    RayError,
    RayTaskError,
)
from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

from actors.resources import gpu_share
from actors.travel import shares
from p2pfl.errors import PeerLost, RunError

_SETTINGS = {
    "RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO": "0",
    "RAY_USAGE_STATS_ENABLED": "0",
    # What a lost process leaves undone is told once, by the run: not each of its results too.
    "RAY_IGNORE_UNHANDLED_ERRORS": "1",
    # Who replaces a lost process waits so long (by itself for 30 s) for tasks that died with it.
    "RAY_actor_scheduling_queue_max_reorder_wait_seconds": "5",
}


class Place(NamedTuple):
    """Where an actor is to be."""

    node: str
    options: Mapping[str, Any]
    """What it asks Ray for."""


def places(device: str, actors: int, wanted: float | Literal["auto"] = "auto") -> list[Place]:
    """A place for each of so many actors: on a cluster its node, and elsewhere if that is gone.

    They ask for no core: how many compute at once, ``slots.py`` says.

    Args:
        device: On ``cuda`` each gets a share of a GPU.
        actors: How many.
        wanted: That share.

    Raises:
        ResourceError: If there are too few GPUs.
    """
    gpus = 0.0
    if device == "cuda":
        resources = ray.cluster_resources()  # type: ignore[no-untyped-call]
        gpus = gpu_share(actors, int(resources.get("GPU", 0)), wanted)
    nodes = shares(_nodes("GPU" if gpus else "CPU"), actors)
    options: dict[str, Any] = {"num_cpus": 0, "num_gpus": gpus}
    if len(set(nodes)) == 1:
        return [Place(node, options) for node in nodes]
    there = [NodeAffinitySchedulingStrategy(node, soft=True) for node in nodes]
    return [
        Place(node, options | {"scheduling_strategy": strategy})
        for node, strategy in zip(nodes, there, strict=True)
    ]


def _nodes(resource: str) -> dict[str, float]:
    """How much of a resource each living node has, by its id; in the order of their ids."""
    nodes: list[Any] = ray.nodes()  # type: ignore[no-untyped-call]
    alive = [node for node in nodes if node["Alive"]]
    found = {node["NodeID"]: float(node["Resources"].get(resource, 0)) for node in alive}
    return dict(sorted(found.items()))


def name_of_group(group: Sequence[int]) -> str:
    """What messages call the actor of these peers, ascending."""
    if len(group) == 1:
        return f"peer {group[0]}"
    in_a_row = group[-1] - group[0] == len(group) - 1
    return f"peers {f'{group[0]} to {group[-1]}' if in_a_row else ', '.join(map(str, group))}"


def fetch(references: Sequence[Any], names: Mapping[str, str]) -> list[Any]:
    """Get the contents in one call.

    Args:
        references: Ray's.
        names: What messages call each actor, by its id.

    Raises:
        PeerLost: If a process that should have made one is gone.
        RunError: If a task raised, or Ray failed.
    """
    try:
        return list(ray.get(list(references)))
    except RayActorError as error:
        lost = names.get(str(error.actor_id), "a peer")
        # Whose task needed something of a lost actor wraps that actor's error.
        why = error.cause if isinstance(error, RayTaskError) else error
        raise PeerLost(f"{lost}: the actor's process is gone ({_first_line(why)})") from error
    except ObjectLostError as error:  # with its node; may be wrapped as an actor's may
        raise PeerLost(f"what a peer made is lost ({_first_line(error)})") from error
    except RayTaskError as error:
        if isinstance(error.cause, RunError):
            raise RunError(str(error.cause)) from error
        raise RunError(f"an actor failed: {_first_line(error.cause)}") from error
    except OutOfMemoryError as error:
        raise PeerLost(f"out of memory: {_first_line(error)}") from error
    except (RayError, GetTimeoutError) as error:
        raise RunError(f"Ray failed: {_first_line(error)}") from error


def _first_line(error: BaseException) -> str:
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return lines[0] if lines else type(error).__name__


def start_ray() -> None:
    """Start Ray on this machine, or join the cluster that RAY_ADDRESS names.

    No other: Ray by itself would join whatever cluster was last started on this machine, and
    die with it.
    """
    for name, value in _SETTINGS.items():
        os.environ.setdefault(name, value)
    on_terminate = signal.getsignal(signal.SIGTERM)
    cluster = os.environ.get("RAY_ADDRESS")
    if not cluster:
        # Without one, Ray writes one into the home folder: of two runs that start at the same
        # time, one would be left with a token that is none any more.
        os.environ.setdefault("RAY_AUTH_TOKEN", secrets.token_hex())
    ray.init(
        cluster or "local",
        include_dashboard=False,
        log_to_driver=False,
        logging_level=logging.ERROR,
    )
    if threading.current_thread() is threading.main_thread():
        # Ray's own handler leaves on the spot; a run that is told to end writes down what it has.
        signal.signal(signal.SIGTERM, on_terminate)
