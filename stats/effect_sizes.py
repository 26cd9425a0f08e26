"""Sizes of differences between two groups, each with an interval."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt
from scipy import optimize, special, stats

_OPEN: Final = 1e-9  # keeps a bracket off the trivial root at its own end


@dataclass(frozen=True, slots=True)
class Estimate:
    """A value with its interval.

    Attributes
    ----------
    value
        Point estimate; NaN where it is not defined.
    low
        Lower end of the interval.
    high
        Upper end.
    """

    value: float
    low: float
    high: float


UNDEFINED: Final = Estimate(float("nan"), float("nan"), float("nan"))
"""Estimate of a quantity that the data do not define."""


def normal_quantile(confidence_level: float) -> float:
    """Compute the standard normal quantile of a two-sided interval, 1.96 for 0.95.

    Parameters
    ----------
    confidence_level
        Strictly between 0 and 1.

    Returns
    -------
    float

    Raises
    ------
    ValueError
        If the level is not between 0 and 1.
    """
    if not 0 < confidence_level < 1:
        raise ValueError(f"Expected a confidence level between 0 and 1, got {confidence_level!r}.")
    return float(special.ndtri((1 + confidence_level) / 2))


def hedges_g(a: npt.ArrayLike, b: npt.ArrayLike, *, confidence_level: float = 0.95) -> Estimate:
    """Standardised mean difference of two groups, corrected for small samples.

    Parameters
    ----------
    a, b
        Shape (n_a,) and (n_b,); finite. Positive where the mean of `a` is higher.
    confidence_level
        Level of the interval.

    Returns
    -------
    Estimate
        All NaN where there are fewer than three values in all, an empty group, or no variation within the groups.

    Notes
    -----
    ``g = J d`` with ``d`` the difference in pooled standard deviations and
    ``J = Γ(df/2) / (√(df/2) Γ((df-1)/2))`` [1]_. The interval inverts the noncentral t of ``d`` [2]_ and is
    scaled by ``J``.

    References
    ----------
    .. [1] Hedges, L. V. (1981). Journal of Educational Statistics 6, 107-128. https://doi.org/10.3102/10769986006002107
    .. [2] Cumming, G. & Finch, S. (2001). Educational and Psychological Measurement 61, 532-574.
       https://doi.org/10.1177/0013164401614002
    """
    x, y = np.asarray(a, dtype=np.float64), np.asarray(b, dtype=np.float64)
    normal_quantile(confidence_level)
    n_x, n_y = len(x), len(y)
    df = n_x + n_y - 2
    if min(n_x, n_y) < 1 or df < 1:
        return UNDEFINED
    pooled = pooled_sd(x, y)
    if pooled == 0:
        return UNDEFINED
    scale = float(np.sqrt(1 / n_x + 1 / n_y))
    d = float(x.mean() - y.mean()) / pooled
    low, high = _invert_noncentral_t(d / scale, df, confidence_level)
    correction = _hedges_correction(df)
    return Estimate(correction * d, correction * low * scale, correction * high * scale)


def pooled_sd(a: npt.NDArray[np.float64], b: npt.NDArray[np.float64]) -> float:
    """Compute the standard deviation within two groups, 0 where each group is constant.

    Parameters
    ----------
    a, b
        Shape (n_a,) and (n_b,), float64; three values or more in all.

    Returns
    -------
    float
    """
    if np.ptp(a) == 0 and np.ptp(b) == 0:
        return 0.0
    squares = ((a - a.mean()) ** 2).sum() + ((b - b.mean()) ** 2).sum()
    return float(np.sqrt(squares / (len(a) + len(b) - 2)))


def _hedges_correction(df: int) -> float:
    if df == 1:
        return 0.0  # Γ(0) is infinite: one degree of freedom leaves no unbiased estimate
    return float(np.exp(special.gammaln(df / 2) - special.gammaln((df - 1) / 2)) / np.sqrt(df / 2))


def _invert_noncentral_t(t: float, df: int, confidence_level: float) -> tuple[float, float]:
    """Noncentralities for which `t` is at the upper and the lower tail probability."""
    tail = (1 - confidence_level) / 2

    def find(probability: float) -> float:
        def excess(noncentrality: float) -> float:
            return float(stats.nct.cdf(t, df, noncentrality)) - probability

        step = 2.0 + abs(t)
        low, high = t - step, t + step
        while excess(low) < 0:
            low -= step
        while excess(high) > 0:
            high += step
        return float(optimize.brentq(excess, low, high, xtol=1e-10))

    return find(1 - tail), find(tail)


def probability_of_superiority(probability: float, n_a: int, n_b: int, *, confidence_level: float = 0.95) -> Estimate:
    """Interval of P(a > b) + P(a = b)/2: the area under a ROC curve, or ``U / (n_a n_b)`` of the Mann-Whitney test.

    Parameters
    ----------
    probability
        Point estimate, 0 to 1.
    n_a, n_b
        Sizes of the two groups.
    confidence_level
        Level of the interval.

    Returns
    -------
    Estimate
        Within 0 to 1; all NaN where a group is empty.

    Raises
    ------
    ValueError
        If `probability` is not between 0 and 1.

    Notes
    -----
    Method 5 of Newcombe [1]_: the values θ with ``|θ - estimate| <= z √V(θ)``, ``V`` the variance of Hanley and McNeil
    [2]_ for two groups of the mean size. Like Wilson's interval of a proportion it stays within 0 to 1 and keeps its
    width where the groups separate fully; DeLong's and resampling intervals shrink to a point there.

    References
    ----------
    .. [1] Newcombe, R. G. (2006). Statistics in Medicine 25, 559-573. https://doi.org/10.1002/sim.2324
    .. [2] Hanley, J. A. & McNeil, B. J. (1982). Radiology 143, 29-36. https://doi.org/10.1148/radiology.143.1.7063747
    """
    z = normal_quantile(confidence_level)
    if n_a < 1 or n_b < 1 or np.isnan(probability):
        return UNDEFINED
    if not 0 <= probability <= 1:
        raise ValueError(f"Expected a probability between 0 and 1, got {probability:g}.")
    others = (n_a + n_b) / 2 - 1

    def excess(theta: float) -> float:
        shape = 1 + others * ((1 - theta) / (2 - theta) + theta / (1 + theta))
        return (theta - probability) ** 2 - z**2 * theta * (1 - theta) * shape / (n_a * n_b)

    low = float(optimize.brentq(excess, 0.0, min(probability, 1 - _OPEN))) if probability > 0 else 0.0
    high = float(optimize.brentq(excess, max(probability, _OPEN), 1.0)) if probability < 1 else 1.0
    return Estimate(float(probability), low, high)


def rank_biserial(u_a: float, n_a: int, n_b: int, *, confidence_level: float = 0.95) -> Estimate:
    """Rank-biserial correlation of a Mann-Whitney test, with its interval.

    Parameters
    ----------
    u_a
        U of the first group: pairs in which its value is higher, ties counted half.
    n_a, n_b
        Sizes of the two groups.
    confidence_level
        Level of the interval.

    Returns
    -------
    Estimate
        ``2 u_a / (n_a n_b) - 1``, -1 to 1, positive where the first group is higher; all NaN where a group is empty.
        The interval is that of `probability_of_superiority`, moved to this scale.

    References
    ----------
    .. [1] Kerby, D. S. (2014). Comprehensive Psychology 3, 1. https://doi.org/10.2466/11.IT.3.1

    Examples
    --------
    >>> rank_biserial(9.0, 3, 3).value
    1.0
    """
    if n_a < 1 or n_b < 1:
        return UNDEFINED
    theta = probability_of_superiority(u_a / (n_a * n_b), n_a, n_b, confidence_level=confidence_level)
    return Estimate(2 * theta.value - 1, 2 * theta.low - 1, 2 * theta.high - 1)


def cliffs_delta(a: npt.ArrayLike, b: npt.ArrayLike, *, confidence_level: float = 0.95) -> Estimate:
    """Cliff's delta: P(a > b) - P(a < b), with the interval that its author recommends.

    Parameters
    ----------
    a, b
        Shape (n_a,) and (n_b,); finite.
    confidence_level
        Level of the interval.

    Returns
    -------
    Estimate
        -1 to 1, positive where the first group is higher; the value is that of `rank_biserial`. All NaN where a group has fewer
        than two values.

    Notes
    -----
    Asymmetric interval from the consistent variance of the dominances [1]_ [2]_. Where the groups separate fully that variance
    is 0; then the inner end is ``(n - z²) / (n + z²)`` with n of the smaller group [2]_.

    References
    ----------
    .. [1] Cliff, N. (1993). Psychological Bulletin 114, 494-509. https://doi.org/10.1037/0033-2909.114.3.494
    .. [2] Feng, D. & Cliff, N. (2004). Journal of Modern Applied Statistical Methods 3, 322-332.
       https://doi.org/10.22237/jmasm/1099267560

    Examples
    --------
    >>> round(cliffs_delta([1, 2, 3, 4], [0, 1, 2, 3]).value, 4)
    0.4375
    """
    z = normal_quantile(confidence_level)
    x, y = np.asarray(a, dtype=np.float64), np.asarray(b, dtype=np.float64)
    if min(len(x), len(y)) < 2:
        return UNDEFINED
    of_x, of_y = _dominance(x, y), -_dominance(y, x)
    delta = float(of_x.mean())
    if abs(delta) == 1:
        n = min(len(x), len(y))
        inner = (n - z**2) / (n + z**2)
        return Estimate(delta, *((inner, 1.0) if delta > 0 else (-1.0, -inner)))
    ties = float(np.mean(_count_equal(x, y))) / len(y)
    variance = (len(y) - 1) * of_x.var(ddof=1) + (len(x) - 1) * of_y.var(ddof=1) + (1 - ties - delta**2)
    variance = float(max(variance, 0.0)) / (len(x) * len(y))
    reach = z * np.sqrt(variance) * np.sqrt((1 - delta**2) ** 2 + z**2 * variance)
    scale = 1 - delta**2 + z**2 * variance
    low, high = (delta - delta**3 - reach) / scale, (delta - delta**3 + reach) / scale
    return Estimate(delta, float(max(low, -1.0)), float(min(high, 1.0)))


def _dominance(x: npt.NDArray[np.float64], y: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """Share of `y` below minus share above, for each value of `x`."""
    others = np.sort(y)
    below, up_to = np.searchsorted(others, x, side="left"), np.searchsorted(others, x, side="right")
    return np.asarray((below + up_to - len(y)) / len(y), dtype=np.float64)


def _count_equal(x: npt.NDArray[np.float64], y: npt.NDArray[np.float64]) -> npt.NDArray[np.int64]:
    others = np.sort(y)
    return np.asarray(np.searchsorted(others, x, side="right") - np.searchsorted(others, x, side="left"))
