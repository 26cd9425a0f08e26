"""Scores: against scikit-learn and against derivation."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.metrics import accuracy_score, confusion_matrix, f1_score

from features.attributes.labels import AttributeLabels
from features.attributes.metrics import (
    concordance,
    score_attributes,
    score_au,
    score_dimension,
    score_expression,
)
from features.attributes.network import OutputLayout


def test_au_score_agrees_with_scikit_learn() -> None:
    rng = np.random.default_rng(1)
    labels = rng.integers(0, 2, 300).astype(float)
    probabilities = np.clip(labels * 0.4 + rng.uniform(0, 0.6, 300), 0, 1)
    labels[::7] = np.nan
    known = ~np.isnan(labels)
    truth, predicted = labels[known] == 1, probabilities[known] > 0.5
    score = score_au(labels, probabilities)
    assert score.f1 == pytest.approx(f1_score(truth, predicted))
    assert score.accuracy == pytest.approx(accuracy_score(truth, predicted))
    assert score.prevalence == pytest.approx(truth.mean())
    assert score.n == known.sum()


def test_thresholds_of_labels_and_probabilities() -> None:
    """An intensity of exactly 0.5 is present; a probability of exactly 0.5 is not."""
    assert score_au([0.5, 0.49], [0.51, 0.5]).f1 == 1
    assert score_au([0.5, 0.5], [0.5, 0.51]).f1 == pytest.approx(2 / 3)


def test_au_scores_that_are_undefined() -> None:
    absent = score_au([0, 0, np.nan], [0.1, 0.2, 0.9])
    assert np.isnan(absent.f1)
    assert absent.accuracy == 1
    unknown = score_au([np.nan], [0.3])
    assert unknown.n == 0
    assert np.isnan(unknown.accuracy)


def test_expression_score_agrees_with_scikit_learn() -> None:
    rng = np.random.default_rng(2)
    labels = rng.integers(0, 8, 400)
    probabilities = rng.dirichlet(np.ones(8), 400)
    probabilities[np.arange(200), labels[:200]] += 1
    score = score_expression(np.append(labels, -1), np.vstack([probabilities, np.ones(8)]))
    predicted = probabilities.argmax(axis=1)
    assert score.macro_f1 == pytest.approx(f1_score(labels, predicted, average="macro"))
    assert score.weighted_f1 == pytest.approx(f1_score(labels, predicted, average="weighted"))
    assert score.accuracy == pytest.approx(accuracy_score(labels, predicted))
    np.testing.assert_array_equal(score.confusion, confusion_matrix(labels, predicted, labels=range(8)))


def test_macro_f1_is_over_classes_seen() -> None:
    """As scikit-learn: a class neither labelled nor predicted does not count."""
    score = score_expression([0, 0, 1], np.eye(8)[[0, 1, 1]])
    assert score.macro_f1 == pytest.approx(f1_score([0, 0, 1], [0, 1, 1], average="macro"))


def test_expression_without_labels_is_undefined() -> None:
    score = score_expression([-1], np.ones((1, 8)))
    assert np.isnan([score.macro_f1, score.weighted_f1, score.accuracy]).all()
    assert score.confusion.sum() == 0


def test_concordance_by_derivation() -> None:
    """x and x + c have cov = var, so CCC = 2 var / (2 var + c^2); x and k x: 2 k var / ((1 + k^2) var + (1 - k)^2 mean^2)."""
    x = np.array([1.0, 2.0, 3.0, 6.0])
    variance, mean = x.var(), x.mean()
    assert concordance(x, x) == 1
    assert concordance(x, -x + 2 * mean) == pytest.approx(-1)
    assert concordance(x, x + 2) == pytest.approx(2 * variance / (2 * variance + 4))
    assert concordance(x, 3 * x) == pytest.approx(6 * variance / (10 * variance + 4 * mean**2))


def test_concordance_of_constants() -> None:
    assert concordance([1, 2, 3], [2, 2, 2]) == 0
    assert np.isnan(concordance([2, 2], [2, 2]))


def test_dimension_score() -> None:
    rng = np.random.default_rng(3)
    x = rng.normal(size=100).clip(-1, 1)
    y = 0.5 * x + rng.normal(0, 0.1, 100)
    score = score_dimension(np.append(x, np.nan), np.append(y, 5.0))
    assert score.n == 100
    assert score.pearson == pytest.approx(np.corrcoef(x, y)[0, 1])
    assert score.rmse == pytest.approx(np.sqrt(np.mean((x - y) ** 2)))
    assert score.ccc == pytest.approx(concordance(x, y))
    assert score.ccc < score.pearson
    constant = score_dimension([0.1, 0.2], [0.5, 0.5])
    assert np.isnan(constant.pearson)
    assert constant.ccc == 0
    assert np.isnan(score_dimension([np.nan], [0.1]).ccc)


def make_labels(n: int, n_aus: int) -> AttributeLabels:
    rng = np.random.default_rng(4)
    return AttributeLabels(
        rng.integers(0, 3, n),
        rng.uniform(-1, 1, n).astype(np.float32),
        rng.uniform(-1, 1, n).astype(np.float32),
        rng.integers(0, 2, (n, n_aus)).astype(np.float32),
    )


def test_perfect_frames_score_perfectly() -> None:
    """Frame order: action units, expressions, arousal, valence."""
    labels = make_labels(40, 2)
    frames = np.column_stack([labels.aus, np.eye(3)[labels.expression], labels.arousal, labels.valence])
    scores = score_attributes(labels, frames.astype(np.float32), OutputLayout(n_expressions=3, n_aus=2))
    assert scores.mean_au_f1 == 1
    assert scores.au_measure == 1
    assert scores.summary() == {
        "au_mean_f1": 1.0,
        "au_lowest_f1": 1.0,
        "au_f1_accuracy": 1.0,
        "expression_macro_f1": 1.0,
        "expression_accuracy": 1.0,
        "valence_ccc": pytest.approx(1),
        "arousal_ccc": pytest.approx(1),
    }


def test_au_measure_is_the_mean_of_f1_and_accuracy() -> None:
    labels = make_labels(50, 3)
    frames = np.random.default_rng(5).uniform(0, 1, (50, 8)).astype(np.float32)
    scores = score_attributes(labels, frames, OutputLayout(n_expressions=3, n_aus=3))
    parts = [
        (f1_score(labels.aus[:, i], frames[:, i] > 0.5) + accuracy_score(labels.aus[:, i], frames[:, i] > 0.5)) / 2
        for i in range(3)
    ]
    assert scores.au_measure == pytest.approx(np.mean(parts))


def test_shapes_are_checked() -> None:
    with pytest.raises(ValueError, match=r"shape \(4, 7\) and labels of 2 action units, got \(4, 6\) and 2"):
        score_attributes(make_labels(4, 2), np.zeros((4, 6), np.float32), OutputLayout(n_expressions=3, n_aus=2))
