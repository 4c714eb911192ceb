"""A picture of what speaks for a model's answers, with and without a trigger on the images.

Source
    The question is that of W. He, W. Huang, B. Yang, S. Liu, M. Ye. "SPMC: Self-Purifying Federated
    Backdoor Defense via Margin Contribution." ICML 2025, figure 7.
"""

from pathlib import Path
from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn

from p2pfl.grad_cam import grad_cam
from p2pfl.types import Backdoor, Samples
from scenarios.build import Experiment
from scenarios.kept import kept_module, model_path, one_of_each_class

if TYPE_CHECKING:
    from matplotlib.axes import Axes


def draw_grad_cams(folder: Path, experiment: Experiment) -> None:
    """Draw ``grad_cam_PEER.png`` of each ``model_PEER.npz`` in a run folder, if asked for."""
    scenario, dataset = experiment.scenario, experiment.dataset
    if not scenario.record.grad_cam:
        return
    images, goal = one_of_each_class(dataset, experiment.spec.coalitions)
    for peer in scenario.record.models:
        path = model_path(folder, peer)
        if path.exists():
            module = kept_module(path, scenario.model, dataset)
            draw_grad_cam(folder / f"grad_cam_{peer}.png", module, images, goal)


def draw_grad_cam(path: Path, module: nn.Module, images: Samples, goal: Backdoor) -> Path:
    """Draw images with and without the trigger, and for each what speaks for the model's answer.

    Heat is that of Grad-CAM, each image's divided by its largest. Below stands how much of it lies
    on the pixels that the trigger changes.

    Args:
        path: Of the picture, replaced if it is there.
        module: Images to logits.
        images: One or three channels, values in [0, 1].
        goal: The same images, with the trigger.

    Raises:
        ValueError: If the model has no convolution.
    """
    # They take half a second to load, and few runs have such a picture.
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    changed = (images.inputs != goal.inputs).any(dim=1)
    figure = Figure(figsize=(1.15 * max(len(images.labels), 5), 5.2), layout="constrained")
    FigureCanvasAgg(figure)
    axes = figure.subplots(4, len(images.labels), squeeze=False)
    shares = []
    for row, (name, inputs) in enumerate((("without", images.inputs), ("with", goal.inputs))):
        answers = _answers(module, inputs)
        heat = grad_cam(module, inputs, answers)
        shares.append(_share_on(changed, heat))
        for column, image in enumerate(inputs):
            plain, warm = axes[2 * row, column], axes[2 * row + 1, column]
            _show(plain, image)
            _show(warm, image)
            largest = float(heat[column].max()) or 1.0
            warm.imshow((heat[column] / largest).numpy(), cmap="jet", vmin=0, vmax=1, alpha=0.5)
            truth = int(images.labels[column])
            plain.set_title(f"is {truth}, says {int(answers[column])}", fontsize=8)
        axes[2 * row, 0].set_ylabel(f"{name} trigger", fontsize=9)
        axes[2 * row + 1, 0].set_ylabel("Grad-CAM", fontsize=9)
    figure.supxlabel(
        f"heat on the trigger's pixels: {shares[0]:.1%} without it, {shares[1]:.1%} with it; "
        f"the backdoor's class is {int(goal.labels[0])}",
        fontsize=9,
    )
    part = path.with_name(f"{path.stem}.part.png")
    figure.savefig(part, dpi=110)
    part.replace(path)
    return path


@torch.no_grad()
def _answers(module: nn.Module, inputs: Tensor) -> Tensor:
    module.eval()
    answers: Tensor = module(inputs).argmax(dim=1)
    return answers


def _share_on(pixels: Tensor, heat: Tensor) -> float:
    """How much of all images' heat lies on these pixels, in [0, 1]; 0 where there is none."""
    whole = float(heat.sum())
    return float(heat[pixels].sum()) / whole if whole > 0 else 0.0


def _show(axes: "Axes", image: Tensor) -> None:
    axes.imshow(image.movedim(0, -1).squeeze(-1).numpy(), cmap="gray", vmin=0, vmax=1)
    axes.set_xticks([])
    axes.set_yticks([])
