"""The 58 features of a participant, as Li et al. (2019) define them.

One ordered tuple, `SPECS`, says what each feature is. Names, data dictionary, feature sets and the computation are
derived from it; nothing else in the project counts columns.

References
----------
.. [1] Li, B. et al. (2019). A facial affect analysis system for autism spectrum disorder. IEEE International
   Conference on Image Processing, section 3. https://doi.org/10.1109/ICIP.2019.8803604
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final, Literal

import numpy as np
import numpy.typing as npt
import pandas as pd

from features.facs import AROUSAL, AU_NAMES, EMOTIONET_AUS, VALENCE, frame_signals
from features.frame_table import Column

Missing = Literal["exclude", "inactive"]
Statistic = Literal["mean", "sd", "active", "positive"]

SIGNALS: Final[tuple[str, ...]] = frame_signals()
"""The 22 signals of a frame: twelve action units, eight expressions, arousal, valence."""

_REFERENCE: Final = "Li et al. 2019, section 3, 10.1109/ICIP.2019.8803604"
_RANGE_TOLERANCE: Final = 1e-5  # a float32 softmax or sigmoid may pass 1 by its last digits


@dataclass(frozen=True, slots=True)
class FeatureSpec:
    """One of the 58 features.

    Attributes
    ----------
    index
        Position in the vector, from 0.
    name
        Column name, also a variable name in SPSS and R.
    unit
        ``probability``, ``affect units`` (-1 to 1) or ``fraction``.
    signal
        Signal column of the frame table that it summarises.
    statistic
        ``mean``, ``sd``, ``active`` (fraction of frames above the activation threshold) or ``positive`` (fraction of
        frames above zero).
    reference
        Where the definition comes from.
    """

    index: int
    name: str
    unit: str
    signal: str
    statistic: Statistic
    reference: str = _REFERENCE

    @property
    def attribute(self) -> str:
        """Attribute group of the signal: ``AU``, ``expression``, ``arousal`` or ``valence``."""
        return attribute_group(self.signal)


def attribute_group(signal: str) -> str:
    """Attribute group in which Li et al. count a signal.

    Parameters
    ----------
    signal
        One of `SIGNALS`.

    Returns
    -------
    str
        ``AU``, ``expression``, ``arousal`` or ``valence``.

    Raises
    ------
    ValueError
        If `signal` is none of the 22.
    """
    if signal not in SIGNALS:
        raise ValueError(f"Expected one of the 22 signals {SIGNALS}, got {signal!r}.")
    if signal in (AROUSAL, VALENCE):
        return signal
    return "AU" if signal in EMOTIONET_AUS else "expression"


def _is_affect(signal: str) -> bool:
    return signal in (AROUSAL, VALENCE)


def _list_specs() -> Iterator[FeatureSpec]:
    statistics: tuple[tuple[Statistic, tuple[str, ...]], ...] = (
        ("mean", SIGNALS),
        ("sd", SIGNALS),
        ("active", EMOTIONET_AUS),
        ("positive", (AROUSAL, VALENCE)),
    )
    pairs = [(statistic, signal) for statistic, signals in statistics for signal in signals]
    for index, (statistic, signal) in enumerate(pairs):
        level = "affect units" if _is_affect(signal) else "probability"
        unit = level if statistic in ("mean", "sd") else "fraction"
        yield FeatureSpec(index, f"{statistic}_{signal}", unit, signal, statistic)


SPECS: Final[tuple[FeatureSpec, ...]] = tuple(_list_specs())
"""The 58 features in the order of the paper: means, standard deviations, activations, positive arousal and valence."""

FEATURE_NAMES: Final[tuple[str, ...]] = tuple(spec.name for spec in SPECS)
"""Names of the 58 features in the order of the paper."""


def _names_of(*attributes: str) -> tuple[str, ...]:
    return tuple(spec.name for spec in SPECS if spec.attribute in attributes)


FEATURE_SETS: Final[dict[str, tuple[str, ...]]] = {
    "AU": _names_of("AU"),
    "AU+arousal": _names_of("AU", "arousal"),
    "AU+arousal+valence": _names_of("AU", "arousal", "valence"),
    "all": FEATURE_NAMES,
}
"""Rows of the ablation in figure 3b of [1]_: 36, 39, 42 and 58 features."""

ATTRIBUTE_GROUPS: Final[dict[str, tuple[str, ...]]] = {
    name: _names_of(name) for name in ("AU", "arousal", "valence", "expression")
}
"""Rows of the significance table in figure 3c of [1]_: the features that belong to each attribute."""


def feature_columns(*, activation_threshold: float = 0.5) -> tuple[Column, ...]:
    """Entries of the 58 features for a data dictionary.

    Parameters
    ----------
    activation_threshold
        Threshold with which the activations were computed.

    Returns
    -------
    tuple of Column
        In the order of `FEATURE_NAMES`; float64.
    """
    return tuple(_describe(spec, activation_threshold) for spec in SPECS)


def _describe(spec: FeatureSpec, activation_threshold: float) -> Column:
    if spec.signal in EMOTIONET_AUS:
        subject = f"{spec.signal} ({AU_NAMES[spec.signal]})"
    elif _is_affect(spec.signal):
        subject = spec.signal
    else:
        subject = f"the expression {spec.signal.removeprefix('expr_')}"
    probability = "" if _is_affect(spec.signal) else "probability of "
    text = {
        "mean": f"Mean over valid frames of {probability}{subject}",
        "sd": f"Standard deviation over valid frames of {probability}{subject}",
        "active": f"Fraction of valid frames in which the probability of {subject} is above {activation_threshold:g}",
        "positive": f"Fraction of valid frames with {subject} above 0",
    }[spec.statistic]
    low = -1.0 if spec.statistic == "mean" and _is_affect(spec.signal) else 0.0
    # a sample standard deviation of two opposite values passes half the range, so the SD is bounded below only
    return Column(spec.name, "float64", text, spec.unit, low, None if spec.statistic == "sd" else 1.0)


def participant_vector(
    frames: pd.DataFrame,
    *,
    missing: Missing = "exclude",
    ddof: int = 0,
    activation_threshold: float = 0.5,
    positive_threshold: float = 0.0,
) -> pd.Series:
    """Compute the 58 features of one participant.

    Parameters
    ----------
    frames
        Frames of one participant; `valid` (bool) and the 22 signals of `SIGNALS` are all it needs. Probabilities lie
        in 0 to 1, arousal and valence in -1 to 1. Signals of frames that are not valid are never read. Other columns
        and the order of rows do not matter.
    missing
        ``exclude``: frames that are not valid count nowhere. ``inactive``: they also count in the denominators of the
        14 fractions, as frames in which nothing was active; means and standard deviations are the same in both.
    ddof
        Delta degrees of freedom of the standard deviations: 0 population, 1 sample.
    activation_threshold
        An action unit is active in a frame where its probability is strictly above this.
    positive_threshold
        Arousal and valence are positive in a frame where they are strictly above this.

    Returns
    -------
    Series
        58 values, float64, indexed by `FEATURE_NAMES`. Fractions are 0 to 1, never percent.

    Raises
    ------
    ValueError
        If columns are missing, there are frames of several participants, too few valid frames, or a signal is null
        or out of range in a valid frame.

    Notes
    -----
    The activation of [1]_ sums over ``t = 0 ... M`` and divides by ``M``; here both run over the ``M`` valid frames.

    References
    ----------
    .. [1] Li, B. et al. (2019). https://doi.org/10.1109/ICIP.2019.8803604

    Examples
    --------
    >>> frames = pd.DataFrame({name: [0.2, 0.8, 0.0] for name in SIGNALS}).assign(valid=[True, True, False])
    >>> vector = participant_vector(frames)
    >>> float(vector["mean_AU12"]), float(vector["active_AU12"]), float(vector["positive_valence"])
    (0.5, 0.5, 1.0)
    """
    if missing not in ("exclude", "inactive"):
        raise ValueError(f"Expected missing to be 'exclude' or 'inactive', got {missing!r}.")
    if ddof not in (0, 1):
        raise ValueError(f"Expected ddof to be 0 (population) or 1 (sample), got {ddof!r}.")
    values = _valid_signals(frames, at_least=1 + ddof)
    denominator = len(values) if missing == "exclude" else len(frames)
    sd = values.std(axis=0, ddof=ddof)
    sd[np.ptp(values, axis=0) == 0] = 0.0  # rounding of the mean would leave 1e-17, which a scaler would blow up
    results = {
        "mean": values.mean(axis=0),
        "sd": sd,
        "active": (values > activation_threshold).sum(axis=0) / denominator,
        "positive": (values > positive_threshold).sum(axis=0) / denominator,
    }
    vector = [results[spec.statistic][SIGNALS.index(spec.signal)] for spec in SPECS]
    return pd.Series(vector, index=list(FEATURE_NAMES), dtype=np.float64)


def valid_rows(frames: pd.DataFrame) -> npt.NDArray[np.bool_]:
    """Read the column `valid` as a checked boolean array.

    Parameters
    ----------
    frames
        Frame table.

    Returns
    -------
    ndarray, shape (n_frames,), bool

    Raises
    ------
    ValueError
        If the column is missing, has nulls or is not boolean.
    """
    if "valid" not in frames:
        raise ValueError("Expected the column valid in the frame table, got none.")
    column = frames["valid"]
    if column.isna().any() or not column.isin([True, False]).all():
        raise ValueError("Expected valid to be true or false in every frame, got other values or nulls.")
    return column.to_numpy(dtype=bool)


def _valid_signals(frames: pd.DataFrame, *, at_least: int) -> npt.NDArray[np.float64]:
    """Signals of the valid frames, shape (n_valid, 22), checked."""
    absent = [name for name in ("valid", *SIGNALS) if name not in frames]
    if absent:
        raise ValueError(f"Expected valid and the 22 signals in the frame table; missing are {', '.join(absent)}.")
    if "participant_id" in frames and len(frames["participant_id"].unique()) > 1:
        raise ValueError("Expected frames of one participant, got several values of participant_id; group them first.")
    valid = valid_rows(frames)
    if valid.sum() < at_least:
        reason = "no valid frames" if not valid.any() else f"{valid.sum()} valid frames"
        raise ValueError(f"Expected at least {at_least} valid frames, got {reason} among {len(frames)}.")
    values = frames.loc[valid, list(SIGNALS)].to_numpy(dtype=np.float64, na_value=np.nan)
    nulls = [name for name, column in zip(SIGNALS, values.T, strict=True) if np.isnan(column).any()]
    if nulls:
        raise ValueError(f"Expected a value of every signal in every valid frame, got nulls in {', '.join(nulls)}.")
    _check_range(values)
    return values


def _check_range(values: npt.NDArray[np.float64]) -> None:
    low = np.array([-1.0 if _is_affect(name) else 0.0 for name in SIGNALS])
    outside = (values < low - _RANGE_TOLERANCE) | (values > 1.0 + _RANGE_TOLERANCE)
    if outside.any():
        row, column = np.argwhere(outside)[0]
        raise ValueError(
            f"Expected {SIGNALS[column]} between {low[column]:g} and 1, got {values[row, column]:g} in a valid frame; "
            "probabilities are fractions, not percent."
        )


@dataclass(frozen=True, slots=True)
class Coverage:
    """How much of a session was measured.

    Attributes
    ----------
    n_frames
        Frames in the table.
    n_valid
        Frames in which the participant's face was measured.
    valid_fraction
        ``n_valid / n_frames``, 0 to 1.
    longest_gap_s
        Longest stretch of time without a valid frame, in seconds; 0 where nothing is missing.
    """

    n_frames: int
    n_valid: int
    valid_fraction: float
    longest_gap_s: float


COVERAGE_COLUMNS: Final[tuple[Column, ...]] = (
    Column("n_frames", "int32", "Frames that were decoded", low=0),
    Column("n_valid", "int32", "Frames in which the participant's face was measured", low=0),
    Column("valid_fraction", "float64", "n_valid divided by n_frames", "fraction", 0, 1),
    Column("longest_gap_s", "float64", "Longest stretch of time without a valid frame", "s", low=0),
)
"""Data dictionary of `coverage`."""

_STALL_FACTOR: Final = 3.0  # tablets go from 30 to 15 frames a second in low light, which is no stall


def coverage(frames: pd.DataFrame) -> Coverage:
    """Count valid frames of one session and measure its longest gap.

    Parameters
    ----------
    frames
        Frames of one session in order of time: `valid` (bool) and `time_s` (seconds, increasing; the rate may vary).

    Returns
    -------
    Coverage

    Raises
    ------
    ValueError
        If a column or all frames are missing, or times are null or step backwards.

    Notes
    -----
    A frame stands for the time from its own timestamp to that of the next frame; the last frame stands for the median
    interval. A gap is the time for which consecutive frames that are not valid stand, so a run of missing frames lasts
    from the first of them to the next valid frame (or to the end of the recording), and a session that starts without a
    face has a gap from its first frame on. Where the camera stalled (an interval above three times the median) a
    valid frame stands for one median interval and the rest of the interval is part of the gap.

    Examples
    --------
    >>> coverage(pd.DataFrame({"time_s": [0.0, 0.5, 1.0, 1.5], "valid": [True, False, False, True]})).longest_gap_s
    1.0
    """
    valid = valid_rows(frames)
    if "time_s" not in frames:
        raise ValueError("Expected the column time_s in the frame table, got none.")
    if len(frames) == 0:
        raise ValueError("Expected at least one frame, got an empty table.")
    time_s = frames["time_s"].to_numpy(dtype=np.float64, na_value=np.nan)
    intervals = np.diff(time_s)
    if not np.isfinite(time_s).all() or (intervals < 0).any():
        raise ValueError("Expected finite times that increase from frame to frame; sort one session by frame first.")
    n_valid = int(valid.sum())
    gap = _longest_gap(time_s, intervals, valid)
    return Coverage(len(frames), n_valid, n_valid / len(frames), gap)


def _longest_gap(
    time_s: npt.NDArray[np.float64], intervals: npt.NDArray[np.float64], valid: npt.NDArray[np.bool_]
) -> float:
    median = float(np.median(intervals)) if len(intervals) else 0.0
    ends = np.append(time_s[1:], time_s[-1] + median)
    stalled = valid & (ends - time_s > _STALL_FACTOR * median)
    covered_until = np.where(stalled, time_s + median, ends)[valid]
    starts = np.concatenate([time_s[:1], covered_until])
    stops = np.concatenate([time_s[valid], ends[-1:]])
    return float(np.max(np.maximum(stops - starts, 0.0)))
