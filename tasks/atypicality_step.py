"""The atypicality step: read ratings and frame tables, run what is not done yet, write the tables."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Final

import pandas as pd

from features.frame_table import Column
from tasks.atypicality import collect_windows, predict_atypicality, read_signals
from tasks.atypicality_checkpoints import FoldStore
from tasks.atypicality_tables import (
    FOLD_COLUMNS,
    FRAME_COLUMNS,
    MOMENT_COLUMNS,
    PARTICIPANT_COLUMNS,
    PERFORMANCE_COLUMNS,
    RUN_COLUMNS,
    SIGNAL_COLUMNS,
)
from tasks.bids_names import Derivatives, bare_id
from tasks.group_steps import merge_facts, require_whole
from tasks.progress import Reporter, silent
from tasks.ratings import average_ratings, read_ratings
from tasks.settings import AtypicalitySettings
from tasks.step_plans import plan_atypicality
from tasks.steps import MadeTable, bring_up_to_date

CHECKPOINTS: Final = "atypicality_folds"
"""Folder of the networks under ``group/``."""

_TABLES: Final[dict[str, tuple[str, tuple[Column, ...]]]] = {
    "performance": ("Predicted atypicality: errors and agreement of networks and baselines", PERFORMANCE_COLUMNS),
    "participants": ("Predicted atypicality: errors and agreement within each participant", PARTICIPANT_COLUMNS),
    "folds": ("Folds of the cross-validation of predicted atypicality", FOLD_COLUMNS),
    "signals": ("Which action units the predicted atypicality hangs on", SIGNAL_COLUMNS),
    "moments": ("Which moments of a window the predicted atypicality hangs on", MOMENT_COLUMNS),
    "frames": ("Predicted atypicality of each frame, by networks that have not seen the participant", FRAME_COLUMNS),
    "runs": ("Runs of frames in rated segments, and the windows cut out of them", RUN_COLUMNS),
}


def update_atypicality(
    derivatives: Derivatives,
    frame_tables: Sequence[Path],
    ratings: Path,
    participants: pd.DataFrame,
    *,
    settings: AtypicalitySettings,
    progress: Reporter = silent,
) -> str | None:
    """Bring the tables of predicted atypicality up to date.

    Parameters
    ----------
    derivatives
        Of the study.
    frame_tables
        Frame tables of the recordings.
    ratings
        The judges' table.
    participants
        `participant_id` and `group`.
    settings
        Section `atypicality`.
    progress
        Told of epochs.

    Returns
    -------
    str or None
        Why it was computed; None where it still held.

    Raises
    ------
    InvalidInputError
        If ratings or frame tables cannot be used.
    TooFewParticipantsError
        If too few participants have rated windows.

    Notes
    -----
    Each finished fold lies under ``group/atypicality_folds``; an interrupted run goes on at the fold where it stopped.
    """
    planned = plan_atypicality(derivatives, frame_tables, ratings, participants, settings=settings)

    def compute() -> dict[str, MadeTable]:
        require_whole(frame_tables)
        wide = read_ratings(ratings)
        segments = average_ratings(wide.assign(participant_id=wide["participant_id"].map(bare_id)))
        signals = read_signals(frame_tables)
        rated = collect_windows(frame_tables, signals, segments, participants, settings)
        folder = next(iter(planned.outputs.values())).parent / CHECKPOINTS
        store = FoldStore(folder, planned.step.key, signals)
        store.remove_others()
        tables = predict_atypicality(rated, settings, store, progress=progress)
        facts = {**merge_facts(frame_tables), "signals": list(signals), "protocol": settings.protocol}
        return {name: MadeTable(tables[name], *_TABLES[name], facts) for name in planned.outputs}

    return bring_up_to_date(planned, compute)
