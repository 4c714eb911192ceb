"""How good a model is on labelled samples: accuracy and loss, over all and per class."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from math import ceil
from typing import NamedTuple

import torch
from jaxtyping import Bool
from torch import Tensor
from torch.nn.functional import cross_entropy

from p2pfl.data.dataset import TEST_SEED
from p2pfl.data.stratify import stratified
from p2pfl.precision import Precision, logits_of
from p2pfl.seeding import stream
from p2pfl.types import Backdoor, Samples, Vector
from p2pfl.vectors import FlatModel


class Success(NamedTuple):
    """How often a backdoor succeeds, in [0, 1]."""

    asr: float
    """Over all its inputs."""
    excluding_target: float | None
    """Over those that are not of the target class anyway. None if there are none."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Evaluation:
    """Figures of one model on one set of samples."""

    accuracy: float
    """Share of the samples whose largest logit is that of their label, in [0, 1]."""
    loss: float
    """Mean cross-entropy, in nats. inf or NaN where the model is not finite."""
    per_class: tuple[float, ...]
    """Accuracy on the samples of each class, in [0, 1]. NaN for a class without any sample: no
    figure at all, and a 0 would read as a failure."""
    asr: float | None = None
    """Attack success rate: share of the backdoor's inputs that are classified as it wants, in
    [0, 1]. None without a backdoor."""
    asr_excluding_target: float | None = None
    """The same over the inputs that are not of the target class anyway. None if there are none."""
    asr_by_group: Mapping[int, Success] = field(default_factory=dict)
    """Both over the inputs of each targeted group of adversaries, by its number."""

    @property
    def success(self) -> Success | None:
        """How often the backdoor succeeds; None without one."""
        return None if self.asr is None else Success(self.asr, self.asr_excluding_target)


def evaluate(
    flat: FlatModel,
    vector: Vector,
    data: Samples,
    backdoor: Backdoor | None = None,
    batch: int = 200,
    precision: Precision = "float32",
) -> Evaluation:
    """Evaluate a vector, in evaluation mode and without gradients. Sums are in float64.

    A model that is not finite is no error. Torch takes NaN for the largest logit and the first of
    equals, so one whose logits are all NaN says class 0 everywhere.

    Args:
        flat: The module, whose values are overwritten.
        vector: (d,) not modified.
        data: At least one sample, on the module's device.
        backdoor: What a targeted attack wants, on the same device.
        batch: Samples per forward pass, >= 1. 200 stay in the cache: of a small CNN, 1000 at once
            took 1.6 times as long and 100 MB more.
        precision: Of the forward passes.

    Raises:
        ValueError: If ``data`` is empty, ``batch`` is below 1 or the vector's length is wrong.
    """
    n = len(data.labels)
    if n < 1 or batch < 1:
        raise ValueError(f"evaluation needs >= 1 sample and a batch >= 1, got {n} and {batch}")
    flat.load(vector)
    flat.module.eval()
    device = data.labels.device
    loss = torch.zeros((), dtype=torch.float64, device=device)
    hits = torch.zeros(data.classes, dtype=torch.int64, device=device)
    batches = zip(torch.split(data.inputs, batch), torch.split(data.labels, batch), strict=True)
    with torch.no_grad():
        for inputs, labels in batches:
            logits = logits_of(flat.module, inputs, precision)
            loss += cross_entropy(logits, labels, reduction="none").double().sum()
            right = labels[logits.argmax(dim=1) == labels]
            hits += torch.bincount(right, minlength=data.classes)
    counts = torch.bincount(data.labels, minlength=data.classes)
    evaluation = Evaluation(
        accuracy=int(hits.sum()) / n,
        loss=float(loss) / n,
        per_class=tuple((hits.double() / counts.double()).tolist()),  # 0 / 0 is NaN
    )
    if backdoor is None:
        return evaluation
    hit = _hit(flat, backdoor, batch, precision)
    success = _success(hit, backdoor.of_target)
    return replace(
        evaluation,
        asr=success.asr,
        asr_excluding_target=success.excluding_target,
        asr_by_group=_by_group(hit, backdoor),
    )


def thinned(data: Samples, samples: int) -> Samples:
    """At most so many of the samples, each class in proportion: the same ones for every seed."""
    if samples >= len(data.labels):
        return data
    rows = stratified(data.labels.cpu().numpy(), samples, stream(TEST_SEED, "evaluate"))
    chosen = torch.from_numpy(rows).to(data.labels.device)
    return replace(data, inputs=data.inputs[chosen], labels=data.labels[chosen])


def thinned_backdoor(backdoor: Backdoor, samples: int) -> Backdoor:
    """About so many of its inputs, evenly from each group's."""
    stride = ceil(len(backdoor.labels) / samples)
    sizes = list(backdoor.groups.values()) or [len(backdoor.labels)]
    parts = torch.split(torch.arange(len(backdoor.labels)), sizes)
    chosen = torch.cat([part[::stride] for part in parts]).to(backdoor.labels.device)
    return Backdoor(
        inputs=backdoor.inputs[chosen],
        labels=backdoor.labels[chosen],
        of_target=backdoor.of_target[chosen],
        groups={group: ceil(size / stride) for group, size in backdoor.groups.items()},
    )


@torch.no_grad()
def _hit(
    flat: FlatModel, backdoor: Backdoor, batch: int, precision: Precision
) -> Bool[Tensor, " n"]:
    """Which of the backdoor's inputs the loaded model classifies as wanted."""
    outputs = [
        logits_of(flat.module, inputs, precision).argmax(dim=1)
        for inputs in torch.split(backdoor.inputs, batch)
    ]
    return torch.cat(outputs) == backdoor.labels


def _success(hit: Bool[Tensor, " n"], of_target: Bool[Tensor, " n"]) -> Success:
    outside = hit[~of_target]
    share_outside = float(outside.double().mean()) if len(outside) else None
    return Success(float(hit.double().mean()), share_outside)


def _by_group(hit: Bool[Tensor, " n"], backdoor: Backdoor) -> dict[int, Success]:
    if not backdoor.groups:  # torch.split takes no empty list
        return {}
    sizes = list(backdoor.groups.values())
    parts = zip(torch.split(hit, sizes), torch.split(backdoor.of_target, sizes), strict=True)
    return {
        group: _success(its_hit, of_target)
        for group, (its_hit, of_target) in zip(backdoor.groups, parts, strict=True)
    }
