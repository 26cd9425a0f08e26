"""Hair of a rendered person: contours of the front and back layers in face units, and a texture of strands."""

from __future__ import annotations

import cv2
import numpy as np

from features.synthetic.canvas import Image, Plane, Points, ellipse_points
from features.synthetic.geometry import half_width_at
from features.synthetic.identity import Identity

_VOLUME = {
    "cropped": 1.03, "short": 1.08, "side_part": 1.09, "fringe": 1.09, "bob": 1.12, "long": 1.12, "curly": 1.14,
    "ponytail": 1.05,
}  # fmt: skip
_SIDE_END = {
    "cropped": -0.22, "short": -0.08, "side_part": -0.05, "fringe": -0.05, "bob": 0.0, "long": 0.0, "curly": 0.10,
    "ponytail": -0.12,
}  # fmt: skip


def front_hair_polygons(identity: Identity) -> list[Points]:
    """Polygons of the hair in front of the head: cap, fringe and strands at the sides."""
    rng = np.random.default_rng(identity.seed + 1)
    style = identity.hair_style
    volume, side_end = _VOLUME[style], _SIDE_END[style]
    outer = _outer_contour(identity, volume, side_end)
    inner = _hairline(identity, side_end, rng)
    polygons = [np.concatenate([outer, inner])]
    if style in ("bob", "long"):
        bottom = 0.88 if style == "bob" else 1.48
        polygons += [_side_panel(identity, volume, bottom, sign, rng) for sign in (1.0, -1.0)]
    if style == "curly":
        polygons += _curls(outer, rng)
    return polygons


def back_hair_polygons(identity: Identity) -> list[Points]:
    """Polygons of what is seen behind face and neck: the back of the head, long hair, a ponytail."""
    style = identity.hair_style
    width = identity.face_half_width * _VOLUME[style]
    polygons = [_skull(identity, _VOLUME[style])]
    if style in ("bob", "long"):
        bottom = 0.92 if style == "bob" else 1.50
        x = 1.03 * width
        polygons.append(np.array([[x, -0.3], [1.04 * x, 0.4], [x, bottom], [-x, bottom], [-1.04 * x, 0.4], [-x, -0.3]]))
    if style == "ponytail":
        polygons.append(ellipse_points((0.10, -1.22), 0.27, 0.25))
    if style == "curly":
        contour = _outer_contour(identity, 1.16, 0.2)
        polygons += _curls(contour, np.random.default_rng(identity.seed + 2))
    return polygons


def _skull(identity: Identity, volume: float) -> Points:
    upper = _outer_contour(identity, volume, -0.35)
    angle = np.linspace(0, np.pi, 14)[1:-1]
    lower = np.stack([upper[0, 0] * -np.cos(angle), -0.35 + 0.62 * np.sin(angle)], axis=1)
    return np.concatenate([upper, lower])


def hair_texture(identity: Identity, plane: Plane) -> Image:
    """Colour (h, w, 3) of hair everywhere on `plane`: strands that run from the crown, and a band of shine."""
    rng = np.random.default_rng(identity.seed + 3)
    crown_x = 0.25 if identity.hair_style == "side_part" else 0.0
    dx = plane.x_axis()[None, :] - crown_x
    dy = plane.y_axis()[:, None] + 1.15
    radius = np.sqrt(dx**2 + dy**2)
    angle = np.arctan2(dx, dy + 0.35)
    strands = rng.standard_normal(1024).astype(np.float32)
    strands = strands + 0.8 * cv2.GaussianBlur(strands[None], (0, 0), 6)[0] * 6
    if identity.hair_style == "curly":
        angle = angle + 0.10 * np.sin(22 * radius + 9 * angle)
    position = (angle / np.pi + 1) * 0.5 * 640 + 5 * np.sin(4 * radius + 3 * angle)
    value = np.interp(position, np.arange(1024), strands) / 1.8
    value = cv2.GaussianBlur(value.astype(np.float32), (0, 0), max(0.5, 0.006 * plane.scale))
    shine = np.exp(-0.5 * ((radius - 0.42) / 0.13) ** 2) * np.clip(0.55 + 0.35 * value, 0, 1)
    shade = 1.0 + 0.16 * value - 0.22 * np.clip(radius - 0.6, 0, 1)
    colour = np.asarray(identity.hair_rgb) * shade[..., None] + 0.10 * shine[..., None]
    return np.asarray(np.clip(colour, 0.01, 1), dtype=np.float32)


def _outer_contour(identity: Identity, volume: float, side_end: float) -> Points:
    """From the image's left side over the top to the right side."""
    lift = volume + 0.04
    rise = np.linspace(0, 0.5 * np.pi, 30)
    y = side_end - (side_end + 1.2 * lift) * np.sin(rise)
    x = half_width_at(identity, y / lift) * volume
    left = np.stack([-x, y], axis=1)
    return np.concatenate([left, (left * (-1, 1))[::-1]])


def _hairline(identity: Identity, side_end: float, rng: np.random.Generator) -> Points:
    """From the image's right sideburn over the forehead to the left one, with jagged tips of strands."""
    half = identity.face_half_width
    t = np.linspace(1.0, -1.0, 61)
    top = identity.hairline_y
    rounded = top + 0.30 * np.abs(t) ** 3.5
    if identity.hair_style == "side_part":
        rounded = top + 0.06 + 0.22 * np.clip((0.45 - t) / 1.45, 0, 1) * (1 - np.clip(-t, 0, 1) ** 6)
    if identity.hair_style in ("fringe", "bob"):
        rounded = np.full_like(t, -0.575 + 0.05 * np.abs(t).mean()) + 0.05 * t**2
    jag = {"fringe": 0.035, "bob": 0.03, "side_part": 0.02, "curly": 0.03}.get(identity.hair_style, 0.010)
    y = rounded + jag * rng.uniform(-1, 1, len(t))
    x = t * 0.80 * half
    low = np.linspace(side_end, float(y[0]) + 0.02, 8)[:-1]
    right = np.stack([np.interp(low, [-0.5, side_end], [0.84 * half, 0.955 * half]), low], axis=1)
    left = (right * (-1, 1))[::-1]
    return np.concatenate([right, np.stack([x, y], axis=1), left])


def _side_panel(identity: Identity, volume: float, bottom: float, sign: float, rng: np.random.Generator) -> Points:
    half = identity.face_half_width
    y = np.linspace(-0.62, bottom, 16)
    inner = np.interp(y, [-0.62, -0.3, 0.3, 0.9, 1.5], [0.80, 0.90, 0.93, 0.90, 0.84]) * half
    outer = np.interp(y, [-0.62, 0.0, 0.6, 1.5], [0.99, 1.06, 1.08, 1.0]) * half * volume
    inner = inner + rng.uniform(-0.008, 0.008, len(y))
    end = y.copy()
    end[-1] -= 0.06
    return np.concatenate([np.stack([sign * inner, y], 1), np.stack([sign * outer, end], 1)[::-1]])


def _curls(contour: Points, rng: np.random.Generator) -> list[Points]:
    return [
        ellipse_points(point + rng.uniform(-0.03, 0.03, 2), radius, radius)
        for point, radius in zip(contour[::2], rng.uniform(0.07, 0.13, len(contour[::2])), strict=True)
    ]
