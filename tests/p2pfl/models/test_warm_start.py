"""Settings of a warm start, and the files that it reads."""

import numpy as np
import pytest

from p2pfl.errors import ScenarioError
from p2pfl.models import Mlp, ResNet10, WarmStart, build_model, read_start, warm_start_of
from p2pfl.vectors import FlatModel, Layout

MODEL = Mlp(hidden=(2,))
LAYOUT = Layout.of(build_model(MODEL, (3,), 2))  # 2 x 3 + 2 and 2 x 2 + 2
VECTOR = np.arange(14, dtype=np.float32)
TENSORS = {
    "1.weight": VECTOR[:6].reshape(2, 3),
    "1.bias": VECTOR[6:8],
    "3.weight": VECTOR[8:12].reshape(2, 2),
    "3.bias": VECTOR[12:],
}


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({}, "epochs or path: give one of them, got epochs: None, path: None"),
        ({"epochs": 2, "path": "a.npy"}, "epochs or path: give one of them, got epochs: 2"),
        ({"epochs": 0}, "epochs must be >= 1, got 0"),
        ({"epochs": 1, "samples": 0}, "samples must be >= 1, got 0"),
        ({"epochs": 1, "batch_size": 0}, "batch_size must be >= 1, got 0"),
        ({"epochs": 1, "lr": 0.0}, "lr must be finite and > 0, or null, got 0.0"),
        ({"path": "a.npy", "lr": 0.1}, "lr goes with epochs"),
        ({"path": "a.npy", "samples": 5}, "samples goes with epochs"),
        ({"path": "a.pt"}, r"path must end in .npy or .npz, got 'a.pt'"),
    ],
)
def test_what_it_refuses(settings, message):
    with pytest.raises(ValueError, match=message):
        WarmStart(**settings)


def test_a_model_says_where_it_starts_and_a_users_own_need_not():
    start = WarmStart(epochs=3)
    assert warm_start_of(Mlp(warm_start=start)) is start
    assert warm_start_of(Mlp()) is None
    assert warm_start_of(object()) is None


def test_a_vector_is_read_as_it_is(tmp_path):
    np.save(tmp_path / "a.npy", VECTOR)
    read = read_start(tmp_path / "a.npy", LAYOUT)
    assert read.dtype == np.float32
    np.testing.assert_array_equal(read, VECTOR)


def test_tensors_by_name_are_put_in_the_models_order(tmp_path):
    more = {"counter": np.array(7), **dict(reversed(TENSORS.items()))}
    np.savez(tmp_path / "a.npz", **more)
    np.testing.assert_array_equal(read_start(tmp_path / "a.npz", LAYOUT), VECTOR)


def test_running_statistics_are_tensors_too(tmp_path):
    flat = FlatModel(build_model(ResNet10(width=1 / 16, norm="batch"), (1, 8, 8), 10))
    state = {name: value.numpy() for name, value in flat.module.state_dict().items()}
    np.savez(tmp_path / "a.npz", **state)
    np.testing.assert_array_equal(read_start(tmp_path / "a.npz", flat.layout), flat.read().numpy())


def test_float64_is_rounded(tmp_path):
    np.save(tmp_path / "a.npy", VECTOR / 3.0 * np.float64(1))
    read = read_start(tmp_path / "a.npy", LAYOUT)
    np.testing.assert_array_equal(read, (VECTOR / 3.0).astype(np.float32))


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("a.npy", VECTOR[:13], r"a.npy: the vector has shape \(13,\) of float32; .* \(14,\)"),
        ("a.npy", np.arange(14), r"shape \(14,\) of int64"),
        ("a.npy", np.full(14, np.nan, np.float32), "not finite"),
        ("a.npy", np.full(14, 1e39), "not finite numbers in float32"),
        ("a.npy", np.array([{}] * 14, dtype=object), "cannot be read as an array of numbers"),
        ("a.npz", {"1.weight": TENSORS["1.weight"]}, r"no array '1.bias'; the model has 1.weight"),
        ("a.npz", {**TENSORS, "3.bias": VECTOR[:3]}, r"array '3.bias' has shape \(3,\)"),
        ("a.npz", {**TENSORS, "3.bias": np.array([{}, {}])}, "cannot be read as an array"),
    ],
)
def test_a_file_that_does_not_fit_is_told_with_its_key(tmp_path, name, content, message):
    path = tmp_path / name
    if isinstance(content, dict):
        np.savez(path, **content)
    else:
        np.save(path, content)
    with pytest.raises(ScenarioError, match=f"^model.warm_start.path: .*{message}"):
        read_start(path, LAYOUT)


@pytest.mark.parametrize("content", [b"", b"no array at all", b"PK\x03\x04 half a zip"])
def test_a_damaged_file_is_told_too(tmp_path, content):
    for name in ("a.npy", "a.npz"):
        (tmp_path / name).write_bytes(content)
        with pytest.raises(ScenarioError, match=r"^model\.warm_start\.path: a\.np. cannot be read"):
            read_start(tmp_path / name, LAYOUT)


def test_a_missing_file_is_told_with_its_folder(tmp_path):
    with pytest.raises(ScenarioError, match=r"path: there is no a\.npy in"):
        read_start(tmp_path / "a.npy", LAYOUT)
