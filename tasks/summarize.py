"""Frame tables -> one row a participant and session: the 58 features, coverage, and whether the session counts."""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Mapping
from typing import Final

import numpy as np
import pandas as pd

from features.frame_table import Column
from features.vector_58 import (
    COVERAGE_COLUMNS,
    FEATURE_NAMES,
    SIGNALS,
    SPECS,
    Coverage,
    coverage,
    feature_columns,
    participant_vector,
)
from tasks.errors import InvalidInputError
from tasks.frame_sources import SESSION_KEY, FrameSource, SessionKey, describe_session, read_sessions
from tasks.settings import SummarizeSettings

INCLUDED: Final = "included"
EXCLUSION_REASON: Final = "exclusion_reason"

_KEY_COLUMNS: Final[tuple[Column, ...]] = (
    Column("participant_id", "string", "Participant, as in participants.tsv, without the prefix sub-"),
    Column("session", "string", "Session label; empty where the study has one session a participant"),
    Column("task", "string", "Stimulus that was shown"),
    Column("group", "string", "Group of the participant"),
)
_GATE_COLUMNS: Final[tuple[Column, ...]] = (
    Column(INCLUDED, "bool", "Whether the session has enough valid frames to be tested"),
    Column(EXCLUSION_REASON, "string", "Why a session is left out of tests; empty where it is not"),
)


def participant_columns(settings: SummarizeSettings | None = None) -> tuple[Column, ...]:
    """Data dictionary of the participant table, without the covariates of participants.tsv.

    Parameters
    ----------
    settings
        Settings with which the table was made; the defaults where None.

    Returns
    -------
    tuple of Column
    """
    threshold = (settings or SummarizeSettings()).activation_threshold
    return (
        *_KEY_COLUMNS,
        *COVERAGE_COLUMNS,
        *_GATE_COLUMNS,
        *feature_columns(activation_threshold=threshold),
    )


def summarize_participants(
    frame_tables: Iterable[FrameSource], participants: pd.DataFrame, settings: SummarizeSettings | None = None
) -> pd.DataFrame:
    """Summarise each session of each participant in one row.

    Parameters
    ----------
    frame_tables
        Frame tables or their files, each of one or several sessions.
    participants
        participants.tsv: `participant_id` (with or without ``sub-``), `group`, and any covariates.
    settings
        Section `summarize` of the settings; the defaults where None.

    Returns
    -------
    DataFrame
        ``desc-features_participants``, sorted by participant, session and task: key, `group`, `age`, `sex`, the other
        covariates, coverage, `included`, `exclusion_reason`, the 58 features (null where there are too few valid frames
        to compute any, or an imported table lacks their signals). A session under the coverage gate, or without all
        signals, is kept and marked.

    Raises
    ------
    InvalidInputError
        If a frame table has a participant whom participants.tsv does not have, a session occurs twice, columns are
        missing or named like columns of this table, or a signal is null or out of range in a valid frame.
    """
    chosen = settings or SummarizeSettings()
    people = _index_participants(participants)
    covariates = people.to_dict(orient="index")
    rows = []
    seen: set[SessionKey] = set()
    for key, frames in read_sessions(frame_tables, only=("time_s", "valid"), optional=SIGNALS):
        if key[0] not in covariates:
            raise InvalidInputError(f"Expected {describe_session(key)} in participants.tsv, but there is no such row.")
        if key in seen:
            raise InvalidInputError(f"Expected each session once, got frame tables of {describe_session(key)} twice.")
        seen.add(key)
        rows.append(_summarize_session(key, frames, covariates[key[0]], chosen))
    table = pd.DataFrame(rows, columns=_order_columns(people))
    described = {c.name: c.dtype for c in participant_columns(chosen) if c.dtype not in ("string",)}
    return table.sort_values(list(SESSION_KEY), ignore_index=True).astype(described)


def _index_participants(participants: pd.DataFrame) -> pd.DataFrame:
    absent = [name for name in ("participant_id", "group") if name not in participants]
    if absent:
        raise InvalidInputError(f"Expected the columns {', '.join(absent)} in participants.tsv, but they are missing.")
    own = {column.name for column in participant_columns()} - {"participant_id", "group"}
    taken = [str(name) for name in participants if name in own]
    if taken:
        raise InvalidInputError(f"Expected other names for the columns {', '.join(taken)} of participants.tsv: rename.")
    ids = participants["participant_id"].astype(str).str.removeprefix("sub-")
    if ids.duplicated().any():
        raise InvalidInputError(f"Expected each participant once, got {ids[ids.duplicated()].iloc[0]} twice.")
    return participants.drop(columns="participant_id").set_index(pd.Index(ids, name="participant_id"))


def _order_columns(people: pd.DataFrame) -> list[str]:
    covariates = sorted((str(name) for name in people if name != "group"), key=lambda name: name not in ("age", "sex"))
    return [
        *(column.name for column in _KEY_COLUMNS),
        *covariates,
        *(column.name for column in (*COVERAGE_COLUMNS, *_GATE_COLUMNS)),
        *FEATURE_NAMES,
    ]


def _summarize_session(
    key: SessionKey, frames: pd.DataFrame, person: Mapping[Hashable, object], settings: SummarizeSettings
) -> dict[Hashable, object]:
    try:
        seen = coverage(frames)
        lacking = [name for name in SIGNALS if name not in frames]
        if seen.n_valid > settings.ddof and not (lacking and settings.lacking_signals == "refuse"):
            vector = participant_vector(
                frames.assign(**dict.fromkeys(lacking, 0.0)),
                missing=settings.missing,
                ddof=settings.ddof,
                activation_threshold=settings.activation_threshold,
                positive_threshold=settings.positive_threshold,
            )
        else:
            vector = pd.Series(np.nan, index=list(FEATURE_NAMES))
        vector[[spec.name for spec in SPECS if spec.signal in lacking]] = np.nan
    except ValueError as error:
        raise InvalidInputError(f"{describe_session(key)}: {error}") from error
    missing = f"its frame table lacks {', '.join(lacking)}" if lacking else ""
    reason = "; ".join(filter(None, (explain_exclusion(seen, settings), missing)))
    return {
        **dict(zip(SESSION_KEY, key, strict=True)),
        **person,
        "n_frames": seen.n_frames,
        "n_valid": seen.n_valid,
        "valid_fraction": seen.valid_fraction,
        "longest_gap_s": seen.longest_gap_s,
        INCLUDED: not reason,
        EXCLUSION_REASON: reason,
        **vector.to_dict(),
    }


def explain_exclusion(seen: Coverage, settings: SummarizeSettings) -> str:
    """Say why a session is left out of tests.

    Parameters
    ----------
    seen
        Coverage of the session.
    settings
        Section `summarize` of the settings, which holds the gate.

    Returns
    -------
    str
        Empty where the session counts.

    Examples
    --------
    >>> explain_exclusion(Coverage(1000, 400, 0.4, 3.0), SummarizeSettings())
    '40.0 % of frames are valid, 50.0 % are needed'
    """
    reasons = []
    if seen.n_valid == 0:
        return "no frame is valid"
    needed = max(settings.min_valid_frames, 1 + settings.ddof)
    if seen.n_valid < needed:
        reasons.append(f"{seen.n_valid} frames are valid, {needed} are needed")
    if seen.valid_fraction < settings.min_valid_fraction:
        share = np.floor(1000 * seen.valid_fraction) / 10  # rounded down: 49.99 % must not read as 50 %
        reasons.append(f"{share:.1f} % of frames are valid, {100 * settings.min_valid_fraction:.1f} % are needed")
    return "; ".join(reasons)
