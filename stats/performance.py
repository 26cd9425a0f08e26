"""How well predictions of a group agree with the truth, with intervals."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt
from scipy import stats
from statsmodels.stats.proportion import proportion_confint

from stats.effect_sizes import UNDEFINED, Estimate, normal_quantile, probability_of_superiority

METRICS: Final[tuple[str, ...]] = ("f1", "sensitivity", "specificity", "accuracy", "auc", "mcc")
"""Metrics of `evaluate_predictions`, in the order in which tables print them."""

FloatArray = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Counts:
    """Outcomes of a two-class prediction.

    Attributes
    ----------
    tp
        Positives that were predicted positive.
    fp
        Negatives that were predicted positive.
    tn
        Negatives that were predicted negative.
    fn
        Positives that were predicted negative.
    """

    tp: int
    fp: int
    tn: int
    fn: int

    @property
    def n_positive(self) -> int:
        """Number of positives."""
        return self.tp + self.fn

    @property
    def n_negative(self) -> int:
        """Number of negatives."""
        return self.tn + self.fp

    @property
    def n(self) -> int:
        """Number of participants."""
        return self.n_positive + self.n_negative


@dataclass(frozen=True, slots=True)
class Performance:
    """Result of `evaluate_predictions`: counts, and each metric with its interval.

    Attributes
    ----------
    counts
        Outcomes.
    f1
        F1 of the positive class, 0 to 1.
    sensitivity
        Share of positives that were found, 0 to 1.
    specificity
        Share of negatives that were left alone, 0 to 1.
    accuracy
        Share of right predictions, 0 to 1.
    auc
        Area under the ROC curve of the scores, 0 to 1.
    mcc
        Matthews correlation, -1 to 1.
    """

    counts: Counts
    f1: Estimate
    sensitivity: Estimate
    specificity: Estimate
    accuracy: Estimate
    auc: Estimate
    mcc: Estimate


def count_outcomes(truth: Sequence[object], prediction: Sequence[object], *, positive: object) -> Counts:
    """Count right and wrong predictions of each class.

    Parameters
    ----------
    truth, prediction
        One label a participant. Whatever is not `positive` is negative.
    positive
        Label of the positive class.

    Returns
    -------
    Counts

    Raises
    ------
    ValueError
        If the two differ in length.

    Examples
    --------
    >>> count_outcomes(["ASD", "ASD", "TD"], ["ASD", "TD", "TD"], positive="ASD")
    Counts(tp=1, fp=0, tn=1, fn=1)
    """
    if len(truth) != len(prediction):
        raise ValueError(f"Expected a prediction of each of {len(truth)} participants, got {len(prediction)}.")
    is_positive = np.array([label == positive for label in truth], dtype=bool)
    found = np.array([label == positive for label in prediction], dtype=bool)
    return Counts(
        tp=int((is_positive & found).sum()),
        fp=int((~is_positive & found).sum()),
        tn=int((~is_positive & ~found).sum()),
        fn=int((is_positive & ~found).sum()),
    )


def f1_score(tp: npt.ArrayLike, fp: npt.ArrayLike, tn: npt.ArrayLike, fn: npt.ArrayLike) -> FloatArray:
    """F1 of the positive class from counts, ``2 TP / (2 TP + FP + FN)``.

    Parameters
    ----------
    tp, fp, tn, fn
        Counts, broadcast together. `tn` does not enter.

    Returns
    -------
    ndarray, float64
        0 to 1; NaN where there are neither positives nor positive predictions.
    """
    del tn
    hits = 2.0 * np.asarray(tp, dtype=np.float64)
    total = hits + np.asarray(fp, dtype=np.float64) + np.asarray(fn, dtype=np.float64)
    quotient: FloatArray = np.divide(hits, total, out=np.full(np.shape(total), np.nan), where=total > 0)
    return quotient


def matthews_correlation(tp: npt.ArrayLike, fp: npt.ArrayLike, tn: npt.ArrayLike, fn: npt.ArrayLike) -> FloatArray:
    """Matthews correlation from counts.

    Parameters
    ----------
    tp, fp, tn, fn
        Counts, broadcast together.

    Returns
    -------
    ndarray, float64
        -1 to 1. 0 where all predictions (or all truths) are the same, as there is no association to see.

    References
    ----------
    .. [1] Chicco, D. & Jurman, G. (2020). BMC Genomics 21, 6. https://doi.org/10.1186/s12864-019-6413-7
    """
    hits, false_alarms, passes, misses = (np.asarray(count, dtype=np.float64) for count in (tp, fp, tn, fn))
    product = (hits + false_alarms) * (hits + misses) * (passes + false_alarms) * (passes + misses)
    top = hits * passes - false_alarms * misses
    return np.divide(top, np.sqrt(product), out=np.zeros(np.shape(product)), where=product > 0)


def area_under_curve(positive_scores: npt.ArrayLike, negative_scores: npt.ArrayLike) -> float:
    """Area under the ROC curve: the share of pairs in which the positive scores higher, ties counted half.

    Parameters
    ----------
    positive_scores, negative_scores
        Shape (n_positive,) and (n_negative,); finite.

    Returns
    -------
    float
        0 to 1; NaN where a class is empty.
    """
    positives = np.asarray(positive_scores, dtype=np.float64)
    negatives = np.asarray(negative_scores, dtype=np.float64)
    if len(positives) == 0 or len(negatives) == 0:
        return float("nan")
    ranks = stats.rankdata(np.concatenate([positives, negatives]))
    u = ranks[: len(positives)].sum() - len(positives) * (len(positives) + 1) / 2
    return float(u / (len(positives) * len(negatives)))


def evaluate_predictions(
    truth: Sequence[object],
    prediction: Sequence[object],
    score: npt.ArrayLike,
    *,
    positive: object = "ASD",
    confidence_level: float = 0.95,
    n_bootstrap: int = 2000,
    seed: int = 0,
) -> Performance:
    """Metrics of the predictions of participants, each with an interval.

    Parameters
    ----------
    truth, prediction
        One label a participant; whatever is not `positive` is negative.
    score
        Shape (n,); higher speaks for the positive class. Only its order counts.
    positive
        Label of the positive class.
    confidence_level
        Level of the intervals.
    n_bootstrap
        Resamples of participants for the intervals of F1 and MCC.
    seed
        Seed of the resamples.

    Returns
    -------
    Performance
        A metric is NaN, with its interval, where the data do not define it: sensitivity and AUC without positives,
        specificity and AUC without negatives, F1 with neither positives nor positive predictions.

    Raises
    ------
    ValueError
        If lengths differ, there is no participant, or a score is not finite.

    Notes
    -----
    Intervals: Wilson [1]_ for sensitivity, specificity and accuracy; Newcombe's method 5 for the AUC (see
    `stats.effect_sizes.probability_of_superiority`); percentiles of resamples of participants within each class for F1
    and MCC. A class in which every prediction was right (or every one wrong) is resampled with the rate
    ``(k + 1/2) / (n + 1)`` instead of ``k / n``: resampling what was seen could never show an error, and the interval
    of a perfect result would be a point.

    References
    ----------
    .. [1] Wilson, E. B. (1927). Journal of the American Statistical Association 22, 209-212.
       https://doi.org/10.1080/01621459.1927.10502953
    """
    normal_quantile(confidence_level)
    counts = count_outcomes(truth, prediction, positive=positive)
    scores = np.asarray(score, dtype=np.float64)
    if counts.n == 0 or scores.shape != (counts.n,):
        raise ValueError(f"Expected a score of each of one or more participants, got {scores.shape} for {counts.n}.")
    if not np.isfinite(scores).all():
        raise ValueError("Expected finite scores, got nulls or infinities.")
    is_positive = np.array([label == positive for label in truth], dtype=bool)
    auc = area_under_curve(scores[is_positive], scores[~is_positive])
    resamples = _resample_counts(counts, n_bootstrap, seed)
    return Performance(
        counts=counts,
        f1=_percentile_interval(counts, resamples, f1_score, confidence_level),
        sensitivity=_wilson(counts.tp, counts.n_positive, confidence_level),
        specificity=_wilson(counts.tn, counts.n_negative, confidence_level),
        accuracy=_wilson(counts.tp + counts.tn, counts.n, confidence_level),
        auc=probability_of_superiority(auc, counts.n_positive, counts.n_negative, confidence_level=confidence_level),
        mcc=_percentile_interval(counts, resamples, matthews_correlation, confidence_level),
    )


def _wilson(count: int, n: int, confidence_level: float) -> Estimate:
    if n == 0:
        return UNDEFINED
    low, high = proportion_confint(count, n, alpha=1 - confidence_level, method="wilson")
    share = count / n
    # the ends at 0 and 1 come out as 5e-17 and the like
    return Estimate(share, min(max(float(low), 0.0), share), max(min(float(high), 1.0), share))


def _resample_counts(counts: Counts, n_bootstrap: int, seed: int) -> tuple[FloatArray, ...]:
    """Draw counts tp, fp, tn, fn: resampling participants within a class is a binomial of the class's rate."""
    rng = np.random.default_rng(seed)

    def draw(right: int, n: int) -> FloatArray:
        rate = (right + 0.5) / (n + 1) if right in (0, n) else right / n
        return rng.binomial(n, rate, size=n_bootstrap).astype(np.float64)

    tp, tn = draw(counts.tp, counts.n_positive), draw(counts.tn, counts.n_negative)
    return tp, counts.n_negative - tn, tn, counts.n_positive - tp


def _percentile_interval(
    counts: Counts, resamples: tuple[FloatArray, ...], metric: Callable[..., FloatArray], confidence_level: float
) -> Estimate:
    value = float(metric(counts.tp, counts.fp, counts.tn, counts.fn))
    drawn = metric(*resamples)
    drawn = drawn[~np.isnan(drawn)]
    if np.isnan(value) or len(drawn) == 0:
        return UNDEFINED
    tail = (1 - confidence_level) / 2
    low, high = np.quantile(drawn, [tail, 1 - tail])
    return Estimate(value, min(float(low), value), max(float(high), value))
