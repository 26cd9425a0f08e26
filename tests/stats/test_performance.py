"""Performance against the published counts, printed intervals, and scikit-learn."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import f1_score as sklearn_f1
from sklearn.metrics import matthews_corrcoef, roc_auc_score

from stats.performance import (
    METRICS,
    area_under_curve,
    count_outcomes,
    evaluate_predictions,
    f1_score,
    matthews_correlation,
)


def make_labels(tp: int, fp: int, tn: int, fn: int) -> tuple[list[str], list[str]]:
    truth = ["ASD"] * (tp + fn) + ["TD"] * (tn + fp)
    prediction = ["ASD"] * tp + ["TD"] * fn + ["TD"] * tn + ["ASD"] * fp
    return truth, prediction


@pytest.mark.parametrize(
    ("tp", "tn", "f1", "sensitivity", "specificity"),
    [
        (34, 24, 0.69, 0.69, 0.62),  # action units
        (35, 26, 0.72, 0.71, 0.67),  # and arousal
        (33, 26, 0.69, 0.67, 0.67),  # and valence
        (37, 27, 0.76, 0.76, 0.69),  # all
    ],
)
def test_published_ablation(tp: int, tn: int, f1: float, sensitivity: float, specificity: float) -> None:
    # Li et al. (2019), figure 3b, 49 ASD and 39 not; printed to two digits
    truth, prediction = make_labels(tp, 39 - tn, tn, 49 - tp)
    result = evaluate_predictions(truth, prediction, np.arange(88.0))
    assert result.f1.value == pytest.approx(f1, abs=0.005)
    assert result.sensitivity.value == pytest.approx(sensitivity, abs=0.005)
    assert result.specificity.value == pytest.approx(specificity, abs=0.005)


def test_best_row_exactly() -> None:
    truth, prediction = make_labels(37, 12, 27, 12)
    result = evaluate_predictions(truth, prediction, np.arange(88.0))
    assert result.f1.value == pytest.approx(74 / 98)
    assert result.accuracy.value == pytest.approx(64 / 88)
    assert (result.counts.n, result.counts.n_positive, result.counts.n_negative) == (88, 49, 39)


@pytest.mark.parametrize(
    ("hits", "n", "low", "high"),
    [(81, 263, 0.2553, 0.3662), (15, 148, 0.0624, 0.1605), (0, 20, 0.0, 0.1611), (1, 29, 0.0061, 0.1718)],
)
def test_wilson_intervals_that_newcombe_prints(hits: int, n: int, low: float, high: float) -> None:
    # Newcombe (1998), Statistics in Medicine 17, 857-872, table I, method 3
    truth, prediction = make_labels(hits, 0, 1, n - hits)
    sensitivity = evaluate_predictions(truth, prediction, np.arange(n + 1.0)).sensitivity
    assert (sensitivity.low, sensitivity.high) == pytest.approx((low, high), abs=5e-5)


@settings(max_examples=50, deadline=None)
@given(st.lists(st.tuples(st.booleans(), st.booleans(), st.integers(0, 4)), min_size=2, max_size=30))
def test_agrees_with_scikit_learn(rows: list[tuple[bool, bool, int]]) -> None:
    truth, prediction, score = (np.array(column) for column in zip(*rows, strict=True))
    counts = count_outcomes(truth.tolist(), prediction.tolist(), positive=True)
    expected = (counts.tp, counts.fp, counts.tn, counts.fn)
    if truth.any() or prediction.any():
        assert f1_score(*expected) == pytest.approx(sklearn_f1(truth, prediction))
    else:
        assert np.isnan(f1_score(*expected))
    if len({*truth.tolist()}) == 2:
        assert area_under_curve(score[truth], score[~truth]) == pytest.approx(roc_auc_score(truth, score))
        assert matthews_correlation(*expected) == pytest.approx(matthews_corrcoef(truth, prediction))


@settings(max_examples=30, deadline=None)
@given(tp=st.integers(0, 12), fn=st.integers(0, 12), tn=st.integers(0, 12), fp=st.integers(0, 12))
def test_intervals_hold_their_estimate_and_stay_in_range(tp: int, fn: int, tn: int, fp: int) -> None:
    if tp + fn + tn + fp == 0:
        return
    truth, prediction = make_labels(tp, fp, tn, fn)
    result = evaluate_predictions(truth, prediction, np.arange(len(truth)), n_bootstrap=200)
    for name in METRICS:
        estimate = getattr(result, name)
        if not np.isnan(estimate.value):
            low = -1 if name == "mcc" else 0
            assert low <= estimate.low <= estimate.value <= estimate.high <= 1


def test_a_perfect_result_has_an_interval() -> None:
    truth, prediction = make_labels(8, 0, 8, 0)
    result = evaluate_predictions(truth, prediction, [1.0] * 8 + [0.0] * 8)
    for name in METRICS:
        estimate = getattr(result, name)
        assert (estimate.value, estimate.high) == (1, 1)
        assert 0.4 < estimate.low < 0.95


def test_a_class_without_participants_is_undefined() -> None:
    result = evaluate_predictions(["TD", "TD"], ["TD", "TD"], [0.0, 1.0])
    assert np.isnan([result.sensitivity.value, result.auc.value, result.auc.low, result.f1.value]).all()
    assert result.specificity.value == 1
    assert result.mcc.value == 0


def test_resampling_is_seeded() -> None:
    truth, prediction = make_labels(7, 3, 6, 4)
    first, second, other = (
        evaluate_predictions(truth, prediction, np.arange(20.0), seed=seed, n_bootstrap=300).f1 for seed in (1, 1, 2)
    )
    assert first == second
    assert (first.low, first.high) != (other.low, other.high)


def test_bootstrap_of_counts_is_that_of_participants() -> None:
    # drawing participants with replacement within each class, written out
    truth, prediction = make_labels(15, 4, 12, 5)
    rng = np.random.default_rng(0)
    positives, negatives = np.repeat([1, 0], [15, 5]), np.repeat([1, 0], [4, 12])
    drawn = [
        2 * (hits := rng.choice(positives, 20).sum()) / (hits + rng.choice(negatives, 16).sum() + 20)
        for _ in range(4000)
    ]
    interval = evaluate_predictions(truth, prediction, np.arange(36.0), n_bootstrap=4000).f1
    # the ends of two runs of 4,000 differ by some 0.01
    assert (interval.low, interval.high) == pytest.approx(tuple(np.quantile(drawn, [0.025, 0.975])), abs=0.025)


def test_positive_class_is_stated_not_inferred() -> None:
    truth, prediction = ["ASD", "ASD", "TD"], ["ASD", "TD", "TD"]
    assert count_outcomes(truth, prediction, positive="TD").tp == 1
    assert evaluate_predictions(truth, prediction, [2, 1, 0]).sensitivity.value == 0.5


def test_arguments_are_checked() -> None:
    with pytest.raises(ValueError, match="each of 2 participants"):
        count_outcomes(["ASD", "TD"], ["ASD"], positive="ASD")
    with pytest.raises(ValueError, match="score"):
        evaluate_predictions(["ASD"], ["ASD"], [1.0, 2.0])
    with pytest.raises(ValueError, match="finite"):
        evaluate_predictions(["ASD"], ["ASD"], [np.nan])
    with pytest.raises(ValueError, match="score of each"):
        evaluate_predictions([], [], [])
