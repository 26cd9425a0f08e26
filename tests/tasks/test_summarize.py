"""The participant table: coverage gate, covariates, sessions."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from features.vector_58 import FEATURE_NAMES, SIGNALS, participant_vector
from tasks.errors import InvalidInputError
from tasks.settings import SummarizeSettings
from tasks.summarize import participant_columns, summarize_participants
from tasks.tables import read_table, write_table

PARTICIPANTS = pd.DataFrame(
    {
        "participant_id": ["sub-001", "sub-002"],
        "iq": [101, 99],
        "group": ["ASD", "TD"],
        "sex": ["F", "M"],
        "age": [6.5, 7],
    }
)


def make_frames(participant_id: str, *, n: int = 200, n_valid: int = 200, session: str = "") -> pd.DataFrame:
    rng = np.random.default_rng(int(participant_id))
    frames = pd.DataFrame({name: rng.random(n) for name in SIGNALS})
    frames.insert(0, "participant_id", participant_id)
    frames.insert(1, "session", session)
    frames.insert(2, "task", "clips")
    frames.insert(3, "frame", np.arange(n, dtype=np.int32))
    frames.insert(4, "time_s", np.arange(n) / 25)
    frames.insert(5, "valid", np.arange(n) < n_valid)
    frames.loc[~frames["valid"], list(SIGNALS)] = np.nan
    return frames


def test_columns_are_those_of_the_contract() -> None:
    table = summarize_participants([make_frames("002"), make_frames("001")], PARTICIPANTS)
    assert table.columns.tolist() == [
        "participant_id", "session", "task", "group", "sex", "age", "iq", "n_frames", "n_valid", "valid_fraction",
        "longest_gap_s", "included", "exclusion_reason", *FEATURE_NAMES,
    ]  # fmt: skip
    assert table["participant_id"].tolist() == ["001", "002"]
    assert table["group"].tolist() == ["ASD", "TD"]
    assert table["included"].all()
    assert (table["exclusion_reason"] == "").all()
    assert {str(table[name].dtype) for name in ("n_frames", "n_valid")} == {"int32"}
    np.testing.assert_array_equal(
        table.loc[0, list(FEATURE_NAMES)].astype(float), participant_vector(make_frames("001"))
    )


def test_gate_marks_and_keeps() -> None:
    frames = [make_frames("001", n_valid=60), make_frames("002", n=1000, n_valid=400)]
    table = summarize_participants(frames, PARTICIPANTS).set_index("participant_id")
    assert not table["included"].any()
    assert table.loc["001", "exclusion_reason"] == (
        "60 frames are valid, 100 are needed; 30.0 % of frames are valid, 50.0 % are needed"
    )
    assert table.loc["002", "exclusion_reason"] == "40.0 % of frames are valid, 50.0 % are needed"
    assert table[list(FEATURE_NAMES)].notna().all(axis=None)
    assert table.loc["001", "longest_gap_s"] == pytest.approx(140 / 25)
    lenient = SummarizeSettings(min_valid_fraction=0.3, min_valid_frames=60)
    assert summarize_participants(frames, PARTICIPANTS, lenient)["included"].all()


def test_nobody_seen() -> None:
    table = summarize_participants([make_frames("001", n_valid=0)], PARTICIPANTS)
    assert table.loc[0, "exclusion_reason"] == "no frame is valid"
    assert table[list(FEATURE_NAMES)].isna().all(axis=None)
    one = summarize_participants(
        [make_frames("001", n_valid=1)],
        PARTICIPANTS,
        SummarizeSettings(ddof=1, min_valid_frames=1, min_valid_fraction=0),
    )
    assert one.loc[0, "exclusion_reason"] == "1 frames are valid, 2 are needed"


def test_sessions_are_rows_and_files_are_read(tmp_path: Path) -> None:
    paths = []
    for session in ("1", "2"):
        paths.append(tmp_path / f"{session}.parquet")
        write_table(make_frames("001", session=session), paths[-1])
    table = summarize_participants(paths, PARTICIPANTS)
    assert table["session"].tolist() == ["1", "2"]
    assert table["age"].tolist() == [6.5, 6.5]


def test_settings_reach_the_features() -> None:
    settings = SummarizeSettings(activation_threshold=0.25, ddof=1)
    table = summarize_participants([make_frames("001")], PARTICIPANTS, settings)
    expected = participant_vector(make_frames("001"), activation_threshold=0.25, ddof=1)
    np.testing.assert_array_equal(table.loc[0, list(FEATURE_NAMES)].astype(float), expected)


def test_table_survives_parquet(tmp_path: Path) -> None:
    table = summarize_participants([make_frames("001", n_valid=0), make_frames("002")], PARTICIPANTS)
    written = write_table(table, tmp_path / "table.parquet", described=participant_columns())
    assert {column.name: column.dtype for column in written}["age"] == "float64"
    pd.testing.assert_frame_equal(read_table(tmp_path / "table.parquet"), table, check_dtype=False)
    assert {column.name for column in participant_columns()} <= set(table.columns)


def test_a_table_that_lacks_signals_is_marked_and_its_features_are_refused_or_partial() -> None:
    imported = make_frames("001").drop(columns=["AU43", "arousal"])
    mixed = [imported.assign(AU12_intensity=1.0), make_frames("002")]
    refused = summarize_participants(mixed, PARTICIPANTS).set_index("participant_id")
    assert refused["included"].tolist() == [False, True]
    assert refused.loc["001", "exclusion_reason"] == "its frame table lacks AU43, arousal"
    assert refused.loc["001", list(FEATURE_NAMES)].isna().all()
    assert refused.loc["002", list(FEATURE_NAMES)].notna().all()
    settings = SummarizeSettings(lacking_signals="available")
    partial = summarize_participants(mixed, PARTICIPANTS, settings).set_index("participant_id")
    lacking = [name for name in FEATURE_NAMES if name.endswith(("_AU43", "_arousal"))]
    assert len(lacking) == 3 + 3
    assert partial.loc["001", lacking].isna().all()
    whole = participant_vector(make_frames("001")).drop(lacking)
    np.testing.assert_allclose(partial.loc["001", whole.index].astype(float), whole)
    assert not partial.loc["001", "included"]


@pytest.mark.parametrize(
    ("frames", "participants", "message"),
    [
        ([make_frames("003")], PARTICIPANTS, "sub-003, task clips in participants.tsv"),
        ([make_frames("001")] * 2, PARTICIPANTS, "each session once"),
        ([make_frames("001").assign(AU43=2.0)], PARTICIPANTS, "sub-001, task clips: Expected AU43 between 0 and 1"),
        ([], PARTICIPANTS.drop(columns="group"), "columns group"),
        ([], PARTICIPANTS.assign(included="yes"), "included of participants.tsv"),
        ([], pd.concat([PARTICIPANTS, PARTICIPANTS]), "001 twice"),
    ],
)
def test_input_that_cannot_be_summarised_is_said(
    frames: list[pd.DataFrame], participants: pd.DataFrame, message: str
) -> None:
    with pytest.raises(InvalidInputError, match=message):
        summarize_participants(frames, participants)


def test_no_sessions_give_an_empty_table() -> None:
    table = summarize_participants([], PARTICIPANTS)
    assert table.empty
    assert "mean_AU12" in table
