"""Which processes a run gets, and whether the machine can carry them."""

from dataclasses import dataclass, field
from itertools import pairwise
from typing import Literal

from actors.snapshots import Snapshots
from graphs.cuts import groups
from graphs.types import Graph
from p2pfl.errors import ResourceError

MIB = 1 << 20
PROCESS_BYTES = 170 * MIB
"""Private memory of a process with torch in it, measured (PSS of ten of them)."""
BASE_BYTES = 600 * MIB
"""The driver and Ray's own processes, measured."""
VECTORS_PER_PEER = 8
"""Model, start, momentum, gradient, what is sent, and some of what is in flight."""
LEAST_ACTORS = 10
"""So many clients get an actor each in any case, if the memory allows."""
ACTORS_PER_CORE = 4
"""More processes do not compute faster, and each takes a second or two to start."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Runtime:
    """Where and how the peers compute."""

    executor: Literal["ray", "inline"] = "ray"
    """ray: one actor process per client (or per ``peers_per_actor``); inline: this process."""
    peers_per_actor: int | Literal["auto"] = "auto"
    """How many clients share one Ray actor, >= 1. auto: one actor per client up to 4 actors a core,
    or 10, or what the memory holds; with more clients, they share that many actors evenly."""
    placement: Literal["by_number", "by_graph"] = "by_number"
    """Who shares an actor and, on a cluster, a node: neighbours in number; or groups of peers with
    few edges between them, so that fewer messages leave their process and their node."""
    device: Literal["auto", "cpu", "cuda"] = "auto"
    """auto takes a GPU where there is one."""
    gpus_per_actor: float | Literal["auto"] = "auto"
    """Share of a GPU that an actor is given where runs use one, in (0, 1]. auto: so much that all
    actors find a place. Ray counts with it; nothing keeps an actor from using more."""
    batch: Literal["auto", "on", "off"] = "off"
    """Whether the peers of a process train as one computation: results agree with one by one to
    about 1e-6 and depend on how the peers are packed. auto: where that is faster, on a GPU and, on
    the CPU, for models without convolutions. off: every run gives the same bytes. Not under the
    real clock."""
    deterministic: bool = False
    """Whether a GPU may use those kernels alone that give the same bits each time; what has none
    ends the run and is named. Slower. Otherwise torch's usual kernels, and two runs on a GPU differ
    in their last bits. On the CPU every run can be repeated."""
    clock: Literal["virtual", "real"] = "virtual"
    """virtual: emulated delays cost no wall time, and a run can be repeated bit for bit. real: they
    are slept, peers call one another directly, and no two runs are alike."""
    snapshots: Snapshots | None = field(default_factory=lambda: Snapshots(every_s=60.0))
    """When the run's state is stored, so that a killed run goes on and lost actors are replaced;
    null: never. Under the real clock there are none."""

    def __post_init__(self) -> None:
        if self.peers_per_actor != "auto" and self.peers_per_actor < 1:
            raise ValueError(f"peers_per_actor must be >= 1, or auto, got {self.peers_per_actor}")
        share = self.gpus_per_actor
        if share != "auto" and not 0.0001 <= share <= 1:
            raise ValueError(f"gpus_per_actor must be in [0.0001, 1], or auto, got {share}")


@dataclass(frozen=True, slots=True)
class Plan:
    """The processes of a run."""

    actors: tuple[tuple[int, ...], ...]
    """The peers of each actor; one group for inline."""
    memory_bytes: int
    """What the run is expected to need."""
    available_bytes: int


def plan(
    peers: int,
    vector_bytes: int,
    data_bytes: int,
    runtime: Runtime,
    available_bytes: int,
    server: bool = False,
    cores: int = 1,
    graph: Graph | None = None,
) -> Plan:
    """Pack the peers into actors, evenly: neighbours in number together, or as ``placement`` says.

    A server, whose id is behind the peers', gets an actor of its own. ``cores`` are those of the
    machine, ``graph`` is that of the peers where these are next to one another.

    Raises:
        ResourceError: If the memory does not suffice; it says what would fit.
    """
    on_ray = runtime.executor == "ray"
    # This process's copy and the peers' own samples; Ray's object store has one more.
    shared = 2 * data_bytes + (peers + server) * VECTORS_PER_PEER * vector_bytes
    ray_bytes = BASE_BYTES + data_bytes
    count = 1
    if on_ray and runtime.peers_per_actor == "auto":
        room = (available_bytes - shared - ray_bytes) // PROCESS_BYTES - server
        count = max(1, min(peers, room, max(LEAST_ACTORS, ACTORS_PER_CORE * cores)))
    elif on_ray and runtime.peers_per_actor != "auto":
        count = -(-peers // runtime.peers_per_actor)
    needed = shared + (count + (server and on_ray)) * PROCESS_BYTES + (ray_bytes if on_ray else 0)
    if needed > available_bytes:
        raise ResourceError(
            f"runtime: {peers} peers in {count} process{'es' if count > 1 else ''} need about "
            f"{_mib(needed)} of memory, and {_mib(available_bytes)} are free; "
            f"{_what_fits(peers, shared, ray_bytes, available_bytes)}"
        )
    bounds = [peers * k // count for k in range(count + 1)]
    packed = tuple(tuple(range(a, b)) for a, b in pairwise(bounds))
    if graph is not None and runtime.placement == "by_graph":
        packed = groups(graph, [len(group) for group in packed])
    if server:
        packed = (*packed, (peers,)) if on_ray else ((*packed[0], peers),)
    return Plan(packed, needed, available_bytes)


def _what_fits(peers: int, shared: int, ray_bytes: int, available: int) -> str:
    processes = (available - shared - ray_bytes) // PROCESS_BYTES
    if processes >= 1:
        return f"runtime.peers_per_actor: {-(-peers // processes)} would fit"
    if shared + PROCESS_BYTES <= available:
        return "runtime.executor: inline would fit"
    return (
        f"the data and the models alone need {_mib(shared)}: "
        "take fewer peers, fewer samples or a smaller model"
    )


def _mib(size_bytes: int) -> str:
    return f"{size_bytes / MIB:,.0f} MiB"


def gpu_share(actors: int, gpus: int, wanted: float | Literal["auto"] = "auto") -> float:
    """The share of a GPU that each actor gets: as wanted, or so that all actors find a place.

    Raises:
        ResourceError: If Ray has no GPU to give, or too few for what is wanted.

    >>> gpu_share(5, 2)  # three on one, two on the other
    0.3333
    """
    if gpus < 1:
        raise ResourceError("runtime.device: Ray has no GPU to give; use device: cpu")
    if wanted != "auto":
        places = gpus * int(1 / wanted + 1e-9)
        if actors > places:
            raise ResourceError(
                f"runtime.gpus_per_actor: {wanted} leaves {places} places on {gpus} GPUs, and "
                f"there are {actors} actors; auto would fit"
            )
        return wanted
    each = -(-actors // gpus)
    return 10_000 // each / 10_000  # Ray counts in ten-thousandths, and must not round up
