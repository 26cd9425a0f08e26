"""The scales on which tools report facial signals, and what each can become.

A probability has a column of the signal's own name (``AU12``). Every other scale has a suffix (``AU12_intensity``), so that no
reader can take one for the other.

References
----------
.. [1] Baltrusaitis, T. et al. (2018). OpenFace 2.0: facial behavior analysis toolkit. https://doi.org/10.1109/FG.2018.00019
.. [2] Littlewort, G. et al. (2011). The computer expression recognition toolbox (CERT).
   https://doi.org/10.1109/FG.2011.5771414
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Literal

import numpy as np
import numpy.typing as npt

from features.facs import AROUSAL, AU_NAMES, VALENCE
from features.frame_table import Column

ScaleName = Literal["probability", "presence", "intensity", "percent", "evidence"]


@dataclass(frozen=True, slots=True)
class Scale:
    """How a tool reports a signal.

    Attributes
    ----------
    name
        Name in settings.
    suffix
        What the signal's column ends in.
    noun
        How a description begins, before "of AU12".
    unit
        Unit of measurement.
    low, high
        Admissible values; None where open.
    threshold
        Value above which the tool's authors call a signal present; None where they name none.
    """

    name: ScaleName
    suffix: str
    noun: str
    unit: str
    low: float | None
    high: float | None
    threshold: float | None


SCALES: Final[dict[str, Scale]] = {
    scale.name: scale
    for scale in (
        Scale("probability", "", "Probability", "", 0, 1, 0.5),
        Scale("presence", "_present", "The tool's own yes (1) or no (0)", "", 0, 1, 0.5),
        Scale("intensity", "_intensity", "Intensity, 0 absent to 5 maximal; no probability", "FACS intensity", 0, 5, None),
        Scale("percent", "_percent", "Score, 0 to 100; no probability", "percent", 0, 100, 50),
        Scale("evidence", "_evidence", "Evidence, log10 of the odds that a coder sees it", "log10 odds", None, None, 0),
    )
}  # fmt: skip
"""Scale name -> scale."""


def scaled_column(signal: str, scale: str) -> str:
    """Column of a signal on a scale.

    Parameters
    ----------
    signal
        ``AU12``, ``expr_happy``, ``valence``, ``arousal``.
    scale
        One of `SCALES`.

    Examples
    --------
    >>> scaled_column("AU12", "probability"), scaled_column("AU12", "intensity")
    ('AU12', 'AU12_intensity')
    """
    return signal + SCALES[scale].suffix


def describe_signal(signal: str, scale: str, *, origin: str) -> Column:
    """Entry of a data dictionary for a signal on a scale.

    Parameters
    ----------
    signal
        ``AU12``, ``expr_happy``, ``valence``, ``arousal``.
    scale
        One of `SCALES`.
    origin
        Tool and column, or rule, that it comes from.
    """
    found = SCALES[scale]
    name = scaled_column(signal, scale)
    if signal in (AROUSAL, VALENCE):
        limit = 100.0 if scale == "percent" else 1.0
        return Column(name, "float32", f"{signal.capitalize()}; {origin}", found.unit, -limit, limit)
    named = f"{signal} ({AU_NAMES.get(signal, 'action unit')})" if signal.startswith("AU") else signal[5:]
    return Column(name, "float32", f"{found.noun} of {named}; {origin}", found.unit, found.low, found.high)


def to_probability(values: npt.ArrayLike, scale: str) -> npt.NDArray[np.float64]:
    """Values of a scale as numbers from 0 to 1.

    Parameters
    ----------
    values
        Values on `scale`; NaN stays NaN.
    scale
        One of `SCALES`.

    Returns
    -------
    ndarray, float64
        Presence and probability as they are; intensity / 5 and percent / 100, which are proportions of the scale and
        probabilities by decree only; evidence ``1 / (1 + 10 ** -e)``, its exact inverse.

    Examples
    --------
    >>> to_probability([0.0, 1.0, -1.0], "evidence").round(4).tolist()
    [0.5, 0.9091, 0.0909]
    """
    numbers = np.asarray(values, dtype=np.float64)
    if scale == "evidence":
        return np.asarray(1.0 / (1.0 + np.power(10.0, -numbers)))
    return numbers / {"intensity": 5.0, "percent": 100.0}.get(scale, 1.0)
