"""Aligned crops and box crops, against insightface and by geometry."""

from __future__ import annotations

import warnings

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from features.faces.alignment import align_face, alignment_matrix, crop_box, fit_similarity
from features.facs import EMOTIONET_AUS
from features.synthetic.identity import sample_identity
from features.synthetic.renderer import FaceState, render_frame
from features.synthetic.scene import sample_scene_look

UPRIGHT = np.array([[200.0, 150], [260, 150], [230, 185], [206, 220], [254, 220]])


def turn(points: NDArray[np.floating], *, degrees: float, scale: float, shift: tuple[float, float]) -> NDArray:
    angle = np.deg2rad(degrees)
    rotation = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    return scale * points @ rotation.T + shift


def apply(matrix: NDArray[np.floating], points: NDArray[np.floating]) -> NDArray[np.floating]:
    return points @ matrix[:, :2].T + matrix[:, 2]


@pytest.mark.parametrize("size", [112, 224])
def test_at_scale_one_the_crop_is_insightfaces(size: int) -> None:
    from insightface.utils.face_align import estimate_norm

    rng = np.random.default_rng(size)
    for _ in range(5):
        landmarks = (UPRIGHT + rng.normal(0, 6, (5, 2))).astype(np.float32)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", FutureWarning)  # scikit-image's, about the method that insightface calls
            theirs = estimate_norm(landmarks, size)
        np.testing.assert_allclose(alignment_matrix(landmarks, size=size, scale=1.0), theirs, atol=2e-3)


def test_a_similarity_is_recovered_exactly() -> None:
    moved = turn(UPRIGHT, degrees=33, scale=2.5, shift=(40, -12))
    matrix = fit_similarity(UPRIGHT, moved)
    np.testing.assert_allclose(apply(matrix, UPRIGHT), moved, atol=1e-9)
    assert np.hypot(matrix[0, 0], matrix[1, 0]) == pytest.approx(2.5)


def test_a_turned_face_comes_out_upright_at_the_same_place() -> None:
    straight = apply(alignment_matrix(UPRIGHT), UPRIGHT)
    turned = turn(UPRIGHT, degrees=-40, scale=0.3, shift=(500, 300))
    np.testing.assert_allclose(apply(alignment_matrix(turned), turned), straight, atol=1e-6)
    assert straight[0, 1] == pytest.approx(straight[1, 1], abs=0.5)


def test_scale_is_the_size_of_the_face_in_the_crop() -> None:
    full, small = (apply(alignment_matrix(UPRIGHT, scale=scale), UPRIGHT) for scale in (1.0, 0.5))
    assert np.linalg.norm(small[1] - small[0]) == pytest.approx(0.5 * np.linalg.norm(full[1] - full[0]))


def test_crops_show_the_frames_pixels() -> None:
    """On a ramp, the pixel at q of the crop must hold the value of the frame at the point that maps to q."""
    x, y = np.meshgrid(np.arange(400), np.arange(300))
    frame = np.stack([x / 2, y / 2, np.full_like(x, 90)], axis=2).astype(np.uint8)
    landmarks = turn(UPRIGHT, degrees=8, scale=0.8, shift=(20, 10))
    crop = align_face(frame, landmarks)
    assert crop.shape == (224, 224, 3)
    inverse = cv2.invertAffineTransform(alignment_matrix(landmarks))
    for q in ((112, 112), (60, 150), (160, 90)):
        expected = apply(inverse, np.array([q], float))[0] / 2
        np.testing.assert_allclose(crop[q[1], q[0], :2], expected, atol=1.0)


def test_large_faces_are_averaged_not_skipped_through() -> None:
    """A checkerboard of single pixels is grey from afar; sampling every n-th pixel would show black and white."""
    y, x = np.mgrid[:2000, :2000]
    frame = np.repeat((((x + y) % 2) * 255).astype(np.uint8)[..., None], 3, axis=2)
    crop = align_face(frame, turn(UPRIGHT, degrees=5, scale=8, shift=(-900, -500)))
    middle = crop[80:150, 80:150].astype(float)
    assert middle.mean() == pytest.approx(127.5, abs=3)
    assert middle.std() < 5


def test_averaging_down_does_not_shift_the_picture() -> None:
    _y, x = np.mgrid[:1600, :1600].astype(float)
    ramp = np.repeat((x / 1600 * 255)[..., None], 3, axis=2).astype(np.uint8)
    landmarks = turn(UPRIGHT, degrees=0, scale=6, shift=(-600, -300))
    inverse = cv2.invertAffineTransform(alignment_matrix(landmarks))
    crop = align_face(ramp, landmarks)
    expected = apply(inverse, np.array([[112.0, 112.0]]))[0, 0] / 1600 * 255
    assert abs(float(crop[112, 112, 0]) - expected) <= 1.0


def test_beyond_the_frame_a_crop_is_black() -> None:
    frame = np.full((300, 400, 3), 200, np.uint8)
    crop = align_face(frame, UPRIGHT - (230, 150))
    assert (crop[:40, :40] == 0).all()
    assert (crop[-60, -60] == 200).all()


@pytest.mark.parametrize(
    "bad", [np.zeros((5, 2)), np.full((5, 2), np.nan), np.zeros((4, 2))], ids=["one", "nan", "four"]
)
def test_landmarks_that_are_no_face_are_refused(bad: NDArray[np.floating]) -> None:
    with pytest.raises(ValueError, match="landmarks"):
        align_face(np.zeros((50, 50, 3), np.uint8), bad)


@pytest.mark.parametrize(("yaw_deg", "pitch_deg"), [(0, 0), (30, 0), (-20, 15), (10, -15)])
def test_a_dropped_jaw_stays_inside_the_crop(yaw_deg: float, pitch_deg: float) -> None:
    open_mouth = np.isin(EMOTIONET_AUS, ["AU25", "AU26"]).astype(float)
    for seed in range(8):
        rng = np.random.default_rng(seed)
        state = FaceState(
            au_left=open_mouth, au_right=open_mouth, yaw_deg=yaw_deg, pitch_deg=pitch_deg, height_fraction=0.6
        )
        face = render_frame(
            [(sample_identity(rng), state)], sample_scene_look(rng, quality=1.0), width=240, height=180, rng=rng
        ).faces[0]
        outline = np.array(
            [[face.box[0], face.box[1]], [face.box[2], face.box[1]], [face.box[:3:2].mean(), face.box[3]]]
        )
        inside = apply(alignment_matrix(face.landmarks, size=224), outline)
        assert inside[2, 1] < 0.96 * 224  # chin
        assert inside[:2, 1].min() > 0.04 * 224  # hairline
        assert inside[0, 0] > 0
        assert inside[1, 0] < 224


def test_a_box_crop_is_square_unturned_and_centred() -> None:
    frame = np.zeros((400, 600, 3), np.uint8)
    frame[150:250, 260:340] = (10, 200, 30)  # a face box of 80 x 100
    crop = crop_box(frame, np.array([260, 150, 340, 250]), size=512, margin=0.2)
    assert crop.shape == (512, 512, 3)
    rows, columns = np.where(crop[..., 1] > 100)
    zoom = 512 / 140
    assert rows.min() == pytest.approx((512 - 100 * zoom) / 2, abs=zoom)
    assert rows.max() == pytest.approx((512 + 100 * zoom) / 2, abs=zoom)
    assert columns.max() - columns.min() == pytest.approx(80 * zoom, abs=zoom)


def test_a_box_crop_reaches_beyond_the_frame() -> None:
    frame = np.full((100, 100, 3), 250, np.uint8)
    crop = crop_box(frame, np.array([-50, 0, 50, 100]), size=100, margin=0.0)
    assert (crop[:, :45] == 0).all()
    assert (crop[5:-5, 55:] == 250).all()


@pytest.mark.parametrize("box", [[10, 10, 10, 40], [10, 40, 50, 20], [0, 0, np.nan, 10]])
def test_an_empty_box_is_refused(box: list[float]) -> None:
    with pytest.raises(ValueError, match="Expected a box"):
        crop_box(np.zeros((50, 50, 3), np.uint8), np.array(box))
