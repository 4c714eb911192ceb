"""Where a run starts if not at random values: a model trained on clean data, or one from a file.

Sources
    The published runs of FedGrad (T. D. Nguyen et al., IJCNN 2023) and of the edge-case backdoor
    (H. Wang et al., NeurIPS 2020) start from a model that was trained for ten epochs or more.
"""

import zipfile
from dataclasses import dataclass
from math import isfinite
from pathlib import Path
from typing import Any

import numpy as np

from p2pfl.errors import ScenarioError
from p2pfl.vectors import Layout

_KEY = "model.warm_start.path"


@dataclass(frozen=True, slots=True, kw_only=True)
class WarmStart:
    """Train the initial model, once for all: ``{epochs: 10}``. Or load it: ``{path: start.npy}``.

    It takes no virtual time. ``epochs`` cost wall time before the first round, in one process and
    on one core: each one forward and backward pass over the samples, as long as one peer would
    take that had them all. Their draws are their own, so they move no other.
    """

    epochs: int | None = None
    """Passes over clean training samples, >= 1."""
    samples: int | None = None
    """On how many of them, each class in proportion, those that a server holds out excepted; null:
    all. Peers have them as well."""
    lr: float | None = None
    """Learning rate, > 0; null: that of ``training`` in round 1. It does not decay."""
    batch_size: int | None = None
    """Samples of a step, >= 1; null: as in ``training``. Momentum and weight decay are as there."""
    path: str | None = None
    """A file beside the scenario, instead of ``epochs``: ``.npy`` with the whole vector, such as a
    run's ``start.npy``; or ``.npz`` with one array for each tensor, by name. Never a pickle."""

    def __post_init__(self) -> None:
        if (self.epochs is None) == (self.path is None):
            came = f"epochs: {self.epochs}, path: {self.path}"
            raise ValueError(f"epochs or path: give one of them, got {came}")
        for name in ("epochs", "samples", "batch_size"):
            count = getattr(self, name)
            if count is not None and count < 1:
                raise ValueError(f"{name} must be >= 1, got {count}")
        if self.lr is not None and not (isfinite(self.lr) and self.lr > 0):
            raise ValueError(f"lr must be finite and > 0, or null, got {self.lr}")
        for name in ("samples", "lr", "batch_size"):
            if self.path is not None and getattr(self, name) is not None:
                raise ValueError(f"{name} goes with epochs: what path names is not trained")
        if self.path is not None and Path(self.path).suffix not in (".npy", ".npz"):
            raise ValueError(f"path must end in .npy or .npz, got {self.path!r}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Warmable:
    """What a model derives from, so that a scenario may say where it starts."""

    warm_start: WarmStart | None = None
    """From where all peers start: a trained model; null: random values."""


def warm_start_of(model: object) -> WarmStart | None:
    """What a model says; None where it is a user's own that cannot say it."""
    return model.warm_start if isinstance(model, Warmable) else None


def read_start(path: Path, layout: Layout) -> np.ndarray[Any, np.dtype[np.float32]]:
    """The vector (d,) that a file holds. Time and memory O(d).

    Raises:
        ScenarioError: If there is no such file, it is damaged or a pickle, or its arrays do not
            fit the model; the message names the key.
    """
    try:
        with path.open("rb") as file:
            found = np.load(file, allow_pickle=False)
            if isinstance(found, np.ndarray):
                return _fitting(found, (layout.d,), "the vector")
            return _joined({name: found[name] for name in found.files}, layout)
    except FileNotFoundError as error:
        raise ScenarioError(f"{_KEY}: there is no {path.name} in {path.parent}") from error
    except ScenarioError as error:
        raise ScenarioError(f"{_KEY}: {path.name}: {error}") from error
    except (OSError, ValueError, EOFError, zipfile.BadZipFile) as error:
        raise ScenarioError(
            f"{_KEY}: {path.name} cannot be read as an array of numbers ({error})"
        ) from error


def _joined(arrays: dict[str, Any], layout: Layout) -> np.ndarray[Any, np.dtype[np.float32]]:
    """One array per tensor, by name. More may be there, such as integer buffers."""
    parts = (*layout.parameters, *layout.buffers)
    if missing := [part.name for part in parts if part.name not in arrays]:
        raise ScenarioError(
            f"there is no array {missing[0]!r}; the model has {', '.join(p.name for p in parts)}"
        )
    tensors = (_fitting(arrays[p.name], p.shape, f"array {p.name!r}") for p in parts)
    return np.concatenate([tensor.reshape(-1) for tensor in tensors])


def _fitting(
    array: np.ndarray[Any, np.dtype[Any]], shape: tuple[int, ...], what: str
) -> np.ndarray[Any, np.dtype[np.float32]]:
    if array.shape != shape or not np.issubdtype(array.dtype, np.floating):
        raise ScenarioError(
            f"{what} has shape {array.shape} of {array.dtype}; the model needs {shape} of float32"
        )
    with np.errstate(over="ignore"):
        values = array.astype(np.float32)
    if not np.isfinite(values).all():
        raise ScenarioError(f"{what} has values that are not finite numbers in float32")
    return values
