"""OpenFace 0.x and 2.x: intensities 0 to 5 (``AU12_r``), presence (``AU12_c``), success and confidence.

References
----------
Baltrusaitis, T. et al. (2018). OpenFace 2.0: facial behavior analysis toolkit. https://doi.org/10.1109/FG.2018.00019
"""

from __future__ import annotations

import re
from typing import Final

import numpy as np
import pandas as pd

from features.facs import au_column
from tasks.importers.reading import ExportFile
from tasks.importers.toolframes import Dialect, SignalSource, ToolFrames, take_signals

_AU = re.compile(r"AU\d{2}_[rc]")
_SCALES: Final = {"r": "intensity", "c": "presence"}
_EYES: Final = {"left_eye": range(36, 42), "right_eye": range(42, 48)}
_POINTS: Final = {"nose": 30, "left_mouth": 48, "right_mouth": 54}
_N_POINTS: Final = 68


def _recognises(columns: frozenset[str]) -> bool:
    return {"frame", "timestamp", "confidence", "success"} <= columns and any(map(_AU.fullmatch, columns))


def _is_version_2(columns: frozenset[str]) -> bool:
    # Both columns came with 2.0; "face_id" of several faces with FaceLandmarkVidMulti.
    return bool({"gaze_angle_x", "face_id"} & columns)


def read_openface(source: ExportFile, stimulus: str = "") -> ToolFrames:
    """Read a table of OpenFace.

    Parameters
    ----------
    source
        The file.
    stimulus
        Not used: the table holds one.

    Returns
    -------
    ToolFrames
        OpenFace numbers frames from 1; here from 0.
    """
    del stimulus
    names = frozenset(source.columns)
    signals = [
        SignalSource(name, au_column(name[:4]), _SCALES[name[-1]]) for name in source.columns if _AU.fullmatch(name)
    ]
    points = [f"{axis}_{i}" for axis in "xy" for i in range(_N_POINTS) if f"{axis}_{_N_POINTS - 1}" in names]
    pose = [name for name in ("pose_Rx", "pose_Ry", "pose_Rz") if name in names]
    keys = ["frame", "timestamp", "confidence", "success", *(["face_id"] if "face_id" in names else [])]
    table = source.read([*keys, *points, *pose, *(item.column for item in signals)])
    rows, described, empty = take_signals(source, table, signals, tool="OpenFace")
    measured = pd.DataFrame(
        {
            "frame": table["frame"] - 1,
            "time_s": table["timestamp"],
            "found": table["success"].eq(1) & rows.notna().all(axis=1),
            "face_score": table["confidence"],
            **({"face": table["face_id"]} if "face_id" in names else {}),
            **(_find_landmarks(table) if points else {}),
            **(_turn_pose(table) if len(pose) == 3 else {}),
        }
    )
    newer = _is_version_2(names)
    return ToolFrames(
        tool="OpenFace",
        version="2.x" if newer else "0.x",
        dialect="openface2" if newer else "openface0",
        rows=pd.concat([measured, rows], axis=1),
        signals=described,
        notes=[
            "The face box is the extent of the 68 landmarks.",
            *([f"Columns without a value: {', '.join(empty)}."] if empty else []),
        ],
    )


def _find_landmarks(table: pd.DataFrame) -> dict[str, np.ndarray]:
    found: dict[str, np.ndarray] = {}
    for axis in "xy":
        points = table[[f"{axis}_{i}" for i in range(_N_POINTS)]].to_numpy(dtype=np.float64)
        found[f"face_{axis}1"], found[f"face_{axis}2"] = points.min(axis=1), points.max(axis=1)
        found |= {f"{name}_{axis}": points[:, list(places)].mean(axis=1) for name, places in _EYES.items()}
        found |= {f"{name}_{axis}": points[:, place] for name, place in _POINTS.items()}
    return found


def _turn_pose(table: pd.DataFrame) -> dict[str, pd.Series]:
    """Degrees in our directions: OpenFace's pitch is positive downward, its yaw toward the left of the image."""
    degrees = {name: np.degrees(table[f"pose_{name}"]) for name in ("Rx", "Ry", "Rz")}
    return {"pitch_deg": -degrees["Rx"], "yaw_deg": -degrees["Ry"], "roll_deg": degrees["Rz"]}


OPENFACE_0: Final = Dialect(
    "openface0", "OpenFace 0.x", lambda names: _recognises(names) and not _is_version_2(names), read_openface
)
OPENFACE_2: Final = Dialect(
    "openface2", "OpenFace 2.x", lambda names: _recognises(names) and _is_version_2(names), read_openface
)
