"""Regression of an attribute on group that respects that frames are nested in participants, with covariates.

Generalised estimating equations (GEE) with participants as clusters. Group and covariates are the same in all frames of a
participant, so the equations over frames depend on a participant only through its number of frames and the sum of its values; they
are solved in that form, which gives the same estimates in milliseconds instead of minutes.

References
----------
.. [1] Liang, K.-Y. & Zeger, S. L. (1986). Biometrika 73, 13-22. https://doi.org/10.1093/biomet/73.1.13
.. [2] Mancl, L. A. & DeRouen, T. A. (2001). Biometrics 57, 126-134. https://doi.org/10.1111/j.0006-341X.2001.00126.x
.. [3] Li, P. & Redden, D. T. (2015). Statistics in Medicine 34, 281-296. https://doi.org/10.1002/sim.6344
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Literal

import numpy as np
import numpy.typing as npt
import pandas as pd
import statsmodels.api as sm
from scipy import stats

from stats.effect_sizes import normal_quantile

Family = Literal["binomial", "gaussian"]
WorkingCorrelation = Literal["exchangeable", "independence"]

FloatArray = npt.NDArray[np.float64]

_GROUP: Final = 1  # position of the group's coefficient
_MAX_ROUNDS: Final = 50
_SAME: Final = 1e-8


@dataclass(frozen=True, slots=True)
class GroupEffect:
    """Effect of group in a clustered regression.

    Attributes
    ----------
    estimate
        First minus second group, covariates held: log odds ratio (binomial) or difference of means or rates (gaussian).
    ci_low, ci_high
        Its interval.
    t, df, p
        Estimate over its standard error, participants less coefficients, two-sided p-value.
    within_correlation
        Correlation of two frames of a participant, estimated from the residuals; 0 under working independence.
    n_a, n_b
        Participants that entered.
    note
        Why there is no number; empty otherwise.
    """

    estimate: float
    ci_low: float
    ci_high: float
    t: float
    df: int
    p: float
    within_correlation: float
    n_a: int
    n_b: int
    note: str = ""


def estimate_group_effect(
    sums: pd.Series,
    n_frames: pd.Series,
    is_a: pd.Series,
    *,
    covariates: pd.DataFrame | None = None,
    family: Family = "binomial",
    working: WorkingCorrelation = "exchangeable",
    squares: pd.Series | None = None,
    confidence_level: float = 0.95,
) -> GroupEffect:
    """Estimate the effect of group on an attribute by GEE.

    Parameters
    ----------
    sums
        One value a participant: frames in which the attribute is active, or the sum of its values.
    n_frames
        Frames of each participant, 1 or more.
    is_a
        Whether the participant is in the first group.
    covariates
        One row a participant, numbers (age; sex and site as 0 and 1). Participants with a null are left out. Covariates that do not
        vary are left out.
    family
        ``binomial``: logistic regression of an attribute that is active or not. ``gaussian``: linear regression, of activity (the
        effect is then a difference of rates) or of a continuous attribute.
    working
        Working correlation of the frames of a participant. Either way the standard error is robust.
    squares
        Sum of squared values of each participant, for continuous attributes; `sums` where None, as for 0 and 1.
    confidence_level
        Level of the interval.

    Returns
    -------
    GroupEffect
        NaN with a note where the model cannot be fitted: too few participants, or an attribute that a group never or always shows
        (its log odds ratio is infinite).

    Raises
    ------
    ValueError
        If indices differ or a participant has no frame.

    Notes
    -----
    Standard errors are those of Mancl and DeRouen [2]_, p-values and intervals from t with as many degrees of freedom as
    participants less coefficients [3]_: with the tens of participants of such studies the plain sandwich is too small.
    """
    normal_quantile(confidence_level)
    if not (sums.index.equals(n_frames.index) and sums.index.equals(is_a.index)):
        raise ValueError("Expected the same participants in sums, n_frames and is_a, got others.")
    if (n_frames < 1).any():
        raise ValueError("Expected one frame or more of each participant.")
    design = _make_design(is_a, covariates)
    kept = design.notna().all(axis=1)
    design = design[kept]
    varies = design.max() > design.min()
    design = design.loc[:, varies | (varies.index == "intercept")]
    y, n = sums[kept].to_numpy(dtype=np.float64), n_frames[kept].to_numpy(dtype=np.float64)
    squared = y if squares is None else squares[kept].to_numpy(dtype=np.float64)
    chosen = is_a[kept].to_numpy(dtype=bool)
    n_a, n_b = int(chosen.sum()), int((~chosen).sum())
    df = len(y) - design.shape[1]
    problem = _find_problem(y, n, squared, chosen, design, family)
    if problem:
        nan = float("nan")
        return GroupEffect(nan, nan, nan, nan, df, nan, nan, n_a, n_b, problem)
    estimate, error, correlation = _fit(y, n, squared, design, family, working)
    reach = float(stats.t.ppf((1 + confidence_level) / 2, df)) * error
    t = estimate / error
    p = float(2 * stats.t.sf(abs(t), df))
    return GroupEffect(estimate, estimate - reach, estimate + reach, t, df, p, correlation, n_a, n_b)


def _make_design(is_a: pd.Series, covariates: pd.DataFrame | None) -> pd.DataFrame:
    design = pd.DataFrame({"intercept": 1.0, "group": is_a.astype(np.float64)}, index=is_a.index)
    if covariates is not None:
        design = design.join(covariates.reindex(is_a.index).astype(np.float64))
    return design


def _find_problem(
    y: FloatArray,
    n: FloatArray,
    squared: FloatArray,
    chosen: npt.NDArray[np.bool_],
    design: pd.DataFrame,
    family: Family,
) -> str:
    if min(chosen.sum(), (~chosen).sum()) < 2 or len(y) - design.shape[1] < 1:
        return (
            f"too few participants: {int(chosen.sum())} and {int((~chosen).sum())} for {design.shape[1]} coefficients"
        )
    if np.linalg.matrix_rank(design.to_numpy()) < design.shape[1]:
        return "the covariates determine each other or the group"
    if np.isclose(squared.sum() * n.sum(), y.sum() ** 2):
        return "the same value in all frames"
    totals = [(y[rows].sum(), n[rows].sum()) for rows in (chosen, ~chosen)]
    if family == "binomial" and any(active in (0, frames) for active, frames in totals):
        return "never or always active in a group: the log odds ratio is infinite"
    if np.ptp((y / n)[chosen]) == 0 and np.ptp((y / n)[~chosen]) == 0:
        return "no variation between the participants of a group"
    return ""


def _fit(
    y: FloatArray, n: FloatArray, squared: FloatArray, design: pd.DataFrame, family: Family, working: WorkingCorrelation
) -> tuple[float, float, float]:
    """Alternate between coefficients, given weights, and the correlation that decides the weights.

    Coefficient of group, its standard error, correlation.
    """
    model = sm.families.Binomial() if family == "binomial" else sm.families.Gaussian()
    X = design.to_numpy()
    correlation = 0.0
    for _ in range(_MAX_ROUNDS):
        weights = n / (1 + (n - 1) * correlation)
        fit = sm.GLM(y / n, X, family=model, freq_weights=weights).fit(tol=1e-10)
        mean = np.asarray(fit.mu, dtype=np.float64)
        before = correlation
        if working == "exchangeable":
            correlation = _estimate_correlation(y, n, squared, mean, family, X.shape[1])
        if abs(correlation - before) < _SAME:
            break
    error = _bias_reduced_error(
        X, y / n - mean, weights, mean * (1 - mean) if family == "binomial" else np.ones(len(n))
    )
    return float(fit.params[_GROUP]), error, correlation


def _bias_reduced_error(X: FloatArray, residuals: FloatArray, weights: FloatArray, slope: FloatArray) -> float:
    """Standard error of group after Mancl and DeRouen: each participant's residual over 1 less its leverage."""
    bread = np.linalg.inv(X.T @ (X * (weights * slope)[:, None]))
    leverage = weights * slope * ((X @ bread) * X).sum(axis=1)
    scores = X * (weights * residuals / (1 - leverage))[:, None]
    return float(np.sqrt((bread @ (scores.T @ scores) @ bread)[_GROUP, _GROUP]))


def _estimate_correlation(
    y: FloatArray, n: FloatArray, squared: FloatArray, mean: FloatArray, family: Family, n_coefficients: int
) -> float:
    """Moment estimator from Pearson residuals of all pairs of frames of a participant (Liang and Zeger, 1986)."""
    variance = mean * (1 - mean) if family == "binomial" else np.ones(len(mean))
    of_sum = (y - n * mean) ** 2 / variance
    of_frames = (squared - 2 * mean * y + n * mean**2) / variance
    scale = of_frames.sum() / (n.sum() - n_coefficients)
    pairs = (n * (n - 1)).sum() / 2 - n_coefficients
    if pairs <= 0:
        return 0.0
    return float(np.clip(((of_sum - of_frames).sum() / 2) / (pairs * scale), 0.0, 1.0))
