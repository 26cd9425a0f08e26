"""py-feat and iMotions FACET from real files; py-feat v2, LibreFace and AFFDEX from their documented headers."""

from __future__ import annotations

import io

import numpy as np
import pandas as pd
import pytest

from features.facs import EXPRESSION_COLUMNS
from features.frame_table import validate
from tasks.errors import InvalidInputError
from tasks.importers import find_dialect, open_export

PYFEAT_UNITS = ("01", "02", "04", "05", "06", "07", "09", "10", "11", "12", "14", "15", "17", "20", "23", "24", "25", "26", "28", "43")  # fmt: skip
BOX = {"FaceRectX": 10, "FaceRectY": 20, "FaceRectWidth": 100, "FaceRectHeight": 120, "FaceScore": 0.99}


def pyfeat_v2_row(frame: int, **changed: object) -> dict[str, object]:
    emotions = dict(
        zip(
            ("Neutral", "Happy", "Sad", "Surprise", "Fear", "Disgust", "Anger", "Contempt"),
            (0.3, *[0.1] * 7),
            strict=True,
        )
    )
    units = {f"AU{unit}": 0.25 for unit in PYFEAT_UNITS}
    return {**BOX, "Pitch": 1, "Roll": 2, "Yaw": 3, **units, **emotions, "valence": -0.5, "arousal": 0.25, "input": "a.mp4", "frame": frame, "approx_time": "00:00", **changed}  # fmt: skip


@pytest.mark.real_media
@pytest.mark.parametrize(("name", "n"), [("001.csv", 40), ("002.csv", 28)])
def test_real_pyfeat_means_are_those_of_the_cells(imports, real_media, name, n):
    table = imports.read(real_media / "exports" / name, frame_rate_hz=25)
    raw = pd.read_csv(real_media / "exports" / name)
    assert table.facts["dialect"] == "pyfeat1"
    assert len(table.frames) == n
    for unit in ("AU01", "AU07", "AU12", "AU43"):
        assert table.frames[unit].mean() == pytest.approx(raw[unit].mean(), rel=1e-6)
    for ours, theirs in (("expr_happy", "happiness"), ("expr_neutral", "neutral"), ("expr_sad", "sadness")):
        assert table.frames[ours].mean() == pytest.approx(raw[theirs].mean(), rel=1e-5)
    assert table.frames["tool_yaw_deg"].mean() == pytest.approx(raw["Yaw"].mean(), rel=1e-5)
    assert table.frames["yaw_deg"].isna().all()  # its direction was not verified
    assert (table.frames["face_x2"] - table.frames["face_x1"]).mean() == pytest.approx(raw["FaceRectWidth"].mean())
    assert "expr_contempt" not in table.frames
    np.testing.assert_allclose(table.frames["time_s"], np.arange(n) / 25)


@pytest.mark.real_media
def test_a_real_pyfeat_file_without_times_is_refused(imports, real_media):
    with pytest.raises(InvalidInputError, match=r"Feat_Test.csv: expected times.*imports.frame_rate_hz"):
        imports.read(real_media / "exports/Feat_Test.csv")
    assert len(imports.read(real_media / "exports/Feat_Test.csv", frame_rate_hz=25).frames) == 1


@pytest.mark.real_media
@pytest.mark.parametrize(("stimulus", "n"), [("Emotient_Baseline", 179), ("screen_data", 74)])
def test_real_facet_means_are_those_of_the_cells(imports, real_media, stimulus, n):
    path = real_media / "exports/iMotions_Test_v5.txt"
    table = imports.read(path, stimulus=stimulus, probability_from=("evidence",))
    text = path.read_text()
    raw = pd.read_csv(io.StringIO(text[text.index("StudyName\t") :]), sep="\t")
    raw = raw[raw["EventSource"].str.contains("FACET") & raw["StimulusName"].eq(stimulus) & raw["FrameNo"].ge(0)]
    seen = raw[raw["NoOfFaces"] == 1]
    assert (table.facts["dialect"], table.facts["tool_version"]) == ("imotions-facet", "iMotions 5.7.2375.0")
    assert len(table.frames) == len(raw) == n
    assert table.frames["valid"].sum() == len(seen)
    assert table.frames["AU12_evidence"].mean() == pytest.approx(seen["AU12 Evidence"].mean(), rel=1e-5)
    assert table.frames["expr_happy_evidence"].mean() == pytest.approx(seen["Joy Evidence"].mean(), rel=1e-5)
    probability = 1 / (1 + 10 ** -seen["AU12 Evidence"])
    assert table.frames["AU12"].mean() == pytest.approx(probability.mean(), rel=1e-5)
    np.testing.assert_allclose(
        table.frames.loc[table.frames["valid"], list(EXPRESSION_COLUMNS)].sum(axis=1), 1, atol=1e-5
    )
    assert table.facts["frame_rate_hz"] == pytest.approx(30, abs=0.1)
    assert not {"Name", "Age", "Gender"} & set(table.frames)


@pytest.mark.real_media
def test_several_stimuli_in_a_file_are_told_apart(imports, real_media):
    with pytest.raises(InvalidInputError, match="Emotient_Baseline, screen_data. Name one with --stimulus"):
        imports.read(real_media / "exports/iMotions_Test_v5.txt")
    with pytest.raises(InvalidInputError, match="expected one stimulus, got Emotient_Baseline, screen_data"):
        imports.read(real_media / "exports/iMotions_Test_v5.txt", stimulus="nonesuch")


def test_pyfeat_v2_with_contempt_has_all_signals_of_a_frame_table(imports, tmp_path):
    path = imports.write(tmp_path / "v2.csv", [pyfeat_v2_row(i) for i in range(5)])
    table = imports.read(path, frame_rate_hz=30)
    assert table.facts["dialect"] == "pyfeat2"
    frames = table.frames.drop(columns=[f"AU{u}" for u in ("07", "10", "11", "14", "15", "23", "24", "28")])
    frames = frames.drop(columns=[name for name in frames if name.startswith("tool_")])
    validate(frames.assign(participant_id="1", session="", task="x"))
    assert frames["valence"].tolist() == [-0.5] * 5


def test_skipped_frames_keep_their_stride_and_lost_ones_come_back(imports, tmp_path):
    path = imports.write(tmp_path / "skipped.csv", [pyfeat_v2_row(i) for i in (0, 10, 20, 40, 50)])
    table = imports.read(path, frame_rate_hz=30)
    assert table.frames["frame"].tolist() == [0, 10, 20, 30, 40, 50]
    assert table.frames["valid"].tolist() == [True, True, True, False, True, True]
    assert table.facts["frame_stride"] == 10
    np.testing.assert_allclose(table.frames["time_s"], np.arange(6) / 3)


def test_columns_without_any_value_are_left_out_and_named(imports, tmp_path):
    rows = [pyfeat_v2_row(i, valence="", arousal="nan", AU04="") for i in range(4)]
    table = imports.read(imports.write(tmp_path / "empty.csv", rows), frame_rate_hz=30)
    assert table.frames["valid"].all()
    assert not {"valence", "arousal", "AU04"} & set(table.frames)
    assert table.facts["notes"][-1] == "Columns without a value: AU04, valence, arousal."


def test_rows_without_a_face_are_frames_without_a_face(imports, tmp_path):
    blank = dict.fromkeys(pyfeat_v2_row(1), "")
    rows = [pyfeat_v2_row(0), {**blank, "frame": 1, "FaceScore": 0}, pyfeat_v2_row(2)]
    frames = imports.read(imports.write(tmp_path / "gone.csv", rows), frame_rate_hz=30).frames
    assert frames["invalid_reason"].tolist() == ["ok", "no_face", "ok"]
    assert frames["n_faces"].tolist() == [1, 0, 1]


def test_units_that_are_0_and_1_throughout_are_presence(imports, tmp_path):
    rows = [pyfeat_v2_row(i, **{f"AU{u}": (i + 1) % 2 for u in PYFEAT_UNITS}) for i in range(4)]
    table = imports.read(imports.write(tmp_path / "svm.csv", rows), frame_rate_hz=30)
    assert "AU12" not in table.frames
    assert table.frames["AU12_present"].tolist() == [1, 0, 1, 0]


def test_several_faces_without_ids_need_a_setting(imports, tmp_path):
    rows = [pyfeat_v2_row(0), pyfeat_v2_row(1), pyfeat_v2_row(1, FaceRectWidth=300, AU12=0.75), pyfeat_v2_row(2)]
    path = imports.write(tmp_path / "two.csv", rows)
    with pytest.raises(
        InvalidInputError, match=r"two.csv, line 4: .*frame 1 again \(first in line 3\).*imports.face: largest"
    ):
        imports.read(path, frame_rate_hz=30)
    frames = imports.read(path, frame_rate_hz=30, face="largest").frames
    assert frames["AU12"].tolist() == [0.25, 0.75, 0.25]
    assert frames["n_faces"].tolist() == [1, 2, 1]


def test_libreface_units_intensities_and_one_expression(imports, tmp_path):
    words = ["Happiness", "Neutral", "Happiness", "Contempt", ""]
    rows = [
        {"": i, "frame_idx": i, "frame_time_in_ms": i * 40, "pitch": 1, "yaw": 2, "roll": 3, "facial_expression": word, "au_1": i % 2, "au_12": 1, "au_1_intensity": 0.5 * i, "au_25_intensity": 2}
        for i, word in enumerate(words)
    ]  # fmt: skip
    path = imports.write(tmp_path / "lf.csv", rows)
    table = imports.read(path)
    assert table.facts["dialect"] == "libreface"
    assert table.facts["frame_rate_hz"] == pytest.approx(25)
    assert table.frames["valid"].tolist() == [True] * 4 + [False]
    assert table.frames["AU01_intensity"].iloc[:4].tolist() == [0, 0.5, 1, 1.5]
    assert table.frames["expr_happy_present"].iloc[:4].tolist() == [1, 0, 1, 0]
    mapped = imports.read(path, probability_from=("presence",)).frames
    assert mapped["expr_contempt"].iloc[:4].tolist() == [0, 0, 0, 1]
    assert mapped["AU12"].iloc[:4].tolist() == [1] * 4


def test_libreface_with_an_unknown_word(imports, tmp_path):
    rows = [
        {"frame_idx": i, "frame_time_in_ms": i * 40, "facial_expression": w, "au_1": 1}
        for i, w in enumerate(["Fear", "Boredom"])
    ]
    with pytest.raises(
        InvalidInputError, match="line 3, column facial_expression: expected one of neutral.*got 'Boredom'"
    ):
        imports.read(imports.write(tmp_path / "lf.csv", rows))


def affdex_table(path, imports, **changed):
    names = ("Brow Furrow", "Brow Raise", "Smile", "Jaw Drop", "Dimpler", "Eye Closure", "Smirk", "Attention")
    rows = [
        {"Row": i, "Timestamp": 5000 + 40 * i, "EventSource": "Facial Expression", "Joy": 10 * i, "Neutral": 50, "Valence": -20, **dict.fromkeys(names, 25), "Pitch": 1, **changed}
        for i in range(5)
    ]  # fmt: skip
    imports.write(path, rows)
    path.write_text("#INFO,\n#Respondent Name,R3\nStudy name,x\n#DATA,\n" + path.read_text())
    return path


def test_affdex_scores_after_a_block_of_metadata(imports, tmp_path):
    table = imports.read(affdex_table(tmp_path / "affdex.csv", imports))
    assert table.facts["dialect"] == "imotions-affdex"
    assert table.frames["AU12_percent"].tolist() == [25] * 5
    assert table.frames["AU04_percent"].tolist() == [25] * 5
    assert table.frames["valence_percent"].tolist() == [-20] * 5
    assert table.frames["time_s"].tolist() == pytest.approx([0, 0.04, 0.08, 0.12, 0.16])
    mapped = imports.read(tmp_path / "affdex.csv", probability_from=("percent",)).frames
    assert mapped["AU12"].tolist() == [0.25] * 5
    assert mapped["valence"].tolist() == pytest.approx([-0.2] * 5)
    assert "expr_happy" not in mapped  # two of eight expressions cannot sum to 1


def test_a_score_above_its_scale_is_named_with_its_line(imports, tmp_path):
    path = affdex_table(tmp_path / "affdex.csv", imports, Smile=101)
    with pytest.raises(
        InvalidInputError, match="affdex.csv, line 6, column Smile: expected percent within 0 to 100, got 101"
    ):
        imports.read(path)


def test_an_unknown_dialect_names_the_columns_seen(tmp_path):
    path = tmp_path / "x.csv"
    path.write_text("time,smile,frown\n0,1,2\n")
    with pytest.raises(
        InvalidInputError, match="x.csv, line 1: expected the columns of OpenFace.*got time, smile, frown"
    ):
        find_dialect(open_export(path))


def test_a_wrong_or_unknown_dialect_that_was_asked_for(imports, openface):
    with pytest.raises(InvalidInputError, match="expected the columns of LibreFace, got frame"):
        imports.read(openface(), dialect="libreface")
    with pytest.raises(InvalidInputError, match="Expected the dialect auto, openface0"):
        imports.read(openface(), dialect="facereader")
