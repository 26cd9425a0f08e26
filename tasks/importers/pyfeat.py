"""py-feat: probabilities of action units and emotions; since its multi-task detector (v2) also valence and arousal.

References
----------
Cheong, J. H. et al. (2023). Py-Feat: Python facial expression analysis toolbox. https://doi.org/10.1007/s42761-023-00191-4
"""

from __future__ import annotations

import re
from typing import Final

import pandas as pd

from features.facs import AROUSAL, TOOL_EXPRESSIONS, VALENCE, au_column
from tasks.importers.reading import ExportFile
from tasks.importers.toolframes import Dialect, SignalSource, ToolFrames, angle_columns, take_signals

_AU = re.compile(r"AU\d{2}")
_BOX: Final = ("FaceRectX", "FaceRectY", "FaceRectWidth", "FaceRectHeight")
_EYES: Final = {"left_eye": range(36, 42), "right_eye": range(42, 48)}
_POINTS: Final = {"nose": 30, "left_mouth": 48, "right_mouth": 54}
_ANGLES: Final = ("Pitch", "Roll", "Yaw")


def _recognises(columns: frozenset[str]) -> bool:
    return {"frame", *_BOX} <= columns and any(map(_AU.fullmatch, columns))


def _is_version_2(columns: frozenset[str]) -> bool:
    return {VALENCE, AROUSAL} <= columns


def read_pyfeat(source: ExportFile, stimulus: str = "") -> ToolFrames:
    """Read a table of py-feat.

    Parameters
    ----------
    source
        The file.
    stimulus
        Not used: the table holds one.

    Returns
    -------
    ToolFrames
        A file whose action units are 0 and 1 throughout (a detector that only decides) holds presence, not probability.
    """
    del stimulus
    names = frozenset(source.columns)
    units = [name for name in source.columns if _AU.fullmatch(name)]
    emotions = [name for name in source.columns if name.lower() in TOOL_EXPRESSIONS]
    affect = [name for name in (VALENCE, AROUSAL) if name in names]
    angles = tuple(name for name in _ANGLES if name in names)
    score = [name for name in ("FaceScore",) if name in names]
    points = [f"{axis}_{i}" for axis in "xy" for i in range(30, 55) if f"{axis}_67" in names]
    identity = [name for name in ("Identity",) if name in names]
    table = source.read(["frame", *_BOX, *score, *angles, *points, *units, *emotions, *affect], texts=identity)
    binary = [name for name in units if table[name].dropna().isin([0, 1]).all()]
    scale = "presence" if len(binary) == len(units) else "probability"
    signals = [
        *(SignalSource(name, au_column(name), scale) for name in units),
        *(SignalSource(name, TOOL_EXPRESSIONS[name.lower()], "probability") for name in emotions),
        *(SignalSource(name, name, "probability") for name in affect),
    ]
    rows, described, empty = take_signals(source, table, signals, tool="py-feat")
    newer = _is_version_2(names)
    notes = ["The table has no times: they are frame / imports.frame_rate_hz."]
    if binary and scale == "probability":
        notes.append(f"Columns that hold nothing but 0 and 1: {', '.join(binary)}.")
    if empty:
        notes.append(f"Columns without a value: {', '.join(empty)}.")
    return ToolFrames(
        tool="py-feat",
        version="0.7 or later, Detectorv2" if newer else "before 0.7, or Detector",
        dialect="pyfeat2" if newer else "pyfeat1",
        rows=pd.concat([_measure(table, rows, identity, angles), rows], axis=1),
        signals=described,
        extra=angle_columns("py-feat", angles),
        notes=notes,
    )


def _measure(table: pd.DataFrame, signals: pd.DataFrame, identity: list[str], angles: tuple[str, ...]) -> pd.DataFrame:
    x, y, width, height = (table[name] for name in _BOX)
    data = {
        "frame": table["frame"],
        "found": x.notna() & signals.notna().all(axis=1),
        "face_x1": x,
        "face_y1": y,
        "face_x2": x + width,
        "face_y2": y + height,
    }
    if "FaceScore" in table:
        data["face_score"] = table["FaceScore"]
    if identity:
        data["face"] = table[identity[0]]
    if "x_36" in table:
        for axis in "xy":
            data |= {f"{n}_{axis}": table[[f"{axis}_{i}" for i in p]].mean(axis=1) for n, p in _EYES.items()}
            data |= {f"{n}_{axis}": table[f"{axis}_{i}"] for n, i in _POINTS.items()}
    data |= {f"tool_{name.lower()}_deg": table[name] for name in angles}
    return pd.DataFrame(data)


PYFEAT_1: Final = Dialect(
    "pyfeat1", "py-feat v1", lambda names: _recognises(names) and not _is_version_2(names), read_pyfeat
)
PYFEAT_2: Final = Dialect(
    "pyfeat2", "py-feat v2", lambda names: _recognises(names) and _is_version_2(names), read_pyfeat
)
