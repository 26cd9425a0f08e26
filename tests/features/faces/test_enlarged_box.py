"""Crops by a data set's own boxes."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from features.faces.enlarged_box import crop_enlarged_box, enlarge_box


def test_each_side_moves_out_by_three_tenths_of_the_box() -> None:
    # Width 40, height 60: 12 and 18 pixels more on each side, 1.6 times the box in all.
    assert enlarge_box(np.array([100, 200, 140, 260]), width=1000, height=1000) == (88, 182, 152, 278)


def test_what_reaches_beyond_the_picture_is_clipped() -> None:
    # 10 - 0.3 * 100 = -20 -> 0; 110 + 30 = 140 -> 120; 20 - 30 = -10 -> 0; 120 + 30 = 150, inside.
    assert enlarge_box(np.array([10, 20, 110, 120]), width=120, height=200) == (0, 0, 120, 150)


def test_infinite_edges_take_the_whole_picture() -> None:
    whole = np.array([-np.inf, -np.inf, np.inf, np.inf])
    assert enlarge_box(whole, width=64, height=48) == (0, 0, 64, 48)


def test_pixels_are_those_of_the_window_brought_to_a_square() -> None:
    picture = np.random.default_rng(0).integers(0, 256, (100, 80, 3), dtype=np.uint8)
    # Box 10 x 10 at (30, 40): window 27..43 x 37..53, 16 pixels, which fits the crop exactly.
    crop = crop_enlarged_box(picture, np.array([30, 40, 40, 50]), size=16)
    np.testing.assert_array_equal(crop, picture[37:53, 27:43])
    # Half as large: each pixel is the mean of four.
    half = crop_enlarged_box(picture, np.array([30, 40, 40, 50]), size=8)
    mean = picture[37:53, 27:43].reshape(8, 2, 8, 2, 3).mean(axis=(1, 3))
    assert np.abs(half - mean).max() <= 0.5 + 1e-6
    assert crop_enlarged_box(picture, np.array([30, 40, 40, 50]), size=32).shape == (32, 32, 3)


def test_a_box_that_is_not_square_is_stretched() -> None:
    picture = np.zeros((100, 100, 3), dtype=np.uint8)
    cv2.circle(picture, (50, 50), 10, (255, 255, 255), -1)
    crop = crop_enlarged_box(picture, np.array([40, 30, 60, 70]), size=64)  # window 32 x 64
    across, down = (crop[32, :, 0] > 127).sum(), (crop[:, 32, 0] > 127).sum()
    assert across == pytest.approx(2 * down, abs=3)


@pytest.mark.parametrize("box", [[10, 10, 10, 20], [20, 10, 10, 20], [np.nan] * 4, [100, 10, 120, 20], [-9, 1, 0, 5]])
def test_empty_unknown_and_outlying_boxes_are_refused(box: list[float]) -> None:
    with pytest.raises(ValueError, match="Expected a box"):
        enlarge_box(np.array(box), width=100, height=100)
