"""From an experiment to what runs it: executor, links, a protocol per peer, the engine."""

from collections.abc import Callable, Sequence
from hashlib import sha256

from actors.engine import Engine
from actors.executor import Executor, Task
from actors.inline import InlineExecutor
from actors.observer import Observer
from actors.real.executor import FleetExecutor
from actors.real.fleet import Fleet, InlineFleet
from actors.real.journal import Late
from actors.real.run import RealRun
from actors.specs import Coalition, PeerSpec
from graphs.links import Links
from p2pfl.types import Float32Array, Update
from scenarios.build import Experiment
from scenarios.machines import make_protocols, watchers
from scenarios.real import make_shells


def make_engine(experiment: Experiment, executor: Executor, observer: Observer) -> Engine:
    """The engine of an experiment, with a protocol per peer."""
    scenario, peers = experiment.scenario, experiment.peers
    defense, coalitions = scenario.defense, experiment.spec.coalitions
    return Engine(
        make_protocols(experiment),
        Links(experiment.graph, scenario.network, scenario.all_seeds.links, experiment.sites),
        executor,
        observer,
        edges=[(peer.peer, target) for peer in peers for target in peer.targets],
        work_ns=experiment.timing,
        message_bytes=experiment.message_bytes,
        outputs=[_outputs(peer, coalitions) for peer in peers],
        watchers=watchers(experiment),
        messages=scenario.record.messages,
        keeps_models=scenario.evaluate.consensus,
        timeline=experiment.timeline,
        open_edges=experiment.open_edges,
        prepares=frozenset(peer.peer for peer in peers if defense.prepares),
        budget=scenario.limit,
    )


def make_real_run(
    experiment: Experiment,
    executor: Executor,
    observer: Observer,
    late: Callable[[int, Late], None],
) -> RealRun:
    """The same under the real clock, on the fleet behind the executor; and who hears how late."""
    assert isinstance(executor, FleetExecutor)
    crafts = [_outputs(peer, experiment.spec.coalitions) for peer in experiment.peers]
    machines = make_protocols(experiment)
    shells = make_shells(experiment, machines, crafts, watchers(experiment))
    return RealRun(executor.fleet, shells, observer, late)


def _outputs(peer: PeerSpec, coalitions: Sequence[Coalition]) -> int:
    """How many updates its crafting gives."""
    if peer.coalition is None:
        return 1
    coalition = coalitions[peer.coalition]
    several = any(behaviour.several for behaviour in coalition.conduct.behaviours)
    return len(peer.targets) if several or coalition.attack.equivocates else 1


def final_digest(experiment: Experiment, executor: Executor) -> str:
    """SHA-256 over all peers' final models, in the order of their ids."""
    task = Task("digest", experiment.scenario.rounds or 0)
    handles = [executor.submit(peer.peer, task, ()).summary for peer in experiment.peers]
    digests = executor.fetch(handles)
    return sha256("".join(str(digest) for digest in digests).encode()).hexdigest()


def final_models(experiment: Experiment, executor: Executor) -> dict[int, Float32Array]:
    """The final model (d,) of each peer of which the scenario keeps it."""
    task = Task("model", experiment.scenario.rounds or 0)
    peers = experiment.scenario.record.models
    handles = [executor.submit(peer, task, ()).summary for peer in peers]
    models = executor.fetch(handles)
    return {
        peer: model.vector
        for peer, model in zip(peers, models, strict=True)
        if isinstance(model, Update)
    }


def make_executor(experiment: Experiment, stopping: Callable[[], bool]) -> Executor:
    """Start the processes that the plan names.

    Raises:
        RunError: If one cannot start.
    """
    runtime = experiment.scenario.runtime
    if runtime.clock == "real":
        return FleetExecutor(_fleet(experiment))
    if runtime.executor == "inline":
        return InlineExecutor(experiment.spec, experiment.peers, experiment.arrays)
    from actors.peer import RayExecutor  # Ray takes a second to import

    return RayExecutor(
        experiment.spec,
        experiment.peers,
        experiment.arrays,
        experiment.plan.actors,
        [experiment.loaded.folder],
        stopping,
        silent=experiment.scenario.runtime.snapshots is None,
        gpus_per_actor=experiment.scenario.runtime.gpus_per_actor,
    )


def _fleet(experiment: Experiment) -> Fleet:
    if experiment.scenario.runtime.executor == "inline":
        return InlineFleet(experiment.spec, experiment.peers, experiment.arrays)
    from actors.real.rays import RayFleet  # as above

    return RayFleet(
        experiment.spec,
        experiment.peers,
        experiment.arrays,
        experiment.plan.actors,
        [experiment.loaded.folder],
        experiment.scenario.runtime.gpus_per_actor,
    )
