"""Decoding with PyAV: frames of a video as upright RGB pictures, each with its index on the frame clock.

PyAV tells for every frame which timestamp it has and whether it is damaged. It does not turn pictures: the display
matrix is applied here.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import av
import numpy as np
from numpy.typing import NDArray

from tasks.errors import InvalidInputError
from tasks.frame_clock import FrameClock, demux, open_container

Pictures = Iterator[tuple[int, NDArray[np.uint8]]]


@dataclass(frozen=True, slots=True)
class Orientation:
    """How a stored picture is turned for showing: transposed first, then mirrored.

    Attributes
    ----------
    transposed
        Rows and columns change places.
    mirrored_x, mirrored_y
        Then left and right, or top and bottom, change places.
    """

    transposed: bool = False
    mirrored_x: bool = False
    mirrored_y: bool = False

    @classmethod
    def from_display_matrix(cls, matrix: NDArray[np.int32]) -> Orientation:
        """Orientation of a display matrix.

        Parameters
        ----------
        matrix
            int32 (3, 3), ISO/IEC 14496-12, 6.2.2: the stored point (x, y) is shown at (a x + c y, b x + d y), where
            a, b are ``matrix[0, :2]`` and c, d are ``matrix[1, :2]``. Angles between right angles go to the nearest.
        """
        (a, b), (c, d) = matrix[:2, :2].astype(np.int64).tolist()
        if abs(a) + abs(d) >= abs(b) + abs(c):
            return cls(False, a < 0, d < 0)
        return cls(True, c < 0, b < 0)

    def apply(self, picture: NDArray[np.uint8]) -> NDArray[np.uint8]:
        """Turn a stored picture (height, width, 3) upright, as a view."""
        if self.transposed:
            picture = picture.transpose(1, 0, 2)
        return picture[:: -1 if self.mirrored_y else 1, :: -1 if self.mirrored_x else 1]

    def size(self, width: int, height: int) -> tuple[int, int]:
        """Width and height upright of a stored size, and the other way round."""
        return (height, width) if self.transposed else (width, height)

    @property
    def is_mirrored(self) -> bool:
        """Whether it shows a mirror image, which no rotation can."""
        return self.transposed ^ self.mirrored_x ^ self.mirrored_y

    @property
    def rotation_deg(self) -> int:
        """Clockwise turn of the stored picture: 0, 90, 180 or 270, after mirroring where `is_mirrored`."""
        if self.transposed:
            return 270 if self.mirrored_y else 90
        return 180 if self.mirrored_y else 0


@dataclass(frozen=True, slots=True, eq=False)
class FirstPicture:
    """The first picture that can be decoded.

    Attributes
    ----------
    index
        Its place on the clock; 0 unless the file is damaged.
    frame
        PyAV's frame, as stored.
    orientation
        How it is turned for showing.
    """

    index: int
    frame: Any
    orientation: Orientation

    @property
    def size(self) -> tuple[int, int]:
        """Width and height upright, pixels."""
        return self.orientation.size(self.frame.width, self.frame.height)


def read_first_picture(path: Path, clock: FrameClock) -> FirstPicture:
    """Decode until there is a picture.

    Parameters
    ----------
    path
        A video file.
    clock
        Its clock.

    Raises
    ------
    InvalidInputError
        If nothing can be decoded.
    """
    for index, frame in _decode(path, clock, threads=1):
        if index is not None:
            matrix = frame.side_data.get("DISPLAYMATRIX")
            if matrix is None:
                return FirstPicture(index, frame, Orientation())
            values = np.frombuffer(bytes(matrix), dtype=np.int32).reshape(3, 3)
            return FirstPicture(index, frame, Orientation.from_display_matrix(values))
    raise InvalidInputError(
        f"Expected frames that can be decoded in {path.name}, got none of {len(clock)}. Copy it again from the camera, "
        "or convert it to H.264 in MP4."
    )


def read_with_pyav(
    path: Path, clock: FrameClock, *, width: int, height: int, orientation: Orientation, threads: int, start: int = 0
) -> Pictures:
    """Decode with PyAV; damaged frames are left out, all others keep their index.

    Parameters
    ----------
    path
        A video file.
    clock
        Its clock.
    width, height
        Size of the upright pictures.
    orientation
        How stored pictures are turned.
    threads
        Threads of the decoder.
    start
        Index of the first picture to give; earlier ones are decoded, because later ones may need them, but not
        converted.

    Yields
    ------
    index, picture
        Ascending index and uint8 (height, width, 3) RGB.
    """
    stored_width, stored_height = orientation.size(width, height)
    for index, frame in _decode(path, clock, threads=threads):
        if index is not None and index >= start:
            rgb = frame.reformat(width=stored_width, height=stored_height, format="rgb24").to_ndarray()
            yield index, orientation.apply(rgb)


def _decode(
    path: Path, clock: FrameClock, *, threads: int, options: dict[str, str] | None = None
) -> Iterator[tuple[int | None, Any]]:
    """Frames with their index on the clock; None for a frame that is damaged or not on the clock."""
    with open_container(path) as (container, stream):
        # Frame threads report an error late and with another packet: without timestamps, order is all that tells them
        # apart.
        stream.thread_type = "AUTO" if clock.source == "pts" else "SLICE"
        stream.codec_context.thread_count = threads
        stream.codec_context.options = options or {}
        matcher = _Matcher(clock)
        for packet in demux(container, stream):
            yield from _decode_packet(stream, packet, matcher)
        yield from _decode_packet(stream, None, matcher)


def _decode_packet(stream: Any, packet: Any, matcher: _Matcher) -> Iterator[tuple[int | None, Any]]:
    try:
        frames = stream.decode(packet)
    except av.error.EOFError:
        return
    except av.error.FFmpegError:
        matcher.lose_one()
        return
    for frame in frames:
        yield matcher.place(frame), frame


class _Matcher:
    """Finds the place of decoded frames on the clock.

    Parameters
    ----------
    clock
        The clock; its source decides whether timestamps or order are used.
    """

    def __init__(self, clock: FrameClock) -> None:
        self._clock = clock
        self._next = 0

    def place(self, frame: Any) -> int | None:
        """Index of a decoded frame, or None where it is damaged, has no place, or comes too late."""
        index = self._next
        if self._clock.source == "pts":
            if frame.pts is None:
                return None
            index = max(index, int(np.searchsorted(self._clock.ticks, frame.pts)))
            if index >= len(self._clock) or self._clock.ticks[index] != frame.pts:
                return None
        elif index >= len(self._clock):
            return None
        self._next = index + 1
        # A concealed frame shows guessed pixels.
        return None if frame.is_corrupt or self._clock.damaged[index] else index

    def lose_one(self) -> None:
        """Without timestamps, leave the place of a packet that could not be decoded empty."""
        if self._clock.source != "pts":
            self._next += 1


def is_damaged(path: Path, clock: FrameClock, *, threads: int) -> bool:
    """Whether a frame is missing, damaged or concealed.

    Decodes without the loop filter and converts no colours, which costs about half of reading. decord needs this
    scan: it hands out concealed pictures, and some repeated ones, without a word.

    Parameters
    ----------
    path
        A video file.
    clock
        Its clock.
    threads
        Threads of the decoder.
    """
    if clock.damaged.any():
        return True
    good = 0
    for index, _frame in _decode(path, clock, threads=threads, options={"skip_loop_filter": "all"}):
        if index != good:
            return True
        good += 1
    return good != len(clock)
