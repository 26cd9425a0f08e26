"""Import and export through the command line: from another tool's tables to a .sav."""

from __future__ import annotations

import sys
from pathlib import Path

import pyreadstat
import pytest

from flows.cli import main

pytestmark = pytest.mark.usefixtures("prefect_home")

UNITS = ("01", "02", "04", "05", "06", "09", "12", "17", "20", "25", "26", "43")
EMOTIONS = ("Neutral", "Happy", "Sad", "Surprise", "Fear", "Disgust", "Anger", "Contempt")


@pytest.fixture
def facetrace(monkeypatch, capsys):
    def run(*arguments: object) -> tuple[int, str, str]:
        monkeypatch.setattr(sys, "argv", ["facetrace", *map(str, arguments)])
        with pytest.raises(SystemExit) as ended:
            main()
        printed = capsys.readouterr()
        return int(ended.value.code or 0), printed.out, printed.err

    return run


def write_pyfeat(path: Path, level: float) -> Path:
    """A table of py-feat v2 with all 22 signals, 150 frames; action units at `level`."""
    header = ["FaceRectX", "FaceRectY", "FaceRectWidth", "FaceRectHeight", *(f"AU{unit}" for unit in UNITS)]
    header += [*EMOTIONS, "valence", "arousal", "frame"]
    cells = ",".join(map(str, [10, 10, 90, 90, *[level] * len(UNITS), *[0.125] * 8, 0.5, -0.5]))
    path.write_text("\n".join([",".join(header), *(f"{cells},{frame}" for frame in range(150))]) + "\n")
    return path


def test_from_tables_of_another_tool_to_a_sav(facetrace, tmp_path):
    study = tmp_path / "study"
    study.mkdir()
    (study / "participants.tsv").write_text("participant_id\tgroup\n001\tASD\n002\tTD\n")
    for name, level in (("001", 0.75), ("002", 0.25)):
        path = write_pyfeat(tmp_path / f"{name}.csv", level)
        code, out, _ = facetrace("import", study, path, "--participant", name, "--task", "clips", "--frame-rate", 30)
        assert code == 0
        assert f"sub-{name}_task-clips: py-feat v2, 150 frames at 30 frames/s, 100.0% valid" in out
    code, out, _ = facetrace("summarize", study)
    assert code == 0
    assert out.splitlines()[-1] == "RESULT ok=2 failed=0 skipped=0 exit=0"
    code, out, _ = facetrace("export", study, "--format", "sav,csv2", "--table", "features")
    assert code == 0
    assert "2 files written" in out
    folder = study / "derivatives/facetrace/export"
    rows, meta = pyreadstat.read_sav(folder / "features.sav")
    assert rows["mean_AU12"].tolist() == [0.75, 0.25]
    assert rows["active_AU12"].tolist() == [1, 0]
    assert rows["included"].tolist() == [1, 1]
    assert meta.variable_value_labels["group"] == {0: "TD", 1: "ASD"}
    assert {path.name for path in folder.iterdir()} == {
        "features.sav", "features_semicolon.csv", "features.json", "codebook.html", "codebook.json",
        "read_features.R", "read_features.sps",
    }  # fmt: skip


def test_a_table_that_cannot_be_read_fails_alone(facetrace, tmp_path):
    study = tmp_path / "study"
    study.mkdir()
    (study / "participants.tsv").write_text("participant_id\tgroup\n001\tASD\n002\tTD\n")
    write_pyfeat(study / "good.csv", 0.5)
    (study / "bad.csv").write_text("a,b\n1,2\n")
    (study / "imports.csv").write_text(
        "participant_id,session,task,file,frame_rate_hz\n001,,clips,good.csv,30\n002,,clips,bad.csv,30\n"
    )
    code, out, err = facetrace("import", study)
    assert code == 4
    assert "sub-001_task-clips: py-feat v2" in out
    assert "FAILED sub-002: bad.csv, line 1: expected the columns of" in err
    assert "got a, b" in err


def test_a_file_needs_its_participant(facetrace, tmp_path):
    path = write_pyfeat(tmp_path / "a.csv", 0.5)
    assert facetrace("import", tmp_path, path)[0] == 2
