"""Turning the head: rotation of the height field, weak perspective, and the inverse map that an image is drawn with.

The inverse map is found by fixed-point iteration: a pixel at `p` of the turned head shows the plane point
``q = A^-1 (p - b z(q))``, where ``A`` is the upper left 2x2 block of the rotation and ``b`` its third column.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from features.synthetic.canvas import Image, Plane, Points

PIVOT_Z = 0.25
"""Height above the plane through the ears of the point about which a head turns."""

_ITERATIONS = 6


def rotation_matrix(yaw_deg: float, pitch_deg: float, roll_deg: float) -> NDArray[np.float64]:
    """Rotation (3, 3) of head points (x right, y down, z to the camera).

    Positive yaw turns the nose to the image's right, positive pitch turns it up, positive roll turns the head
    clockwise as seen in the image. Applied in the order yaw, pitch, roll.
    """
    yaw, pitch, roll = np.deg2rad([yaw_deg, pitch_deg, roll_deg])
    turn_yaw = np.array([[np.cos(yaw), 0, np.sin(yaw)], [0, 1, 0], [-np.sin(yaw), 0, np.cos(yaw)]])
    turn_pitch = np.array([[1, 0, 0], [0, np.cos(pitch), -np.sin(pitch)], [0, np.sin(pitch), np.cos(pitch)]])
    turn_roll = np.array([[np.cos(roll), -np.sin(roll), 0], [np.sin(roll), np.cos(roll), 0], [0, 0, 1]])
    return np.asarray(turn_roll @ turn_pitch @ turn_yaw)


@dataclass(frozen=True, slots=True)
class HeadProjection:
    """Weak-perspective camera of one head: ``pixel = centre + scale * (R [x, y, z - PIVOT_Z])[:2]``."""

    rotation: NDArray[np.float64]
    centre: tuple[float, float]
    scale: float

    def project(self, points: Points, z: NDArray[np.floating]) -> Points:
        """Image positions (n, 2), in pixels with edges at integers, of plane points (n, 2) at heights `z` (n,)."""
        solid = np.column_stack([points, np.asarray(z, dtype=float) - PIVOT_Z])
        return np.asarray(np.asarray(self.centre) + self.scale * (solid @ self.rotation[:2].T))

    def inverse_map(
        self, depth: Image, plane: Plane, origin: tuple[int, int], size: tuple[int, int]
    ) -> tuple[Image, Image]:
        """Plane pixel coordinates, x and y (height, width), seen by each pixel of a window of the image.

        Parameters
        ----------
        depth
            Smooth height of the head on `plane`.
        origin, size
            Left upper corner and (width, height) of the window in image pixels.
        """
        width, height = size
        grid_x, grid_y = _coarse_grid(origin, size)
        px = (grid_x - self.centre[0]) / self.scale
        py = (grid_y - self.centre[1]) / self.scale
        inverse = np.linalg.inv(self.rotation[:2, :2])
        shift = inverse @ self.rotation[:2, 2]
        base_x = inverse[0, 0] * px + inverse[0, 1] * py + shift[0] * PIVOT_Z
        base_y = inverse[1, 0] * px + inverse[1, 1] * py + shift[1] * PIVOT_Z
        base_x = ((base_x - plane.left) * plane.scale - 0.5).astype(np.float32)
        base_y = ((base_y - plane.top) * plane.scale - 0.5).astype(np.float32)
        step_x, step_y = (np.float32(value * plane.scale) for value in shift)
        z = np.full_like(base_x, 0.4)
        for _ in range(_ITERATIONS):
            map_x, map_y = base_x - step_x * z, base_y - step_y * z
            seen = cv2.remap(depth, map_x, map_y, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
            z += np.float32(0.85) * (seen - z)
        map_x, map_y = base_x - step_x * z, base_y - step_y * z
        return _refine(map_x, width, height), _refine(map_y, width, height)


def sample_depth(depth: Image, plane: Plane, points: Points) -> NDArray[np.float64]:
    """Heights (n,) of `depth` at plane points (n, 2), bilinear."""
    pixels = plane.to_pixels(points).astype(np.float32)
    values = cv2.remap(depth, pixels[:, None, 0], pixels[:, None, 1], cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
    return np.asarray(values, dtype=float).ravel()


def _coarse_grid(origin: tuple[int, int], size: tuple[int, int]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Image positions of every second pixel (the map is smooth), laid out as cv2.resize expects."""
    columns, rows = (size[0] + 1) // 2, (size[1] + 1) // 2
    x = origin[0] + (np.arange(columns) + 0.5) * (size[0] / columns)
    y = origin[1] + (np.arange(rows) + 0.5) * (size[1] / rows)
    grid_x, grid_y = np.meshgrid(x, y)
    return grid_x, grid_y


def _refine(coarse: Image, width: int, height: int) -> Image:
    return np.asarray(cv2.resize(coarse, (width, height), interpolation=cv2.INTER_LINEAR))
