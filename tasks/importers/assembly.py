"""From the rows of a tool to a frame table: one face, one row a frame, a clock, and probabilities where the settings ask."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import pandas as pd

from features.frame_table import LEADING_COLUMNS, Column, validate_rows
from features.signal_scales import SCALES
from tasks.errors import InvalidInputError
from tasks.importers.probabilities import describe_probabilities, map_probabilities, scale_of
from tasks.importers.reading import ExportFile
from tasks.importers.toolframes import ToolFrames
from tasks.settings import ImportSettings

PLAUSIBLE_RATES: Final = (1.0, 300.0)
"""Frames a second that a camera can have."""

_MAX_FRAMES: Final = 5_000_000


@dataclass(frozen=True)
class ImportedTable:
    """A frame table made from another tool's.

    Attributes
    ----------
    frames
        The leading columns of `features.frame_table` without the key of the session, then signals by their scaled names.
    columns
        Data dictionary of `frames`.
    facts
        Tool, version, dialect, frame rate, counts and notes, for the sidecar.
    """

    frames: pd.DataFrame
    columns: tuple[Column, ...]
    facts: dict[str, Any] = field(default_factory=dict)


def assemble(source: ExportFile, tool: ToolFrames, settings: ImportSettings) -> ImportedTable:
    """Make a frame table of a tool's rows.

    Parameters
    ----------
    source
        The file, for messages.
    tool
        Its rows.
    settings
        Section `imports` of the settings.

    Returns
    -------
    ImportedTable
        One row for every frame that the tool looked at; frames that it left out within a regular sequence are there
        without a face.

    Raises
    ------
    InvalidInputError
        If frames repeat or go backwards, times go backwards, the frame rate is missing or implausible, or several faces
        cannot be told apart.
    """
    _check_frames(source, tool.rows)
    chosen = _choose_face(source, tool.rows, settings)
    full, stride = _fill_gaps(source, chosen)
    rate = _set_clock(source, full, settings)
    columns = list(tool.signals)
    probabilities, rules = map_probabilities(full, columns, settings.probability_from)
    signals = [column.name for column in columns]
    data = _lead(full, settings)
    valid = data["valid"].to_numpy(dtype=bool)
    measured = full[signals].where(pd.Series(valid, index=full.index)).astype("float32")
    extra = [column.name for column in tool.extra]
    frames = pd.concat(
        [data, full[extra].astype("float32"), probabilities.where(pd.Series(valid, index=full.index)), measured], axis=1
    )
    validate_rows(frames.assign(participant_id="", session="", task=""))
    own = [column for column in LEADING_COLUMNS if column.name in frames]
    scales = sorted({scale_of(column.name) for column in columns})
    facts = {
        "tool": tool.tool,
        "tool_version": tool.version,
        "dialect": tool.dialect,
        "scales": scales,
        "thresholds": {name: SCALES[name].threshold for name in scales},
        "probabilities_from": rules,
        "frame_rate_hz": round(rate, 4),
        "frame_stride": stride,
        "frames_without_a_row": len(full) - len(chosen),
        "frames_by_reason": {str(k): int(v) for k, v in frames["invalid_reason"].value_counts().items()},
        "notes": list(tool.notes),
    }
    described = (*own, *tool.extra, *describe_probabilities(rules, tool.tool), *columns)
    return ImportedTable(frames, described, facts)


def _check_frames(source: ExportFile, rows: pd.DataFrame) -> None:
    frame = rows["frame"].to_numpy(dtype=np.float64)
    wrong = ~(np.isfinite(frame) & (frame >= 0) & (frame == np.floor(frame)))
    if wrong.any():
        line = source.line_of(rows.index[int(np.flatnonzero(wrong)[0])])
        raise InvalidInputError(
            f"{source.file}, line {line}: expected a whole frame number, got none. Export it again."
        )
    back = np.flatnonzero(np.diff(frame) < 0)
    if "face" not in rows and len(back):
        line = source.line_of(rows.index[int(back[0]) + 1])
        raise InvalidInputError(
            f"{source.file}, line {line}: expected frames in order, got {frame[back[0] + 1]:.0f} after {frame[back[0]]:.0f}. "
            "Export each recording into a table of its own, and do not sort it."
        )


def _choose_face(source: ExportFile, rows: pd.DataFrame, settings: ImportSettings) -> pd.DataFrame:
    """One row a frame, with `n_faces` and `others` (other faces but not the participant's)."""
    found = rows["found"].to_numpy(dtype=bool)
    counts = rows["found"].groupby(rows["frame"]).sum()
    if settings.face == "largest" and "face_x1" in rows:
        area = (rows["face_x2"] - rows["face_x1"]) * (rows["face_y2"] - rows["face_y1"])
        order = rows.assign(_area=area.where(found, -1.0)).sort_values(["frame", "_area"], kind="stable")
        kept = order.drop_duplicates("frame", keep="last").drop(columns="_area").sort_values("frame")
        return kept.assign(n_faces=kept["frame"].map(counts), others=False)
    if "face" in rows and len(rows["face"].dropna().unique()) > 1:
        return _follow_face(source, rows, counts)
    _refuse_repeats(source, rows, several=True)
    return rows.assign(n_faces=rows["frame"].map(counts), others=False)


def _follow_face(source: ExportFile, rows: pd.DataFrame, counts: pd.Series) -> pd.DataFrame:
    frequent = rows.loc[rows["found"], "face"].value_counts()
    if frequent.empty:
        raise InvalidInputError(f"{source.file}: expected a face in some frame, got none. Check the video.")
    mine: pd.DataFrame = rows[rows["face"] == frequent.index[0]]
    _refuse_repeats(source, mine, several=False)
    absent = rows[~rows["frame"].isin(mine["frame"])].drop_duplicates("frame")
    empty = absent.reindex(columns=rows.columns)[["frame", *(["time_s"] if "time_s" in rows else [])]]
    both: pd.DataFrame = pd.concat([mine.assign(others=False), empty.assign(found=False, others=True)]).sort_values(
        "frame"
    )
    both["n_faces"] = both["frame"].map(counts)
    both["others"] = (both["others"] | ~both["found"].astype(bool)) & (both["n_faces"] > 0)
    return both


def _refuse_repeats(source: ExportFile, rows: pd.DataFrame, *, several: bool) -> None:
    repeated = rows["frame"].duplicated()
    if not repeated.any():
        return
    second = rows.index[int(repeated.to_numpy().argmax())]
    frame = rows.loc[second, "frame"]
    first = rows.index[rows["frame"] == frame][0]
    action = "Remove the second."
    if several:
        action = "If these are several faces, set imports.face: largest; otherwise remove the second."
    raise InvalidInputError(
        f"{source.file}, line {source.line_of(second)}: expected each frame once, got frame {frame:.0f} again "
        f"(first in line {source.line_of(first)}). {action}"
    )


def _fill_gaps(source: ExportFile, rows: pd.DataFrame) -> tuple[pd.DataFrame, int]:
    """Rows for the frames that a tool left out of its regular sequence, and the step of that sequence."""
    frame = rows["frame"].to_numpy(dtype=np.int64)
    steps = np.diff(frame)
    if len(steps) == 0:
        return rows.reset_index(drop=True), 1
    values, counts = np.unique(steps, return_counts=True)
    stride = int(values[counts.argmax()])
    gaps = np.flatnonzero((steps > stride) & (steps % stride == 0))
    n_missing = int((steps[gaps] // stride - 1).sum())
    if len(frame) + n_missing > _MAX_FRAMES:
        raise InvalidInputError(
            f"{source.file}: expected frame numbers that go up by about {stride}, got a jump of {int(steps.max())}."
        )
    missing = [np.arange(frame[i] + stride, frame[i + 1], stride) for i in gaps]
    wanted = np.sort(np.concatenate([frame, *missing]))
    full = rows.assign(_line=rows.index, frame=frame).set_index("frame").reindex(wanted)
    full["found"] = full["found"].eq(True)
    full["others"] = full["others"].eq(True)
    full["n_faces"] = full["n_faces"].fillna(0)
    return full.rename_axis("frame").reset_index(), stride


def _set_clock(source: ExportFile, rows: pd.DataFrame, settings: ImportSettings) -> float:
    """Fill `time_s` of `rows` and give the frame rate."""
    frame = rows["frame"].to_numpy(dtype=np.float64)
    if settings.frame_rate_hz > 0:
        rows["time_s"] = frame / settings.frame_rate_hz
        return settings.frame_rate_hz
    how = "Set imports.frame_rate_hz, or --frame-rate, to the frame rate of the video."
    if "time_s" not in rows:
        raise InvalidInputError(f"{source.file}: expected times, got a table with frame numbers alone. {how}")
    time_s = rows["time_s"].to_numpy(dtype=np.float64)
    known = np.isfinite(time_s)
    _check_times(source, rows, time_s, known)
    if known.sum() < 2:
        raise InvalidInputError(f"{source.file}: expected two frames or more to tell the frame rate, got one. {how}")
    first, last = np.flatnonzero(known)[[0, -1]]
    span = time_s[last] - time_s[first]
    rate = float((frame[last] - frame[first]) / span) if span > 0 else np.inf
    low, high = PLAUSIBLE_RATES
    if not low <= rate <= high:
        steps = int(frame[last] - frame[first])
        raise InvalidInputError(
            f"{source.file}: expected a frame rate of {low:g} to {high:g} frames/s, got {rate:g} from {steps} frame steps in "
            f"{span:g} s. {how}"
        )
    rows["time_s"] = np.interp(frame, frame[known], time_s[known])
    return rate


def _check_times(
    source: ExportFile, rows: pd.DataFrame, time_s: npt.NDArray[np.float64], known: npt.NDArray[np.bool_]
) -> None:
    places = np.flatnonzero(known)
    back = np.flatnonzero(np.diff(time_s[places]) < 0)
    if len(back):
        here = places[back[0] + 1]
        lines = rows["_line"] if "_line" in rows else rows.index.to_series()
        raise InvalidInputError(
            f"{source.file}, line {source.line_of(int(lines.iloc[here]))}: expected times that increase, got "
            f"{time_s[here]:g} s after {time_s[places[back[0]]]:g} s. Export each recording into a table of its own."
        )


def _lead(rows: pd.DataFrame, settings: ImportSettings) -> pd.DataFrame:
    """The leading columns of a frame table, without the key of the session."""
    reason = np.where(rows["found"], "ok", np.where(rows["others"], "not_target", "no_face")).astype(object)
    if "face_score" in rows:
        reason[rows["found"].to_numpy(dtype=bool) & (rows["face_score"] < settings.min_confidence).to_numpy()] = (
            "low_score"
        )
    data: dict[str, object] = {}
    for column in LEADING_COLUMNS[3:]:
        if column.name == "invalid_reason":
            data[column.name] = pd.array(reason, dtype="str")
        elif column.name == "valid":
            data[column.name] = reason == "ok"
        elif column.name in rows:
            data[column.name] = rows[column.name].to_numpy().astype(column.dtype)
        else:
            data[column.name] = np.full(len(rows), np.nan, dtype=column.dtype)
    return pd.DataFrame(data)
