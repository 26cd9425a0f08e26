"""The atypicality flow through the command line, on tables of another tool and the judges' ratings."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from features.facs import HRM_REGRESSION_ACTIONS
from flows.cli import main

pytestmark = pytest.mark.usefixtures("prefect_home")

UNITS = ("01", "02", "04", "05", "06", "09", "12", "17", "20", "25", "26", "43")
EMOTIONS = ("Neutral", "Happy", "Sad", "Surprise", "Fear", "Disgust", "Anger", "Contempt")
SETTINGS = """
atypicality: {models: [gru], repeats: 1, stride_frames: 5, epochs: 1, learning_rates: [0.01], permutations: 1,
              bootstrap_samples: 100, workers: 1}
"""


@pytest.fixture
def facetrace(monkeypatch, capsys):
    def run(*arguments: object) -> tuple[int, str, str]:
        monkeypatch.setattr(sys, "argv", ["facetrace", *map(str, arguments)])
        with pytest.raises(SystemExit) as ended:
            main()
        printed = capsys.readouterr()
        return int(ended.value.code or 0), printed.out, printed.err

    return run


@pytest.fixture
def imported_study(facetrace, tmp_path) -> Path:
    """Six participants of 60 frames each, imported from tables of py-feat."""
    study = tmp_path / "study"
    study.mkdir()
    names = [f"{number:03d}" for number in range(1, 7)]
    rows = [f"{name}\t{'ASD' if number % 2 else 'TD'}" for number, name in enumerate(names)]
    (study / "participants.tsv").write_text("\n".join(["participant_id\tgroup", *rows]) + "\n")
    (study / "config.yaml").write_text(SETTINGS)
    lines = ["participant_id,session,task,file,frame_rate_hz"]
    for number, name in enumerate(names):
        write_pyfeat(study / f"{name}.csv", seed=number)
        lines.append(f"{name},,clips,{name}.csv,30")
    (study / "imports.csv").write_text("\n".join(lines) + "\n")
    assert facetrace("import", study)[0] == 0
    return study


def write_pyfeat(path: Path, *, seed: int) -> None:
    header = ["FaceRectX", "FaceRectY", "FaceRectWidth", "FaceRectHeight", *(f"AU{unit}" for unit in UNITS)]
    header += [*EMOTIONS, "valence", "arousal", "frame"]
    levels = np.random.default_rng(seed).random((60, len(UNITS))).round(3)
    rows = [[10, 10, 90, 90, *row, *[0.125] * 8, 0.5, -0.5, frame] for frame, row in enumerate(levels.tolist())]
    path.write_text("\n".join(",".join(map(str, row)) for row in [header, *rows]) + "\n")


def test_a_study_without_ratings_is_told_so_and_one_with_them_is_predicted(facetrace, imported_study) -> None:
    code, out, _ = facetrace("atypicality", imported_study)
    assert code == 0
    assert "atypicality: skipped: the study has no ratings.csv" in out
    lines = ["participant_id,start_frame,end_frame,judge,rating"]
    for name in range(1, 7):
        lines += [f"{name:03d},0,29,{judge},{1 + name % 3}" for judge in "ab"]
        lines += [f"{name:03d},30,59,{judge},{1 + name % 2}" for judge in "ab"]
    (imported_study / "ratings.csv").write_text("\n".join(lines) + "\n")
    code, out, err = facetrace("atypicality", imported_study)
    assert code == 0, [out, err[-600:]]
    assert "atypicality: 1 computed" in out or "atypicality: computed" in out
    tables = imported_study / "derivatives/facetrace/group"
    performance = pd.read_parquet(tables / "desc-performance_atypicality.parquet")
    assert set(performance["n_windows"]) == {6 * 2 * 4}  # starts 0, 5, 10, 15 of each segment of 30 frames
    assert pd.read_parquet(tables / "desc-signals_atypicality.parquet")["signal"].tolist() == [f"AU{u}" for u in UNITS]
    assert "atypicality: up to date" in facetrace("atypicality", imported_study)[1]
    assert "study atypicality: up to date" in facetrace("status", imported_study)[1]
    (imported_study / "ratings.csv").write_text("\n".join([*lines, "001,60,80,a,9"]) + "\n")
    code, out, err = facetrace("atypicality", imported_study)
    assert code != 0
    assert "expected a rating from 1 to 5" in err


def test_labels_alone_are_enough_without_any_recording(facetrace, tmp_path) -> None:
    study = tmp_path / "labelled"
    lines = ["participant_id,start_frame,end_frame,judge,rating"]
    people = ["participant_id\tgroup"]
    for group, names in {"ASD": ("S1", "S2", "S3"), "TD": ("S1", "S2", "S3")}.items():
        (study / "labels" / group).mkdir(parents=True)
        for name in names:
            people.append(f"{group}{name}\t{group}")
            codes = np.random.default_rng(int(name[1])).integers(0, 2, (50, len(HRM_REGRESSION_ACTIONS)))
            table = pd.DataFrame(codes, columns=list(HRM_REGRESSION_ACTIONS))
            table.assign(frame=range(50)).to_csv(study / "labels" / group / f"{name}.csv", index=False)
            lines += [f"{group}{name},0,29,{judge},2" for judge in "ab"]
            lines += [f"{group}{name},30,39,{judge},4" for judge in "ab"]  # ten frames: shorter than a window
            lines += [f"{group}{name},40,49,{judge},3" for judge in "ab"]
    (study / "participants.tsv").write_text("\n".join(people) + "\n")
    (study / "ratings.csv").write_text("\n".join(lines) + "\n")
    (study / "config.yaml").write_text(
        "atypicality: {models: [gru], repeats: 1, stride_frames: 5, epochs: 1, learning_rates: [0.01], permutations: 1,\n"
        "  bootstrap_samples: 100, workers: 1, inputs: labels, labels: labels}\n"
    )
    code, out, err = facetrace("atypicality", study)
    assert code == 0, [out, err[-600:]]
    assert "12 of 18 rated segments left out (shorter than a window: 12)" in out
    assert "RESULT ok=6 failed=0 skipped=0 exit=0" in out
    (study / "ratings.csv").write_text("\n".join([*lines, "ASDS9,0,20,a,2"]) + "\n")
    code, out, err = facetrace("atypicality", study)
    assert code == 3
    assert "expected participants of the study, got sub-ASDS9" in out + err
