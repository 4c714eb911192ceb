"""From a scenario to all the parts of a run, checked against one another. Nothing trains here."""

import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import psutil
import torch

from actors.resources import Plan, plan
from actors.specs import Arrays, BackdoorArrays, HostSpec, PeerSpec
from actors.transport import HEADER_BYTES
from graphs.availability import Timeline, timeline
from graphs.fixed import Clients
from graphs.mixing import metropolis
from graphs.neighbourhoods import NeighbourhoodReport, neighbourhood_report
from graphs.open_edges import OpenEdges
from graphs.orders import adversary_side, by_community, by_distance
from graphs.placement import place
from graphs.sites import Matrix, Sites
from graphs.topologies import (
    around_a_server,
    build_graph,
    graphs_by_round,
    require_connected,
    without_edges_of,
)
from graphs.types import Graph, Placed
from graphs.varying import VARYING
from p2pfl.data import data_folder, load_dataset
from p2pfl.data.class_splits import Explicit
from p2pfl.data.dataset import Dataset
from p2pfl.data.partitions import partition
from p2pfl.errors import ResourceError, ScenarioError
from p2pfl.learner.together import is_faster
from p2pfl.seeding import stream
from p2pfl.vectors import Layout
from scenarios.cast import Cast, make_cast, with_fast_links
from scenarios.clocks import NOT_REPRODUCIBLE, check_clock
from scenarios.coalitions import backdoor_of, make_coalitions, shared_parts
from scenarios.complaints import about, found_in
from scenarios.guarantees import method_warnings
from scenarios.kept import check_kept
from scenarios.loader import Loaded
from scenarios.pace import check_pace, check_speed, mixing_of
from scenarios.schema import Scenario
from scenarios.star import left_to_clients, vectors_sent, with_server
from scenarios.timing import Timing, held_of
from scenarios.warm_start import initial_model


@dataclass(frozen=True, slots=True, kw_only=True)
class Experiment:
    """Everything that a run needs, before any process is started."""

    loaded: Loaded
    dataset: Dataset
    backdoor: BackdoorArrays | None
    """On what the attacks' success is measured, if one aims at a class."""
    graph: Graph
    sites: Sites | None
    """Where the peers are, where the links' latencies come of that."""
    by_round: tuple[Graph, ...]
    """The graph of each round, of a topology that varies by rounds; ``graph`` has all its edges."""
    timeline: Timeline
    """Who comes and goes, and which links open and close."""
    open_edges: OpenEdges | None
    """Of a topology that varies by time."""
    cast: Cast
    """Who is hostile where and when."""
    placed: Placed
    neighbourhoods: NeighbourhoodReport
    spec: HostSpec
    peers: tuple[PeerSpec, ...]
    plan: Plan
    timing: Timing
    """Modelled time of each peer's work."""
    message_bytes: tuple[int, ...]
    """Size of each peer's messages on the wire."""
    warnings: tuple[str, ...]

    @property
    def scenario(self) -> Scenario:
        """The scenario, with its defaults."""
        return self.loaded.scenario

    @property
    def roles(self) -> tuple[str, ...]:
        """``benign``, ``adversary`` or ``server``, by peer."""
        return tuple(peer.role for peer in self.peers)

    @property
    def server(self) -> int | None:
        """The server's id: behind those of its clients."""
        return self.peers[-1].peer if self.peers[-1].server else None

    @property
    def measured(self) -> tuple[int, ...]:
        """Whose models are measured: the server's; or all peers', or of some benign ones."""
        wanted = self.scenario.evaluate.peers
        if wanted is None or self.server is not None:
            return tuple(peer.peer for peer in self.peers)
        benign = [peer.peer for peer in self.peers if peer.role == "benign"]
        rng = stream(self.scenario.all_seeds.data, "evaluate")
        chosen = rng.choice(len(benign), min(wanted, len(benign)), replace=False)
        return tuple(benign[k] for k in sorted(chosen))

    @property
    def arrays(self) -> Arrays:
        """The data set as the processes get it."""
        data = self.dataset
        return Arrays(
            inputs=data.inputs,
            labels=data.labels,
            test_inputs=data.test_inputs,
            test_labels=data.test_labels,
            backdoor=self.backdoor,
        )


def build(
    loaded: Loaded,
    data: Path | None = None,
    available_bytes: int | None = None,
    load: Callable[[str, Path | None], Dataset] = load_dataset,
) -> Experiment:
    """Load the data, build the graph, place the adversaries, plan the processes.

    Args:
        loaded: The scenario and where it came from.
        data: The data folder; None takes the environment's P2PFL_DATA.
        available_bytes: Memory to plan with; None asks the machine.
        load: Reads the data set; who builds many may bring one that remembers.

    Raises:
        ScenarioError: If parts do not fit one another; the message names the key and its line.
    """
    with found_in(loaded):
        return _build(loaded, data, available_bytes, load)


def _build(
    loaded: Loaded,
    data: Path | None,
    available_bytes: int | None,
    load: Callable[[str, Path | None], Dataset],
) -> Experiment:
    scenario, seeds = loaded.scenario, loaded.scenario.all_seeds
    if scenario.server is not None and scenario.evaluate.peers is not None:
        raise ScenarioError("evaluate.peers: with a server its model alone is measured; leave out")
    check_clock(scenario)
    dataset = load(scenario.data.dataset, data).subset(
        scenario.data.train_samples, scenario.data.test_samples, seeds.data
    )
    with about("topology"):
        dealt = build_graph(scenario.topology, seeds.graph, loaded.folder)
    with about("adversaries"):
        placed = placed_in(scenario, dealt)
    with about("attack"):
        coalitions = make_coalitions(scenario, placed.adversaries, data_folder(data))
    cast = make_cast(scenario, dealt, coalitions)
    coalitions, clients = cast.coalitions, cast.graph
    placed = replace(placed, adversaries=cast.adversaries)
    graph = around_a_server(clients) if scenario.server else clients
    check_pace(scenario, graph)
    if isinstance(scenario.topology, Clients) and scenario.server is None:
        raise ScenarioError("topology: clients has no edges; it needs the section server")
    if not scenario.allow_disconnected:
        with about("topology"):
            require_connected(graph, placed.adversaries)
    with about("topology"):
        by_round, open_edges = _varying(scenario, clients, placed, loaded.folder)
    if scenario.adversaries and scenario.adversaries.absent:
        graph = without_edges_of(graph, placed.adversaries)
        dealt = dealt if scenario.server else graph
    graph = with_fast_links(graph, coalitions)
    latency = scenario.network.latency
    sites = None
    if isinstance(latency, Matrix):
        sites = latency.read(len(graph), seeds.links, loaded.folder)
    with about("attack"):
        backdoor = backdoor_of(coalitions, dataset)
    layout = _layout(scenario, dataset)
    device = _device(scenario.runtime.device)
    if available_bytes is None:
        available_bytes = psutil.virtual_memory().available
    vector_bytes = 4 * layout.d
    data_bytes = dataset.nbytes + (backdoor.nbytes if backdoor else 0)
    planned = plan(
        len(clients),
        vector_bytes,
        data_bytes,
        scenario.runtime,
        available_bytes,
        server=scenario.server is not None,
        cores=os.cpu_count() or 1,
        graph=None if scenario.server else clients,
        participants=scenario.server.participants if scenario.server else None,
    )
    spec = HostSpec(
        model=scenario.model,
        shape=dataset.shape,
        classes=dataset.classes,
        initial=initial_model(scenario, dataset, layout, loaded.folder),
        training=scenario.training,
        rounds=scenario.rounds,
        keeps_prepared=scenario.record.dummies,
        evaluate_samples=scenario.evaluate.samples,
        defense=scenario.defense,
        strategy=scenario.server.strategy if scenario.server else None,
        coalitions=coalitions,
        on_shortfall=scenario.on_shortfall,
        poisoned_classes=_poisoned_classes(scenario),
        seed=seeds.training,
        attack_seed=seeds.attack,
        device=device,
        batch=_trains_together(scenario, dataset, device),
        deterministic=scenario.runtime.deterministic,
        pace=scenario.protocol.kind,
    )
    peers = _peers(scenario, dataset, dealt, clients if scenario.server else graph, cast)
    mixings = [metropolis(each) for each in by_round]
    if mixings:
        peers = tuple(replace(p, mixings=_mixings(p.peer, mixings)) for p in peers)
    if scenario.server:
        peers = with_server(scenario.server, dataset, peers, seeds.data)
    check_kept(scenario, dataset, len(peers), coalitions)
    speeds = {peer.peer: scenario.compute.speed(seeds.links, peer.peer) for peer in peers}
    held = tuple(held_of(peer, dataset) for peer in peers)
    timing = Timing.of(spec, peers, speeds, held)
    check_speed(scenario, peers, timing)
    return Experiment(
        loaded=loaded,
        dataset=dataset,
        backdoor=backdoor,
        graph=graph,
        sites=sites,
        by_round=by_round,
        open_edges=open_edges,
        timeline=cast.put_on(
            timeline(
                graph,
                scenario.availability,
                scenario.events,
                seeds.links,
                loaded.folder,
                len(clients) if scenario.server else None,
            )
        ),
        cast=cast,
        placed=placed,
        neighbourhoods=neighbourhood_report(
            without_edges_of(graph, cast.later), placed.adversaries
        ),
        spec=spec,
        peers=peers,
        plan=planned,
        timing=timing,
        message_bytes=tuple(
            vector_bytes * vectors_sent(scenario, peer) + HEADER_BYTES for peer in peers
        ),
        warnings=(
            *([NOT_REPRODUCIBLE] if scenario.runtime.clock == "real" else []),
            *dataset.warnings,
            *method_warnings(scenario, peers, held),
        ),
    )


def _varying(
    scenario: Scenario, graph: Graph, placed: Placed, folder: Path
) -> tuple[tuple[Graph, ...], OpenEdges | None]:
    """The graph of each round, or which edges are open when; nothing of what does not vary."""
    topology, seed = scenario.topology, scenario.all_seeds.graph
    if scenario.server is not None:
        return (), None
    if isinstance(topology, VARYING) and topology.every_s is not None:
        return (), OpenEdges(topology, graph, seed, folder)
    each = graphs_by_round(topology, graph, seed, folder, scenario.rounds or 1)
    if scenario.adversaries and scenario.adversaries.absent:
        each = [without_edges_of(graph, placed.adversaries) for graph in each]
    return tuple(each), None


def _mixings(
    peer: int, mixings: Sequence[Mapping[int, Mapping[int, float]]]
) -> tuple[dict[int, float], ...]:
    """What a peer gives to each that it hears, round by round."""
    return tuple({j: a for j, a in each[peer].items() if j != peer} for each in mixings)


def placed_in(scenario: Scenario, graph: Graph) -> Placed:
    """The adversaries of a scenario on its graph. Raises TopologyError as ``place``."""
    if scenario.adversaries is None:
        return Placed(adversaries=(), notes={})
    wanted = scenario.adversaries
    return place(
        graph, wanted.placement, scenario.all_seeds.placement, wanted.count, wanted.fraction
    )


def _layout(scenario: Scenario, dataset: Dataset) -> Layout:
    """What a model's vector looks like, without taking its memory: the plan comes first."""
    try:
        with torch.device("meta"):
            return Layout.of(scenario.model.build(dataset.shape, dataset.classes))
    except (ValueError, TypeError, RuntimeError) as error:  # the last two of sizes beyond torch's
        name = scenario.data.dataset
        raise ScenarioError(f"model: does not fit data set {name}: {error}") from error


def _device(wanted: str) -> Any:
    if wanted == "cuda" and not torch.cuda.is_available():
        raise ResourceError(
            "runtime.device: cuda was asked for, and there is no GPU; use auto or cpu"
        )
    return "cuda" if wanted != "cpu" and torch.cuda.is_available() else "cpu"


def _trains_together(scenario: Scenario, dataset: Dataset, device: str) -> bool:
    if scenario.runtime.batch != "auto":
        return scenario.runtime.batch == "on"
    with torch.device("meta"):
        return is_faster(scenario.model.build(dataset.shape, dataset.classes), device)


def _poisoned_classes(scenario: Scenario) -> tuple[int, ...] | None:
    variant = scenario.data.partition
    return variant.poisoned if isinstance(variant, Explicit) else None


def _peers(
    scenario: Scenario, dataset: Dataset, dealt: Graph, graph: Graph, cast: Cast
) -> tuple[PeerSpec, ...]:
    """Those of the graph; samples are dealt to those of ``dealt``, and ids share their owner's."""
    coalition = {peer: k for k, each in enumerate(cast.coalitions) for peer in each.everyone}
    hostile = frozenset(cast.adversaries)
    adversaries = hostile.intersection(dealt)
    rest = left_to_clients(scenario, dataset)
    parts = partition(
        dataset.labels[rest],
        peers=len(dealt),
        classes=dataset.classes,
        adversaries=adversaries,
        variant=scenario.data.partition,
        adversary_data=scenario.data.adversary_data,
        seed=scenario.all_seeds.data,
        order=_order(scenario, dealt, sorted(adversaries)),
    )
    shared = shared_parts(scenario, cast.coalitions, rest)
    mixing = mixing_of(scenario, graph)
    return tuple(
        PeerSpec(
            peer=peer,
            samples=shared.get(peer, rest[parts[cast.owner.get(peer, peer)]]),
            mixing={sender: a for sender, a in mixing[peer].items() if sender != peer},
            targets=tuple(sorted(graph[peer])),
            coalition=coalition.get(peer),
            possessed=peer in hostile,
        )
        for peer in sorted(graph)
    )


def _order(scenario: Scenario, graph: Graph, adversaries: Sequence[int]) -> tuple[int, ...] | None:
    assign = scenario.data.assign
    if assign == "by_community":
        return by_community(graph)
    if assign == "by_distance":
        return by_distance(graph)
    if assign == "adversary_side":
        return adversary_side(graph, adversaries)
    return None
