import numpy as np
import pandas as pd
import pytest

from features.facs import frame_signals
from features.frame_table import INVALID_REASONS, columns, empty_rows, validate


@pytest.fixture
def frames() -> pd.DataFrame:
    rows = empty_rows(4)
    rows["participant_id"] = "001"
    rows["frame"] = np.arange(4, dtype=np.int32)
    rows["time_s"] = np.arange(4) / 24
    rows.loc[1:2, "valid"] = True
    rows.loc[1:2, "invalid_reason"] = "ok"
    for name in frame_signals():
        rows.loc[1:2, name] = np.float32(0.125)
    return rows


def test_columns_have_types_that_r_reads():
    assert {column.dtype for column in columns()} <= {"int32", "float32", "float64", "bool", "string"}
    assert [column.name for column in columns()][-22:] == list(frame_signals())


def test_every_reason_is_explained():
    reason = next(column for column in columns() if column.name == "invalid_reason")
    assert set(reason.levels) == set(INVALID_REASONS)


def test_a_sound_table_passes(frames):
    validate(frames)


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (lambda t: t.drop(columns="AU12"), "missing .*AU12"),
        (lambda t: t.assign(extra=1), "unexpected .*extra"),
        (lambda t: t.assign(frame=np.int32(3)), "each frame once"),
        (lambda t: t.assign(time_s=t["time_s"].to_numpy()[::-1]), "time_s to increase"),
        (lambda t: t.assign(invalid_reason="lost"), "invalid_reason to be one of"),
        (lambda t: t.assign(valid=False), "ok exactly where valid"),
        (lambda t: t.assign(AU12=np.float32("nan")), "signals in every valid row"),
        (lambda t: t.assign(valence=np.float32(0)), "signals in every valid row"),
    ],
)
def test_a_broken_table_is_refused(frames, spoil, message):
    with pytest.raises(ValueError, match=message):
        validate(spoil(frames))
