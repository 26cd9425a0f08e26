"""Leave-one-participant-out: who is in which fold, what the labels mean, what chance gives."""

from __future__ import annotations

from typing import Any, ClassVar, Self

import numpy as np
import pandas as pd
import pytest
from sklearn.base import BaseEstimator, ClassifierMixin, TransformerMixin
from sklearn.discriminant_analysis import LinearDiscriminantAnalysis
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import LeaveOneGroupOut, cross_val_predict
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from classifiers.tabular import CLASSIFIERS
from classifiers.validation import leave_one_participant_out, permutation_p


class Spy(ClassifierMixin, BaseEstimator):
    """Notes the first feature (a row's number) of what it is fit on and asked for; scores the second feature."""

    fits: ClassVar[list[tuple[list[float], list[int]]]] = []
    asked: ClassVar[list[list[float]]] = []

    def fit(self, X: Any, y: Any) -> Self:
        self.classes_ = np.unique(y)
        Spy.fits.append((X[:, 0].tolist(), y.tolist()))
        return self

    def decision_function(self, X: Any) -> Any:
        Spy.asked.append(X[:, 0].tolist())
        return X[:, 1]


class ProbabilitySpy(Spy):
    """The same with probabilities only."""

    decision_function = property()  # type: ignore[assignment]  # hasattr is false

    def predict_proba(self, X: Any) -> Any:
        return np.column_stack([1 - X[:, 1], X[:, 1]])


class LabelSpy(ClassifierMixin, BaseEstimator):
    """Predicts labels and nothing else."""

    def fit(self, X: Any, y: Any) -> Self:
        del X
        self.classes_ = np.unique(y)
        return self

    def predict(self, X: Any) -> Any:
        return (X[:, 1] > 0).astype(int)


class ScalerSpy(TransformerMixin, BaseEstimator):
    """Notes what it is fit on."""

    seen: ClassVar[list[list[float]]] = []

    def fit(self, X: Any, y: Any = None) -> Self:
        del y
        ScalerSpy.seen.append(X[:, 0].tolist())
        return self

    def transform(self, X: Any) -> Any:
        return X


@pytest.fixture(autouse=True)
def _forget() -> None:
    Spy.fits, Spy.asked, ScalerSpy.seen = [], [], []


def make_sessions(scores: list[float]) -> pd.DataFrame:
    return pd.DataFrame({"row": np.arange(len(scores), dtype=float), "score": scores})


GROUPS = ["TD", "ASD", "ASD", "ASD", "TD", "TD"]
PEOPLE = ["t1", "a1", "a1", "a2", "t2", "t1"]


def test_all_sessions_of_a_participant_leave_together() -> None:
    leave_one_participant_out(Spy(), make_sessions([-1, 3, -1, 1, -2, -3]), GROUPS, PEOPLE)
    assert Spy.asked == [[0, 5], [1, 2], [3], [4]]  # in order of first appearance
    for (trained, _), asked in zip(Spy.fits, Spy.asked, strict=True):
        assert sorted(trained + asked) == [0, 1, 2, 3, 4, 5]
        assert not {PEOPLE[int(row)] for row in trained} & {PEOPLE[int(row)] for row in asked}


def test_scaler_never_sees_who_is_left_out() -> None:
    estimator = make_pipeline(ScalerSpy(), Spy())
    leave_one_participant_out(estimator, make_sessions([-1, 3, -1, 1, -2, -3]), GROUPS, PEOPLE)
    assert ScalerSpy.seen == [trained for trained, _ in Spy.fits]
    assert [5 - len(rows) for rows in ScalerSpy.seen] == [1, 1, 0, 0]


def test_scores_of_sessions_are_averaged() -> None:
    result = leave_one_participant_out(Spy(), make_sessions([-1, 3, -1, 1, -2, 5]), GROUPS, PEOPLE)
    assert result.columns.tolist() == ["participant_id", "truth", "prediction", "score", "n_sessions"]
    assert result["participant_id"].tolist() == ["t1", "a1", "a2", "t2"]
    assert result["score"].tolist() == [2, 1, 1, -2]
    assert result["n_sessions"].tolist() == [2, 2, 1, 1]
    assert result["truth"].tolist() == ["TD", "ASD", "ASD", "TD"]
    assert result["prediction"].tolist() == ["ASD", "ASD", "ASD", "TD"]


def test_threshold_is_the_estimators_own_and_strict() -> None:
    sessions = make_sessions([0.4, 0.6, 0.6, 0.5, 0.0, 0.4])
    by_decision = leave_one_participant_out(Spy(), sessions, GROUPS, PEOPLE)
    by_probability = leave_one_participant_out(ProbabilitySpy(), sessions, GROUPS, PEOPLE)
    assert by_decision["prediction"].tolist() == ["ASD", "ASD", "ASD", "TD"]  # above 0
    assert by_probability["prediction"].tolist() == ["TD", "ASD", "TD", "TD"]  # above 0.5
    assert by_probability["score"].tolist() == by_decision["score"].tolist()


def test_predictions_alone_are_votes() -> None:
    result = leave_one_participant_out(LabelSpy(), make_sessions([1, 1, -1, 1, -1, 1]), GROUPS, PEOPLE)
    assert result["score"].tolist() == [1.0, 0.5, 1.0, 0.0]


@pytest.mark.parametrize("positive", ["ASD", "TD"])
def test_positive_class_is_stated_not_alphabetical(positive: str) -> None:
    leave_one_participant_out(Spy(), make_sessions([-1, 3, -1, 1, -2, -3]), GROUPS, PEOPLE, positive=positive)
    trained, labels = Spy.fits[2]  # without a2
    assert labels == [int(GROUPS[int(row)] == positive) for row in trained]


@pytest.mark.parametrize("name", CLASSIFIERS)
def test_higher_scores_speak_for_the_positive_group(name: str) -> None:
    rng = np.random.default_rng(0)
    y = np.repeat(["ASD", "TD"], 9)
    X = rng.normal(size=(18, 4)) + 3.0 * (y == "ASD")[:, None]
    result = leave_one_participant_out(CLASSIFIERS[name](0), X, y, np.arange(18))
    mean = result.groupby("truth")["score"].mean()
    assert mean["ASD"] > mean["TD"]
    # 14 of 18 right or more happen by chance with p = .015.
    assert (result["truth"] == result["prediction"]).sum() >= 14
    turned = leave_one_participant_out(CLASSIFIERS[name](0), X, y, np.arange(18), positive="TD")
    mean = turned.groupby("truth")["score"].mean()
    assert mean["TD"] > mean["ASD"]


def test_agrees_with_scikit_learn() -> None:
    rng = np.random.default_rng(3)
    people = np.repeat(np.arange(20), 2)
    y = np.where(people % 2, "TD", "ASD")
    X = rng.normal(size=(40, 6)) + 0.7 * (y == "ASD")[:, None]
    estimator = make_pipeline(StandardScaler(), LogisticRegression())
    result = leave_one_participant_out(estimator, X, y, people)
    expected = cross_val_predict(
        estimator, X, (y == "ASD").astype(int), groups=people, cv=LeaveOneGroupOut(), method="decision_function"
    )
    np.testing.assert_allclose(result["score"], expected.reshape(20, 2).mean(axis=1), rtol=1e-6)


def test_processes_change_nothing() -> None:
    rng = np.random.default_rng(4)
    y = np.repeat(["ASD", "TD"], 6)
    X = rng.normal(size=(12, 5))
    alone = leave_one_participant_out(LogisticRegression(), X, y, np.arange(12))
    spread = leave_one_participant_out(LogisticRegression(), X, y, np.arange(12), n_jobs=2)
    pd.testing.assert_frame_equal(alone, spread)


@pytest.mark.parametrize(
    ("groups", "people", "message"),
    [
        (["ASD", "ASD", "TD"], ["a", "b", "c"], "too few participants"),
        (["ASD", "ASD", "TD", "TD"], ["a", "b", "c", "c"], "got 2 and 1: too few participants"),
        (["ASD", "TD", "OCD"], ["a", "b", "c"], "Expected two groups"),
        (["ASD", "ASD"], ["a", "b"], "Expected two groups"),
        (["autism", "TD", "autism", "TD"], list("abcd"), "'ASD' is one"),
        (["ASD", "TD", "ASD", "TD"], list("aacd"), "in one group"),
        (["ASD", "TD", None, "TD"], list("abcd"), "nulls"),
        (["ASD", "TD", "ASD"], list("ab"), "each of 3 rows"),
    ],
)
def test_what_cannot_be_validated_is_said(groups: list[Any], people: list[str], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        leave_one_participant_out(Spy(), np.zeros((len(groups), 2)), groups, people)


def test_features_are_checked() -> None:
    with pytest.raises(ValueError, match="finite"):
        leave_one_participant_out(Spy(), np.full((4, 2), np.nan), ["ASD", "TD"] * 2, list("abcd"))
    with pytest.raises(ValueError, match="shape"):
        leave_one_participant_out(Spy(), np.zeros(4), ["ASD", "TD"] * 2, list("abcd"))


def test_p_counts_permutations_that_do_as_well() -> None:
    # the spy's score is fixed by the row, so F1 of a permutation depends only on who is called ASD
    scores = [1.0, 1, 1, -1, -1, -1]
    y = ["ASD"] * 3 + ["TD"] * 3
    calls: list[tuple[int, int]] = []
    result = permutation_p(
        Spy(),
        make_sessions(scores),
        y,
        list("abcdef"),
        n_permutations=99,
        seed=1,
        progress=lambda *at: calls.append(at),
    )
    assert result.observed == 1.0
    assert result.p == (1 + (result.null == 1.0).sum()) / 100
    # 1 of the 20 ways to deal out three labels equals the truth: 99 draws hold 5 of them, give or take 2
    assert 0.01 <= result.p <= 0.13
    assert result.p_smallest == 0.01
    assert calls == [(done, 99) for done in range(1, 100)]


def test_labels_are_permuted_over_participants() -> None:
    people = np.repeat(list("abcdef"), 3)
    y = np.repeat(["ASD", "TD"], 9)
    permutation_p(Spy(), make_sessions([0.0] * 18), y, people, n_permutations=5)
    for trained, labels in Spy.fits:
        label_of = dict(zip(trained, labels, strict=True))
        for person in "abcdef":
            assert len({label_of[row] for row in trained if people[int(row)] == person}) <= 1
        assert 6 <= sum(labels) <= 9  # three participants of three sessions, one of all left out


def test_permutations_do_not_depend_on_processes() -> None:
    rng = np.random.default_rng(6)
    y, X = np.repeat(["ASD", "TD"], 5), rng.normal(size=(10, 3))
    alone = permutation_p(LinearDiscriminantAnalysis(), X, y, np.arange(10), n_permutations=8, seed=3, statistic="mcc")
    spread = permutation_p(
        LinearDiscriminantAnalysis(), X, y, np.arange(10), n_permutations=8, seed=3, statistic="mcc", n_jobs=2
    )
    np.testing.assert_array_equal(alone.null, spread.null)
    assert alone.p == spread.p


def test_chance_is_not_significant() -> None:
    rng = np.random.default_rng(7)
    y, X = np.repeat(["ASD", "TD"], 6), rng.normal(size=(12, 3))
    p = permutation_p(LinearDiscriminantAnalysis(), X, y, np.arange(12), n_permutations=30, statistic="accuracy").p
    assert p > 0.05


def test_permutation_arguments_are_checked() -> None:
    y, X = ["ASD", "TD"] * 2, np.zeros((4, 2))
    with pytest.raises(ValueError, match="permutation"):
        permutation_p(Spy(), X, y, list("abcd"), n_permutations=0)
    with pytest.raises(ValueError, match="kappa"):
        permutation_p(Spy(), X, y, list("abcd"), statistic="kappa")  # type: ignore[arg-type]
