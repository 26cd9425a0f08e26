"""An R script that reads the exported tables with their types, factor levels and labels."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from typing import Final

from tasks.exporters.dictionary import ExportColumn, ExportTable

_CLASSES: Final = {
    "int32": "integer",
    "float32": "numeric",
    "float64": "numeric",
    "bool": "logical",
    "string": "character",
}


def write_r_script(tables: Sequence[ExportTable], *, read_call: str) -> str:
    """Text of the script.

    Parameters
    ----------
    tables
        Exported tables, in the folder of the script.
    read_call
        ``csv``, ``csv2`` or ``sav``: which of the exported files it reads; the first two need R alone, .sav the package haven.

    Returns
    -------
    str
        Each table becomes a data frame of its name.
    """
    return "\n".join(_lines(tables, read_call)) + "\n"


def _lines(tables: Sequence[ExportTable], read_call: str) -> Iterator[str]:
    yield '# Reads the tables that facetrace exported. Set the working folder to theirs: setwd("..."), then source this file.'
    yield "# What each column is: codebook.html."
    for table in tables:
        name = table.name.replace("-", "_")
        yield ""
        yield f"# {table.description}"
        if read_call == "sav":
            yield f"{name} <- haven::read_sav({_quote(table.name + '.sav')})"
            continue
        ending = ".csv" if read_call == "csv" else "_semicolon.csv"
        yield f'{name} <- read.{read_call}({_quote(table.name + ending)}, na.strings = "", encoding = "UTF-8",'
        yield "  check.names = FALSE, stringsAsFactors = FALSE,"
        yield f"  colClasses = c({', '.join(f'{_quote(c.name)} = {_quote(_CLASSES[c.dtype])}' for c in table.columns)}))"
        for column in table.columns:
            yield from _describe(name, column)


def _describe(table: str, column: ExportColumn) -> Iterator[str]:
    place = f"{table}[[{_quote(column.name)}]]"
    if column.codes:
        levels = ", ".join(map(_quote, sorted(column.codes, key=lambda value: column.codes[value])))
        yield f"{place} <- factor({place}, levels = c({levels}))"
    if column.description:
        yield f'attr({place}, "label") <- {_quote(column.label)}'


def _quote(text: str) -> str:
    return json.dumps(text, ensure_ascii=False)
