"""LibreFace: detected units (``au_1``), intensities 0 to 5 (``au_1_intensity``) and the name of one expression.

References
----------
Chang, D. et al. (2024). LibreFace: an open-source toolkit for deep facial expression analysis.
https://doi.org/10.1109/WACV57701.2024.00802
"""

from __future__ import annotations

import re
from typing import Final

import pandas as pd

from features.facs import EXPRESSIONS, TOOL_EXPRESSIONS, au_column
from features.frame_table import Column
from features.signal_scales import describe_signal
from tasks.errors import InvalidInputError
from tasks.importers.reading import ExportFile
from tasks.importers.toolframes import Dialect, SignalSource, ToolFrames, angle_columns, take_signals

_AU = re.compile(r"au_(\d{1,2})(_intensity)?")
_EXPRESSION: Final = "facial_expression"
_ANGLES: Final = ("pitch", "yaw", "roll")


def _recognises(columns: frozenset[str]) -> bool:
    return {"frame_idx", "frame_time_in_ms"} <= columns and any(map(_AU.fullmatch, columns))


def read_libreface(source: ExportFile, stimulus: str = "") -> ToolFrames:
    """Read a table of LibreFace.

    Parameters
    ----------
    source
        The file.
    stimulus
        Not used: the table holds one.

    Returns
    -------
    ToolFrames
        The name of the expression becomes one column of 0 and 1 for each of the eight.
    """
    del stimulus
    signals = []
    for name in source.columns:
        match = _AU.fullmatch(name)
        if match:
            signals.append(SignalSource(name, au_column(match[1]), "intensity" if match[2] else "presence"))
    angles = tuple(name for name in _ANGLES if name in source.columns)
    texts = [_EXPRESSION] if _EXPRESSION in source.columns else []
    table = source.read(["frame_idx", "frame_time_in_ms", *angles, *(item.column for item in signals)], texts=texts)
    rows, described, empty = take_signals(source, table, signals, tool="LibreFace")
    shown, columns = _spread_expression(source, table) if texts else (pd.DataFrame(index=table.index), [])
    measured = pd.DataFrame(
        {
            "frame": table["frame_idx"],
            "time_s": table["frame_time_in_ms"] / 1000,
            "found": rows.notna().all(axis=1) & shown.notna().all(axis=1),
            **{f"tool_{name}_deg": table[name] for name in angles},
        }
    )
    return ToolFrames(
        tool="LibreFace",
        version="",
        dialect="libreface",
        rows=pd.concat([measured, rows, shown], axis=1),
        signals=[*described, *columns],
        extra=angle_columns("LibreFace", angles),
        notes=[f"Columns without a value: {', '.join(empty)}."] if empty else [],
    )


def _spread_expression(source: ExportFile, table: pd.DataFrame) -> tuple[pd.DataFrame, list[Column]]:
    words = table[_EXPRESSION].str.strip().str.lower()
    found = words.map(TOOL_EXPRESSIONS)
    strange = words.notna() & words.ne("") & found.isna()
    if strange.any():
        row = int(strange.to_numpy().argmax())
        raise InvalidInputError(
            f"{source.file}, line {source.line_of(row)}, column {_EXPRESSION}: expected one of "
            f"{', '.join(EXPRESSIONS)}, got '{table[_EXPRESSION].iloc[row]}'. Correct the cell, or leave it empty."
        )
    columns = [describe_signal(f"expr_{n}", "presence", origin=f"LibreFace, column {_EXPRESSION}") for n in EXPRESSIONS]
    shown = {f"expr_{n}_present": (found == f"expr_{n}").astype("float64").where(found.notna()) for n in EXPRESSIONS}
    return pd.DataFrame(shown), columns


LIBREFACE: Final = Dialect("libreface", "LibreFace", _recognises, read_libreface)
