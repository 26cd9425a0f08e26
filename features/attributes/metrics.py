"""How well predicted attributes agree with labels.

References
----------
Lin, L. I. (1989). A concordance correlation coefficient to evaluate reproducibility. https://doi.org/10.2307/2532051
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from features.attributes.labels import UNKNOWN_EXPRESSION, AttributeLabels
from features.attributes.network import OutputLayout

_PRESENT = 0.5


@dataclass(frozen=True, slots=True)
class AuScore:
    """Detection of one action unit over the faces in which it is known.

    Attributes
    ----------
    f1
        2 TP / (2 TP + FP + FN); NaN where the unit is neither present nor predicted.
    accuracy
        Fraction right; NaN where no label is known.
    prevalence
        Fraction of known labels that are positive.
    n
        Known labels.
    """

    f1: float
    accuracy: float
    prevalence: float
    n: int


@dataclass(frozen=True, slots=True)
class ExpressionScore:
    """Classification of the expression over the faces in which it is known.

    Attributes
    ----------
    macro_f1
        Mean F1 of the classes that are labelled or predicted at least once.
    weighted_f1
        Mean F1 weighted by how often a class is labelled.
    accuracy
        Fraction right.
    confusion
        Shape (k, k), int64: rows labelled, columns predicted.
    """

    macro_f1: float
    weighted_f1: float
    accuracy: float
    confusion: npt.NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class DimensionScore:
    """Agreement of valence or arousal: concordance, Pearson correlation, root mean squared error, known labels."""

    ccc: float
    pearson: float
    rmse: float
    n: int


@dataclass(frozen=True, slots=True)
class AttributeScores:
    """Scores of all tasks.

    Attributes
    ----------
    aus
        One a unit, in the order of the labels.
    expression, arousal, valence
        Of the other tasks.
    """

    aus: tuple[AuScore, ...]
    expression: ExpressionScore
    arousal: DimensionScore
    valence: DimensionScore

    @property
    def mean_au_f1(self) -> float:
        """Mean F1 of the action units in which it is defined."""
        return _mean_defined([score.f1 for score in self.aus])

    @property
    def au_measure(self) -> float:
        """Mean over the action units of (F1 + accuracy) / 2, the measure of Li et al. (2019)."""
        return _mean_defined([(score.f1 + score.accuracy) / 2 for score in self.aus])

    def summary(self) -> dict[str, float]:
        """Key figures in one flat dictionary."""
        return {
            "au_mean_f1": self.mean_au_f1,
            "au_lowest_f1": min((score.f1 for score in self.aus), default=float("nan")),
            "au_f1_accuracy": self.au_measure,
            "expression_macro_f1": self.expression.macro_f1,
            "expression_accuracy": self.expression.accuracy,
            "valence_ccc": self.valence.ccc,
            "arousal_ccc": self.arousal.ccc,
        }


def score_au(labels: npt.ArrayLike, probabilities: npt.ArrayLike) -> AuScore:
    """Score one action unit.

    Parameters
    ----------
    labels
        Shape (n,): presence or intensity, positive from 0.5 up; NaN unknown.
    probabilities
        Shape (n,): predicted positive where strictly above 0.5.
    """
    label, probability = np.asarray(labels, dtype=np.float64), np.asarray(probabilities, dtype=np.float64)
    known = ~np.isnan(label)
    truth, predicted = label[known] >= _PRESENT, probability[known] > _PRESENT
    n = int(known.sum())
    if n == 0:
        return AuScore(f1=float("nan"), accuracy=float("nan"), prevalence=float("nan"), n=0)
    hits, errors = int((truth & predicted).sum()), int((truth != predicted).sum())
    f1 = 2 * hits / (2 * hits + errors) if hits + errors else float("nan")
    return AuScore(f1=f1, accuracy=1 - errors / n, prevalence=float(truth.mean()), n=n)


def score_expression(labels: npt.ArrayLike, probabilities: npt.NDArray[np.floating[Any]]) -> ExpressionScore:
    """Score the expression.

    Parameters
    ----------
    labels
        Shape (n,), class indices; -1 unknown.
    probabilities
        Shape (n, k); the largest is the predicted class.
    """
    label = np.asarray(labels, dtype=np.int64)
    k = probabilities.shape[1]
    known = label != UNKNOWN_EXPRESSION
    confusion = np.zeros((k, k), dtype=np.int64)
    np.add.at(confusion, (label[known], probabilities[known].argmax(axis=1)), 1)
    hits, support, predicted = np.diag(confusion), confusion.sum(axis=1), confusion.sum(axis=0)
    seen = support + predicted > 0
    f1 = np.divide(2.0 * hits, support + predicted, out=np.zeros(k), where=seen)
    n = int(support.sum())
    if n == 0:
        return ExpressionScore(float("nan"), float("nan"), float("nan"), confusion)
    return ExpressionScore(
        macro_f1=float(f1[seen].mean()),
        weighted_f1=float((f1 * support).sum() / n),
        accuracy=float(hits.sum() / n),
        confusion=confusion,
    )


def concordance(x: npt.ArrayLike, y: npt.ArrayLike) -> float:
    """Lin's concordance correlation, ``2 cov / (var_x + var_y + (mean_x - mean_y)^2)`` with population moments.

    Parameters
    ----------
    x, y
        Shape (n,), n at least 1, no NaN.

    Returns
    -------
    float
        -1 to 1; NaN where both are constant and equal, for then the ratio is 0 / 0.
    """
    a, b = np.asarray(x, dtype=np.float64), np.asarray(y, dtype=np.float64)
    covariance = float(np.mean((a - a.mean()) * (b - b.mean())))
    denominator = float(a.var() + b.var() + (a.mean() - b.mean()) ** 2)
    return 2 * covariance / denominator if denominator > 0 else float("nan")


def score_dimension(labels: npt.ArrayLike, predictions: npt.ArrayLike) -> DimensionScore:
    """Score valence or arousal over the faces in which it is known (not NaN)."""
    label, prediction = np.asarray(labels, dtype=np.float64), np.asarray(predictions, dtype=np.float64)
    known = ~np.isnan(label)
    x, y = label[known], prediction[known]
    if len(x) == 0:
        return DimensionScore(ccc=float("nan"), pearson=float("nan"), rmse=float("nan"), n=0)
    varies = x.std() > 0 and y.std() > 0
    return DimensionScore(
        ccc=concordance(x, y),
        pearson=float(np.corrcoef(x, y)[0, 1]) if varies else float("nan"),
        rmse=float(np.sqrt(np.mean((x - y) ** 2))),
        n=len(x),
    )


def require_same_shape(labels: AttributeLabels, frames: npt.NDArray[np.floating[Any]], layout: OutputLayout) -> None:
    """Stop where labels and predictions are not of the same faces and tasks.

    Raises
    ------
    ValueError
        If the shapes disagree.
    """
    expected = (len(labels), layout.n_outputs)
    if frames.shape != expected or labels.n_aus != layout.n_aus:
        raise ValueError(
            f"Expected predictions of shape {expected} and labels of {layout.n_aus} action units, "
            f"got {frames.shape} and {labels.n_aus}."
        )


def score_attributes(labels: AttributeLabels, frames: npt.NDArray[np.float32], layout: OutputLayout) -> AttributeScores:
    """Score all tasks.

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
    k = layout.n_aus
    return AttributeScores(
        aus=tuple(score_au(labels.aus[:, i], frames[:, i]) for i in range(k)),
        expression=score_expression(labels.expression, frames[:, k : k + layout.n_expressions]),
        arousal=score_dimension(labels.arousal, frames[:, -2]),
        valence=score_dimension(labels.valence, frames[:, -1]),
    )


def _mean_defined(values: list[float]) -> float:
    defined = [value for value in values if not np.isnan(value)]
    return float(np.mean(defined)) if defined else float("nan")
