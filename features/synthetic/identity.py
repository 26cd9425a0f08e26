"""Who a rendered person is: face proportions, skin, hair and eyes, from a four-year-old to an adult.

Lengths are *face units*: the unit is half the height of the neutral face, so that the hairline of a frontal face lies
near y = -1 and the chin at y = +1 (y points down, x to the right of the image, z to the camera; origin in the middle
of the face).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

RGB = tuple[float, float, float]

HAIR_STYLES = ("cropped", "short", "side_part", "fringe", "bob", "long", "curly", "ponytail")

_SKIN_TONES: tuple[RGB, ...] = (
    (0.930, 0.800, 0.725),
    (0.915, 0.765, 0.670),
    (0.885, 0.720, 0.605),
    (0.850, 0.670, 0.535),
    (0.770, 0.580, 0.440),
    (0.680, 0.490, 0.360),
    (0.570, 0.395, 0.285),
    (0.450, 0.305, 0.220),
    (0.355, 0.240, 0.180),
)
_HAIR_TONES: tuple[RGB, ...] = (
    (0.075, 0.065, 0.065),
    (0.150, 0.105, 0.080),
    (0.270, 0.175, 0.115),
    (0.400, 0.265, 0.160),
    (0.560, 0.400, 0.230),
    (0.740, 0.590, 0.370),
    (0.500, 0.230, 0.110),
)
_IRIS_TONES: tuple[RGB, ...] = (
    (0.200, 0.120, 0.070),
    (0.300, 0.185, 0.095),
    (0.330, 0.290, 0.150),
    (0.270, 0.370, 0.250),
    (0.250, 0.380, 0.500),
    (0.380, 0.440, 0.480),
)
_GREY_HAIR: RGB = (0.600, 0.590, 0.580)


@dataclass(frozen=True, slots=True)
class Identity:
    """Fixed traits of one person. Lengths in face units, colours RGB in 0..1; see the module docstring.

    Parameters
    ----------
    seed
        Seed of the person's skin, brow and hair texture.
    age_years
        4 to 80. Children have rounder faces, larger and lower eyes, and shorter noses.
    sex
        ``"female"`` or ``"male"``.
    hair_style
        One of `HAIR_STYLES`.
    freckles
        0 (none) to 1 (many).
    """

    seed: int
    age_years: float
    sex: str
    face_half_width: float
    jaw_exponent: float
    eye_y: float
    eye_half_distance: float
    eye_half_width: float
    eye_opening: float
    eye_tilt: float
    brow_gap: float
    brow_thickness: float
    brow_arch: float
    nose_tip_y: float
    nose_half_width: float
    nose_height: float
    mouth_y: float
    mouth_half_width: float
    upper_lip: float
    lower_lip: float
    cheek_fullness: float
    skin_rgb: RGB
    lip_rgb: RGB
    hair_rgb: RGB
    brow_rgb: RGB
    iris_rgb: RGB
    clothes_rgb: RGB
    hair_style: str
    hairline_y: float
    freckles: float

    @property
    def childlikeness(self) -> float:
        """0 for grown-ups (14 years and older), 1 at four years."""
        return childlikeness(self.age_years)


def childlikeness(age_years: float) -> float:
    """Weight of the child's proportions: 1 at four years and below, 0 from fourteen years on."""
    return min(max((14.0 - age_years) / 10.0, 0.0), 1.0)


def sample_identity(rng: np.random.Generator, *, age_years: float | None = None, sex: str | None = None) -> Identity:
    """Draw a random person.

    Parameters
    ----------
    rng
        Source of randomness; the same state gives the same person.
    age_years
        Age; by default a child of 4 to 12 years with probability 0.7, otherwise an adult of 18 to 65.
    sex
        ``"female"`` or ``"male"``; drawn when not given.

    Raises
    ------
    ValueError
        If `age_years` is outside 3..90 or `sex` unknown.
    """
    if age_years is None:
        age_years = float(rng.uniform(4, 12) if rng.random() < 0.7 else rng.uniform(18, 65))
    if not 3 <= age_years <= 90:
        raise ValueError(f"Expected age_years from 3 to 90, got {age_years}")
    if sex is None:
        sex = "female" if rng.random() < 0.5 else "male"
    if sex not in ("female", "male"):
        raise ValueError(f"Expected sex 'female' or 'male', got {sex!r}")
    return Identity(
        seed=int(rng.integers(2**31)),
        age_years=float(age_years),
        sex=sex,
        **_sample_proportions(rng, age_years, sex),  # type: ignore[arg-type]
        **_sample_colours(rng, age_years),  # type: ignore[arg-type]
        hair_style=_sample_hair_style(rng, sex),
        hairline_y=float(rng.uniform(-0.80, -0.70)),
        freckles=float(max(0.0, rng.uniform(-1.2, 1.0))),
    )


def _sample_proportions(rng: np.random.Generator, age_years: float, sex: str) -> dict[str, float]:
    child = childlikeness(age_years)
    male = float(sex == "male") * (1.0 - child)

    def draw(adult: float, child_shift: float, spread: float, male_shift: float = 0.0) -> float:
        return float(adult + child_shift * child + male_shift * male + spread * np.clip(rng.standard_normal(), -2, 2))

    eye_y = draw(-0.12, 0.13, 0.018)
    return {
        "face_half_width": draw(0.715, 0.085, 0.022, 0.02),
        "jaw_exponent": draw(2.25, 0.35, 0.18, 0.5),
        "eye_y": eye_y,
        "eye_half_distance": draw(0.300, 0.030, 0.010),
        "eye_half_width": draw(0.142, 0.034, 0.006),
        "eye_opening": draw(0.108, 0.050, 0.008),
        "eye_tilt": draw(0.008, 0.0, 0.010),
        "brow_gap": draw(0.185, 0.020, 0.012, -0.02),
        "brow_thickness": draw(0.030, -0.007, 0.005, 0.010),
        "brow_arch": draw(0.045, -0.010, 0.010, -0.015),
        "nose_tip_y": draw(0.255, 0.050, 0.018),
        "nose_half_width": draw(0.118, -0.012, 0.010, 0.012),
        "nose_height": draw(0.230, -0.075, 0.020, 0.015),
        "mouth_y": draw(0.535, 0.045, 0.015),
        "mouth_half_width": draw(0.255, -0.030, 0.012, 0.008),
        "upper_lip": draw(0.046, 0.004, 0.008, -0.006),
        "lower_lip": draw(0.066, 0.002, 0.009, -0.006),
        "cheek_fullness": draw(0.35, 0.45, 0.10),
    }


def _sample_colours(rng: np.random.Generator, age_years: float) -> dict[str, RGB]:
    tone = rng.uniform(0, len(_SKIN_TONES) - 1)
    skin = _between(_SKIN_TONES, tone) * rng.uniform(0.97, 1.03, 3)
    darkness = tone / (len(_SKIN_TONES) - 1)
    # Fair hair and light eyes go with fair skin more often than not.
    lightest_hair = 1.3 if darkness > 0.5 else len(_HAIR_TONES) - 1
    hair = _between(_HAIR_TONES, rng.uniform(0, lightest_hair))
    grey = np.clip((age_years - 45) / 30, 0, 1) * rng.uniform(0.3, 1.0)
    hair = hair + grey * (np.array(_GREY_HAIR) - hair)
    iris = np.array(_IRIS_TONES[int(rng.integers(2 if darkness > 0.5 else len(_IRIS_TONES)))])
    lip = skin * np.array([0.90, 0.60, 0.60]) + np.array([0.03, 0.0, 0.01])
    clothes = rng.uniform(0.15, 0.85, 3)
    return {
        "skin_rgb": _as_rgb(skin),
        "lip_rgb": _as_rgb(lip),
        "hair_rgb": _as_rgb(hair),
        "brow_rgb": _as_rgb(0.75 * hair),
        "iris_rgb": _as_rgb(iris),
        "clothes_rgb": _as_rgb(clothes),
    }


def _sample_hair_style(rng: np.random.Generator, sex: str) -> str:
    weights = {
        "female": (0.02, 0.08, 0.10, 0.18, 0.17, 0.22, 0.08, 0.15),
        "male": (0.25, 0.30, 0.20, 0.10, 0.03, 0.02, 0.10, 0.00),
    }[sex]
    return str(rng.choice(HAIR_STYLES, p=np.asarray(weights) / sum(weights)))


def _between(tones: tuple[RGB, ...], position: float) -> np.ndarray:
    table = np.asarray(tones)
    return np.array([np.interp(position, np.arange(len(table)), table[:, k]) for k in range(3)])


def _as_rgb(colour: np.ndarray) -> RGB:
    red, green, blue = np.clip(colour, 0.0, 1.0)
    return (float(red), float(green), float(blue))
