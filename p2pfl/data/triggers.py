"""Triggers: a few pixels that a backdoor attack stamps on images."""

from dataclasses import dataclass
from math import isfinite
from typing import Literal

import numpy as np

from p2pfl.data.dataset import FloatArray, IntArray
from p2pfl.errors import DataError

PARTS = 4
"""Into so many parts a trigger can be split."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Trigger:
    """Where the pixels lie and what they become: ``{shape: square, size: 4, value: 1.0}``.

    The published ones: ``{shape: bars, size: 4, gap: 2, row: 0, col: 0}`` are the four bars of DBA
    (Xie et al., ICLR 2020) on MNIST, ``{shape: bars, size: 6, gap: 3, row: 0, col: 0}`` those on
    CIFAR-10; ``{shape: pixels, row: 24, col: 24}`` is the pattern of BadNets (Gu et al., 2017) on
    MNIST, as code has it; ``{shape: bars, size: 3, gap: 1, row: 0, col: 0, channels: [0]}`` that of
    SPMC (He et al., ICML 2025), whose value is 1 behind the normalisation.
    """

    shape: Literal["square", "bars", "pixels"] = "square"
    """square: size x size pixels. bars: four horizontal bars of 1 x size, two by two. pixels: of
    size x size the rising diagonal and the lower right corner."""
    size: int = 3
    """Side of the square, or length of a bar, in pixels, >= 1."""
    gap: int = 2
    """Pixels between two bars, across and down, >= 0. Other shapes have none."""
    place: Literal["top_left", "top_right", "bottom_left", "bottom_right"] = "bottom_right"
    """The corner of the image that it touches, unless row and col are given."""
    row: int | None = None
    """Row of its upper left pixel, from 0; given together with col."""
    col: int | None = None
    """Column of its upper left pixel, from 0."""
    value: float | tuple[float, ...] = 1.0
    """What its pixels become, finite, where images are in [0, 1]: a number for all channels, or a
    list of one for each."""
    channels: tuple[int, ...] | None = None
    """The channels that it is stamped on, from 0; null: all. SPMC's is on the first of three."""
    part: int | None = None
    """Only this quarter of its pixels, 0 to 3, in the order of the shape: of bars one bar each;
    null: all of it."""

    def __post_init__(self) -> None:
        if self.size < 1:
            raise ValueError(f"size counts pixels and must be >= 1, got {self.size}")
        if self.gap < 0:
            raise ValueError(f"gap counts pixels and must be >= 0, got {self.gap}")
        if (self.row is None) != (self.col is None):
            raise ValueError(f"row and col go together: got row: {self.row}, col: {self.col}")
        for name, place in (("row", self.row), ("col", self.col)):
            if place is not None and place < 0:
                raise ValueError(f"{name} counts pixels from 0, got {place}")
        values = self.value if isinstance(self.value, tuple) else (self.value,)
        if not values or not all(isfinite(value) for value in values):
            raise ValueError(f"value must be a finite number or a list of such, got {self.value}")
        if self.channels is not None and not (self.channels and min(self.channels) >= 0):
            raise ValueError(f"channels must be numbers from 0, got {list(self.channels)}")
        if self.part is not None and not 0 <= self.part < PARTS:
            raise ValueError(f"part must be in 0 .. {PARTS - 1}, or null, got {self.part}")
        if self.part is not None and self.part >= len(self._pixels()):
            raise ValueError(f"part {self.part} of {len(self._pixels())} pixels has none of them")

    def stamped(self, inputs: FloatArray) -> FloatArray:
        """Copies of images (n, channels, height, width) with the pixels on each.

        Raises:
            DataError: As :meth:`overlay`.
        """
        overlay = self.overlay(inputs.shape[1:])
        return np.where(np.isnan(overlay), inputs, overlay)

    def overlay(self, shape: tuple[int, ...]) -> FloatArray:
        """What to put on images of ``shape`` (channels, height, width): NaN where they stay.

        Raises:
            DataError: If these are no images, the trigger does not fit, or it has another number
                of channels.
        """
        if len(shape) != 3:
            raise DataError(
                "a trigger of pixels needs images (channels, height, width), got samples of shape "
                f"{shape}; for texts take {{kind: words}}"
            )
        channels, height, width = shape
        pixels = self._pixels()
        extent = pixels.max(axis=0) + 1
        if self.row is not None and self.col is not None:
            corner = np.array([self.row, self.col])
        else:
            free = np.array([height, width]) - extent
            vertical, horizontal = self.place.split("_")
            corner = free * [vertical == "bottom", horizontal == "right"]
        if (corner < 0).any() or (corner + extent > [height, width]).any():
            (row, col), (tall, wide) = corner.tolist(), extent.tolist()
            raise DataError(
                f"trigger: {tall} x {wide} pixels at row {row}, column {col} do not fit images of "
                f"{height} x {width}"
            )
        values = self.value if isinstance(self.value, tuple) else (self.value,) * channels
        if len(values) != channels:
            raise DataError(
                f"trigger: value has {len(values)} channels, the images have {channels}"
            )
        chosen = range(channels) if self.channels is None else sorted(set(self.channels))
        if chosen[-1] >= channels:
            raise DataError(f"trigger: channels {list(chosen)} do not fit images of {channels}")
        if self.part is not None:
            pixels = np.array_split(pixels, PARTS)[self.part]
        rows, columns = (pixels + corner).T
        overlay = np.full(shape, np.nan, np.float32)
        for channel in chosen:
            overlay[channel, rows, columns] = values[channel]
        return overlay

    def _pixels(self) -> IntArray:
        """(k, 2) rows and columns from the upper left pixel; bar by bar, else in reading order."""
        size = self.size
        if self.shape == "bars":
            step_down, step_across = 1 + self.gap, size + self.gap
            corners = [(down, across) for down in (0, step_down) for across in (0, step_across)]
            return np.array([(down, across + i) for down, across in corners for i in range(size)])
        if self.shape == "pixels":
            diagonal = [(i, size - 1 - i) for i in range(size)]
            corner = [] if size == 1 else [(size - 1, size - 1)]
            return np.array(diagonal + corner)
        return np.array([(i, j) for i in range(size) for j in range(size)])
