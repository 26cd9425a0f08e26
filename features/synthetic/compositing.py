"""Laying a person over a picture: hair behind, body, and the turned head."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from features.synthetic.canvas import Plane, Points
from features.synthetic.geometry import ActionUnits, FaceGeometry
from features.synthetic.head import HeadImage, paint_head
from features.synthetic.identity import Identity
from features.synthetic.plates import Plates, lit_layers
from features.synthetic.projection import PIVOT_Z, HeadProjection, sample_depth
from features.synthetic.scene import Lighting

_BACK_Z = -0.10
"""Height of the flat layer of hair behind the head."""


@dataclass(frozen=True, slots=True, eq=False)
class PlacedFace:
    """A person's face in a picture, before it is drawn; points in pixels."""

    plates: Plates
    aus: ActionUnits
    geometry: FaceGeometry
    projection: HeadProjection
    landmarks: Points
    outline: Points
    box: NDArray[np.float64]
    roll_deg: float


def draw_person(image: NDArray[np.uint8], identity: Identity, face: PlacedFace, lighting: Lighting) -> None:
    """Draw one person over the picture, in place."""
    plates, projection = face.plates, face.projection
    back_hair, body = lit_layers(identity, plates.plane.scale, lighting)
    turn = projection.rotation
    behind = np.column_stack([turn[:2, :2], turn[:2, 2] * (_BACK_Z - PIVOT_Z)])
    _draw_flat(image, back_hair, plates.plane, _pixel_map(plates.plane, behind, projection))
    lean = 0.25 * np.deg2rad(face.roll_deg)
    upright = np.array([[np.cos(lean), -np.sin(lean), 0.0], [np.sin(lean), np.cos(lean), 0.0]])
    _draw_flat(image, body, plates.body_plane, _pixel_map(plates.body_plane, upright, projection))
    head = paint_head(identity, face.geometry, face.aus, plates, lighting, turn)
    _draw_head(image, head, projection)


def _pixel_map(plane: Plane, matrix: NDArray[np.float64], projection: HeadProjection) -> NDArray[np.float64]:
    """Affine map (2, 3) from plate pixels to picture pixels; `matrix` (2, 3) moves the plate in face units."""
    step = 1 / plane.scale
    to_units = np.array([[step, 0, plane.left + 0.5 * step], [0, step, plane.top + 0.5 * step], [0, 0, 1]])
    whole = projection.scale * matrix @ to_units
    whole[:, 2] += np.asarray(projection.centre) - 0.5
    return np.asarray(whole)


def _draw_flat(
    image: NDArray[np.uint8], plate: NDArray[np.uint8], plane: Plane, pixel_map: NDArray[np.float64]
) -> None:
    """Lay a flat premultiplied RGBA plate over the picture."""
    corners = np.array([[0, 0, 1], [plane.width, 0, 1], [0, plane.height, 1], [plane.width, plane.height, 1]])
    window = _clip_window(corners @ pixel_map.T, image)
    if window is None:
        return
    x0, y0, x1, y1 = window
    shifted = pixel_map - np.array([[0, 0, x0], [0, 0, y0]])
    layer = cv2.warpAffine(plate, shifted, (x1 - x0, y1 - y0), flags=cv2.INTER_LINEAR)
    _lay_over(image[y0:y1, x0:x1], np.asarray(layer, dtype=np.uint8))


def _draw_head(image: NDArray[np.uint8], head: HeadImage, projection: HeadProjection) -> None:
    plane = head.plane
    x = np.linspace(plane.left, plane.right, 9)
    y = np.linspace(plane.top, plane.bottom, 11)
    rim = np.array([(a, b) for a in x for b in y])
    window = _clip_window(projection.project(rim, sample_depth(head.depth, plane, rim)), image)
    if window is None:
        return
    x0, y0, x1, y1 = window
    size = (x1 - x0, y1 - y0)
    # Where the plate is much finer than the picture, draw finer and average.
    finer = max(1, round(plane.scale / (1.45 * projection.scale)))
    view = HeadProjection(
        projection.rotation,
        ((projection.centre[0] - x0) * finer, (projection.centre[1] - y0) * finer),
        projection.scale * finer,
    )
    map_x, map_y = view.inverse_map(head.depth, plane, (0, 0), (size[0] * finer, size[1] * finer))
    layer = cv2.remap(head.pixels, map_x, map_y, cv2.INTER_LINEAR, borderMode=cv2.BORDER_CONSTANT, borderValue=0)
    if finer > 1:
        layer = cv2.resize(layer, size, interpolation=cv2.INTER_AREA)
    _lay_over(image[y0:y1, x0:x1], np.asarray(layer, dtype=np.uint8))


def _clip_window(points: Points, image: NDArray[np.uint8]) -> tuple[int, int, int, int] | None:
    low = np.maximum(np.floor(points.min(axis=0)).astype(int) - 1, 0)
    high = np.minimum(np.ceil(points.max(axis=0)).astype(int) + 2, (image.shape[1], image.shape[0]))
    if (high <= low).any():
        return None
    return int(low[0]), int(low[1]), int(high[0]), int(high[1])


def _lay_over(target: NDArray[np.uint8], layer: NDArray[np.uint8]) -> None:
    """Composite a premultiplied RGBA layer over `target`, in place."""
    rgb, alpha = cv2.cvtColor(layer, cv2.COLOR_RGBA2RGB), layer[..., 3]
    keep = cv2.cvtColor(255 - alpha, cv2.COLOR_GRAY2RGB)
    target[:] = cv2.add(cv2.multiply(target, keep, scale=1 / 255), rgb)
