"""Where the features of a face lie, given the person and the action units: brows, eyes, mouth, chin.

Everything is in face units (see `features.synthetic.identity`) on the frontal face plane. Sides are the SUBJECT's:
side 0 is the subject's left, which is the image's right (x > 0) in a frontal picture; side 1 is the subject's right.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from features.facs import EMOTIONET_AUS
from features.synthetic.identity import Identity

Array = NDArray[np.float64]

SIDE_SIGNS = (1.0, -1.0)
"""x direction of the subject's left and right side in a frontal picture."""


class ActionUnits:
    """Intensities (0..1) of both sides by name.

    Raises
    ------
    ValueError
        If an array is not of shape (12,) or leaves 0..1.
    """

    def __init__(self, au_left: NDArray[np.floating], au_right: NDArray[np.floating]) -> None:
        values = np.stack([np.asarray(au_left, dtype=float), np.asarray(au_right, dtype=float)])
        if values.shape != (2, len(EMOTIONET_AUS)):
            raise ValueError(f"Expected AU intensities of shape ({len(EMOTIONET_AUS)},), got {values.shape[1:]}")
        if not (values.min() >= 0.0 and values.max() <= 1.0):
            raise ValueError(f"Expected AU intensities from 0 to 1, got {values.min()} to {values.max()}")
        left, right = values.tolist()
        self._values = dict(zip(EMOTIONET_AUS, zip(left, right, strict=True), strict=True))

    def side(self, name: str, side: int) -> float:
        """Return the intensity on side 0 (the subject's left) or 1."""
        return float(self._values[name][side])

    def mean(self, name: str) -> float:
        """Return the mean of both sides."""
        left, right = self._values[name]
        return float(0.5 * (left + right))


@dataclass(frozen=True, slots=True)
class Eye:
    """One eye. `inner`, `outer`, `centre` and `iris` are points (2,); lids are curves (n, 2) from inner to outer."""

    inner: Array
    outer: Array
    centre: Array
    iris: Array
    iris_radius: float
    upper_lid: Array
    lower_lid: Array
    open_upper_lid: Array
    closure: float


@dataclass(frozen=True, slots=True)
class Mouth:
    """Lip contours, curves (n, 2) from the subject's right corner to the left one (image left to right)."""

    corners: Array
    upper_outer: Array
    upper_inner: Array
    lower_inner: Array
    lower_outer: Array
    gap: float


@dataclass(frozen=True, slots=True)
class FaceGeometry:
    """All moving parts of one face at one moment.

    `brows` are two arrays (n, 3) of x, y and half thickness from the inner to the outer end; `jaw_drop` is the way the
    chin moved down and `stretch_from_y` the height below which the skin is stretched for it.
    """

    brows: tuple[Array, Array]
    eyes: tuple[Eye, Eye]
    mouth: Mouth
    jaw_drop: float
    stretch_from_y: float

    def landmarks(self, identity: Identity) -> Array:
        """Five points (5, 2) in the order image-left eye, image-right eye, nose tip, image-left and -right corner."""
        nose = np.array([0.0, identity.nose_tip_y - 0.05 + 0.02 * identity.childlikeness])
        return np.stack([self.eyes[1].centre, self.eyes[0].centre, nose, self.mouth.corners[1], self.mouth.corners[0]])


def place_features(identity: Identity, aus: ActionUnits, *, gaze: tuple[float, float] = (0.0, 0.0)) -> FaceGeometry:
    """Compute the geometry of a face; `gaze` is in -1..1, x to the image's right and y down."""
    return FaceGeometry(
        brows=(brow_curve(identity, aus, 0), brow_curve(identity, aus, 1)),
        eyes=(eye_shape(identity, aus, 0, gaze), eye_shape(identity, aus, 1, gaze)),
        mouth=mouth_shape(identity, aus),
        jaw_drop=0.24 * aus.mean("AU26") - 0.05 * aus.mean("AU17") * (1.0 - aus.mean("AU26")),
        stretch_from_y=identity.nose_tip_y + 0.08,
    )


def brow_curve(identity: Identity, aus: ActionUnits, side: int) -> Array:
    """Centre line and half thickness of one brow, (12, 3) from inner to outer end."""
    u = np.linspace(0.0, 1.0, 12)
    inner_raise, outer_raise = aus.side("AU01", side), aus.side("AU02", side)
    lower, wrinkle = aus.side("AU04", side), aus.side("AU09", side)
    inner_x = 0.115 - 0.055 * lower
    outer_x = identity.eye_half_distance + 1.35 * identity.eye_half_width
    x = inner_x + (outer_x - inner_x) * u
    y = identity.eye_y - identity.brow_gap - identity.brow_arch * np.sin(np.pi * u**1.2) + 0.035 * u**3
    y = y - 0.135 * inner_raise * (1 - u) ** 1.3
    y = y - 0.150 * outer_raise * np.sin(0.5 * np.pi * np.clip(u / 0.75, 0, 1)) ** 2
    # AU4 pulls down less where AU1 pulls up: the oblique brow of sadness and fear.
    y = y + 0.105 * lower * (1 - 0.75 * inner_raise) * (1 - 0.45 * u) + 0.025 * wrinkle * (1 - u)
    taper = np.clip(4.0 * u + 0.55, 0, 1) * np.sqrt(np.clip(1.15 - u, 0, 1))
    return np.stack([SIDE_SIGNS[side] * x, y, identity.brow_thickness * taper], axis=1)


def lid_closure(intensity: float) -> float:
    """Share of the way that the upper lid has gone down for an AU43 intensity: 0.5 and more is (nearly) closed."""
    return min(max((intensity - 0.12) / 0.45, 0.0), 1.0)


def eye_shape(identity: Identity, aus: ActionUnits, side: int, gaze: tuple[float, float]) -> Eye:
    """Lids, corners and iris of one eye."""
    sign = SIDE_SIGNS[side]
    half_width, opening = identity.eye_half_width, identity.eye_opening
    centre_x, centre_y = identity.eye_half_distance, identity.eye_y
    t = np.linspace(-1.0, 1.0, 17)  # inner to outer
    corner_y = centre_y - identity.eye_tilt * t
    raised, squeezed = aus.side("AU05", side), aus.side("AU06", side)
    frown, wrinkle = aus.side("AU04", side), aus.side("AU09", side)
    upper = 0.62 * opening * (1 + 0.80 * raised) * (1 - 0.18 * squeezed) * (1 - 0.15 * frown * (1 - raised))
    lower = 0.42 * opening * (1 - 0.85 * squeezed) * (1 - 0.30 * wrinkle) * (1 + 0.10 * raised)
    upper_profile = (1 - np.abs(t + 0.08 * (1 - t**2)) ** 2.2) ** 0.85
    lower_profile = (1 - np.abs(t - 0.10 * (1 - t**2)) ** 2.4) ** 0.95
    open_upper = corner_y - upper * upper_profile
    lower_lid = corner_y + (lower - 0.012 * squeezed) * lower_profile
    closure = lid_closure(aus.side("AU43", side))
    closed_line = lower_lid - 0.002
    upper_lid = open_upper + closure * (closed_line - open_upper)
    x = sign * (centre_x + half_width * t)
    radius = (0.445 + 0.03 * identity.childlikeness) * half_width
    iris = np.array(
        [
            sign * (centre_x - 0.02 * half_width) + 0.42 * half_width * gaze[0],
            centre_y - 0.09 * opening + 0.35 * opening * gaze[1],
        ]
    )
    return Eye(
        inner=np.array([x[0], corner_y[0]]),
        outer=np.array([x[-1], corner_y[-1]]),
        centre=np.array([sign * centre_x, centre_y - 0.030]),
        iris=iris,
        iris_radius=radius,
        upper_lid=np.stack([x, upper_lid], axis=1),
        lower_lid=np.stack([x, lower_lid], axis=1),
        open_upper_lid=np.stack([x, open_upper], axis=1),
        closure=closure,
    )


def mouth_shape(identity: Identity, aus: ActionUnits) -> Mouth:
    """Lip contours, moved by AU9, AU12, AU17, AU20, AU25 and AU26."""
    jaw, parted, chin = aus.mean("AU26"), aus.mean("AU25"), aus.mean("AU17")
    smile, stretch, wrinkle = aus.mean("AU12"), aus.mean("AU20"), aus.mean("AU09")
    corners = np.stack([_mouth_corner(identity, aus, side) for side in (0, 1)])
    s = np.linspace(-1.0, 1.0, 33)
    x = np.where(s >= 0, corners[0, 0] * s, -corners[1, 0] * s)
    middle = identity.mouth_y + 0.02 * smile - 0.045 * chin - 0.035 * wrinkle + 0.10 * jaw * (1 - parted)
    line = middle + (np.where(s >= 0, corners[0, 1], corners[1, 1]) - middle) * np.abs(s) ** (1.6 + 0.9 * jaw)

    opened = float(np.clip(1.6 * parted, 0, 1))  # lips may stay sealed over a dropped jaw
    gap_up = parted * (0.026 + 0.022 * wrinkle + 0.018 * smile)
    gap_down = 0.068 * parted + 0.235 * jaw * opened
    arc = 1 - np.abs(s) ** (2.6 - 0.7 * jaw)
    upper_inner = line - gap_up * arc
    lower_inner = line + gap_down * arc**0.85

    flat = (1 - 0.35 * smile) * (1 - 0.50 * stretch)
    upper_thickness = identity.upper_lip * flat * (1 - 0.45 * chin) * (1 - 0.15 * jaw)
    lower_thickness = identity.lower_lip * flat * (1 + 0.35 * chin) * (1 - 0.10 * jaw)
    cupid = 1 - 0.26 * np.exp(-((s / 0.13) ** 2)) + 0.12 * np.exp(-(((np.abs(s) - 0.24) / 0.14) ** 2))
    upper_outer = upper_inner - upper_thickness * cupid * (1 - np.abs(s) ** 1.7) - 0.004
    lower_outer = lower_inner + lower_thickness * (1 - np.abs(s) ** 2.4) ** 0.9 + 0.004
    return Mouth(
        corners=corners,
        upper_outer=np.stack([x, upper_outer], axis=1),
        upper_inner=np.stack([x, upper_inner], axis=1),
        lower_inner=np.stack([x, lower_inner], axis=1),
        lower_outer=np.stack([x, lower_outer], axis=1),
        gap=float(gap_up + gap_down),
    )


def _mouth_corner(identity: Identity, aus: ActionUnits, side: int) -> Array:
    smile, stretch = aus.side("AU12", side), aus.side("AU20", side)
    chin, jaw = aus.side("AU17", side), aus.side("AU26", side)
    out = identity.mouth_half_width + 0.095 * smile + 0.115 * stretch - 0.050 * jaw - 0.015 * chin
    y = identity.mouth_y + 0.003 - 0.125 * smile + 0.022 * stretch + 0.040 * chin + 0.085 * jaw
    return np.array([SIDE_SIGNS[side] * out, y])


def face_outline(identity: Identity, jaw_drop: float = 0.0) -> Array:
    """Contour (n, 2) of the face from the top of the forehead around the chin; chin at y = 1 + `jaw_drop`."""
    y = np.concatenate([np.linspace(-1.19, -0.1, 18), np.linspace(-0.04, 0.98, 40), [0.993, 1.0]])
    half = half_width_at(identity, y)
    y = stretch_rows(identity, y, jaw_drop)
    right = np.stack([half, y], axis=1)
    left = np.stack([-half, y], axis=1)[::-1]
    return np.concatenate([right, left])


def half_width_at(identity: Identity, y: Array) -> Array:
    """Half width of the neutral face at height `y`, zero above the skull and below the chin."""
    widest = -0.08
    upper = np.clip(1 - np.abs((y - widest) / 1.12) ** 2.5, 0, None) ** (0.46)
    below = np.clip((y - widest) / (1.0 - widest), 0, 1)
    lower = np.clip(1 - below**identity.jaw_exponent, 0, None) ** 0.56
    # A chin is flatter than an ellipse's tip.
    return np.asarray(identity.face_half_width * np.where(y < widest, upper, lower))


def stretch_rows(identity: Identity, y: Array, jaw_drop: float) -> Array:
    """Heights after the jaw has dropped: unchanged above the nose base, stretched linearly down to the chin."""
    start = identity.nose_tip_y + 0.08
    return np.asarray(np.where(y > start, y + jaw_drop * (y - start) / (1.0 - start), y))
