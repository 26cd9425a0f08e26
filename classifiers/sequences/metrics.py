"""Errors and agreement of predicted ratings: pooled over windows, per participant, and as published.

Every pooled measure is a function of nine sums over windows. The sums of each participant are taken once; a bootstrap over
participants then only weighs and adds them.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt
import pandas as pd

FloatArray = npt.NDArray[np.float64]

POOLED: Final = ("mae", "mse", "rmse", "mape", "pearson", "ccc", "icc")
"""Measures over all windows; `icc` is ICC(2,1), absolute agreement of prediction and mean of the judges."""

MACRO: Final = ("macro_mae", "macro_mse", "macro_rmse", "macro_mape")
"""Means over participants of the errors within each, every participant counted alike."""

MEASURES: Final = (*POOLED, *MACRO)

_TINY: Final = 1e-12  # variances that are rounding errors of sums


def sum_by_participant(truth: npt.ArrayLike, prediction: npt.ArrayLike, participants: npt.ArrayLike) -> pd.DataFrame:
    """Sums from which all measures follow, one row a participant.

    Parameters
    ----------
    truth, prediction, participants
        Shape (n,): label, predicted label and participant of each window.

    Returns
    -------
    DataFrame
        Index participant, sorted; columns ``n, t, p, tt, pp, tp, absolute, square, relative``: windows, sums of truth and
        prediction, of their squares and products, of absolute, squared and relative errors. `relative` is NaN where a
        label is 0.

    Raises
    ------
    ValueError
        If the lengths differ or a value is not finite.
    """
    t, p = np.asarray(truth, dtype=np.float64), np.asarray(prediction, dtype=np.float64)
    people = np.asarray(participants, dtype=object)
    if t.ndim != 1 or t.shape != p.shape or t.shape != people.shape:
        raise ValueError(
            f"Expected one label, prediction and participant a window, got {t.shape}, {p.shape}, {people.shape}."
        )
    if not (np.isfinite(t).all() and np.isfinite(p).all()):
        raise ValueError("Expected finite labels and predictions, got NaN or infinity.")
    error = np.abs(p - t)
    relative = np.divide(error, np.abs(t), out=np.full_like(t, np.nan), where=t != 0)
    columns = {"n": np.ones_like(t), "t": t, "p": p, "tt": t * t, "pp": p * p, "tp": t * p}
    columns |= {"absolute": error, "square": error**2, "relative": relative}
    members, names = pd.factorize(people, sort=True)
    sums = {name: np.bincount(members, weights=values, minlength=len(names)) for name, values in columns.items()}
    return pd.DataFrame(sums, index=pd.Index(names))


def score_sums(sums: pd.DataFrame) -> dict[str, float]:
    """All of `MEASURES` from the sums of participants; NaN where one is not defined.

    Correlations are not defined where labels or predictions are constant (`ccc` and `icc`: where labels are), MAPE where a
    label is 0.
    """
    values = _measure(sums.to_numpy(dtype=np.float64), np.ones((1, len(sums))))
    return dict(zip(MEASURES, values[0].tolist(), strict=True))


def score(truth: npt.ArrayLike, prediction: npt.ArrayLike, participants: npt.ArrayLike) -> dict[str, float]:
    """All of `MEASURES` of predictions.

    Parameters
    ----------
    truth, prediction, participants
        As in `sum_by_participant`.

    References
    ----------
    .. [1] Lin, L. I. (1989). Biometrics 45, 255-268 (CCC). https://doi.org/10.2307/2532051
    .. [2] McGraw, K. O. & Wong, S. P. (1996). Psychological Methods 1, 30-46 (ICC).
       https://doi.org/10.1037/1082-989X.1.1.30

    Examples
    --------
    >>> scores = score([1.0, 2.0, 3.0], [1.0, 2.0, 4.0], ["a", "a", "b"])
    >>> round(scores["mse"], 3), scores["macro_mae"]
    (0.333, 0.5)
    """
    return score_sums(sum_by_participant(truth, prediction, participants))


def score_participants(truth: npt.ArrayLike, prediction: npt.ArrayLike, participants: npt.ArrayLike) -> pd.DataFrame:
    """The pooled measures within each participant: one row each, index participant, ``n_windows`` and `POOLED`."""
    sums = sum_by_participant(truth, prediction, participants)
    values = _measure(sums.to_numpy(dtype=np.float64), np.eye(len(sums)))[:, : len(POOLED)]
    table = pd.DataFrame(values, index=sums.index, columns=list(POOLED))
    table.insert(0, "n_windows", sums["n"].astype(np.int32))
    return table


@dataclass(frozen=True, slots=True)
class Interval:
    """A measure over repeats.

    Attributes
    ----------
    estimate
        Mean over repeats.
    sd
        Sample standard deviation over repeats; NaN with one.
    ci_low, ci_high
        Percentile interval of the estimate over resampled participants.
    """

    estimate: float
    sd: float
    ci_low: float
    ci_high: float


def bootstrap(
    repeats: list[pd.DataFrame],
    *,
    against: list[pd.DataFrame] | None = None,
    n_resamples: int = 2000,
    confidence_level: float = 0.95,
    seed: int = 0,
) -> dict[str, Interval]:
    """Spread over repeats and uncertainty over participants of every measure.

    Parameters
    ----------
    repeats
        From `sum_by_participant`, one a repeat, of the same participants.
    against
        Of another model on the same windows: the measures are then differences, `repeats` minus `against`, with the same
        participants drawn for both.
    n_resamples
        Times that as many participants are drawn, with replacement. A draw stands for all repeats alike.
    confidence_level
        Of the interval.
    seed
        Of the draws.

    Returns
    -------
    dict
        Measure -> `Interval`. With a single participant the ends are NaN; draws in which a measure is not defined are left
        out.

    Raises
    ------
    ValueError
        If repeats hold different participants.
    """
    people = repeats[0].index
    if any(not table.index.equals(people) for table in [*repeats, *(against or [])]):
        raise ValueError("Expected the same participants in all repeats and models.")
    rng = np.random.default_rng(seed)
    draws = rng.multinomial(len(people), np.full(len(people), 1 / len(people)), size=n_resamples)
    weights = np.concatenate([np.ones((1, len(people))), draws])
    values = _stack(repeats, weights)
    if against is not None:
        values = values - _stack(against, weights)
    alpha = (1 - confidence_level) / 2
    found = {}
    for column, name in enumerate(MEASURES):
        own = values[:, 0, column]
        drawn = values[:, 1:, column].mean(axis=0)
        drawn = drawn[np.isfinite(drawn)]
        low, high = np.quantile(drawn, [alpha, 1 - alpha]) if len(drawn) and len(people) > 1 else (np.nan, np.nan)
        sd = float(own.std(ddof=1)) if len(own) > 1 else float("nan")
        found[name] = Interval(float(own.mean()), sd, float(low), float(high))
    return found


def batch_mean_scores(
    truth: FloatArray, prediction: FloatArray, *, batch_size: int = 64, huber_delta: float = 1.0
) -> dict[str, float]:
    """Means over batches of the errors within each, as the published code reports them.

    Parameters
    ----------
    truth, prediction
        Shape (n,), in the order of the windows, not shuffled.
    batch_size
        Windows of a batch; the last one may be smaller and counts alike.
    huber_delta
        Of the loss.

    Returns
    -------
    dict
        ``huber``, ``mae``, ``mse``, ``rmse``, ``mape``. The mean of the batches' roots is never above the root of the mean
        square, so this RMSE looks better than it is wherever batches differ.
    """
    error = np.abs(prediction - truth)
    bounded = np.minimum(error, huber_delta)
    by_window: Mapping[str, FloatArray] = {
        "huber": bounded * (error - 0.5 * bounded),
        "mae": error,
        "mse": error**2,
        "mape": np.divide(error, np.abs(truth), out=np.full_like(error, np.nan), where=truth != 0),
    }
    starts = np.arange(0, len(truth), batch_size)
    sizes = np.diff(np.append(starts, len(truth)))
    batches = {name: np.add.reduceat(values, starts) / sizes for name, values in by_window.items()}
    batches["rmse"] = np.sqrt(batches["mse"])
    return {name: float(values.mean()) for name, values in batches.items()}


def _stack(repeats: list[pd.DataFrame], weights: FloatArray) -> FloatArray:
    return np.stack([_measure(table.to_numpy(dtype=np.float64), weights) for table in repeats])


def _measure(sums: FloatArray, weights: FloatArray) -> FloatArray:
    """`MEASURES` for each row of weights of the participants: (draws, measures)."""
    total = weights @ sums
    n, t, p, tt, pp, tp, absolute, square, relative = total.T
    within = sums[:, 6:] / sums[:, :1]
    macro = np.column_stack([within[:, 0], within[:, 1], np.sqrt(within[:, 1]), within[:, 2]])
    with np.errstate(invalid="ignore", divide="ignore"):
        mse = square / n
        pooled = [absolute / n, mse, np.sqrt(mse), relative / n, *_agreement(n, t / n, p / n, tt / n, pp / n, tp / n)]
        macro_means = weights @ macro / weights.sum(axis=1, keepdims=True)
    return np.column_stack([*pooled, macro_means])


def _agreement(
    n: FloatArray, t: FloatArray, p: FloatArray, tt: FloatArray, pp: FloatArray, tp: FloatArray
) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Pearson, CCC and ICC(2,1) from means; NaN where they are not defined."""
    var_t, var_p, cov = tt - t**2, pp - p**2, tp - t * p
    labels_vary, both_vary = var_t > _TINY * tt, (var_t > _TINY * tt) & (var_p > _TINY * pp)
    shift = (t - p) ** 2
    pearson = np.where(both_vary, cov / np.sqrt(np.maximum(var_t * var_p, _TINY**2)), np.nan)
    ccc = np.where(labels_vary, 2 * cov / (var_t + var_p + shift), np.nan)
    # two "judges": mean squares of windows (R), of judges (C) and of error (E)
    windows = n / (n - 1) * (var_t + var_p + 2 * cov) / 2
    error = n / (n - 1) * (var_t + var_p - 2 * cov) / 2
    judges = n * shift / 2
    icc = (windows - error) / (windows + error + 2 * (judges - error) / n)
    return pearson, ccc, np.where(labels_vary & (n > 1), icc, np.nan)
