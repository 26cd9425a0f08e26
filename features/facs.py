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
    "AU45": "blink",
}
"""Two-digit code -> FACS name, of the units that the implemented papers use."""

AD_NAMES: Final[dict[str, str]] = {
    "AD19": "tongue show",
    "AD29": "jaw thrust",
    "AD30": "jaw sideways",
    "AD32": "bite",
    "AD33": "blow",
    "AD34": "puff",
    "AD35": "suck",
    "AD36": "bulge",
    "AD37": "lip wipe",
}
"""Code -> FACS name of the action descriptors of Hugging Rain Man."""

JAW: Final = "AU2X"
"""The dropped or stretched jaw, AU26 and AU27 in one, of Hugging Rain Man."""

JAW_UNITS: Final[tuple[str, ...]] = ("AU26", "AU27")
"""Units that `JAW` merges."""

HRM_ACTIONS: Final[tuple[str, ...]] = (
    "AU01", "AU02", "AU04", "AU05", "AU06", "AU07", "AU43", "AU08", "AU09", "AU10", "AU12", "AU13", "AU14", "AU15", "AU16",
    "AU17", "AU18", "AD19", "AU20", "AU22", "AU23", "AU24", "AU25", "AU2X", "AU28", "AD29", "AD30", "AD32", "AD33", "AD34",
    "AD35", "AD36", "AD37",
)  # fmt: skip
"""The 33 actions that Hugging Rain Man analyses, in the order of its label files (AU0, AU21 and AU31 are dropped)."""

HRM_REGRESSION_ACTIONS: Final[tuple[str, ...]] = tuple(
    name for name in HRM_ACTIONS if name not in {
        "AU05", "AU08", "AU13", "AU22", "AD29", "AD30", "AD33", "AD34", "AD35", "AD36", "AD37",
    }
)  # fmt: skip
"""The 22 of them from which it predicts atypicality, in the same order: AU43 stands after AU07 (section V-A)."""

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

TOOL_EXPRESSIONS: Final[dict[str, str]] = {
    "neutral": "expr_neutral",
    "happy": "expr_happy", "happiness": "expr_happy", "joy": "expr_happy",
    "sad": "expr_sad", "sadness": "expr_sad",
    "surprise": "expr_surprise",
    "fear": "expr_fear",
    "disgust": "expr_disgust",
    "anger": "expr_anger",
    "contempt": "expr_contempt",
}  # fmt: skip
"""Name of an expression in other tools' tables, in lower case -> our column."""

AFFDEX_AUS: Final[dict[str, str]] = {
    "Inner Brow Raise": "AU01",
    "Brow Raise": "AU02",
    "Brow Furrow": "AU04",
    "Eye Widen": "AU05",
    "Cheek Raise": "AU06",
    "Lid Tighten": "AU07",
    "Nose Wrinkle": "AU09",
    "Upper Lip Raise": "AU10",
    "Smile": "AU12",
    "Dimpler": "AU14",
    "Lip Corner Depressor": "AU15",
    "Chin Raise": "AU17",
    "Lip Pucker": "AU18",
    "Lip Stretch": "AU20",
    "Lip Press": "AU24",
    "Mouth Open": "AU25",
    "Jaw Drop": "AU26",
    "Lip Suck": "AU28",
    "Eye Closure": "AU43",
}
"""Affectiva's name of a facial action -> our column; Smirk and Attention are no single unit and are left out."""

AROUSAL: Final = "arousal"
VALENCE: Final = "valence"

_EXPRESSION_SYNONYMS: Final[dict[str, str]] = {
    "natural": "neutral", "none": "neutral", "happiness": "happy", "joy": "happy", "sadness": "sad", "surprised": "surprise",
    "fearful": "fear", "scared": "fear", "disgusted": "disgust", "angry": "anger",
}  # fmt: skip
_ACTION_CODE = re.compile(r"^(AU|AD)?0*(\d{1,2})(E)?$", re.IGNORECASE)
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


def action_column(code: str | int) -> str:
    """Column name of an action unit or descriptor, from the ways in which label files write it.

    Parameters
    ----------
    code
        As in `au_column`; also descriptors, whether written ``AD19``, ``AU19`` or ``19``, and ``26/27`` for ``2X``.

    Returns
    -------
    str
        ``"AU01"``, ``"AU2X"``, ``"AD19"``.

    Raises
    ------
    ValueError
        If `code` is not the code of an action.

    Examples
    --------
    >>> action_column("AU4"), action_column("AU32"), action_column("26/27"), action_column("43E")
    ('AU04', 'AD32', 'AU2X', 'AU43')
    """
    text = str(code).strip()
    if text.upper().removeprefix("AU") in {"2X", "26/27", "26-27", "26_27"}:
        return JAW
    match = _ACTION_CODE.match(text)
    if match is None or int(match[2]) == 0:
        raise ValueError(f"Expected the code of an action unit or descriptor such as AU12, AD19 or 2X, got {code!r}.")
    descriptor = f"AD{int(match[2]):02d}"
    return descriptor if descriptor in AD_NAMES else f"AU{int(match[2]):02d}"


def action_name(column: str) -> str:
    """FACS name of a column of actions; the column itself where it has none.

    Parameters
    ----------
    column
        Such as ``AU12``, ``AD19`` or ``AU2X``.

    Returns
    -------
    str
    """
    if column == JAW:
        return "jaw drop or mouth stretch"
    return AU_NAMES.get(column) or AD_NAMES.get(column, column)


def expression_name(text: str) -> str:
    """Name of an expression class, from the ways in which models and annotators write it.

    Parameters
    ----------
    text
        Such as ``Happiness``, ``happy``, ``expr_happy`` or ``Sadness``.

    Returns
    -------
    str
        One of `EXPRESSIONS`.

    Raises
    ------
    ValueError
        If it is none of them.

    Examples
    --------
    >>> expression_name("Happiness"), expression_name("expr_sad"), expression_name("Angry")
    ('happy', 'sad', 'anger')
    """
    name = str(text).strip().lower().removeprefix("expr_")
    name = _EXPRESSION_SYNONYMS.get(name, name)
    if name not in EXPRESSIONS:
        raise ValueError(f"Expected the name of an expression, one of {', '.join(EXPRESSIONS)}, got {text!r}.")
    return name


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
