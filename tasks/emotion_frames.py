"""Frame tables -> the frames of each emotion, and what each participant's face did in it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Final, Literal

import numpy as np
import pandas as pd

from features.emotions import (
    EMOTION,
    SegmentStatistic,
    label_frames_by_segment,
    label_frames_by_vote,
    soft_vote,
    summarize_segments,
)
from features.facs import EMOTIONET_AUS, EXPRESSION_COLUMNS
from tasks.errors import InvalidInputError
from tasks.expression_votes import VoteTables, read_votes
from tasks.frame_sources import SESSION_KEY, FrameSource, SessionKey, describe_session, index_events, read_sessions

EmotionSource = Literal["segment", "vote"]

FRAME_KEY: Final[tuple[str, ...]] = (*SESSION_KEY, "group", "frame", EMOTION)
"""Columns beside the actions in `collect_frames`."""

Events = pd.DataFrame | Mapping[SessionKey, pd.DataFrame]


def read_emotions(
    frame_tables: Iterable[FrameSource],
    events: Events,
    sessions: pd.DataFrame,
    *,
    signals: Sequence[str],
    source: EmotionSource = "segment",
    vote_tables: VoteTables | None = None,
    vote_threshold: float = 0.6,
    activation_threshold: float = 0.5,
) -> Iterator[tuple[SessionKey, str, pd.DataFrame, pd.Series]]:
    """Read the sessions that are in a comparison, each frame with its emotion.

    Parameters
    ----------
    frame_tables
        Frame tables or their files.
    events
        Stimulus segments; sessions without are left out where `source` is ``segment``.
    sessions
        Sessions to use: `participant_id`, `session`, `task`, `group`.
    signals
        Signals to read beside the key.
    source
        ``segment``: emotion of the stimulus on screen. ``vote``: expression that the attribute network is confident of and that
        action units confirm (`features.emotions.label_frames_by_vote`).
    vote_tables
        Tables of other models that vote with it, by session.
    vote_threshold
        Probability that the likeliest expression must pass.
    activation_threshold
        Probability above which (strictly) an action unit confirms an expression.

    Yields
    ------
    tuple
        Session, group, frames, and the emotion of each.

    Raises
    ------
    InvalidInputError
        If a session occurs twice or its emotions cannot be found; the message names the session.
    """
    by_session = index_events(events)
    groups = {
        (str(row[0]), str(row[1]), str(row[2])): str(row[3])
        for row in sessions[[*SESSION_KEY, "group"]].astype("str").fillna("").itertuples(index=False)
    }
    label: Callable[[SessionKey, pd.DataFrame], pd.Series]
    if source == "segment":
        columns = ["time_s", "valid", *signals]

        def label(key: SessionKey, frames: pd.DataFrame) -> pd.Series:
            return label_frames_by_segment(frames, by_session[key])
    else:
        columns = ["valid", *signals, *EMOTIONET_AUS, *EXPRESSION_COLUMNS]

        def label(key: SessionKey, frames: pd.DataFrame) -> pd.Series:
            active = frames[list(EMOTIONET_AUS)] > activation_threshold
            others = [read_votes(path, frames) for path in (vote_tables or {}).get(key, ())]
            votes = soft_vote([frames[list(EXPRESSION_COLUMNS)], *others])
            return label_frames_by_vote(votes, active, threshold=vote_threshold)

    seen: set[SessionKey] = set()
    for key, frames in read_sessions(frame_tables, only=list(dict.fromkeys(columns))):
        if key not in groups or (source == "segment" and key not in by_session):
            continue
        if key in seen or frames["frame"].duplicated().any():
            raise InvalidInputError(f"Expected each frame of {describe_session(key)} once, got some twice.")
        seen.add(key)
        try:
            emotions = label(key, frames)
        except ValueError as error:
            raise InvalidInputError(f"Emotions of {describe_session(key)}: {error}") from error
        yield key, groups[key], frames, emotions


def summarize_emotions(
    frame_tables: Iterable[FrameSource],
    events: Events,
    sessions: pd.DataFrame,
    *,
    signals: Sequence[str] = EMOTIONET_AUS,
    statistic: SegmentStatistic = "active",
    threshold: float = 0.5,
    min_frames: int = 12,
) -> pd.DataFrame:
    """Summarise what each participant's face did in each emotion of the stimulus.

    Parameters
    ----------
    frame_tables
        Frame tables or their files.
    events
        Stimulus segments, as in `tasks.comparison.compare_groups`.
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
    parts = [
        summarize_segments(
            frames, emotions, signals=signals, statistic=statistic, threshold=threshold, min_frames=min_frames
        )
        .reset_index()
        .assign(participant_id=key[0], group=group)
        for key, group, frames, emotions in read_emotions(frame_tables, events, sessions, signals=signals)
    ]
    return average_rates(parts, signals, order_emotions(index_events(events).values()))


def collect_frames(
    sessions: Iterable[tuple[SessionKey, str, pd.DataFrame, pd.Series]],
    *,
    signals: Sequence[str] = EMOTIONET_AUS,
    threshold: float = 0.5,
) -> pd.DataFrame:
    """Bring the valid frames of all sessions into one table of active actions.

    Parameters
    ----------
    sessions
        From `read_emotions`.
    signals
        Probabilities of actions.
    threshold
        Probability above which (strictly) an action is active: the one place where probabilities become 0 and 1.

    Returns
    -------
    DataFrame
        One row a valid frame: `FRAME_KEY`, then 0 or 1 (uint8) for each signal. `emotion` is null where there is none.
    """
    parts = []
    for key, group, frames, emotions in sessions:
        valid = frames["valid"].to_numpy(dtype=bool)
        active = frames.loc[valid, list(signals)].to_numpy(dtype=np.float32, na_value=np.nan) > threshold
        part = pd.DataFrame(active.astype(np.uint8), columns=list(signals))
        leading = dict(zip(SESSION_KEY, key, strict=True)) | {"group": group}
        for position, (name, value) in enumerate(leading.items()):
            part.insert(position, name, value)
        part.insert(len(leading), "frame", frames.loc[valid, "frame"].to_numpy(dtype=np.int64))
        part.insert(len(leading) + 1, EMOTION, emotions[valid].to_numpy(dtype=object))
        parts.append(part)
    if not parts:
        return pd.DataFrame(columns=[*FRAME_KEY, *signals])
    table = pd.concat(parts, ignore_index=True)
    return table.astype({EMOTION: "str", "participant_id": "str", "group": "str"})


def rate_actions(
    frames: pd.DataFrame, signals: Sequence[str], *, min_frames: int, order: Sequence[str]
) -> pd.DataFrame:
    """Share of frames in which each action is active, by participant and emotion.

    Parameters
    ----------
    frames
        From `collect_frames`, or expert labels of the same form; codes above 0 are active.
    signals
        Actions.
    min_frames
        Frames that an emotion needs in a session; with fewer the session does not count there.
    order
        Emotions in the order of the result.

    Returns
    -------
    DataFrame
        As of `summarize_emotions`.
    """
    shown = frames[frames[EMOTION].notna()]
    keys = [*SESSION_KEY, "group", EMOTION]
    active = shown[list(signals)] > 0
    by_session = active.groupby([shown[name] for name in keys], observed=True, sort=False)
    n_valid = by_session.size()
    rates = by_session.mean()
    rates[n_valid < max(min_frames, 1)] = np.nan
    return average_rates([rates.assign(n_valid=n_valid).reset_index()], signals, order)


def average_rates(parts: Sequence[pd.DataFrame], signals: Sequence[str], order: Sequence[str]) -> pd.DataFrame:
    """Average the sessions of each participant, so that a participant counts once.

    Parameters
    ----------
    parts
        Rows of sessions: `participant_id`, `group`, `emotion`, `n_valid` and the signals.
    signals
        Columns to average; nulls are left out.
    order
        Emotions in the order of the result; others follow.

    Returns
    -------
    DataFrame
        As of `summarize_emotions`.
    """
    columns = ["participant_id", "group", EMOTION, "n_valid", *signals]
    if not parts or all(part.empty for part in parts):
        return pd.DataFrame(columns=columns)
    by_person = pd.concat(parts, ignore_index=True).groupby(["participant_id", "group", EMOTION], sort=False)
    rates = pd.concat([by_person["n_valid"].sum(), by_person[list(signals)].mean()], axis=1).reset_index()
    rank = {name: position for position, name in enumerate([*order, *sorted(set(rates[EMOTION]) - set(order))])}
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
