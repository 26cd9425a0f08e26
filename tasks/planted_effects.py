"""Frame tables of the simulated study -> whether the differences that were planted are found again."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Final, Protocol

import numpy as np
import pandas as pd

from features.emotions import label_frames_by_segment
from features.facs import AROUSAL, VALENCE
from features.frame_table import Column
from stats.group_tests import WelchResult, welch_difference
from tasks.errors import InvalidInputError, TooFewParticipantsError
from tasks.frame_sources import FrameSource, SessionKey, describe_session, index_events, read_sessions

PLANTED_EFFECT_COLUMNS: Final[tuple[Column, ...]] = (
    Column("effect", "string", "Name of the planted difference"),
    Column("description", "string", "What was planted"),
    Column("statistic", "string", "What is measured in each participant"),
    Column("planted", "float64", "Difference in the simulated population, first minus second group", "fraction", -1, 1),
    Column("estimate", "float64", "Difference of the means of the participants", "fraction", -1, 1),
    Column("ci_low", "float64", "Lower end of Welch's 95 % interval of the difference", "fraction"),
    Column("ci_high", "float64", "Upper end of Welch's 95 % interval of the difference", "fraction"),
    Column("n_a", "int32", "Participants of the first group", low=0),
    Column("n_b", "int32", "Participants of the second group", low=0),
    Column("p", "float64", "Two-sided p-value (Welch)", low=0, high=1),
    Column("recovered", "bool", "Interval excludes 0 on the planted side; where nothing was planted, it contains 0"),
)
"""Data dictionary of ``desc-planted_effects``."""

MIN_PARTICIPANTS: Final = 2
"""Participants of each group without which there is no interval."""


class Effect(Protocol):
    """A planted difference, as `features.synthetic.planted_effects.PlantedEffect` describes it."""

    @property
    def name(self) -> str:
        """Short name."""

    @property
    def description(self) -> str:
        """A sentence for reports."""

    @property
    def signal(self) -> str:
        """Signal of the frame table."""

    @property
    def trial_type(self) -> str | None:
        """Segment that counts, or None for the whole session."""

    @property
    def direction(self) -> int:
        """Sign of the difference, first minus second group; 0 where nothing was planted."""


def estimate_effects(
    frame_tables: Iterable[FrameSource],
    events: pd.DataFrame | Mapping[SessionKey, pd.DataFrame],
    participants: pd.DataFrame,
    effects: Sequence[Effect],
    *,
    planted: Mapping[str, float],
    group_a: str = "ASD",
    group_b: str = "TD",
    activation_threshold: float = 0.5,
    positive_threshold: float = 0.0,
) -> pd.DataFrame:
    """Estimate planted differences from what was measured in the rendered videos.

    Parameters
    ----------
    frame_tables
        Frame tables or their files.
    events
        Stimulus segments, as in `tasks.comparison.compare_groups`.
    participants
        `participant_id` (with or without ``sub-``) and `group`.
    effects
        Differences to look for.
    planted
        Effect name -> difference in the population, first minus second group (fractions).
    group_a, group_b
        The two groups.
    activation_threshold, positive_threshold
        Value above which (strictly) a frame counts: of action units and expressions, and of arousal and valence.

    Returns
    -------
    DataFrame
        ``desc-planted_effects``, one row an effect. A participant's statistic is the share of valid frames (of the segment)
        above the threshold, averaged over sessions; participants without such a frame do not count.

    Raises
    ------
    TooFewParticipantsError
        If a group has fewer than two participants with a valid frame for an effect.
    InvalidInputError
        If tables lack columns, events cannot be read, or an effect has no planted value.
    """
    unknown = [effect.name for effect in effects if effect.name not in planted]
    if unknown:
        raise InvalidInputError(f"Expected the planted difference of each effect; missing are {', '.join(unknown)}.")
    ids = participants["participant_id"].astype(str).str.removeprefix("sub-")
    group_of = dict(zip(ids, participants["group"], strict=True))
    thresholds = {
        effect.name: positive_threshold if effect.signal in (AROUSAL, VALENCE) else activation_threshold
        for effect in effects
    }
    shares = _measure_shares(frame_tables, index_events(events), effects, thresholds)
    by_person = shares.groupby("participant_id").mean()
    group = pd.Series({person: group_of.get(str(person)) for person in by_person.index}, dtype="str")
    records = []
    for effect in effects:
        values = by_person[effect.name].dropna()
        a = values[group[values.index] == group_a].to_numpy()
        b = values[group[values.index] == group_b].to_numpy()
        if min(len(a), len(b)) < MIN_PARTICIPANTS:
            raise TooFewParticipantsError(
                f"Expected {MIN_PARTICIPANTS} participants or more in each group with valid frames for {effect.name}, "
                f"got {len(a)} {group_a} and {len(b)} {group_b}."
            )
        statistic = _describe_statistic(effect, thresholds[effect.name])
        records.append(_report_effect(effect, statistic, planted[effect.name], welch_difference(a, b), len(a), len(b)))
    table = pd.DataFrame(records, columns=[column.name for column in PLANTED_EFFECT_COLUMNS])
    return table.astype({"n_a": np.int32, "n_b": np.int32, "recovered": bool})


def _measure_shares(
    frame_tables: Iterable[FrameSource],
    events: Mapping[SessionKey, pd.DataFrame],
    effects: Sequence[Effect],
    thresholds: Mapping[str, float],
) -> pd.DataFrame:
    """Measure each effect's statistic in each session; NaN where no frame counts."""
    signals = list(dict.fromkeys(effect.signal for effect in effects))
    rows = []
    for key, frames in read_sessions(frame_tables, only=("time_s", "valid", *signals)):
        try:
            emotions = label_frames_by_segment(frames, events[key]) if key in events else None
        except ValueError as error:
            raise InvalidInputError(f"Events of {describe_session(key)}: {error}") from error
        row: dict[str, object] = {"participant_id": key[0]}
        for effect in effects:
            counts = frames["valid"].astype(bool)
            if effect.trial_type is not None:
                counts &= False if emotions is None else (emotions == effect.trial_type)
            above = frames.loc[counts, effect.signal] > thresholds[effect.name]
            row[effect.name] = float(above.mean()) if len(above) else float("nan")
        rows.append(row)
    return pd.DataFrame(rows, columns=["participant_id", *(effect.name for effect in effects)])


def _describe_statistic(effect: Effect, threshold: float) -> str:
    where = f"of the {effect.trial_type} segment" if effect.trial_type else "of the session"
    return f"fraction of valid frames {where} with {effect.signal} > {threshold:g}"


def _report_effect(
    effect: Effect, statistic: str, planted: float, result: WelchResult, n_a: int, n_b: int
) -> dict[str, object]:
    if effect.direction == 0:
        # the same value in every participant has no interval, and is no difference
        recovered = result.ci_low <= 0 <= result.ci_high or (np.isnan(result.p) and result.difference == 0)
    else:
        recovered = result.ci_low > 0 if effect.direction > 0 else result.ci_high < 0
    return {
        "effect": effect.name,
        "description": effect.description,
        "statistic": statistic,
        "planted": planted,
        "estimate": result.difference,
        "ci_low": result.ci_low,
        "ci_high": result.ci_high,
        "n_a": n_a,
        "n_b": n_b,
        "p": result.p,
        "recovered": bool(recovered),
    }
