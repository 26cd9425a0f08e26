"""Stimulus segments: the events tables of a study."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Final

import pandas as pd

from tasks.delimited import MISSING, Row, TextTable, is_decimal_comma, parse_number, read_text_table
from tasks.errors import InvalidInputError
from tasks.problems import Problem, list_problems

REQUIRED: Final = ("onset", "duration", "trial_type")
STIMULUS: Final = "stim_id"

_END_TOLERANCE_S: Final = 0.5
"""Seconds by which a segment may outlast its video unmarked; cameras stop a little before or after the stimulus."""


def check_events(path: Path, *, file: str, participant_id: str | None = None) -> tuple[pd.DataFrame, list[Problem]]:
    """Read an events table and list what is wrong with it.

    Parameters
    ----------
    path
        The table: `onset` and `duration` in seconds from the start of the video, `trial_type`, and optionally
        `stim_id`.
    file
        Its path relative to the study, for messages.
    participant_id
        Whose it is; None for a table that several participants share.

    Returns
    -------
    segments : DataFrame
        Columns onset, duration (float64), trial_type, stim_id (text, missing as None), sorted by onset; only valid
        rows.
    problems : list of Problem
    """
    table = read_text_table(path, file=file, delimiter="\t", required=REQUIRED, participant_id=participant_id)
    problems = list(table.problems)
    records = []
    for row in table.rows:
        found = _check_row(row, file, participant_id)
        problems += found
        if not found:
            records.append((row.line, *_record(row)))
    columns = ["line", *REQUIRED, STIMULUS]
    segments = pd.DataFrame(records, columns=columns).astype({"onset": "float64", "duration": "float64"})
    segments = segments.sort_values("onset", kind="stable", ignore_index=True)
    problems += _find_overlaps(segments, table, participant_id)
    return segments.drop(columns="line"), problems


def read_events(path: Path) -> pd.DataFrame:
    """Stimulus segments of an events table that was checked before.

    Parameters
    ----------
    path
        The table.

    Returns
    -------
    DataFrame
        As of `check_events`.

    Raises
    ------
    InvalidInputError
        If it holds errors.
    """
    segments, problems = check_events(path, file=path.name)
    errors = [problem for problem in problems if problem.severity == "error"]
    if errors:
        raise InvalidInputError(list_problems(errors))
    return segments


def find_late_segments(segments: pd.DataFrame, *, duration_s: float, file: str, participant_id: str) -> list[Problem]:
    """Warn of segments that begin or end after the end of their video.

    Parameters
    ----------
    segments
        From `check_events`.
    duration_s
        Length of the video, seconds.
    file
        The events table, for messages.
    participant_id
        Whose video it is.
    """
    late = segments[segments["onset"] + segments["duration"] > duration_s + _END_TOLERANCE_S]
    if late.empty:
        return []
    end = float((late["onset"] + late["duration"]).max())
    return [
        Problem(
            "warning", "events_beyond_end", file, None, participant_id,
            f"Expected segments within the {duration_s:.1f} s of the video, got {len(late)} that end later, at up to {end:.1f} s.",
            "Check that onsets are seconds, not milliseconds, and that the recording is complete.",
        )
    ]  # fmt: skip


def _record(row: Row) -> tuple[float, float, str, str | None]:
    stimulus = row.cells.get(STIMULUS, MISSING)
    return (
        float(row.cells["onset"]),
        float(row.cells["duration"]),
        row.cells["trial_type"],
        None if stimulus == MISSING else stimulus,
    )


def _check_row(row: Row, file: str, participant_id: str | None) -> list[Problem]:
    found = []
    for name in ("onset", "duration"):
        text = row.cells[name]
        number = parse_number(text)
        if number is not None and number >= 0:
            continue
        comma = is_decimal_comma(text)
        found.append(
            Problem(
                "error", "decimal_comma" if comma else "event_time", file, row.line, participant_id,
                f"Expected {name} in seconds, a number of at least 0, got '{text}'.",
                "Write a decimal point instead of the comma." if comma else "Correct the value.",
            )
        )  # fmt: skip
    if row.cells["trial_type"] == MISSING:
        found.append(
            Problem(
                "error", "event_type", file, row.line, participant_id,
                "Expected a trial_type, got n/a.", "Name the kind of segment, such as the emotion that it shows.",
            )
        )  # fmt: skip
    return found


def _find_overlaps(segments: pd.DataFrame, table: TextTable, participant_id: str | None) -> list[Problem]:
    ends = (segments["onset"] + segments["duration"]).cummax().shift()
    overlapping: Sequence[int] = segments.loc[segments["onset"] < ends - 1e-9, "line"].tolist()
    return [
        Problem(
            "warning", "events_overlap", table.file, int(line), participant_id,
            "Expected segments one after the other, got one that begins before the segment before it has ended.",
            "Frames in both count for both; correct onset or duration if that is not meant.",
        )
        for line in overlapping
    ]  # fmt: skip
