"""What the networks must beat: constants, and two regressions on summary statistics of the windows."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import pandas as pd
from sklearn.dummy import DummyRegressor
from sklearn.ensemble import HistGradientBoostingRegressor
from sklearn.linear_model import Ridge
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from classifiers.sequences.folds import check_folds, list_folds
from classifiers.sequences.protocols import find_rows, list_fold_participants
from features.windows import WindowIndex

FloatArray = npt.NDArray[np.float64]
IntArray = npt.NDArray[np.intp]

SUMMARIES: Final = ("mean", "sd", "minimum", "maximum", "change")
"""Statistics of each signal within a window; `change` is last minus first frame."""

RIDGE_PENALTIES: Final = (1.0, 100.0, 10_000.0)
BOOSTING_ROUNDS: Final = (30, 100)

BASELINES: Final[dict[str, tuple[Callable[[], Any], ...]]] = {
    "median": (lambda: DummyRegressor(strategy="median"),),
    "mean": (lambda: DummyRegressor(strategy="mean"),),
    "ridge": tuple(
        lambda alpha=alpha: make_pipeline(StandardScaler(), Ridge(alpha=alpha))  # type: ignore[misc]
        for alpha in RIDGE_PENALTIES
    ),
    "boosting": tuple(
        lambda rounds=rounds: HistGradientBoostingRegressor(  # type: ignore[misc]
            max_iter=rounds, learning_rate=0.1, early_stopping=False, random_state=0
        )
        for rounds in BOOSTING_ROUNDS
    ),
}
"""Name -> candidates; where there are several, the inner validation participants choose, as they do for the networks."""


@dataclass(frozen=True, slots=True, eq=False)
class BaselineResult:
    """Predictions of a baseline in one fold: numbers of the tested windows, their labels and predictions."""

    repeat: int
    fold: int
    kind: str
    rows: IntArray
    truth: FloatArray
    prediction: FloatArray


def summarize_windows(index: WindowIndex) -> npt.NDArray[np.float32]:
    """Shape (n, 5 x n_signals): `SUMMARIES`, one after the other, each of all signals."""
    windows = np.lib.stride_tricks.sliding_window_view(index.signals, index.length, axis=0)
    parts = np.empty((len(index), len(SUMMARIES) * index.signals.shape[1]), dtype=np.float32)
    for begin in range(0, len(index), 8192):  # a copy of all windows would be fifteen times the frames
        some = windows[index.starts[begin : begin + 8192]]
        statistics = (some.mean(-1), some.std(-1), some.min(-1), some.max(-1), some[..., -1] - some[..., 0])
        parts[begin : begin + 8192] = np.concatenate(statistics, axis=1)
    return parts


def predict_baselines(index: WindowIndex, folds: pd.DataFrame, *, seed: int = 0) -> Iterator[BaselineResult]:
    """Fit and test every baseline on every fold, on the splits that the networks see under the sound protocol.

    Parameters
    ----------
    index
        Rated windows.
    folds
        From `classifiers.sequences.folds`.
    seed
        That of `classifiers.sequences.protocols.cross_validate`.

    Yields
    ------
    BaselineResult
        In the order of folds and of `BASELINES`.
    """
    people = index.provenance["participant_id"].to_numpy(dtype=object)
    checked = check_folds(folds, sorted(set(people)))
    features = summarize_windows(index)
    for repeat, fold in list_folds(checked):
        training, validation, tested = (
            find_rows(people, names) for names in list_fold_participants(checked, repeat, fold, seed=seed)
        )
        for name, candidates in BASELINES.items():
            model = _choose(candidates, features, index.labels, training, validation)
            yield BaselineResult(
                repeat, fold, name, tested, index.labels[tested], np.asarray(model.predict(features[tested]))
            )


def _choose(
    candidates: tuple[Callable[[], Any], ...],
    features: npt.NDArray[np.float32],
    labels: FloatArray,
    training: IntArray,
    validation: IntArray,
) -> Any:
    """Candidate with the lowest squared error on validation; all training and validation windows fit a single one."""
    if len(candidates) == 1:
        rows = np.concatenate([training, validation])
        return candidates[0]().fit(features[rows], labels[rows])
    models = [make().fit(features[training], labels[training]) for make in candidates]
    errors = [float(((model.predict(features[validation]) - labels[validation]) ** 2).mean()) for model in models]
    return models[int(np.argmin(errors))]
