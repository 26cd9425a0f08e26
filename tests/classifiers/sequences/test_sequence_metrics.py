"""Measures of predicted ratings: against NumPy, SciPy, pingouin and their own definitions."""

from __future__ import annotations

import warnings

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from classifiers.sequences.metrics import (
    MEASURES,
    batch_mean_scores,
    bootstrap,
    score,
    score_participants,
    sum_by_participant,
)


@pytest.fixture
def predicted() -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    rng = np.random.default_rng(3)
    truth = rng.choice([1.0, 1.2, 1.8, 2.6, 4.0], 300)
    return truth, 0.6 * truth + 0.7 + rng.normal(0, 0.4, 300), np.repeat(list("abcde"), [10, 50, 90, 100, 50])


def test_pooled_measures_agree_with_their_definitions(predicted: tuple) -> None:
    truth, prediction, people = predicted
    found = score(truth, prediction, people)
    error = prediction - truth
    covariance = np.cov(truth, prediction, ddof=0)
    assert found["mae"] == pytest.approx(np.abs(error).mean())
    assert found["rmse"] == pytest.approx(np.sqrt((error**2).mean()))
    assert found["rmse"] == pytest.approx(np.sqrt(found["mse"]))
    assert found["mape"] == pytest.approx((np.abs(error) / truth).mean())
    assert found["pearson"] == pytest.approx(stats.pearsonr(truth, prediction).statistic)
    lin = 2 * covariance[0, 1] / (np.trace(covariance) + (truth.mean() - prediction.mean()) ** 2)
    assert found["ccc"] == pytest.approx(lin)


def test_icc_agrees_with_pingouin(predicted: tuple) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        pingouin = pytest.importorskip("pingouin")
        truth, prediction, people = predicted
        long = pd.DataFrame(
            {"window": np.tile(range(300), 2), "judge": np.repeat(["t", "p"], 300), "value": np.r_[truth, prediction]}
        )
        table = pingouin.intraclass_corr(long, targets="window", raters="judge", ratings="value")
    assert score(truth, prediction, people)["icc"] == pytest.approx(table["ICC"].iloc[1], abs=1e-6)


def test_macro_measures_count_participants_alike(predicted: tuple) -> None:
    truth, prediction, people = predicted
    own = [score(truth[people == name], prediction[people == name], people[people == name]) for name in "abcde"]
    found = score(truth, prediction, people)
    for name in ("mae", "mse", "rmse", "mape"):
        assert found[f"macro_{name}"] == pytest.approx(np.mean([item[name] for item in own]))
    table = score_participants(truth, prediction, people)
    assert table.loc["b", "pearson"] == pytest.approx(own[1]["pearson"])
    assert table["n_windows"].tolist() == [10, 50, 90, 100, 50]


def test_constant_labels_have_no_correlation_and_zero_no_mape() -> None:
    found = score([2.0, 2.0, 2.0], [1.0, 2.0, 3.0], ["a", "a", "b"])
    assert np.isnan([found["pearson"], found["ccc"], found["icc"]]).all()
    assert found["mae"] == pytest.approx(2 / 3)
    assert np.isnan(score([0.0, 1.0], [1.0, 1.0], ["a", "b"])["mape"])
    constant = score([1.0, 2.0, 3.0], [2.0, 2.0, 2.0], ["a", "a", "b"])
    assert np.isnan(constant["pearson"])
    assert constant["ccc"] == pytest.approx(0)


def test_batch_means_flatter_the_root() -> None:
    """Three windows in batches of two: errors (0, 0) and (2,), so MSE (0 + 4)/2 and RMSE (0 + 2)/2, pooled 4/3."""
    found = batch_mean_scores(np.array([1.0, 1.0, 2.0]), np.array([1.0, 1.0, 4.0]), batch_size=2)
    assert found == {"huber": 0.75, "mae": 1.0, "mse": 2.0, "mape": 0.5, "rmse": 1.0}
    assert found["rmse"] < np.sqrt(found["mse"])


def test_bootstrap_agrees_with_drawing_the_windows(predicted: tuple) -> None:
    """Weighing the participants' sums is the same as drawing their windows."""
    truth, prediction, people = predicted
    found = bootstrap([sum_by_participant(truth, prediction, people)], n_resamples=200, seed=1)
    draws = np.random.default_rng(1).multinomial(5, np.full(5, 0.2), size=200)
    copies = [
        np.concatenate([np.flatnonzero(people == n) for n, k in zip("abcde", d, strict=True) for _ in range(k)])
        for d in draws
    ]
    values = [score(truth[rows], prediction[rows], people[rows])["pearson"] for rows in copies]
    assert (found["pearson"].ci_low, found["pearson"].ci_high) == pytest.approx(np.quantile(values, [0.025, 0.975]))
    assert set(found) == set(MEASURES)
    assert np.isnan(found["mae"].sd)


def test_repeats_give_spread_and_pairs_a_difference(predicted: tuple) -> None:
    truth, prediction, people = predicted
    first, second = sum_by_participant(truth, prediction, people), sum_by_participant(truth, truth, people)
    found = bootstrap([first, second], n_resamples=50)["mae"]
    mae = np.abs(prediction - truth).mean()
    assert found.estimate == pytest.approx(mae / 2)
    assert found.sd == pytest.approx(mae / np.sqrt(2))
    same = bootstrap([first], against=[first], n_resamples=50)["mse"]
    assert (same.estimate, same.ci_low, same.ci_high) == (0, 0, 0)


def test_one_participant_has_no_interval() -> None:
    found = bootstrap([sum_by_participant([1.0, 2.0], [1.0, 1.5], ["a", "a"])], n_resamples=10)["mae"]
    assert np.isnan([found.ci_low, found.ci_high]).all()


def test_bad_predictions_are_refused() -> None:
    with pytest.raises(ValueError, match="one label"):
        score([1.0], [1.0, 2.0], ["a"])
    with pytest.raises(ValueError, match="finite"):
        score([1.0], [np.nan], ["a"])
