"""Reading the columns that matter from wide text tables, with a line and a column for every complaint.

A 20-minute OpenFace table has 714 columns and 180 MB: the header is read first, and only the columns that an importer asks
for are converted.
"""

from __future__ import annotations

import csv
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.csv as pacsv

from tasks.delimited import is_decimal_comma, parse_number
from tasks.errors import InvalidInputError

_HEADER_WITHIN: Final = 100
_DELIMITERS: Final = {",": "commas", "\t": "tabs", ";": "semicolons"}
_NULLS: Final = tuple(
    blank + text for blank in ("", " ") for text in ("", "NA", "N/A", "nan", "NaN", "-nan", "-nan(ind)", "NULL", "null")
)
_WRITE_AGAIN: Final = "Export or copy the file again; text editors and spreadsheets cut long tables."


@dataclass(frozen=True)
class ExportFile:
    """A table of another tool, of which only the header was read.

    Attributes
    ----------
    path
        The file.
    delimiter
        Between columns.
    header_line
        Line of the header, from 1.
    columns
        Names in the header, without surrounding blanks.
    comments
        Lines before the header.
    """

    path: Path
    delimiter: str
    header_line: int
    columns: tuple[str, ...]
    comments: tuple[str, ...] = ()

    @property
    def file(self) -> str:
        """Its name, for messages."""
        return self.path.name

    def line_of(self, row: int) -> int:
        """Line of a row (from 0) in the file; blank lines do not count as rows."""
        for index, (line, _) in enumerate(self._records()):
            if index == row:
                return line
        return self.header_line

    def _records(self) -> Iterator[tuple[int, list[str]]]:
        with self.path.open(encoding="utf-8-sig", errors="replace", newline="") as text:
            reader = csv.reader(text, delimiter=self.delimiter)
            for values in reader:
                if reader.line_num > self.header_line and values:
                    yield reader.line_num, values

    def read(self, numbers: Sequence[str], *, texts: Sequence[str] = ()) -> pd.DataFrame:
        """Read columns.

        Parameters
        ----------
        numbers
            Columns of numbers, which become float64; null where the cell is empty or says nan.
        texts
            Columns of text.

        Returns
        -------
        DataFrame
            In the order asked for, one row a line.

        Raises
        ------
        InvalidInputError
            If a row has another number of cells than the header, a number is none, or there are no rows.
        """
        wanted = {name: f"c{self.columns.index(name)}" for name in (*numbers, *texts)}
        types = {wanted[name]: pa.float64() for name in numbers} | {wanted[name]: pa.string() for name in texts}
        try:
            table = pacsv.read_csv(
                self.path,
                read_options=pacsv.ReadOptions(
                    skip_rows=self.header_line, column_names=[f"c{i}" for i in range(len(self.columns))]
                ),
                parse_options=pacsv.ParseOptions(delimiter=self.delimiter),
                convert_options=pacsv.ConvertOptions(
                    include_columns=list(wanted.values()), column_types=types, null_values=list(_NULLS)
                ),
            )
        except pa.ArrowInvalid as error:
            raise self._explain(numbers, error) from error
        if table.num_rows == 0:
            raise InvalidInputError(f"{self.file}: expected rows under the header, got none. {_WRITE_AGAIN}")
        found = {name: table.column(column).to_numpy(zero_copy_only=False) for name, column in wanted.items()}
        return pd.DataFrame(found)

    def _explain(self, numbers: Sequence[str], error: Exception) -> InvalidInputError:
        """The first thing that is wrong, found by reading the file once more, slowly."""
        places = {self.columns.index(name): name for name in numbers}
        for line, values in self._records():
            if len(values) != len(self.columns):
                return InvalidInputError(
                    f"{self.file}, line {line}: expected {len(self.columns)} cells as in the header, got {len(values)}. "
                    f"{_WRITE_AGAIN}"
                )
            for place, name in places.items():
                text = values[place].strip()
                if text in _NULLS or parse_number(text) is not None:
                    continue
                if is_decimal_comma(text):
                    action = "Write decimal points: a spreadsheet with another country setting has changed the file."
                else:
                    action = "Export the table again from the tool, or correct the cell."
                return InvalidInputError(
                    f"{self.file}, line {line}, column {name}: expected a number, got '{text}'. {action}"
                )
        return InvalidInputError(f"{self.file}: expected a table of numbers, got: {error}. {_WRITE_AGAIN}")

    def check_range(self, values: pd.Series, *, low: float | None, high: float | None, unit: str) -> None:
        """Refuse values outside of a scale.

        Parameters
        ----------
        values
            A column as `read` gives it.
        low, high
            Admissible values; None where open.
        unit
            What they are, for the message.

        Raises
        ------
        InvalidInputError
            Naming the first line.
        """
        numbers = values.to_numpy(dtype=np.float64)
        outside = np.zeros(len(numbers), dtype=bool)
        tolerance = 1e-5 * max(abs(low or 0.0), abs(high or 0.0), 1.0)
        if low is not None:
            outside |= numbers < low - tolerance
        if high is not None:
            outside |= numbers > high + tolerance
        if outside.any():
            first = int(np.flatnonzero(outside)[0])
            scale = " to ".join(f"{limit:g}" for limit in (low, high) if limit is not None)
            raise InvalidInputError(
                f"{self.file}, line {self.line_of(values.index[first])}, column {values.name}: expected {unit} within "
                f"{scale}, got {numbers[first]:g}. Check which version of the tool wrote the table and whether it was rescaled."
            )


def open_export(path: Path) -> ExportFile:
    """Find the header of a table.

    Parameters
    ----------
    path
        The file: UTF-8 text. Comment lines (starting with #), empty lines and lines of delimiters alone may come first; where
        a line says #DATA, the header is the next.

    Returns
    -------
    ExportFile

    Raises
    ------
    InvalidInputError
        If it is missing, empty, no UTF-8 text, or separated by semicolons.
    """
    try:
        lines = _first_lines(path)
    except OSError as error:
        raise InvalidInputError(f"Expected a table at {path.name}, but it cannot be read: {error.strerror}.") from error
    starts = [index for index, text in enumerate(lines) if text.strip(",;\t ").upper() == "#DATA"]
    begin = starts[0] + 1 if starts else 0
    found = (i for i in range(begin, len(lines)) if lines[i].strip(",;\t ") and not lines[i].startswith("#"))
    header = next(found, None)
    if header is None:
        raise InvalidInputError(f"{path.name}: expected a header within {_HEADER_WITHIN} lines, got none.")
    delimiter = max(_DELIMITERS, key=lines[header].count)
    if delimiter == ";":
        raise InvalidInputError(
            f"{path.name}, line {header + 1}: expected commas or tabs between columns, got semicolons. A spreadsheet has "
            "changed the file, and its decimal points with it: use the file as the tool wrote it."
        )
    names = next(csv.reader([lines[header]], delimiter=delimiter))
    return ExportFile(path, delimiter, header + 1, tuple(name.strip() for name in names), tuple(lines[:header]))


def _first_lines(path: Path) -> list[str]:
    lines: list[str] = []
    with path.open("rb") as data:
        for _, raw in zip(range(_HEADER_WITHIN), data, strict=False):
            try:
                text = raw.decode("utf-8-sig" if not lines else "utf-8")
            except UnicodeDecodeError:
                text = "\0"
            if "\0" in text:
                raise InvalidInputError(
                    f"{path.name}, line {len(lines) + 1}: expected UTF-8 text, got another encoding or no text. Save it as UTF-8."
                )
            lines.append(text.rstrip("\r\n"))
    return lines
