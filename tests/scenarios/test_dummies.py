import numpy as np
import pytest

from p2pfl.likeness import likeness
from scenarios.report.dummies import draw_dummies


@pytest.mark.parametrize("channels", [1, 3])
def test_it_draws_a_picture(tmp_path, channels):
    rng = np.random.default_rng(0)
    dummies = rng.standard_normal((6, channels, 8, 8), dtype=np.float32)
    real = rng.random((9, channels, 8, 8), dtype=np.float32)
    path = tmp_path / "dummies.png"
    for _ in range(2):  # the second replaces the first
        close = draw_dummies(path, dummies, np.arange(6) % 3, real, np.arange(9) % 4)
        assert close == likeness(dummies, np.arange(6) % 3, real, np.arange(9) % 4)
        assert path.read_bytes().startswith(b"\x89PNG")
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize("shape", [(6, 64), (6, 2, 8, 8), (6, 1, 8, 9)])
def test_what_is_no_image_is_refused(tmp_path, shape):
    dummies = np.zeros(shape, np.float32)
    labels = np.zeros(6, np.int64)
    with pytest.raises(ValueError, match="1 or 3 channels"):
        draw_dummies(tmp_path / "x.png", dummies, labels, np.zeros((6, 1, 8, 8)), labels)
