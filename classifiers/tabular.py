"""The seven classifiers of Li et al. (2019) for tables of about a hundred participants and 58 features.

Each is a pipeline whose scaler is fit together with it, so inside a cross-validation fold it never sees the participant
that is left out. The paper gives no hyper-parameters; the values here are fixed in advance with a reason each, because
88 participants cannot both choose and judge them.

References
----------
.. [1] Li, B. et al. (2019). A facial affect analysis system for autism spectrum disorder. IEEE ICIP, section 4.2.
   https://doi.org/10.1109/ICIP.2019.8803604
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final, Self

import numpy as np
import numpy.typing as npt
from sklearn.base import BaseEstimator
from sklearn.discriminant_analysis import LinearDiscriminantAnalysis, QuadraticDiscriminantAnalysis
from sklearn.linear_model import LogisticRegression
from sklearn.neural_network import MLPClassifier
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import SVC
from xgboost import XGBClassifier

ClassifierFactory = Callable[..., Pipeline]


def _scaled(classifier: object) -> Pipeline:
    return Pipeline([("scaler", StandardScaler()), ("classifier", classifier)])


def build_logistic(seed: int = 0) -> Pipeline:
    """Build a logistic regression with a ridge penalty.

    ``C = 0.1``: features come in correlated triples (mean, standard deviation and activation of one unit) and are many
    for the participants there are, so that the default of 1 all but separates the training participants.

    Parameters
    ----------
    seed
        Not used: the solution is unique. Taken so that all factories are called alike.

    Returns
    -------
    Pipeline
        Unfitted.
    """
    del seed
    return _scaled(LogisticRegression(C=0.1, solver="newton-cholesky", max_iter=1000))


def build_lasso(seed: int = 0) -> Pipeline:
    """Build a logistic regression with an L1 (LASSO) penalty.

    ``C = 0.3`` leaves some 10 to 20 of the 58 features. liblinear solves it by coordinate descent to convergence where
    saga needs hundreds of passes; it penalises the intercept too, which ``intercept_scaling = 10`` makes negligible.

    Parameters
    ----------
    seed
        Order in which coordinates are visited.

    Returns
    -------
    Pipeline
        Unfitted.
    """
    return _scaled(
        LogisticRegression(
            C=0.3, l1_ratio=1.0, solver="liblinear", intercept_scaling=10.0, max_iter=10_000, random_state=seed
        )
    )


def build_lda(seed: int = 0) -> Pipeline:
    """Build a linear discriminant analysis with Ledoit-Wolf shrinkage.

    58 features leave the pooled covariance of 87 participants close to singular; the Ledoit-Wolf intensity is estimated
    from the training participants, so nothing is tuned.

    Parameters
    ----------
    seed
        Not used.

    Returns
    -------
    Pipeline
        Unfitted.

    References
    ----------
    .. [1] Ledoit, O. & Wolf, M. (2004). Journal of Multivariate Analysis 88, 365-411.
       https://doi.org/10.1016/S0047-259X(03)00096-4
    """
    del seed
    return _scaled(LinearDiscriminantAnalysis(solver="lsqr", shrinkage="auto"))


class IdentityShrinkage(BaseEstimator):  # type: ignore[misc]
    """Covariance shrunk toward the identity, ``(1 - intensity) S + intensity I``, in standardised features.

    Always positive definite, also where a class has fewer participants than features (38 against 58 in a fold of [1]_)
    or a feature that is constant within the class.

    Parameters
    ----------
    intensity
        0 < intensity <= 1.

    Attributes
    ----------
    covariance_
        Shape (n_features, n_features), after `fit`.

    References
    ----------
    .. [1] Li, B. et al. (2019). https://doi.org/10.1109/ICIP.2019.8803604
    .. [2] Friedman, J. H. (1989). Regularized discriminant analysis. Journal of the American Statistical Association
       84, 165-175. https://doi.org/10.1080/01621459.1989.10478752
    """

    def __init__(self, intensity: float = 0.5) -> None:
        self.intensity = intensity

    def fit(self, X: npt.NDArray[np.float64], y: None = None) -> Self:
        """Estimate the covariance.

        Parameters
        ----------
        X
            Shape (n_samples, n_features).
        y
            Not used.

        Returns
        -------
        IdentityShrinkage
            This estimator.

        Raises
        ------
        ValueError
            If `intensity` is not above 0 and at most 1.
        """
        del y
        if not 0 < self.intensity <= 1:
            raise ValueError(f"Expected 0 < intensity <= 1, got {self.intensity!r}.")
        centred = X - X.mean(axis=0)
        empirical = centred.T @ centred / len(X)
        self.covariance_ = (1 - self.intensity) * empirical + self.intensity * np.eye(X.shape[1])
        return self


def build_qda(seed: int = 0) -> Pipeline:
    """Build a quadratic discriminant analysis with covariances shrunk halfway toward the identity.

    38 participants cannot give a covariance of 58 features: plain QDA is singular. ``intensity = 0.5`` weighs what was
    measured and the standardised features' own scale alike. Each class needs two participants in every fold.

    Parameters
    ----------
    seed
        Not used.

    Returns
    -------
    Pipeline
        Unfitted.
    """
    del seed
    return _scaled(QuadraticDiscriminantAnalysis(solver="eigen", covariance_estimator=IdentityShrinkage(0.5)))


def build_svm_rbf(seed: int = 0) -> Pipeline:
    """Build a support vector machine with a radial basis function kernel.

    ``C = 1`` and ``gamma = 1 / (n_features * variance)`` (``scale``): the usual starting point, which for standardised
    features makes the kernel's width grow with their number, so the four feature sets are treated alike.

    Parameters
    ----------
    seed
        Not used: without probability estimates the solution is deterministic.

    Returns
    -------
    Pipeline
        Unfitted.
    """
    del seed
    return _scaled(SVC(C=1.0, kernel="rbf", gamma="scale"))


def build_xgboost(seed: int = 0) -> Pipeline:
    """Build gradient-boosted trees.

    30 trees of depth 2 at a learning rate of 0.2: pairs of features at most, few enough rounds that no participants
    need to be set apart for early stopping. 16 histogram bins hold some five of the paper's participants each, as
    fine as a split of so few should be. One thread: it is the folds that run in parallel.

    Parameters
    ----------
    seed
        Seed of the booster; without subsampling it changes nothing.

    Returns
    -------
    Pipeline
        Unfitted. Trees do not need the scaler; it is there so that all seven have the same shape.
    """
    return _scaled(
        XGBClassifier(n_estimators=30, max_depth=2, learning_rate=0.2, max_bin=16, n_jobs=1, random_state=seed)
    )


def build_neural_network(seed: int = 0) -> Pipeline:
    """Build a neural network with two hidden layers, of 16 and 8 units.

    About 1,100 weights, held by ``alpha = 1`` (weight decay). The smooth tanh lets L-BFGS on all participants at once
    converge in some 15 steps, which stochastic optimisers do not on so few. ``tol = 1e-2`` ends it there: going on to
    a tighter minimum did not predict simulated participants any better.

    Parameters
    ----------
    seed
        Seed of the initial weights. The result depends on it.

    Returns
    -------
    Pipeline
        Unfitted.
    """
    return _scaled(
        MLPClassifier(
            hidden_layer_sizes=(16, 8),
            activation="tanh",
            solver="lbfgs",
            alpha=1.0,
            tol=1e-2,
            max_iter=5000,
            random_state=seed,
        )
    )


CLASSIFIERS: Final[dict[str, ClassifierFactory]] = {
    "logistic": build_logistic,
    "lasso": build_lasso,
    "lda": build_lda,
    "qda": build_qda,
    "svm_rbf": build_svm_rbf,
    "xgboost": build_xgboost,
    "neural_network": build_neural_network,
}
"""Name -> factory, in the order of the paper; ``CLASSIFIERS[name](seed)`` gives an unfitted pipeline."""

CLASSIFIER_TITLES: Final[dict[str, str]] = {
    "logistic": "Logistic regression (ridge)",
    "lasso": "Logistic regression (LASSO)",
    "lda": "Linear discriminant analysis",
    "qda": "Quadratic discriminant analysis (shrunk)",
    "svm_rbf": "SVM with RBF kernel",
    "xgboost": "XGBoost",
    "neural_network": "Neural network, two hidden layers",
}
"""Name -> words for tables and figures."""

MIN_TRAINING_PER_CLASS: Final[dict[str, int]] = {name: 2 if name == "qda" else 1 for name in CLASSIFIERS}
"""Participants of each group without which a classifier cannot be fit."""
