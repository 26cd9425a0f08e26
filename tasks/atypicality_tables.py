"""What the tables of the atypicality step hold, and how they are made of predictions."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final, Protocol

import numpy as np
import numpy.typing as npt
import pandas as pd

from classifiers.sequences.metrics import MEASURES, bootstrap, score_participants, sum_by_participant
from features.frame_table import KEY, Column
from features.windows import WindowIndex

_MODELS: Final = {
    "gru": "network, two GRU layers",
    "bilstm": "network, two bidirectional LSTM layers",
    "median": "constant: median of the training labels",
    "mean": "constant: mean of the training labels",
    "ridge": "ridge regression on statistics of the window",
    "boosting": "gradient boosting on statistics of the window",
}
_MODEL: Final = Column("model", "string", "Network or baseline", levels=_MODELS)
_PARTICIPANT: Final = Column("participant_id", "string", "Participant")

PERFORMANCE_COLUMNS: Final[tuple[Column, ...]] = (
    _MODEL,
    Column("protocol", "string", "sound, or as_published with the flaws of the released code"),
    Column("measure", "string", "Error (points of the scale) or agreement; batch_*: mean over batches, as published"),
    Column("estimate", "float64", "Mean over repeats, pooled over windows (macro_*: mean over participants)"),
    Column("sd_repeats", "float64", "Standard deviation over repeats; null with one repeat"),
    Column("ci_low", "float64", "Lower end of the interval over resampled participants"),
    Column("ci_high", "float64", "Upper end"),
    Column("less_constant", "float64", "Estimate less that of the constant (median for mae and mape, else mean)"),
    Column("less_constant_low", "float64", "Lower end of its interval, participants resampled in pairs"),
    Column("less_constant_high", "float64", "Upper end"),
    Column("verdict", "string", "Of errors: better or worse than the constant, or no difference shown"),
    Column("n_participants", "int32", "Participants tested", low=0),
    Column("n_windows", "int32", "Windows tested in each repeat", low=0),
    Column("n_repeats", "int32", "Repeats of the cross-validation", low=1),
)
"""Data dictionary of ``desc-performance_atypicality``."""

PARTICIPANT_COLUMNS: Final[tuple[Column, ...]] = (
    _MODEL,
    _PARTICIPANT,
    Column("n_windows", "int32", "Windows of the participant", low=0),
    *(Column(name, "float64", f"{name} within the participant, mean over repeats") for name in MEASURES[:7]),
)
"""Data dictionary of ``desc-participants_atypicality``."""

FOLD_COLUMNS: Final[tuple[Column, ...]] = (
    Column("repeat", "int32", "Repeat, from 0", low=0),
    Column("fold", "int32", "Fold in which the participant is tested, from 0", low=0),
    _PARTICIPANT,
    Column("group", "string", "Group by which folds are balanced"),
    Column(
        "one_group", "bool", "Whether all who are tested in the fold are of one group, though the study has several"
    ),
)
"""Data dictionary of ``desc-folds_atypicality``."""

SIGNAL_COLUMNS: Final[tuple[Column, ...]] = (
    _MODEL,
    Column("signal", "string", "Action unit"),
    Column("importance", "float64", "Growth of the squared error when the unit is permuted, mean over participants"),
    Column("importance_low", "float64", "Lower end of its 95 % interval over participants (normal)"),
    Column("importance_high", "float64", "Upper end"),
    Column("direction", "float64", "Change of the prediction from a low to a high value of the unit", "points"),
)
"""Data dictionary of ``desc-signals_atypicality``."""

MOMENT_COLUMNS: Final[tuple[Column, ...]] = (
    _MODEL,
    Column("position", "int32", "Frame of the window, from 0", low=0),
    Column("importance", "float64", "Growth of the squared error when the frame shows the average, over participants"),
    Column("change", "float64", "Mean absolute change of the prediction", "points", low=0),
)
"""Data dictionary of ``desc-moments_atypicality``."""

FRAME_COLUMNS: Final[tuple[Column, ...]] = (
    _MODEL,
    _PARTICIPANT,
    Column("session", "string", "Session"),
    Column("task", "string", "Stimulus"),
    Column("frame", "int32", "Frame", low=0),
    Column(
        "prediction", "float64", "Predicted rating: mean over repeats of the mean of the windows that hold the frame"
    ),
    Column("sd_repeats", "float64", "Standard deviation over repeats; null with one repeat"),
)
"""Data dictionary of ``desc-atypicality_beh``, the track of a recording, and of ``desc-frames_atypicality``."""

SEGMENT_COLUMNS: Final[tuple[Column, ...]] = (
    _PARTICIPANT,
    Column("session", "string", "Session"),
    Column("task", "string", "Stimulus"),
    Column("start_frame", "int32", "First frame of the rated segment", low=0),
    Column("end_frame", "int32", "Last frame", low=0),
    Column("n_judges", "int32", "Judges who rated it", low=0),
    Column("mean", "float64", "Mean of the judges", low=1, high=5),
    Column("n_frames", "int32", "Frames of it that the recording has", low=0),
    Column("n_windows", "int32", "Windows that start in it and were used", low=0),
    Column("status", "string", "used, or why it was left out"),
)
"""Data dictionary of ``desc-segments_atypicality``."""

RUN_COLUMNS: Final[tuple[Column, ...]] = (
    _PARTICIPANT,
    Column("session", "string", "Session"),
    Column("task", "string", "Stimulus"),
    Column(
        "segment",
        "int32",
        "Rated segment of the recording, from 0; adjoining ones are one with label mode or mean",
        low=0,
    ),
    Column("start", "int32", "First frame of the run", low=0),
    Column("end", "int32", "Last frame of the run", low=0),
    Column("n_frames", "int32", "Frames of the run", low=0),
    Column("n_windows", "int32", "Windows that were used", low=0),
    Column("n_dropped", "int32", "Windows left out because a signal is missing", low=0),
    Column("too_short", "bool", "Whether the run has fewer frames than a window"),
)
"""Data dictionary of ``desc-runs_atypicality``."""


class Track(Protocol):
    """Predictions of whole recordings in a fold."""

    @property
    def repeat(self) -> int:
        """Repeat, from 0."""

    @property
    def track_rows(self) -> npt.NDArray[np.intp]:
        """Numbers of the windows."""

    @property
    def track(self) -> npt.NDArray[np.float64]:
        """Their predictions."""


class Prediction(Protocol):
    """What is known of the tested windows of a fold."""

    @property
    def repeat(self) -> int:
        """Repeat, from 0."""

    @property
    def rows(self) -> npt.NDArray[np.intp]:
        """Numbers of the windows."""

    @property
    def truth(self) -> npt.NDArray[np.float64]:
        """Their labels."""

    @property
    def prediction(self) -> npt.NDArray[np.float64]:
        """Their predictions."""


Predictions = Mapping[str, Sequence[Prediction]]
"""Model -> all of its folds."""


def measure_models(
    found: Predictions, people: npt.NDArray[np.object_], *, protocol: str, bootstrap_samples: int, seed: int
) -> pd.DataFrame:
    """``desc-performance_atypicality`` without the batch means: every measure of every model, beside the constants."""
    sums = {model: _sum_repeats(folds, people) for model, folds in found.items()}
    options = {"n_resamples": bootstrap_samples, "seed": seed}
    records = []
    for model, own in sums.items():
        estimates = bootstrap(own, n_resamples=bootstrap_samples, seed=seed)
        less = {name: bootstrap(own, against=sums[name], **options) for name in ("median", "mean")}
        for measure in MEASURES:
            value = estimates[measure]
            difference = less["median" if measure.endswith(("mae", "mape")) else "mean"][measure]
            records.append(
                {
                    "model": model,
                    "protocol": protocol,
                    "measure": measure,
                    "estimate": value.estimate,
                    "sd_repeats": value.sd,
                    "ci_low": value.ci_low,
                    "ci_high": value.ci_high,
                    "less_constant": difference.estimate,
                    "less_constant_low": difference.ci_low,
                    "less_constant_high": difference.ci_high,
                    "verdict": _judge(model, measure, difference.ci_low, difference.ci_high),
                    "n_participants": len(own[0]),
                    "n_windows": int(own[0]["n"].sum()),
                    "n_repeats": len(own),
                }
            )
    return pd.DataFrame(records)


def measure_participants(found: Predictions, people: npt.NDArray[np.object_]) -> pd.DataFrame:
    """``desc-participants_atypicality``: the measures within each participant, averaged over repeats."""
    parts = []
    for model, folds in found.items():
        repeats = []
        for repeat in sorted({item.repeat for item in folds}):
            rows, truth, prediction = _pool(folds, repeat)
            repeats.append(score_participants(truth, prediction, people[rows]))
        table = pd.concat(repeats).groupby(level=0).mean().rename_axis("participant_id").reset_index()
        table.insert(0, "model", model)
        parts.append(table)
    return pd.concat(parts, ignore_index=True)


def track_frames(found: Mapping[str, Sequence[Track]], index: WindowIndex) -> pd.DataFrame:
    """Prediction of each frame of each recording that a window holds, by networks that have not seen the participant.

    Where several folds of a repeat predict a participant, who then was not rated, their windows are averaged alike.
    """
    runs, n_frames = index.runs, len(index.signals)
    sizes = runs["n_frames"].to_numpy()
    keys = runs.loc[np.repeat(runs.index, sizes), [*KEY[:3], "start"]].reset_index(drop=True)
    within = np.arange(n_frames) - np.repeat(np.cumsum(sizes) - sizes, sizes)
    keys["frame"] = (keys.pop("start") + within).astype("int32")
    parts = []
    for model, folds in found.items():
        repeats = sorted({item.repeat for item in folds})
        stacked = np.stack([_spread(folds, repeat, index) for repeat in repeats])
        seen = np.isfinite(stacked[0])
        sd = stacked[:, seen].std(axis=0, ddof=1) if len(repeats) > 1 else np.full(int(seen.sum()), np.nan)
        table = keys[seen].assign(prediction=stacked[:, seen].mean(axis=0), sd_repeats=sd)
        table.insert(0, "model", model)
        parts.append(table)
    found_frames: pd.DataFrame = pd.concat(parts, ignore_index=True)
    return found_frames


def _spread(folds: Sequence[Track], repeat: int, index: WindowIndex) -> npt.NDArray[np.float64]:
    """Mean prediction of the windows that hold each frame; NaN where none does."""
    own = [item for item in folds if item.repeat == repeat]
    n_frames = len(index.signals)
    count, total = np.zeros(n_frames), np.zeros(n_frames)
    for item in own:
        for offset in range(index.length):
            covered = index.starts[item.track_rows] + offset
            count += np.bincount(covered, minlength=n_frames)
            total += np.bincount(covered, weights=item.track, minlength=n_frames)
    return np.asarray(np.divide(total, count, out=np.full(n_frames, np.nan), where=count > 0))


def average_signals(model: str, importance: pd.DataFrame, order: Sequence[str]) -> pd.DataFrame:
    """``desc-signals_atypicality`` of a network, from `permute_signals` of all folds: each participant counts once."""
    people = importance.groupby(["participant_id", "signal"], as_index=False)[["importance", "direction"]].mean()
    rows = []
    for signal in order:
        own = people.loc[people["signal"] == signal]
        growth = own["importance"].to_numpy()
        mean, half = growth.mean(), 1.959964 * growth.std(ddof=1) / np.sqrt(len(growth))
        rows.append((signal, mean, mean - half, mean + half, own["direction"].mean()))
    table = pd.DataFrame(rows, columns=[column.name for column in SIGNAL_COLUMNS[1:]])
    table.insert(0, "model", model)
    return table


def average_moments(model: str, occlusion: pd.DataFrame) -> pd.DataFrame:
    """``desc-moments_atypicality`` of a network, from `occlude_time` of all folds."""
    people = occlusion.groupby(["participant_id", "position"])[["importance", "change"]].mean()
    table = people.groupby("position").mean().reset_index().astype({"position": "int32"})
    table.insert(0, "model", model)
    return table


def _sum_repeats(folds: Sequence[Prediction], people: npt.NDArray[np.object_]) -> list[pd.DataFrame]:
    tables = []
    for repeat in sorted({item.repeat for item in folds}):
        rows, truth, prediction = _pool(folds, repeat)
        tables.append(sum_by_participant(truth, prediction, people[rows]))
    return tables


def _pool(
    folds: Sequence[Prediction], repeat: int
) -> tuple[npt.NDArray[np.intp], npt.NDArray[np.float64], npt.NDArray[np.float64]]:
    own = [item for item in folds if item.repeat == repeat]
    return (
        np.concatenate([item.rows for item in own]),
        np.concatenate([item.truth for item in own]),
        np.concatenate([item.prediction for item in own]),
    )


def _judge(model: str, measure: str, low: float, high: float) -> str:
    if model in {"median", "mean"} or measure in {"pearson", "ccc", "icc"} or not np.isfinite([low, high]).all():
        return "n/a"
    if high < 0:
        return "better than the constant"
    return "worse than the constant" if low > 0 else "no difference shown"
