"""SPSS: the table as .sav with labels, levels, formats and missing values, and a syntax file that opens it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Final

import numpy as np
import pandas as pd
import pyreadstat

from tasks.exporters.dictionary import MISSING_CODE, ExportColumn, ExportTable
from tasks.exporters.spss_names import check_spss_names
from tasks.provenance import write_atomic

_FILE_LABEL: Final = 64
_VARIABLE_LABEL: Final = 256
_VALUE_LABEL: Final = 120
_PER_LINE: Final = 6
_NOT_RECORDED: Final = "not recorded"


def write_sav(table: ExportTable, path: Path) -> None:
    """Write a table for SPSS.

    Parameters
    ----------
    table
        The table.
    path
        Where to.

    Raises
    ------
    InvalidInputError
        If SPSS would refuse a variable name.

    Notes
    -----
    Categories are numbers with value labels; a category that was not recorded is -9, declared as missing. Other missing numbers
    are system-missing. The file holds the time of writing, so two of the same content differ in bytes.
    """
    columns = table.columns
    check_spss_names([column.variable for column in columns])
    rows = pd.DataFrame({column.variable: _encode(table.rows[column.name], column) for column in columns})
    gaps = [column for column in columns if column.codes and (rows[column.variable] == MISSING_CODE).any()]
    formats = {column.variable: column.spss_format for column in columns if column.spss_format}
    with write_atomic(path) as temporary:
        pyreadstat.write_sav(
            rows,
            temporary,
            file_label=cut(f"facetrace: {table.description}", _FILE_LABEL),
            column_labels={column.variable: cut(column.label, _VARIABLE_LABEL) for column in columns},
            variable_value_labels={
                column.variable: _value_labels(column, gap=column in gaps)
                for column in columns
                if column.codes or column.dtype == "bool"
            },
            missing_ranges={column.variable: [{"lo": MISSING_CODE, "hi": MISSING_CODE}] for column in gaps},
            variable_measure={column.variable: column.measure for column in columns},
            variable_format=formats,
            variable_display_width={name: int(text[1:].split(".")[0]) for name, text in formats.items()},
        )


def cut(text: str, n_bytes: int) -> str:
    """`text` within `n_bytes` of UTF-8, with three dots at the end where it was cut."""
    if len(text.encode()) <= n_bytes:
        return text
    return text.encode()[: n_bytes - 3].decode(errors="ignore") + "..."


def _encode(values: pd.Series, column: ExportColumn) -> pd.Series:
    if column.codes:
        return values.map(column.codes).fillna(MISSING_CODE).astype(np.float64)
    if column.dtype == "string":
        return values.fillna("").astype("str")
    return values.astype(np.float64)


def _value_labels(column: ExportColumn, *, gap: bool) -> dict[int | float, str]:
    if not column.codes:
        return {0.0: "no", 1.0: "yes"}
    labels: dict[int | float, str] = {float(code): cut(value, _VALUE_LABEL) for value, code in column.codes.items()}
    return {**labels, **({float(MISSING_CODE): _NOT_RECORDED} if gap else {})}


def write_syntax(tables: Sequence[ExportTable]) -> str:
    """Text of a syntax file that opens exported .sav files and looks at them.

    Parameters
    ----------
    tables
        Tables that were exported as .sav, in the folder of the syntax file.
    """
    return "\n".join(_syntax_lines(tables)) + "\n"


def _syntax_lines(tables: Sequence[ExportTable]) -> Iterator[str]:
    yield "* Opens the tables that facetrace exported. Run it from their folder (CD 'folder'.), a block at a time."
    yield "* Variables, codes and missing values are described in codebook.html."
    for table in tables:
        names = {column.name: column.variable for column in table.columns}
        numbers = [c.variable for c in table.columns if c.measure == "scale"]
        yield ""
        yield f"* {table.description}"
        yield f"GET FILE='{table.name}.sav'."
        yield "DISPLAY DICTIONARY."
        if numbers:
            yield "DESCRIPTIVES VARIABLES="
            yield from (f"  {' '.join(numbers[i : i + _PER_LINE])}" for i in range(0, len(numbers), _PER_LINE))
            yield "  ."
        if "included" in names and "group" in names:
            yield "* Sessions with too few valid frames are marked, not deleted."
            yield f"SELECT IF ({names['included']} = 1)."
            yield f"FREQUENCIES VARIABLES={names['group']}."
            means = [names[name] for name in ("mean_AU12", "mean_valence") if name in names]
            if means:
                yield f"T-TEST GROUPS={names['group']}(0 1) /VARIABLES={' '.join(means)}."
