"""What a scenario's ``model.warm_start`` comes to: the vector that all peers start from.

It is made once, in the process that starts the run, and handed to whoever computes.
"""

from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch

from actors.specs import shared
from p2pfl.data.dataset import Dataset, IntArray
from p2pfl.data.stratify import stratified
from p2pfl.errors import ScenarioError
from p2pfl.learner.evaluation import Evaluation, evaluate
from p2pfl.learner.kernels import choose_kernels
from p2pfl.learner.threads import single_thread
from p2pfl.learner.training import Trainer
from p2pfl.learner.warm_start import warm_training, warmed_up
from p2pfl.models import WarmStart, build_model, initial_vector, read_start, warm_start_of
from p2pfl.seeding import stream
from p2pfl.types import Float32Array, Samples
from p2pfl.vectors import FlatModel, Layout
from scenarios.schema import Scenario
from scenarios.star import left_to_clients

if TYPE_CHECKING:
    from scenarios.build import Experiment


@dataclass(frozen=True, slots=True, kw_only=True)
class Started:
    """Where a run starts, and how good that is."""

    vector: Float32Array
    """(d,)."""
    evaluation: Evaluation
    """On the whole test set, and on the backdoor's inputs."""

    def as_dict(self) -> dict[str, Any]:
        """For summary.json."""
        figures = asdict(self.evaluation)
        return {name: figures[name] for name in ("accuracy", "loss", "asr", "asr_excluding_target")}


def warm_start(experiment: "Experiment") -> "tuple[Experiment, Started | None]":
    """The experiment as it starts: trained if the scenario says so; and how good its start is.

    None without ``model.warm_start``. Same scenario, same bits, on one thread of the same kind of
    machine, whatever executor runs the rounds.

    Cost:
        ``epochs`` forward and backward passes over the samples, and one evaluation.
    """
    wanted = warm_start_of(experiment.scenario.model)
    if wanted is None:
        return experiment, None
    single_thread()  # as in all that compute: a sum's bits depend on it
    choose_kernels(experiment.spec.deterministic)
    spec, data = experiment.spec, experiment.dataset
    module = build_model(spec.model, spec.shape, spec.classes).to(spec.device)
    trainer = Trainer(FlatModel(module))
    vector = torch.from_numpy(spec.initial.copy()).to(spec.device)
    if wanted.epochs is not None:
        rows = training_samples(experiment.scenario, wanted, data)
        clean = Samples(
            inputs=torch.from_numpy(data.inputs[rows]).to(spec.device),
            labels=torch.from_numpy(data.labels[rows]).to(spec.device),
            classes=spec.classes,
        )
        settings = warm_training(spec.training, wanted.lr, wanted.batch_size)
        rng = stream(spec.seed, "warm start", "train")
        vector = warmed_up(trainer, vector, clean, settings, wanted.epochs, rng)
    test = Samples(
        inputs=shared(data.test_inputs).to(spec.device),
        labels=shared(data.test_labels).to(spec.device),
        classes=spec.classes,
    )
    backdoor = experiment.backdoor.on(spec.device) if experiment.backdoor else None
    array: Float32Array = vector.cpu().numpy()
    evaluation = evaluate(trainer.flat, vector, test, backdoor, precision=spec.training.precision)
    started = Started(vector=array, evaluation=evaluation)
    return replace(experiment, spec=replace(spec, initial=array)), started


def initial_model(
    scenario: Scenario, dataset: Dataset, layout: Layout, folder: Path
) -> Float32Array:
    """The vector (d,) before any training: random values, or those of a file.

    Raises:
        ScenarioError: If ``model.warm_start`` does not fit the data set, or its file the model.
    """
    wanted = warm_start_of(scenario.model)
    if wanted is not None and wanted.path is not None:
        return read_start(folder / wanted.path, layout)
    if wanted is not None:
        training_samples(scenario, wanted, dataset)
    vector = initial_vector(
        scenario.model, dataset.shape, dataset.classes, scenario.all_seeds.training
    )
    array: Float32Array = vector.numpy()
    return array


def training_samples(scenario: Scenario, wanted: WarmStart, dataset: Dataset) -> IntArray:
    """Indices of the samples that the start is trained on, ascending.

    Raises:
        ScenarioError: If more are asked for than there are.
    """
    rest = left_to_clients(scenario, dataset)
    if wanted.samples is None:
        return rest
    if wanted.samples > len(rest):
        raise ScenarioError(
            f"model.warm_start.samples must be in 1 .. {len(rest)}, the training samples that "
            f"peers have, got {wanted.samples}"
        )
    rng = stream(scenario.all_seeds.data, "warm start", "samples")
    return rest[stratified(dataset.labels[rest], wanted.samples, rng)]
