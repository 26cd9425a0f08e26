"""Random crops keep labels on the pixels that they name."""

from __future__ import annotations

import numpy as np
import pytest

from features.faces.training_crops import LabelledScene, crop_scenes

SIZE = 128
COLOURS = [(255, 0, 0), (0, 255, 0), (0, 0, 255), (255, 255, 0), (0, 255, 255)]


def marked_scene() -> LabelledScene:
    """A grey face with a large dot of its own colour at each landmark, on black."""
    pixels = np.zeros((360, 640, 3), np.uint8)
    pixels[100:220, 260:360] = 110
    landmarks = np.array([[285.0, 140], [335, 140], [310, 165], [290, 195], [330, 195]])
    y, x = np.mgrid[:360, :640]
    for (px, py), colour in zip(landmarks, COLOURS, strict=True):
        pixels[(x - px) ** 2 + (y - py) ** 2 <= 81] = colour
    return LabelledScene(pixels, np.array([[260.0, 100, 360, 220]]), landmarks[None], np.ones(1))


def test_landmarks_point_at_their_dots_and_mirrored_ones_change_sides() -> None:
    rng = np.random.default_rng(0)
    n_checked = n_mirrored = 0
    scene = marked_scene()
    for _ in range(60):
        images = crop_scenes([scene], size=SIZE, rng=rng)
        if not len(images.boxes[0]) or np.ptp(images.boxes[0][0, [1, 3]]) < 50:
            continue
        pixels, points = images.pixels[0].astype(int), images.landmarks[0][0]
        assert points[0, 0] < points[1, 0]
        assert points[3, 0] < points[4, 0]
        if ((points < 4) | (points > SIZE - 5)).any():
            continue
        found = [pixels[round(float(y)), round(float(x))] for x, y in points]
        if max(np.ptp(colour) for colour in found) < 60:  # turned grey
            continue
        mirrored = found[0][1] > found[0][0]
        expected = [COLOURS[i] for i in ([1, 0, 2, 4, 3] if mirrored else range(5))]
        for colour, wanted in zip(found, expected, strict=True):
            assert set(np.flatnonzero(np.array(wanted))) == set(
                np.flatnonzero(colour > (colour.min() + colour.max()) / 2)
            )
        n_checked += 1
        n_mirrored += mirrored
    assert n_checked >= 10
    assert 0 < n_mirrored < n_checked


def test_faces_come_in_all_sizes() -> None:
    images = crop_scenes([marked_scene()] * 80, size=256, rng=np.random.default_rng(1))
    sides = [np.ptp(boxes[0, [1, 3]]) for boxes in images.boxes if len(boxes)]
    assert min(sides) < 50
    assert max(sides) > 180


def test_a_face_mostly_outside_the_crop_does_not_count() -> None:
    images = crop_scenes([marked_scene()] * 60, size=SIZE, rng=np.random.default_rng(2))
    for box, counts in zip(np.concatenate(images.boxes), np.concatenate(images.counted), strict=True):
        inside = np.prod(np.clip(box[2:], 0, SIZE) - np.clip(box[:2], 0, SIZE)) / np.prod(box[2:] - box[:2])
        assert counts == (inside >= 0.4) or abs(inside - 0.4) < 1e-3


def test_scenes_without_faces_give_crops_without_labels() -> None:
    empty = LabelledScene(np.zeros((360, 640, 3), np.uint8), np.zeros((0, 4)), np.zeros((0, 5, 2)), np.zeros(0))
    images = crop_scenes([empty, empty], size=SIZE, rng=np.random.default_rng(0))
    assert images.pixels.shape == (2, SIZE, SIZE, 3)
    assert images.boxes[0].shape == (0, 4)
    assert images.landmarks[0].shape == (0, 5, 2)


def test_the_same_seed_gives_the_same_crops() -> None:
    first, again = (crop_scenes([marked_scene()] * 4, size=SIZE, rng=np.random.default_rng(7)) for _ in range(2))
    np.testing.assert_array_equal(first.pixels, again.pixels)
    np.testing.assert_array_equal(np.concatenate(first.boxes), np.concatenate(again.boxes))


@pytest.mark.parametrize("seed", range(3))
def test_labels_are_float32_of_matching_length(seed: int) -> None:
    images = crop_scenes([marked_scene()] * 3, size=SIZE, rng=np.random.default_rng(seed))
    for boxes, landmarks, counted in zip(images.boxes, images.landmarks, images.counted, strict=True):
        assert boxes.dtype == landmarks.dtype == np.float32
        assert len(boxes) == len(landmarks) == len(counted)
