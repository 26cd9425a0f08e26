"""Reading large label tables column by column, with the line of every row."""

from __future__ import annotations

import csv
import difflib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
import numpy.typing as npt
import pandas as pd

from tasks.attribute_data.findings import Findings

BLANK: Final = frozenset({"", "n/a", "na", "nan", "null", "none", "#n/a"})
"""What counts as an empty cell, in lower case."""

_SHOWN_COLUMNS: Final = 12


@dataclass(frozen=True)
class LabelTable:
    """Columns of a label table as text.

    Attributes
    ----------
    file
        Its name, for messages.
    cells
        Text of the columns that were asked for, blanks trimmed.
    lines
        Line of each row in the file, from 1.
    columns
        All names of the header.
    """

    file: str
    cells: pd.DataFrame
    lines: npt.NDArray[np.int64]
    columns: tuple[str, ...]

    def text(self, name: str) -> pd.Series:
        """A column as it stands."""
        return self.cells[name]

    def numbers(self, name: str) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.bool_]]:
        """A column as numbers, and which cells are neither a number nor blank."""
        text = self.cells[name]
        values = pd.to_numeric(text, errors="coerce").to_numpy(dtype=np.float64, na_value=np.nan)
        values = np.where(np.isfinite(values), values, np.nan)
        doubtful = np.flatnonzero(np.isnan(values))
        wrong = np.zeros(len(text), dtype=bool)
        wrong[doubtful] = ~text.iloc[doubtful].str.lower().isin(BLANK).to_numpy(dtype=bool)
        return values, wrong


def read_table(
    path: Path,
    file: str,
    findings: Findings,
    *,
    required: Sequence[str],
    choose: Callable[[str], bool],
    header: Sequence[str] | None = None,
) -> LabelTable | None:
    """Read columns of a CSV file with commas.

    Parameters
    ----------
    path
        The file.
    file
        Its name, for messages.
    findings
        Receives what is wrong with its form.
    required
        Columns that must be there.
    choose
        Whether a column is to be read.
    header
        Column names where the file has none; None takes them from its first line.

    Returns
    -------
    LabelTable or None
        None where the form is so wrong that its rows would mean nothing.
    """
    n_found = len(findings)
    columns = tuple(header) if header is not None else _read_header(path, file, findings)
    if columns:
        _check_header(columns, file, findings, required)
    if not columns or len(findings) > n_found:
        return None
    add_ragged(path, file, findings, ",", len(columns))
    if len(findings) > n_found:
        return None
    wanted = [name for name in columns if choose(name)]
    try:
        cells = pd.read_csv(
            path,
            header=0 if header is None else None,
            names=list(columns),
            usecols=wanted,
            dtype=str,
            na_filter=False,
            skip_blank_lines=False,
            encoding="utf-8-sig",
            index_col=False,
        )
    except (pd.errors.ParserError, UnicodeDecodeError) as error:
        findings.add(file, f"expected a UTF-8 table with commas, got: {error}.")
        return None
    cells = cells.fillna("").apply(lambda column: column.str.strip())
    lines = np.arange(len(cells), dtype=np.int64) + (2 if header is None else 1)
    filled = (cells != "").any(axis=1).to_numpy()
    return LabelTable(file, cells[filled].reset_index(drop=True), lines[filled], columns)


def first_cells(path: Path, file: str, findings: Findings) -> list[str]:
    """Cells of the first line; empty where the file cannot be read."""
    try:
        with path.open(encoding="utf-8-sig", newline="") as handle:
            return [cell.strip() for cell in next(csv.reader(handle), [])]
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        findings.add(file, f"expected a UTF-8 table with commas, got: {error}.")
        return []


def _read_header(path: Path, file: str, findings: Findings) -> tuple[str, ...]:
    n_found = len(findings)
    columns = tuple(first_cells(path, file, findings))
    if not any(columns) and len(findings) == n_found:
        findings.add(file, "expected a header that names the columns, got an empty first line.")
        return ()
    return columns


def _check_header(columns: Sequence[str], file: str, findings: Findings, required: Sequence[str]) -> None:
    missing = [name for name in required if name not in columns]
    if missing:
        near = [
            f"'{like[0]}' for '{name}'"
            for name in missing
            if (like := difflib.get_close_matches(name, columns, 1, 0.75))
        ]
        hint = f" Perhaps {' and '.join(near)} is misspelt." if near else ""
        if len(columns) == 1 and ";" in columns[0]:
            hint = " Save it with commas between the columns, not semicolons."
        shown = ", ".join(columns[:_SHOWN_COLUMNS])
        findings.add(
            file, f"expected the columns {', '.join(required)}, got {shown}; missing: {', '.join(missing)}.{hint}"
        )
    repeated = sorted({name for name in columns if name and columns.count(name) > 1})
    if repeated:
        findings.add(file, f"expected each column once, got {', '.join(repeated)} several times.")


def add_ragged(path: Path, file: str, findings: Findings, separator: str, n_columns: int) -> None:
    """Note rows of another length than the header, which pandas would cut or fill without a word.

    Parameters
    ----------
    path, file, findings
        The file, its name for messages, and where to note.
    separator
        Between cells; empty for blanks of any length.
    n_columns
        Cells that a row must have. Blank lines may have none.
    """
    mark = separator.encode()
    lines, lengths = [], []
    with path.open("rb") as handle:
        for number, line in enumerate(handle, start=1):
            if not mark:
                length = len(line.split())
            elif b'"' in line:
                length = len(next(csv.reader([line.decode("utf-8", "replace")], delimiter=separator), []))
            else:
                length = line.count(mark) + 1
            if length != n_columns and line.strip():
                lines.append(number)
                lengths.append(length)
    findings.add_rows(file, np.array(lines, dtype=np.int64), f"expected {n_columns} values in a row, got", lengths)
