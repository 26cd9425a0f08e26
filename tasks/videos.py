"""Reading session videos: batches of upright RGB frames, one row for every frame that the container says is shown.

decord reads where it can be believed, PyAV everywhere else; which one and why is recorded (`VideoReader.reader_used`,
`notes`). A frame that cannot be decoded keeps its row with ``decoded`` false, so that every other frame keeps its
index and time.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Final, Literal, Self

import numpy as np
from numpy.typing import NDArray

from tasks.decord_reading import check_decord, read_with_decord
from tasks.frame_clock import FrameClock, read_clock
from tasks.pictures import FirstPicture, Pictures, read_first_picture, read_with_pyav

__all__ = ["DECORD_MAX_BYTES", "FrameBatch", "FrameClock", "VideoReader", "read_clock"]

ReaderName = Literal["auto", "decord", "pyav"]

DECORD_MAX_BYTES: Final = 256 * 2**20
"""Size of all decoded frames up to which ``auto`` tries decord. decord 0.6 decodes ahead of a slower consumer without bound: of a
recording of 3 minutes at 1280x720 it came to hold all frames, 4.3 GB. PyAV holds a few frames at any length."""


@dataclass(frozen=True, slots=True, eq=False)
class FrameBatch:
    """Consecutive frames.

    Attributes
    ----------
    index
        int32 (n,), place of each frame in presentation order, from 0.
    time_s
        float64 (n,), presentation times, seconds.
    pixels
        uint8 (n, height, width, 3), RGB, upright; zero where not decoded.
    decoded
        bool (n,), false where the frame is damaged or could not be decoded.
    """

    index: NDArray[np.int32]
    time_s: NDArray[np.float64]
    pixels: NDArray[np.uint8]
    decoded: NDArray[np.bool_]

    def __len__(self) -> int:
        return len(self.index)


class VideoReader:
    """Reads a video from its first frame to its last.

    Use as a context manager; entering checks the file and chooses the decoder. No file stays open between calls, and
    `batches` may run in another thread than the one that entered.

    Parameters
    ----------
    path
        A video file.
    reader
        ``auto``: decord for MP4 and MOV of at most `DECORD_MAX_BYTES` decoded, if its count and timestamps agree with
        the packets, its first picture agrees with PyAV's, and a scan finds no damage; otherwise PyAV. ``decord``: the
        same without the limit, so memory grows with length. ``pyav``: PyAV.
    max_width, max_height
        Larger frames are reduced to fit while decoding, keeping their proportions. None for full size.
    threads
        Threads of the decoder.

    Raises
    ------
    InvalidInputError
        On entering, if the file is no readable video.

    Examples
    --------
    >>> with VideoReader(path) as video:                            # doctest: +SKIP
    ...     for batch in video.batches(16):
    ...         faces = detector.detect(batch.pixels[batch.decoded])
    """

    def __init__(
        self,
        path: Path,
        *,
        reader: ReaderName = "auto",
        max_width: int | None = None,
        max_height: int | None = None,
        threads: int = 2,
    ) -> None:
        self._path = Path(path)
        self._asked = reader
        self._max_size = (max_width, max_height)
        self._threads = threads
        self._notes: list[str] = []
        self._opened: tuple[FrameClock, FirstPicture] | None = None
        self._use_decord = False
        self._n_lost = 0
        self.width = 0
        self.height = 0

    def __enter__(self) -> Self:
        clock = read_clock(self._path)
        first = read_first_picture(self._path, clock)
        self._opened = clock, first
        self._notes = list(clock.notes)
        if clock.header_frames and clock.header_frames != len(clock) + clock.discarded:
            self._notes.append(f"the header announces {clock.header_frames} frames, the packets hold {len(clock)}")
        self.width, self.height = _fit(first.size, *self._max_size)
        if self._asked != "pyav":
            refusal = self._why_not_decord(clock, first)
            self._use_decord = refusal is None
            if refusal:
                self._notes.append(f"{refusal}; read with PyAV")
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Nothing to close: files are open only while `batches` runs."""

    @property
    def clock(self) -> FrameClock:
        """The frame clock: how many frames there are and when each is shown."""
        return self._checked()[0]

    @property
    def source_size(self) -> tuple[int, int]:
        """Width and height of the upright frame before any reduction, pixels."""
        return self._checked()[1].size

    @property
    def rotation_deg(self) -> int:
        """Clockwise turn that was applied: 0, 90, 180 or 270."""
        return self._checked()[1].orientation.rotation_deg

    @property
    def reader_used(self) -> Literal["decord", "pyav"]:
        """The decoder; ``pyav`` also where it had to take over from decord on the way."""
        return "decord" if self._use_decord else "pyav"

    @property
    def notes(self) -> tuple[str, ...]:
        """What provenance should say of this file; complete when the last batch was read."""
        return tuple(self._notes)

    def batches(self, n: int) -> Iterator[FrameBatch]:
        """All frames in order, in batches.

        Parameters
        ----------
        n
            Frames of a batch; the last one may be shorter.

        Yields
        ------
        FrameBatch
            Together exactly ``len(clock)`` frames, each in an array of its own.

        Raises
        ------
        ValueError
            If `n` is under 1.
        """
        if n < 1:
            raise ValueError(f"Expected at least 1 frame a batch, got {n}.")
        clock = self.clock
        pictures = self._pictures(clock)
        coming = next(pictures, None)
        self._n_lost = 0
        for start in range(0, len(clock), n):
            stop = min(start + n, len(clock))
            pixels = np.empty((stop - start, self.height, self.width, 3), dtype=np.uint8)
            decoded = np.zeros(stop - start, dtype=bool)
            while coming is not None and coming[0] < stop:
                pixels[coming[0] - start] = coming[1]
                decoded[coming[0] - start] = True
                coming = next(pictures, None)
            pixels[~decoded] = 0
            self._n_lost += int((~decoded).sum())
            if stop == len(clock):
                self._note_losses()
            yield FrameBatch(np.arange(start, stop, dtype=np.int32), clock.times_s[start:stop], pixels, decoded)

    def _pictures(self, clock: FrameClock) -> Pictures:
        size = {"width": self.width, "height": self.height}
        reached = 0
        if self._use_decord:
            for index, picture in read_with_decord(self._path, **size, threads=self._threads, n_frames=len(clock)):
                yield index, picture
                reached = index + 1
            if reached == len(clock):
                return
            self._use_decord = False
            self._notes.append(f"decord failed at frame {reached}; from there read with PyAV")
        orientation = self._checked()[1].orientation
        yield from read_with_pyav(
            self._path, clock, **size, orientation=orientation, threads=self._threads, start=reached
        )

    def _note_losses(self) -> None:
        if self._n_lost:
            self._notes.append(
                f"{self._n_lost} of {len(self.clock)} frames could not be decoded; frames after them, up to the next "
                "key frame, may show traces"
            )

    def _why_not_decord(self, clock: FrameClock, first: FirstPicture) -> str | None:
        decoded_bytes = len(clock) * self.width * self.height * 3
        if self._asked == "auto" and decoded_bytes > DECORD_MAX_BYTES:
            return (
                f"decoded, {len(clock)} frames of {self.width}x{self.height} fill {decoded_bytes / 2**20:.0f} MiB, all of which "
                "decord may hold"
            )
        if first.orientation.is_mirrored:
            return "the display matrix mirrors pictures, which decord ignores"
        return check_decord(self._path, clock, first, width=self.width, height=self.height, threads=self._threads)

    def _checked(self) -> tuple[FrameClock, FirstPicture]:
        if self._opened is None:
            raise ValueError("Expected VideoReader to be entered with 'with' before it is read.")
        return self._opened


def _fit(size: tuple[int, int], max_width: int | None, max_height: int | None) -> tuple[int, int]:
    width, height = size
    scale = min(1.0, (max_width or width) / width, (max_height or height) / height)
    return max(1, round(width * scale)), max(1, round(height * scale))
