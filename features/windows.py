"""Sliding windows over runs of consecutive frames, each with a label from the ratings of its frames.

A run never crosses a gap, a participant, a session, a task or a rated segment. Windows are kept as their first rows in one
array of frames: a hundred thousand overlapping windows cost no more memory than the frames they are made of.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, Literal, get_args

import numpy as np
import numpy.typing as npt
import pandas as pd

LabelRule = Literal["mode", "mean", "segment"]

RUN_KEYS: Final = ("participant_id", "session", "task", "segment")
"""Columns of which a run holds one value each; those that a table lacks are not looked at."""

FloatArray = npt.NDArray[np.float32]
LabelArray = npt.NDArray[np.float64]
IntArray = npt.NDArray[np.intp]


@dataclass(frozen=True, slots=True, eq=False)
class WindowIndex:
    """Windows as rows of one array of frames.

    Attributes
    ----------
    signals
        Shape (n_frames, n_signals), float32: the frames that were used, sorted by run and frame.
    starts
        Shape (n,), row of `signals` at which each window starts; it goes on for `length` rows.
    length
        Frames of a window.
    labels
        Shape (n,), float64; NaN where there were no ratings.
    provenance
        One row a window: the columns of `RUN_KEYS` that the frames have, and `start` and `end`, its first and last frame
        number (both within the window).
    runs
        One row a run: the same columns of the whole run, `n_frames`, `n_windows`, `n_dropped` (windows with a missing
        signal) and `too_short` (fewer frames than a window).
    """

    signals: FloatArray
    starts: IntArray
    length: int
    labels: LabelArray
    provenance: pd.DataFrame
    runs: pd.DataFrame

    def __len__(self) -> int:
        return len(self.starts)

    def windows(self) -> FloatArray:
        """All windows, shape (n, length, n_signals).

        A read-only view where the windows follow one another evenly, as in a single run; otherwise a copy.
        """
        n_signals = self.signals.shape[1]
        if not len(self.starts):
            return np.empty((0, self.length, n_signals), dtype=np.float32)
        views = np.lib.stride_tricks.sliding_window_view(self.signals, self.length, axis=0).transpose(0, 2, 1)
        steps = np.diff(self.starts)
        if len(steps) and (steps == steps[0]).all():
            return views[self.starts[0] : self.starts[-1] + 1 : steps[0]]
        return np.asarray(views[self.starts])


def sliding_windows(
    frames: pd.DataFrame,
    signals: Sequence[str],
    ratings: pd.Series[float],
    *,
    length: int = 15,
    stride: int = 1,
    label: LabelRule = "mode",
) -> tuple[FloatArray, LabelArray, pd.DataFrame]:
    """Cut windows out of the rated frames.

    Parameters
    ----------
    frames, signals, ratings, length, stride, label
        As in `index_windows`, which also tells what was left out.

    Returns
    -------
    windows : ndarray, shape (n, length, n_signals), float32
        In the order of participant, session, task, segment and frame.
    labels : ndarray, shape (n,), float64
    provenance : DataFrame
        One row a window: participant (and session, task, segment where there), `start` and `end` frame.

    Raises
    ------
    ValueError
        As `index_windows`.

    Examples
    --------
    >>> frames = pd.DataFrame({"participant_id": "p1", "frame": [0, 1, 2, 5, 6], "AU12": [0.0, 1.0, 0.0, 1.0, 1.0]})
    >>> windows, labels, where = sliding_windows(frames, ["AU12"], pd.Series([1.0, 1.0, 3.0, 2.0, 2.0]), length=2)
    >>> windows.shape, labels.tolist(), where["start"].tolist()
    ((3, 2, 1), [1.0, 1.0, 2.0], [0, 1, 5])
    """
    index = index_windows(frames, signals, ratings, length=length, stride=stride, label=label)
    return index.windows(), index.labels, index.provenance


def index_windows(
    frames: pd.DataFrame,
    signals: Sequence[str],
    ratings: pd.Series[float] | None,
    *,
    length: int = 15,
    stride: int = 1,
    label: LabelRule = "mode",
) -> WindowIndex:
    """Find the windows of a frame table.

    Parameters
    ----------
    frames
        One row a frame, in any order: `participant_id`, `frame` (integers), the columns of `signals`, and where there are
        any `session`, `task` and `segment`.
    signals
        Columns that a window holds. A window with a missing or infinite value is dropped and counted.
    ratings
        Aligned with the rows of `frames`; frames without a rating belong to no run. None: all frames are used and labels
        are NaN, as for prediction.
    length, stride
        Frames of a window, and frames between the starts of windows of one run.
    label
        ``mode``: the most frequent rating in the window; of equally frequent ones the one met first. ``mean``: their mean.
        ``segment``: a change of rating ends the run, so that a window has the one rating of its segment. With the other
        rules a change of rating ends a run only where `frames` has a column `segment` that says so.

    Returns
    -------
    WindowIndex

    Raises
    ------
    ValueError
        If columns are missing, ratings do not fit the frames, a frame is there twice, or length, stride or label make no
        sense.

    References
    ----------
    .. [1] Hugging Rain Man, section V-A: windows of 15 frames (0.5 s), shorter segments discarded.
    """
    _check(frames, signals, ratings, length, stride, label)
    keys = [name for name in RUN_KEYS if name in frames.columns]
    columns = frames[[*keys, "frame"]].reset_index(drop=True)
    if ratings is not None:
        columns = columns.assign(rating=np.asarray(ratings, dtype=np.float64))
        columns = columns[columns["rating"].notna()]
    columns = columns.sort_values([*keys, "frame"], kind="stable")
    if columns.duplicated([*keys, "frame"]).any():
        twice = columns[columns.duplicated([*keys, "frame"])].iloc[0].to_dict()
        raise ValueError(f"Expected each frame once, got one again: {twice}; remove the repeated rows.")
    values = frames[list(signals)].to_numpy(dtype=np.float32, na_value=np.nan)[columns.index]
    columns = columns.reset_index(drop=True)
    first, size = _find_runs(columns, keys, split_ratings=ratings is not None and label == "segment")
    starts, run = _place_windows(first, size, length, stride)
    whole = _are_whole(values, starts, length)
    n_windows = np.bincount(run[whole], minlength=len(first))
    runs = _describe(columns, keys, first, first + size - 1).assign(
        n_frames=size.astype(np.int32),
        n_windows=n_windows.astype(np.int32),
        n_dropped=(np.bincount(run, minlength=len(first)) - n_windows).astype(np.int32),
        too_short=size < length,
    )
    starts = starts[whole]
    labels = np.full(len(starts), np.nan)
    if ratings is not None:
        labels = _label(columns["rating"].to_numpy(), starts, length, label)
    return WindowIndex(values, starts, length, labels, _describe(columns, keys, starts, starts + length - 1), runs)


def _check(
    frames: pd.DataFrame,
    signals: Sequence[str],
    ratings: pd.Series[float] | None,
    length: int,
    stride: int,
    label: LabelRule,
) -> None:
    missing = [name for name in ("participant_id", "frame", *signals) if name not in frames.columns]
    if missing or not signals:
        raise ValueError(f"Expected participant_id, frame and one signal or more in the frames, {missing} missing.")
    if length < 1 or stride < 1:
        raise ValueError(f"Expected length and stride of 1 or more, got {length} and {stride}.")
    if label not in get_args(LabelRule):
        raise ValueError(f"Expected label to be one of {get_args(LabelRule)}, got {label!r}.")
    if ratings is not None and len(ratings) != len(frames):
        raise ValueError(f"Expected a rating of each of {len(frames)} frames, got {len(ratings)}.")


def _find_runs(columns: pd.DataFrame, keys: list[str], *, split_ratings: bool) -> tuple[IntArray, IntArray]:
    """First row and number of rows of each run of sorted frames."""
    n = len(columns)
    breaks = np.ones(n, dtype=np.bool_)
    if n:
        breaks[1:] = np.diff(columns["frame"].to_numpy(dtype=np.int64)) != 1
    for name in keys:
        codes = pd.factorize(columns[name], use_na_sentinel=False)[0]
        breaks[1:] |= np.diff(codes) != 0
    if split_ratings:
        breaks[1:] |= np.diff(columns["rating"].to_numpy()) != 0
    first = np.flatnonzero(breaks)
    return first, np.diff(np.append(first, n))


def _place_windows(first: IntArray, size: IntArray, length: int, stride: int) -> tuple[IntArray, IntArray]:
    """First row of each window, and the number of its run."""
    count = np.maximum((size - length) // stride + 1, 0)
    run = np.repeat(np.arange(len(first)), count)
    within = np.arange(len(run)) - np.repeat(np.cumsum(count) - count, count)
    return first[run] + stride * within, run


def _are_whole(values: FloatArray, starts: IntArray, length: int) -> npt.NDArray[np.bool_]:
    missing = np.concatenate([[0], np.cumsum(~np.isfinite(values).all(axis=1))])
    return np.asarray(missing[starts + length] == missing[starts])


def _describe(columns: pd.DataFrame, keys: list[str], start: IntArray, end: IntArray) -> pd.DataFrame:
    table = columns.iloc[start][keys].reset_index(drop=True)
    frame = columns["frame"].to_numpy(dtype=np.int32)
    return table.assign(start=frame[start], end=frame[end])


def _label(ratings: LabelArray, starts: IntArray, length: int, rule: LabelRule) -> LabelArray:
    labels = ratings[starts]
    changes = np.concatenate([[0], np.cumsum(np.diff(ratings) != 0)]) if len(ratings) else np.zeros(0, dtype=int)
    mixed = np.flatnonzero(changes[starts + length - 1] != changes[starts])
    if not len(mixed):
        return labels
    inside = np.lib.stride_tricks.sliding_window_view(ratings, length)[starts[mixed]]
    if rule == "mean":
        labels[mixed] = inside.mean(axis=1)
    else:
        counts = np.zeros(inside.shape, dtype=np.int32)
        for position in range(length):
            counts += inside == inside[:, position, None]
        # argmax gives the first of equal counts: the rating that was met first
        labels[mixed] = inside[np.arange(len(inside)), counts.argmax(axis=1)]
    return labels
