"""Head pose from five landmarks and a generic head.

Angles are those of a head seen by a distant camera (weak perspective). Axes: x to the image's right, y down, z from the
head towards the camera. ``yaw > 0``: the nose points to the image's right; ``pitch > 0``: up; ``roll > 0``: the head
leans clockwise in the image. The head turns by yaw first, then by pitch, then by roll about these fixed axes.

References
----------
.. [1] DeMenthon D. F. & Davis L. S. (1995). Model-based object pose in 25 lines of code. IJCV 15.
   doi:10.1007/BF01450852
.. [2] Ekman P., Friesen W. V. & Hager J. C. (2002). Facial Action Coding System: AU12 pulls the lip corners obliquely up.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

HEAD_POINTS = np.array(
    [
        [-0.50, 0.00, 0.00],
        [0.50, 0.00, 0.00],
        [0.00, 0.56, 0.56],
        [-0.40, 1.13, 0.15],
        [0.40, 1.13, 0.15],
    ]
)
"""Eyes, nose tip and mouth corners of a generic head, in inter-ocular distances from the point between the eyes.

x and y are the rounded ArcFace template, an average over frontal photographs; depths are anthropometric: the nose tip
about 35 mm and the mouth corners about 10 mm in front of the eyelids, at 63 mm between the pupils.
"""

SMILE = np.array([[0.0, 0.0, 0.0], [0.0, 0.0, 0.0], [0.0, 0.0, 0.0], [-1.0, -1.0, 0.0], [1.0, -1.0, 0.0]])
"""How the points move when the mouth corners are drawn up and out, as zygomaticus major does: at about 45 degrees [2]_."""

_CENTRED_HEAD = HEAD_POINTS - HEAD_POINTS.mean(axis=0)
_CENTRED_SMILE = SMILE - SMILE.mean(axis=0)
_SMILE_PENALTY = 0.01
_MAX_ITERATIONS = 10
_STEP = 1e-6
_CLOSE_ENOUGH_RAD = 1e-5


def rotation_matrix(yaw_deg: float, pitch_deg: float, roll_deg: float) -> NDArray[np.float64]:
    """Return the rotation (3, 3) of head points by the three angles; see the module for axes and order."""
    yaw, pitch, roll = np.deg2rad((yaw_deg, pitch_deg, roll_deg))
    about_y = np.array([[np.cos(yaw), 0, np.sin(yaw)], [0, 1, 0], [-np.sin(yaw), 0, np.cos(yaw)]])
    about_x = np.array([[1, 0, 0], [0, np.cos(pitch), -np.sin(pitch)], [0, np.sin(pitch), np.cos(pitch)]])
    about_z = np.array([[np.cos(roll), -np.sin(roll), 0], [np.sin(roll), np.cos(roll), 0], [0, 0, 1]])
    rotation: NDArray[np.float64] = about_z @ about_x @ about_y
    return rotation


def head_pose(landmarks: NDArray[np.floating]) -> tuple[float, float, float]:
    """Estimate how a head is turned.

    Parameters
    ----------
    landmarks
        (5, 2) in pixels: image-left eye, image-right eye, nose tip, image-left and image-right mouth corner.

    Returns
    -------
    tuple of float
        Yaw, pitch and roll in degrees.

    Raises
    ------
    ValueError
        If the landmarks are not five finite, distinct points.

    Notes
    -----
    The angles, one scale, a shift and a smile that bring the projected generic head nearest to the landmarks in the
    least-squares sense. Without the smile, mouth corners that are drawn up would read as a head that nods by 30 degrees, and
    frames would be left out because somebody smiles. An affine fit gives the start, as in [1]_; a few Gauss-Newton steps
    finish. Exact for the generic head itself, smiling or not; on a person the shape of nose and jaw adds a constant
    offset of some degrees, mostly in pitch, and a dropped jaw reads as a few degrees of nodding. Differences within one person
    are more accurate.
    """
    points = np.asarray(landmarks, dtype=np.float64)
    if points.shape != (5, 2) or not np.isfinite(points).all():
        raise ValueError(f"Expected five finite landmarks (5, 2), got shape {points.shape}: {points.tolist()}.")
    points = points - points.mean(axis=0)
    size = float(np.sqrt(np.sum(points**2)))
    if size < 1e-6:
        raise ValueError("Expected distinct landmarks, got five times the same point.")
    points /= size
    fitted = np.append(_initial_angles(points), 0.0)
    for _ in range(_MAX_ITERATIONS):
        residual = _residual(fitted, points)
        slopes = np.column_stack([(_residual(fitted + step, points) - residual) / _STEP for step in np.eye(4) * _STEP])
        # A little damping: at a full profile two angles trade off against each other.
        change = np.linalg.solve(slopes.T @ slopes + 1e-9 * np.eye(4), slopes.T @ residual)
        fitted = fitted - np.clip(change, -0.3, 0.3)
        if np.abs(change).max() < _CLOSE_ENOUGH_RAD:
            break
    yaw, pitch, roll = np.rad2deg(fitted[:3])
    return float(yaw), float(pitch), float(_wrap(roll))


def _initial_angles(points: NDArray[np.float64]) -> NDArray[np.float64]:
    """Angles in radians from the affine map of the centred head to the centred landmarks."""
    affine = np.linalg.lstsq(_CENTRED_HEAD, points, rcond=None)[0].T
    left, _, right = np.linalg.svd(affine, full_matrices=False)
    rows = left @ right
    return _angles_of(np.vstack((rows, np.cross(rows[0], rows[1]))))


def _angles_of(rotation: NDArray[np.float64]) -> NDArray[np.float64]:
    """Yaw, pitch and roll in radians of a rotation (3, 3); the inverse of `rotation_matrix`."""
    pitch = math.asin(float(np.clip(rotation[2, 1], -1, 1)))
    yaw = math.atan2(-float(rotation[2, 0]), float(rotation[2, 2]))
    roll = math.atan2(-float(rotation[0, 1]), float(rotation[1, 1]))
    return np.array([yaw, pitch, roll])


def _residual(fitted: NDArray[np.float64], points: NDArray[np.float64]) -> NDArray[np.float64]:
    """Differences (11,) between the landmarks and the projected head, the last one being the smile itself.

    The head is projected at three angles, with a smile and the best scale. The smile's small weight makes it 0 where the
    landmarks do not tell.
    """
    head = _CENTRED_HEAD + fitted[3] * _CENTRED_SMILE
    projected = (head @ rotation_matrix(*np.rad2deg(fitted[:3])).T)[:, :2]
    scale = float(np.sum(projected * points) / np.sum(projected**2))
    return np.append((scale * projected - points).ravel(), _SMILE_PENALTY * fitted[3])


def _wrap(degrees: float) -> float:
    return (degrees + 180.0) % 360.0 - 180.0
