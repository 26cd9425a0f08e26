"""Scores from sums over faces, so that thousands of resamples cost one matrix product.

Every measure of `features.attributes.metrics` is a function of sums over faces: of hits and errors of an action unit, of the
cells of a confusion matrix, of first and second moments. A bootstrap resample changes the sums, not the faces.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from features.attributes.labels import UNKNOWN_EXPRESSION, AttributeLabels
from features.attributes.metrics import require_same_shape
from features.attributes.network import OutputLayout

FloatArray = npt.NDArray[np.float64]

_PRESENT = 0.5
_OUTCOMES = 4  # hits, false alarms, misses, rejections
_MOMENTS = 6  # n, x, y, xx, yy, xy
_ROUNDING = 1e-14  # by which the variance of a constant between -1 and 1 may differ from 0


@dataclass(frozen=True, slots=True)
class Tallies:
    """Contribution of each face to the sums.

    Attributes
    ----------
    columns
        Shape (n, c), float64: for each action unit hits, false alarms, misses and rejections; the k x k cells of the confusion
        matrix, labelled by predicted; for valence, then arousal, number, label, prediction, their squares and product.
    layout
        Sizes of the tasks.
    """

    columns: FloatArray
    layout: OutputLayout


def tally(labels: AttributeLabels, frames: npt.NDArray[np.floating], layout: OutputLayout) -> Tallies:
    """What each face adds to the sums; an unknown label adds nothing.

    Parameters
    ----------
    labels
        Of n faces.
    frames
        Shape (n, n_aus + n_expressions + 2), in frame order: action units, expressions, arousal, valence.
    layout
        Sizes of the tasks.

    Raises
    ------
    ValueError
        If the shapes disagree.
    """
    require_same_shape(labels, frames, layout)
    n, k = len(labels), layout.n_expressions
    known, truth = ~np.isnan(labels.aus), labels.aus >= _PRESENT
    predicted = frames[:, : layout.n_aus] > _PRESENT
    cases = (truth & predicted, ~truth & predicted, truth & ~predicted, ~truth & ~predicted)
    outcomes = np.stack([known & case for case in cases], axis=2).reshape(n, -1)
    confusion = np.zeros((n, k * k))
    rows = np.flatnonzero(labels.expression != UNKNOWN_EXPRESSION)
    chosen = frames[rows, layout.n_aus : layout.n_aus + k].argmax(axis=1)
    confusion[rows, labels.expression[rows] * k + chosen] = 1
    moments = [_moments(labels.valence, frames[:, -1]), _moments(labels.arousal, frames[:, -2])]
    return Tallies(np.concatenate([outcomes.astype(np.float64), confusion, *moments], axis=1), layout)


def score_sums(sums: FloatArray, layout: OutputLayout, aus: Sequence[str]) -> dict[str, FloatArray]:
    """Every measure, from sums of `Tallies.columns`.

    Parameters
    ----------
    sums
        Shape (..., c): one row a resample.
    layout
        Sizes of the tasks.
    aus
        Names of the action units.

    Returns
    -------
    dict
        Name of the measure -> shape (...). NaN where it is not defined, as in `features.attributes.metrics`; means over action
        units are of those in which it is.
    """
    a, k = layout.n_aus * _OUTCOMES, layout.n_expressions
    scores = _score_aus(sums[..., :a].reshape(*sums.shape[:-1], layout.n_aus, _OUTCOMES), aus)
    scores |= _score_expression(sums[..., a : a + k * k].reshape(*sums.shape[:-1], k, k))
    moments = sums[..., a + k * k :]
    for number, name in enumerate(("valence", "arousal")):
        scores |= _score_moments(moments[..., number * _MOMENTS : (number + 1) * _MOMENTS], name)
    return scores


def confusion_of(sums: FloatArray, layout: OutputLayout) -> npt.NDArray[np.int64]:
    """Confusion matrix (k, k), labelled by predicted, from the sums over all faces."""
    a, k = layout.n_aus * _OUTCOMES, layout.n_expressions
    return sums[a : a + k * k].reshape(k, k).round().astype(np.int64)


def _moments(labels: npt.NDArray[np.floating], predictions: npt.NDArray[np.floating]) -> FloatArray:
    known = ~np.isnan(labels)
    x, y = np.where(known, labels, 0).astype(np.float64), np.where(known, predictions, 0).astype(np.float64)
    return np.stack([known.astype(np.float64), x, y, x * x, y * y, x * y], axis=1)


def _divide(a: FloatArray, b: FloatArray) -> FloatArray:
    out: FloatArray = np.full(np.broadcast_shapes(a.shape, b.shape), np.nan)
    np.divide(a, b, out=out, where=b > 0)
    return out


def _score_aus(outcomes: FloatArray, aus: Sequence[str]) -> dict[str, FloatArray]:
    hits, alarms, misses, rejections = np.moveaxis(outcomes, -1, 0)
    n = hits + alarms + misses + rejections
    f1 = _divide(2 * hits, 2 * hits + alarms + misses)
    accuracy = _divide(hits + rejections, n)
    both = (f1 + accuracy) / 2
    scores = {"au_f1_accuracy": _mean_defined(both), "au_mean_f1": _mean_defined(f1)}
    for i, name in enumerate(aus):
        scores[f"{name}_f1"], scores[f"{name}_accuracy"] = f1[..., i], accuracy[..., i]
        scores[f"{name}_f1_accuracy"] = both[..., i]
    return scores


def _score_expression(confusion: FloatArray) -> dict[str, FloatArray]:
    hits = np.diagonal(confusion, axis1=-2, axis2=-1)
    labelled, predicted = confusion.sum(axis=-1), confusion.sum(axis=-2)
    f1 = _divide(2 * hits, labelled + predicted)
    n = labelled.sum(axis=-1)
    return {
        "expression_macro_f1": _mean_defined(f1),
        "expression_weighted_f1": _divide((np.nan_to_num(f1) * labelled).sum(axis=-1), n),
        "expression_accuracy": _divide(hits.sum(axis=-1), n),
    }


def _score_moments(moments: FloatArray, name: str) -> dict[str, FloatArray]:
    n, x, y, xx, yy, xy = np.moveaxis(moments, -1, 0)
    mean_x, mean_y = _divide(x, n), _divide(y, n)
    var_x, var_y = (_divide(xx, n) - mean_x**2).clip(min=0), (_divide(yy, n) - mean_y**2).clip(min=0)
    var_x, var_y = (np.where(var > _ROUNDING, var, 0.0) for var in (var_x, var_y))
    covariance = _divide(xy, n) - mean_x * mean_y
    return {
        f"{name}_pearson": _divide(covariance, np.sqrt(var_x * var_y)),
        f"{name}_ccc": _divide(2 * covariance, var_x + var_y + (mean_x - mean_y) ** 2),
        f"{name}_rmse": np.sqrt(_divide(xx - 2 * xy + yy, n).clip(min=0)),
    }


def _mean_defined(values: FloatArray) -> FloatArray:
    defined = ~np.isnan(values)
    return _divide(np.where(defined, values, 0.0).sum(axis=-1), defined.sum(axis=-1).astype(np.float64))
