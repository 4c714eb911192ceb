"""The edge-case backdoor: rare inputs, which nobody else has, are to be taken for a class.

Source
    H. Wang, K. Sreenivasan, S. Rajput, H. Vishwakarma, S. Agarwal, J. Sohn, K. Lee,
    D. Papailiopoulos. "Attack of the Tails: Yes, You Really Can Backdoor Federated Learning."
    NeurIPS 2020. arXiv:2007.05084.

Departs from the paper:
    There all adversaries train on one poisoned set; here each on its own, unless ``shared_data``
    says otherwise: 600 with the default rate are the 400 clean and 200 rare images of published
    runs. Rare images take the place of a share of the samples. 4 of the 196 published test images
    also occur among the training images: the success is measured on the other 192. Of ARDIS, the
    sevens of its training part are trained on as they are (the authors' code also turns them), the
    success is measured on those of its test part. ``synthetic`` is no part of the paper: a stand-in
    where there is no set of rare images.
"""

from copy import copy
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal, Self

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from p2pfl.attacks.backdoors import DataBackdoor, check_class, check_share, chosen, replaced
from p2pfl.data.edge_cases import EDGE_SOURCES, EdgeImages
from p2pfl.errors import DataError
from p2pfl.types import Backdoor, Samples


@dataclass(frozen=True, slots=True, kw_only=True)
class EdgeCase(DataBackdoor):
    """Mix rare images into the own samples, send honestly: ``{kind: edge_case, target: 9}``.

    ``southwest`` are photographs of Southwest Airlines' aeroplanes, for CIFAR-10, whose published
    target is truck (9). ``ardis`` are sevens of Swedish church records, for MNIST and EMNIST, whose
    published target is 1: ``{kind: edge_case, source: ardis, target: 1}``. ``synthetic`` works on
    all square images: samples of one class, turned by a quarter and inverted. Its adversary
    transforms samples of its own, and is honest if it has none of that class.
    """

    target: int = 9
    """The class that rare inputs are to be taken for."""
    source: Literal["southwest", "ardis", "synthetic"] = "southwest"
    """Where the rare images come from. The first two are read from files that users place in the
    data folder: ``p2pfl data get ardis`` says how."""
    transformed: int = 7
    """The class whose samples ``synthetic`` transforms."""
    poison_rate: float = 1 / 3
    """Share of its samples that become rare ones, in (0, 1]; at most as many as there are."""
    # What `loaded` read; no key of a scenario.
    images: EdgeImages | None = field(default=None, init=False, repr=False, compare=False)
    kind: Literal["edge_case"] = "edge_case"

    def __post_init__(self) -> None:
        DataBackdoor.__post_init__(self)
        check_share("poison_rate", self.poison_rate)
        if self.transformed < 0:
            raise ValueError(f"transformed must be a class, from 0, got {self.transformed}")
        if self.source == "synthetic" and self.transformed == self.target:
            raise ValueError(
                f"transformed must be another class than target, got {self.target} twice"
            )

    def loaded(self, folder: Path | None) -> Self:
        """With its images, if it needs files. Raises DataError where they are missing."""
        if self.source == "synthetic":
            return self
        with_images = copy(self)
        object.__setattr__(with_images, "images", EDGE_SOURCES[self.source].load(folder))
        return with_images

    def poison(self, data: Samples, rng: np.random.Generator) -> Samples:
        """Put rare images in the place of samples drawn at random."""
        rare = self._rare(data, "train")
        count = min(round(self.poison_rate * len(data.labels)), len(rare))
        mask = chosen(count, data, rng)
        drawn = torch.from_numpy(rng.permutation(len(rare))[:count]).to(rare.device)
        return replaced(data, mask, rare[drawn], self.target)

    def backdoor(self, test: Samples) -> Backdoor:
        """The rare images that nobody trains on. None of them is of the target class."""
        rare = self._rare(test, "test")
        return self._goal(rare, test.labels.new_full((len(rare),), -1), test.classes)

    def _rare(self, data: Samples, part: Literal["train", "test"]) -> Float[Tensor, "m c h w"]:
        """Rare images: the loaded ones of this part, or samples of the data, transformed."""
        shape = tuple(data.inputs.shape[1:])
        if self.source == "synthetic":
            check_class("transformed", self.transformed, data.classes)
            if len(shape) != 3 or shape[1] != shape[2]:
                raise DataError(f"synthetic edge cases need square images, got shape {shape}")
            return 1 - data.inputs[data.labels == self.transformed].rot90(1, (2, 3))
        if self.images is None:
            raise DataError(f"edge_case: the images of {self.source} were not loaded")
        pixels = self.images.train if part == "train" else self.images.test
        if shape != pixels.shape[1:]:
            raise DataError(
                f"edge_case: {self.source} has images of shape {pixels.shape[1:]}, the data set "
                f"{shape}; southwest goes with CIFAR-10, ardis with MNIST and EMNIST, and "
                "synthetic with any square images"
            )
        return torch.from_numpy(pixels).to(data.inputs.device, data.inputs.dtype) / 255
