"""Drawing in face units on a plane of pixels: antialiased polygons, strokes and discs, soft edges, Gaussian bumps."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from math import comb

import cv2
import numpy as np
from numpy.typing import NDArray

from features.synthetic.identity import RGB

Image = NDArray[np.float32]
Mask = NDArray[np.uint8]
Points = NDArray[np.float64]

_SHIFT = 4  # OpenCV takes polygon corners in 1/16 pixel


@dataclass(frozen=True, slots=True)
class Plane:
    """A rectangle of face units, sampled with `scale` pixels per unit."""

    scale: float
    left: float = -1.10
    top: float = -1.50
    right: float = 1.10
    bottom: float = 1.50

    @property
    def width(self) -> int:
        """Columns."""
        return int(np.ceil((self.right - self.left) * self.scale))

    @property
    def height(self) -> int:
        """Rows."""
        return int(np.ceil((self.bottom - self.top) * self.scale))

    def to_pixels(self, points: Points) -> Points:
        """Pixel coordinates (pixel centres at integers) of points (..., 2) in face units."""
        return (np.asarray(points) - (self.left, self.top)) * self.scale - 0.5

    def row(self, y: float) -> int:
        """Row at height `y`, clipped to the plane."""
        return int(np.clip(round((y - self.top) * self.scale), 0, self.height))

    def x_axis(self) -> NDArray[np.float32]:
        """Return the x of the columns, (width,)."""
        return np.asarray((np.arange(self.width) + 0.5) / self.scale + self.left, dtype=np.float32)

    def y_axis(self) -> NDArray[np.float32]:
        """Return the y of the rows, (height,)."""
        return np.asarray((np.arange(self.height) + 0.5) / self.scale + self.top, dtype=np.float32)

    def bump(self, x: float, y: float, sigma_x: float, sigma_y: float) -> NDArray[np.float32]:
        """Return a Gaussian of height 1 on the whole plane, (height, width) float32."""
        along_x = np.exp(-0.5 * ((self.x_axis() - x) / sigma_x) ** 2)
        along_y = np.exp(-0.5 * ((self.y_axis() - y) / sigma_y) ** 2)
        return np.asarray(np.outer(along_y, along_x), dtype=np.float32)

    def mirrored_bumps(self, x: float, y: float, sigma_x: float, sigma_y: float) -> NDArray[np.float32]:
        """Return the sum of the bumps at (x, y) and (-x, y)."""
        return self.bump(x, y, sigma_x, sigma_y) + self.bump(-x, y, sigma_x, sigma_y)


class Painter:
    """Paints on an RGB float32 image (height, width, 3), values 0..1, that covers `plane`.

    All shapes take a colour, an `opacity` 0..1, the standard deviation `soft` of the edge blur in face units, and a
    closed polygon `clip` outside of which nothing is painted.
    """

    def __init__(self, image: Image, plane: Plane) -> None:
        self.image = image
        self.plane = plane

    def polygon(
        self, points: Points, colour: RGB, *, opacity: float = 1.0, soft: float = 0.0, clip: Points | None = None
    ) -> None:
        """Fill a closed polygon (n, 2)."""
        window = self._window([points], 3 * soft)
        if window is not None:
            mask = window.blank()
            cv2.fillPoly(mask, window.curves, 255, cv2.LINE_AA, _SHIFT)
            self._blend(window, mask, colour, opacity=opacity, soft=soft, clip=clip)

    def strokes(
        self,
        curves: Sequence[Points] | Points,
        thickness: float,
        colour: RGB,
        *,
        opacity: float = 1.0,
        soft: float = 0.0,
        clip: Points | None = None,
    ) -> None:
        """Draw open curves, each (n, 2), all of one thickness in face units."""
        window = self._window(curves, thickness + 3 * soft)
        if window is not None:
            mask = window.blank()
            pixels, strength = line_width(thickness, self.plane.scale)
            cv2.polylines(mask, window.curves, False, 255, pixels, cv2.LINE_AA, _SHIFT)
            self._blend(window, mask, colour, opacity=opacity * strength, soft=soft, clip=clip)

    def ellipse(
        self,
        centre: Sequence[float] | Points,
        radii: tuple[float, float],
        colour: RGB,
        *,
        opacity: float = 1.0,
        soft: float = 0.0,
        clip: Points | None = None,
    ) -> None:
        """Fill an axis-parallel ellipse."""
        self.polygon(ellipse_points(centre, *radii), colour, opacity=opacity, soft=soft, clip=clip)

    def _window(self, curves: Sequence[Points] | Points, margin: float) -> _Window | None:
        """Find the pixels that curves, drawn with a margin, can touch."""
        pixels = [self.plane.to_pixels(curve) for curve in curves]
        everything = pixels[0] if len(pixels) == 1 else np.concatenate(pixels)
        extra = margin * self.plane.scale + 2
        low, high = everything.min(axis=0) - extra, everything.max(axis=0) + extra
        x0, y0 = max(int(low[0]), 0), max(int(low[1]), 0)
        x1, y1 = min(int(high[0]) + 2, self.plane.width), min(int(high[1]) + 2, self.plane.height)
        if x1 <= x0 or y1 <= y0:
            return None
        return _Window((x0, y0, x1, y1), [sixteenths(curve - (x0, y0)) for curve in pixels])

    def _blend(
        self, window: _Window, mask: Mask, colour: RGB, *, opacity: float, soft: float, clip: Points | None
    ) -> None:
        x0, y0, x1, y1 = window.edges
        if soft * self.plane.scale > 0.3:
            mask = cv2.GaussianBlur(mask, (0, 0), soft * self.plane.scale).astype(np.uint8, copy=False)
        weight = mask * np.float32(opacity / 255.0)
        if clip is not None:
            inside = window.blank()
            corners = sixteenths(self.plane.to_pixels(clip) - (x0, y0))
            cv2.fillPoly(inside, [corners], 255, cv2.LINE_AA, _SHIFT)
            weight *= inside * np.float32(1 / 255.0)
        area = self.image[y0:y1, x0:x1]
        area += weight[..., None] * (np.asarray(colour, dtype=np.float32) - area)


@dataclass(frozen=True, slots=True)
class _Window:
    """The pixels of a plane that one drawing touches (x0, y0, x1, y1), and its curves within them."""

    edges: tuple[int, int, int, int]
    curves: list[NDArray[np.int32]]

    def blank(self) -> Mask:
        x0, y0, x1, y1 = self.edges
        return np.zeros((y1 - y0, x1 - x0), dtype=np.uint8)


def sixteenths(pixels: Points) -> NDArray[np.int32]:
    """Pixel positions as the fixed-point numbers that OpenCV's drawing takes."""
    return np.asarray(np.rint(np.asarray(pixels) * (1 << _SHIFT)), dtype=np.int32)


def draw_curves(mask: Mask, plane: Plane, curves: Sequence[Points], thickness: float, strength: float) -> None:
    """Draw curves into a uint8 map of the whole plane with a value of 255 x `strength` (0..1)."""
    pixels, weakening = line_width(thickness, plane.scale)
    value = int(np.clip(255 * strength * weakening, 0, 255))
    if value > 0:
        lines = [sixteenths(plane.to_pixels(curve)) for curve in curves]
        cv2.polylines(mask, lines, False, value, pixels, cv2.LINE_AA, _SHIFT)


def fill_mask(plane: Plane, polygons: Sequence[Points]) -> Image:
    """Coverage (height, width) float32, 0..1, of the union of closed polygons."""
    mask = np.zeros((plane.height, plane.width), dtype=np.uint8)
    for points in polygons:
        cv2.fillPoly(mask, [sixteenths(plane.to_pixels(points))], 255, cv2.LINE_AA, _SHIFT)
    return mask.astype(np.float32) / np.float32(255)


def line_width(thickness: float, scale: float) -> tuple[int, float]:
    """Whole-pixel width of a line and the opacity that makes up for what a thinner line would cover."""
    pixels = max(1, round(thickness * scale))
    return pixels, float(min(1.0, thickness * scale / pixels))


def ellipse_points(centre: Sequence[float] | Points, radius_x: float, radius_y: float, n: int = 28) -> Points:
    """Polygon (n, 2) of an axis-parallel ellipse."""
    return np.asarray(_unit_circle(n) * (radius_x, radius_y) + np.asarray(centre))


@lru_cache(maxsize=8)
def _unit_circle(n: int) -> Points:
    angle = np.linspace(0, 2 * np.pi, n, endpoint=False)
    return np.stack([np.cos(angle), np.sin(angle)], axis=1)


def bend(controls: Sequence[tuple[float, float]], n: int = 14) -> Points:
    """Bezier curve (n, 2) of the given control points, for creases and strands."""
    points = np.asarray(controls, dtype=float)
    return np.asarray(_bernstein(len(points) - 1, n) @ points)


@lru_cache(maxsize=16)
def _bernstein(degree: int, n: int) -> Points:
    t = np.linspace(0, 1, n)
    return np.stack([comb(degree, k) * t**k * (1 - t) ** (degree - k) for k in range(degree + 1)], axis=1)
