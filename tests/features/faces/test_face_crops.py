"""Each mode shows what it says: a picture whose colours are coordinates tells where a crop's corners lie."""

import numpy as np
import pytest

from features.faces.face_crops import CROP_MODES, cut_face

BOX = np.array([60.0, 80.0, 140.0, 180.0])
LANDMARKS = np.array([[80, 115], [120, 115], [100, 135], [85, 155], [115, 155]], dtype=np.float32)


@pytest.fixture
def picture():
    """Red is the column, green is the row, 240 x 200 pixels."""
    image = np.zeros((240, 200, 3), dtype=np.uint8)
    image[..., 0] = np.arange(200)[None, :]
    image[..., 1] = np.arange(240)[:, None]
    return image


def test_the_enlarged_box_is_the_box_and_three_tenths_on_each_side(picture):
    """80 x 100 pixels become 128 x 160: columns 36 to 164, rows 50 to 210; a square of 64 averages 2 x 2.5 pixels."""
    crop = cut_face(picture, BOX, LANDMARKS, mode="enlarged_box", size=64).astype(int)
    assert abs(crop[0, 0, 0] - 36) <= 1
    assert abs(crop[0, 0, 1] - 51) <= 1
    assert abs(crop[-1, -1, 0] - 162) <= 1
    assert abs(crop[-1, -1, 1] - 208) <= 1


def test_the_box_is_a_square_of_the_longer_side_and_a_fifth_on_each_side(picture):
    """The longer side 100 becomes 140 around (100, 130): columns 30 to 170, rows 60 to 200."""
    crop = cut_face(picture, BOX, LANDMARKS, mode="box", size=70).astype(int)
    assert np.abs(crop[0, 0, :2] - [31, 61]).max() <= 1
    assert np.abs(crop[-1, -1, :2] - [169, 199]).max() <= 1


def test_aligned_ignores_the_box(picture):
    one = cut_face(picture, BOX, LANDMARKS, mode="aligned", size=112)
    other = cut_face(picture, BOX + 5, LANDMARKS, mode="aligned", size=112)
    assert np.array_equal(one, other)


@pytest.mark.parametrize("mode", CROP_MODES)
@pytest.mark.parametrize("size", [32, 112, 224])
def test_every_mode_gives_a_square_of_bytes(picture, mode, size):
    crop = cut_face(picture, BOX, LANDMARKS, mode=mode, size=size)
    assert crop.shape == (size, size, 3)
    assert crop.dtype == np.uint8
