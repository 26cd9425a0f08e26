"""The surroundings of a rendered face: room, light, occluders, and what the camera adds."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import lru_cache

import cv2
import numpy as np
from numpy.typing import NDArray

from features.synthetic.canvas import sixteenths
from features.synthetic.identity import RGB

BACKGROUND_KINDS = ("plain", "room", "shapes", "clutter")


@dataclass(frozen=True, slots=True)
class Lighting:
    """One distant light and an ambient part.

    `direction` points to the light (x right, y down, z to the camera); `ambient` + `strength` is the brightness of a
    surface that faces it, 1 for normal exposure.
    """

    direction: tuple[float, float, float] = (-0.35, -0.55, 0.75)
    ambient: float = 0.42
    strength: float = 0.66
    colour: RGB = (1.0, 1.0, 1.0)


@dataclass(frozen=True, slots=True)
class Background:
    """What is behind the people. `kind` is one of `BACKGROUND_KINDS`; `seed` fixes its details."""

    kind: str = "room"
    colour: RGB = (0.70, 0.68, 0.64)
    seed: int = 0


@dataclass(frozen=True, slots=True)
class Occluder:
    """A hand-like blob in front of the faces; centre and `size` as fractions of the frame (of its height)."""

    centre_x: float
    centre_y: float
    size: float
    angle_deg: float
    colour: RGB


@dataclass(frozen=True, slots=True)
class Scene:
    """Everything of a picture but the people.

    Parameters
    ----------
    blur_px
        Standard deviation of the defocus blur, in pixels.
    motion_blur_px
        Length of the motion blur in pixels, along `motion_angle_deg`.
    noise
        Standard deviation of the sensor noise, in grey levels (0..255).
    exposure
        Factor on the whole picture.
    """

    lighting: Lighting = field(default_factory=Lighting)
    background: Background = field(default_factory=Background)
    occluders: tuple[Occluder, ...] = ()
    blur_px: float = 0.0
    motion_blur_px: float = 0.0
    motion_angle_deg: float = 0.0
    noise: float = 2.0
    exposure: float = 1.0


def sample_scene_look(
    rng: np.random.Generator, *, quality: float = 0.5, kinds: Sequence[str] = BACKGROUND_KINDS
) -> Scene:
    """Draw room, light and camera.

    `quality` 1 is an evenly lit sharp recording, 0 varies most; `kinds` are the backgrounds to draw from.
    """
    spread = 1.0 - quality
    angle = rng.normal(0.0, 0.35 + 0.8 * spread)
    direction = (float(np.sin(angle)) * 0.9, float(rng.uniform(-0.75, -0.15)), float(abs(np.cos(angle)) * 0.7 + 0.25))
    ambient = float(rng.uniform(0.45 - 0.17 * spread, 0.55))
    warmth = float(rng.normal(0.0, 0.03 + 0.05 * spread))
    lighting = Lighting(
        direction=direction,
        ambient=ambient,
        strength=float(rng.uniform(0.90, 1.04) - ambient),
        colour=(1.0 + warmth, 1.0, 1.0 - warmth),
    )
    background = Background(
        kind=str(rng.choice(list(kinds))),
        colour=_as_rgb(rng.uniform(0.25, 0.85) + rng.normal(0, 0.08, 3)),
        seed=int(rng.integers(2**31)),
    )
    return Scene(
        lighting=lighting,
        background=background,
        blur_px=float(max(0.0, rng.normal(0.1, 0.25 + 0.7 * spread))),
        motion_blur_px=float(rng.uniform(2, 7)) if rng.random() < 0.25 * spread else 0.0,
        motion_angle_deg=float(rng.uniform(0, 180)),
        noise=float(rng.uniform(1.0, 3.0 + 7.0 * spread)),
        exposure=float(np.clip(rng.normal(1.0, 0.05 + 0.14 * spread), 0.6, 1.3)),
    )


def _as_rgb(colour: NDArray[np.float64]) -> RGB:
    red, green, blue = np.clip(colour, 0.02, 0.98)
    return (float(red), float(green), float(blue))


@lru_cache(maxsize=4)
def paint_background(background: Background, lighting: Lighting, width: int, height: int) -> NDArray[np.uint8]:
    """Paint the empty room (height, width, 3) uint8; must not be written to."""
    rng = np.random.default_rng(background.seed)
    y = np.linspace(0, 1, height, dtype=np.float32)[:, None]
    x = np.linspace(0, 1, width, dtype=np.float32)[None, :]
    slope_x, slope_y = rng.uniform(-0.25, 0.25, 2)
    image = np.empty((height, width, 3), dtype=np.float32)
    image[:] = np.asarray(background.colour)
    image *= (1.0 + slope_x * (x - 0.5) + slope_y * (y - 0.5))[..., None]
    canvas = np.ascontiguousarray(np.clip(image * 255, 0, 255).astype(np.uint8))
    if background.kind == "room":
        _furnish(canvas, rng)
    elif background.kind == "shapes":
        _scatter(canvas, rng, n=6, smallest=0.15)
    elif background.kind == "clutter":
        _scatter(canvas, rng, n=28, smallest=0.04)
    canvas = cv2.GaussianBlur(canvas, (0, 0), max(0.5, 0.006 * height)).astype(np.uint8, copy=False)
    light = np.asarray(lighting.colour) * (lighting.ambient + 0.8 * lighting.strength)
    return np.clip(canvas * light, 0, 255).astype(np.uint8)


def _furnish(canvas: NDArray[np.uint8], rng: np.random.Generator) -> None:
    """Add a wall with a shelf, a picture or window, and a skirting of another colour."""
    height, width = canvas.shape[:2]
    base = canvas.reshape(-1, 3).mean(axis=0)
    floor_y = int(height * rng.uniform(0.72, 0.95))
    canvas[floor_y:] = np.clip(base * rng.uniform(0.45, 0.8), 0, 255).astype(np.uint8)
    for _ in range(int(rng.integers(1, 4))):
        x, y = int(width * rng.uniform(0, 0.9)), int(height * rng.uniform(0.0, 0.5))
        w, h = int(width * rng.uniform(0.1, 0.25)), int(height * rng.uniform(0.15, 0.45))
        frame = tuple(int(value) for value in np.clip(base * rng.uniform(0.4, 0.8), 0, 255))
        inner = tuple(int(value) for value in np.clip(base + rng.uniform(-90, 90, 3), 0, 255))
        cv2.rectangle(canvas, (x, y), (x + w, y + h), frame, -1)
        border = max(2, height // 90)
        cv2.rectangle(canvas, (x + border, y + border), (x + w - border, y + h - border), inner, -1)
    shelf = int(height * rng.uniform(0.15, 0.7))
    start = int(width * rng.uniform(0.0, 0.7))
    length = int(0.3 * width)
    cv2.rectangle(canvas, (start, shelf), (start + length, shelf + height // 40), (95, 75, 55), -1)
    position = start
    while position < start + length - width // 40:
        book_w, book_h = int(width * rng.uniform(0.008, 0.025)) + 1, int(height * rng.uniform(0.06, 0.14))
        spine = tuple(int(value) for value in rng.uniform(30, 220, 3))
        cv2.rectangle(canvas, (position, shelf - book_h), (position + book_w, shelf), spine, -1)
        position += book_w + 1


def _scatter(canvas: NDArray[np.uint8], rng: np.random.Generator, *, n: int, smallest: float) -> None:
    height, width = canvas.shape[:2]
    for _ in range(n):
        centre = (int(width * rng.random()), int(height * rng.random()))
        axes = tuple(int(height * rng.uniform(smallest, 2.5 * smallest)) + 1 for _ in range(2))
        colour = tuple(int(value) for value in rng.uniform(30, 230, 3))
        if rng.random() < 0.5:
            cv2.ellipse(canvas, centre, axes, float(rng.uniform(0, 180)), 0, 360, colour, -1, cv2.LINE_AA)
        else:
            box = cv2.boxPoints((centre, axes, float(rng.uniform(0, 180))))
            cv2.fillPoly(canvas, [box.astype(np.int32)], colour, cv2.LINE_AA)


def occluder_polygons(occluder: Occluder, width: int, height: int) -> list[NDArray[np.float64]]:
    """Outline of palm and four fingers in pixels."""
    unit = occluder.size * height
    angle = np.deg2rad(occluder.angle_deg)
    turn = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    centre = np.array([occluder.centre_x * width, occluder.centre_y * height])
    circle = np.linspace(0, 2 * np.pi, 24, endpoint=False)
    palm = np.stack([0.42 * np.cos(circle), 0.50 * np.sin(circle)], axis=1)
    parts = [palm]
    for k, length in enumerate((0.42, 0.52, 0.50, 0.36)):
        finger = np.stack([0.095 * np.cos(circle), length * np.sin(circle)], axis=1)
        parts.append(finger + np.array([-0.31 + 0.205 * k, -0.62]))
    parts.append(np.stack([0.30 * np.cos(circle), 0.8 * np.sin(circle)], axis=1) + np.array([0, 0.8]))
    return [centre + unit * part @ turn.T for part in parts]


def draw_occluder(image: NDArray[np.uint8], occluder: Occluder, lighting: Lighting) -> None:
    """Paint a hand over the picture, in place."""
    height, width = image.shape[:2]
    level = np.asarray(lighting.colour) * (lighting.ambient + 0.75 * lighting.strength) * 255
    parts = occluder_polygons(occluder, width, height)
    for factor, grow in ((0.72, 1.0), (1.0, 0.9)):
        colour = tuple(float(v) for v in np.clip(np.asarray(occluder.colour) * level * factor, 0, 255))
        for part in parts:
            middle = part.mean(axis=0)
            cv2.fillPoly(image, [sixteenths(middle + grow * (part - middle))], colour, cv2.LINE_AA, 4)


def add_camera_effects(image: NDArray[np.uint8], scene: Scene, rng: np.random.Generator) -> NDArray[np.uint8]:
    """Defocus, motion blur, exposure and sensor noise."""
    if scene.blur_px > 0.15:
        image = cv2.GaussianBlur(image, (0, 0), scene.blur_px).astype(np.uint8, copy=False)
    if scene.motion_blur_px > 1.0:
        kernel = motion_kernel(scene.motion_blur_px, scene.motion_angle_deg)
        image = cv2.filter2D(image, -1, kernel).astype(np.uint8, copy=False)
    if scene.exposure != 1.0:
        image = cv2.convertScaleAbs(image, alpha=scene.exposure).astype(np.uint8, copy=False)
    if scene.noise > 0:
        image = _add_noise(image, scene.noise, rng)
    return image


def motion_kernel(length_px: float, angle_deg: float) -> NDArray[np.float32]:
    """Normalised line kernel of a uniform motion."""
    radius = int(np.ceil(length_px / 2)) + 1
    kernel = np.zeros((2 * radius + 1, 2 * radius + 1), dtype=np.uint8)
    step = 0.5 * length_px * np.array([np.cos(np.deg2rad(angle_deg)), np.sin(np.deg2rad(angle_deg))])
    ends = sixteenths(np.stack([radius - step, radius + step]))
    cv2.polylines(kernel, [ends], False, 255, 1, cv2.LINE_AA, 4)
    weights = kernel.astype(np.float32)
    return np.asarray(weights / weights.sum(), dtype=np.float32)


@lru_cache(maxsize=1)
def _noise_tiles() -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
    """Draw the positive and negative part of unit noise, times 32; drawing it anew costs more than a face."""
    noise = 32 * np.random.default_rng(20190922).standard_normal((1200, 2048, 3), dtype=np.float32)
    return cv2.convertScaleAbs(np.maximum(noise, 0)), cv2.convertScaleAbs(np.maximum(-noise, 0))  # type: ignore[return-value]


def _add_noise(image: NDArray[np.uint8], sigma: float, rng: np.random.Generator) -> NDArray[np.uint8]:
    """Add a randomly shifted window of the noise tiles."""
    brighter, darker = _noise_tiles()
    height, width = image.shape[:2]
    if height > brighter.shape[0] or width > brighter.shape[1]:
        noise = rng.normal(0, sigma, image.shape)
        return np.clip(image + noise, 0, 255).astype(np.uint8)
    y = int(rng.integers(brighter.shape[0] - height + 1))
    x = int(rng.integers(brighter.shape[1] - width + 1))
    window = (slice(y, y + height), slice(x, x + width))
    noisy = cv2.add(image, cv2.convertScaleAbs(brighter[window], alpha=sigma / 32))
    noisy = cv2.subtract(noisy, cv2.convertScaleAbs(darker[window], alpha=sigma / 32))
    return np.asarray(noisy, dtype=np.uint8)
