"""Emotion of a frame by the stimulus segment that was on screen, and what faces did in each emotion.

The label says what was *shown*, not what the child showed: it is free of the expression network and of its errors.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final, Literal

import numpy as np
import numpy.typing as npt
import pandas as pd

from features.facs import EMOTIONET_AUS
from features.vector_58 import valid_rows

EMOTION: Final = "emotion"
EVENT_COLUMNS: Final[tuple[str, ...]] = ("onset", "duration", "trial_type")
"""Columns of a BIDS events table that are read: seconds, seconds, name of the emotion."""

_RESOLUTION: Final = 6  # decimals of a second: container time bases leave 9.9999999 where 10 was meant
_OVERLAP_TOLERANCE_S: Final = 1e-3  # onsets and durations are often rounded to milliseconds apiece

SegmentStatistic = Literal["active", "mean"]


def label_frames_by_segment(frames: pd.DataFrame, events: pd.DataFrame) -> pd.Series:
    """Name the stimulus segment that covers each frame.

    Parameters
    ----------
    frames
        Frames of one session; `time_s` is all it needs, in any order.
    events
        Stimulus segments of that session: `onset` (s), `duration` (s) and `trial_type`. Rows whose duration is 0 or
        null, or whose `trial_type` is null, are moments and cover nothing.

    Returns
    -------
    Series of str
        Index of `frames`, name ``emotion``; null in frames that no segment covers. A segment covers the times
        ``onset <= time_s < onset + duration``, at a resolution of a microsecond.

    Raises
    ------
    ValueError
        If a column is missing, a time is not a number, a duration is negative, or two segments overlap by more than a
        millisecond.

    Examples
    --------
    >>> events = pd.DataFrame({"onset": [0.0, 2.0], "duration": [2.0, 1.0], "trial_type": ["happy", "sad"]})
    >>> label_frames_by_segment(pd.DataFrame({"time_s": [0.0, 1.9, 2.0, 3.0]}), events).tolist()
    ['happy', 'happy', 'sad', nan]
    """
    if "time_s" not in frames:
        raise ValueError("Expected the column time_s in the frame table, got none.")
    time_s = frames["time_s"].to_numpy(dtype=np.float64, na_value=np.nan)
    if not np.isfinite(time_s).all():
        raise ValueError("Expected a time in every frame, got nulls in time_s.")
    onsets, ends, names = _read_segments(events)
    labels = np.full(len(frames), None, dtype=object)
    if len(onsets):
        time_s = time_s.round(_RESOLUTION)
        segment = np.searchsorted(onsets, time_s, side="right") - 1
        covered = (segment >= 0) & (time_s < ends[segment])
        labels[covered] = names[segment[covered]]
    return pd.Series(labels, index=frames.index, name=EMOTION, dtype="str")


def _read_segments(
    events: pd.DataFrame,
) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64], npt.NDArray[np.object_]]:
    """Onsets, ends and names of segments that last, sorted by onset."""
    absent = [name for name in EVENT_COLUMNS if name not in events]
    if absent:
        raise ValueError(f"Expected the columns onset, duration and trial_type in events; missing {', '.join(absent)}.")
    onset = _to_seconds(events["onset"], "onset")
    duration = _to_seconds(events["duration"], "duration")
    if (duration < 0).any():
        raise ValueError(f"Expected durations of 0 s or more in events, got {np.nanmin(duration):g}.")
    lasting = (np.nan_to_num(duration) > 0) & events["trial_type"].notna().to_numpy()
    if np.isnan(onset[lasting]).any():
        raise ValueError("Expected an onset of every segment in events, got nulls.")
    order = np.argsort(onset[lasting], kind="stable")
    starts = onset[lasting][order]
    ends = starts + duration[lasting][order]
    names = events["trial_type"].to_numpy(dtype=object)[lasting][order]
    overlap = ends[:-1] - starts[1:] > _OVERLAP_TOLERANCE_S
    if overlap.any():
        first = int(np.argmax(overlap))
        raise ValueError(
            f"Expected segments one after the other in events, got {names[first]!r} until {ends[first]:g} s "
            f"and {names[first + 1]!r} from {starts[first + 1]:g} s."
        )
    return starts.round(_RESOLUTION), ends.round(_RESOLUTION), names


def _to_seconds(column: pd.Series, name: str) -> npt.NDArray[np.float64]:
    given = column.notna() & (column != "n/a")
    seconds = pd.to_numeric(column.where(given), errors="coerce")
    wrong = column[given & seconds.isna()]
    if len(wrong):
        raise ValueError(f"Expected seconds in the column {name} of events, got {wrong.iloc[0]!r}.")
    return seconds.to_numpy(dtype=np.float64, na_value=np.nan)


def summarize_segments(
    frames: pd.DataFrame,
    emotions: pd.Series,
    *,
    signals: Sequence[str] = EMOTIONET_AUS,
    statistic: SegmentStatistic = "active",
    threshold: float = 0.5,
    min_frames: int = 1,
) -> pd.DataFrame:
    """Activation rate or mean of signals in each emotion of a session.

    Parameters
    ----------
    frames
        Frames of one session: `valid` and the columns of `signals`.
    emotions
        Emotion of each frame, aligned with `frames`, null where there is none; see `label_frames_by_segment`.
    signals
        Columns to summarise.
    statistic
        ``active``: fraction of valid frames in which the signal is strictly above `threshold`. ``mean``: mean over
        valid frames.
    threshold
        Threshold of ``active``, in the signal's unit.
    min_frames
        Emotions with fewer valid frames than this are null: a rate of two frames is no measurement.

    Returns
    -------
    DataFrame
        One row an emotion, sorted by name: index ``emotion``, column ``n_valid`` (int) and one float64 column a signal.

    Raises
    ------
    ValueError
        If columns are missing or the two tables have different lengths.

    Examples
    --------
    >>> frames = pd.DataFrame({"valid": [True] * 4, "AU12": [0.9, 0.1, 0.8, 0.7]})
    >>> emotions = pd.Series(["happy", "happy", "sad", None])
    >>> summarize_segments(frames, emotions, signals=["AU12"])["AU12"].to_dict()
    {'happy': 0.5, 'sad': 1.0}
    """
    absent = [name for name in signals if name not in frames]
    if absent:
        raise ValueError(f"Expected the signals {', '.join(signals)} in the frame table; missing {', '.join(absent)}.")
    if len(frames) != len(emotions):
        raise ValueError(f"Expected an emotion of each of {len(frames)} frames, got {len(emotions)}.")
    valid = valid_rows(frames)
    names = emotions.to_numpy(dtype=object)
    values = frames[list(signals)].to_numpy(dtype=np.float64, na_value=np.nan)
    if statistic == "active":
        values = np.where(np.isnan(values), np.nan, values > threshold)
    elif statistic != "mean":
        raise ValueError(f"Expected statistic to be 'active' or 'mean', got {statistic!r}.")
    shown = [name for name in pd.unique(names) if not pd.isna(name)]
    rows = {}
    for name in sorted(shown, key=str):
        chosen = valid & (names == name)
        n_valid = int(chosen.sum())
        enough = n_valid >= max(min_frames, 1)
        rows[name] = [n_valid, *(values[chosen].mean(axis=0) if enough else np.full(len(signals), np.nan))]
    table = pd.DataFrame.from_dict(rows, orient="index", columns=["n_valid", *signals])
    return table.rename_axis(EMOTION).astype({"n_valid": np.int32})
