"""Parquet tables in and out: types that R reads, row groups of bounded size, atomic writes."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Final

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from features.frame_table import Column, columns, validate
from tasks.errors import InvalidInputError
from tasks.provenance import write_atomic
from tasks.storage import explain_write_errors

ROW_GROUP: Final = 4096
"""Rows of a row group at most."""

BYTES_PER_FRAME: Final = 180
"""Size of a frame table on disk per frame: 175 measured on recordings of 360 frames (zstd)."""

_ARROW_TYPES: Final = {
    "int32": pa.int32(),
    "float32": pa.float32(),
    "float64": pa.float64(),
    "bool": pa.bool_(),
    "string": pa.string(),
}


def arrow_schema(table_columns: Sequence[Column]) -> pa.Schema:
    """Arrow schema of a table, descriptions as field metadata."""
    return pa.schema(
        [pa.field(c.name, _ARROW_TYPES[c.dtype], metadata={"description": c.description}) for c in table_columns]
    )


def infer_columns(table: pd.DataFrame, described: Sequence[Column] = ()) -> tuple[Column, ...]:
    """Columns of `table`: those described, and for the rest a type that R reads well.

    Parameters
    ----------
    table
        Any table without nested values.
    described
        Columns that are known; their types hold.

    Raises
    ------
    ValueError
        If a column holds something other than numbers, booleans or text.
    """
    known = {column.name: column for column in described}
    found = []
    for name in table:
        values = table[name]
        if name in known:
            found.append(known[name])
        elif pd.api.types.is_bool_dtype(values):
            found.append(Column(str(name), "bool", ""))
        elif pd.api.types.is_integer_dtype(values):
            found.append(Column(str(name), "int32", ""))
        elif pd.api.types.is_float_dtype(values):
            found.append(Column(str(name), "float64", ""))
        elif pd.api.types.is_string_dtype(values) or values.isna().all():
            found.append(Column(str(name), "string", ""))
        else:
            raise ValueError(f"Expected numbers, booleans or text in column {name}, got {values.dtype}.")
    return tuple(found)


def write_table(table: pd.DataFrame, path: Path, *, described: Sequence[Column] = ()) -> tuple[Column, ...]:
    """Write a table as Parquet (zstd), atomically and without an index column.

    Parameters
    ----------
    table
        The rows.
    path
        Where to.
    described
        Columns whose type and description are known.

    Returns
    -------
    tuple of Column
        The columns as written, for the sidecar.
    """
    written = infer_columns(table, described)
    arrow = pa.Table.from_pandas(table, schema=arrow_schema(written), preserve_index=False)
    with write_atomic(path) as temporary, explain_write_errors(path, needs_bytes=arrow.nbytes):
        pq.write_table(arrow.replace_schema_metadata(None), temporary, compression="zstd", row_group_size=ROW_GROUP)
    return written


def read_table(path: Path, *, only: Sequence[str] | None = None) -> pd.DataFrame:
    """Read a Parquet table.

    Parameters
    ----------
    path
        A table written by `write_table` or `frame_table_writer`.
    only
        Columns to read; all where None.

    Raises
    ------
    InvalidInputError
        If the file is missing or no Parquet.
    """
    with _explained(path):
        return pd.read_parquet(path, columns=list(only) if only is not None else None)


def column_names(path: Path) -> tuple[str, ...]:
    """Names of the columns of a Parquet table, without reading its rows.

    Raises
    ------
    InvalidInputError
        If the file is missing or no Parquet.
    """
    with _explained(path):
        return tuple(pq.read_schema(path).names)


@contextmanager
def _explained(path: Path) -> Iterator[None]:
    """Say what to do about a table that cannot be read."""
    try:
        yield
    except FileNotFoundError as error:
        raise InvalidInputError(f"Expected the table {path.name}, but it is missing. Run the step before.") from error
    except (pa.ArrowInvalid, OSError) as error:
        raise InvalidInputError(
            f"Expected Parquet in {path.name}, but it cannot be read ({error}). Delete it and run again."
        ) from error


class FrameTableWriter:
    """Appends rows to a frame table in row groups.

    Parameters
    ----------
    writer
        Open Parquet writer.
    aus
        Action units of the attribute model.
    path
        The finished table, for messages.
    """

    def __init__(self, writer: pq.ParquetWriter, aus: Sequence[str], path: Path) -> None:
        self._writer = writer
        self._path = path
        self._aus = tuple(aus)
        self._schema = arrow_schema(columns(aus))
        self._pending: list[pd.DataFrame] = []
        self.n_rows = 0

    def append(self, rows: pd.DataFrame) -> None:
        """Add rows; a full row group is checked and goes to disk."""
        self._pending.append(rows)
        self.n_rows += len(rows)
        if sum(map(len, self._pending)) >= ROW_GROUP:
            self.flush()

    def flush(self) -> None:
        """Check and write what is pending.

        Raises
        ------
        ValueError
            If the rows break the contract of `features.frame_table`.
        OutputError
            If the disk does not take them.
        """
        if self._pending:
            rows = pd.concat(self._pending, ignore_index=True)
            validate(rows, self._aus)
            table = pa.Table.from_pandas(rows, schema=self._schema, preserve_index=False)
            with explain_write_errors(self._path, needs_bytes=self.n_rows * BYTES_PER_FRAME):
                self._writer.write_table(table.replace_schema_metadata(None), row_group_size=ROW_GROUP)
            self._pending = []

    def close(self) -> None:
        """Write the end of the file.

        Raises
        ------
        OutputError
            If the disk does not take it.
        """
        with explain_write_errors(self._path, needs_bytes=self.n_rows * BYTES_PER_FRAME):
            self._writer.close()


@contextmanager
def frame_table_writer(path: Path, aus: Sequence[str]) -> Iterator[FrameTableWriter]:
    """Open a frame table for writing in pieces; it takes its name when the block ends without an error.

    Parameters
    ----------
    path
        The finished table.
    aus
        Action units of the attribute model.

    Yields
    ------
    FrameTableWriter

    Raises
    ------
    OutputError
        If the disk is full or the folder cannot be written.
    """
    with write_atomic(path) as temporary:
        with explain_write_errors(path):
            parquet = pq.ParquetWriter(temporary, arrow_schema(columns(aus)), compression="zstd")
        writer = FrameTableWriter(parquet, aus, path)
        try:
            yield writer
            writer.flush()
        finally:
            writer.close()
