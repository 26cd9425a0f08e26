"""Sessions of frame tables, from memory and from files."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from tasks.errors import InvalidInputError
from tasks.frame_sources import describe_session, index_events, read_sessions
from tasks.tables import write_table


def make_table(participant_id: str, session: str = "", n: int = 3) -> pd.DataFrame:
    return pd.DataFrame(
        {
            "participant_id": participant_id,
            "session": session,
            "task": "clips",
            "frame": np.arange(n, dtype=np.int32)[::-1],
            "AU12": np.linspace(0, 1, n),
        }
    )


def test_files_and_tables_give_sessions_in_order(tmp_path: Path) -> None:
    path = tmp_path / "one.parquet"
    write_table(make_table("001"), path)
    both = pd.concat([make_table("002", "1"), make_table("002", "2")], ignore_index=True)
    sessions = dict(read_sessions([path, both], only=["AU12"]))
    assert list(sessions) == [("001", "", "clips"), ("002", "1", "clips"), ("002", "2", "clips")]
    for frames in sessions.values():
        assert frames["frame"].tolist() == [0, 1, 2]
        assert frames["AU12"].tolist() == [1.0, 0.5, 0.0]


def test_null_sessions_are_sessions() -> None:
    table = make_table("001").assign(session=None)
    assert [key for key, _ in read_sessions([table], only=[])] == [("001", "", "clips")]
    assert [key for key, _ in read_sessions([table.assign(session=np.nan)], only=[])] == [("001", "", "clips")]


def test_missing_columns_and_files_are_said(tmp_path: Path) -> None:
    with pytest.raises(InvalidInputError, match="AU04"):
        list(read_sessions([make_table("001")], only=["AU04"]))
    with pytest.raises(InvalidInputError, match="missing"):
        list(read_sessions([tmp_path / "none.parquet"], only=[]))


def test_events_by_session() -> None:
    events = pd.DataFrame(
        {"participant_id": ["001", "001", "002"], "session": "", "task": "clips", "onset": [0.0, 1.0, 0.0]}
    )
    by_session = index_events(events)
    assert {key: len(rows) for key, rows in by_session.items()} == {("001", "", "clips"): 2, ("002", "", "clips"): 1}
    assert index_events(by_session) == by_session
    with pytest.raises(InvalidInputError, match="task"):
        index_events(events.drop(columns="task"))


def test_sessions_are_named() -> None:
    assert describe_session(("001", "2", "clips")) == "sub-001, session 2, task clips"
    assert describe_session(("001", "", "clips")) == "sub-001, task clips"
