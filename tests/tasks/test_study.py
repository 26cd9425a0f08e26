"""Every way in which study folders were found to be wrong is named, all at once, with file and line."""

from __future__ import annotations

import json

import numpy as np
import pytest

from tasks.errors import InvalidInputError
from tasks.events import read_events
from tasks.problems import list_problems
from tasks.study import read_study

ROWS = """
participant_id group age sex
sub-01 ASD 5.5 F
sub-02 TD 6 M
"""
VIDEOS = {
    "sub-01/beh/sub-01_task-cat_video.mp4": b"x",
    "sub-02/beh/sub-02_task-cat_recording-face_video.mov": b"y",
}


def codes(problems, severity=None):
    return [item.code for item in problems if severity in {None, item.severity}]


def only(problems, code):
    found = [item for item in problems if item.code == code]
    assert len(found) == 1, list_problems(problems)
    return found[0]


@pytest.fixture
def make_study(tmp_path, media):
    def make(*, rows=ROWS, files=None, videos=True):
        return media.write_study(tmp_path / "study", rows=rows, files={**(VIDEOS if videos else {}), **(files or {})})

    return make


def test_a_sound_study(make_study):
    folder = make_study()
    study, problems = read_study(folder)
    assert problems == []
    assert [(v.participant_id, v.session, v.task, v.file) for v in study.videos] == [
        ("01", "", "cat", "sub-01/beh/sub-01_task-cat_video.mp4"),
        ("02", "", "cat", "sub-02/beh/sub-02_task-cat_recording-face_video.mov"),
    ]
    assert study.videos[0].path.is_file()
    assert study.videos[0].label == "sub-01_task-cat"
    assert [(p.participant_id, p.group, p.line) for p in study.participants] == [("01", "ASD", 2), ("02", "TD", 3)]
    table = study.participants_table()
    assert list(table.columns) == ["participant_id", "group", "age", "sex"]
    assert table["age"].tolist() == [5.5, 6.0]
    assert study.failed == {}
    assert study.derivatives.folder == folder / "derivatives" / "facetrace"


def test_sessions_and_ids_without_prefix(make_study):
    folder = make_study(
        rows="participant_id group age iq\n01 ASD n/a 100\n02 TD 6 n/a",
        files={"sub-01/ses-b/beh/sub-01_ses-b_task-dog_video.avi": b"z"},
    )
    study, problems = read_study(folder)
    assert problems == []
    assert [(v.session, v.task) for v in study.videos_of("01")] == [("", "cat"), ("b", "dog")]
    table = study.participants_table()
    assert np.isnan(table["age"][0])
    assert table["iq"].tolist()[0] == 100.0
    assert np.isnan(table["iq"][1])


@pytest.mark.parametrize("newline", ["\n", "\r\n", "\r"])
@pytest.mark.parametrize("mark", [b"", b"\xef\xbb\xbf"])
def test_byte_order_marks_and_line_ends_of_other_systems(make_study, newline, mark):
    text = "participant_id\tgroup\nsub-01\tASD\nsub-02\tTD\n".replace("\n", newline)
    study, problems = read_study(make_study(rows=None, files={"participants.tsv": mark + text.encode()}))
    assert problems == []
    assert len(study.videos) == 2


class TestStudyLevel:
    def test_no_folder(self, tmp_path):
        study, problems = read_study(tmp_path / "nowhere")
        assert only(problems, "no_study").stops_study
        assert study.videos == ()

    def test_no_table(self, make_study):
        study, problems = read_study(make_study(rows=None))
        problem = only(problems, "no_participants_table")
        assert problem.stops_study
        assert "participant_id, group" in problem.action
        assert study.videos == ()

    def test_duplicate_ids_whatever_their_prefix(self, make_study):
        problem = only(read_study(make_study(rows=ROWS + "01 TD 7 F\n"))[1], "duplicate_id")
        assert (problem.file, problem.line, problem.stops_study) == ("participants.tsv", 4, True)
        assert "line 2" in problem.message

    @pytest.mark.parametrize(
        ("content", "code", "said"),
        [
            ("participant_id;group;age\nsub-01;ASD;5,5\n", "delimiter", "semicolons"),
            ("participant_id,group\nsub-01,ASD\n", "delimiter", "commas"),
            ("participant_id\tgroup\nsub-01\tASD\n".encode("utf-16"), "encoding", "another encoding"),
            ("participant_id\tgroup\tcity\nsub-01\tASD\tZürich\n".encode("cp1252"), "encoding", "another encoding"),
            ("", "empty", "empty file"),
            ("participant_id\tdiagnosis\nsub-01\tASD\n", "columns", "group"),
            ("Participant_ID\tGroup\nsub-01\tASD\n", "columns", "'Group' should be 'group'"),
            ("participant_id\tgroup\tage\tage\nsub-01\tASD\t1\t1\n", "columns", "several times"),
            ("participant_id\tgroup\n", "no_participants", "at least one"),
        ],
    )
    def test_tables_that_spreadsheets_made(self, make_study, content, code, said):
        problem = only(read_study(make_study(rows=None, files={"participants.tsv": content}))[1], code)
        assert said in problem.message
        assert problem.stops_study
        assert problem.action

    def test_unknown_choices(self, make_study):
        problems = read_study(make_study(), tasks=["cat", "bird"], participant_labels=["sub-01", "77"])[1]
        assert "'bird'" in only(problems, "unknown_task").message
        assert "'77'" in only(problems, "unknown_label").message


class TestParticipantLevel:
    """One participant fails, the other stays."""

    @staticmethod
    def check(folder, code, *, failed="01", **options):
        study, problems = read_study(folder, **options)
        problem = only(problems, code)
        assert not problem.stops_study
        assert problem.participant_id == failed
        assert failed in study.failed
        assert failed not in {video.participant_id for video in study.videos}
        assert "02" in {video.participant_id for video in study.videos}
        assert problem.message.startswith("Expected ")
        return problem

    @pytest.mark.parametrize(
        ("row", "code", "said"),
        [
            ("sub-01 n/a 5 F", "missing_group", "n/a"),
            ("sub-01 asd 5 F", "unknown_group", "Did you mean 'ASD'?"),
            ("sub-01 DD 5 F", "unknown_group", "ASD or TD"),
            ("sub-01 ASD 5,5 F", "decimal_comma", "'5,5'"),
            ("sub-01 ASD five F", "bad_age", "number of years"),
            ("sub-01 ASD 5", "n_columns", "4 values, got 3"),
        ],
    )
    def test_rows(self, make_study, row, code, said):
        folder = make_study(rows=f"participant_id group age sex\n{row}\nsub-02 TD 6 M")
        problem = self.check(folder, code)
        assert said in problem.message
        assert (problem.file, problem.line) == ("participants.tsv", 2)

    def test_bad_label(self, make_study):
        folder = make_study(rows=ROWS + "sub-0_3 TD 6 M\n")
        assert "letters and digits" in self.check(folder, "bad_id", failed="0_3").message

    def test_no_video(self, make_study):
        problem = self.check(make_study(rows=ROWS + "sub-03 TD 6 M\n"), "no_video", failed="03")
        assert problem.line == 4
        assert "no folder" in problem.message

    def test_video_of_a_stranger(self, make_study):
        folder = make_study(files={"sub-9/beh/sub-9_task-cat_video.mp4": b"z"})
        assert self.check(folder, "unknown_participant", failed="9").file == "sub-9/beh/sub-9_task-cat_video.mp4"

    def test_leading_zeros_lost_in_a_spreadsheet(self, make_study):
        problems = read_study(make_study(rows="participant_id group\n1 ASD\n02 TD"))[1]
        assert "leading zeros" in only(problems, "unknown_participant").message

    def test_two_videos_for_one_session(self, make_study):
        folder = make_study(files={"sub-01/beh/sub-01_task-cat_video.mov": b"z"})
        message = self.check(folder, "several_videos").message
        assert "sub-01_task-cat_video.mp4" in message
        assert "sub-01_task-cat_video.mov" in message

    @pytest.mark.parametrize(
        ("file", "code"),
        [
            ("sub-01/beh/holiday.mp4", "bad_video_name"),
            ("sub-01/sub-01_task-dog_video.mp4", "misplaced_video"),
            ("sub-01/beh/sub-02_task-dog_video.mp4", "misplaced_video"),
            ("sub-01/ses-1/beh/sub-01_task-dog_video.mp4", "misplaced_video"),
        ],
    )
    def test_names_and_places(self, make_study, file, code):
        assert self.check(make_study(files={file: b"z"}), code).file == file

    def test_refused_video_explains_its_absence(self, make_study):
        problems = read_study(
            make_study(videos=False, rows="participant_id group\n01 ASD", files={"sub-01/a.mp4": b""})
        )[1]
        assert codes(problems) == ["bad_video_name"]


class TestWarnings:
    def test_other_recordings_are_left_out(self, make_study):
        study, problems = read_study(make_study(files={"sub-01/beh/sub-01_task-cat_recording-scene_video.mp4": b"z"}))
        assert codes(problems) == ["other_recording"]
        assert len(study.videos) == 2

    @pytest.mark.parametrize("name", ["name", "date_of_birth", "DOB", "email"])
    def test_identifying_columns(self, make_study, name):
        problems = read_study(make_study(rows=f"participant_id group {name}\n01 ASD a\n02 TD b"))[1]
        assert codes(problems, "warning") == ["identifying_column"]

    def test_ages_in_months(self, make_study):
        problems = read_study(make_study(rows="participant_id group age\n01 ASD 180\n02 TD 6"))[1]
        assert codes(problems, "warning") == ["bad_age"]

    def test_hidden_files_and_derivatives_do_not_count(self, make_study):
        files = {"sub-01/beh/._sub-01_task-cat_video.mp4": b"", "derivatives/facetrace/sub-01/a.mp4": b""}
        assert read_study(make_study(files=files))[1] == []


def test_groups_that_the_dictionary_lists_are_known(make_study):
    dictionary = {"group": {"Levels": {"ASD": "autism", "DD": "delayed development"}}, "agee": {"Description": "?"}}
    folder = make_study(rows="participant_id group\n01 DD\n02 TD", files={"participants.json": json.dumps(dictionary)})
    study, problems = read_study(folder)
    assert codes(problems) == ["unknown_column"]
    assert len(study.videos) == 2
    assert study.descriptions["group"]["Levels"]["ASD"] == "autism"
    assert codes(read_study(make_study(rows="participant_id group\n01 X\n02 Y"), groups=None)[1], "error") == []


def test_broken_dictionary_is_a_warning(make_study):
    problem = only(read_study(make_study(files={"participants.json": '{"age":\n {"Units": years}}'}))[1], "bad_json")
    assert (problem.severity, problem.line) == ("warning", 2)


def test_choices(make_study):
    folder = make_study(rows=ROWS + "sub-03 TD 6 M\n", files={"sub-01/beh/sub-01_task-dog_video.mp4": b"z"})
    study, problems = read_study(folder, participant_labels=["sub-01"])
    assert problems == []
    assert {video.participant_id for video in study.videos} == {"01"}
    assert study.not_chosen == ("02", "03")
    assert len(study.participants) == 3
    study, problems = read_study(folder, tasks=["dog"])
    assert [video.task for video in study.videos] == ["dog"]
    assert codes(problems) == ["no_video", "no_video"]


def test_everything_is_listed_at_once(make_study):
    folder = make_study(
        rows="participant_id group age\n01 n/a 5,5\n02 TD 6\n02 TD 7\n03 XX 8",
        files={"sub-01/beh/sub-01_task-cat_video.mov": b"", "task-cat_events.tsv": "onset\tduration\n0\t1\n"},
    )
    problems = read_study(folder)[1]
    assert sorted(codes(problems)) == [
        "columns", "decimal_comma", "duplicate_id", "missing_group", "no_video", "several_videos", "unknown_group",
    ]  # fmt: skip
    text = list_problems(problems)
    assert len(text.splitlines()) == 7
    assert "participants.tsv, line 2 (sub-01)" in text
    assert str(folder) not in text


class TestSessionsTable:
    HEADER = "participant_id,session,task,video\n"

    def test_rows_decide(self, make_study):
        folder = make_study(
            videos=False,
            files={
                "videos/a.mp4": b"a",
                "videos/b.mov": b"b",
                "videos/a_events.tsv": "onset\tduration\ttrial_type\n0\t1\thappy\n",
                "sessions.csv": self.HEADER + "sub-01,ses-1,cat,videos/a.mp4\n02,n/a,cat,videos/b.mov\n",
            },
        )
        study, problems = read_study(folder)
        assert problems == []
        assert [(v.participant_id, v.session, v.task, v.file, v.line) for v in study.videos] == [
            ("01", "1", "cat", "videos/a.mp4", 2),
            ("02", "", "cat", "videos/b.mov", 3),
        ]
        assert study.videos[0].events_path == folder / "videos/a_events.tsv"
        assert study.videos[1].events_path is None

    @pytest.mark.parametrize(
        ("row", "code"),
        [
            ("01,,cat,videos/none.mp4", "missing_video"),
            ("01,,cat,", "missing_video"),
            ("01,,,videos/a.mp4", "bad_label"),
            ("01,morning visit,cat,videos/a.mp4", "bad_label"),
            ("01,,cat", "n_columns"),
        ],
    )
    def test_bad_rows(self, make_study, row, code):
        content = self.HEADER + f"02,,cat,videos/a.mp4\n{row}\n"
        folder = make_study(videos=False, files={"videos/a.mp4": b"a", "sessions.csv": content})
        problem = TestParticipantLevel.check(folder, code)
        assert (problem.file, problem.line) == ("sessions.csv", 3)

    def test_semicolons(self, make_study):
        content = (self.HEADER + "01,,cat,a.mp4\n").replace(",", ";")
        problem = only(read_study(make_study(videos=False, files={"sessions.csv": content}))[1], "delimiter")
        assert problem.stops_study

    def test_conflicts(self, make_study):
        rows = "01,,cat,a.mp4\n01,,cat,b.mp4\n02,,cat,c.mp4\n02,,dog,c.mp4\n"
        files = {"a.mp4": b"a", "b.mp4": b"b", "c.mp4": b"c", "sessions.csv": self.HEADER + rows}
        problems = read_study(make_study(videos=False, files=files))[1]
        assert sorted(codes(problems)) == ["several_videos", "video_used_twice", "video_used_twice"]
        assert [item.line for item in problems] == [3, 4, 5]

    def test_videos_beside_the_table_are_mentioned(self, make_study):
        rows = self.HEADER + "01,,cat,sub-01/beh/sub-01_task-cat_video.mp4\n"
        problems = read_study(make_study(files={"sessions.csv": rows}))[1]
        assert codes(problems, "warning") == ["video_not_listed"]
        assert codes(problems, "error") == ["no_video"]


class TestEvents:
    GOOD = "onset\tduration\ttrial_type\tstim_id\n10\t5\tsad\tclip2\n0.5\t9.5\thappy\tn/a\n"

    def test_near_tables_win_over_shared_ones(self, make_study):
        own = "sub-01/beh/sub-01_task-cat_events.tsv"
        study, problems = read_study(make_study(files={"task-cat_events.tsv": self.GOOD, own: self.GOOD}))
        assert problems == []
        assert [video.events_path.name for video in study.videos] == [
            "sub-01_task-cat_events.tsv",
            "task-cat_events.tsv",
        ]
        segments = read_events(study.videos[0].events_path)
        assert segments["onset"].tolist() == [0.5, 10.0]
        assert segments["trial_type"].tolist() == ["happy", "sad"]
        assert segments["stim_id"].isna().tolist() == [True, False]

    @pytest.mark.parametrize(
        ("row", "code"),
        [
            ("-1\t5\thappy", "event_time"),
            ("1\tn/a\thappy", "event_time"),
            ("soon\t5\thappy", "event_time"),
            ("inf\t5\thappy", "event_time"),
            ("1,5\t5\thappy", "decimal_comma"),
            ("1\t5\tn/a", "event_type"),
        ],
    )
    def test_bad_rows(self, make_study, row, code):
        own = "sub-01/beh/sub-01_task-cat_events.tsv"
        folder = make_study(files={own: f"onset\tduration\ttrial_type\n0\t1\tsad\n{row}\n"})
        problem = TestParticipantLevel.check(folder, code)
        assert (problem.file, problem.line) == (own, 3)
        with pytest.raises(InvalidInputError, match="line 3"):
            read_events(folder / own)

    def test_a_bad_shared_table_stops_the_study(self, make_study):
        problem = only(read_study(make_study(files={"task-cat_events.tsv": "onset\tduration\n"}))[1], "columns")
        assert problem.stops_study

    def test_overlaps_are_warned_of(self, make_study):
        text = "onset\tduration\ttrial_type\n0\t10\tsad\n5\t1\thappy\n7\t1\tfear\n10\t1\tsad\n"
        problems = read_study(make_study(files={"task-cat_events.tsv": text}))[1]
        assert [(item.code, item.severity, item.line) for item in problems] == [
            ("events_overlap", "warning", 3),
            ("events_overlap", "warning", 4),
        ]
