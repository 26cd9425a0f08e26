"""Parquet, and comma-separated text in its two kinds."""

from __future__ import annotations

from pathlib import Path
from typing import Final

import pandas as pd

from features.frame_table import Column
from tasks.exporters.dictionary import ExportTable
from tasks.provenance import write_atomic
from tasks.tables import write_table

_FORMULA_STARTS: Final = ("=", "+", "-", "@", "\t", "\r")


def neutralise(text: str) -> str:
    """A cell that a spreadsheet would run as a formula, with an apostrophe in front; others as they are.

    Examples
    --------
    >>> neutralise("=1+1"), neutralise("ASD")
    ("'=1+1", 'ASD')
    """
    return f"'{text}" if text.startswith(_FORMULA_STARTS) else text


def write_csv(table: ExportTable, path: Path, *, delimiter: str = ",", decimal: str = ".") -> None:
    """Write UTF-8 text: missing cells empty, TRUE and FALSE, no index; cells that look like formulas are neutralised.

    Parameters
    ----------
    table
        The table.
    path
        Where to.
    delimiter, decimal
        ``,`` and ``.``; or ``;`` and ``,``, as R's read.csv2 and spreadsheets of many countries expect.
    """
    rows = pd.DataFrame(
        {
            neutralise(column.name): _as_text(table.rows[column.name])
            if column.dtype in ("string", "bool")
            else table.rows[column.name]
            for column in table.columns
        }
    )
    with write_atomic(path) as temporary:
        rows.to_csv(temporary, sep=delimiter, decimal=decimal, index=False, lineterminator="\n", encoding="utf-8")


def _as_text(values: pd.Series) -> pd.Series:
    if pd.api.types.is_bool_dtype(values):
        return values.map({True: "TRUE", False: "FALSE"})
    return values.map(neutralise, na_action="ignore")


def write_csv2(table: ExportTable, path: Path) -> None:
    """Write text with semicolons and decimal commas."""
    write_csv(table, path, delimiter=";", decimal=",")


def write_parquet(table: ExportTable, path: Path) -> None:
    """Write Parquet with types that R reads: no index, no nested or 64-bit integer column."""
    described = [Column(column.name, column.dtype, column.description) for column in table.columns]
    write_table(table.rows[[column.name for column in table.columns]], path, described=described)
