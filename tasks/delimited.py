"""Reading the small tables that people make by hand: TSV and CSV, with a line number for every complaint.

Spreadsheets save semicolons where the country writes decimal commas, UTF-16 when asked for "Unicode", and byte order
marks. All of that is recognised, and either read or named.
"""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from tasks.problems import Problem

MISSING: Final = "n/a"
"""How BIDS writes a missing value."""

_OTHER_MISSING: Final = frozenset({"", "na", "nan", "#n/a", "null", "none", "-", "."})
_DELIMITER_NAMES: Final = {"\t": "tabs", ",": "commas", ";": "semicolons"}
_DECIMAL_COMMA: Final = re.compile(r"[+-]?\d+,\d+")


@dataclass(frozen=True, slots=True)
class Row:
    """A row of a table.

    Attributes
    ----------
    line
        Its line in the file, from 1.
    cells
        Column -> text without surrounding blanks; missing values are ``n/a``.
    """

    line: int
    cells: dict[str, str]


@dataclass(frozen=True, slots=True)
class TextTable:
    """A table as text, with what is wrong with it.

    Attributes
    ----------
    file
        Path relative to the study, for messages.
    columns
        Names in the header; empty when the file could not be read.
    rows
        Rows with as many values as the header.
    problems
        What is wrong.
    """

    file: str
    columns: tuple[str, ...] = ()
    rows: tuple[Row, ...] = ()
    problems: tuple[Problem, ...] = field(default=())


def is_decimal_comma(text: str) -> bool:
    """Whether `text` is a number with a decimal comma, such as ``5,2``."""
    return _DECIMAL_COMMA.fullmatch(text) is not None


def parse_number(text: str) -> float | None:
    """A finite number with a decimal point; None for anything else."""
    try:
        value = float(text)
    except ValueError:
        return None
    return value if abs(value) < float("inf") else None


def read_text_table(
    path: Path,
    *,
    file: str,
    delimiter: str,
    required: Sequence[str],
    participant_id: str | None = None,
    id_column: str | None = None,
) -> TextTable:
    """Read a delimited table, collecting everything that is wrong with its form.

    Parameters
    ----------
    path
        The file.
    file
        Its name in messages, relative to the study.
    delimiter
        Tab or comma.
    required
        Columns that must be there.
    participant_id
        Whose table it is; None for the study's.
    id_column
        Column that names the participant of each row, if there is one: a row of the wrong length then concerns that
        participant only.

    Returns
    -------
    TextTable
        Without rows when the form is so wrong that rows would mean nothing.
    """

    def error(code: str, line: int | None, message: str, action: str) -> TextTable:
        return TextTable(file, problems=(Problem("error", code, file, line, participant_id, message, action),))

    text = _decode(path)
    if text is None:
        return error(
            "encoding",
            None,
            "Expected UTF-8 text, got another encoding.",
            "Save it as UTF-8: in Excel 'CSV UTF-8' or 'Text', in other programs choose the encoding when saving.",
        )
    lines = text.splitlines()
    header = next((line for line in lines if line.strip()), "")
    used = max(_DELIMITER_NAMES, key=header.count) if header else delimiter
    wanted = _DELIMITER_NAMES[delimiter]
    if used != delimiter and header.count(used):
        action = f"Save it with {wanted} between columns"
        action += " and decimal points: Excel takes both from the country settings." if used == ";" else "."
        return error("delimiter", 1, f"Expected {wanted} between columns, got {_DELIMITER_NAMES[used]}.", action)
    records = _split(text, delimiter)
    if not records:
        return error("empty", None, f"Expected a header with {', '.join(required)}, got an empty file.", "Fill it.")
    header_line, columns = records[0]
    problem = _check_header(columns, required)
    if problem:
        return error("columns", header_line, problem, f"The first line must name the columns, with {wanted} between.")
    whose = columns.index(id_column) if id_column else None
    return _collect_rows(TextTable(file, tuple(columns)), records[1:], participant_id, whose)


def _decode(path: Path) -> str | None:
    data = path.read_bytes()
    if b"\0" in data:
        return None
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError:
        return None


def _split(text: str, delimiter: str) -> list[tuple[int, list[str]]]:
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter)
    records = []
    for values in reader:
        stripped = [value.strip() for value in values]
        if any(stripped):
            records.append((reader.line_num, stripped))
    return records


def _check_header(columns: list[str], required: Sequence[str]) -> str | None:
    missing = [name for name in required if name not in columns]
    if missing:
        by_lower = {name.lower(): name for name in columns}
        near = [f"'{by_lower[name]}' should be '{name}'" for name in missing if name in by_lower]
        hint = f" ({'; '.join(near)})" if near else ""
        return f"Expected the columns {', '.join(required)}, got {', '.join(columns)}{hint}."
    repeated = sorted({name for name in columns if columns.count(name) > 1})
    if repeated:
        return f"Expected each column once, got {', '.join(repeated)} several times."
    if "" in columns:
        return f"Expected a name for each column, got none for column {columns.index('') + 1}."
    return None


def _collect_rows(
    empty: TextTable, records: list[tuple[int, list[str]]], participant_id: str | None, whose: int | None
) -> TextTable:
    columns = empty.columns
    rows, problems = [], []
    for line, values in records:
        if len(values) == len(columns):
            rows.append(Row(line, {name: _clean(value) for name, value in zip(columns, values, strict=True)}))
            continue
        named = values[whose].removeprefix("sub-") if whose is not None and whose < len(values) else participant_id
        message = f"Expected {len(columns)} values, got {len(values)}."
        action = "Write n/a where a value is missing."
        problems.append(Problem("error", "n_columns", empty.file, line, named or None, message, action))
    return TextTable(empty.file, columns, tuple(rows), tuple(problems))


def _clean(value: str) -> str:
    return MISSING if value.lower() in _OTHER_MISSING or value.lower() == MISSING else value
