"""The last models that a run folder keeps, as named arrays: ``model_3.npz``."""

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch

from actors.specs import Coalition
from p2pfl.data.dataset import Dataset
from p2pfl.errors import ScenarioError
from p2pfl.grad_cam import last_maps
from p2pfl.models import Model, build_model
from p2pfl.types import Backdoor, Float32Array, Samples, Vector
from p2pfl.vectors import FlatModel, Layout, TensorSlice
from scenarios.schema import Scenario


def keep_models(
    folder: Path, model: Model, dataset: Dataset, vectors: Mapping[int, Float32Array]
) -> None:
    """Write ``model_PEER.npz`` for each peer: one array per tensor, by the module's names."""
    if not vectors:
        return
    tensors = _tensors(Layout.of(build_model(model, dataset.shape, dataset.classes)))
    for peer, vector in vectors.items():
        arrays: dict[str, Any] = {t.name: vector[t.slice].reshape(t.shape) for t in tensors}
        part = folder / f"model_{peer}.part.npz"
        np.savez(part, **arrays)
        os.replace(part, model_path(folder, peer))


def kept_module(path: Path, model: Model, dataset: Dataset) -> torch.nn.Module:
    """The model with the values that were kept, on the CPU.

    Raises:
        ValueError: If the file is not of such a model: which tensor is missing, or differs.
    """
    flat = FlatModel(build_model(model, dataset.shape, dataset.classes))
    vector: Vector = torch.empty(flat.layout.d)
    with np.load(path, allow_pickle=False) as arrays:
        for tensor in _tensors(flat.layout):
            came = arrays[tensor.name].shape if tensor.name in arrays else "none"
            if came != tensor.shape:
                raise ValueError(
                    f"{path}: the model needs {tensor.name} of shape {tensor.shape}, got {came}"
                )
            vector[tensor.slice] = torch.from_numpy(arrays[tensor.name]).ravel()
    flat.load(vector)
    return flat.module


def model_path(folder: Path, peer: int) -> Path:
    """Where a peer's last model is kept."""
    return folder / f"model_{peer}.npz"


def check_kept(
    scenario: Scenario, dataset: Dataset, peers: int, coalitions: Sequence[Coalition]
) -> None:
    """Refuse, before the run, what could not be kept or drawn behind it.

    Raises:
        ScenarioError: If there is no such peer; if pictures are asked for and no model is kept, its
            model has no convolution, samples are no images, or no attack has a trigger.
    """
    record = scenario.record
    if wrong := [peer for peer in record.models if not 0 <= peer < peers]:
        raise ScenarioError(f"record.models: no peer {wrong[0]}, there are 0 .. {peers - 1}")
    if not record.grad_cam:
        return
    if not record.models:
        raise ScenarioError("record.grad_cam: draws the models of record.models, which has none")
    one_of_each_class(dataset, coalitions)
    try:
        with torch.device("meta"):
            last_maps(scenario.model.build(dataset.shape, dataset.classes))
    except ValueError as error:
        raise ScenarioError(f"record.grad_cam: {error}") from error


def one_of_each_class(
    dataset: Dataset, coalitions: Sequence[Coalition]
) -> tuple[Samples, Backdoor]:
    """The first test image of each class, and the same ones with the first trigger that is used.

    Raises:
        ScenarioError: If samples are no images, or no attack puts anything on them.
    """
    if len(dataset.shape) != 3:
        raise ScenarioError(f"record.grad_cam: needs images, got samples of shape {dataset.shape}")
    _, first = np.unique(dataset.test_labels, return_index=True)
    images = Samples(
        inputs=torch.from_numpy(dataset.test_inputs[first]),
        labels=torch.from_numpy(dataset.test_labels[first]),
        classes=dataset.classes,
    )
    for coalition in coalitions:
        goal = coalition.attack.backdoor(images)
        # A backdoor without a trigger has images of its own: others, or some of these as they are.
        if (
            goal is not None
            and goal.inputs.shape == images.inputs.shape
            and torch.equal(goal.of_target, images.labels == goal.labels)
        ):
            return images, goal
    raise ScenarioError("record.grad_cam: needs an attack with a trigger, such as {kind: backdoor}")


def _tensors(layout: Layout) -> tuple[TensorSlice, ...]:
    return (*layout.parameters, *layout.buffers)
