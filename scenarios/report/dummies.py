"""A picture of what an inversion sees of a peer: its dummy images beside real ones."""

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from p2pfl.defenses import DflDual
from p2pfl.defenses.dual_inversion import DUMMIES
from p2pfl.defenses.inversion import shared_start
from p2pfl.types import Float32Array
from scenarios.build import Experiment
from scenarios.files import replace_file

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from p2pfl.likeness import Likeness


def draw_dummies(
    path: Path,
    dummies: Float32Array,
    labels: npt.NDArray[np.int64],
    real: Float32Array,
    real_labels: npt.NDArray[np.int64],
) -> "Likeness":
    """Draw, for each class, the dummy image that comes closest to a real one, and that one.

    Below stands how close all of them come, and how close noise does.

    Args:
        path: Of the picture, replaced if it is there.
        dummies: Shape (n, channels, height, width), one or three channels.
        labels: Shape (n,), their classes.
        real: Shape (m, channels, height, width), values in [0, 1].
        real_labels: Shape (m,).

    Returns:
        How close they come.

    Raises:
        ValueError: If samples are no images, or no class is in both.
    """
    # These take a second to load, and few runs have such a picture.
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    from p2pfl.likeness import likeness, nearest

    if dummies.ndim != 4 or dummies.shape[1] not in (1, 3) or dummies.shape[1:] != real.shape[1:]:
        raise ValueError(
            "images are (channels, height, width) with 1 or 3 channels, the dummies like the real; "
            f"got samples of shape {dummies.shape[1:]} and {real.shape[1:]}"
        )
    close = likeness(dummies, labels, real, real_labels)
    dummies = np.clip(dummies, 0, 1)
    classes = np.intersect1d(labels, real_labels)
    figure = Figure(figsize=(1.1 * max(len(classes), 5), 3.0), layout="constrained")
    FigureCanvasAgg(figure)
    axes = figure.subplots(2, len(classes), squeeze=False)
    for column, label in enumerate(classes):
        of_class, candidates = dummies[labels == label], real[real_labels == label]
        distances, which = nearest(of_class, candidates)
        best = int(distances.argmin())
        _show(axes[0, column], of_class[best])
        _show(axes[1, column], candidates[which[best]])
        axes[0, column].set_title(str(label), fontsize=9)
    axes[0, 0].set_ylabel("dummy", fontsize=9)
    axes[1, 0].set_ylabel("nearest real", fontsize=9)
    figure.supxlabel(
        f"distance to the nearest of its class {close.distance:.3f} "
        f"(noise {close.distance_of_noise:.3f}), "
        f"SSIM {close.ssim:.3f} (noise {close.ssim_of_noise:.3f})",
        fontsize=9,
    )
    part = path.with_name(f"{path.stem}.part.png")
    figure.savefig(part, dpi=110)
    part.replace(path)
    return close


def draw_kept(folder: Path, experiment: Experiment) -> None:
    """Draw ``dummies_PEER.png`` of each ``dummies_PEER.npz`` of images in a run folder.

    How close each peer's dummies come to its own images stands in ``dummies.csv``.
    """
    dataset, scenario = experiment.dataset, experiment.scenario
    if len(dataset.shape) != 3 or not isinstance(scenario.defense, DflDual):
        return
    size = scenario.defense.samples_per_class
    _, labels = shared_start(dataset.shape, dataset.classes, size)
    found: dict[int, Likeness] = {}
    for peer in scenario.record.dummies:
        kept = folder / f"dummies_{peer}.npz"
        if kept.exists():
            own = experiment.peers[peer].samples
            with np.load(kept, allow_pickle=False) as arrays:
                dummies = arrays[DUMMIES]
            picture = kept.with_suffix(".png")
            real, classes = dataset.inputs[own], dataset.labels[own]
            found[peer] = draw_dummies(picture, dummies, labels.numpy(), real, classes)
    if found:
        fields = next(iter(found.values()))._fields
        lines = [("peer", *fields), *((peer, *close) for peer, close in found.items())]
        text = "".join(f"{','.join(map(str, line))}\n" for line in lines)
        replace_file(folder / "dummies.csv", text)


def _show(axes: "Axes", image: Float32Array) -> None:
    axes.imshow(np.squeeze(np.moveaxis(image, 0, -1)), cmap="gray", vmin=0, vmax=1)
    axes.set_xticks([])
    axes.set_yticks([])
