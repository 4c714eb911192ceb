"""IDX, the format of MNIST and its kin: a big-endian header, then unsigned bytes, in gzip.

Source
    Y. LeCun, C. Cortes, C. Burges. "The MNIST database of handwritten digits", section "File
    formats". http://yann.lecun.com/exdb/mnist/
"""

import gzip
import math
import struct
import zlib
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import numpy.typing as npt

from p2pfl.data.dataset import Dataset, FloatArray, IntArray
from p2pfl.errors import DataError

_UNSIGNED_BYTE = 0x08  # the third byte of the magic number; the fourth counts the dimensions


def read_idx(path: Path, dimensions: int) -> npt.NDArray[np.uint8]:
    """The array of one file. Read-only: it shares the unpacked bytes.

    Args:
        path: A gzip file.
        dimensions: 1 for labels, 3 for images (count, rows, columns).

    Raises:
        DataError: It cannot be read or unpacked, or its magic number, or its number of bytes is
            not what the header says. The message names the file.
    """
    try:
        data = gzip.decompress(path.read_bytes())
    except (OSError, EOFError, zlib.error) as error:  # BadGzipFile is an OSError
        raise DataError(f"{path} is damaged or cannot be read: {error}") from error
    start = 4 * (1 + dimensions)
    if len(data) < start:
        raise DataError(f"{path} is damaged: {len(data)} bytes, its header alone takes {start}")
    magic, *shape = struct.unpack_from(f">{1 + dimensions}I", data)
    expected = _UNSIGNED_BYTE << 8 | dimensions
    if magic != expected:
        raise DataError(
            f"{path} is no IDX file of {dimensions} dimensions of unsigned bytes: "
            f"magic number 0x{magic:08x}, expected 0x{expected:08x}"
        )
    there, told = len(data) - start, math.prod(shape)
    if there != told:
        what = "truncated" if there < told else "damaged"
        raise DataError(
            f"{path} is {what}: its header tells of {' x '.join(map(str, shape))} = {told} bytes, "
            f"{there} follow"
        )
    return np.frombuffer(data, np.uint8, offset=start).reshape(shape)


def read_pair(
    images: Path, labels: Path, *, first_label: int = 0, transposed: bool = False
) -> tuple[FloatArray, IntArray]:
    """Images (N, 1, rows, columns) in [0, 1], and their labels counted from 0.

    Args:
        images: The file of the images.
        labels: The file of their labels.
        first_label: What the file calls the first class.
        transposed: Whether the file stores each image column by column.
    """
    pixels = read_idx(images, 3)
    names = read_idx(labels, 1)
    if len(pixels) != len(names):
        raise DataError(f"{images} holds {len(pixels)} images, {labels} {len(names)} labels")
    if transposed:
        pixels = pixels.transpose(0, 2, 1)
    inputs = np.divide(pixels, np.float32(255), dtype=np.float32, order="C")
    return inputs[:, None], names.astype(np.int64) - first_label


def read_dataset(
    found: Mapping[str, Path],
    *,
    name: str,
    files: tuple[str, ...],
    classes: int,
    first_label: int = 0,
    transposed: bool = False,
) -> Dataset:
    """A data set of four files: training images and labels, test images and labels."""
    train, train_labels, test, test_labels = (found[file] for file in files)
    inputs, labels = read_pair(train, train_labels, first_label=first_label, transposed=transposed)
    held_out, held_out_labels = read_pair(
        test, test_labels, first_label=first_label, transposed=transposed
    )
    return Dataset(
        name=name,
        inputs=inputs,
        labels=labels,
        test_inputs=held_out,
        test_labels=held_out_labels,
        classes=classes,
    )
