"""iMotions: Emotient FACET evidence (log-odds) and Affectiva AFFDEX scores (0 to 100), mixed with rows of other sensors.

The columns that name a person (Name, Age, Gender) are never read.

References
----------
Stockli, S. et al. (2018). Facial expression analysis with AFFDEX and FACET: a validation study.
https://doi.org/10.3758/s13428-017-0996-1
"""

from __future__ import annotations

import re
from typing import Final

import numpy as np
import pandas as pd

from features.facs import AFFDEX_AUS, TOOL_EXPRESSIONS, VALENCE, au_column
from tasks.errors import InvalidInputError
from tasks.importers.reading import ExportFile
from tasks.importers.toolframes import Dialect, SignalSource, ToolFrames, angle_columns, take_signals

_FACET_AU = re.compile(r"AU\d{1,2} Evidence")
_FACE_ROWS: Final = re.compile("FACET|AFFDEX|Affectiva|Facial", re.IGNORECASE)
_STIMULUS: Final = ("StimulusName", "SourceStimuliName")
_BOX: Final = ("FaceRect X", "FaceRect Y", "FaceRect Width", "FaceRect Height")
_FACET_ANGLES: Final = ("Pitch Degrees", "Roll Degrees", "Yaw Degrees")
_AFFDEX_ANGLES: Final = ("Pitch", "Roll", "Yaw")


def _facet(columns: frozenset[str]) -> bool:
    return "FrameNo" in columns and any(map(_FACET_AU.fullmatch, columns))


def _affdex(columns: frozenset[str]) -> bool:
    return "Timestamp" in columns and len(columns & AFFDEX_AUS.keys()) >= 5


def read_facet(source: ExportFile, stimulus: str = "") -> ToolFrames:
    """Read an iMotions export with Emotient FACET.

    Parameters
    ----------
    source
        The file.
    stimulus
        Value of StimulusName to take; empty where the file holds one stimulus.

    Returns
    -------
    ToolFrames
    """
    signals = [SignalSource(n, au_column(n.split()[0]), "evidence") for n in source.columns if _FACET_AU.fullmatch(n)]
    signals += [
        SignalSource(n, TOOL_EXPRESSIONS[n[:-9].lower()], "evidence")
        for n in source.columns
        if n.endswith(" Evidence") and n[:-9].lower() in TOOL_EXPRESSIONS
    ]
    return _read(source, stimulus, signals, _FACET_ANGLES, tool="iMotions, Emotient FACET", dialect="imotions-facet")


def read_affdex(source: ExportFile, stimulus: str = "") -> ToolFrames:
    """Read an iMotions export with Affectiva AFFDEX.

    Parameters
    ----------
    source
        The file.
    stimulus
        Stimulus to take; empty where the file holds one.

    Returns
    -------
    ToolFrames
    """
    signals = [SignalSource(n, AFFDEX_AUS[n], "percent") for n in source.columns if n in AFFDEX_AUS]
    for name in source.columns:
        if name.lower() in TOOL_EXPRESSIONS:
            signals.append(SignalSource(name, TOOL_EXPRESSIONS[name.lower()], "percent"))
        elif name == "Valence":
            signals.append(SignalSource(name, VALENCE, "percent"))
    return _read(
        source, stimulus, signals, _AFFDEX_ANGLES, tool="iMotions, Affectiva AFFDEX", dialect="imotions-affdex"
    )


def _read(
    source: ExportFile,
    stimulus: str,
    signals: list[SignalSource],
    angle_names: tuple[str, ...],
    *,
    tool: str,
    dialect: str,
) -> ToolFrames:
    names = source.columns
    angles = tuple(name for name in angle_names if name in names)
    box: list[str] = [name for name in _BOX if name in names]
    clock = [name for name in ("FrameNo", "FrameTime", "Timestamp") if name in names]
    texts = [name for name in ("EventSource", *_STIMULUS) if name in names]
    table = source.read([*clock, *box, *angles, *(item.column for item in signals)], texts=texts)
    if "EventSource" in table:
        table = table[table["EventSource"].str.contains(_FACE_ROWS, na=False)]
    table = _choose_stimulus(source, table, stimulus)
    early = table["FrameNo"] < 0 if "FrameNo" in table else pd.Series(data=False, index=table.index)
    table = table[~early]
    if table.empty:
        raise InvalidInputError(
            f"{source.file}: expected rows of a face sensor, got none. Export the facial expression sensor as well."
        )
    rows, described, empty = take_signals(source, table, signals, tool=tool)
    notes = [f"{int(early.sum())} rows before the stimulus began were left out."] if early.any() else []
    notes += [f"Columns without a value: {', '.join(empty)}."] if empty else []
    return ToolFrames(
        tool=tool,
        version=_find_version(source),
        dialect=dialect,
        rows=pd.concat([_measure(table, rows, box, angles), rows], axis=1),
        signals=described,
        extra=angle_columns(tool, angles),
        notes=notes,
    )


def _choose_stimulus(source: ExportFile, table: pd.DataFrame, stimulus: str) -> pd.DataFrame:
    column = next((name for name in _STIMULUS if name in table), None)
    if column is None:
        if stimulus:
            raise InvalidInputError(
                f"{source.file}: expected a column {_STIMULUS[0]} to choose a stimulus by, got none."
            )
        return table
    present = [str(name) for name in pd.unique(table[column].dropna()) if str(name)]
    if stimulus not in present and (stimulus or len(present) > 1):
        raise InvalidInputError(
            f"{source.file}: expected one stimulus, got {', '.join(present)}. Name one with --stimulus (or in the column "
            "stimulus of imports.csv), and import each as a task of its own."
        )
    return table[table[column] == stimulus] if stimulus else table


def _measure(table: pd.DataFrame, signals: pd.DataFrame, box: list[str], angles: tuple[str, ...]) -> pd.DataFrame:
    data: dict[str, object] = {"found": signals.notna().all(axis=1)}
    data["frame"] = table["FrameNo"] if "FrameNo" in table else np.arange(len(table), dtype=np.float64)
    if "FrameTime" in table:
        data["time_s"] = table["FrameTime"] / 1000
    elif "Timestamp" in table:
        data["time_s"] = (table["Timestamp"] - table["Timestamp"].iloc[0]) / 1000
    if len(box) == len(_BOX):
        x, y, width, height = (table[name] for name in _BOX)
        data |= {"face_x1": x, "face_y1": y, "face_x2": x + width, "face_y2": y + height}
    data |= {f"tool_{name.split()[0].lower()}_deg": table[name] for name in angles}
    return pd.DataFrame(data, index=table.index)


def _find_version(source: ExportFile) -> str:
    for line in source.comments:
        match = re.match(r"#\s*Version\s*:\s*([\w.]+)", line)
        if match:
            return f"iMotions {match[1]}"
    return ""


IMOTIONS_FACET: Final = Dialect("imotions-facet", "iMotions with Emotient FACET", _facet, read_facet)
IMOTIONS_AFFDEX: Final = Dialect("imotions-affdex", "iMotions with Affectiva AFFDEX", _affdex, read_affdex)
