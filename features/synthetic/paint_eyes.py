"""Painting eyes and brows."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from features.synthetic.canvas import Painter, Points
from features.synthetic.geometry import SIDE_SIGNS, ActionUnits, Eye
from features.synthetic.identity import RGB, Identity

_SCLERA: RGB = (0.955, 0.945, 0.935)
_PUPIL: RGB = (0.03, 0.025, 0.025)


def paint_eye(painter: Painter, identity: Identity, eye: Eye, aus: ActionUnits, side: int) -> None:
    """Paint lid, eyeball and lashes of one eye; a closed eye shows lid skin only."""
    skin = identity.skin_rgb
    lash = tuple(0.35 * channel + 0.02 for channel in identity.brow_rgb)
    lash_rgb: RGB = (lash[0], lash[1], lash[2])
    opening = np.concatenate([eye.upper_lid, eye.lower_lid[::-1]])
    _paint_lid(painter, identity, eye, aus.side("AU05", side))
    if eye.closure < 0.97:
        _paint_eyeball(painter, identity, eye, opening)
    width = identity.eye_half_width
    sign = SIDE_SIGNS[side]
    wing = eye.outer + np.array([sign * 0.12 * width, -0.015 + 0.02 * eye.closure])
    upper = np.vstack([eye.upper_lid, wing])
    painter.strokes([upper], 0.021 + 0.004 * eye.closure, lash_rgb, opacity=0.95)
    painter.strokes([eye.lower_lid[3:]], 0.009, lash_rgb, opacity=0.45)
    painter.strokes([eye.lower_lid + (0, 0.008)], 0.008, _mix(skin, (0.9, 0.6, 0.55), 0.3), opacity=0.5)
    if eye.closure > 0.6:
        painter.strokes(_lashes(eye, sign), 0.010, lash_rgb, opacity=0.9)


def _paint_lid(painter: Painter, identity: Identity, eye: Eye, raised: float) -> None:
    skin = identity.skin_rgb
    crease = eye.open_upper_lid + (0.0, -0.030 * (1 - 0.6 * raised))
    lid_rgb = (0.93 * skin[0], 0.87 * skin[1], 0.85 * skin[2])
    painter.polygon(np.concatenate([crease, eye.upper_lid[::-1]]), lid_rgb, opacity=0.85, soft=0.006)
    dark = (0.55 * skin[0], 0.42 * skin[1], 0.38 * skin[2])
    painter.strokes([crease], 0.014, dark, opacity=0.65 - 0.2 * eye.closure, soft=0.004)


def _paint_eyeball(painter: Painter, identity: Identity, eye: Eye, opening: Points) -> None:
    radius, iris = eye.iris_radius, identity.iris_rgb
    painter.polygon(opening, _SCLERA)
    corner = eye.inner + 0.06 * (eye.outer - eye.inner)
    painter.ellipse(corner, (0.020, 0.016), (0.85, 0.60, 0.57), opacity=0.8, soft=0.006, clip=opening)
    rim = (0.45 * iris[0], 0.45 * iris[1], 0.45 * iris[2])
    painter.ellipse(eye.iris, (radius, radius), rim, clip=opening)
    painter.ellipse(eye.iris, (0.86 * radius, 0.86 * radius), iris, clip=opening)
    glow = _mix(iris, (1.0, 0.95, 0.85), 0.30)
    low = eye.iris + (0.0, 0.35 * radius)
    painter.ellipse(low, (0.55 * radius, 0.40 * radius), glow, opacity=0.6, soft=0.15 * radius, clip=opening)
    painter.ellipse(eye.iris, (0.44 * radius, 0.44 * radius), _PUPIL, clip=opening)
    painter.strokes([eye.upper_lid], 0.045, (0.25, 0.2, 0.2), opacity=0.50, soft=0.012, clip=opening)
    spark = eye.iris + (-0.32 * radius, -0.34 * radius)
    painter.ellipse(spark, (0.22 * radius, 0.22 * radius), (1.0, 1.0, 1.0), opacity=0.95, clip=opening)


def _lashes(eye: Eye, sign: float) -> Points:
    roots = eye.upper_lid[4::2]
    lean = np.stack([sign * np.linspace(0.0, 0.03, len(roots)), np.full(len(roots), 0.028)], axis=1)
    return np.stack([roots, roots + lean], axis=1)


def paint_brow(painter: Painter, identity: Identity, curve: Points, side: int) -> None:
    """Paint one brow: a soft shape with hairs. `curve` is (n, 3) of x, y, half thickness."""
    centre, half = curve[:, :2], curve[:, 2:]
    upper = centre - half * (0.0, 1.0)
    lower = centre + half * (0.0, 0.8)
    shape = np.concatenate([upper, lower[::-1]])
    painter.polygon(shape, identity.brow_rgb, opacity=0.72, soft=0.006)
    hairs = _brow_hairs(identity.seed, side)
    index = np.arange(len(curve))
    position = hairs.place * (len(curve) - 1)
    x, y, thick = (np.interp(position, index, curve[:, k]) for k in range(3))
    roots = np.stack([x, y + hairs.offset * thick], axis=1)
    painter.strokes(np.stack([roots, roots + hairs.step], axis=1), 0.009, identity.brow_rgb, opacity=0.6)


@dataclass(frozen=True, slots=True)
class _BrowHairs:
    """Place along the brow (n,), offset across it (n,) in half thicknesses, and tip minus root (n, 2)."""

    place: Points
    offset: Points
    step: Points


@lru_cache(maxsize=32)
def _brow_hairs(seed: int, side: int, n: int = 30) -> _BrowHairs:
    rng = np.random.default_rng([seed, side])
    place = np.sort(rng.uniform(0.0, 0.93, n))
    slant = 1.1 * (1 - place) ** 1.5 + 0.15
    length = (0.045 + 0.02 * rng.random(n)) / np.hypot(1, slant)
    step = length[:, None] * np.stack([np.full(n, SIDE_SIGNS[side]), -slant], axis=1)
    return _BrowHairs(place, rng.uniform(-0.5, 0.8, n), step)


def _mix(first: RGB, second: RGB, weight: float) -> RGB:
    red, green, blue = ((1 - weight) * a + weight * b for a, b in zip(first, second, strict=True))
    return (red, green, blue)
