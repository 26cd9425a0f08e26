"""Tables as the tools write them, from documented headers. Values are formulas of the row, so that means are known."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest

from tasks.importers import find_dialect, open_export
from tasks.importers.assembly import ImportedTable, assemble
from tasks.settings import ImportSettings

OPENFACE_UNITS = ("01", "02", "04", "05", "06", "07", "09", "10", "12", "14", "15", "17", "20", "23", "25", "26", "45")


def write_rows(path: Path, rows: Sequence[Mapping[str, Any]], *, between: str = ",") -> Path:
    """A table of `rows`; the first row's keys are the header."""
    lines = [between.join(rows[0]), *(between.join(str(value) for value in row.values()) for row in rows)]
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return path


def openface_row(frame: int, *, face: int = 0, success: int = 1, **changed: Any) -> dict[str, Any]:
    """A row of OpenFace 2.x at 30 frames/s, timestamps rounded to milliseconds as OpenFace does."""
    row: dict[str, Any] = {
        "frame": frame,
        "face_id": face,
        "timestamp": f"{(frame - 1) / 30:.3f}",
        "confidence": 0.98 if success else 0.02,
        "success": success,
        "gaze_angle_x": 0.1,
        "pose_Rx": 0.1,
        "pose_Ry": 0.2,
        "pose_Rz": -0.1,
        **{f"x_{i}": 100 + i for i in range(68)},
        **{f"y_{i}": 200 - i for i in range(68)},
        **{f"AU{unit}_r": round(frame % 5 + face / 10, 2) for unit in OPENFACE_UNITS},
        **{f"AU{unit}_c": frame % 2 for unit in (*OPENFACE_UNITS, "28")},
    }
    return {**row, **changed}


def import_file(path: Path, *, stimulus: str = "", dialect: str = "auto", **settings: Any) -> ImportedTable:
    """Import a file with settings of the section `imports`."""
    source = open_export(path)
    return assemble(source, find_dialect(source, dialect).read(source, stimulus), ImportSettings(**settings))


@pytest.fixture
def openface(tmp_path: Path) -> Callable[..., Path]:
    """Write an OpenFace 2.x table, header and cells padded with a blank."""

    def write(rows: Sequence[Mapping[str, Any]] | None = None, *, between: str = ", ") -> Path:
        return write_rows(tmp_path / "of2.csv", rows or [openface_row(i) for i in range(1, 11)], between=between)

    return write


@pytest.fixture(scope="session")
def imports() -> Any:
    """Namespace of the makers above; a fixture, because test files cannot import each other."""

    class Imports:
        write = staticmethod(write_rows)
        openface_row = staticmethod(openface_row)
        read = staticmethod(import_file)

    return Imports
