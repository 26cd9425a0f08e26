"""Random square crops of labelled scenes for training a detector: scale, position, mirror image, colour."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from features.faces.training import LabelledImages

MIN_FACE_PX, MAX_FACE_PX = 18.0, 240.0
MIN_SCALE, MAX_SCALE = 0.3, 2.0
MIN_VISIBLE = 0.4
"""Faces of which less is in view (occluded or outside the crop) are not counted."""

_MIRRORED_LANDMARKS = [1, 0, 2, 4, 3]


@dataclass(frozen=True, slots=True, eq=False)
class LabelledScene:
    """One picture with its faces.

    Attributes
    ----------
    pixels
        uint8 RGB (H, W, 3).
    boxes
        float (faces, 4), ``x1 y1 x2 y2`` in pixels; may reach beyond the picture.
    landmarks
        float (faces, 5, 2) in pixels.
    visible_fraction
        float (faces,), share of the face that is in view, 0 to 1.
    """

    pixels: NDArray[np.uint8]
    boxes: NDArray[np.floating]
    landmarks: NDArray[np.floating]
    visible_fraction: NDArray[np.floating]


def crop_scenes(
    scenes: Sequence[LabelledScene],
    *,
    size: int,
    rng: np.random.Generator,
    face_px: tuple[float, float] = (MIN_FACE_PX, MAX_FACE_PX),
) -> LabelledImages:
    """Cut one random crop of `size` x `size` pixels out of each scene, with its labels.

    Notes
    -----
    One face of the scene, chosen at random, is scaled so that its longer side is log-uniform in `face_px` (pixels; at most
    0.9 of the crop), and its centre falls anywhere in the crop, mostly without reaching beyond the scene. So all anchors
    get practice, whatever sizes the scenes hold.
    """
    crops = [_crop_scene(scene, size=size, rng=rng, face_px=face_px) for scene in scenes]
    return LabelledImages(
        pixels=np.stack([crop.pixels for crop in crops]),
        boxes=[crop.boxes.astype(np.float32) for crop in crops],
        landmarks=[crop.landmarks.astype(np.float32) for crop in crops],
        counted=[crop.visible_fraction >= MIN_VISIBLE for crop in crops],
    )


def _crop_scene(
    scene: LabelledScene, *, size: int, rng: np.random.Generator, face_px: tuple[float, float]
) -> LabelledScene:
    scale, offset = _choose_window(scene, size=size, rng=rng, face_px=face_px)
    mirrored = rng.random() < 0.5
    sign = -1.0 if mirrored else 1.0
    # Pixel centres sit on whole numbers, so mirroring a crop maps x to size - 1 - x.
    shift_x = size - 1 - offset[0] if mirrored else offset[0]
    matrix = np.array([[sign * scale, 0.0, shift_x], [0.0, scale, offset[1]]])
    pixels = _warp(scene.pixels, matrix, scale, size=size, fill=rng.integers(0, 256, 3))
    corners = scene.boxes.reshape(-1, 2, 2) @ matrix[:, :2].T + matrix[:, 2]
    boxes = np.concatenate((corners.min(axis=1), corners.max(axis=1)), axis=1)
    landmarks = scene.landmarks.reshape(-1, 5, 2) @ matrix[:, :2].T + matrix[:, 2]
    if mirrored:
        landmarks = landmarks[:, _MIRRORED_LANDMARKS]
    visible = scene.visible_fraction * _share_inside(boxes, size) / np.maximum(_share_shown(scene), 1e-6)
    near = _share_inside(boxes, size) > 0
    return LabelledScene(_shift_colours(pixels, rng), boxes[near], landmarks[near], visible[near])


def _choose_window(
    scene: LabelledScene, *, size: int, rng: np.random.Generator, face_px: tuple[float, float]
) -> tuple[float, NDArray[np.floating]]:
    """Return scale and shift: a scene point p lands at ``scale * p + shift`` in the crop."""
    height, width = scene.pixels.shape[:2]
    shown = np.flatnonzero(scene.visible_fraction >= MIN_VISIBLE)
    if shown.size and rng.random() < 0.9:
        box = scene.boxes[rng.choice(shown)]
        side = float(np.exp(rng.uniform(np.log(face_px[0]), np.log(min(face_px[1], 0.9 * size)))))
        scale = side / max(box[2] - box[0], box[3] - box[1])
        focus = (box[:2] + box[2:]) / 2
    else:
        scale = size / height * float(np.exp(rng.uniform(np.log(0.5), np.log(2.0))))
        focus = rng.uniform(0, 1, 2) * (width, height)
    scale = float(np.clip(scale, MIN_SCALE, MAX_SCALE))
    shift = rng.uniform(0.15, 0.85, 2) * size - scale * focus
    if rng.random() < 0.8:
        # Beyond the scene lies an even colour that teaches little: keep the crop inside, or the scene inside the crop.
        spare = size - scale * np.array([width, height])
        shift = np.clip(shift, np.minimum(spare, 0), np.maximum(spare, 0))
    return scale, shift


def _warp(
    pixels: NDArray[np.uint8], matrix: NDArray[np.floating], scale: float, *, size: int, fill: NDArray[np.integer]
) -> NDArray[np.uint8]:
    if scale < 0.5:
        # Bilinear sampling at below half size would skip pixels.
        height, width = pixels.shape[:2]
        pixels = cv2.resize(pixels, (width // 2, height // 2), interpolation=cv2.INTER_AREA).astype(
            np.uint8, copy=False
        )
        matrix = matrix @ np.array([[2.0, 0.0, 0.5], [0.0, 2.0, 0.5], [0.0, 0.0, 1.0]])
    return cv2.warpAffine(
        pixels,
        matrix,
        (size, size),
        flags=cv2.INTER_LINEAR,
        borderMode=cv2.BORDER_CONSTANT,
        borderValue=[float(value) for value in fill],
    ).astype(np.uint8, copy=False)


def _share_inside(boxes: NDArray[np.floating], size: int) -> NDArray[np.floating]:
    return _overlap_share(boxes, size, size)


def _share_shown(scene: LabelledScene) -> NDArray[np.floating]:
    """Share of each box inside the scene: what the frame's edge already took from `visible_fraction`."""
    height, width = scene.pixels.shape[:2]
    return _overlap_share(scene.boxes.reshape(-1, 4), height, width)


def _overlap_share(boxes: NDArray[np.floating], height: int, width: int) -> NDArray[np.floating]:
    limits = np.array([width, height], dtype=float)
    sides = np.clip(boxes[:, 2:], 0, limits) - np.clip(boxes[:, :2], 0, limits)
    area = np.maximum(np.prod(boxes[:, 2:] - boxes[:, :2], axis=1), 1e-6)
    share: NDArray[np.floating] = np.prod(sides, axis=1) / area
    return share


def _shift_colours(pixels: NDArray[np.uint8], rng: np.random.Generator) -> NDArray[np.uint8]:
    """Change gain, offset and gamma a little, per channel, through one lookup table; one crop in ten turns grey."""
    if rng.random() < 0.1:
        pixels = np.repeat(cv2.cvtColor(pixels, cv2.COLOR_RGB2GRAY)[..., None], 3, axis=2).astype(np.uint8)
    levels = np.linspace(0, 1, 256)[:, None]
    gamma = np.exp(rng.uniform(-0.35, 0.35))
    gain = np.exp(rng.uniform(-0.25, 0.25)) * np.exp(rng.uniform(-0.08, 0.08, 3))
    table = np.clip(levels**gamma * gain + rng.uniform(-0.08, 0.08), 0, 1) * 255
    lookup = np.rint(table).astype(np.uint8)[:, None, :].transpose(1, 0, 2)
    return cv2.LUT(pixels, lookup).astype(np.uint8, copy=False)
