"""Corrections of p-values for the number of tests."""

from __future__ import annotations

from typing import Literal, get_args

import numpy as np
import numpy.typing as npt
import pandas as pd
from scipy import stats

Correction = Literal["bh", "holm"]


def adjust_p_values(p: pd.Series, *, method: Correction = "bh") -> pd.Series:
    """Adjust p-values of a family of tests.

    Parameters
    ----------
    p
        p-values, 0 to 1. Nulls are tests that were not made: they stay null and do not count in the family.
    method
        ``bh``: false discovery rate of Benjamini and Hochberg [1]_. ``holm``: family-wise error rate of Holm [2]_.

    Returns
    -------
    Series
        Adjusted p-values, float64, same index and name.

    Raises
    ------
    ValueError
        If a p-value lies outside 0 to 1 or the method is unknown.

    References
    ----------
    .. [1] Benjamini, Y. & Hochberg, Y. (1995). Journal of the Royal Statistical Society B 57, 289-300.
       https://doi.org/10.1111/j.2517-6161.1995.tb02031.x
    .. [2] Holm, S. (1979). Scandinavian Journal of Statistics 6, 65-70. https://www.jstor.org/stable/4615733

    Examples
    --------
    >>> adjust_p_values(pd.Series([0.01, 0.04, np.nan, 0.03])).round(2).tolist()
    [0.03, 0.04, nan, 0.04]
    """
    if method not in get_args(Correction):
        raise ValueError(f"Expected method to be one of {get_args(Correction)}, got {method!r}.")
    values = p.to_numpy(dtype=np.float64, na_value=np.nan)
    made = ~np.isnan(values)
    if ((values[made] < 0) | (values[made] > 1)).any():
        raise ValueError("Expected p-values between 0 and 1, got values outside.")
    adjusted = np.full(len(values), np.nan)
    if made.any():
        adjusted[made] = stats.false_discovery_control(values[made]) if method == "bh" else _step_down(values[made])
    return pd.Series(adjusted, index=p.index, name=p.name)


def _step_down(p: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """Adjust by Holm: the smallest p times n, the next times n - 1, never smaller than the one before."""
    order = np.argsort(p)
    adjusted = np.empty_like(p)
    adjusted[order] = np.maximum.accumulate(np.minimum(p[order] * np.arange(len(p), 0, -1), 1.0))
    return adjusted
