"""Crops of a face: turned upright by its five landmarks, or the plain box.

Both are sampled from the frame as it was recorded, not from the reduced copy that the detector sees.

References
----------
.. [1] Umeyama S. (1991). Least-squares estimation of transformation parameters between two point patterns. IEEE TPAMI
   13(4). doi:10.1109/34.88573
.. [2] Deng J. et al. (2019). ArcFace: additive angular margin loss for deep face recognition. CVPR.
   doi:10.1109/CVPR.2019.00482
"""

from __future__ import annotations

import math
from functools import lru_cache

import cv2
import numpy as np
from numpy.typing import NDArray

CROP_SCALE = 0.70
"""Size of the face in the aligned crop relative to the ArcFace crop, which ends just below the lips.

On 120 rendered identities with the jaw fully dropped, frontal and turned, the chin lies 1.0 inter-ocular distances
below the mouth corners on average and up to 1.3. At scale 1 that is up to 1.19 of the crop's height; at 0.70 up to
0.94. The chin would meet the lower edge at about 1.5; the hairline stays in view at the top.
"""

BOX_MARGIN = 0.2
"""Margin of the unaligned crop on each side, as a fraction of the longer side of the box."""

_TEMPLATE_SIDE = 112.0
_FIXED_POINT = np.array([0.5, 0.35])
"""Where scaling is centred, as a fraction of the crop: above its middle, so that the room gained is below the chin."""


def align_face(
    frame: NDArray[np.uint8], landmarks: NDArray[np.floating], *, size: int = 224, scale: float = CROP_SCALE
) -> NDArray[np.uint8]:
    """Cut a face out of a frame, upright and at a fixed size.

    Parameters
    ----------
    frame
        uint8 RGB (H, W, 3) at full resolution.
    landmarks
        (5, 2) in pixels of the frame: image-left eye, image-right eye, nose, image-left and image-right mouth corner.
    size
        Side of the crop in pixels.
    scale
        Size of the face relative to the ArcFace template; 1 gives the usual crop for face recognition.

    Returns
    -------
    numpy.ndarray
        uint8 RGB (size, size, 3); black where it reaches beyond the frame.

    Raises
    ------
    ValueError
        If the landmarks are not five finite, distinct points.
    """
    return _sample(frame, alignment_matrix(landmarks, size=size, scale=scale), size)


def alignment_matrix(
    landmarks: NDArray[np.floating], *, size: int = 224, scale: float = CROP_SCALE
) -> NDArray[np.float64]:
    """Return the (2, 3) similarity that takes pixels of the frame to pixels of the aligned crop; see `align_face`."""
    points = np.asarray(landmarks, dtype=np.float64)
    if points.shape != (5, 2) or not np.isfinite(points).all():
        raise ValueError(f"Expected five finite landmarks (5, 2), got shape {points.shape}: {points.tolist()}.")
    return fit_similarity(points, _crop_template(size, scale))


@lru_cache(maxsize=16)
def _crop_template(size: int, scale: float) -> NDArray[np.float64]:
    """Where the five landmarks belong in a crop, in pixels."""
    # Here, because insightface imports its whole model zoo (about a second), which only cropping needs.
    from insightface.utils.face_align import arcface_dst  # noqa: PLC0415

    template = np.asarray(arcface_dst, dtype=np.float64) / _TEMPLATE_SIDE
    placed: NDArray[np.float64] = ((template - _FIXED_POINT) * scale + _FIXED_POINT) * size
    return placed


def fit_similarity(source: NDArray[np.float64], target: NDArray[np.float64]) -> NDArray[np.float64]:
    """Least-squares similarity (rotation, one scale, shift; no mirroring) from source (n, 2) to target (n, 2).

    Returns
    -------
    numpy.ndarray
        float64 (2, 3), such that ``source @ m[:, :2].T + m[:, 2]`` is nearest to `target`.

    Raises
    ------
    ValueError
        If all source points coincide.

    Notes
    -----
    The closed form of [1]_ in the plane: with centred points as complex numbers, the factor is
    ``sum(conj(source) * target) / sum(|source|^2)``.
    """
    source_mean, target_mean = source.mean(axis=0), target.mean(axis=0)
    a, b = source - source_mean, target - target_mean
    spread = float(np.sum(a * a))
    if spread < 1e-9:
        raise ValueError(f"Expected distinct landmarks, got five times the point {source_mean.tolist()}.")
    real = float(np.sum(a * b)) / spread
    imaginary = float(np.sum(a[:, 0] * b[:, 1] - a[:, 1] * b[:, 0])) / spread
    turn = np.array([[real, -imaginary], [imaginary, real]])
    return np.column_stack((turn, target_mean - turn @ source_mean))


def crop_box(
    frame: NDArray[np.uint8], box: NDArray[np.floating], *, size: int = 512, margin: float = BOX_MARGIN
) -> NDArray[np.uint8]:
    """Cut the square around a face box out of a frame without turning it, as Hugging Rain Man annotates.

    Parameters
    ----------
    frame
        uint8 RGB (H, W, 3).
    box
        ``x1 y1 x2 y2`` in pixels; may reach beyond the frame.
    size
        Side of the crop in pixels.
    margin
        Margin on each side as a fraction of the longer side of the box.

    Returns
    -------
    numpy.ndarray
        uint8 RGB (size, size, 3), aspect kept; black where it reaches beyond the frame.

    Raises
    ------
    ValueError
        If the box is empty or not finite.
    """
    x1, y1, x2, y2 = (float(value) for value in box)
    side = max(x2 - x1, y2 - y1) * (1 + 2 * margin)
    if not (math.isfinite(side) and x2 > x1 and y2 > y1):
        raise ValueError(f"Expected a box with x1 < x2 and y1 < y2, got {[x1, y1, x2, y2]}.")
    zoom = size / side
    # Pixel centres lie on whole numbers: the crop's middle is (size - 1) / 2.
    shift_x = (size - 1) / 2 - zoom * (x1 + x2) / 2
    shift_y = (size - 1) / 2 - zoom * (y1 + y2) / 2
    return _sample(frame, np.array([[zoom, 0.0, shift_x], [0.0, zoom, shift_y]]), size)


def _sample(frame: NDArray[np.uint8], matrix: NDArray[np.float64], size: int) -> NDArray[np.uint8]:
    """Warp a frame by a similarity; faces larger than the crop are first averaged down, else fine skin would alias."""
    reduction = int(1 / math.hypot(matrix[0, 0], matrix[1, 0]))
    if reduction >= 2:
        frame, matrix = _average_down(frame, matrix, size, reduction)
    warped = cv2.warpAffine(frame, matrix, (size, size), flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_CONSTANT)
    return warped.astype(np.uint8, copy=False)


def _average_down(
    frame: NDArray[np.uint8], matrix: NDArray[np.float64], size: int, reduction: int
) -> tuple[NDArray[np.uint8], NDArray[np.float64]]:
    """Shrink the part of the frame that the crop needs by a whole factor; return it with the matrix that fits it."""
    corners = np.array([[0, 0], [size, 0], [0, size], [size, size]], dtype=np.float64)
    inverse = cv2.invertAffineTransform(matrix)
    needed = corners @ inverse[:, :2].T + inverse[:, 2]
    height, width = frame.shape[:2]
    left, top = np.clip(np.floor(needed.min(axis=0)) - reduction, 0, (width, height)).astype(int)
    right, bottom = np.clip(np.ceil(needed.max(axis=0)) + reduction, 0, (width, height)).astype(int)
    columns, rows = (right - left) // reduction, (bottom - top) // reduction
    if columns < 1 or rows < 1:
        return frame, matrix
    part = frame[top : top + rows * reduction, left : left + columns * reduction]
    small = cv2.resize(part, (columns, rows), interpolation=cv2.INTER_AREA).astype(np.uint8, copy=False)
    # The centre of small pixel 0 is the middle of the first `reduction` source pixels.
    offset = np.array([left, top]) + (reduction - 1) / 2
    linear = matrix[:, :2]
    return small, np.column_stack((linear * reduction, matrix[:, 2] + linear @ offset))
