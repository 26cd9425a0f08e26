"""Scores from sums: equal to the scores of the faces themselves, also in every bootstrap resample."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats as scipy_stats
from sklearn.metrics import f1_score

from features.attributes.label_checks import count_au_classes, count_classes
from features.attributes.labels import AttributeLabels
from features.attributes.metrics import score_attributes
from features.attributes.network import OutputLayout
from features.attributes.tallies import confusion_of, score_sums, tally
from stats.resampling import resample_sums

LAYOUT = OutputLayout(n_expressions=4, n_aus=3)
AUS = ("AU01", "AU04", "AU12")


def make_faces(n: int = 60, seed: int = 0) -> tuple[AttributeLabels, np.ndarray]:
    """Labels, a fifth of them unknown, and predictions that know something of them."""
    rng = np.random.default_rng(seed)
    expression = rng.integers(0, 3, n)  # class 3 is never labelled
    valence, arousal = rng.uniform(-1, 1, (2, n)).astype(np.float32)
    aus = (rng.random((n, 3)) < [0.5, 0.2, 0.05]).astype(np.float32)
    frames = np.concatenate(
        [
            np.clip(aus * 0.4 + rng.random((n, 3)) * 0.6, 0, 1),
            np.eye(4)[expression] + rng.random((n, 4)) * 1.5,
            (arousal + rng.normal(0, 0.5, n))[:, None],
            (valence + rng.normal(0, 0.3, n))[:, None],
        ],
        axis=1,
    ).astype(np.float32)
    hidden = rng.random((6, n)) < 0.2
    expression[hidden[0]] = -1
    valence[hidden[1]], arousal[hidden[2]] = np.nan, np.nan
    aus[hidden[3:].T] = np.nan
    return AttributeLabels(expression, valence, arousal, aus), frames


def expected_scores(labels: AttributeLabels, frames: np.ndarray) -> dict[str, float]:
    """From the faces one by one, by the functions of `features.attributes.metrics`."""
    scores = score_attributes(labels, frames, LAYOUT)
    out = {
        "au_f1_accuracy": scores.au_measure,
        "au_mean_f1": scores.mean_au_f1,
        "expression_macro_f1": scores.expression.macro_f1,
        "expression_weighted_f1": scores.expression.weighted_f1,
        "expression_accuracy": scores.expression.accuracy,
    }
    for name, score in zip(AUS, scores.aus, strict=True):
        out |= {f"{name}_f1": score.f1, f"{name}_accuracy": score.accuracy}
        out[f"{name}_f1_accuracy"] = (score.f1 + score.accuracy) / 2
    for name, dimension in (("valence", scores.valence), ("arousal", scores.arousal)):
        out |= {f"{name}_pearson": dimension.pearson, f"{name}_ccc": dimension.ccc, f"{name}_rmse": dimension.rmse}
    return out


def test_scores_of_all_faces() -> None:
    labels, frames = make_faces()
    sums = tally(labels, frames, LAYOUT).columns.sum(axis=0)
    got = score_sums(sums, LAYOUT, AUS)
    assert {name: float(value) for name, value in got.items()} == pytest.approx(
        expected_scores(labels, frames), nan_ok=True
    )
    np.testing.assert_array_equal(
        confusion_of(sums, LAYOUT), score_attributes(labels, frames, LAYOUT).expression.confusion
    )


def test_scores_agree_with_scipy_and_scikit_learn() -> None:
    labels, frames = make_faces()
    got = score_sums(tally(labels, frames, LAYOUT).columns.sum(axis=0), LAYOUT, AUS)
    known = ~np.isnan(labels.arousal)
    assert got["arousal_pearson"] == pytest.approx(
        scipy_stats.pearsonr(labels.arousal[known], frames[known, -2]).statistic, rel=1e-5
    )
    known = labels.expression >= 0
    truth, predicted = labels.expression[known], frames[known, 3:7].argmax(axis=1)
    assert got["expression_macro_f1"] == pytest.approx(f1_score(truth, predicted, average="macro", zero_division=0))
    assert got["expression_weighted_f1"] == pytest.approx(f1_score(truth, predicted, average="weighted"))


@pytest.mark.parametrize("by_person", [False, True])
def test_every_resample_has_the_scores_of_its_faces(by_person: bool) -> None:
    """The same draws, but the faces are repeated and scored one resample after the other."""
    labels, frames = make_faces(50)
    people = np.repeat([f"p{i}" for i in range(10)], 5) if by_person else None
    sums = resample_sums(tally(labels, frames, LAYOUT).columns, n_bootstrap=20, seed=4, clusters=people)
    got = score_sums(sums, LAYOUT, AUS)
    n = 10 if by_person else 50
    draws = np.random.default_rng(4).multinomial(n, np.full(n, 1 / n), size=20)
    for i, times in enumerate(draws):
        rows = np.repeat(np.arange(50), np.repeat(times, 50 // n))
        expected = expected_scores(labels.take(rows), frames[rows])
        assert {name: float(value[i]) for name, value in got.items()} == pytest.approx(
            expected, rel=1e-5, abs=1e-6, nan_ok=True
        )


def test_the_interval_of_a_proportion_is_that_of_the_binomial() -> None:
    """Resampling n faces, the number of right ones is binomial: its quantiles are known (Davison and Hinkley 1997, 2.6.2)."""
    right = np.repeat([1.0, 0.0], [130, 70])[:, None]
    means = resample_sums(right, n_bootstrap=40_000, seed=1)[:, 0] / 200
    exact = scipy_stats.binom(200, 0.65).ppf([0.025, 0.975]) / 200
    np.testing.assert_allclose(np.quantile(means, [0.025, 0.975]), exact, atol=0.005)


def test_blocks_do_not_change_the_resamples(monkeypatch: pytest.MonkeyPatch) -> None:
    columns = np.random.default_rng(0).random((30, 4))
    whole = resample_sums(columns, n_bootstrap=25, seed=2)
    monkeypatch.setattr("stats.resampling._BLOCK_CELLS", 100)
    np.testing.assert_allclose(resample_sums(columns, n_bootstrap=25, seed=2), whole)


def test_unknown_and_constant_labels_have_no_score() -> None:
    n = 8
    unknown = np.full(n, np.nan, dtype=np.float32)
    labels = AttributeLabels(np.full(n, -1), unknown, np.full(n, 0.3, np.float32), np.full((n, 3), np.nan, np.float32))
    frames = np.full((n, 9), 0.3, dtype=np.float32)
    got = score_sums(tally(labels, frames, LAYOUT).columns.sum(axis=0), LAYOUT, AUS)
    defined = {name for name, value in got.items() if not np.isnan(value)}
    assert defined == {"arousal_rmse"}
    assert got["arousal_rmse"] == pytest.approx(0, abs=1e-6)


def test_shapes_are_checked() -> None:
    labels, frames = make_faces(5)
    with pytest.raises(ValueError, match=r"predictions of shape \(5, 9\)"):
        tally(labels, frames[:, :8], LAYOUT)
    with pytest.raises(ValueError, match="a cluster for each of 5 rows, got 4"):
        resample_sums(np.ones((5, 1)), n_bootstrap=2, seed=0, clusters=np.arange(4))
    with pytest.raises(ValueError, match="a row and a resample"):
        resample_sums(np.ones((0, 1)), n_bootstrap=2, seed=0)


def test_classes_are_counted() -> None:
    labels, _ = make_faces()
    assert count_classes(labels)["expression"] == 3
    constant = AttributeLabels(
        np.array([2, 2, -1]),
        np.full(3, 0.5, np.float32),
        np.full(3, np.nan, np.float32),
        np.array([[1, 0, np.nan], [0.7, 1, np.nan], [np.nan, 0, np.nan]], dtype=np.float32),
    )
    assert count_classes(constant) == {"expression": 1, "aus": 2, "valence": 1, "arousal": 0}
    assert count_au_classes(constant) == [1, 2, 0]
