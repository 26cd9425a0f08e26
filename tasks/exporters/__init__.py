"""Tables of a study for other programs: Parquet, two kinds of CSV, SPSS, an R script and a codebook, from one dictionary.

There is no .rds: its one permissively licensed writer in Python would bring xarray into the core for what R reads from the .sav.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Final

from tasks.exporters.codebook import write_codebook
from tasks.exporters.dictionary import ExportColumn, ExportTable, describe_table
from tasks.exporters.plain import write_csv, write_csv2, write_parquet
from tasks.exporters.r_script import write_r_script
from tasks.exporters.spss import write_sav, write_syntax

__all__ = [
    "ENDINGS", "WRITERS", "ExportColumn", "ExportTable", "describe_table", "write_codebook", "write_r_script", "write_syntax",
]  # fmt: skip

WRITERS: Final[dict[str, Callable[[ExportTable, Path], None]]] = {
    "parquet": write_parquet,
    "csv": write_csv,
    "csv2": write_csv2,
    "sav": write_sav,
}
"""Format -> writer."""

ENDINGS: Final = {"parquet": ".parquet", "csv": ".csv", "csv2": "_semicolon.csv", "sav": ".sav"}
"""Format -> what the file name ends in."""
