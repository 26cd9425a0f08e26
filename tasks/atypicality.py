"""Rated segments and recordings -> predicted atypicality: how well, from which units, and frame by frame."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
import pandas as pd

from classifiers.sequences.baselines import predict_baselines
from features.frame_table import KEY
from features.windows import WindowIndex, index_windows
from tasks.atypicality_checkpoints import FoldStore, StoredFold
from tasks.atypicality_folds import FoldWork, label_windows, train_folds
from tasks.atypicality_inputs import Recordings, walk_segments
from tasks.atypicality_tables import (
    Prediction,
    average_moments,
    average_signals,
    measure_models,
    measure_participants,
    track_frames,
)
from tasks.errors import TooFewParticipantsError
from tasks.progress import Reporter, silent
from tasks.settings import AtypicalitySettings
from tasks.step_plans import RATINGS_TABLE

USED: Final = "used"
NOT_RATED: Final = "no judge rated it"
NOT_RECORDED: Final = "no recording that can be used"
TOO_SHORT: Final = "shorter than a window"
NOT_WHOLE: Final = "no window without a missing signal"


@dataclass(frozen=True, slots=True, eq=False)
class RatedWindows:
    """Windows of a study.

    Attributes
    ----------
    index
        Windows of the rated segments.
    recordings
        Windows of all recordings from first to last frame, without labels: what is predicted frame by frame.
    signals
        Action units that they hold.
    groups
        Group of each participant with rated windows; index participant_id.
    segments
        What became of each rated segment, ``desc-segments_atypicality``.
    """

    index: WindowIndex
    recordings: WindowIndex
    signals: tuple[str, ...]
    groups: pd.Series[str]
    segments: pd.DataFrame

    @property
    def people(self) -> np.typing.NDArray[np.object_]:
        """Participant of each rated window."""
        return self.index.provenance["participant_id"].to_numpy(dtype=object)


def collect_windows(
    recordings: Recordings, segments: pd.DataFrame, participants: pd.DataFrame, settings: AtypicalitySettings
) -> RatedWindows:
    """Cut the windows out of the rated segments, and out of whole recordings.

    Parameters
    ----------
    recordings
        From `tasks.atypicality_inputs`.
    segments
        From `tasks.atypicality_inputs.assign_recordings`; segments without a mean are left out.
    participants
        `participant_id` and `group`.
    settings
        Length, stride and label of windows, and how many participants are needed.

    Returns
    -------
    RatedWindows

    Raises
    ------
    TooFewParticipantsError
        If too few participants have windows.
    """
    signals = list(recordings.signals)
    rated = segments[segments["mean"].notna() & segments["recorded"]]
    parts = [
        _mark_segments(recordings.tables[key], own).assign(participant_id=key[0], session=key[1], task=key[2])
        for key, own in walk_segments(rated, merge=settings.label != "segment")
    ]
    frames = pd.concat(parts, ignore_index=True) if parts else pd.DataFrame()
    if frames.empty:
        raise TooFewParticipantsError(f"Expected frames of rated segments of {RATINGS_TABLE}, got none.")
    length, stride = settings.window_frames, settings.stride_frames
    index = index_windows(frames, signals, frames["rating"], length=length, stride=stride, label=settings.label)
    names = sorted(set(index.provenance["participant_id"]))
    needed = max(settings.min_participants, settings.folds)
    if len(names) < needed:
        raise TooFewParticipantsError(
            f"Expected {needed} participants or more with a rated segment of {settings.window_frames} frames, got {len(names)}."
        )
    groups = participants.set_index("participant_id")["group"].reindex(names).fillna("n/a").astype("str")
    everything = pd.concat(
        [
            table.assign(participant_id=key[0], session=key[1], task=key[2])
            for key, table in recordings.tables.items()
            if key[0] in set(participants["participant_id"])
        ],
        ignore_index=True,
    )
    whole = index_windows(everything, signals, None, length=length, stride=stride)
    described = describe_segments(segments, frames, index, settings)
    return RatedWindows(index, whole, recordings.signals, groups, described)


def describe_segments(
    segments: pd.DataFrame, frames: pd.DataFrame, index: WindowIndex, settings: AtypicalitySettings
) -> pd.DataFrame:
    """``desc-segments_atypicality``: what became of each rated segment."""
    order = segments.reset_index(drop=True)
    n_frames = _count_within(order, frames, "frame")
    n_windows = _count_within(order, index.provenance, "start")
    length = order["end_frame"] - order["start_frame"] + 1
    status = np.select(
        [order["mean"].isna(), ~order["recorded"], n_windows > 0, length < settings.window_frames],
        [NOT_RATED, NOT_RECORDED, USED, TOO_SHORT],
        NOT_WHOLE,
    )
    return order.drop(columns="recorded").assign(
        n_frames=n_frames.astype(np.int32), n_windows=n_windows.astype(np.int32), status=status
    )


def _count_within(segments: pd.DataFrame, rows: pd.DataFrame, column: str) -> np.typing.NDArray[np.intp]:
    """Rows whose frame number lies in each segment."""
    counts = np.zeros(len(segments), dtype=np.intp)
    numbers = {key: np.sort(part[column].to_numpy()) for key, part in rows.groupby(list(KEY[:3]))}
    for key, own in segments.groupby(list(KEY[:3])):
        if key in numbers:
            low = np.searchsorted(numbers[key], own["start_frame"], side="left")
            high = np.searchsorted(numbers[key], own["end_frame"], side="right")
            counts[own.index] = high - low
    return counts


def predict_atypicality(
    rated: RatedWindows,
    folds: pd.DataFrame,
    settings: AtypicalitySettings,
    store: FoldStore,
    *,
    progress: Reporter = silent,
) -> dict[str, pd.DataFrame]:
    """Cross-validate the networks and the baselines, and explain the networks.

    Parameters
    ----------
    rated
        From `collect_windows`.
    folds
        From `tasks.atypicality_inputs.deal_folds`.
    settings
        Section `atypicality`.
    store
        Finished folds are written there, and read instead of computed again.
    progress
        Told of epochs.

    Returns
    -------
    dict
        ``performance, participants, folds, signals, moments, frames, runs, segments``; columns in
        `tasks.atypicality_tables`.
    """
    index, people = rated.index, rated.people
    stored = train_folds(FoldWork(index, rated.recordings, rated.signals, folds, settings, store), progress=progress)
    found: dict[str, list[Prediction]] = {kind: list(items) for kind, items in stored.items()}
    labelled = label_windows(index, settings)
    for result in predict_baselines(labelled, folds, seed=settings.seed):
        found.setdefault(result.kind, []).append(result)
    performance = measure_models(
        found, people, protocol=settings.protocol, bootstrap_samples=settings.bootstrap_samples, seed=settings.seed
    )
    if settings.protocol == "as_published":
        means = [_average_batches(kind, items, n_participants=len(rated.groups)) for kind, items in stored.items()]
        performance = pd.concat([performance, *means], ignore_index=True)
    importance = {kind: pd.concat([item.importance for item in items]) for kind, items in stored.items()}
    occlusion = {kind: pd.concat([item.occlusion for item in items]) for kind, items in stored.items()}
    return {
        "performance": performance.fillna({"protocol": settings.protocol, "verdict": "n/a"}),
        "participants": measure_participants(found, people).astype({"n_windows": "int32"}),
        "folds": folds,
        "signals": pd.concat(
            [average_signals(kind, table, rated.signals) for kind, table in importance.items()], ignore_index=True
        ),
        "moments": pd.concat([average_moments(kind, table) for kind, table in occlusion.items()], ignore_index=True),
        "frames": track_frames(stored, rated.recordings),
        "runs": index.runs,
        "segments": rated.segments,
    }


def _mark_segments(frames: pd.DataFrame, segments: pd.DataFrame) -> pd.DataFrame:
    """Frames of the rated segments, with `segment` and `rating`."""
    number = frames["frame"].to_numpy()
    starts, ends = segments["start_frame"].to_numpy(), segments["end_frame"].to_numpy()
    at = np.searchsorted(starts, number, side="right") - 1
    inside = (at >= 0) & (number <= ends[np.maximum(at, 0)])
    numbers, means = segments["segment"].to_numpy(), segments["mean"].to_numpy()
    return frames[inside].assign(segment=numbers[at[inside]], rating=means[at[inside]])


def _average_batches(kind: str, stored: Sequence[StoredFold], *, n_participants: int) -> pd.DataFrame:
    """Rows ``batch_*`` of the performance table: means over folds of means over batches, and their spread over repeats."""
    table = pd.DataFrame([{"repeat": fold.repeat, **fold.batch_means} for fold in stored]).groupby("repeat").mean()
    rows = [
        {
            "model": kind,
            "measure": f"batch_{name}",
            "estimate": table[name].mean(),
            "sd_repeats": table[name].std(ddof=1),
        }
        for name in ("mae", "mse", "rmse", "mape")
    ]
    n_windows = len(np.unique(np.concatenate([fold.rows for fold in stored])))
    return pd.DataFrame(rows).assign(n_participants=n_participants, n_windows=n_windows, n_repeats=len(table))
