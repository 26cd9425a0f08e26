"""The height field of a head: a smooth part that carries the pose, and a detailed part that carries the shading."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from features.synthetic.canvas import Image, Plane
from features.synthetic.geometry import SIDE_SIGNS, ActionUnits, FaceGeometry
from features.synthetic.identity import Identity

DEPTH = 0.62
"""Distance, in face units, from the plane through the ears to the front of the face."""


def head_depth(identity: Identity, plane: Plane) -> Image:
    """Smooth height z (height, width) of head and nose: what is turned by the head pose.

    The ellipsoid is continued linearly near its rim and the nose is broad, so that the slope stays below 1.3: the
    inversion in `features.synthetic.projection` then converges at every pose that is rendered.
    """
    half_width = 1.09 * identity.face_half_width
    qx = (plane.x_axis() / half_width) ** 2
    y = plane.y_axis()
    qy = np.where(y < 0, (y / 1.35) ** 2, (y / 1.45) ** 2)
    z = DEPTH * _capped_root(qy[:, None] + qx[None, :])
    nose = plane.bump(0, identity.nose_tip_y, 0.12, 0.12) * 0.85
    nose += plane.bump(0, 0.5 * (identity.nose_tip_y + identity.eye_y), 0.11, 0.14) * 0.45
    z += identity.nose_height * nose
    z += 0.04 * plane.bump(0, 0.90, 0.22, 0.12)
    return np.asarray(z, dtype=np.float32)


def _capped_root(q: NDArray[np.floating]) -> NDArray[np.floating]:
    """sqrt(1 - q) up to q = 0.72, its tangent beyond."""
    start = 0.72
    root = np.sqrt(1 - start)
    return np.asarray(np.where(q < start, np.sqrt(np.clip(1 - q, 0, None)), root - (q - start) / (2 * root)))


def resting_relief(identity: Identity, plane: Plane) -> Image:
    """Detailed height of the resting face without lips and folds (they move): nose, sockets, cheeks, chin."""
    eye_x, eye_y, tip = identity.eye_half_distance, identity.eye_y, identity.nose_tip_y
    child = identity.childlikeness
    z = head_depth(identity, plane)
    ridge = np.exp(-0.5 * (plane.x_axis() / 0.070) ** 2)
    rise = np.interp(plane.y_axis(), [eye_y - 0.16, eye_y - 0.02, tip - 0.03, tip + 0.05], [0.0, 0.35, 1.0, 0.0])
    z += np.outer(rise, ridge).astype(np.float32) * np.float32(0.40 * identity.nose_height)
    z += 0.40 * identity.nose_height * plane.bump(0, tip, 0.070, 0.060)
    z += 0.060 * plane.mirrored_bumps(0.80 * identity.nose_half_width, tip + 0.035, 0.042, 0.042)
    z -= 0.085 * plane.mirrored_bumps(0.92 * eye_x, eye_y - 0.01, 0.150, 0.080)
    z += 0.055 * plane.mirrored_bumps(eye_x, eye_y, 0.090, 0.055)
    z += (0.035 - 0.02 * child) * plane.mirrored_bumps(0.85 * eye_x, eye_y - identity.brow_gap + 0.01, 0.15, 0.05)
    z += 0.085 * identity.cheek_fullness * plane.mirrored_bumps(0.43, 0.27, 0.17, 0.17)
    z += 0.045 * plane.bump(0, identity.mouth_y, 0.26, 0.15)
    z -= 0.035 * plane.bump(0, identity.mouth_y + 0.155, 0.17, 0.040)
    z += 0.060 * plane.bump(0, identity.mouth_y + 0.30, 0.15, 0.090)
    z -= 0.014 * plane.bump(0, 0.5 * (tip + identity.mouth_y) + 0.04, 0.022, 0.055)
    return z


def add_muscle_bulges(z: Image, plane: Plane, identity: Identity, geometry: FaceGeometry, aus: ActionUnits) -> None:
    """Raise cheeks (AU6, AU12), nose root (AU9), brow bulges (AU4) and the chin boss (AU17), in place."""
    for side, sign in enumerate(SIDE_SIGNS):
        smile, squeeze = aus.side("AU12", side), aus.side("AU06", side)
        lift = max(smile, squeeze)
        if lift > 0.02:
            height = 0.055 * smile + 0.060 * squeeze
            z += height * plane.bump(sign * 0.41, 0.24 - 0.07 * lift, 0.13, 0.10)
        frown = aus.side("AU04", side)
        if frown > 0.02:
            inner = geometry.brows[side][1]
            z += 0.035 * frown * plane.bump(float(inner[0]), float(inner[1]) - 0.01, 0.055, 0.045)
        wrinkle = aus.side("AU09", side)
        if wrinkle > 0.02:
            z += 0.03 * wrinkle * plane.bump(sign * 0.11, identity.eye_y + 0.15, 0.05, 0.07)
    chin = aus.mean("AU17")
    if chin > 0.02:
        z += 0.055 * chin * plane.bump(0, identity.mouth_y + 0.24, 0.12, 0.075)


def surface_normals(z: Image, scale: float) -> tuple[Image, Image, Image]:
    """Return unit normals (x, y, z components) of a height field sampled with `scale` pixels per unit."""
    slope_x = np.asarray(cv2.Sobel(z, cv2.CV_32F, 1, 0, ksize=3, scale=scale / 8), dtype=np.float32)
    slope_y = np.asarray(cv2.Sobel(z, cv2.CV_32F, 0, 1, ksize=3, scale=scale / 8), dtype=np.float32)
    length = np.sqrt(slope_x * slope_x + slope_y * slope_y + np.float32(1))
    normal_z = np.asarray(np.float32(1) / length, dtype=np.float32)
    return -slope_x * normal_z, -slope_y * normal_z, normal_z
