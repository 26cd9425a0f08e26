"""Rated segments and frame tables -> predicted atypicality: how well, from which units, and frame by frame."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pandas as pd
import torch

from classifiers.sequences import SequenceKind
from classifiers.sequences.baselines import predict_baselines
from classifiers.sequences.folds import assign_folds, leave_one_participant_out_folds, list_folds
from classifiers.sequences.importance import occlude_time, permute_signals
from classifiers.sequences.protocols import cross_validate, find_rows
from classifiers.sequences.recipe import PUBLISHED, SOUND, SequenceRecipe
from classifiers.sequences.training import WindowData
from features.facs import AU_NAMES
from features.windows import WindowIndex, index_windows
from tasks.atypicality_checkpoints import FoldStore, StoredFold
from tasks.atypicality_tables import (
    Prediction,
    average_moments,
    average_signals,
    measure_models,
    measure_participants,
    track_frames,
)
from tasks.errors import InvalidInputError, TooFewParticipantsError
from tasks.frame_sources import FrameSource, read_sessions
from tasks.progress import Reporter, silent
from tasks.settings import AtypicalitySettings
from tasks.step_plans import RATINGS_TABLE
from tasks.tables import column_names


@dataclass(frozen=True, slots=True, eq=False)
class RatedWindows:
    """Windows of the rated segments of a study.

    Attributes
    ----------
    index
        The windows.
    signals
        Action units that they hold.
    groups
        Group of each participant with windows; index participant_id.
    """

    index: WindowIndex
    signals: tuple[str, ...]
    groups: pd.Series[str]

    @property
    def people(self) -> np.typing.NDArray[np.object_]:
        """Participant of each window."""
        return self.index.provenance["participant_id"].to_numpy(dtype=object)


def find_signals(columns: Sequence[str]) -> tuple[str, ...]:
    """Action units among the columns of a frame table, in its order."""
    return tuple(name for name in columns if name in AU_NAMES)


def collect_windows(
    frame_tables: Sequence[FrameSource],
    signals: Sequence[str],
    segments: pd.DataFrame,
    participants: pd.DataFrame,
    settings: AtypicalitySettings,
) -> RatedWindows:
    """Cut the windows out of the rated segments.

    Parameters
    ----------
    frame_tables
        Frame tables or their files; one recording for each rated participant.
    signals
        Columns that a window holds.
    segments
        `participant_id`, `start_frame`, `end_frame` and `mean`, as of `tasks.ratings.average_ratings`; segments without a
        mean are left out.
    participants
        `participant_id` and `group`.
    settings
        Length and stride of windows, and how many participants are needed.

    Returns
    -------
    RatedWindows

    Raises
    ------
    InvalidInputError
        If a rated participant has several recordings: a segment does not say which of them it means.
    TooFewParticipantsError
        If too few participants have windows.
    """
    rated = segments[segments["mean"].notna()]
    parts: list[pd.DataFrame] = []
    for (participant_id, session, task), frames in read_sessions(frame_tables, only=["valid", *signals]):
        own = rated[rated["participant_id"] == participant_id]
        if own.empty:
            continue
        if any((part["participant_id"] == participant_id).any() for part in parts):
            raise InvalidInputError(
                f"Expected one recording of sub-{participant_id}, as {RATINGS_TABLE} names none, got several. "
                "Choose one stimulus with study.tasks."
            )
        used = _mark_segments(frames, own.sort_values("start_frame"), signals)
        parts.append(used.assign(participant_id=participant_id, session=session, task=task))
    frames = pd.concat(parts, ignore_index=True) if parts else pd.DataFrame()
    if frames.empty:
        raise TooFewParticipantsError(f"Expected frames of rated segments of {RATINGS_TABLE}, got none.")
    index = index_windows(
        frames, signals, frames["rating"], length=settings.window_frames, stride=settings.stride_frames
    )
    names = sorted(set(index.provenance["participant_id"]))
    if len(names) < max(settings.min_participants, settings.folds):
        raise TooFewParticipantsError(
            f"Expected {max(settings.min_participants, settings.folds)} participants or more with a rated segment of "
            f"{settings.window_frames} frames, got {len(names)}."
        )
    groups = participants.set_index("participant_id")["group"].reindex(names).fillna("n/a").astype("str")
    return RatedWindows(index, tuple(signals), groups)


def predict_atypicality(
    rated: RatedWindows, settings: AtypicalitySettings, store: FoldStore, *, progress: Reporter = silent
) -> dict[str, pd.DataFrame]:
    """Cross-validate the networks and the baselines, and explain the networks.

    Parameters
    ----------
    rated
        From `collect_windows`.
    settings
        Section `atypicality`.
    store
        Finished folds are written there, and read instead of computed again.
    progress
        Told of epochs.

    Returns
    -------
    dict
        ``performance, participants, folds, signals, moments, frames, runs``; columns in `tasks.atypicality_tables`.
    """
    index, people = rated.index, rated.people
    folds = deal_folds(rated.groups, settings)
    labelled = index if settings.protocol == "sound" else replace(index, labels=np.floor(index.labels))
    found: dict[str, list[Prediction]] = {}
    batch_means: list[pd.DataFrame] = []
    signals, moments = [], []
    for kind in settings.models:
        stored = train_folds(kind, rated, folds, settings, store, progress=progress)
        found[kind] = list(stored)
        batch_means.append(_average_batches(kind, stored, n_participants=len(rated.groups)))
        importance, occlusion = _explain(stored, labelled, people, rated.signals, settings)
        signals.append(average_signals(kind, importance, rated.signals))
        moments.append(average_moments(kind, occlusion))
    for result in predict_baselines(labelled, folds, seed=settings.seed):
        found.setdefault(result.kind, []).append(result)
    performance = measure_models(
        found, people, protocol=settings.protocol, bootstrap_samples=settings.bootstrap_samples, seed=settings.seed
    )
    if settings.protocol == "as_published":
        performance = pd.concat([performance, *batch_means], ignore_index=True)
    return {
        "performance": performance.fillna({"protocol": settings.protocol, "verdict": "n/a"}),
        "participants": measure_participants(found, people).astype({"n_windows": "int32"}),
        "folds": folds,
        "signals": pd.concat(signals, ignore_index=True),
        "moments": pd.concat(moments, ignore_index=True),
        "frames": track_frames({kind: found[kind] for kind in settings.models}, index),
        "runs": index.runs,
    }


def deal_folds(groups: pd.Series[str], settings: AtypicalitySettings) -> pd.DataFrame:
    """Folds of the settings: balanced by group and repeated, or one participant at a time."""
    if settings.folds == 0:
        return leave_one_participant_out_folds(groups)
    return assign_folds(groups, n_folds=settings.folds, n_repeats=settings.repeats, seed=settings.seed)


def train_folds(
    kind: SequenceKind,
    rated: RatedWindows,
    folds: pd.DataFrame,
    settings: AtypicalitySettings,
    store: FoldStore,
    *,
    progress: Reporter = silent,
) -> list[StoredFold]:
    """All folds of a network: read where they were finished before, else trained and written one by one."""
    wanted = list_folds(folds)
    done = {key: fold for key in wanted if (fold := store.read(kind, *key)) is not None}
    n_finished = len(done)

    def report(epoch: int, epochs: int) -> None:
        progress(f"atypicality {kind}", n_finished * epochs + epoch, len(wanted) * epochs)

    results = cross_validate(
        kind,
        rated.index,
        folds,
        protocol=settings.protocol,
        recipe=make_recipe(settings),
        seed=settings.seed,
        device=_choose_device(settings),
        skip=set(done),
        on_epoch=report,
    )
    for result in results:
        store.write(result)
        n_finished += 1
        written = store.read(kind, result.repeat, result.fold)
        if written is None:
            raise InvalidInputError(
                f"Expected the fold {store.path(kind, result.repeat, result.fold).name} as written."
            )
        done[result.repeat, result.fold] = written
    return [done[key] for key in wanted]


def make_recipe(settings: AtypicalitySettings) -> SequenceRecipe:
    """Training recipe of the settings."""
    base = SOUND if settings.protocol == "sound" else PUBLISHED
    return replace(
        base,
        learning_rates=settings.learning_rates or base.learning_rates,
        epochs=settings.epochs,
        windows_per_epoch=settings.windows_per_epoch or None,
    )


def read_signals(frame_tables: Sequence[Path]) -> tuple[str, ...]:
    """Action units that all frame tables have, of which there is one or more.

    Raises
    ------
    InvalidInputError
        If there are none, or tables differ in them.
    """
    if not frame_tables:
        raise InvalidInputError("Expected frame tables, got none. Run `facetrace extract` or `facetrace import` first.")
    found = {find_signals(column_names(path)) for path in frame_tables}
    if len(found) != 1 or not next(iter(found)):
        raise InvalidInputError(
            f"Expected the same action units in all of {len(frame_tables)} frame tables, got "
            f"{len(found)} different sets; extract or import all recordings in the same way."
        )
    return next(iter(found))


def _mark_segments(frames: pd.DataFrame, segments: pd.DataFrame, signals: Sequence[str]) -> pd.DataFrame:
    """Frames of the rated segments, with `segment` and `rating`; signals of invalid frames are missing."""
    number = frames["frame"].to_numpy()
    starts, ends = segments["start_frame"].to_numpy(), segments["end_frame"].to_numpy()
    at = np.searchsorted(starts, number, side="right") - 1
    inside = (at >= 0) & (number <= ends[np.maximum(at, 0)])
    used = frames.loc[inside, ["frame", *signals]]
    used.loc[~frames.loc[inside, "valid"].to_numpy(dtype=bool), list(signals)] = np.nan
    return used.assign(segment=at[inside].astype(np.int32), rating=segments["mean"].to_numpy()[at[inside]])


def _choose_device(settings: AtypicalitySettings) -> str:
    if settings.device == "auto":
        return "cuda" if torch.cuda.is_available() else "cpu"
    return settings.device


def _explain(
    stored: Sequence[StoredFold],
    index: WindowIndex,
    people: np.typing.NDArray[np.object_],
    signals: Sequence[str],
    settings: AtypicalitySettings,
) -> tuple[pd.DataFrame, pd.DataFrame]:
    device = _choose_device(settings)
    data = WindowData.place(index.signals, index.starts, index.labels, length=index.length, device=device)
    importance, occlusion = [], []
    for fold in stored:
        network, own = fold.network.to(device), people[fold.rows]
        options = {"n_permutations": settings.permutations, "seed": settings.seed}
        importance.append(permute_signals(network, data, fold.rows, own, signals, **options))
        reference = find_rows(people, fold.training)
        occlusion.append(occlude_time(network, data, fold.rows, own, reference=reference))
    return pd.concat(importance, ignore_index=True), pd.concat(occlusion, ignore_index=True)


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
