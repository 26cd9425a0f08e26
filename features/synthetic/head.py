"""One head, frontal and lit: skin with its folds, eyes, brows, mouth and hair on one plane, ready to be turned."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from features.synthetic.canvas import Image, Painter, Plane, fill_mask
from features.synthetic.creases import crease_map
from features.synthetic.geometry import ActionUnits, FaceGeometry
from features.synthetic.identity import Identity
from features.synthetic.paint_eyes import paint_brow, paint_eye
from features.synthetic.paint_mouth import paint_mouth, paint_nose
from features.synthetic.plates import Plates, to_bytes
from features.synthetic.relief import add_muscle_bulges, surface_normals
from features.synthetic.scene import Lighting


@dataclass(frozen=True, slots=True)
class HeadImage:
    """`pixels` (h, w, 4) uint8 premultiplied RGBA and the smooth `depth` (h, w) float32, both on `plane`."""

    pixels: NDArray[np.uint8]
    depth: Image
    plane: Plane


def paint_head(
    identity: Identity,
    geometry: FaceGeometry,
    aus: ActionUnits,
    plates: Plates,
    lighting: Lighting,
    rotation: NDArray[np.float64],
) -> HeadImage:
    """Paint a head. The light stays in the room while the head turns, hence `rotation` (3, 3)."""
    plane = plates.plane
    creases = crease_map(identity, geometry, aus, plane)
    relief = plates.relief.copy()
    add_muscle_bulges(relief, plane, identity, geometry, aus)
    creases, relief = _stretch_jaw(creases, plane, geometry), _stretch_jaw(relief, plane, geometry)
    depth = _stretch_jaw(plates.depth, plane, geometry)
    face_mask = _stretch_jaw(plates.face_mask, plane, geometry)
    _add_soft_parts(relief, plane, geometry, plates, creases, aus)

    colour = _times(_stretch_jaw(plates.skin, plane, geometry), 1.0 - creases * np.float32(0.30))
    painter = Painter(colour, plane)
    paint_nose(painter, identity, aus)
    for side in (0, 1):
        paint_eye(painter, identity, geometry.eyes[side], aus, side)
    paint_mouth(painter, identity, geometry.mouth, aus)
    for side in (0, 1):
        paint_brow(painter, identity, geometry.brows[side], side)

    light, gloss = shade(relief, plane.scale, lighting, rotation)
    colour *= light
    colour += gloss[..., None]
    return HeadImage(_compose(colour, face_mask, light, plates), depth, plane)


def _times(colour: Image, factor: Image) -> Image:
    return np.asarray(cv2.multiply(colour, cv2.merge([factor, factor, factor])), dtype=np.float32)


def _stretch_jaw(image: Image, plane: Plane, geometry: FaceGeometry) -> Image:
    """Lengthen everything below the nose so that the chin moves down by `geometry.jaw_drop`."""
    if abs(geometry.jaw_drop) < 1e-3:
        return image
    start = plane.row(geometry.stretch_from_y)
    factor = 1.0 + geometry.jaw_drop / (1.0 - geometry.stretch_from_y)
    stretched = image.copy()
    below = image[start:]
    matrix = np.array([[1.0, 0.0, 0.0], [0.0, 1.0 / factor, 0.0]])
    size = (below.shape[1], below.shape[0])
    flags = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
    stretched[start:] = cv2.warpAffine(below, matrix, size, flags=flags, borderMode=cv2.BORDER_REPLICATE)
    return stretched


def _add_soft_parts(
    relief: Image, plane: Plane, geometry: FaceGeometry, plates: Plates, creases: Image, aus: ActionUnits
) -> None:
    """Lips, folds and the dimples of a raised chin, in place."""
    mouth = geometry.mouth
    relief -= np.float32(0.034) * creases
    top, bottom = plane.row(mouth.upper_outer[:, 1].min() - 0.12), plane.row(mouth.lower_outer[:, 1].max() + 0.12)
    lips = fill_mask(
        plane,
        [
            np.concatenate([mouth.upper_outer, mouth.upper_inner[::-1]]),
            np.concatenate([mouth.lower_inner, mouth.lower_outer[::-1]]),
        ],
    )[top:bottom]
    relief[top:bottom] += np.float32(0.045) * cv2.GaussianBlur(lips, (0, 0), 0.022 * plane.scale)
    chin = aus.mean("AU17")
    if chin > 0.05:
        area = plane.bump(0, float(mouth.lower_outer[16, 1]) + 0.16, 0.09, 0.06)
        relief += np.float32(0.008 * chin) * area * plates.dimples


def shade(relief: Image, scale: float, lighting: Lighting, rotation: NDArray[np.float64]) -> tuple[Image, Image]:
    """Lambert light (h, w, 3) and specular gloss (h, w) of a height field under the room's light."""
    towards = rotation.T @ np.asarray(lighting.direction)
    towards = towards / np.linalg.norm(towards)
    nx, ny, nz = surface_normals(relief, scale)
    lx, ly, lz = (np.float32(value) for value in towards)
    diffuse = np.maximum(nx * lx + ny * ly + nz * lz, 0)
    half = towards + rotation.T @ np.array([0.0, 0.0, 1.0])
    hx, hy, hz = (np.float32(value) for value in half / np.linalg.norm(half))
    facing = np.maximum(nx * hx + ny * hy + nz * hz, 0)
    gloss = facing * facing
    for _ in range(3):
        gloss = gloss * gloss
    level = np.float32(lighting.ambient) + np.float32(lighting.strength) * diffuse
    # Light inside the skin makes shadows reddish.
    red, green, blue = (np.float32(value) for value in lighting.colour)
    warm = cv2.merge([(level * np.float32(0.92) + np.float32(0.07)) * red, level * green, level * blue])
    return np.asarray(warm), np.asarray(gloss * np.float32(0.055 * lighting.strength))


def _compose(colour: Image, face_mask: Image, light: Image, plates: Plates) -> NDArray[np.uint8]:
    """Face over ears, hair over both; premultiplied."""
    hair_alpha = plates.front_hair[..., 3]
    visible = np.maximum(face_mask, plates.ear_mask) * (1 - hair_alpha)
    rgb = _times(colour, visible)
    rgb += plates.front_hair[..., :3] * (light * np.float32(0.85) + np.float32(0.10))
    pixels = cv2.cvtColor(to_bytes(rgb), cv2.COLOR_RGB2RGBA)
    pixels[..., 3] = to_bytes(visible + hair_alpha)
    return np.asarray(pixels, dtype=np.uint8)
