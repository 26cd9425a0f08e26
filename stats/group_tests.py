"""Tests of a difference between two independent groups.

Figures are those that SPSS prints: Mann-Whitney with a Z that is never positive and no continuity correction, Student's
t with equal variances assumed.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Generic, TypeVar, overload

import numpy as np
import numpy.typing as npt
import pandas as pd
from scipy import special, stats

from stats.effect_sizes import hedges_g, normal_quantile, pooled_sd, rank_biserial

EXACT_BELOW: Final = 50
"""Values in a group from which on R's wilcox.test, and this, leave the exact distribution."""

FloatOrSeries = TypeVar("FloatOrSeries", float, pd.Series)


@dataclass(frozen=True, slots=True)
class MannWhitneyResult(Generic[FloatOrSeries]):
    """Result of `mann_whitney`: floats for arrays, one Series each (indexed by attribute) for tables.

    Attributes
    ----------
    u
        The smaller of the two U statistics, as SPSS prints it.
    z
        Standardised U, tie-corrected, without continuity correction; never positive (SPSS).
    z_signed
        The same with a direction: positive where the first group tends to be higher.
    p
        Two-sided, ``2 Φ(-|z|)``.
    p_exact
        Two-sided from the exact distribution of U; NaN where a group has `EXACT_BELOW` values or more, or values are tied.
    rank_biserial
        Effect size, -1 to 1, positive where the first group tends to be higher.
    ci_low, ci_high
        Interval of `rank_biserial`, see `stats.effect_sizes.rank_biserial`.
    """

    u: FloatOrSeries
    z: FloatOrSeries
    z_signed: FloatOrSeries
    p: FloatOrSeries
    p_exact: FloatOrSeries
    rank_biserial: FloatOrSeries
    ci_low: FloatOrSeries
    ci_high: FloatOrSeries


@dataclass(frozen=True, slots=True)
class StudentTResult:
    """Result of `student_t`.

    Attributes
    ----------
    t
        Student's t, positive where the mean of the first group is higher.
    df
        Degrees of freedom.
    p
        Two-sided.
    hedges_g
        Standardised mean difference, see `stats.effect_sizes.hedges_g`.
    ci_low, ci_high
        Interval of `hedges_g`.
    """

    t: float
    df: float
    p: float
    hedges_g: float
    ci_low: float
    ci_high: float


@dataclass(frozen=True, slots=True)
class WelchResult:
    """Result of `welch_difference`.

    Attributes
    ----------
    difference
        Mean of the first group minus mean of the second, in the unit of the data.
    ci_low, ci_high
        Interval of `difference`.
    t, df, p
        Welch's t, Satterthwaite's degrees of freedom, two-sided p-value.
    """

    difference: float
    ci_low: float
    ci_high: float
    t: float
    df: float
    p: float


@overload
def mann_whitney(
    a: pd.DataFrame, b: pd.DataFrame, *, confidence_level: float = ...
) -> MannWhitneyResult[pd.Series]: ...
@overload
def mann_whitney(a: npt.ArrayLike, b: npt.ArrayLike, *, confidence_level: float = ...) -> MannWhitneyResult[float]: ...
def mann_whitney(
    a: npt.ArrayLike | pd.DataFrame, b: npt.ArrayLike | pd.DataFrame, *, confidence_level: float = 0.95
) -> MannWhitneyResult[float] | MannWhitneyResult[pd.Series]:
    """Mann-Whitney U test of two independent groups, as SPSS prints it.

    Parameters
    ----------
    a, b
        Two 1-d arrays of shape (n_a,) and (n_b,), or two DataFrames with the same columns, one a tested attribute.
        Numbers or booleans, finite.
    confidence_level
        Level of the interval of the effect size.

    Returns
    -------
    MannWhitneyResult
        Of floats for arrays, of Series indexed by column for DataFrames. Where all values of both groups are equal, Z
        is 0 and p is 1.

    Raises
    ------
    ValueError
        If a group is empty, values are null or infinite, or the columns of the two tables differ.

    Notes
    -----
    ``Z = (U - n_a n_b / 2) / σ`` with
    ``σ² = n_a n_b / 12 · (N + 1 - Σ(t³ - t) / (N (N - 1)))``, which equals ``n_a n_b / (N (N - 1)) · Σ(r - r̄)²`` over
    all midranks r; the second form is the one computed.

    References
    ----------
    .. [1] Mann, H. B. & Whitney, D. R. (1947). Annals of Mathematical Statistics 18, 50-60.
       https://doi.org/10.1214/aoms/1177730491

    Examples
    --------
    >>> result = mann_whitney([1, 1, 1, 0], [0, 0, 0, 0])
    >>> result.u, round(result.z, 3), round(result.p, 3), result.rank_biserial
    (2.0, -2.049, 0.04, 0.75)
    """
    if isinstance(a, pd.DataFrame) and isinstance(b, pd.DataFrame):
        if list(a.columns) != list(b.columns):
            raise ValueError(f"Expected the same columns in both groups, got {list(a.columns)} and {list(b.columns)}.")
        rows = _test_ranks(_to_finite(a, 2), _to_finite(b, 2), confidence_level)
        return MannWhitneyResult(*(pd.Series(row, index=a.columns) for row in rows))
    if isinstance(a, pd.DataFrame) or isinstance(b, pd.DataFrame):
        raise ValueError("Expected two arrays or two DataFrames, got one of each.")  # noqa: TRY004
    rows = _test_ranks(_to_finite(a, 1)[:, None], _to_finite(b, 1)[:, None], confidence_level)
    return MannWhitneyResult(*(float(row[0]) for row in rows))


def _to_finite(values: object, ndim: int) -> npt.NDArray[np.float64]:
    if isinstance(values, (pd.Series, pd.DataFrame)):
        array = values.to_numpy(dtype=np.float64, na_value=np.nan)
    else:
        array = np.asarray(values, dtype=np.float64)
    if array.ndim != ndim:
        raise ValueError(f"Expected {ndim}-d values in each group, got {array.ndim} dimensions.")
    if len(array) == 0:
        raise ValueError("Expected at least one value in each group, got none.")
    if not np.isfinite(array).all():
        raise ValueError("Expected finite values, got nulls or infinities; drop them first.")
    return array


def _test_ranks(
    a: npt.NDArray[np.float64], b: npt.NDArray[np.float64], confidence_level: float
) -> tuple[npt.NDArray[np.float64], ...]:
    """Columns of `a` (n_a, k) against those of `b` (n_b, k): the fields of MannWhitneyResult, each of shape (k,)."""
    n_a, n_b = len(a), len(b)
    n = n_a + n_b
    ranks = stats.rankdata(np.concatenate([a, b]), axis=0)
    u_a = ranks[:n_a].sum(axis=0) - n_a * (n_a + 1) / 2
    variance = n_a * n_b / (n * (n - 1)) * ((ranks - (n + 1) / 2) ** 2).sum(axis=0)
    centred = u_a - n_a * n_b / 2
    z = np.divide(centred, np.sqrt(variance), out=np.zeros_like(centred), where=variance > 0)
    effects = [rank_biserial(float(u), n_a, n_b, confidence_level=confidence_level) for u in u_a]
    return (
        np.minimum(u_a, n_a * n_b - u_a),
        0.0 - np.abs(z),
        z,
        2 * special.ndtr(-np.abs(z)),
        _test_exactly(a, b, ranks),
        np.array([effect.value for effect in effects]),
        np.array([effect.low for effect in effects]),
        np.array([effect.high for effect in effects]),
    )


def _test_exactly(
    a: npt.NDArray[np.float64], b: npt.NDArray[np.float64], ranks: npt.NDArray[np.float64]
) -> npt.NDArray[np.float64]:
    p = np.full(a.shape[1], np.nan)
    if max(len(a), len(b)) < EXACT_BELOW:
        untied = (np.diff(np.sort(ranks, axis=0), axis=0) > 0).all(axis=0)
        if untied.any():
            p[untied] = stats.mannwhitneyu(a[:, untied], b[:, untied], axis=0, method="exact").pvalue
    return p


def student_t(a: npt.ArrayLike, b: npt.ArrayLike, *, confidence_level: float = 0.95) -> StudentTResult:
    """Student's t-test of two independent groups, equal variances assumed, with Hedges' g.

    Parameters
    ----------
    a, b
        Shape (n_a,) and (n_b,); finite.
    confidence_level
        Level of the interval of Hedges' g.

    Returns
    -------
    StudentTResult
        All but `df` NaN where both groups are constant: there is no variation to judge the difference by (SPSS: "t
        cannot be computed").

    Raises
    ------
    ValueError
        If a group is empty, there are fewer than three values in all, or values are null.
    """
    x, y = _to_finite(a, 1), _to_finite(b, 1)
    df = len(x) + len(y) - 2
    if df < 1:
        raise ValueError("Expected three values or more in the two groups together, got two.")
    if pooled_sd(x, y) == 0:
        nan = float("nan")
        return StudentTResult(nan, float(df), nan, nan, nan, nan)
    test = stats.ttest_ind(x, y)
    effect = hedges_g(x, y, confidence_level=confidence_level)
    return StudentTResult(float(test.statistic), float(df), float(test.pvalue), effect.value, effect.low, effect.high)


def welch_difference(a: npt.ArrayLike, b: npt.ArrayLike, *, confidence_level: float = 0.95) -> WelchResult:
    """Difference of two group means with Welch's interval, variances not assumed equal.

    Parameters
    ----------
    a, b
        Shape (n_a,) and (n_b,), two values or more each; finite.
    confidence_level
        Level of the interval.

    Returns
    -------
    WelchResult
        Where both groups are constant only `difference` is defined, the rest is NaN.

    Raises
    ------
    ValueError
        If a group has fewer than two values or values are null.

    References
    ----------
    .. [1] Welch, B. L. (1947). Biometrika 34, 28-35. https://doi.org/10.1093/biomet/34.1-2.28
    """
    x, y = _to_finite(a, 1), _to_finite(b, 1)
    normal_quantile(confidence_level)
    if min(len(x), len(y)) < 2:
        raise ValueError(f"Expected two values or more in each group, got {len(x)} and {len(y)}.")
    difference = float(x.mean() - y.mean())
    if pooled_sd(x, y) == 0:
        nan = float("nan")
        return WelchResult(difference, nan, nan, nan, nan, nan)
    test = stats.ttest_ind(x, y, equal_var=False)
    interval = test.confidence_interval(confidence_level)
    return WelchResult(
        difference, float(interval.low), float(interval.high), float(test.statistic), float(test.df), float(test.pvalue)
    )


def composite_score(features: pd.DataFrame) -> pd.Series:
    """Mean of z-scored features: one number a participant for a group of features.

    Parameters
    ----------
    features
        One row a participant, one column a feature; finite, two rows or more.

    Returns
    -------
    Series
        Float64, index of `features`. A feature that is the same in all participants counts as 0.

    Raises
    ------
    ValueError
        If there are no columns, fewer than two rows, or nulls.

    Notes
    -----
    Li et al. [1]_ test an attribute of several features with one t-test and do not say how; this is the reading in
    which each feature has the same weight. Features that differ in opposite directions cancel.

    References
    ----------
    .. [1] Li, B. et al. (2019). Figure 3c. https://doi.org/10.1109/ICIP.2019.8803604
    """
    values = _to_finite(features, 2)
    if values.shape[0] < 2 or values.shape[1] < 1:
        raise ValueError(f"Expected two participants or more and a feature or more, got shape {values.shape}.")
    varies = np.ptp(values, axis=0) > 0
    deviations = values - values.mean(axis=0)
    scores = np.divide(deviations, values.std(axis=0, ddof=1), out=np.zeros_like(values), where=varies)
    return pd.Series(scores.mean(axis=1), index=features.index, name="composite")
