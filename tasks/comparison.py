"""Participant and frame tables -> tests of group differences: by attribute, by action unit and emotion, by combinations."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

import numpy as np
import pandas as pd

from features.facs import EMOTIONET_AUS
from features.vector_58 import FEATURE_NAMES
from tasks.attribute_tests import compare_attribute_readings, compare_attributes
from tasks.classification import require_participants, select_included
from tasks.combination_tests import compare_diversity, tabulate_complexity
from tasks.emotion_frames import collect_frames, order_emotions, rate_actions, read_emotions
from tasks.emotion_tests import (
    compare_emotion_frames,
    compare_emotions,
    model_emotions,
)
from tasks.errors import InvalidInputError
from tasks.expression_votes import VoteTables
from tasks.frame_sources import FrameSource, SessionKey, index_events
from tasks.settings import CompareSettings


class Comparison(NamedTuple):
    """Tables of `compare_groups`.

    Attributes
    ----------
    attribute_groups, attribute_readings
        ``desc-attributegroups_tests``, ``desc-attributereadings_tests``.
    emotion_aus
        ``desc-emotionaus_tests``: over participants.
    emotion_rates
        ``desc-emotionrates_participants``.
    emotion_frames
        ``desc-emotionframes_tests``: over frames, as published, with what holds over participants.
    emotion_models
        ``desc-emotionmodels_tests``.
    complexity, diversity
        ``desc-combinations_complexity``, ``desc-combinations_tests``.
    """

    attribute_groups: pd.DataFrame
    emotion_aus: pd.DataFrame
    attribute_readings: pd.DataFrame
    emotion_rates: pd.DataFrame
    emotion_frames: pd.DataFrame
    emotion_models: pd.DataFrame
    complexity: pd.DataFrame
    diversity: pd.DataFrame


def compare_groups(
    features: pd.DataFrame,
    frame_tables: Iterable[FrameSource],
    events: pd.DataFrame | Mapping[SessionKey, pd.DataFrame],
    settings: CompareSettings | None = None,
    *,
    group_a: str = "ASD",
    group_b: str = "TD",
    activation_threshold: float = 0.5,
    vote_tables: VoteTables | None = None,
) -> Comparison:
    """Test the differences between two groups.

    Parameters
    ----------
    features
        ``desc-features_participants``. Sessions that are not `included` are left out of all tests.
    frame_tables
        Frame tables or their files.
    events
        Stimulus segments: one table with `participant_id`, `session` and `task` beside `onset`, `duration` (seconds) and
        `trial_type`, or a mapping from session to such a table. Sessions without events do not count for emotions of the stimulus.
    settings
        Section `compare` of the settings; the defaults where None.
    group_a, group_b
        The positive group and the group that it is compared with.
    activation_threshold
        Probability above which (strictly) an action unit counts as active.
    vote_tables
        Tables of other expression models by session, where emotions come from a vote.

    Returns
    -------
    Comparison

    Raises
    ------
    TooFewParticipantsError
        If a group has fewer participants than `min_participants_per_group`.
    InvalidInputError
        If tables lack columns or events cannot be read.
    """
    chosen = settings or CompareSettings()
    rows = select_included(features, group_a, group_b)
    require_participants(features, rows, chosen.min_participants_per_group, group_a, group_b)
    covariates = code_covariates(rows, chosen.covariates)
    people = average_sessions(rows, FEATURE_NAMES)
    sessions = read_emotions(
        frame_tables, events, rows, signals=EMOTIONET_AUS, source=chosen.emotion,
        vote_tables=vote_tables, vote_threshold=chosen.vote_threshold, activation_threshold=activation_threshold,
    )  # fmt: skip
    frames = collect_frames(sessions, threshold=activation_threshold)
    order = order_emotions(index_events(events).values()) if chosen.emotion == "segment" else []
    by_emotion = compare_frames_of_emotions(
        frames, chosen, signals=EMOTIONET_AUS, covariates=covariates, group_a=group_a, group_b=group_b, order=order,
        circular=chosen.emotion == "vote",
    )  # fmt: skip
    attributes = {"group_a": group_a, "group_b": group_b, "min_participants": chosen.min_participants_per_group}
    return Comparison(
        compare_attributes(people, **attributes),  # type: ignore[arg-type]
        by_emotion["emotion_aus"],
        compare_attribute_readings(people, **attributes),  # type: ignore[arg-type]
        **{name: table for name, table in by_emotion.items() if name != "emotion_aus"},
    )


def compare_frames_of_emotions(
    frames: pd.DataFrame,
    settings: CompareSettings,
    *,
    signals: Sequence[str],
    covariates: pd.DataFrame | None = None,
    group_a: str = "ASD",
    group_b: str = "TD",
    order: Sequence[str] = (),
    circular: bool = False,
    combinations_of: pd.DataFrame | None = None,
) -> dict[str, pd.DataFrame]:
    """Make all tests by emotion from frames with codes of actions, whether a network's or experts'.

    Parameters
    ----------
    frames
        One row a frame: `participant_id`, `session`, `task`, `group`, `emotion` and codes of the signals.
    settings
        Section `compare` of the settings.
    signals
        Actions to test.
    covariates
        One row a participant, index `participant_id`, numbers.
    group_a, group_b
        The two groups.
    order
        Emotions in the order of tables; others follow.
    circular
        Whether action units had a say in the emotion of a frame.
    combinations_of
        The same frames with laterality codes, for combinations; `frames` where None.

    Returns
    -------
    dict
        Name of each table by emotion in `Comparison` -> the table.
    """
    groups = {"group_a": group_a, "group_b": group_b}
    rates = rate_actions(frames, signals, min_frames=settings.min_segment_frames, order=order)
    tests = compare_emotions(
        rates, **groups, min_participants=settings.min_participants_per_group, signals=signals, settings=settings,
        circular=circular,
    )  # fmt: skip
    coded = frames if combinations_of is None else combinations_of
    in_groups = coded[coded["group"].isin([group_a, group_b])]
    complexity = tabulate_complexity(in_groups, signals, confidence_level=settings.confidence_level)
    return {
        "emotion_aus": tests,
        "emotion_rates": _mark_counted(rates, signals, settings.min_segment_frames),
        "emotion_frames": compare_emotion_frames(frames, tests, settings, signals=signals, **groups, circular=circular),
        "emotion_models": model_emotions(
            frames, settings, signals=signals, covariates=covariates, **groups, circular=circular
        ),
        "complexity": complexity,
        "diversity": compare_diversity(in_groups, signals, settings, **groups),
    }


def _mark_counted(rates: pd.DataFrame, signals: Sequence[str], min_frames: int) -> pd.DataFrame:
    counts = rates[list(signals)].notna().all(axis=1).astype(bool)
    table = rates.astype({"n_valid": "int32"} if len(rates) else {})
    table.insert(4, "counts", counts)
    table.insert(5, "note", np.where(counts, "", f"fewer than {min_frames} valid frames in every session"))
    return table


def code_covariates(rows: pd.DataFrame, names: Sequence[str]) -> pd.DataFrame | None:
    """Code covariates of participants as numbers.

    Parameters
    ----------
    rows
        One row a session: `participant_id` and the covariates, which a participant has the same in all of them.
    names
        Covariates; text becomes a column of 0 and 1 for each category but the first.

    Returns
    -------
    DataFrame or None
        Index `participant_id`; None without covariates. Null where a covariate is missing.

    Raises
    ------
    InvalidInputError
        If a covariate is not a column of participants.tsv.
    """
    if not names:
        return None
    absent = [name for name in names if name not in rows]
    if absent:
        raise InvalidInputError(
            f"Expected the covariates {', '.join(names)} in participants.tsv; missing are {', '.join(absent)}. Add them, or take "
            "them out of compare.covariates."
        )
    people = rows.groupby("participant_id", sort=True)[list(names)].first()
    parts = []
    for name in names:
        column = people[name]
        if pd.api.types.is_numeric_dtype(column):
            parts.append(column.astype("float64").to_frame())
        else:
            coded = pd.get_dummies(column.astype("str"), prefix=name, drop_first=True, dtype="float64")
            parts.append(coded.where(column.notna(), axis=0))
    return pd.concat(parts, axis=1)


def average_sessions(rows: pd.DataFrame, names: Sequence[str]) -> pd.DataFrame:
    """Average the sessions of each participant, so that a participant counts once.

    Parameters
    ----------
    rows
        One row a session: `participant_id`, `group` and the columns of `names`.
    names
        Columns to average; nulls are left out.

    Returns
    -------
    DataFrame
        One row a participant, index `participant_id`: `group` and the columns of `names`, float64.
    """
    by_person = rows.groupby("participant_id", sort=True)
    return pd.concat([by_person["group"].first(), by_person[list(names)].mean()], axis=1)
