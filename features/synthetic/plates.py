"""What of a person does not move: skin, hair in front, hair behind, neck and clothes; painted once and kept.

A plate is an image on a plane of face units. Hair, back and body plates are premultiplied RGBA.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import cv2
import numpy as np
from numpy.typing import NDArray

from features.synthetic.canvas import Image, Painter, Plane, Points, ellipse_points, fill_mask
from features.synthetic.geometry import face_outline
from features.synthetic.hair import back_hair_polygons, front_hair_polygons, hair_texture
from features.synthetic.identity import RGB, Identity
from features.synthetic.relief import head_depth, resting_relief
from features.synthetic.scene import Lighting

PLATE_SCALES = (60.0, 80.0, 100.0, 130.0, 170.0, 220.0)
"""Resolutions (pixels per face unit) in which plates are kept."""


@dataclass(frozen=True, slots=True)
class Plates:
    """Everything fixed about one person at one resolution; arrays must not be written to.

    ``skin`` (h, w, 3) colour without light; ``face_mask``, ``ear_mask`` (h, w) coverage; ``depth`` and ``relief``
    (h, w) heights; ``front_hair`` and ``back_hair`` (h, w, 4) on `plane`; ``body`` (h, w, 4) on `body_plane`;
    ``dimples`` (h, w) the texture of a raised chin.
    """

    plane: Plane
    body_plane: Plane
    skin: Image
    face_mask: Image
    ear_mask: Image
    depth: Image
    relief: Image
    front_hair: Image
    back_hair: Image
    body: Image
    dimples: Image


@lru_cache(maxsize=12)
def make_plates(identity: Identity, scale: float) -> Plates:
    """Paint (or fetch) the plates of a person at `scale` pixels per face unit."""
    plane = Plane(scale)
    body_plane = Plane(min(scale, 64.0), left=-2.3, top=0.2, right=2.3, bottom=7.5)
    texture = hair_texture(identity, plane)
    dimples = _smooth_noise(np.random.default_rng(identity.seed + 5), plane, 0.045)
    return Plates(
        plane=plane,
        body_plane=body_plane,
        skin=_paint_skin(identity, plane),
        face_mask=fill_mask(plane, [face_outline(identity)]),
        ear_mask=fill_mask(plane, _ear_polygons(identity)),
        depth=head_depth(identity, plane),
        relief=resting_relief(identity, plane),
        front_hair=_premultiply(texture, _soften(fill_mask(plane, front_hair_polygons(identity)), 0.010 * scale)),
        back_hair=_premultiply(0.72 * texture, _soften(fill_mask(plane, back_hair_polygons(identity)), 0.012 * scale)),
        body=_paint_body(identity, body_plane),
        dimples=dimples / np.float32(dimples.std()),
    )


@lru_cache(maxsize=12)
def lit_layers(identity: Identity, scale: float, lighting: Lighting) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
    """Light (or fetch) the flat layers of a person: hair behind the head, and body; premultiplied RGBA, uint8."""
    plates = make_plates(identity, scale)
    room = np.asarray(lighting.colour) * (lighting.ambient + 0.72 * lighting.strength)
    back = plates.back_hair * np.append(0.92 * room, 1.0).astype(np.float32)
    body = plates.body * np.append(room, 1.0).astype(np.float32)
    return to_bytes(back), to_bytes(body)


def to_bytes(image: Image) -> NDArray[np.uint8]:
    """Scale 0..1 to 0..255; what is brighter saturates."""
    return np.asarray(cv2.convertScaleAbs(image, alpha=255.0), dtype=np.uint8)


def plate_scale(pixels_per_unit: float) -> float:
    """Choose the kept resolution for a face shown with `pixels_per_unit`: a little finer where there is one."""
    for scale in PLATE_SCALES:
        if scale >= 1.12 * pixels_per_unit:
            return scale
    return PLATE_SCALES[-1]


def _premultiply(colour: Image, alpha: Image) -> Image:
    return np.dstack([colour * alpha[..., None], alpha]).astype(np.float32)


def _soften(alpha: Image, sigma: float) -> Image:
    return np.asarray(cv2.GaussianBlur(alpha, (0, 0), max(sigma, 0.4)), dtype=np.float32)


def _ear_polygons(identity: Identity) -> list[Points]:
    x = identity.face_half_width * 1.005
    y = identity.eye_y + 0.13
    return [ellipse_points((sign * x, y), 0.085, 0.20) for sign in (1, -1)]


def tinted(colour: RGB, red: float, green: float, blue: float) -> RGB:
    """`colour` times one factor per channel."""
    return (colour[0] * red, colour[1] * green, colour[2] * blue)


def _paint_skin(identity: Identity, plane: Plane) -> Image:
    rng = np.random.default_rng(identity.seed)
    base = identity.skin_rgb
    skin = np.empty((plane.height, plane.width, 3), dtype=np.float32)
    skin[:] = base
    mottle = _smooth_noise(rng, plane, 0.10) * 0.018 + _smooth_noise(rng, plane, 0.030) * 0.012
    grain = _smooth_noise(rng, plane, 0.008) * 0.010
    skin *= (1 + mottle + grain)[..., None]
    _blush(identity, plane, skin)
    painter = Painter(skin, plane)
    _freckle(identity, painter, rng)
    if identity.sex == "male" and identity.age_years > 18:
        beard = plane.bump(0, 0.86, 0.50, 0.24) * float(rng.uniform(0.0, 0.45))
        skin += beard[..., None] * (0.55 * np.asarray(base, np.float32) * (0.95, 1.0, 1.05) - skin)
    for sign in (1, -1):  # inside of the ear
        x, y = sign * identity.face_half_width * 1.03, identity.eye_y + 0.13
        painter.ellipse((x, y), (0.035, 0.11), tinted(base, 0.72, 0.58, 0.55), opacity=0.7, soft=0.02)
    return np.asarray(np.clip(skin, 0.02, 1.0), dtype=np.float32)


def _blush(identity: Identity, plane: Plane, skin: Image) -> None:
    """Redder cheeks and nose tip, darker eye sockets and hairline."""
    rosy = (0.075 + 0.05 * identity.childlikeness) * plane.mirrored_bumps(0.42, 0.26, 0.15, 0.12)
    rosy += 0.05 * plane.bump(0, identity.nose_tip_y, 0.08, 0.06)
    skin *= 1 - rosy[..., None] * np.array([0.15, 1.0, 0.85], dtype=np.float32)
    eye_x, eye_y = identity.eye_half_distance, identity.eye_y
    dark = 0.11 * plane.mirrored_bumps(0.95 * eye_x, eye_y - 0.02, 0.15, 0.085)
    dark += 0.05 * plane.mirrored_bumps(0.85 * eye_x, eye_y + 0.12, 0.10, 0.035) * (1 - identity.childlikeness)
    dark += 0.10 * plane.bump(0, identity.nose_tip_y + 0.105, 0.11, 0.035)
    dark += 0.07 * plane.bump(0, identity.mouth_y + 0.145, 0.13, 0.03)
    skin *= 1 - dark[..., None] * np.array([0.75, 1.0, 1.0], dtype=np.float32)


def _freckle(identity: Identity, painter: Painter, rng: np.random.Generator) -> None:
    spot = tinted(identity.skin_rgb, 0.80, 0.66, 0.56)
    for _ in range(int(60 * identity.freckles)):
        x = float(rng.choice([-1, 1]) * abs(rng.normal(0.25, 0.16)))
        y = float(rng.normal(0.17, 0.09))
        painter.ellipse((x, y), (0.010, 0.010), spot, opacity=float(rng.uniform(0.2, 0.7)))


def _smooth_noise(rng: np.random.Generator, plane: Plane, size: float) -> Image:
    """Noise of about unit standard deviation, grains `size` face units wide, the same at every resolution."""
    shape = (int((plane.bottom - plane.top) / size) + 2, int((plane.right - plane.left) / size) + 2)
    coarse = rng.standard_normal(shape).astype(np.float32)
    method = cv2.INTER_CUBIC if size * plane.scale >= 1 else cv2.INTER_AREA
    return np.asarray(cv2.resize(coarse, (plane.width, plane.height), interpolation=method), dtype=np.float32)


def _paint_body(identity: Identity, plane: Plane) -> Image:
    rng = np.random.default_rng(identity.seed + 4)
    child = identity.childlikeness
    neck, shoulder = 0.40 - 0.09 * child, 1.45 - 0.38 * child
    top = 1.28 - 0.04 * child
    side = np.array(
        [[0.30, top + 0.06], [neck + 0.10, top + 0.08], [0.78 * shoulder, top + 0.32], [shoulder, top + 0.70],
         [1.18 * shoulder, top + 1.9], [1.3 * shoulder, 7.8]]
    )  # fmt: skip
    trunk = np.concatenate([side, (side * (-1, 1))[::-1]])
    collar = ellipse_points((0, top + 0.09), neck + 0.13, 0.16)
    throat = np.array([[neck, 0.2], [neck, top + 0.1], [0, top + 0.25], [-neck, top + 0.1], [-neck, 0.2]])
    image = np.empty((plane.height, plane.width, 3), dtype=np.float32)
    image[:] = np.asarray(identity.clothes_rgb)
    image *= (1 + 0.05 * _smooth_noise(rng, plane, 0.25) + 0.02 * _smooth_noise(rng, plane, 0.05))[..., None]
    if rng.random() < 0.35:
        stripes = 0.5 + 0.5 * np.sign(np.sin(plane.y_axis() * rng.uniform(14, 26)))
        image *= (1 - 0.35 * stripes)[:, None, None].astype(np.float32)
    image *= (1.02 - 0.35 * (plane.x_axis() / (1.3 * shoulder)) ** 2)[None, :, None]
    skin_tone = np.asarray(tinted(identity.skin_rgb, 0.93, 0.90, 0.88), dtype=np.float32)
    skin = np.broadcast_to(skin_tone, image.shape) * (1 - 0.45 * (plane.x_axis() / (1.2 * neck)) ** 2)[None, :, None]
    shadow = 1 - 0.42 * np.exp(-0.5 * ((plane.y_axis() - 1.0) / 0.16) ** 2)
    skin = np.clip(skin, 0, 1) * shadow[:, None, None]
    bare = np.maximum(fill_mask(plane, [throat]), fill_mask(plane, [collar]))
    # Skin also beyond the edges of the neck: their antialiased pixels must not take the colour of the clothes.
    skin_area = np.maximum(bare, (plane.y_axis() < top - 0.02)[:, None].astype(np.float32))
    image += skin_area[..., None] * (skin.astype(np.float32) - image)
    painter = Painter(image, plane)
    hem = ellipse_points((0, top + 0.09), neck + 0.135, 0.165)
    lower_half = hem[: len(hem) // 2 + 1]
    painter.strokes([lower_half], 0.045, tinted(identity.clothes_rgb, 0.7, 0.7, 0.7))
    alpha = np.maximum(fill_mask(plane, [trunk]), np.maximum(bare, 0))
    return _premultiply(np.clip(image, 0, 1), alpha)
