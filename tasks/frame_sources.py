"""Frame tables one after the other, from memory or from files, so that a study of any size needs the memory of one."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Final

import pandas as pd

from features.frame_table import KEY
from tasks.errors import InvalidInputError
from tasks.tables import column_names, read_table

SessionKey = tuple[str, str, str]
"""`participant_id`, `session`, `task`; the session is empty where a study has one a participant."""

SESSION_KEY: Final[tuple[str, ...]] = KEY[:3]
"""Columns that identify a session."""

FrameSource = pd.DataFrame | Path
"""A frame table, or the Parquet file that holds it."""


def read_sessions(
    sources: Iterable[FrameSource], *, only: Sequence[str], optional: Sequence[str] = ()
) -> Iterator[tuple[SessionKey, pd.DataFrame]]:
    """Yield the sessions of frame tables, one at a time, frames in order.

    Parameters
    ----------
    sources
        Frame tables, each of one or several sessions.
    only
        Columns to read beside the key.
    optional
        Columns to read where a table has them.

    Yields
    ------
    tuple
        Key of the session and its frames.

    Raises
    ------
    InvalidInputError
        If a table cannot be read or a column is missing.
    """
    wanted = list(dict.fromkeys([*KEY, *only]))
    for source in sources:
        present = column_names(source) if isinstance(source, Path) else source.columns
        taken = [*wanted, *(name for name in optional if name in present and name not in wanted)]
        frames = (
            read_table(source, only=[name for name in taken if name in present]) if isinstance(source, Path) else source
        )
        absent = [name for name in wanted if name not in frames]
        if absent:
            raise InvalidInputError(f"Expected the columns {', '.join(absent)} in a frame table, but they are missing.")
        keys = frames[list(SESSION_KEY)].astype("str").fillna("")
        for key, rows in frames[taken].groupby([keys[name] for name in SESSION_KEY], sort=False, observed=True):
            participant_id, session, task = (str(part) for part in key)
            yield (participant_id, session, task), rows.sort_values("frame")


def describe_session(key: SessionKey) -> str:
    """Name a session in messages, ``sub-001, session 1, task clips``.

    Parameters
    ----------
    key
        Key of the session.

    Returns
    -------
    str
    """
    participant_id, session, task = key
    parts = [f"sub-{participant_id}", f"session {session}" if session else "", f"task {task}" if task else ""]
    return ", ".join(part for part in parts if part)


def index_events(events: pd.DataFrame | Mapping[SessionKey, pd.DataFrame]) -> dict[SessionKey, pd.DataFrame]:
    """Split a table of events by session.

    Parameters
    ----------
    events
        One table with the columns `participant_id`, `session`, `task` beside those of a BIDS events file, or a mapping
        from session to events, which is returned as a dict.

    Returns
    -------
    dict

    Raises
    ------
    InvalidInputError
        If a column of the key is missing.
    """
    if not isinstance(events, pd.DataFrame):
        return dict(events)
    absent = [name for name in SESSION_KEY if name not in events]
    if absent:
        raise InvalidInputError(f"Expected the columns {', '.join(absent)} in the events, but they are missing.")
    keys = events[list(SESSION_KEY)].astype("str").fillna("")
    groups = events.groupby([keys[name] for name in SESSION_KEY], sort=False, observed=True)
    return {(str(key[0]), str(key[1]), str(key[2])): rows for key, rows in groups}
