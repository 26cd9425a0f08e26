"""A study folder: participants, their recordings, stimulus segments, and where results go.

`read_study` reads tables and names, decodes nothing, and lists everything that is wrong at once.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Final

import pandas as pd

from tasks.bids_names import PARTICIPANTS_TABLE, SUBJECT, VIDEO_PATTERN, Derivatives, bare_id
from tasks.events import check_events
from tasks.imported import ImportedRecording, find_imported
from tasks.participants import Participant, read_participants
from tasks.problems import Problem, failed_participants
from tasks.recordings import SessionVideo, describe_unknown, find_recordings, relative_name
from tasks.withdrawal import read_withdrawn

__all__ = [
    "DEFAULT_GROUPS",
    "Participant",
    "Problem",
    "Recording",
    "SessionVideo",
    "Study",
    "failed_participants",
    "read_study",
]

DEFAULT_GROUPS: Final = ("ASD", "TD")

Recording = SessionVideo | ImportedRecording
"""What has a frame table: a video, or a table that was imported."""


@dataclass(frozen=True)
class Study:
    """What can be analysed of a study.

    Attributes
    ----------
    folder
        Study folder.
    participants
        All rows of participants.tsv, chosen or not, with errors or not.
    videos
        Recordings of chosen participants without an error, sorted by participant, session and task.
    imported
        Frame tables that were imported from other tools, of such participants; a video of the same session and task wins.
    failed
        participant_id -> why, of chosen participants and of recordings without a participant.
    not_chosen
        Ids that `participant_labels` leaves out.
    withdrawn
        Ids of participants who withdrew and still have a row or a recording; they are in none of the others.
    descriptions
        Contents of participants.json.
    """

    folder: Path
    participants: tuple[Participant, ...] = ()
    videos: tuple[SessionVideo, ...] = ()
    imported: tuple[ImportedRecording, ...] = ()
    failed: dict[str, str] = field(default_factory=dict)
    not_chosen: tuple[str, ...] = ()
    withdrawn: tuple[str, ...] = ()
    descriptions: dict[str, Any] = field(default_factory=dict)

    @property
    def derivatives(self) -> Derivatives:
        """Paths of results."""
        return Derivatives.of_study(self.folder)

    def videos_of(self, participant_id: str) -> tuple[SessionVideo, ...]:
        """Recordings of one participant."""
        return tuple(video for video in self.videos if video.participant_id == participant_id)

    @property
    def recordings(self) -> tuple[Recording, ...]:
        """Videos, then imported tables."""
        return (*self.videos, *self.imported)

    def recordings_of(self, participant_id: str) -> tuple[Recording, ...]:
        """Videos and imported tables of one participant."""
        return tuple(item for item in self.recordings if item.participant_id == participant_id)

    def without(self, problems: Iterable[Problem]) -> Study:
        """The study after later checks: participants with an error leave `videos` and join `failed`.

        Parameters
        ----------
        problems
            Such as those of `tasks.probing.probe_study`.
        """
        found = failed_participants(problems)
        failed = {**self.failed, **{name: reason for name, reason in found.items() if name not in self.failed}}
        return replace(
            self,
            videos=tuple(v for v in self.videos if v.participant_id not in failed),
            imported=tuple(item for item in self.imported if item.participant_id not in failed),
            failed=failed,
        )

    def participants_table(self) -> pd.DataFrame:
        """Participants as a table: participant_id, group, then the covariates in the order of participants.tsv.

        Returns
        -------
        DataFrame
            A row a participant. `age` and columns of numbers are float64, others text; missing values are null.
        """
        rows = [
            {"participant_id": item.participant_id, "group": item.group or None, **item.covariates}
            for item in self.participants
        ]
        columns = list(rows[0]) if rows else ["participant_id", "group"]
        table = pd.DataFrame(rows, columns=columns)
        for name in columns:
            numeric = name == "age" or pd.api.types.is_numeric_dtype(table[name])
            table[name] = table[name].astype("float64" if numeric else "str")
        return table


def read_study(
    folder: Path,
    *,
    tasks: Sequence[str] | None = None,
    participant_labels: Sequence[str] | None = None,
    groups: Sequence[str] | None = DEFAULT_GROUPS,
) -> tuple[Study, list[Problem]]:
    """Read a study folder and check all of it.

    Parameters
    ----------
    folder
        Study folder.
    tasks
        Stimuli to analyse; None or empty for all.
    participant_labels
        Participants to analyse, with or without ``sub-``; None or empty for all.
    groups
        Groups that participants.tsv may name, besides those that participants.json lists; None for any.

    Returns
    -------
    study : Study
    problems : list of Problem
        Where one `stops_study`, nothing should be analysed; other errors concern one participant, who is not in
        `Study.videos`.
    """
    folder = Path(folder)
    if not folder.is_dir():
        message = f"Expected a study folder, got {'a file' if folder.exists() else 'nothing'} at {folder.name}."
        return Study(folder), [Problem("error", "no_study", folder.name, None, None, message, "Check the path.")]
    participants, descriptions, problems = read_participants(folder, groups=groups)
    recordings, found = find_recordings(folder)
    problems += found
    filmed = {video.label for video in recordings}
    imported = [item for item in find_imported(folder) if item.label not in filmed]
    present = {person.participant_id for person in participants}
    present |= {video.participant_id for video in recordings} | {item.participant_id for item in imported}
    withdrawn = tuple(name for name in read_withdrawn(folder) if name in present)
    participants = tuple(item for item in participants if item.participant_id not in withdrawn)
    recordings = [video for video in recordings if video.participant_id not in withdrawn]
    imported = [item for item in imported if item.participant_id not in withdrawn]
    problems = [item for item in problems if item.participant_id not in withdrawn]
    known = {item.participant_id for item in participants}
    problems += _check_choices([*recordings, *imported], known, tasks=tasks, participant_labels=participant_labels)
    recordings = [video for video in recordings if not tasks or video.task in tasks]
    imported = [item for item in imported if not tasks or item.task in tasks]
    if known:
        strangers = [video for video in recordings if video.participant_id not in known]
        problems += [describe_unknown(video, sorted(known)) for video in strangers]
        problems += _find_missing_videos(folder, participants, [*recordings, *imported], problems)
    problems += _check_all_events([*recordings, *imported], folder)
    chosen = {bare_id(label) for label in participant_labels} if participant_labels else None
    if chosen is not None:
        problems = [item for item in problems if item.participant_id is None or item.participant_id in chosen]
    failed = failed_participants(problems)
    usable = known - failed.keys() if chosen is None else known & chosen - failed.keys()
    study = Study(
        folder=folder,
        participants=participants,
        videos=tuple(video for video in recordings if video.participant_id in usable),
        imported=tuple(item for item in imported if item.participant_id in usable),
        failed=failed,
        not_chosen=tuple(sorted(known - chosen)) if chosen is not None else (),
        withdrawn=withdrawn,
        descriptions=descriptions,
    )
    return study, problems


def _check_choices(
    recordings: Sequence[Recording],
    known: set[str],
    *,
    tasks: Sequence[str] | None,
    participant_labels: Sequence[str] | None,
) -> list[Problem]:
    problems = []
    present = sorted({video.task for video in recordings})
    for task in tasks or ():
        if task not in present:
            message = f"Expected one of the tasks {', '.join(present) or '(none found)'}, got '{task}'."
            problems.append(Problem("error", "unknown_task", ".", None, None, message, "Correct study.tasks."))
    for label in participant_labels or ():
        if known and bare_id(label) not in known:
            message = f"Expected a participant of {PARTICIPANTS_TABLE}, got '{label}'."
            action = "Correct --participant-label."
            problems.append(Problem("error", "unknown_label", PARTICIPANTS_TABLE, None, None, message, action))
    return problems


def _find_missing_videos(
    folder: Path,
    participants: Sequence[Participant],
    recordings: Sequence[Recording],
    problems: Sequence[Problem],
) -> list[Problem]:
    recorded = {video.participant_id for video in recordings}
    # A video that was refused for its name or row explains its own absence.
    refused = [item for item in problems if item.severity == "error" and item.file != PARTICIPANTS_TABLE]
    explained = {item.participant_id for item in refused}
    missing = []
    for item in participants:
        if item.participant_id in recorded or item.participant_id in explained:
            continue
        place = f"{SUBJECT}{item.participant_id}"
        found = "an empty folder" if (folder / place).is_dir() else "no folder"
        message = f"Expected a video of {place}, like {VIDEO_PATTERN}, got {found} or none of the chosen tasks."
        action = "Add the video, import another tool's table, or take the participant out of the table."
        missing.append(
            Problem("error", "no_video", PARTICIPANTS_TABLE, item.line, item.participant_id, message, action)
        )
    return missing


def _check_all_events(recordings: Sequence[Recording], folder: Path) -> list[Problem]:
    users: dict[Path, set[str]] = {}
    for video in recordings:
        if video.events_path is not None:
            users.setdefault(video.events_path, set()).add(video.participant_id)
    problems = []
    for path, participant_ids in sorted(users.items()):
        own = path.name.startswith(SUBJECT) or len(participant_ids) == 1
        whose = next(iter(participant_ids)) if own else None
        problems += check_events(path, file=relative_name(path, folder), participant_id=whose)[1]
    return problems
