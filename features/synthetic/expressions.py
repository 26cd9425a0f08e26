"""Expressions as patterns of action units, and the valence and arousal that a rendered face has by definition.

The patterns follow EMFACS as far as the twelve units of EmotioNet go (Ekman, Friesen & Hager, 2002; AU7, 15, 16 and 23
are not among them). Valence and arousal are *defined* here, as a smooth function of the action units that puts the
prototypes where the circumplex model has them (Russell, 1980, doi:10.1037/h0077714); they are a convention of this
test instrument.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from features.facs import EMOTIONET_AUS, EXPRESSIONS

N_AUS = len(EMOTIONET_AUS)
AU_INDEX: dict[str, int] = {name: index for index, name in enumerate(EMOTIONET_AUS)}

POSITIVE_INTENSITY = 0.5
"""An AU counts as present in a frame where the MEAN of the left and right intensity reaches this."""

_CLEARLY_PRESENT = 0.45
_CLEARLY_ABSENT = 0.30
_NEUTRAL_LIMIT = 0.20
_CONTEMPT_ASYMMETRY = 0.50


@dataclass(frozen=True, slots=True)
class Prototype:
    """Units of an expression at full strength, those that may join, and those whose absence it needs."""

    name: str
    required: dict[str, float]
    optional: dict[str, float]
    one_sided: bool = False


PROTOTYPES: dict[str, Prototype] = {
    prototype.name: prototype
    for prototype in (
        Prototype("neutral", {}, {}),
        Prototype("happy", {"AU06": 0.85, "AU12": 1.0}, {"AU25": 0.8}),
        Prototype("sad", {"AU01": 0.95, "AU04": 0.8, "AU17": 0.9}, {}),
        Prototype("surprise", {"AU01": 0.95, "AU02": 0.95, "AU25": 0.9, "AU26": 0.9}, {"AU05": 0.8}),
        Prototype("fear", {"AU01": 0.9, "AU02": 0.75, "AU04": 0.8, "AU05": 0.95, "AU20": 0.9}, {"AU25": 0.8}),
        Prototype("disgust", {"AU09": 1.0, "AU17": 0.8}, {"AU04": 0.6}),
        Prototype("anger", {"AU04": 1.0, "AU05": 0.8}, {"AU17": 0.7}),
        Prototype("contempt", {"AU12": 1.0}, {}, one_sided=True),
    )
}
"""The eight expressions, keyed and ordered as `features.facs.EXPRESSIONS`. Closed eyes are no expression."""


def prototype_units(
    name: str, intensity: float = 1.0, *, with_optional: bool = True, side: str = "left"
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """AU intensities of an expression.

    Parameters
    ----------
    name
        One of `features.facs.EXPRESSIONS`.
    intensity
        0 (nothing) to 1 (the full pattern).
    with_optional
        Whether the units that may join do.
    side
        Side of contempt's lip corner, ``"left"`` or ``"right"`` of the subject. The other corner moves by 0.1, so that
        full contempt has a mean AU12 of 0.55 and counts as AU12.

    Returns
    -------
    au_left, au_right : ndarray, shape (12,), float64

    Raises
    ------
    ValueError
        If `name`, `side` or `intensity` is not one of those accepted.
    """
    if name not in PROTOTYPES:
        raise ValueError(f"Expected an expression of {EXPRESSIONS}, got {name!r}")
    if side not in ("left", "right"):
        raise ValueError(f"Expected side 'left' or 'right', got {side!r}")
    if not 0 <= intensity <= 1:
        raise ValueError(f"Expected an intensity from 0 to 1, got {intensity}")
    prototype = PROTOTYPES[name]
    units = dict(prototype.required)
    if with_optional:
        units |= prototype.optional
    strong = np.zeros(N_AUS)
    for unit, value in units.items():
        strong[AU_INDEX[unit]] = value * intensity
    if not prototype.one_sided:
        return strong, strong.copy()
    weak = 0.1 * strong
    return (strong, weak) if side == "left" else (weak, strong)


def mean_units(au_left: NDArray[np.floating], au_right: NDArray[np.floating]) -> NDArray[np.float64]:
    """Mean of both sides, (..., 12); the AU label of a frame is this >= `POSITIVE_INTENSITY`."""
    return np.asarray(0.5 * (np.asarray(au_left, dtype=float) + np.asarray(au_right, dtype=float)))


def valence_arousal(
    au_left: NDArray[np.floating], au_right: NDArray[np.floating]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Valence and arousal of faces, defined as smooth functions of the action units.

    Parameters
    ----------
    au_left, au_right
        Intensities (..., 12), 0..1, of the subject's left and right side.

    Returns
    -------
    valence, arousal : ndarray, shape (...), float64
        In -1..1. A resting face has valence and arousal -0.1: it lies safely on one side of zero, at which the
        features `positive valence` and `positive arousal` are cut.
    """
    mean = mean_units(au_left, au_right)
    au = {name: mean[..., index] for name, index in AU_INDEX.items()}
    left, right = (np.asarray(a, dtype=float)[..., AU_INDEX["AU12"]] for a in (au_left, au_right))
    lopsided = np.sqrt((left - right) ** 2 + 1e-4) - 1e-2
    smile = np.minimum(left, right) + 0.25 * np.abs(left - right)
    valence = (
        -0.10
        + 0.95 * smile
        + 0.30 * au["AU06"] * smile
        + 0.30 * au["AU02"] * au["AU26"] * (1 - au["AU04"])
        - 0.55 * lopsided
        - 0.45 * au["AU04"]
        - 0.60 * au["AU09"]
        - 0.30 * au["AU17"]
        - 0.30 * au["AU20"]
        - 0.20 * au["AU01"] * au["AU04"]
    )
    arousal = (
        -0.10
        + 0.50 * au["AU05"]
        + 0.30 * au["AU26"]
        + 0.22 * au["AU25"]
        + 0.18 * au["AU02"]
        + 0.25 * smile
        + 0.22 * au["AU20"]
        + 0.18 * au["AU09"]
        + 0.20 * au["AU04"] * (1 - au["AU01"])
        - 0.30 * au["AU01"] * au["AU04"] * (1 - au["AU05"])
        - 0.12 * au["AU17"]
        - 0.30 * au["AU43"]
    )
    return np.tanh(valence), np.tanh(arousal)


def expression_label(au_left: NDArray[np.floating], au_right: NDArray[np.floating]) -> str | None:
    """Expression of one face where its units clearly form a prototype, else None.

    An expression is named when all its required units have a mean intensity of at least 0.45 and no unit outside the
    prototype exceeds 0.30; neutral when none exceeds 0.20; contempt when the two AU12 differ by at least 0.5 and
    nothing else moves. Closed eyes (AU43) neither make nor spoil an expression.

    Parameters
    ----------
    au_left, au_right
        Intensities (12,), 0..1.
    """
    mean = mean_units(au_left, au_right)
    mean[AU_INDEX["AU43"]] = 0.0
    smile = AU_INDEX["AU12"]
    lopsided = abs(float(au_left[smile]) - float(au_right[smile]))
    if lopsided >= _CONTEMPT_ASYMMETRY:
        others = np.delete(mean, smile)
        return "contempt" if others.max() <= _CLEARLY_ABSENT else None
    if lopsided > 0.3:
        return None
    if mean.max() <= _NEUTRAL_LIMIT:
        return "neutral"
    for prototype in PROTOTYPES.values():
        if prototype.required and not prototype.one_sided and _matches(prototype, mean):
            return prototype.name
    return None


def _matches(prototype: Prototype, mean: NDArray[np.float64]) -> bool:
    required = [AU_INDEX[name] for name in prototype.required]
    allowed = set(required) | {AU_INDEX[name] for name in prototype.optional}
    foreign = [mean[k] for k in range(N_AUS) if k not in allowed]
    return bool(min(mean[k] for k in required) >= _CLEARLY_PRESENT and max(foreign) <= _CLEARLY_ABSENT)
