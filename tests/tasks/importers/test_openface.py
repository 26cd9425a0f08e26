"""OpenFace 2.x from its documented header, and 0.x from a real file."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from features.frame_table import LEADING_COLUMNS
from tasks.errors import InvalidInputError


def test_rows_become_frames_from_zero_with_their_times(imports, openface):
    table = imports.read(openface())
    assert table.facts["dialect"] == "openface2"
    assert table.facts["tool"] == "OpenFace"
    assert table.frames["frame"].tolist() == list(range(10))
    np.testing.assert_allclose(table.frames["time_s"], np.arange(10) / 30, atol=5e-4)
    # 9 steps in 0.300 s: the rounded steps of 33 and 34 ms do not matter
    assert table.facts["frame_rate_hz"] == pytest.approx(30.0)
    assert [c.name for c in table.columns] == list(table.frames.columns)
    assert list(table.frames.columns[:4]) == [c.name for c in LEADING_COLUMNS[3:7]]


def test_intensity_and_presence_have_names_and_scales_of_their_own(imports, openface):
    table = imports.read(openface())
    assert "AU12" not in table.frames
    columns = {column.name: column for column in table.columns}
    assert (columns["AU12_intensity"].low, columns["AU12_intensity"].high) == (0, 5)
    assert "no probability" in columns["AU12_intensity"].description
    np.testing.assert_allclose(table.frames["AU12_intensity"], [i % 5 for i in range(1, 11)])
    assert table.frames["AU28_present"].tolist() == [1, 0] * 5
    assert "AU28_intensity" not in table.frames
    assert table.facts["scales"] == ["intensity", "presence"]


@pytest.mark.parametrize(
    ("allowed", "expected", "unit_28"),
    [
        (("presence",), [1, 0, 1, 0, 1, 0, 1, 0, 1, 0], [1, 0] * 5),
        (("intensity",), [i % 5 / 5 for i in range(1, 11)], None),
        (("intensity", "presence"), [i % 5 / 5 for i in range(1, 11)], [1, 0] * 5),
        (("evidence",), None, None),
    ],
)
def test_settings_decide_what_becomes_a_probability(imports, openface, allowed, expected, unit_28):
    table = imports.read(openface(), probability_from=allowed)
    for name, values in (("AU12", expected), ("AU28", unit_28)):
        if values is None:
            assert name not in table.frames
        else:
            np.testing.assert_allclose(table.frames[name], values, atol=1e-6)
            assert table.facts["probabilities_from"][name] in allowed
            described = next(c.description for c in table.columns if c.name == name)
            assert "imports.probability_from" in described


def test_frames_without_success_are_kept_without_signals(imports, openface):
    rows = [imports.openface_row(i, success=int(i != 4)) for i in range(1, 11)]
    frames = imports.read(openface(rows)).frames
    assert frames["invalid_reason"].tolist() == ["ok"] * 3 + ["no_face"] + ["ok"] * 6
    assert frames.filter(like="AU").loc[3].isna().all()
    assert frames.filter(like="AU").drop(index=3).notna().all(axis=None)


def test_confidence_under_the_setting_is_a_low_score(imports, openface):
    rows = [imports.openface_row(i, confidence=0.5 if i == 2 else 0.9) for i in range(1, 6)]
    frames = imports.read(openface(rows), min_confidence=0.7).frames
    assert frames["invalid_reason"].tolist() == ["ok", "low_score", "ok", "ok", "ok"]


def test_frames_that_were_left_out_come_back_without_a_face(imports, openface):
    rows = [imports.openface_row(i) for i in range(1, 11) if i not in (4, 5)]
    table = imports.read(openface(rows))
    assert table.frames["frame"].tolist() == list(range(10))
    assert table.frames["invalid_reason"].tolist() == ["ok"] * 3 + ["no_face"] * 2 + ["ok"] * 5
    np.testing.assert_allclose(table.frames["time_s"], np.arange(10) / 30, atol=1e-3)
    assert table.facts["frames_without_a_row"] == 2


def test_the_face_that_was_followed_longest_is_the_participants(imports, openface):
    rows = []
    for i in range(1, 11):
        rows.append(imports.openface_row(i, face=0, success=int(i <= 3)))
        rows.append(imports.openface_row(i, face=1, success=int(i != 2)))
    frames = imports.read(openface(rows)).frames
    assert frames["invalid_reason"].tolist() == ["ok", "not_target"] + ["ok"] * 8
    assert frames["n_faces"].tolist() == [2, 1, 2] + [1] * 7
    assert frames.loc[0, "AU12_intensity"] == pytest.approx(1.1)  # that of face 1


def test_the_largest_face_of_each_frame(imports, openface):
    rows = []
    for i in range(1, 6):
        rows.append(imports.openface_row(i, face=0))
        rows.append(imports.openface_row(i, face=1, x_0=-400 if i == 3 else 105, x_67=160))
    frames = imports.read(openface(rows), face="largest").frames
    np.testing.assert_allclose(frames["AU12_intensity"], [1.0, 2.0, 3.1, 4.0, 0.0], rtol=1e-6)


def test_angles_are_turned_to_our_directions(imports, openface):
    frames = imports.read(openface()).frames
    # OpenFace: pitch positive downward, yaw toward the left of the image; ours upward and right.
    assert frames["pitch_deg"].iloc[0] == pytest.approx(-np.degrees(0.1))
    assert frames["yaw_deg"].iloc[0] == pytest.approx(-np.degrees(0.2))
    assert frames["roll_deg"].iloc[0] == pytest.approx(np.degrees(-0.1))


def test_box_and_landmarks_come_from_the_68_points(imports, openface):
    first = imports.read(openface()).frames.iloc[0]
    assert first[["face_x1", "face_y1", "face_x2", "face_y2"]].tolist() == [100, 133, 167, 200]
    assert (first["left_eye_x"], first["right_eye_x"]) == (138.5, 144.5)  # means of points 36-41 and 42-47
    assert (first["nose_x"], first["left_mouth_y"], first["right_mouth_y"]) == (130, 152, 146)


@pytest.mark.real_media
def test_means_of_the_real_file_are_those_of_its_cells(imports, real_media):
    path = real_media / "exports/OpenFace_Test.csv"
    table = imports.read(path, frame_rate_hz=30)
    raw = pd.read_csv(path, skipinitialspace=True)
    assert table.facts["dialect"] == "openface0"
    assert table.facts["frames_by_reason"] == {"ok": 100}
    assert len(table.frames) == 100
    for unit in ("01", "02", "04", "05", "12", "23", "45"):
        assert table.frames[f"AU{unit}_intensity"].mean() == pytest.approx(raw[f"AU{unit}_r"].mean(), rel=1e-6)
        assert table.frames[f"AU{unit}_present"].mean() == pytest.approx(raw[f"AU{unit}_c"].mean(), rel=1e-6)
    assert table.frames["face_score"].mean() == pytest.approx(raw["confidence"].mean(), rel=1e-6)


@pytest.mark.real_media
def test_head_angles_of_the_real_file_agree_with_its_landmarks(imports, real_media):
    path = real_media / "exports/OpenFace_Test.csv"
    frames = imports.read(path, frame_rate_hz=30).frames
    raw = pd.read_csv(path, skipinitialspace=True)
    # Z points away from the camera: the chin (8) goes away from it when the head nods down.
    assert np.corrcoef(frames["pitch_deg"], raw["Z_8"] - raw["Z_27"])[0, 1] < -0.9
    # The right edge of the face (16) goes away from the camera when the head turns to the right of the image.
    assert np.corrcoef(frames["yaw_deg"], raw["Z_16"] - raw["Z_0"])[0, 1] > 0.9
    slope = np.arctan2(raw["y_45"] - raw["y_36"], raw["x_45"] - raw["x_36"])
    assert np.corrcoef(frames["roll_deg"], slope)[0, 1] > 0.8


@pytest.mark.real_media
def test_the_real_files_thousand_frames_a_second_are_refused(imports, real_media):
    with pytest.raises(InvalidInputError, match=r"1 to 300 frames/s, got 1000 .* imports.frame_rate_hz"):
        imports.read(real_media / "exports/OpenFace_Test.csv")
