"""The frame table: one row for every decoded frame of a session video, and what each column means.

The column list below is the contract between extraction, importers, features, reports and exports. Units are suffixes of
names (`time_s`, `yaw_deg`); coordinates are pixels of the upright source frame, origin at the top left.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final

import numpy as np
import pandas as pd

from features.facs import AROUSAL, AU_NAMES, EMOTIONET_AUS, EXPRESSION_COLUMNS, VALENCE, frame_signals

INVALID_REASONS: Final[tuple[str, ...]] = (
    "ok", "no_face", "low_score", "not_target", "too_small", "extreme_pose", "blurred", "decode_error",
)  # fmt: skip
"""Values of `invalid_reason`; ``ok`` exactly where `valid` is true."""

KEY: Final[tuple[str, ...]] = ("participant_id", "session", "task", "frame")
"""Columns that identify a row."""

BOX: Final[tuple[str, ...]] = ("face_x1", "face_y1", "face_x2", "face_y2")
LANDMARKS: Final[tuple[str, ...]] = (
    "left_eye_x", "left_eye_y", "right_eye_x", "right_eye_y", "nose_x", "nose_y",
    "left_mouth_x", "left_mouth_y", "right_mouth_x", "right_mouth_y",
)  # fmt: skip
"""Five landmarks; left and right as the viewer sees them."""

POSE: Final[tuple[str, ...]] = ("yaw_deg", "pitch_deg", "roll_deg")


@dataclass(frozen=True, slots=True)
class Column:
    """One column of a table, as its data dictionary describes it.

    Attributes
    ----------
    name
        Column name; also valid in R and SPSS.
    dtype
        ``int32``, ``float32``, ``float64``, ``bool`` or ``string``.
    description
        What it holds, in a sentence without a full stop.
    unit
        Unit of measurement, or an empty string.
    low, high
        Range of admissible values, or None where it is open.
    levels
        Value -> meaning, of categorical columns.
    """

    name: str
    dtype: str
    description: str
    unit: str = ""
    low: float | None = None
    high: float | None = None
    levels: dict[str, str] = field(default_factory=dict)


_REASON_LEVELS: Final[dict[str, str]] = {
    "ok": "the participant's face was measured",
    "no_face": "no face was found",
    "low_score": "the best face scored under detection.confidence",
    "not_target": "faces were found, none of them the participant's",
    "too_small": "the face is smaller than quality.min_face_px",
    "extreme_pose": "yaw or pitch beyond quality.max_yaw_deg or quality.max_pitch_deg",
    "blurred": "sharpness under quality.min_sharpness",
    "decode_error": "the frame could not be decoded",
}

LEADING_COLUMNS: Final[tuple[Column, ...]] = (
    Column("participant_id", "string", "Participant, as in participants.tsv, without the prefix sub-"),
    Column("session", "string", "Session label; empty where the study has one session a participant"),
    Column("task", "string", "Stimulus that was shown"),
    Column("frame", "int32", "Index of the frame in presentation order, from 0", low=0),
    Column("time_s", "float64", "Presentation time from the start of the recording", "s", low=0),
    Column("valid", "bool", "Whether the participant's face was measured in this frame"),
    Column("invalid_reason", "string", "Why a frame is not valid", levels=_REASON_LEVELS),
    Column("n_faces", "int32", "Faces found at or above the detection threshold", low=0),
    *(Column(name, "float32", f"Face box, {name[-2:]}", "px") for name in BOX),
    Column("face_score", "float32", "Detection score of the participant's face", low=0, high=1),
    *(Column(name, "float32", f"Landmark {name[:-2].replace('_', ' ')}, {name[-1]}", "px") for name in LANDMARKS),
    Column("yaw_deg", "float32", "Head turn; positive toward the right of the image", "deg", -180, 180),
    Column("pitch_deg", "float32", "Head nod; positive upward", "deg", -180, 180),
    Column("roll_deg", "float32", "Head tilt; positive clockwise in the image", "deg", -180, 180),
    Column("sharpness", "float32", "Variance of the Laplacian of the aligned grey crop", "grey levels squared", low=0),
    Column("brightness", "float32", "Mean grey level of the aligned crop, 0 black to 255 white", "grey levels", 0, 255),
)
"""Columns of every frame table, whatever tool measured the face; those after `n_faces` are null where it did not."""


def columns(aus: Sequence[str] = EMOTIONET_AUS) -> tuple[Column, ...]:
    """Columns of a frame table in order.

    Parameters
    ----------
    aus
        Action units that the attribute model reads; they decide how many signal columns there are.

    Returns
    -------
    tuple of Column
    """
    units = tuple(
        Column(au, "float32", f"Probability of {au} ({AU_NAMES.get(au, 'action unit')})", low=0, high=1) for au in aus
    )
    expressions = tuple(
        Column(name, "float32", f"Probability of the expression {name.removeprefix('expr_')}", low=0, high=1)
        for name in EXPRESSION_COLUMNS
    )
    affect = (
        Column(AROUSAL, "float32", "Arousal, calm to excited", low=-1, high=1),
        Column(VALENCE, "float32", "Valence, negative to positive", low=-1, high=1),
    )
    return (*LEADING_COLUMNS, *units, *expressions, *affect)


def empty_rows(n: int, aus: Sequence[str] = EMOTIONET_AUS) -> pd.DataFrame:
    """`n` rows of a frame table without a measurement: not valid, ``no_face``, signals null.

    Parameters
    ----------
    n
        Number of rows.
    aus
        Action units of the attribute model.

    Returns
    -------
    DataFrame
        All columns of `columns`, with their dtypes.
    """
    data: dict[str, object] = {}
    for column in columns(aus):
        if column.dtype == "string":
            data[column.name] = pd.array([""] * n, dtype="str")
        elif column.dtype == "bool":
            data[column.name] = np.zeros(n, dtype=bool)
        elif column.dtype == "int32":
            data[column.name] = np.zeros(n, dtype=np.int32)
        else:
            data[column.name] = np.full(n, np.nan, dtype=column.dtype)
    rows = pd.DataFrame(data)
    rows["invalid_reason"] = pd.array(["no_face"] * n, dtype="str")
    return rows


def validate(frames: pd.DataFrame, aus: Sequence[str] = EMOTIONET_AUS) -> None:
    """Check a frame table against the contract.

    Parameters
    ----------
    frames
        Frame table of one or several sessions.
    aus
        Action units that it should hold.

    Raises
    ------
    ValueError
        If columns are missing or unexpected, a key occurs twice, times of a session do not increase, `valid` and
        `invalid_reason` contradict each other, or a signal is null in a valid row or present in an invalid one.
    """
    expected = [column.name for column in columns(aus)]
    missing = [name for name in expected if name not in frames]
    unexpected = [name for name in frames if name not in expected]
    if missing or unexpected:
        raise ValueError(
            f"Expected the columns of a frame table; missing {missing or 'none'}, unexpected {unexpected or 'none'}."
        )
    validate_rows(frames)
    present = frames[list(frame_signals(aus))].notna()
    if not present[frames["valid"]].all(axis=None) or present[~frames["valid"]].any(axis=None):
        raise ValueError("Expected signals in every valid row and in no other.")


def validate_rows(frames: pd.DataFrame) -> None:
    """Check keys, times and validity of a frame table, whichever signals it holds.

    Parameters
    ----------
    frames
        Frame table of one or several sessions.

    Raises
    ------
    ValueError
        If a key occurs twice, times of a session step backwards, or `valid` and `invalid_reason` contradict each other.
    """
    if frames.duplicated(list(KEY)).any():
        row = frames.loc[frames.duplicated(list(KEY))].iloc[0]
        raise ValueError(f"Expected each frame once, got frame {row['frame']} of {row['participant_id']} twice.")
    steps = frames.groupby(list(KEY[:3]), sort=False)["time_s"].diff()
    if (steps < 0).any():
        raise ValueError("Expected time_s to increase within a session, got a step backwards.")
    unknown = set(frames["invalid_reason"]) - set(INVALID_REASONS)
    if unknown:
        raise ValueError(f"Expected invalid_reason to be one of {INVALID_REASONS}, got {sorted(unknown)}.")
    if not (frames["valid"] == (frames["invalid_reason"] == "ok")).all():
        raise ValueError("Expected invalid_reason to be ok exactly where valid is true.")
