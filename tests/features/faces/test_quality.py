"""Sharpness and brightness on pictures whose values follow from their definition."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from features.faces.quality import brightness, sharpness


def test_an_even_surface_has_no_sharpness_and_its_own_brightness() -> None:
    crop = np.full((224, 224, 3), 60, np.uint8)
    assert sharpness(crop) == 0.0
    assert brightness(crop) == 60.0


def test_brightness_weighs_colours_by_bt601() -> None:
    colour = np.zeros((8, 8, 3), np.uint8)
    colour[..., 0] = 255  # red in RGB: 0.299 of full luma
    assert brightness(colour) == pytest.approx(0.299 * 255, abs=0.5)


def test_sharpness_is_the_variance_of_the_laplacian() -> None:
    """Vertical stripes of one pixel, 0 and 10: the Laplacian is +20 and -20 in turn, its variance 400."""
    stripes = np.tile(np.array([0, 10], np.uint8), (64, 32))
    assert sharpness(np.repeat(stripes[..., None], 3, axis=2)) == pytest.approx(400.0)


def test_blurring_lowers_sharpness() -> None:
    noise = np.random.default_rng(0).integers(0, 256, (224, 224, 3), dtype=np.uint8)
    values = [sharpness(cv2.GaussianBlur(noise, (0, 0), sigma).astype(np.uint8)) for sigma in (0.5, 1, 2, 4)]
    assert values == sorted(values, reverse=True)


def test_a_grey_picture_is_refused() -> None:
    with pytest.raises(ValueError, match="Expected an RGB crop"):
        brightness(np.zeros((10, 10), np.uint8))
