"""Performance and predictions of the seven as tables."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from sklearn.metrics import f1_score

from features.vector_58 import FEATURE_NAMES
from tasks.classification import PERFORMANCE_COLUMNS, PREDICTION_COLUMNS, classify_participants
from tasks.errors import InvalidInputError, TooFewParticipantsError
from tasks.settings import ClassifySettings
from tasks.tables import read_table, write_table

FAST = ClassifySettings(classifiers=("lda", "xgboost"), permutations=0, bootstrap_samples=100)
QUICK = ClassifySettings(classifiers=("lda",), ablation=False, permutations=0, bootstrap_samples=100)


def make_features(n_per_group: int = 8, *, shift: float = 2.0, sessions: int = 1) -> pd.DataFrame:
    rng = np.random.default_rng(0)
    n = 2 * n_per_group * sessions
    people = np.repeat(np.arange(2 * n_per_group), sessions)
    table = pd.DataFrame(rng.normal(size=(n, len(FEATURE_NAMES))), columns=list(FEATURE_NAMES))
    table["participant_id"] = [f"{person:03d}" for person in people]
    table["session"] = np.tile(np.arange(sessions), 2 * n_per_group).astype(str)
    table["task"] = "clips"
    table["group"] = np.where(people < n_per_group, "TD", "ASD")
    table[["included", "exclusion_reason"]] = True, ""
    table.loc[table["group"] == "ASD", list(FEATURE_NAMES[:6])] += shift
    return table


@pytest.fixture(scope="module")
def tables() -> tuple[pd.DataFrame, pd.DataFrame]:
    return classify_participants(make_features(shift=0.8), FAST, n_jobs=1)


def test_tables_of_the_contract(tables: tuple[pd.DataFrame, pd.DataFrame]) -> None:
    performance, predictions = tables
    assert performance.columns.tolist() == [column.name for column in PERFORMANCE_COLUMNS]
    assert predictions.columns.tolist() == [column.name for column in PREDICTION_COLUMNS]
    assert performance["feature_set"].unique().tolist() == ["all", "AU", "AU+arousal", "AU+arousal+valence"]
    assert performance["n_features"].unique().tolist() == [58, 36, 39, 42]
    assert len(performance) == 4 * 2
    assert len(predictions) == 4 * 2 * 16
    assert performance["p_permutation"].isna().all()
    assert (performance[["n", "n_positive", "n_negative"]] == [16, 8, 8]).all(axis=None)


def test_performance_is_that_of_the_predictions(tables: tuple[pd.DataFrame, pd.DataFrame]) -> None:
    performance, predictions = tables
    for _, row in performance.iterrows():
        chosen = predictions[
            (predictions["feature_set"] == row["feature_set"]) & (predictions["classifier"] == row["classifier"])
        ]
        assert row["f1"] == pytest.approx(f1_score(chosen["truth"], chosen["prediction"], pos_label="ASD"))
        assert row["sensitivity"] == (chosen["prediction"] == "ASD")[chosen["truth"] == "ASD"].mean()
        assert row["tp"] + row["fn"] == 8
        assert row["f1_low"] <= row["f1"] <= row["f1_high"]


def test_sessions_count_once_a_participant() -> None:
    performance, predictions = classify_participants(make_features(4, sessions=3), QUICK, n_jobs=1)
    assert (performance["n"] == 8).all()
    assert len(predictions) == 8


def test_excluded_sessions_and_other_groups_are_left_out() -> None:
    features = make_features()
    features.loc[0, ["included", "exclusion_reason"]] = False, "no frame is valid"
    features.loc[0, list(FEATURE_NAMES)] = np.nan
    features.loc[1, "group"] = "OCD"
    performance, predictions = classify_participants(features, QUICK, n_jobs=1)
    assert (performance["n_negative"] == 6).all()
    assert performance["feature_set"].tolist() == ["all"]
    assert not predictions["participant_id"].isin(["000", "001"]).any()


def test_permutations_and_progress() -> None:
    calls: list[tuple[str, int, int]] = []
    settings = ClassifySettings(classifiers=("lda", "logistic"), permutations=9, bootstrap_samples=100)
    performance, _ = classify_participants(
        make_features(5, shift=4), settings, n_jobs=1, progress=lambda *call: calls.append(call)
    )
    full = performance["feature_set"] == "all"
    assert performance.loc[full, "p_permutation"].tolist() == pytest.approx([0.1, 0.1])  # (1 + 0) / (1 + 9)
    assert performance.loc[full, "p_smallest"].tolist() == pytest.approx([0.1, 0.1])
    assert performance["n_permutations"].tolist() == [9, 9, 0, 0, 0, 0, 0, 0]
    assert performance.loc[~full, "p_permutation"].isna().all()
    assert [call for call in calls if call[0] == "classify"] == [("classify", done, 8) for done in range(1, 9)]
    assert [call for call in calls if call[0] == "permutations"][-1] == ("permutations", 18, 18)


def test_positive_group_is_a_setting() -> None:
    features = make_features().replace({"group": {"ASD": "patients", "TD": "controls"}})
    performance, predictions = classify_participants(
        features, QUICK, positive_group="patients", comparison_group="controls", n_jobs=1
    )
    scores = predictions.groupby("truth")["score"].mean()
    assert scores["patients"] > scores["controls"]
    assert (performance["n_positive"] == 8).all()


def test_all_seven_with_a_handful() -> None:
    settings = ClassifySettings(ablation=False, permutations=0, bootstrap_samples=100, min_participants_per_group=2)
    performance, predictions = classify_participants(make_features(3), settings, n_jobs=1)
    assert len(performance) == 7
    assert np.isfinite(predictions["score"]).all()


@pytest.mark.parametrize(("n", "classifiers"), [(2, ("lda",)), (2, ("qda",))])
def test_too_few_participants(n: int, classifiers: tuple[str, ...]) -> None:
    features = make_features(4)
    features.loc[n:3, ["included", "exclusion_reason"]] = False, "no frame is valid"
    minimum = 2 if classifiers == ("qda",) else 3
    settings = ClassifySettings(classifiers=classifiers, min_participants_per_group=minimum, permutations=0)  # type: ignore[arg-type]
    with pytest.raises(
        TooFewParticipantsError, match=r"3 participants.*got 4 ASD and 2 TD.*sub-002: no frame is valid"
    ):
        classify_participants(features, settings, n_jobs=1)


def test_a_group_that_is_not_there_is_named() -> None:
    with pytest.raises(TooFewParticipantsError, match="got 0 autism and 8 TD. Groups in the table: ASD, TD"):
        classify_participants(make_features(), FAST, positive_group="autism", n_jobs=1)


def test_tables_are_checked() -> None:
    with pytest.raises(InvalidInputError, match="mean_AU12"):
        classify_participants(make_features().drop(columns="mean_AU12"), FAST, n_jobs=1)
    features = make_features(sessions=2)
    features.loc[0, "group"] = "ASD"
    with pytest.raises(InvalidInputError, match="got 000 in two"):
        classify_participants(features, FAST, n_jobs=1)


def test_tables_survive_parquet(tables: tuple[pd.DataFrame, pd.DataFrame], tmp_path: Path) -> None:
    performance, predictions = tables
    for name, table, described in (
        ("performance", performance, PERFORMANCE_COLUMNS),
        ("predictions", predictions, PREDICTION_COLUMNS),
    ):
        path = tmp_path / f"{name}.parquet"
        assert write_table(table, path, described=described) == described
        pd.testing.assert_frame_equal(read_table(path), table, check_dtype=False)
