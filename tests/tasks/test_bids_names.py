"""Names of a study folder go together and come apart again."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tasks.bids_names import Derivatives, RecordingName, bare_id, is_label, is_video_file, parse_video_name

ALPHABET = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789"
labels = st.text(alphabet=ALPHABET, min_size=1, max_size=12)
names = st.builds(
    RecordingName,
    participant_id=labels,
    session=st.one_of(st.just(""), labels),
    task=labels,
    recording=st.one_of(st.just(""), labels),
)


@settings(deadline=None)
@given(name=names, extension=st.sampled_from([".mp4", ".mov", ".MOV", ".mkv", ".avi"]))
def test_video_names_come_apart_as_they_were_put_together(name, extension):
    assert parse_video_name(name.video_name(extension)) == name


fragments = [
    "sub-",
    "ses-",
    "task-",
    "recording-",
    "video",
    "_",
    "-",
    ".",
    "mp4",
    ".mov",
    "01",
    "cat",
    "face",
    " ",
    "é",
]
near_names = st.lists(st.sampled_from(fragments), max_size=14).map("".join)


@settings(deadline=None)
@given(text=near_names)
def test_whatever_is_parsed_can_be_written_again(text):
    name = parse_video_name(text)
    if name is not None:
        assert name.video_name(Path(text).suffix) == text


@settings(deadline=None)
@given(label=labels)
def test_sub_prefix_may_be_there_or_not(label):
    assert bare_id(f"sub-{label}") == bare_id(f" {label} ") == label.removeprefix("sub-")


def test_names_of_bep047():
    name = RecordingName("01", "02", "cat", "face")
    assert name.video_name(".mp4") == "sub-01_ses-02_task-cat_recording-face_video.mp4"
    assert str(name.folder) == "sub-01/ses-02/beh"
    assert name.is_face
    plain = RecordingName("01", "", "cat")
    assert plain.video_name(".mov") == "sub-01_task-cat_video.mov"
    assert str(plain.folder) == "sub-01/beh"
    assert not RecordingName("01", "", "cat", "scene").is_face


@pytest.mark.parametrize(
    "name",
    [
        "sub-01_task-cat_beh.mp4",
        "sub-01_video.mp4",
        "sub-0_1_task-cat_video.mp4",
        "sub-01_task-my-cat_video.mp4",
        "sub-01_task-cat_ses-01_video.mp4",
        "sub-01_task-cat_video.txt",
        "01_task-cat_video.mp4",
        "sub-Ä_task-cat_video.mp4",
        "sub-01_task-cat_video.mp4.part",
    ],
)
def test_other_names_are_refused(name):
    assert parse_video_name(name) is None


@pytest.mark.parametrize(
    ("text", "expected"), [("01A", True), ("", False), ("a b", False), ("é", False), ("1-2", False)]
)
def test_labels(text, expected):
    assert is_label(text) is expected


def test_hidden_copies_of_macos_are_no_videos():
    assert is_video_file(Path("sub-01_task-cat_video.MP4"))
    assert not is_video_file(Path("._sub-01_task-cat_video.mp4"))
    assert not is_video_file(Path("notes.txt"))


def test_derivatives():
    paths = Derivatives.of_study(Path("study"))
    root = Path("study/derivatives/facetrace")
    assert paths.frame_table("01", "", "cat") == root / "sub-01/beh/sub-01_task-cat_desc-frames_beh.parquet"
    expected = root / "sub-01/ses-2/beh/sub-01_ses-2_task-cat_desc-frames_beh.parquet"
    assert paths.frame_table("01", "2", "cat") == expected
    assert paths.group_table("features", "participants") == root / "group/desc-features_participants.parquet"
    assert paths.participant_report("01") == root / "sub-01/sub-01_report.html"
    assert paths.group_report == root / "group.html"
    assert paths.logs == root / "logs"


def test_events_are_sought_from_near_to_far():
    assert [str(place) for place in RecordingName("01", "2", "cat").events_places()] == [
        "sub-01/ses-2/beh/sub-01_ses-2_task-cat_recording-face_events.tsv",
        "sub-01/ses-2/beh/sub-01_ses-2_task-cat_events.tsv",
        "sub-01/sub-01_task-cat_events.tsv",
        "task-cat_events.tsv",
    ]
