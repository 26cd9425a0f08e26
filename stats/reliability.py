"""Agreement of judges, experts and tools: intraclass correlations, kappas, F1.

Subjects are what is judged (segments, frames), judges are who judges (experts, mothers, a tool).
"""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from dataclasses import dataclass
from typing import Final, Literal

import numpy as np
import numpy.typing as npt
import pandas as pd
from scipy import special, stats
from statsmodels.stats.inter_rater import cohens_kappa

from stats.effect_sizes import normal_quantile
from stats.ratings import Missing, to_codes, to_complete, to_numbers

IccForm = Literal["ICC(1,1)", "ICC(2,1)", "ICC(3,1)", "ICC(1,k)", "ICC(2,k)", "ICC(3,k)"]
Weights = Literal["none", "linear", "quadratic"]

ICC_FORMS: Final[dict[str, str]] = {
    "ICC(1,1)": "one-way random effects, single judge",
    "ICC(2,1)": "two-way random effects, absolute agreement, single judge",
    "ICC(3,1)": "two-way mixed effects, consistency, single judge",
    "ICC(1,k)": "one-way random effects, mean of k judges",
    "ICC(2,k)": "two-way random effects, absolute agreement, mean of k judges",
    "ICC(3,k)": "two-way mixed effects, consistency, mean of k judges",
}
"""Form in the notation of Shrout and Fleiss (1979) -> its model."""

FloatArray = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Reliability:
    """A coefficient of agreement.

    Attributes
    ----------
    estimate
        The coefficient; NaN where it is not defined, and `note` says why.
    ci_low, ci_high
        Its interval.
    p
        p-value of the hypothesis that there is no agreement beyond chance: one-sided F-test of an ICC, two-sided z-test of
        a kappa.
    n_subjects, n_judges
        What entered.
    n_dropped
        Subjects left out because a judge's rating is missing.
    note
        Why there is no number; empty otherwise.
    """

    estimate: float
    ci_low: float
    ci_high: float
    p: float
    n_subjects: int
    n_judges: int
    n_dropped: int = 0
    note: str = ""


def icc(
    ratings: npt.ArrayLike | pd.DataFrame,
    form: IccForm = "ICC(3,1)",
    *,
    confidence_level: float = 0.95,
    missing: Missing = "raise",
) -> Reliability:
    """Intraclass correlation of judges.

    Parameters
    ----------
    ratings
        Shape (n subjects, k judges), numbers; two subjects and two judges or more.
    form
        One of `ICC_FORMS`. Hugging Rain Man reports ``ICC(3,1)``.
    confidence_level
        Level of the F-based interval.
    missing
        ``raise``: a missing rating is an error. ``listwise``: subjects with one are left out and counted.

    Returns
    -------
    Reliability
        `p` is that of the F-test that the ICC is 0. NaN with a note where all ratings are equal. The lower end of
        ``ICC(2,k)`` is -inf where that of ``ICC(2,1)`` falls under ``-1/(k-1)``.

    Raises
    ------
    ValueError
        If the form is unknown, the shape too small, or a rating missing.

    Notes
    -----
    With the mean squares of rows (subjects) R, of columns (judges) C, of error E and within rows W:
    ``ICC(1,1) = (R-W) / (R+(k-1)W)``, ``ICC(2,1) = (R-E) / (R+(k-1)E+k(C-E)/n)``, ``ICC(3,1) = (R-E) / (R+(k-1)E)``; the mean
    of k judges by the formula of Spearman and Brown [1]_. Intervals are those of [2]_, with Satterthwaite's degrees of
    freedom for ``ICC(2,·)``. In the notation of [2]_ the forms are ICC(1), ICC(A,1), ICC(C,1), ICC(k), ICC(A,k), ICC(C,k).

    References
    ----------
    .. [1] Shrout, P. E. & Fleiss, J. L. (1979). Psychological Bulletin 86, 420-428.
       https://doi.org/10.1037/0033-2909.86.2.420
    .. [2] McGraw, K. O. & Wong, S. P. (1996). Psychological Methods 1, 30-46. https://doi.org/10.1037/1082-989X.1.1.30

    Examples
    --------
    >>> result = icc([[9, 2, 5, 8], [6, 1, 3, 2], [8, 4, 6, 8], [7, 1, 2, 6], [10, 5, 6, 9], [6, 2, 4, 7]])
    >>> round(result.estimate, 2), round(result.ci_low, 2), round(result.ci_high, 2)
    (0.71, 0.34, 0.95)
    """
    if form not in ICC_FORMS:
        raise ValueError(f"Expected form to be one of {tuple(ICC_FORMS)}, got {form!r}.")
    normal_quantile(confidence_level)
    values, dropped = to_complete(to_numbers(ratings), missing)
    n, k = values.shape
    if np.ptp(values) == 0:
        return _undefined(n, k, dropped, "all ratings are the same")
    squares = _mean_squares(values)
    if form.startswith("ICC(2"):
        single, low, high, p = _two_way_random(squares, n, k, confidence_level)
    else:
        single, low, high, p = _ratio_of_variances(squares, n, k, confidence_level, one_way=form.startswith("ICC(1"))
    if form.endswith("k)"):
        single, low, high = (_spearman_brown(value, k) for value in (single, low, high))
    return Reliability(single, low, high, p, n, k, dropped)


@dataclass(frozen=True, slots=True)
class _MeanSquares:
    rows: float
    columns: float
    error: float
    within: float


def _mean_squares(values: FloatArray) -> _MeanSquares:
    n, k = values.shape
    centred = values - values.mean()
    of_rows = k * (centred.mean(axis=1) ** 2).sum()
    of_columns = n * (centred.mean(axis=0) ** 2).sum()
    residual = centred - centred.mean(axis=1, keepdims=True) - centred.mean(axis=0, keepdims=True)
    of_error = (residual**2).sum()
    # judges who differ by a constant leave rounding errors where there is no error
    of_error = 0.0 if of_error < 1e-13 * (centred**2).sum() else of_error
    return _MeanSquares(
        rows=float(of_rows / (n - 1)),
        columns=float(of_columns / (k - 1)),
        error=float(of_error / ((n - 1) * (k - 1))),
        within=float((of_columns + of_error) / (n * (k - 1))),
    )


def _ratio_of_variances(
    squares: _MeanSquares, n: int, k: int, confidence_level: float, *, one_way: bool
) -> tuple[float, float, float, float]:
    """ICC(1,1) or ICC(3,1): a monotone function of one F."""
    noise = squares.within if one_way else squares.error
    df = (n - 1, n * (k - 1) if one_way else (n - 1) * (k - 1))
    if noise == 0:
        return 1.0, 1.0, 1.0, 0.0
    f = squares.rows / noise
    tail = (1 + confidence_level) / 2
    ends = f, f / stats.f.ppf(tail, *df), f * stats.f.ppf(tail, *df[::-1])
    estimate, low, high = (float((value - 1) / (value + k - 1)) for value in ends)
    return estimate, low, high, float(stats.f.sf(f, *df))


def _two_way_random(
    squares: _MeanSquares, n: int, k: int, confidence_level: float
) -> tuple[float, float, float, float]:
    rows, columns, error = squares.rows, squares.columns, squares.error
    if error == 0 and columns == 0:
        return 1.0, 1.0, 1.0, 0.0
    total = rows + k * columns / n + (k - 1 - k / n) * error
    if total == 0:  # two subjects that two judges rated crosswise
        return float("-inf"), float("-inf"), 1.0, 1.0
    estimate = (rows - error) / total
    # Satterthwaite's degrees of freedom of the denominator, multiplied by the mean square of error so that 0 is allowed
    of_judges = k * estimate * columns
    of_error = (n * (1 + (k - 1) * estimate) - k * estimate) * error
    df = (k - 1) * (n - 1) * (of_judges + of_error) ** 2 / ((n - 1) * of_judges**2 + of_error**2)
    tail = (1 + confidence_level) / 2
    f_low, f_high = stats.f.ppf(tail, n - 1, df), stats.f.ppf(tail, df, n - 1)
    noise = k * columns + (k * n - k - n) * error
    low = n * (rows / f_low - error) / (noise + n * rows / f_low)  # f_low is infinite where df is close to 0
    high = n * (f_high * rows - error) / (noise + n * f_high * rows) if np.isfinite(f_high) else 1.0
    p = stats.f.sf(rows / error, n - 1, (n - 1) * (k - 1)) if error > 0 else 0.0
    return float(estimate), float(low), float(high), float(p)


def _spearman_brown(single: float, k: int) -> float:
    denominator = 1 + (k - 1) * single
    return k * single / denominator if denominator > 0 else float("-inf")


def fleiss_kappa(
    ratings: npt.ArrayLike | pd.DataFrame, *, confidence_level: float = 0.95, missing: Missing = "raise"
) -> Reliability:
    """Fleiss' kappa of judges who put subjects into categories.

    Parameters
    ----------
    ratings
        Shape (n subjects, k judges); categories as numbers, text or booleans. Two subjects and two judges or more.
    confidence_level
        Level of the interval.
    missing
        As in `icc`.

    Returns
    -------
    Reliability
        NaN with a note where there is only one category.

    Raises
    ------
    ValueError
        If the shape is too small or a rating is missing.

    Notes
    -----
    `p` is that of the z-test with the standard error without agreement [2]_, as R's irr and SPSS print it. The interval has the
    linearised standard error with agreement [3]_ and a t-distribution with n - 1 degrees of freedom: the standard error
    of the test would be too small or too large for it.

    References
    ----------
    .. [1] Fleiss, J. L. (1971). Psychological Bulletin 76, 378-382. https://doi.org/10.1037/h0031619
    .. [2] Fleiss, J. L., Nee, J. C. M. & Landis, J. R. (1979). Psychological Bulletin 86, 974-977.
       https://doi.org/10.1037/0033-2909.86.5.974
    .. [3] Gwet, K. L. (2008). Psychometrika 73, 407-430. https://doi.org/10.1007/s11336-007-9054-8

    Examples
    --------
    >>> round(fleiss_kappa([["a", "a"], ["b", "b"], ["a", "b"], ["a", "a"]]).estimate, 3)
    0.467
    """
    normal_quantile(confidence_level)
    codes, n_categories, dropped = to_codes(ratings, missing)
    n, k = codes.shape
    if n_categories == 1:
        return _undefined(n, k, dropped, "all ratings are the same")
    counts = np.stack([(codes == category).sum(axis=1) for category in range(n_categories)], axis=1).astype(np.float64)
    share = counts.mean(axis=0) / k
    agreement = ((counts**2).sum(axis=1) - k) / (k * (k - 1))
    by_chance = float((share**2).sum())
    estimate = float((agreement.mean() - by_chance) / (1 - by_chance))
    subject_chance = counts @ share / k
    influence = (agreement - by_chance) / (1 - by_chance)
    influence -= 2 * (1 - estimate) * (subject_chance - by_chance) / (1 - by_chance)
    error = float(np.sqrt(((influence - estimate) ** 2).sum() / (n * (n - 1))))
    reach = float(stats.t.ppf((1 + confidence_level) / 2, n - 1)) * error
    spread = share * (1 - share)
    null_variance = 2 * (spread.sum() ** 2 - (spread * (1 - 2 * share)).sum())
    null_variance /= spread.sum() ** 2 * n * k * (k - 1)
    p = float(2 * special.ndtr(-abs(estimate) / np.sqrt(null_variance)))
    return Reliability(estimate, estimate - reach, min(estimate + reach, 1.0), p, n, k, dropped)


def cohen_kappa(
    a: npt.ArrayLike | pd.Series,
    b: npt.ArrayLike | pd.Series,
    *,
    weights: Weights = "none",
    categories: Sequence[Hashable] | None = None,
    confidence_level: float = 0.95,
    missing: Missing = "raise",
) -> Reliability:
    """Cohen's kappa of two judges, weighted where categories are ordered.

    Parameters
    ----------
    a, b
        Shape (n,); the categories that the two judges chose.
    weights
        ``none``: a disagreement is a disagreement. ``linear`` or ``quadratic``: it weighs by the distance of the categories,
        taken as equally spaced in their order.
    categories
        All categories in order; those that occur, sorted, where None. Weights depend on it: give the whole scale.
    confidence_level
        Level of the interval.
    missing
        As in `icc`.

    Returns
    -------
    Reliability
        Interval and `p` from the large-sample standard errors of [2]_ (with and without agreement). NaN with a note where both
        judges use only one category.

    Raises
    ------
    ValueError
        If lengths differ, there are fewer than two subjects, or values are missing or not among the categories.

    References
    ----------
    .. [1] Cohen, J. (1968). Psychological Bulletin 70, 213-220. https://doi.org/10.1037/h0026256
    .. [2] Fleiss, J. L., Cohen, J. & Everitt, B. S. (1969). Psychological Bulletin 72, 323-327.
       https://doi.org/10.1037/h0028106

    Examples
    --------
    >>> round(cohen_kappa([1, 1, 2, 2], [1, 1, 2, 1]).estimate, 2)
    0.5
    """
    if weights not in ("none", "linear", "quadratic"):
        raise ValueError(f"Expected weights to be 'none', 'linear' or 'quadratic', got {weights!r}.")
    quantile = normal_quantile(confidence_level)
    if np.shape(a) != np.shape(b):
        raise ValueError(
            f"Expected the two judges to rate the same subjects, got {np.shape(a)} and {np.shape(b)} ratings."
        )
    pair = np.stack([np.asarray(a, dtype=object), np.asarray(b, dtype=object)], axis=1)
    codes, n_categories, dropped = to_codes(pair, missing, categories)
    n = len(codes)
    if len(np.unique(codes)) == 1:
        return _undefined(n, 2, dropped, "both judges use only one category")
    table = np.bincount(codes[:, 0] * n_categories + codes[:, 1], minlength=n_categories**2)
    result = cohens_kappa(
        table.reshape(n_categories, n_categories), wt=None if weights == "none" else weights, return_results=True
    )
    estimate, reach = float(result.kappa), quantile * float(result.std_kappa)
    # the large-sample interval can pass 1, which kappa cannot
    return Reliability(
        estimate, estimate - reach, min(estimate + reach, 1.0), float(result.pvalue_two_sided), n, 2, dropped
    )


def f1_against(truth: pd.DataFrame, prediction: pd.DataFrame) -> pd.Series:
    """F1 of a tool against an expert, column by column.

    Parameters
    ----------
    truth, prediction
        Booleans or 0 and 1, the same columns, rows aligned by position; the expert's and the tool's.

    Returns
    -------
    Series
        ``2 TP / (2 TP + FP + FN)`` of each column; 0 where the tool finds nothing of what the expert marked, NaN where neither
        marked anything.

    Raises
    ------
    ValueError
        If shapes or columns differ, or values are not 0 or 1.

    Examples
    --------
    >>> truth, tool = pd.DataFrame({"AU12": [1, 1, 0, 0]}), pd.DataFrame({"AU12": [1, 0, 1, 0]})
    >>> f1_against(truth, tool).to_dict()
    {'AU12': 0.5}
    """
    if list(truth.columns) != list(prediction.columns) or len(truth) != len(prediction):
        raise ValueError(
            f"Expected the same columns and rows of expert and tool, got {truth.shape}, {prediction.shape}."
        )
    marked, found = to_numbers(truth), to_numbers(prediction)
    if not (np.isin(marked, (0, 1)).all() and np.isin(found, (0, 1)).all()):
        raise ValueError("Expected 0 or 1 in the tables of expert and tool, got other values or nulls.")
    both, either = (marked * found).sum(axis=0), marked.sum(axis=0) + found.sum(axis=0)
    f1 = np.divide(2 * both, either, out=np.full(len(both), np.nan), where=either > 0)
    return pd.Series(f1, index=truth.columns, name="f1")


def _undefined(n: int, k: int, dropped: int, note: str) -> Reliability:
    nan = float("nan")
    return Reliability(nan, nan, nan, nan, n, k, dropped, note)
