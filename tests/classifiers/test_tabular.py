"""The seven classifiers on tables of the paper's size."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.base import clone
from sklearn.discriminant_analysis import QuadraticDiscriminantAnalysis
from sklearn.metrics import roc_auc_score
from sklearn.neural_network import MLPClassifier
from sklearn.preprocessing import StandardScaler

from classifiers.tabular import CLASSIFIER_TITLES, CLASSIFIERS, MIN_TRAINING_PER_CLASS, IdentityShrinkage

N_ASD, N_OTHER, N_FEATURES = 49, 39, 58


@pytest.fixture(scope="module")
def table() -> tuple[np.ndarray, np.ndarray]:
    """88 participants, correlated features, five of which differ by most of a standard deviation."""
    rng = np.random.default_rng(0)
    n = N_ASD + N_OTHER
    X = rng.normal(size=(n, 8)) @ rng.normal(size=(8, N_FEATURES)) + rng.normal(size=(n, N_FEATURES))
    y = np.repeat([1, 0], [N_ASD, N_OTHER])
    X[:N_ASD, :5] += 0.8
    return X, y


def score(estimator: object, X: np.ndarray) -> np.ndarray:
    if hasattr(estimator, "decision_function"):
        return estimator.decision_function(X)
    return estimator.predict_proba(X)[:, 1]  # type: ignore[attr-defined]


def test_seven_in_the_order_of_the_paper() -> None:
    assert list(CLASSIFIERS) == ["logistic", "lasso", "lda", "qda", "svm_rbf", "xgboost", "neural_network"]
    assert set(CLASSIFIER_TITLES) == set(MIN_TRAINING_PER_CLASS) == set(CLASSIFIERS)


@pytest.mark.parametrize("name", CLASSIFIERS)
def test_more_features_than_participants_of_a_class(name: str, table: tuple[np.ndarray, np.ndarray]) -> None:
    X, y = table
    fitted = CLASSIFIERS[name](0).fit(X, y)
    scores = score(fitted, X)
    assert np.isfinite(scores).all()
    assert roc_auc_score(y, scores) > 0.75
    assert set(fitted.predict(X)) == {0, 1}


@pytest.mark.parametrize("name", CLASSIFIERS)
def test_seed_settles_the_result(name: str, table: tuple[np.ndarray, np.ndarray]) -> None:
    X, y = table
    first = score(CLASSIFIERS[name](5).fit(X, y), X)
    np.testing.assert_array_equal(first, score(clone(CLASSIFIERS[name](5)).fit(X, y), X))


@pytest.mark.parametrize("name", CLASSIFIERS)
def test_units_of_a_feature_do_not_matter(name: str, table: tuple[np.ndarray, np.ndarray]) -> None:
    # a power of two scales floats without rounding, so standardised features are the same to the last bit
    X, y = table
    scaled = X * np.where(np.arange(N_FEATURES) % 2, 1024.0, 1.0)
    np.testing.assert_allclose(
        score(CLASSIFIERS[name](0).fit(scaled, y), scaled), score(CLASSIFIERS[name](0).fit(X, y), X), rtol=1e-6
    )


@pytest.mark.parametrize("name", CLASSIFIERS)
@pytest.mark.parametrize("n", [2, 3])
def test_a_handful_of_participants_and_constant_features(name: str, n: int) -> None:
    rng = np.random.default_rng(1)
    X = rng.normal(size=(2 * n, N_FEATURES))
    X[:, 10] = 0.0  # a unit that is never active
    X[:n, 11] = 0.0  # a unit that one group never shows
    y = np.repeat([1, 0], n)
    assert np.isfinite(score(CLASSIFIERS[name](0).fit(X, y), X)).all()


@pytest.mark.parametrize("name", CLASSIFIERS)
def test_permuted_labels_converge(name: str, table: tuple[np.ndarray, np.ndarray]) -> None:
    # a warning of a solver that did not converge would be an error here
    X, y = table
    for seed in range(5):
        CLASSIFIERS[name](seed).fit(X, np.random.default_rng(seed).permutation(y))


@pytest.mark.parametrize("name", CLASSIFIERS)
def test_scaler_belongs_to_the_pipeline(name: str) -> None:
    assert isinstance(CLASSIFIERS[name]().steps[0][1], StandardScaler)


def test_network_has_two_hidden_layers(table: tuple[np.ndarray, np.ndarray]) -> None:
    network = CLASSIFIERS["neural_network"](0).fit(*table)[-1]
    assert isinstance(network, MLPClassifier)
    assert network.n_layers_ == 4  # input, two hidden, output
    assert network.n_iter_ < network.max_iter


def test_lasso_leaves_features_out(table: tuple[np.ndarray, np.ndarray]) -> None:
    weights = CLASSIFIERS["lasso"](0).fit(*table)[-1].coef_
    assert 3 <= np.count_nonzero(weights) <= 30


def test_plain_qda_would_be_singular(table: tuple[np.ndarray, np.ndarray]) -> None:
    with pytest.raises(np.linalg.LinAlgError, match="not full rank"):
        QuadraticDiscriminantAnalysis(solver="eigen").fit(*table)


def test_identity_shrinkage_by_hand() -> None:
    X = np.array([[0.0, 1.0], [2.0, 1.0]])
    fitted = IdentityShrinkage(0.25).fit(X)
    np.testing.assert_array_equal(fitted.covariance_, [[0.75 * 1 + 0.25, 0], [0, 0.25]])
    with pytest.raises(ValueError, match="intensity"):
        IdentityShrinkage(0.0).fit(X)


def test_qda_scores_are_the_gaussian_log_ratio() -> None:
    from scipy.stats import multivariate_normal  # an independent density

    rng = np.random.default_rng(2)
    X, y = rng.normal(size=(30, 4)), np.repeat([1, 0], [18, 12])
    fitted = CLASSIFIERS["qda"]().fit(X, y)
    standard = fitted[0].transform(X)
    ratio = np.zeros(30)
    for label, sign, share in ((1, 1, 18 / 30), (0, -1, 12 / 30)):
        members = standard[y == label]
        covariance = 0.5 * np.cov(members.T, ddof=0) + 0.5 * np.eye(4)
        ratio += sign * (multivariate_normal(members.mean(axis=0), covariance).logpdf(standard) + np.log(share))
    np.testing.assert_allclose(fitted.decision_function(X), ratio, rtol=1e-9)
