"""Finding the recordings of a study: by BIDS-like names, or by the rows of sessions.csv."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from tasks.bids_names import (
    LABEL_RULE,
    PARTICIPANTS_TABLE,
    SESSION,
    SESSIONS_TABLE,
    SUBJECT,
    VIDEO_PATTERN,
    OfRecording,
    RecordingName,
    bare_id,
    is_label,
    is_video_file,
    parse_video_name,
)
from tasks.delimited import MISSING, Row, read_text_table
from tasks.problems import Problem

_SESSION_COLUMNS: Final = ("participant_id", "session", "task", "video")


@dataclass(frozen=True, slots=True)
class SessionVideo(OfRecording):
    """The recording of a participant's face in a session while a stimulus is shown.

    Attributes
    ----------
    participant_id, session, task
        BIDS labels; `session` is empty where the study has none.
    path
        The video.
    events_path
        Table of stimulus segments, or None.
    file
        The video relative to the study folder, for messages and tables; only its name where it lies elsewhere.
    line
        Line in sessions.csv, or None.
    """

    participant_id: str
    session: str
    task: str
    path: Path
    events_path: Path | None = None
    file: str = ""
    line: int | None = None


def find_recordings(folder: Path) -> tuple[list[SessionVideo], list[Problem]]:
    """All recordings of a study folder, whether or not their participants are known.

    Parameters
    ----------
    folder
        Study folder. With a sessions.csv its rows count; otherwise names under ``sub-*`` do.

    Returns
    -------
    recordings : list of SessionVideo
        Sorted by participant, session and task; those in conflict with others are left in.
    problems : list of Problem
    """
    named, problems = _find_named(folder)
    if (folder / SESSIONS_TABLE).is_file():
        recordings, problems = _read_sessions(folder)
        listed = {video.path.resolve() for video in recordings}
        problems += [_not_listed(video) for video in named if video.path.resolve() not in listed]
    else:
        recordings = named
    recordings.sort(key=lambda video: (video.participant_id, video.session, video.task, video.file))
    return recordings, problems + _find_conflicts(recordings)


def relative_name(path: Path, folder: Path) -> str:
    """A path relative to the study, with forward slashes; only the file name for a path elsewhere."""
    try:
        return path.resolve().relative_to(folder.resolve()).as_posix()
    except ValueError:
        return path.name


def _find_named(folder: Path) -> tuple[list[SessionVideo], list[Problem]]:
    recordings, problems = [], []
    for subject in sorted(folder.glob(f"{SUBJECT}*")):
        if not subject.is_dir():
            continue
        for path in sorted(subject.rglob("*")):
            if not is_video_file(path) or not path.is_file():
                continue
            found = _interpret(path, folder, bare_id(subject.name))
            if isinstance(found, Problem):
                problems.append(found)
            else:
                recordings.append(found)
    return recordings, problems


def _interpret(path: Path, folder: Path, subject: str) -> SessionVideo | Problem:
    file = path.relative_to(folder).as_posix()
    name = parse_video_name(path.name)
    if name is None:
        message = f"Expected a name like {VIDEO_PATTERN}, got {path.name}; labels are {LABEL_RULE}."
        action = f"Rename the file, or list it in {SESSIONS_TABLE}."
        return Problem("error", "bad_video_name", file, None, subject, message, action)
    place = f"{name.folder}/{path.name}"
    if file != place:
        message = f"Expected this file at {place}, got it at {file}."
        return Problem("error", "misplaced_video", file, None, subject, message, "Move it, or correct its name.")
    if not name.is_face:
        message = f"Expected recording-face, or no recording label, got recording-{name.recording}."
        action = "Nothing to do if it does not show the face; it is left out."
        return Problem("warning", "other_recording", file, None, name.participant_id, message, action)
    return SessionVideo(name.participant_id, name.session, name.task, path, _find_events(name, folder), file)


def _find_events(name: RecordingName, folder: Path) -> Path | None:
    return next((folder / place for place in name.events_places() if (folder / place).is_file()), None)


def _read_sessions(folder: Path) -> tuple[list[SessionVideo], list[Problem]]:
    table = read_text_table(
        folder / SESSIONS_TABLE,
        file=SESSIONS_TABLE,
        delimiter=",",
        required=_SESSION_COLUMNS,
        id_column="participant_id",
    )
    recordings, problems = [], list(table.problems)
    for row in table.rows:
        found = _interpret_row(row, folder)
        if isinstance(found, Problem):
            problems.append(found)
        else:
            recordings.append(found)
    return recordings, problems


def _interpret_row(row: Row, folder: Path) -> SessionVideo | Problem:
    cells = {name: "" if text == MISSING else text for name, text in row.cells.items()}
    participant_id = bare_id(cells["participant_id"])
    session = cells["session"].removeprefix(SESSION)
    task = cells["task"].removeprefix("task-")

    def error(code: str, message: str, action: str) -> Problem:
        return Problem("error", code, SESSIONS_TABLE, row.line, participant_id or None, message, action)

    for column, label, needed in (
        ("participant_id", participant_id, True),
        ("session", session, False),
        ("task", task, True),
    ):
        if not (is_label(label) or (not label and not needed)):
            message = f"Expected {LABEL_RULE} in {column}, got '{label or MISSING}'."
            return error("bad_label", message, "Labels become file names: shorten it.")
    if not cells["video"]:
        return error("missing_video", "Expected the path of a video, got n/a.", "Fill it, or delete the row.")
    path = folder / cells["video"]
    if not path.is_file():
        message = f"Expected a video at {relative_name(path, folder)}, got no such file."
        return error("missing_video", message, "Paths are relative to the study folder and case matters.")
    name = RecordingName(participant_id, session, task)
    events = _find_events(name, folder)
    beside = path.with_name(f"{path.stem.removesuffix('_video')}_events.tsv")
    if beside.is_file():
        events = beside
    if cells.get("events"):
        events = folder / cells["events"]
        if not events.is_file():
            message = f"Expected an events table at {relative_name(events, folder)}, got no such file."
            return error("missing_events", message, "Correct the path, or write n/a.")
    return SessionVideo(participant_id, session, task, path, events, relative_name(path, folder), row.line)


def _not_listed(video: SessionVideo) -> Problem:
    message = f"Expected every video in {SESSIONS_TABLE}, got one that is not listed."
    action = f"Add a row if it should be analysed; {SESSIONS_TABLE} decides while it exists."
    return Problem("warning", "video_not_listed", video.file, None, video.participant_id, message, action)


def _find_conflicts(recordings: Iterable[SessionVideo]) -> list[Problem]:
    """Two videos for one session and task, and one video for two."""
    by_label: dict[str, list[SessionVideo]] = {}
    by_path: dict[Path, list[SessionVideo]] = {}
    for video in recordings:
        by_label.setdefault(video.label, []).append(video)
        by_path.setdefault(video.path.resolve(), []).append(video)
    problems = []
    for label, videos in by_label.items():
        for video in videos[1:]:
            others = ", ".join(sorted({other.file for other in videos} - {video.file})) or "the same file"
            message = f"Expected one video for {label}, got {video.file} and {others}."
            problems.append(_conflict("several_videos", video, message, "Keep one of them."))
    for videos in by_path.values():
        labels = sorted({video.label for video in videos})
        if len(labels) > 1:
            problems += [
                _conflict(
                    "video_used_twice",
                    video,
                    f"Expected a video of its own for each session, got {video.file} for {' and '.join(labels)}.",
                    "Correct the rows.",
                )
                for video in videos
            ]
    return problems


def _conflict(code: str, video: SessionVideo, message: str, action: str) -> Problem:
    file = SESSIONS_TABLE if video.line else video.file
    return Problem("error", code, file, video.line, video.participant_id, message, action)


def describe_unknown(video: SessionVideo, known: Iterable[str]) -> Problem:
    """An error for a recording whose participant is not in the table.

    Parameters
    ----------
    video
        The recording.
    known
        Ids in participants.tsv.
    """
    stripped = video.participant_id.lstrip("0")
    near = next((name for name in known if name.lstrip("0") == stripped), None)
    hint = f" It holds '{near}': spreadsheets drop leading zeros." if near else ""
    message = f"Expected the participant of {video.file} in {PARTICIPANTS_TABLE}, got no row '{video.participant_id}'."
    return _conflict("unknown_participant", video, message + hint, "Add a row, or move the video out of the study.")
