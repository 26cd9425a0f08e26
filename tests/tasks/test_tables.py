import numpy as np
import pandas as pd
import pyarrow.parquet as pq
import pytest

from features.facs import EMOTIONET_AUS
from features.frame_table import Column, columns, empty_rows
from tasks.errors import InvalidInputError
from tasks.tables import ROW_GROUP, frame_table_writer, read_table, write_table


def rows_of(n: int, *, start: int) -> pd.DataFrame:
    rows = empty_rows(n)
    rows["participant_id"] = "001"
    rows["frame"] = np.arange(start, start + n, dtype=np.int32)
    rows["time_s"] = np.arange(start, start + n) / 24
    return rows


def test_a_frame_table_is_written_in_bounded_row_groups(tmp_path):
    path = tmp_path / "frames.parquet"
    with frame_table_writer(path, EMOTIONET_AUS) as writer:
        for start in range(0, 9000, 500):
            writer.append(rows_of(500, start=start))
    file = pq.ParquetFile(path)
    assert file.metadata.num_rows == 9000
    assert max(file.metadata.row_group(i).num_rows for i in range(file.num_row_groups)) <= ROW_GROUP
    assert [field.name for field in file.schema_arrow] == [column.name for column in columns()]
    assert {str(field.type) for field in file.schema_arrow} == {"int32", "float", "double", "bool", "string"}
    assert read_table(path, only=["frame"])["frame"].tolist() == list(range(9000))


def test_a_broken_frame_table_never_takes_its_name(tmp_path):
    path = tmp_path / "frames.parquet"
    with pytest.raises(ValueError, match="each frame once"), frame_table_writer(path, EMOTIONET_AUS) as writer:
        writer.append(rows_of(2, start=0))
        writer.append(rows_of(2, start=0))
    assert list(tmp_path.iterdir()) == []


def test_types_of_group_tables_suit_r(tmp_path):
    table = pd.DataFrame(
        {"participant_id": ["001", "002"], "n": [1, 2], "p": [0.5, np.nan], "ok": [True, False], "note": ["", None]}
    )
    path = tmp_path / "t.parquet"
    written = write_table(table, path, described=[Column("p", "float64", "A p-value", low=0, high=1)])
    schema = pq.read_schema(path)
    assert [str(kind) for kind in schema.types] == ["string", "int32", "double", "bool", "string"]
    assert schema.metadata is None
    assert {column.name: column.description for column in written}["p"] == "A p-value"


def test_nested_values_are_refused(tmp_path):
    with pytest.raises(ValueError, match="Expected numbers, booleans or text"):
        write_table(pd.DataFrame({"x": [[1], [2]]}), tmp_path / "t.parquet")


@pytest.mark.parametrize("content", [None, b"", b"no parquet at all"])
def test_an_unreadable_table_is_a_clear_error(tmp_path, content):
    path = tmp_path / "t.parquet"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(InvalidInputError, match="t.parquet"):
        read_table(path)
