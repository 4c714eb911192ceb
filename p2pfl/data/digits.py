"""Digits: 1,797 handwritten digits of 8 by 8 pixels, which lie beside this file.

Source
    E. Alpaydin, C. Kaynak. "Optical Recognition of Handwritten Digits." UCI Machine Learning
    Repository, 1998. doi:10.24432/C50P49. CC BY 4.0. Its test part, as scikit-learn has it; with
    scikit-learn it would take 1.3 s to load, and most runs need nothing else of that.
"""

from collections.abc import Mapping
from pathlib import Path

import numpy as np

from p2pfl.data.dataset import TEST_SEED, Dataset
from p2pfl.data.source import Source
from p2pfl.data.stratify import stratified
from p2pfl.seeding import stream

_TEST_SAMPLES = 359  # 20 % of 1,797


def read(_: Mapping[str, Path]) -> Dataset:
    """1,438 training and 359 test samples, (1, 8, 8), each class in proportion."""
    with np.load(Path(__file__).with_suffix(".npz"), allow_pickle=False) as published:
        inputs = (published["images"] / 16).astype(np.float32)[:, None]
        labels = published["labels"].astype(np.int64)
    # There is no published split. Ours is a constant, for the reasons at TEST_SEED.
    test = stratified(labels, _TEST_SAMPLES, stream(TEST_SEED, "digits", "test"))
    train = np.setdiff1d(np.arange(len(labels)), test)
    return Dataset(
        name="digits",
        inputs=inputs[train],
        labels=labels[train],
        test_inputs=inputs[test],
        test_labels=labels[test],
        classes=10,
    )


SOURCE = Source(
    name="digits",
    summary="1,438 + 359 handwritten digits, 1x8x8, 10 classes; comes with this package",
    homepage="https://archive.ics.uci.edu/dataset/80",
    read=read,
)
