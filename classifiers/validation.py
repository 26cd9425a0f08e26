"""Leave-one-participant-out validation, and what chance would have given.

All sessions of a participant leave the training set together; whatever the estimator learns (scaler included) it learns
anew in each fold from the others.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Final, Literal, Protocol

import numpy as np
import numpy.typing as npt
import pandas as pd
from joblib import Parallel, delayed, effective_n_jobs
from sklearn import config_context
from sklearn.base import clone
from threadpoolctl import ThreadpoolController

from stats.performance import f1_score, matthews_correlation

FloatArray = npt.NDArray[np.float64]
IntArray = npt.NDArray[np.intp]
BoolArray = npt.NDArray[np.bool_]
Progress = Callable[[int, int], None]
StatisticName = Literal["f1", "mcc", "accuracy"]

MIN_PARTICIPANTS: Final = 2
"""Participants of each group without which a fold has no training data of a group."""

_TIE: Final = 1e-12  # equal counts must count as equal whatever order they were summed in


class Classifier(Protocol):
    """What validation asks of an estimator: scikit-learn's `fit` and a score of each sample.

    `decision_function` is used where there is one, else the last column of `predict_proba`, else `predict`. It is cloned
    before each fit and sees labels 0 (negative) and 1 (positive).
    """

    def fit(self, X: Any, y: Any) -> Any:
        """Learn from samples X (n, k) and labels y (n,)."""


@dataclass(frozen=True, slots=True, eq=False)
class _Problem:
    """Checked input: rows are sessions, `member[i]` is the participant of row i, `target` one label a participant."""

    features: FloatArray
    member: IntArray
    participants: npt.NDArray[np.object_]
    target: BoolArray
    positive: object
    negative: object


def leave_one_participant_out(
    estimator: Classifier,
    X: pd.DataFrame | npt.ArrayLike,
    y: pd.Series | npt.ArrayLike,
    participants: pd.Series | npt.ArrayLike,
    *,
    positive: object = "ASD",
    n_jobs: int = 1,
) -> pd.DataFrame:
    """Predict the group of each participant from the others.

    Parameters
    ----------
    estimator
        Unfitted scikit-learn classifier or pipeline; it is not changed. Scaling, selection and tuning belong inside it.
    X
        Shape (n_sessions, n_features), one row a session; finite.
    y
        Shape (n_sessions,), group of each session's participant; two groups.
    participants
        Shape (n_sessions,), participant of each session.
    positive
        Group to detect. It is stated, never inferred: in the order of the alphabet ASD would be the negative class.
    n_jobs
        Processes over which the folds are spread, -1 for one a core. The result does not depend on it.

    Returns
    -------
    DataFrame
        One row a participant, in order of first appearance: ``participant_id``, ``truth``, ``prediction``, ``score``
        (float64, mean over the participant's sessions, higher speaks for `positive`), ``n_sessions`` (int32). The score is
        the decision function where the estimator has one, else the probability of the positive class (of an estimator
        that has neither, its prediction, 0 or 1); the prediction is `positive` where the score is strictly above the
        estimator's own threshold, 0 or 0.5.

    Raises
    ------
    ValueError
        If lengths differ, a value is not finite, there are not exactly two groups, a participant is in both, `positive`
        is neither, or a group has a single participant (too few participants).

    Notes
    -----
    Scores of different participants come from different fits; their order over participants (the AUC) is meaningful only
    as far as the fits agree.

    Examples
    --------
    >>> from classifiers.tabular import CLASSIFIERS
    >>> X = np.array([[0.0], [0.2], [0.1], [1.0], [0.9], [1.1]])
    >>> groups = ["TD", "TD", "TD", "ASD", "ASD", "ASD"]
    >>> table = leave_one_participant_out(CLASSIFIERS["lda"](), X, groups, list("abcdef"))
    >>> table["prediction"].tolist()
    ['TD', 'TD', 'TD', 'ASD', 'ASD', 'ASD']
    """
    problem = _check(X, y, participants, positive)
    numbers = np.arange(len(problem.participants))
    if n_jobs == 1:
        scores, threshold = _score_participants(estimator, problem, problem.target, numbers)
    else:
        parts = Parallel(n_jobs=n_jobs)(
            delayed(_score_participants)(estimator, problem, problem.target, part)
            for part in np.array_split(numbers, min(len(numbers), 4 * effective_n_jobs(n_jobs)))
        )
        scores, threshold = np.concatenate([part[0] for part in parts]), parts[0][1]
    names = np.array([problem.negative, problem.positive], dtype=object)
    return pd.DataFrame(
        {
            "participant_id": pd.Series(problem.participants).infer_objects(),
            "truth": pd.Series(names[problem.target.astype(int)]).infer_objects(),
            "prediction": pd.Series(names[(scores > threshold).astype(int)]).infer_objects(),
            "score": scores,
            "n_sessions": np.bincount(problem.member).astype(np.int32),
        }
    )


@dataclass(frozen=True, slots=True, eq=False)
class PermutationResult:
    """Result of `permutation_p`.

    Attributes
    ----------
    observed
        Statistic of the true labels.
    p
        ``(1 + permutations at least as good) / (1 + n_permutations)``.
    p_smallest
        Smallest p that so many permutations can give, ``1 / (1 + n_permutations)``.
    n_permutations
        Number of permutations.
    null
        Shape (n_permutations,), the statistic of each permutation.
    """

    observed: float
    p: float
    p_smallest: float
    n_permutations: int
    null: FloatArray


def permutation_p(
    estimator: Classifier,
    X: pd.DataFrame | npt.ArrayLike,
    y: pd.Series | npt.ArrayLike,
    participants: pd.Series | npt.ArrayLike,
    *,
    positive: object = "ASD",
    statistic: StatisticName = "f1",
    n_permutations: int = 200,
    seed: int = 0,
    n_jobs: int = 1,
    progress: Progress | None = None,
) -> PermutationResult:
    """Test whether leave-one-participant-out does better than with groups dealt out by chance.

    Parameters
    ----------
    estimator, X, y, participants, positive
        As in `leave_one_participant_out`.
    statistic
        ``f1`` of the positive class, ``mcc`` or ``accuracy``.
    n_permutations
        How often the whole validation is repeated with the labels permuted over participants (never over sessions, so a
        participant's sessions keep one label).
    seed
        Seed of the permutations; each has a stream of its own, so results do not depend on `n_jobs`.
    n_jobs
        Processes, -1 for one a core; each uses one thread.
    progress
        Called with (permutations done, n_permutations).

    Returns
    -------
    PermutationResult

    Raises
    ------
    ValueError
        As `leave_one_participant_out`, and if `n_permutations` is below 1 or the statistic is unknown.

    References
    ----------
    .. [1] Ojala, M. & Garriga, G. C. (2010). Permutation tests for studying classifier performance. Journal of Machine
       Learning Research 11, 1833-1863. https://www.jmlr.org/papers/v11/ojala10a.html
    .. [2] Phipson, B. & Smyth, G. K. (2010). Permutation p-values should never be zero. Statistical Applications in
       Genetics and Molecular Biology 9, 39. https://doi.org/10.2202/1544-6115.1585
    """
    if n_permutations < 1:
        raise ValueError(f"Expected one permutation or more, got {n_permutations}.")
    if statistic not in _STATISTICS:
        raise ValueError(f"Expected the statistic to be one of {tuple(_STATISTICS)}, got {statistic!r}.")
    problem = _check(X, y, participants, positive)
    observed = _evaluate(estimator, problem, problem.target, statistic)
    seeds = np.random.SeedSequence(seed).spawn(n_permutations)
    null = np.empty(n_permutations)
    for done, (index, value) in enumerate(_permute(estimator, problem, statistic, seeds, n_jobs), start=1):
        null[index] = value
        if progress is not None:
            progress(done, n_permutations)
    p = (1 + int((null >= observed - _TIE).sum())) / (1 + n_permutations)
    return PermutationResult(observed, p, 1 / (1 + n_permutations), n_permutations, null)


def _permute(
    estimator: Classifier,
    problem: _Problem,
    statistic: StatisticName,
    seeds: list[np.random.SeedSequence],
    n_jobs: int,
) -> Iterator[tuple[int, float]]:
    if n_jobs == 1:
        for index, seed in enumerate(seeds):
            yield _permute_once(estimator, problem, statistic, index, seed)
        return
    yield from Parallel(n_jobs=n_jobs, return_as="generator_unordered")(
        delayed(_permute_once)(estimator, problem, statistic, index, seed) for index, seed in enumerate(seeds)
    )


def _permute_once(
    estimator: Classifier, problem: _Problem, statistic: StatisticName, index: int, seed: np.random.SeedSequence
) -> tuple[int, float]:
    target = np.random.default_rng(seed).permutation(problem.target)
    return index, _evaluate(estimator, problem, target, statistic)


def _evaluate(estimator: Classifier, problem: _Problem, target: BoolArray, statistic: StatisticName) -> float:
    scores, threshold = _score_participants(estimator, problem, target, np.arange(len(target)))
    found = scores > threshold
    counts = (found & target).sum(), (found & ~target).sum(), (~found & ~target).sum(), (~found & target).sum()
    return float(_STATISTICS[statistic](*counts))


def _accuracy(tp: int, fp: int, tn: int, fn: int) -> float:
    return (tp + tn) / (tp + fp + tn + fn)


_STATISTICS: Final[dict[str, Callable[..., Any]]] = {
    "f1": f1_score,
    "mcc": matthews_correlation,
    "accuracy": _accuracy,
}


def _score_participants(
    estimator: Classifier, problem: _Problem, target: BoolArray, left_out: IntArray
) -> tuple[FloatArray, float]:
    """Score each participant of `left_out` by a fit to all others, and the threshold of that score."""
    labels = target.astype(np.int64)[problem.member]
    scores = np.empty(len(left_out))
    threshold = 0.0
    # one thread: tables of this size lose by more, and the processes beside this one have the other cores
    with _find_thread_pools().limit(limits=1), config_context(assume_finite=True):
        for position, participant in enumerate(left_out):
            test = problem.member == participant
            fitted = clone(estimator).fit(problem.features[~test], labels[~test])
            session_scores, threshold = _score_sessions(fitted, problem.features[test])
            scores[position] = session_scores.mean()
    return scores, threshold


@lru_cache(maxsize=1)
def _find_thread_pools() -> ThreadpoolController:
    """Find the thread pools of this process, once: looking through its libraries takes longer than a fit."""
    return ThreadpoolController()


def _score_sessions(fitted: Any, values: FloatArray) -> tuple[FloatArray, float]:
    if hasattr(fitted, "decision_function"):
        return np.asarray(fitted.decision_function(values), dtype=np.float64), 0.0
    if hasattr(fitted, "predict_proba"):
        return np.asarray(fitted.predict_proba(values)[:, 1], dtype=np.float64), 0.5
    return np.asarray(fitted.predict(values), dtype=np.float64), 0.5


def _check(X: object, y: object, participants: object, positive: object) -> _Problem:
    values = _to_matrix(X)
    labels, people = np.asarray(y, dtype=object), np.asarray(participants, dtype=object)
    if labels.shape != (len(values),) or people.shape != (len(values),):
        raise ValueError(
            f"Expected a group and a participant of each of {len(values)} rows of X, "
            f"got {labels.shape} groups and {people.shape} participants."
        )
    if pd.isna(labels).any() or pd.isna(people).any():
        raise ValueError("Expected a group and a participant of each row of X, got nulls.")
    member, names = pd.factorize(people)
    groups = list(pd.unique(labels))
    if len(groups) != 2 or positive not in groups:
        raise ValueError(
            f"Expected two groups of which {positive!r} is one, got {groups}; name the one with positive=."
        )
    first_rows = np.unique(member, return_index=True)[1]
    target = labels[first_rows] == positive
    if (target[member] != (labels == positive)).any():
        raise ValueError("Expected each participant in one group, got sessions of one participant in both.")
    n_positive, n_negative = int(target.sum()), int((~target).sum())
    if min(n_positive, n_negative) < MIN_PARTICIPANTS:
        raise ValueError(
            f"Expected {MIN_PARTICIPANTS} participants or more in each group, got {n_positive} and {n_negative}: too few "
            "participants, as leaving one out would leave a group without any."
        )
    negative = next(group for group in groups if group != positive)
    return _Problem(values, member.astype(np.intp), np.asarray(names, dtype=object), target, positive, negative)


def _to_matrix(X: object) -> FloatArray:
    values = np.asarray(X.astype(np.float64) if isinstance(X, pd.DataFrame) else X, dtype=np.float64)
    if values.ndim != 2 or values.shape[1] < 1:
        raise ValueError(f"Expected X of shape (n_sessions, n_features), got {values.shape}.")
    if not np.isfinite(values).all():
        raise ValueError("Expected finite features, got nulls or infinities; leave such sessions out first.")
    return values
