"""The study flow on rendered participants, sound and broken. Everything is real: Prefect, videos, networks with demo weights."""

from __future__ import annotations

import json
import shutil

import numpy as np
import pandas as pd
import pytest

from features.vector_58 import FEATURE_NAMES, participant_vector
from tasks.bids_names import Derivatives
from tasks.errors import ExitCode, InvalidInputError, SettingsError, WeightsError
from tasks.tables import read_table

pytestmark = pytest.mark.usefixtures("prefect_home")


def test_every_frame_has_a_row_and_rendered_truth_is_found(finished_study):
    derivatives = Derivatives.of_study(finished_study)
    for path in sorted(finished_study.glob("derivatives/ground-truth/*/beh/*.parquet")):
        participant_id = path.name.split("_")[0].removeprefix("sub-")
        truth = read_table(path)
        frames = read_table(derivatives.frame_table(participant_id, "", "clips"))
        assert frames["frame"].tolist() == truth["frame"].tolist() == list(range(192))
        np.testing.assert_allclose(frames["time_s"], truth["time_s"], atol=1e-3)
        present = truth["face_present"].to_numpy()
        # A participant who left the picture is looked for again after target.max_gap_s: 12 frames, at one face lost or found late.
        n_losses = int((np.diff(present.astype(int)) == -1).sum())
        assert (~frames.loc[present, "valid"]).sum() <= 13 * n_losses
        both = present & frames["valid"].to_numpy()
        eyes = ["left_eye_x", "left_eye_y", "right_eye_x", "right_eye_y"]
        apart = np.hypot(truth["left_eye_x"] - truth["right_eye_x"], truth["left_eye_y"] - truth["right_eye_y"])
        error = (frames[eyes] - truth[eyes]).abs().max(axis=1) / apart
        assert error[both].median() < 0.05


def test_features_are_those_of_the_frame_tables(finished_study):
    derivatives = Derivatives.of_study(finished_study)
    features = read_table(derivatives.group_table("features", "participants")).set_index("participant_id")
    assert list(features.columns[-58:]) == list(FEATURE_NAMES)
    frames = read_table(derivatives.frame_table("001", "", "clips"))
    expected = participant_vector(frames)
    np.testing.assert_allclose(features.loc["001", list(FEATURE_NAMES)].astype(float), expected, rtol=1e-6)
    assert features.loc["001", "valid_fraction"] == pytest.approx(frames["valid"].mean())


def test_all_tables_reports_and_sidecars_are_written(finished_study):
    folder = Derivatives.of_study(finished_study).folder
    names = {path.stem for path in (folder / "group").glob("*.parquet")}
    assert names == {
        "desc-triage_videos", "desc-features_participants", "desc-performance_classifiers",
        "desc-predictions_classifiers", "desc-attributegroups_tests", "desc-emotionaus_tests",
        "desc-attributereadings_tests", "desc-emotionrates_participants", "desc-emotionframes_tests",
        "desc-emotionmodels_tests", "desc-combinations_complexity", "desc-combinations_tests",
        *(f"desc-{name}_atypicality" for name in (
            "performance", "participants", "folds", "signals", "moments", "runs", "segments",
        )),
    }  # fmt: skip
    for path in folder.rglob("*.parquet"):
        sidecar = json.loads(path.with_suffix(".json").read_text())
        assert set(sidecar["columns"]) == set(pd.read_parquet(path).columns)
        assert str(finished_study.parent) not in json.dumps(sidecar)
    predictions = pd.read_parquet(folder / "group" / "desc-predictions_classifiers.parquet")
    assert len(predictions) == 4 * 7 * 6
    page = (folder / "group.html").read_text()
    assert "not a diagnosis" in page.lower()
    assert "rendered" in page
    assert len(list(folder.glob("sub-*/sub-*_report.html"))) == 6
    assert "Predicted against judged atypicality" in page
    assert "AU04 with weight +3.0, found at rank" in page
    tracks = sorted(folder.glob("sub-*/beh/*_desc-atypicality_beh.parquet"))
    assert len(tracks) == 6
    assert "Predicted atypicality" in next(folder.glob("sub-*/sub-*_report.html")).read_text()
    exported = {path.stem for path in (folder / "export").glob("*.sav")}
    assert len(exported) == len(names)
    assert {"features", "predictions", "emotionaus", "combinations", "combinations_complexity"} <= exported
    assert not (folder / "export" / "frames").exists()
    modes = {oct(path.stat().st_mode & 0o777) for path in folder.rglob("*")}
    assert modes == {"0o600", "0o700"}


def test_a_second_run_computes_nothing(finished_study, monkeypatch, run_study):
    monkeypatch.setenv("FACETRACE_STUDIES", str(finished_study.parent))
    folder = Derivatives.of_study(finished_study).folder
    tables = [path for path in folder.rglob("*.parquet") if path.stem != "desc-triage_videos"]
    files = [*tables, *(path for path in folder.rglob("*") if path.suffix in {".html", ".sav", ".csv", ".svg", ".pdf"})]
    before = {path: path.stat().st_mtime_ns for path in files}
    summary = run_study(finished_study)
    assert summary["exit_code"] == 0
    assert "export: up to date" in summary["actions"]
    assert {path: path.stat().st_mtime_ns for path in files} == before


def test_broken_participants_fail_alone(copied_study, run_study, change_settings):
    broken = {
        "001": b"",
        "002": b"this is no video\n" * 100,
    }
    for name, content in broken.items():
        video = next((copied_study / f"sub-{name}" / "beh").glob("*.mp4"))
        video.write_bytes(content)
    shutil.rmtree(copied_study / "sub-003")
    table = copied_study / "participants.tsv"
    table.write_text(table.read_text().replace("sub-004\tASD", "sub-004\tn/a").replace("sub-004\tTD", "sub-004\tn/a"))
    change_settings(copied_study, classify={"permutations": 0})
    summary = run_study(copied_study)
    assert summary["state"] == "SomeParticipantsFailed"
    assert summary["result"] == "RESULT ok=2 failed=4 skipped=0 exit=4"
    problems = "\n".join(summary["problems"])
    for name in ("sub-001", "sub-002", "sub-003", "sub-004"):
        assert f"FAILED {name}: " in problems
    # Two participants are too few for the analyses; that is said, and the report is written all the same.
    assert "NOT DONE classify: " in problems
    derivatives = Derivatives.of_study(copied_study)
    assert derivatives.group_report.exists()
    assert derivatives.frame_table("005", "", "clips").exists()
    log = json.loads(next(derivatives.logs.glob("run-*.json")).read_text())
    assert {item["status"] for item in log["inputs"]} == {"ok", "failed"}
    assert log["exit_code"] == ExitCode.SOME_PARTICIPANTS_FAILED


def test_a_truncated_video_keeps_the_frames_that_can_be_read(copied_study, run_study, change_settings):
    video = next((copied_study / "sub-001" / "beh").glob("*.mp4"))
    # A fragmented copy, so that the header survives the cut, as with cameras that stop in mid-recording.
    import av

    copy = video.with_suffix(".tmp.mp4")
    with (
        av.open(str(video)) as source,
        av.open(str(copy), "w", options={"movflags": "frag_keyframe+empty_moov"}) as target,
    ):
        stream = target.add_stream_from_template(source.streams.video[0])
        for packet in source.demux(video=0):
            if packet.dts is not None:
                packet.stream = stream
                target.mux(packet)
    data = copy.read_bytes()
    copy.unlink()
    video.write_bytes(data[: int(len(data) * 0.6)])
    change_settings(
        copied_study, attributes={"allow_demo_weights": True}, classify={"permutations": 0, "ablation": False}
    )
    summary = run_study(copied_study, participants=["001"])
    assert "ok=1" in str(summary["result"])
    frames = read_table(Derivatives.of_study(copied_study).frame_table("001", "", "clips"))
    assert 60 <= len(frames) < 192
    assert frames["frame"].tolist() == list(range(len(frames)))
    assert set(frames["invalid_reason"]) <= {"ok", "no_face", "low_score", "not_target", "decode_error"}
    assert frames["valid"].sum() > 50


def test_asking_for_one_participant_skips_the_others(copied_study, run_study, change_settings):
    change_settings(copied_study, classify={"permutations": 0})
    summary = run_study(copied_study, participants=["sub-002"])
    assert str(summary["result"]).startswith("RESULT ok=1 failed=0 skipped=5")


def test_demo_weights_are_refused_on_videos_that_are_not_rendered(copied_study, run_study):
    video = next((copied_study / "sub-002" / "beh").glob("*.mp4"))
    with video.open("ab") as file:
        file.write(b"\0")
    with pytest.raises(WeightsError, match="refused on recordings of people"):
        run_study(copied_study)


def test_a_wrong_weights_file_stops_the_run(copied_study, run_study, change_settings):
    (copied_study / "own.safetensors").write_bytes(b"no tensors")
    change_settings(copied_study, attributes={"weights": "own.safetensors"})
    with pytest.raises(WeightsError, match=r"own\.safetensors"):
        run_study(copied_study)


def test_missing_weights_stop_the_run_at_once(copied_study, monkeypatch, tmp_path, run_study, change_settings):
    monkeypatch.setenv("FACETRACE_WEIGHTS", str(tmp_path / "empty"))
    change_settings(copied_study, detection={"weights": "retinaface-mobilenet0.25"})
    with pytest.raises(WeightsError, match=r"facetrace weights fetch retinaface-mobilenet0\.25"):
        run_study(copied_study)


def test_an_unknown_setting_stops_the_run(copied_study, run_study, change_settings):
    change_settings(copied_study, detection={"confidense": 0.5})
    with pytest.raises(SettingsError, match=r"Did you mean detection\.confidence\?"):
        run_study(copied_study)


def test_no_participants_table_stops_the_run(copied_study, run_study):
    (copied_study / "participants.tsv").unlink()
    with pytest.raises(InvalidInputError, match=r"participants\.tsv"):
        run_study(copied_study)


def test_duplicate_ids_stop_the_run(copied_study, run_study):
    table = copied_study / "participants.tsv"
    lines = table.read_text().splitlines()
    table.write_text("\n".join([*lines, lines[1]]) + "\n")
    with pytest.raises(InvalidInputError, match=r"participants\.tsv, line 8"):
        run_study(copied_study)


def test_two_videos_for_one_session_fail_their_participant(copied_study, run_study, change_settings):
    video = next((copied_study / "sub-001" / "beh").glob("*.mp4"))
    shutil.copy(video, video.with_suffix(".mov"))
    change_settings(copied_study, classify={"permutations": 0, "ablation": False})
    summary = run_study(copied_study, participants=["001", "002"])
    assert str(summary["result"]).startswith("RESULT ok=1 failed=1 skipped=4 exit=4")
    assert "FAILED sub-001" in "\n".join(summary["problems"])
