"""Looking at every video before the night's work: what it is, whether it can be read, whether it is there twice.

A probe reads the packets, decodes one picture (the first: it shows that the codec is known and how the camera was held),
and hashes the file.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Final, Literal

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from features.frame_table import Column
from tasks.errors import InvalidInputError
from tasks.events import check_events, find_late_segments
from tasks.frame_clock import open_container, read_clock
from tasks.pictures import read_first_picture
from tasks.pipelining import Watch, call_watched
from tasks.problems import Problem
from tasks.provenance import sha256_file
from tasks.recordings import SessionVideo, relative_name
from tasks.study import Study

RATE_TOLERANCE_S: Final = 1e-3
"""An interval between frames may differ from the median by this or by one tick of the container, whichever is larger,
before the rate counts as variable. Matroska rounds to milliseconds, so 41 and 42 ms alternate at a constant 24
frames/s."""

DEFAULT_MIN_DURATION_S: Final = 1.0
DEFAULT_STALL_TIMEOUT_S: Final = 120.0

Rate = Literal["constant", "variable"]
Status = Literal["ok", "failed", "skipped"]


@dataclass(frozen=True, slots=True)
class VideoProbe:
    """What a video is.

    Attributes
    ----------
    codec, pixel_format, container
        FFmpeg's names.
    width, height
        Of the upright picture, pixels.
    rotation_deg
        Clockwise turn from the stored to the upright picture: 0, 90, 180 or 270.
    rate
        ``constant`` or ``variable``, from the intervals of the frame clock, see `RATE_TOLERANCE_S`.
    mean_fps
        Frames a second between the first and the last frame; None for a single frame.
    header_frames
        Frames that the header announces, 0 where it is silent.
    packet_frames
        Frames that the packets hold and that are to be shown: the rows of the frame table.
    duration_s
        End of the last frame, seconds from the start.
    size_bytes
        Size of the file.
    sha256
        Hash of the file.
    notes
        What is unusual about the clock.
    """

    codec: str
    pixel_format: str
    container: str
    width: int
    height: int
    rotation_deg: int
    rate: Rate
    mean_fps: float | None
    header_frames: int
    packet_frames: int
    duration_s: float
    size_bytes: int
    sha256: str
    notes: tuple[str, ...] = ()


@dataclass(frozen=True)
class Triage:
    """Result of probing a study.

    Attributes
    ----------
    table
        One row a recording, columns as of `TRIAGE_COLUMNS`, and one for each participant who failed without a
        readable recording or was not chosen.
    probes
        Label of each readable recording, as of `SessionVideo.label` -> its probe.
    problems
        What probing found, besides the problems of `read_study`.
    """

    table: pd.DataFrame
    probes: Mapping[str, VideoProbe]
    problems: tuple[Problem, ...]


TRIAGE_COLUMNS: Final[tuple[Column, ...]] = (
    Column("participant_id", "string", "Participant, without the prefix sub-"),
    Column("session", "string", "Session label; empty where the study has one session a participant"),
    Column("task", "string", "Stimulus; empty where no recording is known"),
    Column("video", "string", "Video, relative to the study folder"),
    Column(
        "status",
        "string",
        "Whether it can be analysed",
        levels={"ok": "can be analysed", "failed": "has an error", "skipped": "was not chosen"},
    ),
    Column("problem", "string", "Errors and warnings; empty without any"),
    Column("codec", "string", "Codec, as FFmpeg names it"),
    Column("width", "int32", "Width of the upright picture", "px", low=1),
    Column("height", "int32", "Height of the upright picture", "px", low=1),
    Column("rotation_deg", "int32", "Clockwise turn from the stored to the upright picture", "deg", 0, 270),
    Column(
        "rate",
        "string",
        "Intervals between frames",
        levels={"constant": "within 1 ms or one tick of the median", "variable": "not so"},
    ),
    Column("mean_fps", "float64", "Mean frame rate between the first and the last frame", "1/s", low=0),
    Column("header_frames", "int32", "Frames that the header announces; 0 where it is silent", low=0),
    Column("packet_frames", "int32", "Frames to be shown that the packets hold", low=0),
    Column("duration_s", "float64", "End of the last frame", "s", low=0),
    Column("size_bytes", "float64", "Size of the file", "B", low=0),
    Column("sha256", "string", "SHA-256 of the file"),
)


def probe_video(path: Path) -> VideoProbe:
    """Look at a video without reading it through a decoder.

    Parameters
    ----------
    path
        A video file.

    Returns
    -------
    VideoProbe

    Raises
    ------
    InvalidInputError
        If it cannot be opened, holds no frame, none can be decoded, or it goes away meanwhile.
    """
    clock = read_clock(path)
    first = read_first_picture(path, clock)
    with open_container(path) as (container, stream):
        codec, container_name = stream.codec_context.name, container.format.name
    width, height = first.size
    try:
        size_bytes, sha256 = path.stat().st_size, sha256_file(path)
    except OSError as error:
        raise InvalidInputError(
            f"Expected to read {path.name} to its end, got an error of the disk ({error.strerror}). Look at the disk or network "
            "share, or copy the recording again."
        ) from error
    times = clock.times_s
    span = float(times[-1] - times[0])
    return VideoProbe(
        codec=codec,
        pixel_format=first.frame.format.name,
        container=container_name,
        width=width,
        height=height,
        rotation_deg=first.orientation.rotation_deg,
        rate=classify_rate(times, tick_s=clock.time_base_s),
        mean_fps=(len(times) - 1) / span if span > 0 else None,
        header_frames=clock.header_frames,
        packet_frames=len(clock),
        duration_s=clock.end_s,
        size_bytes=size_bytes,
        sha256=sha256,
        notes=clock.notes,
    )


def classify_rate(times_s: NDArray[np.float64], *, tick_s: float = 0.0) -> Rate:
    """Whether frames follow each other at equal intervals.

    Parameters
    ----------
    times_s
        float64 (n,), presentation times, seconds.
    tick_s
        Resolution of the container, seconds.

    Returns
    -------
    str
        ``constant`` where no interval differs from the median by more than the larger of `RATE_TOLERANCE_S` and
        `tick_s`.

    Examples
    --------
    >>> classify_rate(np.array([0.0, 0.041, 0.083, 0.125]))
    'constant'
    >>> classify_rate(np.array([0.0, 0.033, 0.1]))
    'variable'
    """
    intervals = np.diff(times_s)
    if intervals.size == 0:
        return "constant"
    # A millionth on top, for rounding of sums.
    allowed = max(RATE_TOLERANCE_S, tick_s) + 1e-6
    return "constant" if np.abs(intervals - np.median(intervals)).max() <= allowed else "variable"


def probe_study(
    study: Study,
    problems: Sequence[Problem] = (),
    *,
    min_duration_s: float = DEFAULT_MIN_DURATION_S,
    stall_timeout_s: float = DEFAULT_STALL_TIMEOUT_S,
    probe: Callable[[SessionVideo], VideoProbe] | None = None,
) -> Triage:
    """Probe every recording of a study, and gather all that is known in one table.

    Parameters
    ----------
    study
        From `read_study`.
    problems
        From `read_study`; they enter the table.
    min_duration_s
        A shorter recording is an error, seconds.
    stall_timeout_s
        A recording of which nothing can be read for so many seconds is an error.
    probe
        Looks at a recording; `probe_video` where None.

    Returns
    -------
    Triage
        Give ``problems`` to `Study.without` to leave out participants whose recordings fail.
    """
    probes: dict[str, VideoProbe] = {}
    found: list[Problem] = []
    look_at = probe or _probe_recording
    for video in study.videos:
        try:
            looked = call_watched(partial(look_at, video), Watch(video.path.name, stall_timeout_s))
        except InvalidInputError as error:
            found.append(_video_error("unreadable_video", video, str(error), ""))
            continue
        probes[video.label] = looked
        found += _check_probe(video, looked, study.folder, min_duration_s)
    found += find_duplicates(study.videos, probes)
    return Triage(_tabulate(study, [*problems, *found], probes), probes, tuple(found))


def _probe_recording(video: SessionVideo) -> VideoProbe:
    return probe_video(video.path)


def find_duplicates(videos: Iterable[SessionVideo], probes: Mapping[str, VideoProbe]) -> list[Problem]:
    """Errors for recordings whose contents are the same.

    Parameters
    ----------
    videos
        Recordings.
    probes
        Label of each -> its probe.

    Returns
    -------
    list of Problem
        One for each recording that is there more than once: nothing tells which of them is the right one.
    """
    by_hash: dict[str, list[SessionVideo]] = {}
    for video in videos:
        if video.label in probes:
            by_hash.setdefault(probes[video.label].sha256, []).append(video)
    problems = []
    for same in by_hash.values():
        for video in same if len(same) > 1 else ():
            others = ", ".join(other.file for other in same if other is not video)
            message = f"Expected a recording of its own, got the same file as {others}."
            problems.append(_video_error("duplicate_video", video, message, "Put the right recording in its place."))
    return problems


def _video_error(code: str, video: SessionVideo, message: str, action: str) -> Problem:
    return Problem("error", code, video.file, None, video.participant_id, message, action)


def _check_probe(video: SessionVideo, probe: VideoProbe, folder: Path, min_duration_s: float) -> list[Problem]:
    found = []
    if probe.duration_s < min_duration_s:
        message = f"Expected at least {min_duration_s:g} s, got {probe.duration_s:.2f} s."
        action = "Look at the recording; video.min_duration_s sets the limit."
        found.append(_video_error("too_short", video, message, action))
    if video.events_path is not None:
        segments, _ = check_events(video.events_path, file="")
        found += find_late_segments(
            segments,
            duration_s=probe.duration_s,
            file=relative_name(video.events_path, folder),
            participant_id=video.participant_id,
        )
    return found


def _tabulate(study: Study, problems: Sequence[Problem], probes: Mapping[str, VideoProbe]) -> pd.DataFrame:
    rows = [_row(video, *_describe(study, video, problems), probes.get(video.label)) for video in study.videos]
    shown = {video.participant_id for video in study.videos}
    rows += [_row(_nobodys(name), "failed", why) for name, why in study.failed.items() if name not in shown]
    rows += [_row(_nobodys(name), "skipped", "") for name in study.not_chosen]
    table = pd.DataFrame(rows, columns=[column.name for column in TRIAGE_COLUMNS])
    pandas_types = {"int32": "Int32", "string": "str"}
    table = table.astype({column.name: pandas_types.get(column.dtype, column.dtype) for column in TRIAGE_COLUMNS})
    return table.sort_values(["participant_id", "session", "task", "video"], ignore_index=True)


def _describe(study: Study, video: SessionVideo, problems: Sequence[Problem]) -> tuple[Status, str]:
    """Status of a recording and what is said of it; a participant whose other recording fails, fails with it."""
    others = {other.file for other in study.videos_of(video.participant_id)} - {video.file}
    own = [item for item in problems if item.participant_id == video.participant_id]
    messages = [item.message for item in own if item.file not in others]
    messages += [f"See {item.file}." for item in own if item.file in others and item.severity == "error"]
    failed = any(item.severity == "error" for item in own)
    return "failed" if failed else "ok", " ".join(dict.fromkeys(messages))


def _row(video: SessionVideo, status: Status, problem: str, probe: VideoProbe | None = None) -> dict[str, object]:
    row: dict[str, object] = {
        "participant_id": video.participant_id,
        "session": video.session,
        "task": video.task,
        "video": video.file,
        "status": status,
        "problem": problem,
    }
    if probe is not None:
        row |= {column.name: getattr(probe, column.name) for column in TRIAGE_COLUMNS if column.name not in row}
    return row


def _nobodys(participant_id: str) -> SessionVideo:
    return SessionVideo(participant_id, "", "", Path())
