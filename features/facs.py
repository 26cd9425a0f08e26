"""Names of action units and expressions, and every mapping between the codes in which they come.

Nothing else in the project translates such names. Action units (AUs) are those of the Facial Action Coding System
(Ekman, Friesen & Hager, 2002); tables write them as ``AU`` and two digits.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Final

import numpy as np
import numpy.typing as npt

AU_NAMES: Final[dict[str, str]] = {
    "AU01": "inner brow raiser",
    "AU02": "outer brow raiser",
    "AU04": "brow lowerer",
    "AU05": "upper lid raiser",
    "AU06": "cheek raiser",
    "AU07": "lid tightener",
    "AU08": "lips toward each other",
    "AU09": "nose wrinkler",
    "AU10": "upper lip raiser",
    "AU11": "nasolabial deepener",
    "AU12": "lip corner puller",
    "AU13": "sharp lip puller",
    "AU14": "dimpler",
    "AU15": "lip corner depressor",
    "AU16": "lower lip depressor",
    "AU17": "chin raiser",
    "AU18": "lip pucker",
    "AU20": "lip stretcher",
    "AU22": "lip funneler",
    "AU23": "lip tightener",
    "AU24": "lip presser",
    "AU25": "lips part",
    "AU26": "jaw drop",
    "AU27": "mouth stretch",
    "AU28": "lip suck",
    "AU32": "lip bite",
    "AU43": "eyes closed",
}
"""Two-digit code -> FACS name, of the units that the implemented papers use."""

EMOTIONET_AUS: Final[tuple[str, ...]] = (
    "AU01", "AU02", "AU04", "AU05", "AU06", "AU09", "AU12", "AU17", "AU20", "AU25", "AU26", "AU43",
)  # fmt: skip
"""The twelve units of EmotioNet, in the order of Li et al. (2019)."""

EXPRESSIONS: Final[tuple[str, ...]] = (
    "neutral", "happy", "sad", "surprise", "fear", "disgust", "anger", "contempt",
)  # fmt: skip
"""Expression classes in the order of AffectNet's ids 0 to 7."""

BASIC_EXPRESSIONS: Final[tuple[str, ...]] = EXPRESSIONS[:7]
"""The seven classes without contempt."""

EXPRESSION_COLUMNS: Final[tuple[str, ...]] = tuple(f"expr_{name}" for name in EXPRESSIONS)
"""Columns of the expression probabilities in tables."""

AROUSAL: Final = "arousal"
VALENCE: Final = "valence"

_AU_CODE = re.compile(r"^(?:AU)?0*(\d{1,2})E?$", re.IGNORECASE)


def au_column(code: str | int) -> str:
    """Column name of an action unit, from the ways in which other tools and label files write it.

    Parameters
    ----------
    code
        ``1``, ``"1"``, ``"AU1"``, ``"au01"``, ``"AU01"`` or ``"43E"``. ``"2X"``, the merged 26/27 of Hugging Rain Man,
        has no two-digit code of its own and stays ``"AU2X"``.

    Returns
    -------
    str
        ``"AU01"`` ... ``"AU99"``, or ``"AU2X"``.

    Raises
    ------
    ValueError
        If `code` is not the code of an action unit.

    Examples
    --------
    >>> au_column("AU1"), au_column(12), au_column("43E"), au_column("2X")
    ('AU01', 'AU12', 'AU43', 'AU2X')
    """
    text = str(code).strip()
    if text.upper() in {"2X", "AU2X"}:
        return "AU2X"
    match = _AU_CODE.match(text)
    if match is None or int(match[1]) == 0:
        raise ValueError(f"Expected the code of an action unit such as AU12, 12 or 2X, got {code!r}.")
    return f"AU{int(match[1]):02d}"


def frame_signals(aus: Sequence[str] = EMOTIONET_AUS) -> tuple[str, ...]:
    """Signal columns of a frame in the order of Li et al.: action units, expressions, arousal, valence.

    Parameters
    ----------
    aus
        Columns of the action units that the attribute model reads.

    Returns
    -------
    tuple of str
        22 names for the twelve units of EmotioNet.
    """
    return (*aus, *EXPRESSION_COLUMNS, AROUSAL, VALENCE)


def drop_contempt(probabilities: npt.ArrayLike) -> npt.NDArray[np.float64]:
    """Probabilities of the seven basic expressions, from those of eight: contempt dropped, the rest renormalised.

    Parameters
    ----------
    probabilities
        Shape (..., 8), in the order of `EXPRESSIONS`; each row sums to 1.

    Returns
    -------
    ndarray, shape (..., 7), float64
        In the order of `BASIC_EXPRESSIONS`. Rows that were all contempt become NaN.

    Raises
    ------
    ValueError
        If the last axis does not have eight entries.
    """
    values = np.asarray(probabilities, dtype=np.float64)
    if values.shape[-1] != len(EXPRESSIONS):
        raise ValueError(f"Expected {len(EXPRESSIONS)} expression probabilities per row, got {values.shape[-1]}.")
    basic = values[..., : len(BASIC_EXPRESSIONS)]
    total = basic.sum(axis=-1, keepdims=True)
    return np.asarray(np.divide(basic, total, out=np.full_like(basic, np.nan), where=total > 0))
