"""The clock of a video: when each frame is shown, from the container's packets alone.

Header counts and index / rate are never used where the container says more: recordings of tablets have variable
rates, and edit lists make players skip packets that the header counts. Reading the clock demuxes the file and decodes
nothing.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any, Final, Literal

import av
import numpy as np
from numpy.typing import NDArray

from tasks.errors import InvalidInputError
from tasks.pipelining import beat

ClockSource = Literal["pts", "dts", "rate"]

VIDEO_SUFFIXES: Final = (
    ".mp4", ".mov", ".m4v", ".mkv", ".webm", ".avi", ".mts", ".m2ts", ".ts", ".mpg", ".mpeg", ".wmv", ".3gp",
)  # fmt: skip
"""File name endings that count as a video, in lower case."""

_FLOATING_START: Final = frozenset({"mpegts", "mpegtsraw", "mpeg"})
"""Containers (FFmpeg names) whose timestamps start anywhere; players subtract the first."""

_MAX_DEMUX_ERRORS: Final = 10


@dataclass(frozen=True, slots=True, eq=False)
class FrameClock:
    """When each frame of a video is shown.

    Time zero is what a player shows as 0:00: the start of the edit list of MP4 and MOV, the zero of Matroska and AVI,
    and the first timestamp of MPEG transport and program streams, whose counters start anywhere.

    Attributes
    ----------
    times_s
        float64 (n,), seconds, never decreasing, never negative.
    ticks
        int64 (n,), presentation timestamps as the container counts them, ascending; 0 to n - 1 unless `source` is
        ``pts``.
    damaged
        bool (n,), packets that the container could only read in part.
    end_s
        When the last frame stops being shown, seconds.
    time_base_s
        Length of one tick, seconds.
    source
        ``pts``: presentation timestamps. ``dts``: decoding timestamps, where the container stores no others.
        ``rate``: frame index divided by the announced rate, where there is no timestamp at all. Decoded frames are
        matched to the clock by timestamp in the first case and by order in the others.
    header_frames
        Frames that the header announces, 0 where it is silent. For information only.
    discarded
        Packets that the container marks as not to be shown (edit lists).
    notes
        What was unusual.
    """

    times_s: NDArray[np.float64]
    ticks: NDArray[np.int64]
    damaged: NDArray[np.bool_]
    end_s: float
    time_base_s: float
    source: ClockSource
    header_frames: int
    discarded: int
    notes: tuple[str, ...] = ()

    def __len__(self) -> int:
        return len(self.times_s)


@dataclass(frozen=True, slots=True)
class _Stamp:
    pts: int | None
    dts: int | None
    duration: int
    damaged: bool


@dataclass(frozen=True, slots=True)
class _Packets:
    """What a demux pass found."""

    stamps: list[_Stamp]
    discarded: int
    container_name: str
    tick: Fraction
    rate: Fraction | None
    start_s: float
    header_frames: int


@contextmanager
def open_container(path: Path) -> Iterator[tuple[Any, Any]]:
    """Open a video and choose its picture stream.

    Parameters
    ----------
    path
        A video file.

    Yields
    ------
    container, stream
        PyAV's input container and the first video stream that is no cover picture.

    Raises
    ------
    InvalidInputError
        If the file is missing, empty, no container, without a video stream, or of a codec that FFmpeg does not know.
    """
    if not path.is_file():
        raise InvalidInputError(
            f"Expected a video at {path.name}, but there is no such file. Check the name and folder."
        )
    if path.stat().st_size == 0:
        raise InvalidInputError(f"Expected a video, got 0 bytes in {path.name}. Copy it again from the camera.")
    # Playlists could name addresses on the network; recordings stay on this machine.
    local_files_only = {"protocol_whitelist": "file"}
    try:
        container = av.open(str(path.absolute()), options=local_files_only, metadata_errors="ignore")
    except (av.error.FFmpegError, OSError) as error:
        raise InvalidInputError(
            f"Expected a video ({', '.join(VIDEO_SUFFIXES[:6])} ...), but {path.name} cannot be opened as one "
            f"({getattr(error, 'strerror', None) or type(error).__name__}). Either it is no video, or the recording or "
            "the copy was interrupted before its index was written. Copy it again, or repair it with the camera's tool."
        ) from error
    with container:
        yield container, _choose_stream(container, path.name)


def _choose_stream(container: Any, name: str) -> Any:
    pictures = [
        stream for stream in container.streams.video if not stream.disposition & av.stream.Disposition.attached_pic
    ]
    if not pictures:
        found = sorted({stream.type for stream in container.streams}) or ["nothing"]
        raise InvalidInputError(
            f"Expected a video stream in {name}, got {' and '.join(found)} only. Put the recording of the face there."
        )
    if pictures[0].codec_context is None:
        raise InvalidInputError(
            f"Expected a codec that FFmpeg knows in {name}, got an unknown one. Convert the recording to H.264 in MP4."
        )
    return pictures[0]


def demux(container: Any, stream: Any) -> Iterator[Any]:
    """Packets of a stream in file order, going on after damaged places.

    Parameters
    ----------
    container, stream
        From `open_container`.

    Yields
    ------
    av.Packet
        Packets that hold data; the empty one with which PyAV ends is left out.
    """
    for _ in range(_MAX_DEMUX_ERRORS):
        try:
            for packet in container.demux(stream):
                beat()
                if packet.size:
                    yield packet
        except av.error.FFmpegError:
            continue
        return


def read_clock(path: Path) -> FrameClock:
    """Read the clock of a video without decoding it.

    A frame counts when its packet lacks the discard flag; frames are ordered by presentation timestamp.

    Parameters
    ----------
    path
        A video file.

    Returns
    -------
    FrameClock

    Raises
    ------
    InvalidInputError
        If the file is no readable video or holds no frame.
    """
    with open_container(path) as (container, stream):
        packets = _read_packets(container, stream)
    if not packets.stamps:
        raise InvalidInputError(
            f"Expected at least one frame in {path.name}, got none behind its header. Copy it again from the camera."
        )
    return _build_clock(packets)


def _read_packets(container: Any, stream: Any) -> _Packets:
    stamps = []
    discarded = 0
    for packet in demux(container, stream):
        if packet.is_discard:
            discarded += 1
        else:
            stamps.append(_Stamp(packet.pts, packet.dts, packet.duration or 0, packet.is_corrupt))
    return _Packets(
        stamps=stamps,
        discarded=discarded,
        container_name=container.format.name,
        tick=stream.time_base,
        rate=stream.average_rate or stream.guessed_rate,
        start_s=(container.start_time or 0) / av.time_base,
        header_frames=stream.frames,
    )


def _choose_source(packets: _Packets) -> ClockSource:
    stamps = packets.stamps
    # AVI stores no presentation timestamps. FFmpeg guesses them, wrongly where frames are reordered.
    guessed = packets.container_name == "avi" and any(stamp.pts != stamp.dts for stamp in stamps)
    if not guessed and all(stamp.pts is not None for stamp in stamps):
        return "pts"
    return "dts" if all(stamp.dts is not None for stamp in stamps) else "rate"


def _build_clock(packets: _Packets) -> FrameClock:
    source = _choose_source(packets)
    stamps, tick = packets.stamps, packets.tick
    n = len(stamps)
    order = np.arange(n, dtype=np.int64)
    if source == "pts":
        stamps = sorted(stamps, key=lambda stamp: stamp.pts or 0)
        ticks = np.array([stamp.pts for stamp in stamps], dtype=np.int64)
    elif source == "dts":
        ticks = np.array(sorted(stamp.dts or 0 for stamp in stamps), dtype=np.int64)
    else:
        ticks, tick = order, 1 / (packets.rate or Fraction(25))
    times = ticks * tick.numerator / tick.denominator
    if source == "pts" and packets.container_name in _FLOATING_START:
        # FFmpeg rounds the start to microseconds.
        times = np.where(np.abs(times - packets.start_s) < 1e-6, 0.0, times - packets.start_s)
    notes = _describe_clock(source, times, packets.discarded)
    if times[0] < 0 or (source == "dts" and times[0] > 0):
        times = times - times[0]
    return FrameClock(
        times_s=times,
        ticks=ticks if source == "pts" else order,
        damaged=np.array([stamp.damaged for stamp in stamps], dtype=bool),
        end_s=float(times[-1]) + _last_interval_s(times, float(stamps[-1].duration * packets.tick), packets.rate),
        time_base_s=float(tick),
        source=source,
        header_frames=packets.header_frames,
        discarded=packets.discarded,
        notes=notes,
    )


def _describe_clock(source: ClockSource, times: NDArray[np.float64], discarded: int) -> tuple[str, ...]:
    notes = []
    if source == "dts":
        notes.append("the container stores no presentation timestamps; times are decoding timestamps in order")
    elif source == "rate":
        notes.append("the container stores no timestamps; times are frame index divided by the announced rate")
    if times[0] < 0 or (source == "dts" and times[0] > 0):
        notes.append(f"timestamps begin at {times[0]:.3f} s and were moved to 0")
    repeated = int((np.diff(times) == 0).sum())
    if repeated:
        notes.append(f"{repeated} frames bear the timestamp of the frame before")
    if discarded:
        notes.append(f"{discarded} packets are marked as not to be shown (edit list)")
    return tuple(notes)


def _last_interval_s(times: NDArray[np.float64], announced_s: float, rate: Fraction | None) -> float:
    """How long the last frame is shown: as announced if plausible, else the typical interval."""
    if len(times) > 1:
        typical = float(np.median(np.diff(times)))
        return announced_s if 0.5 * typical <= announced_s <= 4 * typical else typical
    return announced_s or (float(1 / rate) if rate else 0.0)
