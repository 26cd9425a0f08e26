"""Participant and frame tables -> tests of group differences: by attribute, and by action unit within each emotion."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Final

import numpy as np
import numpy.typing as npt
import pandas as pd

from features.emotions import EMOTION, SegmentStatistic, label_frames_by_segment, summarize_segments
from features.facs import EMOTIONET_AUS
from features.frame_table import Column
from features.vector_58 import ATTRIBUTE_GROUPS, FEATURE_NAMES
from stats.corrections import adjust_p_values
from stats.group_tests import composite_score, mann_whitney, student_t
from tasks.classification import require_participants, select_included
from tasks.errors import InvalidInputError
from tasks.frame_sources import SESSION_KEY, FrameSource, SessionKey, describe_session, index_events, read_sessions
from tasks.settings import CompareSettings

_GROUP_COLUMNS: Final[tuple[Column, ...]] = (
    Column("group_a", "string", "First group; differences and effect sizes are positive where it is higher"),
    Column("group_b", "string", "Second group"),
    Column("n_a", "int32", "Participants of the first group", low=0),
    Column("n_b", "int32", "Participants of the second group", low=0),
)

ATTRIBUTE_TEST_COLUMNS: Final[tuple[Column, ...]] = (
    Column(
        "attribute_group",
        "string",
        "Attribute, as one number a participant: the mean of its z-scored features",
        levels={name: f"{len(names)} features" for name, names in ATTRIBUTE_GROUPS.items()},
    ),
    *_GROUP_COLUMNS,
    Column("mean_a", "float64", "Mean of the first group", "z-score"),
    Column("mean_b", "float64", "Mean of the second group", "z-score"),
    Column("t", "float64", "Student's t"),
    Column("df", "float64", "Degrees of freedom", low=0),
    Column("p", "float64", "Two-sided p-value", low=0, high=1),
    Column("p_bh", "float64", "p adjusted for the four attributes (Benjamini-Hochberg)", low=0, high=1),
    Column("hedges_g", "float64", "Standardised mean difference"),
    Column("ci_low", "float64", "Lower end of the 95 % interval of hedges_g"),
    Column("ci_high", "float64", "Upper end of the 95 % interval of hedges_g"),
    Column("note", "string", "Why there is no number, or what to mind"),
)
"""Data dictionary of ``desc-attributegroups_tests``."""

EMOTION_TEST_COLUMNS: Final[tuple[Column, ...]] = (
    Column("emotion", "string", "Emotion of the stimulus segment (trial_type of the events)"),
    Column("signal", "string", "Action unit"),
    *_GROUP_COLUMNS,
    Column(
        "mean_a", "float64", "Mean over participants of the first group of the share of frames with the unit active"
    ),
    Column("mean_b", "float64", "The same for the second group"),
    Column("u", "float64", "Mann-Whitney U, the smaller of the two", low=0),
    Column("z", "float64", "Z as SPSS prints it, never positive", high=0),
    Column("z_signed", "float64", "Z with a direction: positive where the first group is higher"),
    Column("p", "float64", "Two-sided p-value", low=0, high=1),
    Column("p_bh", "float64", "p adjusted for the units within the emotion (Benjamini-Hochberg)", low=0, high=1),
    Column("p_bh_all", "float64", "p adjusted for all units and emotions (Benjamini-Hochberg)", low=0, high=1),
    Column("rank_biserial", "float64", "Rank-biserial correlation", "correlation", -1, 1),
    Column("ci_low", "float64", "Lower end of the 95 % interval of rank_biserial", "correlation", -1, 1),
    Column("ci_high", "float64", "Upper end of the 95 % interval of rank_biserial", "correlation", -1, 1),
    Column("note", "string", "Why there is no number, or what to mind"),
)
"""Data dictionary of ``desc-emotionaus_tests``."""


def compare_groups(
    features: pd.DataFrame,
    frame_tables: Iterable[FrameSource],
    events: pd.DataFrame | Mapping[SessionKey, pd.DataFrame],
    settings: CompareSettings | None = None,
    *,
    group_a: str = "ASD",
    group_b: str = "TD",
    activation_threshold: float = 0.5,
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Test the differences between two groups at the level of participants.

    Parameters
    ----------
    features
        ``desc-features_participants``. Sessions that are not `included` are left out of all tests.
    frame_tables
        Frame tables or their files.
    events
        Stimulus segments: one table with `participant_id`, `session` and `task` beside `onset`, `duration` (seconds) and
        `trial_type`, or a mapping from session to such a table. Sessions without events do not count for emotions.
    settings
        Section `compare` of the settings; the defaults where None.
    group_a, group_b
        The positive group and the group that it is compared with.
    activation_threshold
        Probability above which (strictly) an action unit counts as active.

    Returns
    -------
    attribute_groups : DataFrame
        ``desc-attributegroups_tests``, see `compare_attributes`.
    emotion_aus : DataFrame
        ``desc-emotionaus_tests``, see `compare_emotions`.

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
    attributes = compare_attributes(
        average_sessions(rows, FEATURE_NAMES),
        group_a=group_a,
        group_b=group_b,
        min_participants=chosen.min_participants_per_group,
    )
    rates = summarize_emotions(
        frame_tables,
        events,
        rows,
        min_frames=chosen.min_segment_frames,
        threshold=activation_threshold,
    )
    emotions = compare_emotions(
        rates, group_a=group_a, group_b=group_b, min_participants=chosen.min_participants_per_group
    )
    return attributes, emotions


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


def compare_attributes(
    people: pd.DataFrame, *, group_a: str = "ASD", group_b: str = "TD", min_participants: int = 3
) -> pd.DataFrame:
    """Test each attribute of Li et al. (2019, figure 3c) by Student's t.

    Parameters
    ----------
    people
        One row a participant: `group` and the 58 features.
    group_a, group_b
        The two groups.
    min_participants
        Participants that each group needs.

    Returns
    -------
    DataFrame
        ``desc-attributegroups_tests``: one row an attribute. `mean_a` and `mean_b` are means of the composite, in units of
        z-scores over the participants of both groups. Where there is no number `note` says why.
    """
    in_test = people[people["group"].isin([group_a, group_b])]
    is_a = (in_test["group"] == group_a).to_numpy()
    records = []
    for attribute, names in ATTRIBUTE_GROUPS.items():
        record: dict[str, object] = {
            "attribute_group": attribute,
            **_describe_groups(group_a, group_b, int(is_a.sum()), int((~is_a).sum())),
            "note": _too_few(int(is_a.sum()), int((~is_a).sum()), min_participants),
        }
        if not record["note"]:
            composite = composite_score(in_test[list(names)]).to_numpy()
            a, b = composite[is_a], composite[~is_a]
            test = student_t(a, b)
            record |= {"mean_a": a.mean(), "mean_b": b.mean(), "t": test.t, "df": test.df, "p": test.p}
            record |= {"hedges_g": test.hedges_g, "ci_low": test.ci_low, "ci_high": test.ci_high}
            if np.isnan(test.t):
                record["note"] = "no variation within the groups"
        records.append(record)
    table = pd.DataFrame(records, columns=[column.name for column in ATTRIBUTE_TEST_COLUMNS])
    table["p_bh"] = adjust_p_values(table["p"])
    return _set_types(table, ATTRIBUTE_TEST_COLUMNS)


def summarize_emotions(
    frame_tables: Iterable[FrameSource],
    events: pd.DataFrame | Mapping[SessionKey, pd.DataFrame],
    sessions: pd.DataFrame,
    *,
    signals: Sequence[str] = EMOTIONET_AUS,
    statistic: SegmentStatistic = "active",
    threshold: float = 0.5,
    min_frames: int = 12,
) -> pd.DataFrame:
    """Summarise what each participant's face did in each emotion.

    Parameters
    ----------
    frame_tables
        Frame tables or their files.
    events
        Stimulus segments, as in `compare_groups`.
    sessions
        Sessions to use: `participant_id`, `session`, `task`, `group`.
    signals
        Signals to summarise.
    statistic
        ``active``: share of valid frames above `threshold`; ``mean``: mean over valid frames.
    threshold
        Threshold of ``active``.
    min_frames
        Valid frames that an emotion needs in a session; with fewer the session does not count there.

    Returns
    -------
    DataFrame
        One row a participant and emotion, emotions in the order of the stimulus: `participant_id`, `group`, `emotion`,
        `n_valid` (frames, all sessions), and the signals (float64), averaged over sessions; null where no session has
        enough frames.

    Raises
    ------
    InvalidInputError
        If events of a session cannot be read; the message names the session.
    """
    by_session = index_events(events)
    groups = {
        (str(row[0]), str(row[1]), str(row[2])): row[3]
        for row in sessions[[*SESSION_KEY, "group"]].astype("str").fillna("").itertuples(index=False)
    }
    parts = []
    for key, frames in read_sessions(frame_tables, only=("time_s", "valid", *signals)):
        if key not in groups or key not in by_session:
            continue
        try:
            emotions = label_frames_by_segment(frames, by_session[key])
            part = summarize_segments(
                frames, emotions, signals=signals, statistic=statistic, threshold=threshold, min_frames=min_frames
            )
        except ValueError as error:
            raise InvalidInputError(f"Events of {describe_session(key)}: {error}") from error
        parts.append(part.reset_index().assign(participant_id=key[0], group=groups[key]))
    columns = ["participant_id", "group", EMOTION, "n_valid", *signals]
    if not parts:
        return pd.DataFrame(columns=columns)
    table = pd.concat(parts, ignore_index=True)
    by_person = table.groupby(["participant_id", "group", EMOTION], sort=False)
    rates = pd.concat([by_person["n_valid"].sum(), by_person[list(signals)].mean()], axis=1).reset_index()
    rank = {name: position for position, name in enumerate(order_emotions(by_session.values()))}
    rates["rank"] = rates[EMOTION].map(rank)
    return rates.sort_values(["rank", "participant_id"], ignore_index=True)[columns]


def order_emotions(events: Iterable[pd.DataFrame]) -> list[str]:
    """List emotions in the order in which stimuli show them.

    Parameters
    ----------
    events
        Events of sessions: `onset` and `trial_type`.

    Returns
    -------
    list of str
    """
    order: dict[str, None] = {}
    for table in events:
        names = table.sort_values("onset", kind="stable")["trial_type"].dropna()
        order |= dict.fromkeys(str(name) for name in names)
    return list(order)


def compare_emotions(
    rates: pd.DataFrame,
    *,
    group_a: str = "ASD",
    group_b: str = "TD",
    min_participants: int = 3,
    signals: Sequence[str] = EMOTIONET_AUS,
) -> pd.DataFrame:
    """Test each signal in each emotion by Mann-Whitney over participants.

    Parameters
    ----------
    rates
        One row a participant and emotion, from `summarize_emotions`; rows with nulls do not count.
    group_a, group_b
        The two groups.
    min_participants
        Participants that each group needs in an emotion; otherwise the row has no number and `note` says why.
    signals
        Signals to test.

    Returns
    -------
    DataFrame
        ``desc-emotionaus_tests``: one row an emotion and signal.

    Notes
    -----
    Hugging Rain Man (Ji et al., 2025) makes this test over frames, which counts each child thousands of times; here a
    child counts once.
    """
    records: list[dict[str, object]] = []
    for emotion in pd.unique(rates[EMOTION]):
        shown = rates[(rates[EMOTION] == emotion) & rates[list(signals)].notna().all(axis=1)]
        a = shown.loc[shown["group"] == group_a, list(signals)].astype(np.float64)
        b = shown.loc[shown["group"] == group_b, list(signals)].astype(np.float64)
        records += _test_emotion(
            str(emotion), a, b, _describe_groups(group_a, group_b, len(a), len(b)), min_participants
        )
    table = pd.DataFrame(records, columns=[column.name for column in EMOTION_TEST_COLUMNS])
    table["p_bh_all"] = adjust_p_values(table["p"])
    table["p_bh"] = table.groupby("emotion", sort=False, group_keys=False)["p"].transform(adjust_p_values)
    return _set_types(table, EMOTION_TEST_COLUMNS)


def _test_emotion(
    emotion: str, a: pd.DataFrame, b: pd.DataFrame, groups: dict[str, object], min_participants: int
) -> list[dict[str, object]]:
    note = _too_few(len(a), len(b), min_participants)
    means: dict[str, npt.NDArray[np.float64]] = {}
    if not note:
        test = mann_whitney(a, b)
        names = ("u", "z", "z_signed", "p", "rank_biserial", "ci_low", "ci_high")
        means = {"mean_a": a.mean().to_numpy(), "mean_b": b.mean().to_numpy()}
        means |= {name: getattr(test, name).to_numpy() for name in names}
    together = pd.concat([a, b])
    constant = (together.min() == together.max()).to_dict()
    return [
        {
            "emotion": emotion,
            "signal": signal,
            **groups,
            **{name: float(values[position]) for name, values in means.items()},
            "note": note or ("the same value in all participants" if constant[signal] else ""),
        }
        for position, signal in enumerate(a.columns)
    ]


def _describe_groups(group_a: str, group_b: str, n_a: int, n_b: int) -> dict[str, object]:
    return {"group_a": group_a, "group_b": group_b, "n_a": n_a, "n_b": n_b}


def _too_few(n_a: int, n_b: int, min_participants: int) -> str:
    if min(n_a, n_b) >= min_participants:
        return ""
    return f"too few participants: {n_a} and {n_b}, {min_participants} are needed in each group"


def _set_types(table: pd.DataFrame, columns: Sequence[Column]) -> pd.DataFrame:
    names = {"string": "str", "int32": "int32", "float64": "float64"}
    return table.astype({column.name: names[column.dtype] for column in columns})
