"""What a probe says of videos that were made with known properties, and the triage of a study."""

from __future__ import annotations

import hashlib

import numpy as np
import pytest

from tasks.errors import InvalidInputError
from tasks.probing import TRIAGE_COLUMNS, classify_rate, probe_study, probe_video
from tasks.study import read_study
from tasks.tables import read_table, write_table


def test_constant_rate(numbered_video):
    probe = probe_video(numbered_video)
    assert (probe.codec, probe.pixel_format) == ("h264", "yuv420p")
    assert (probe.width, probe.height, probe.rotation_deg) == (160, 120, 0)
    assert probe.rate == "constant"
    assert probe.mean_fps == pytest.approx(30)
    assert (probe.header_frames, probe.packet_frames) == (60, 60)
    assert probe.duration_s == pytest.approx(2.0)
    data = numbered_video.read_bytes()
    assert (probe.size_bytes, probe.sha256) == (len(data), hashlib.sha256(data).hexdigest())


def test_variable_rate_and_rotation(tmp_path, media):
    times = [0, 1 / 30, 2 / 30, 0.2, 0.3, 0.31]
    probe = probe_video(media.write_video(tmp_path / "turned.mov", n=6, times=times, turns=1, b_frames=0))
    assert probe.rate == "variable"
    assert probe.mean_fps == pytest.approx(5 / 0.31, rel=1e-3)
    assert (probe.width, probe.height, probe.rotation_deg) == (160, 120, 270)


def test_one_frame_has_no_rate(tmp_path, media):
    probe = probe_video(media.write_video(tmp_path / "one.mp4", n=1))
    assert (probe.packet_frames, probe.mean_fps, probe.rate) == (1, None, "constant")
    assert probe.duration_s == pytest.approx(1 / 30)


@pytest.mark.parametrize(
    ("times", "tick", "expected"),
    [
        (np.arange(50) / 23.976, 0.0, "constant"),
        # Matroska stores milliseconds.
        (np.round(np.arange(50) / 23.976, 3), 0.001, "constant"),
        # Timescale 600 of old QuickTime files.
        (np.round(np.arange(50) / 23.976 * 600) / 600, 1 / 600, "constant"),
        (np.delete(np.arange(50) / 30, 20), 0.0, "variable"),
        (np.r_[np.arange(25) / 30, 25 / 30 + np.arange(25) / 24], 0.0, "variable"),
        (np.array([0.0]), 0.0, "constant"),
    ],
)
def test_classify_rate(times, tick, expected):
    assert classify_rate(times, tick_s=tick) == expected


def test_unreadable(tmp_path):
    (tmp_path / "text.mp4").write_text("not a video")
    with pytest.raises(InvalidInputError, match=r"text\.mp4"):
        probe_video(tmp_path / "text.mp4")


@pytest.fixture(scope="module")
def triaged(tmp_path_factory, media):
    """Six participants: sound; unreadable; too short; two with the same file; one without a group; and a late
    segment."""
    folder = media.write_study(
        tmp_path_factory.mktemp("triage") / "study",
        rows="participant_id group\n01 ASD\n02 TD\n03 TD\n04 ASD\n05 TD\n06 n/a",
        files={
            "sub-02/beh/sub-02_task-cat_video.mp4": b"nothing that FFmpeg knows",
            "sub-06/beh/sub-06_task-cat_video.mp4": b"",
            "sub-01/beh/sub-01_task-cat_events.tsv": "onset\tduration\ttrial_type\n0\t1\tsad\n1500\t500\thappy\n",
        },
    )
    for name, n in (("01", 60), ("03", 6), ("04", 45)):
        media.write_video(folder / f"sub-{name}/beh/sub-{name}_task-cat_video.mp4", n=n)
    copy = folder / "sub-05/beh/sub-05_task-cat_video.mp4"
    copy.parent.mkdir(parents=True)
    copy.write_bytes((folder / "sub-04/beh/sub-04_task-cat_video.mp4").read_bytes())
    study, problems = read_study(folder)
    return study, problems, probe_study(study, problems, min_duration_s=1.0)


def test_triage_finds_what_is_wrong(triaged):
    study, _, triage = triaged
    assert sorted((item.code, item.participant_id) for item in triage.problems) == [
        ("duplicate_video", "04"),
        ("duplicate_video", "05"),
        ("events_beyond_end", "01"),
        ("too_short", "03"),
        ("unreadable_video", "02"),
    ]
    remaining = study.without(triage.problems)
    assert [video.participant_id for video in remaining.videos] == ["01"]
    assert set(remaining.failed) == {"02", "03", "04", "05", "06"}
    assert set(triage.probes) == {f"sub-{name}_task-cat" for name in ("01", "03", "04", "05")}


def test_triage_table(triaged, tmp_path):
    table = triaged[2].table
    assert list(table.columns) == [column.name for column in TRIAGE_COLUMNS]
    rows = table.set_index("participant_id")
    assert rows["status"].to_dict() == {
        "01": "ok", "02": "failed", "03": "failed", "04": "failed", "05": "failed", "06": "failed",
    }  # fmt: skip
    assert "2000.0 s" in rows.loc["01", "problem"]
    assert "sub-05/beh/sub-05_task-cat_video.mp4" in rows.loc["04", "problem"]
    assert "0.20 s" in rows.loc["03", "problem"]
    assert "group" in rows.loc["06", "problem"]
    assert rows.loc["01", "packet_frames"] == 60
    assert rows.loc["04", "sha256"] == rows.loc["05", "sha256"]
    assert str(triaged[0].folder) not in table.to_csv()
    path = tmp_path / "triage.parquet"
    write_table(table, path, described=TRIAGE_COLUMNS)
    assert read_table(path)["width"].isna().tolist() == [False, True, False, False, False, True]


def test_participants_that_were_not_chosen_are_skipped(triaged):
    study, problems = read_study(triaged[0].folder, participant_labels=["01"])
    table = probe_study(study, problems).table.set_index("participant_id")
    assert table["status"].to_dict() == {"01": "ok", **dict.fromkeys(["02", "03", "04", "05", "06"], "skipped")}


def test_all_videos_of_a_failed_participant_point_to_the_bad_one(tmp_path, media):
    folder = media.write_study(
        tmp_path / "study",
        rows="participant_id group\n01 ASD",
        files={"sub-01/beh/sub-01_task-dog_video.mp4": b"no video"},
    )
    media.write_video(folder / "sub-01/beh/sub-01_task-cat_video.mp4")
    study, problems = read_study(folder)
    table = probe_study(study, problems).table.set_index("task")
    assert table["status"].tolist() == ["failed", "failed"]
    assert table.loc["cat", "problem"] == "See sub-01/beh/sub-01_task-dog_video.mp4."
    assert "cannot be opened" in table.loc["dog", "problem"]


@pytest.mark.real_media
@pytest.mark.parametrize(
    ("name", "codec", "rate", "header", "packets"),
    [
        ("WolfgangLanger_Pexels.mp4", "h264", "constant", 472, 472),
        ("no_face.mp4", "h264", "constant", 98, 95),
        ("face_noface.mov", "hevc", "variable", 169, 169),
        ("noface_face.mov", "hevc", "variable", 169, 169),
    ],
)
def test_real_recordings(real_media, name, codec, rate, header, packets):
    """Figures of the recordings' own description."""
    probe = probe_video(real_media / "video" / name)
    assert (probe.codec, probe.rate, probe.header_frames, probe.packet_frames) == (codec, rate, header, packets)
