"""The atypicality step: read ratings and recordings, run what is not done yet, write the tables."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

import pandas as pd

from features.frame_table import KEY, Column
from tasks.atypicality import USED, collect_windows, predict_atypicality
from tasks.atypicality_checkpoints import FoldStore
from tasks.atypicality_inputs import (
    Recordings,
    assign_recordings,
    deal_folds,
    read_frame_tables,
    read_label_files,
    read_segments,
)
from tasks.atypicality_tables import (
    FOLD_COLUMNS,
    FRAME_COLUMNS,
    MOMENT_COLUMNS,
    PARTICIPANT_COLUMNS,
    PERFORMANCE_COLUMNS,
    RUN_COLUMNS,
    SEGMENT_COLUMNS,
    SIGNAL_COLUMNS,
)
from tasks.bids_names import Derivatives
from tasks.errors import InvalidInputError
from tasks.group_steps import merge_facts, require_whole
from tasks.progress import Reporter, silent
from tasks.provenance import read_sidecar, sha256_file
from tasks.settings import AtypicalitySettings
from tasks.step_plans import plan_atypicality
from tasks.steps import MadeTable, bring_up_to_date
from tasks.withdrawal import read_withdrawn

CHECKPOINTS: Final = "atypicality_folds"
"""Folder of the networks under ``group/``."""

_TRACK: Final = "Predicted atypicality of each frame, by networks that have not seen the participant"

_TABLES: Final[dict[str, tuple[str, tuple[Column, ...]]]] = {
    "performance": ("Predicted atypicality: errors and agreement of networks and baselines", PERFORMANCE_COLUMNS),
    "participants": ("Predicted atypicality: errors and agreement within each participant", PARTICIPANT_COLUMNS),
    "folds": ("Folds of the cross-validation of predicted atypicality", FOLD_COLUMNS),
    "signals": ("Which action units the predicted atypicality hangs on", SIGNAL_COLUMNS),
    "moments": ("Which moments of a window the predicted atypicality hangs on", MOMENT_COLUMNS),
    "frames": (_TRACK, FRAME_COLUMNS),
    "runs": ("Runs of frames in rated segments, and the windows cut out of them", RUN_COLUMNS),
    "segments": ("Rated segments, and what became of each", SEGMENT_COLUMNS),
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
        Frame tables of the recordings; not read where the inputs are experts' labels.
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
        If ratings, frame tables, labels or folds cannot be used.
    TooFewParticipantsError
        If too few participants have rated windows.

    Notes
    -----
    Each finished fold lies under ``group/atypicality_folds``; an interrupted run goes on at the fold where it stopped.
    """
    planned = plan_atypicality(derivatives, frame_tables, ratings, participants, settings=settings)

    def compute() -> dict[str, MadeTable]:
        recordings = _read_recordings(derivatives, frame_tables, participants, settings)
        segments = assign_recordings(
            read_segments(ratings),
            recordings,
            list(participants["participant_id"]),
            file=ratings.name,
            withdrawn=read_withdrawn(derivatives.study),
        )
        rated = collect_windows(recordings, segments, participants, settings)
        folds = deal_folds(rated.groups, settings, study_folder=derivatives.study)
        store = FoldStore(planned.outputs["performance"].parent / CHECKPOINTS, planned.step.key, recordings.signals)
        store.remove_others()
        tables = predict_atypicality(rated, folds, settings, store, progress=progress)
        facts = {
            **merge_facts(frame_tables if settings.inputs == "signals" else []),
            "signals": list(recordings.signals),
            "protocol": settings.protocol,
            "planted_weights": _read_planted(ratings),
            "segments_by_status": dict(Counter(rated.segments["status"])),
            "one_group_folds": int(folds[folds["one_group"]].groupby(["repeat", "fold"]).ngroups),
        }
        return _describe(tables, planned.outputs, derivatives, list(recordings.tables), facts)

    return bring_up_to_date(planned, compute)


def list_gaps(derivatives: Derivatives) -> list[str]:
    """What the last run of the step left out, and what of its folds a reader has to know; without participants' ids."""
    facts = (read_sidecar(derivatives.group_table("segments", "atypicality")) or {}).get("facts", {})
    counts: dict[str, int] = facts.get("segments_by_status", {})
    left_out = {status: count for status, count in counts.items() if status != USED}
    lines = []
    if left_out:
        reasons = ", ".join(f"{status}: {count}" for status, count in sorted(left_out.items()))
        total = sum(counts.values())
        lines.append(
            f"atypicality: {sum(left_out.values())} of {total} rated segments left out ({reasons}); desc-segments_atypicality "
            "lists them"
        )
    if facts.get("one_group_folds"):
        lines.append(
            f"atypicality: in {facts['one_group_folds']} folds all who are tested are of one group; desc-folds_atypicality "
            "marks them"
        )
    return lines


def _read_planted(ratings: Path) -> dict[str, float]:
    """Weights by which the ratings of rendered sessions were drawn; none where these are not those ratings."""
    try:
        about = json.loads(ratings.with_suffix(".json").read_text(encoding="utf-8"))
        weights = dict(about["Atypicality"]["Weights"]) if about["RatingsSha256"] == sha256_file(ratings) else {}
    except (OSError, ValueError, KeyError, TypeError):
        return {}  # a lab's own description of its ratings, or none
    return weights


def _read_recordings(
    derivatives: Derivatives, frame_tables: Sequence[Path], participants: pd.DataFrame, settings: AtypicalitySettings
) -> Recordings:
    if settings.inputs == "signals":
        require_whole(frame_tables)
        return read_frame_tables(frame_tables)
    groups = sorted({str(group) for group in participants["group"].dropna()})
    return read_label_files(derivatives.study / settings.labels, settings, groups=groups)


def _describe(
    tables: Mapping[str, pd.DataFrame],
    outputs: Mapping[str, Path],
    derivatives: Derivatives,
    keys: Sequence[tuple[str, str, str]],
    facts: Mapping[str, Any],
) -> dict[str, MadeTable]:
    """Tables by the names of the outputs; the predictions of frames go to the recordings where these have frame tables."""
    made = {name: MadeTable(tables[name], *_TABLES[name], facts) for name in outputs if name in tables}
    tracks = tables["frames"]
    own = dict(iter(tracks.groupby(list(KEY[:3]))))
    places = {derivatives.atypicality_track(*key): own.get(key, tracks.iloc[:0]) for key in keys}
    for name, path in outputs.items():
        if name in made:
            continue
        if path not in places:
            raise InvalidInputError(
                f"Expected a recording in the frame table {name}, got none. Extract or import it again."
            )
        made[name] = MadeTable(places[path], _TRACK, FRAME_COLUMNS, facts)
    return made
