"""Folds and wrinkles of the skin that action units make, as one map of crease strength."""

from __future__ import annotations

import cv2
import numpy as np

from features.synthetic.canvas import Image, Plane, Points, bend, draw_curves
from features.synthetic.geometry import SIDE_SIGNS, ActionUnits, FaceGeometry
from features.synthetic.identity import Identity


def crease_map(identity: Identity, geometry: FaceGeometry, aus: ActionUnits, plane: Plane) -> Image:
    """Crease strength (h, w) float32, 0..1: wrinkles of brow, nose and eyes, nasolabial folds, chin.

    Heights are those of the resting jaw; the caller stretches the map with the skin.
    """
    marks = np.zeros((plane.height, plane.width), dtype=np.uint8)
    for side in (0, 1):
        _brow_creases(marks, plane, identity, geometry, aus, side)
        _eye_creases(marks, plane, identity, geometry, aus, side)
        _cheek_creases(marks, plane, identity, geometry, aus, side)
    _chin_creases(marks, plane, identity, aus)
    return cv2.GaussianBlur(marks, (0, 0), max(0.6, 0.012 * plane.scale)).astype(np.float32) / np.float32(255)


def _brow_creases(
    marks: np.ndarray, plane: Plane, identity: Identity, geometry: FaceGeometry, aus: ActionUnits, side: int
) -> None:
    sign, top = SIDE_SIGNS[side], identity.eye_y - identity.brow_gap
    for name, start, end in (("AU01", 0.0, 0.20), ("AU02", 0.19, 0.48)):
        strength = aus.side(name, side)
        lines = [
            bend([(sign * start, y + 0.01), (sign * 0.5 * (start + end), y - 0.02), (sign * end, y + 0.02)])
            for y in (top - 0.19, top - 0.265, top - 0.335)
        ]
        draw_curves(marks, plane, lines, 0.020, 0.95 * strength)
    frown = aus.side("AU04", side)
    inner = geometry.brows[side][0]
    x, y = abs(float(inner[0])), float(inner[1])
    furrow = bend([(sign * 0.55 * x, y - 0.10), (sign * 0.50 * x, y), (sign * 0.75 * x, y + 0.07)])
    draw_curves(marks, plane, [furrow], 0.028, frown)
    wrinkle = aus.side("AU09", side)
    eye_y = identity.eye_y
    root = [bend([(0.0, eye_y - 0.035), (sign * 0.05, eye_y - 0.05)])]
    root += [
        bend([(sign * 0.02, eye_y + dy + 0.005), (sign * 0.07, eye_y + dy), (sign * 0.13, eye_y + dy + 0.075)])
        for dy in (0.03, 0.085, 0.14)
    ]
    draw_curves(marks, plane, root, 0.022, wrinkle)


def _eye_creases(
    marks: np.ndarray, plane: Plane, identity: Identity, geometry: FaceGeometry, aus: ActionUnits, side: int
) -> None:
    sign, squeeze = SIDE_SIGNS[side], aus.side("AU06", side)
    eye = geometry.eyes[side]
    x, y = float(eye.outer[0]), float(eye.outer[1])
    feet = [
        bend([(x + sign * 0.03, y + dy * 0.4), (x + sign * 0.08, y + dy * 0.9), (x + sign * 0.135, y + dy * 1.6)])
        for dy in (-0.055, -0.005, 0.05)
    ]
    draw_curves(marks, plane, feet, 0.017, 0.95 * squeeze)
    under = _below(eye.lower_lid, 0.052)
    draw_curves(marks, plane, [under], 0.020, max(0.9 * squeeze, 0.15 * (1 - identity.childlikeness)))
    draw_curves(marks, plane, [_below(eye.lower_lid, 0.105)[2:-1]], 0.020, 0.55 * squeeze)


def _below(lid: Points, distance: float) -> Points:
    return np.asarray(lid[2:-1] + np.array([0.0, distance]))


def _cheek_creases(
    marks: np.ndarray, plane: Plane, identity: Identity, geometry: FaceGeometry, aus: ActionUnits, side: int
) -> None:
    sign, smile, wrinkle = SIDE_SIGNS[side], aus.side("AU12", side), aus.side("AU09", side)
    corner = geometry.mouth.corners[side]
    top_y = identity.nose_tip_y + 0.01 - 0.04 * wrinkle
    x0 = 1.22 * identity.nose_half_width
    x1 = abs(float(corner[0])) + 0.055
    y1 = identity.mouth_y - 0.06 * smile
    out = x0 + 0.75 * (x1 - x0) + 0.04 * smile
    fold = bend(
        [
            (sign * x0, top_y),
            (sign * out, 0.62 * top_y + 0.38 * y1),
            (sign * x1, y1 - 0.07),
            (sign * (x1 + 0.004), y1 - 0.015),
        ]
    )
    resting = 0.10 + 0.25 * float(np.clip((identity.age_years - 25) / 40, 0, 1))
    draw_curves(marks, plane, [fold], 0.026, float(np.clip(max(resting, 0.85 * smile), 0, 1)))
    draw_curves(marks, plane, [fold[:7]], 0.030, 0.85 * wrinkle)
    stretch = aus.side("AU20", side)
    beside = bend([(sign * (x1 + 0.01), y1 - 0.05), (sign * (x1 + 0.045), y1 + 0.03), (sign * (x1 + 0.015), y1 + 0.10)])
    draw_curves(marks, plane, [beside], 0.022, 0.85 * stretch)


def _chin_creases(marks: np.ndarray, plane: Plane, identity: Identity, aus: ActionUnits) -> None:
    chin = aus.mean("AU17")
    y = identity.mouth_y + 0.105
    arc = bend([(-0.15, y + 0.055), (-0.08, y - 0.012), (0.08, y - 0.012), (0.15, y + 0.055)])
    draw_curves(marks, plane, [arc], 0.030, max(0.15, 0.95 * chin))
