"""Where a trigger's pixels lie, against the published ones."""

from itertools import chain

import numpy as np
import pytest

from p2pfl.data.triggers import Trigger
from p2pfl.errors import DataError

BARS = {"shape": "bars", "row": 0, "col": 0}


def places(trigger, shape=(1, 28, 28)):
    return np.argwhere(~np.isnan(trigger.overlay(shape)[0])).tolist()


def test_dbas_bars_on_mnist():
    wanted = [[row, col + i] for row in (0, 3) for col in (0, 6) for i in range(4)]
    assert sorted(places(Trigger(**BARS, size=4, gap=2))) == sorted(wanted)


def test_dbas_bars_on_cifar():
    wanted = [[row, col + i] for row in (0, 4) for col in (0, 9) for i in range(6)]
    assert sorted(places(Trigger(**BARS, size=6, gap=3), (3, 32, 32))) == sorted(wanted)


def test_the_pixels_of_badnets_on_mnist():
    pixels = places(Trigger(shape="pixels", row=24, col=24))
    assert pixels == [[24, 26], [25, 25], [26, 24], [26, 26]]
    assert places(Trigger(shape="pixels", size=1, row=3, col=4)) == [[3, 4]]


def test_spmcs_twelve_pixels_are_on_the_first_channel():
    trigger = Trigger(**BARS, size=3, gap=1, channels=(0,), value=0.44)
    overlay = trigger.overlay((3, 32, 32))
    assert np.isfinite(overlay).sum() == 12
    wanted = [[0, row, col] for row in (0, 2) for col in (0, 1, 2, 4, 5, 6)]
    assert np.argwhere(np.isfinite(overlay)).tolist() == wanted
    assert set(overlay[np.isfinite(overlay)]) == {np.float32(0.44)}


@pytest.mark.parametrize("channels", [(), (-1,)])
def test_channels_count_from_zero(channels):
    with pytest.raises(ValueError, match="channels"):
        Trigger(channels=channels)


def test_a_channel_that_is_not_there_is_refused():
    with pytest.raises(DataError, match=r"channels \[0, 1\] do not fit images of 1"):
        Trigger(channels=(1, 0)).overlay((1, 8, 8))


@pytest.mark.parametrize(
    ("place", "corner"),
    [
        ("top_left", (0, 0)),
        ("top_right", (0, 3)),
        ("bottom_left", (2, 0)),
        ("bottom_right", (2, 3)),
    ],
)
def test_a_square_touches_its_corner(place, corner):
    row, col = corner
    wanted = [[row + i, col + j] for i in (0, 1) for j in (0, 1)]
    assert places(Trigger(size=2, place=place), (1, 4, 5)) == wanted


def test_parts_of_bars_are_the_bars_and_parts_of_a_square_are_its_quarters():
    bar = Trigger(**BARS, size=4, part=2)
    assert places(bar) == [[3, 0], [3, 1], [3, 2], [3, 3]]
    for trigger in ({"shape": "square", "size": 3}, {"shape": "pixels"}, BARS):
        parts = [places(Trigger(**trigger, part=part)) for part in range(4)]
        assert sorted(chain(*parts)) == places(Trigger(**trigger))
        assert all(parts)


def test_values_are_for_all_channels_or_one_for_each():
    grey = Trigger(size=1, value=0.5).overlay((3, 2, 2))
    assert grey[:, 1, 1].tolist() == [0.5, 0.5, 0.5]
    assert np.isnan(grey).sum() == 9
    coloured = Trigger(size=1, value=(1.0, 0.5, 0.0)).overlay((3, 2, 2))
    assert coloured[:, 1, 1].tolist() == [1.0, 0.5, 0.0]
    assert coloured.dtype == np.float32


def test_pixels_are_stamped_on_copies():
    images = np.arange(8, dtype=np.float32).reshape(2, 1, 2, 2)
    stamped = Trigger(size=1, value=9.0).stamped(images)
    assert stamped.reshape(2, 4).tolist() == [[0, 1, 2, 9], [4, 5, 6, 9]]
    assert stamped.dtype == np.float32
    assert images[0, 0, 1, 1] == 3


@pytest.mark.parametrize(
    ("trigger", "shape", "message"),
    [
        (Trigger(size=4), (1, 3, 9), "4 x 4 pixels at row -1, column 5 do not fit images of 3 x 9"),
        (Trigger(row=7, col=0), (1, 8, 8), "3 x 3 pixels at row 7, column 0 do not fit"),
        (Trigger(shape="bars", size=4), (1, 8, 8), "4 x 10 pixels"),
        (Trigger(value=(1.0, 0.0)), (3, 8, 8), "value has 2 channels, the images have 3"),
        (Trigger(), (64,), r"pixels needs images .*, got samples of shape \(64,\); .*kind: words"),
    ],
)
def test_what_does_not_fit_is_refused(trigger, shape, message):
    with pytest.raises(DataError, match=message):
        trigger.overlay(shape)


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"size": 0}, "size counts pixels and must be >= 1, got 0"),
        ({"gap": -1}, "gap counts pixels and must be >= 0, got -1"),
        ({"row": 2}, "row and col go together: got row: 2, col: None"),
        ({"row": 2, "col": -1}, "col counts pixels from 0, got -1"),
        ({"value": float("nan")}, "value must be a finite number or a list of such, got nan"),
        ({"value": ()}, r"value must be a finite number or a list of such, got \(\)"),
        ({"part": 4}, r"part must be in 0 .. 3, or null, got 4"),
        ({"size": 1, "part": 1}, "part 1 of 1 pixels has none of them"),
    ],
)
def test_a_trigger_that_cannot_be_is_refused(given, message):
    with pytest.raises(ValueError, match=message):
        Trigger(**given)
