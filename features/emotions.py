"""Emotion of a frame: by the stimulus on screen, by the vote of expression models, or by an annotator's label.

By stimulus the label says what was *shown*, not what the child showed, and is free of expression networks and their errors. By
vote it says what the face looked like to the models (Ji et al., 2025, section IV-B); action units that select the frames
cannot be tested in them without circularity, see `selecting_units`.

References
----------
.. [1] Ji, Y. et al. (2025). Hugging Rain Man. IEEE Transactions on Affective Computing.
   https://doi.org/10.1109/TAFFC.2025.3558914
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final, Literal

import numpy as np
import numpy.typing as npt
import pandas as pd

from features.facs import BASIC_EXPRESSIONS, EMOTIONET_AUS, JAW, JAW_UNITS, expression_name
from features.vector_58 import valid_rows

EMOTION: Final = "emotion"
EVENT_COLUMNS: Final[tuple[str, ...]] = ("onset", "duration", "trial_type")
"""Columns of a BIDS events table that are read: seconds, seconds, name of the emotion."""

_RESOLUTION: Final = 6  # decimals of a second: container time bases leave 9.9999999 where 10 was meant
_SUM_TOLERANCE: Final = 1e-3  # float32 softmax, or four printed decimals
_OVERLAP_TOLERANCE_S: Final = 1e-3  # onsets and durations are often rounded to milliseconds apiece

EMOTION_CONSTRAINTS: Final[dict[str, tuple[str, ...]]] = {
    "happy": ("AU12",),
    "surprise": ("AU01", "AU02", "AU05", "AU25", JAW),
    "sad": ("AU01", "AU04", "AU06", "AU15", "AU17"),
}
"""Emotion -> units of which one must be active for the vote to stand (Ji et al., 2025, section IV-B)."""

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


def soft_vote(sources: Sequence[pd.DataFrame], *, classes: Sequence[str] = BASIC_EXPRESSIONS) -> pd.DataFrame:
    """Average the expression probabilities of several models.

    Parameters
    ----------
    sources
        One table a model, rows aligned by index: a column a class, in any order and of any spelling that `expression_name`
        knows. One model is a vote of one.
    classes
        Classes that vote. Columns of others, such as contempt, are dropped and the rest renormalised.

    Returns
    -------
    DataFrame
        Index of the first source, one float64 column a class, in the order of `classes`; rows sum to 1, and are null where a
        model has no probability or gives all of it to dropped classes.

    Raises
    ------
    ValueError
        If there is no source, indices differ, a class is missing or twice, or values are not probabilities.

    Examples
    --------
    >>> one = pd.DataFrame({"happy": [0.9], "sad": [0.1]})
    >>> other = pd.DataFrame({"Sadness": [0.4], "Happiness": [0.6]})
    >>> soft_vote([one, other], classes=["happy", "sad"]).to_dict("records")
    [{'happy': 0.75, 'sad': 0.25}]
    """
    if not sources:
        raise ValueError("Expected the probabilities of one model or more, got none.")
    for position, source in enumerate(sources):
        if not source.index.equals(sources[0].index):
            raise ValueError(f"Expected the same frames of every model, got others from model {position + 1}.")
    votes = [_order_classes(source, classes, position + 1) for position, source in enumerate(sources)]
    return pd.DataFrame(np.mean(votes, axis=0), index=sources[0].index, columns=list(classes))


def _order_classes(source: pd.DataFrame, classes: Sequence[str], number: int) -> npt.NDArray[np.float64]:
    names = [expression_name(str(column)) for column in source.columns]
    missing = [name for name in classes if name not in names]
    twice = sorted({name for name in names if names.count(name) > 1})
    if missing or twice:
        problem = f"{', '.join(missing)} missing" if missing else f"{', '.join(twice)} twice"
        raise ValueError(f"Expected each of {', '.join(classes)} once from model {number}, got {problem}.")
    values = source.to_numpy(dtype=np.float64, na_value=np.nan)
    total = values.sum(axis=1)
    if (values < 0).any() or (np.abs(total - 1) > _SUM_TOLERANCE).any():
        raise ValueError(f"Expected probabilities that sum to 1 in each frame from model {number}, got others.")
    kept = values[:, [names.index(name) for name in classes]]
    share = kept.sum(axis=1, keepdims=True)
    return np.asarray(np.divide(kept, share, out=np.full_like(kept, np.nan), where=share > 0))


def label_frames_by_vote(
    probabilities: pd.DataFrame,
    active: pd.DataFrame,
    *,
    threshold: float = 0.6,
    constraints: Mapping[str, Sequence[str]] = EMOTION_CONSTRAINTS,
) -> pd.Series:
    """Name the expression that models are confident of and action units confirm.

    Parameters
    ----------
    probabilities
        From `soft_vote`; null rows get no emotion.
    active
        Rows aligned by index: action units as booleans or codes (active above 0). Units of a constraint that it lacks
        count as inactive.
    threshold
        The highest probability must be strictly above it.
    constraints
        Emotion -> units of which one must be active. ``AU2X`` is also met by AU26 or AU27.

    Returns
    -------
    Series of str
        Index of `probabilities`, name ``emotion``; null where no emotion is certain or the constraint fails. The first class wins
        where two are equally probable.

    Raises
    ------
    ValueError
        If indices differ, or `active` has none of the units of a constraint, so that no frame could meet it.
    """
    if not probabilities.index.equals(active.index):
        raise ValueError("Expected the same frames in probabilities and action units, got others.")
    values = probabilities.to_numpy(dtype=np.float64, na_value=np.nan)
    known = ~np.isnan(values).any(axis=1)
    best = np.where(known, np.nan_to_num(values).argmax(axis=1), 0)
    certain = known & (np.take_along_axis(values, best[:, None], axis=1)[:, 0] > threshold)
    names = np.asarray(probabilities.columns, dtype=object)[best]
    labels = np.full(len(names), None, dtype=object)
    labels[certain] = names[certain]
    for emotion, units in constraints.items():
        if emotion not in probabilities.columns:
            continue
        there = [name for name in _with_jaw_units(units) if name in active]
        if not there:
            raise ValueError(
                f"Expected one of the units {', '.join(units)} to confirm {emotion!r}, got none in the table."
            )
        confirmed = (active[there].to_numpy(dtype=np.float64, na_value=0.0) > 0).any(axis=1)
        labels[(labels == emotion) & ~confirmed] = None
    return pd.Series(labels, index=probabilities.index, name=EMOTION, dtype="str")


def label_frames_by_annotation(annotations: pd.Series) -> pd.Series:
    """Bring the expression labels of annotators to the names of this project.

    Parameters
    ----------
    annotations
        Label of each frame, in any spelling that `expression_name` knows; null or empty where there is none.

    Returns
    -------
    Series of str
        Same index, name ``emotion``.

    Raises
    ------
    ValueError
        If a label is not an expression.
    """
    given = annotations.notna() & (annotations.astype("str").str.strip() != "")
    names = {label: expression_name(str(label)) for label in pd.unique(annotations[given])}
    return annotations.where(given).map(names).astype("str").rename(EMOTION)


def selecting_units(emotion: str, constraints: Mapping[str, Sequence[str]] = EMOTION_CONSTRAINTS) -> frozenset[str]:
    """Name the units that decide which frames `label_frames_by_vote` gives an emotion.

    A test of such a unit between groups is contaminated by the selection: where one unit alone is the constraint (AU12 in happy)
    it is active in every frame.

    Parameters
    ----------
    emotion
        Such as ``happy``.
    constraints
        As in `label_frames_by_vote`.

    Returns
    -------
    frozenset of str
    """
    return frozenset(_with_jaw_units(constraints.get(emotion, ())))


def _with_jaw_units(units: Sequence[str]) -> list[str]:
    return [*units, *JAW_UNITS] if JAW in units else list(units)


def count_frames(emotions: pd.DataFrame) -> pd.DataFrame:
    """Count the frames of each participant in each emotion.

    Parameters
    ----------
    emotions
        One row a valid frame: `participant_id`, `group` and `emotion`, null where there is none.

    Returns
    -------
    DataFrame
        One row a participant: `participant_id`, `group`, `n_frames`, `n_without_emotion`, and one column of counts an emotion,
        sorted by name.
    """
    keys = [emotions["participant_id"], emotions["group"]]
    n_frames = emotions.groupby(keys, observed=True).size().rename("n_frames")
    shown = pd.get_dummies(emotions[EMOTION], dtype=np.int32).groupby(keys, observed=True).sum()
    without = (n_frames - shown.sum(axis=1)).rename("n_without_emotion")
    return pd.concat([n_frames, without, shown], axis=1).astype(np.int32).reset_index()
