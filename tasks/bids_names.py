"""Names of files in a study folder, in and out: BIDS with the behavioural video of BEP047.

Everything that builds or takes apart a name uses the constants below.

References
----------
Brain Imaging Data Structure 1.10, "Filenames"; BEP047, audio and video recordings of behaviour.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Final

from tasks.frame_clock import VIDEO_SUFFIXES

SUBJECT: Final = "sub-"
SESSION: Final = "ses-"
TASK: Final = "task-"
RECORDING: Final = "recording-"
DATATYPE: Final = "beh"
FACE_RECORDING: Final = "face"
VIDEO_SUFFIX: Final = "video"
EVENTS_SUFFIX: Final = "events"
PARTICIPANTS_TABLE: Final = "participants.tsv"
PARTICIPANTS_DICTIONARY: Final = "participants.json"
SESSIONS_TABLE: Final = "sessions.csv"
PIPELINE: Final = "facetrace"

VIDEO_PATTERN: Final = (
    "sub-<id>/[ses-<id>/]beh/sub-<id>[_ses-<id>]_task-<stimulus>[_recording-face]_video.<mp4, mov, mkv, avi, ...>"
)
"""The pattern as messages print it."""

LABEL_RULE: Final = "letters and digits only"

_LABEL: Final = re.compile(r"[A-Za-z0-9]+")
_VIDEO_NAME: Final = re.compile(
    r"sub-(?P<sub>[^_]+)(?:_ses-(?P<ses>[^_]+))?_task-(?P<task>[^_]+)(?:_recording-(?P<rec>[^_]+))?_video\.(?P<ext>\w+)"
)


def is_label(text: str) -> bool:
    """Whether `text` can be a BIDS label: ASCII letters and digits, at least one."""
    return _LABEL.fullmatch(text) is not None


def bare_id(text: str) -> str:
    """A participant id without ``sub-`` and surrounding blanks."""
    return text.strip().removeprefix(SUBJECT)


def is_video_file(path: Path) -> bool:
    """Whether a name ends like a video's and is no hidden file (macOS leaves ``._name.mp4`` beside copies)."""
    return path.suffix.lower() in VIDEO_SUFFIXES and not path.name.startswith(".")


TRACK: Final = "atypicality"
"""Description of the predicted atypicality of a recording's frames, in the names of its files."""


@dataclass(frozen=True, slots=True)
class RecordingName:
    """The parts of a session video's name.

    Attributes
    ----------
    participant_id, session, task
        Labels; `session` is empty where the study has none.
    recording
        What the camera saw; empty counts as the face.
    """

    participant_id: str
    session: str
    task: str
    recording: str = ""

    @property
    def is_face(self) -> bool:
        """Whether it is the recording of the face."""
        return self.recording in {"", FACE_RECORDING}

    @property
    def stem(self) -> str:
        """``sub-<id>[_ses-<id>]_task-<stimulus>``."""
        session = f"_{SESSION}{self.session}" if self.session else ""
        return f"{SUBJECT}{self.participant_id}{session}_{TASK}{self.task}"

    @property
    def folder(self) -> PurePosixPath:
        """``sub-<id>/[ses-<id>/]beh``."""
        subject = PurePosixPath(f"{SUBJECT}{self.participant_id}")
        return (subject / f"{SESSION}{self.session}" if self.session else subject) / DATATYPE

    def video_name(self, extension: str = ".mp4") -> str:
        """File name of the video; `extension` with its dot."""
        recording = f"_{RECORDING}{self.recording}" if self.recording else ""
        return f"{self.stem}{recording}_{VIDEO_SUFFIX}{extension}"

    def events_places(self) -> tuple[PurePosixPath, ...]:
        """Where the events table may lie, nearest first, relative to the study (BIDS inheritance)."""
        own = self.folder / f"{self.stem}_{EVENTS_SUFFIX}.tsv"
        recorded = self.folder / f"{self.stem}_{RECORDING}{FACE_RECORDING}_{EVENTS_SUFFIX}.tsv"
        subject = PurePosixPath(f"{SUBJECT}{self.participant_id}")
        shared = f"{TASK}{self.task}_{EVENTS_SUFFIX}.tsv"
        return recorded, own, subject / f"{subject}_{shared}", PurePosixPath(shared)


class OfRecording:
    """Mixin of frozen classes that carry the labels of a recording: `participant_id`, `session`, `task`."""

    __slots__ = ()

    participant_id: str
    session: str
    task: str

    @property
    def key(self) -> tuple[str, str, str]:
        """`participant_id`, `session`, `task`."""
        return self.participant_id, self.session, self.task

    @property
    def label(self) -> str:
        """``sub-<id>[_ses-<id>]_task-<stimulus>``."""
        return RecordingName(*self.key).stem


def parse_video_name(name: str) -> RecordingName | None:
    """Take the name of a video apart; None where it does not follow the pattern.

    Parameters
    ----------
    name
        File name without folder.
    """
    match = _VIDEO_NAME.fullmatch(name)
    if match is None or f".{match['ext'].lower()}" not in VIDEO_SUFFIXES:
        return None
    parts = RecordingName(match["sub"], match["ses"] or "", match["task"], match["rec"] or "")
    labels = [parts.participant_id, parts.task, *filter(None, (parts.session, parts.recording))]
    return parts if all(map(is_label, labels)) else None


@dataclass(frozen=True, slots=True)
class Derivatives:
    """Where results go.

    Attributes
    ----------
    folder
        ``<study>/derivatives/facetrace``.
    """

    folder: Path

    @classmethod
    def of_study(cls, study_folder: Path) -> Derivatives:
        """The derivatives of a study folder."""
        return cls(study_folder / "derivatives" / PIPELINE)

    @property
    def study(self) -> Path:
        """The study folder."""
        return self.folder.parent.parent

    def frame_table(self, participant_id: str, session: str, task: str) -> Path:
        """Frame table of a recording."""
        name = RecordingName(participant_id, session, task)
        return self.folder / name.folder / f"{name.stem}_desc-frames_{DATATYPE}.parquet"

    def atypicality_track(self, participant_id: str, session: str, task: str) -> Path:
        """Predicted atypicality of each frame of a recording, beside its frame table."""
        path = self.frame_table(participant_id, session, task)
        return path.with_name(path.name.replace("_desc-frames_", f"_desc-{TRACK}_"))

    def group_table(self, name: str, suffix: str) -> Path:
        """Table of the group level, such as ``desc-features_participants``."""
        return self.folder / "group" / f"desc-{name}_{suffix}.parquet"

    def participant_report(self, participant_id: str) -> Path:
        """HTML report of a participant."""
        return self.folder / f"{SUBJECT}{participant_id}" / f"{SUBJECT}{participant_id}_report.html"

    @property
    def group_report(self) -> Path:
        """HTML report of the study."""
        return self.folder / "group.html"

    @property
    def comparison_page(self) -> Path:
        """Page of the comparison of the groups."""
        return self.folder / "group" / "comparison.html"

    @property
    def figures(self) -> Path:
        """Folder of figures for print."""
        return self.folder / "group" / "figures"

    @property
    def exports(self) -> Path:
        """Folder of tables for other programs."""
        return self.folder / "export"

    @property
    def logs(self) -> Path:
        """Folder of run manifests, ``run-<id>.json``."""
        return self.folder / "logs"
