"""Corrections of p-values for the number of tests."""

from __future__ import annotations

from typing import Final, Literal

import numpy as np
import pandas as pd
from statsmodels.stats.multitest import multipletests

Correction = Literal["bh", "holm"]

_STATSMODELS_NAMES: Final[dict[str, str]] = {"bh": "fdr_bh", "holm": "holm"}


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
    if method not in _STATSMODELS_NAMES:
        raise ValueError(f"Expected method to be one of {tuple(_STATSMODELS_NAMES)}, got {method!r}.")
    values = p.to_numpy(dtype=np.float64, na_value=np.nan)
    made = ~np.isnan(values)
    if ((values[made] < 0) | (values[made] > 1)).any():
        raise ValueError("Expected p-values between 0 and 1, got values outside.")
    adjusted = np.full(len(values), np.nan)
    if made.any():
        adjusted[made] = multipletests(values[made], method=_STATSMODELS_NAMES[method])[1]
    return pd.Series(adjusted, index=p.index, name=p.name)
