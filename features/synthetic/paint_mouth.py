"""Painting the mouth and the nose."""

from __future__ import annotations

import numpy as np

from features.synthetic.canvas import Painter, Points, bend
from features.synthetic.geometry import SIDE_SIGNS, ActionUnits, Mouth
from features.synthetic.identity import RGB, Identity

_TEETH: RGB = (0.955, 0.94, 0.90)
_CAVITY: RGB = (0.17, 0.045, 0.045)
_TONGUE: RGB = (0.74, 0.35, 0.34)


def paint_mouth(painter: Painter, identity: Identity, mouth: Mouth, aus: ActionUnits) -> None:
    """Paint cavity, teeth, tongue and lips."""
    opening = np.concatenate([mouth.upper_inner, mouth.lower_inner[::-1]])
    if mouth.gap > 0.006:
        _paint_cavity(painter, mouth, opening, aus)
    lip = identity.lip_rgb
    upper = np.concatenate([mouth.upper_outer, mouth.upper_inner[::-1]])
    lower = np.concatenate([mouth.lower_inner, mouth.lower_outer[::-1]])
    painter.polygon(upper, (0.88 * lip[0], 0.84 * lip[1], 0.86 * lip[2]), opacity=0.92, soft=0.004)
    painter.polygon(lower, lip, opacity=0.90, soft=0.005)
    dark: RGB = (0.35 * lip[0], 0.20 * lip[1], 0.22 * lip[2])
    seam = 0.014 if mouth.gap < 0.02 else 0.010
    painter.strokes([mouth.upper_inner], seam, dark, opacity=0.85, soft=0.002)
    if mouth.gap > 0.02:
        painter.strokes([mouth.lower_inner], 0.008, dark, opacity=0.5)
    for corner in mouth.corners:
        painter.ellipse(corner, (0.016, 0.014), dark, opacity=0.55, soft=0.008)
    middle = slice(9, 24)
    shine = 0.55 * mouth.lower_inner[middle] + 0.45 * mouth.lower_outer[middle]
    painter.strokes([shine], 0.016, (1.0, 0.88, 0.85), opacity=0.28, soft=0.010)


def _paint_cavity(painter: Painter, mouth: Mouth, opening: Points, aus: ActionUnits) -> None:
    painter.polygon(opening, _CAVITY)
    centre = 0.5 * (mouth.upper_inner[16] + mouth.lower_inner[16])
    width = 0.5 * (mouth.corners[0, 0] - mouth.corners[1, 0])
    if mouth.gap > 0.13:
        low = mouth.lower_inner[16]
        painter.ellipse((low[0], low[1] + 0.01), (0.62 * width, 0.42 * mouth.gap), _TONGUE, soft=0.015, clip=opening)
    height = min(0.075, 0.75 * mouth.gap)
    shape = 1 - 0.25 * np.linspace(-1, 1, 33)[:, None] ** 4
    edge = mouth.upper_inner + (0.0, 1.0) * (height * shape)
    teeth = np.concatenate([mouth.upper_inner, edge[::-1]])
    painter.polygon(teeth, _TEETH, opacity=0.97, soft=0.003, clip=opening)
    gaps = [np.array([[centre[0] + k * 0.052, mouth.upper_inner[16, 1] - 0.01], [centre[0] + k * 0.050, edge[16, 1]]])
            for k in (-3, -2, -1, 0, 1, 2, 3)]  # fmt: skip
    painter.strokes(gaps, 0.006, (0.62, 0.55, 0.50), opacity=0.35, clip=opening)
    jaw = aus.mean("AU26")
    if jaw > 0.2 and mouth.gap > 0.13:
        lower_edge = mouth.lower_inner - (0.0, 1.0) * (0.028 * shape)
        row = np.concatenate([mouth.lower_inner, lower_edge[::-1]])
        painter.polygon(row, _TEETH, opacity=0.55, soft=0.004, clip=opening)
    painter.strokes([mouth.upper_inner], 0.03, (0.15, 0.05, 0.05), opacity=0.35, soft=0.010, clip=opening)


def paint_nose(painter: Painter, identity: Identity, aus: ActionUnits) -> None:
    """Paint nostrils and wings; AU9 pulls them up and flares them."""
    skin, tip = identity.skin_rgb, identity.nose_tip_y
    dark: RGB = (0.30 * skin[0], 0.17 * skin[1], 0.14 * skin[2])
    fold: RGB = (0.60 * skin[0], 0.45 * skin[1], 0.40 * skin[2])
    for side, sign in enumerate(SIDE_SIGNS):
        wrinkle = aus.side("AU09", side)
        width = identity.nose_half_width * (1 + 0.14 * wrinkle)
        y = tip + 0.072 - 0.032 * wrinkle
        painter.ellipse((sign * 0.50 * width, y), (0.030, 0.015), dark, opacity=0.80, soft=0.005)
        wing = bend(
            [
                (sign * 0.86 * width, y - 0.085),
                (sign * 1.16 * width, y - 0.07),
                (sign * 1.14 * width, y + 0.01),
                (sign * 0.78 * width, y + 0.012),
            ]
        )
        painter.strokes([wing], 0.014, fold, opacity=0.55 + 0.3 * wrinkle, soft=0.005)
    base = bend([(-0.06, tip + 0.082), (0.0, tip + 0.108), (0.06, tip + 0.082)])
    painter.strokes([base], 0.016, fold, opacity=0.5, soft=0.006)
