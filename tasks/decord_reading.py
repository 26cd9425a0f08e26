"""Decoding with decord, which gives pictures in order and says nothing about them.

decord 0.6 repeats pictures where it meets an edit list, damage or a container that it seeks badly in, and reports no
error. So `check_decord` compares it with the frame clock, with PyAV's first picture and with a scan for damage before
it is believed.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any, Final

import numpy as np

from tasks.frame_clock import FrameClock, open_container
from tasks.pictures import FirstPicture, Pictures, is_damaged
from tasks.pipelining import beat

CLOCK_TOLERANCE_S: Final = 1e-3
"""Seconds by which decord's timestamps may differ from the clock."""

PICTURE_TOLERANCE: Final = 2.0
"""Grey levels by which decord's first picture may differ from PyAV's on average; both use swscale and differ by 0 to
0.2."""


def check_decord(
    path: Path, clock: FrameClock, first: FirstPicture, *, width: int, height: int, threads: int
) -> str | None:
    """Why decord cannot be believed for this file, or None where it can.

    Parameters
    ----------
    path
        A video file.
    clock
        Its clock.
    first
        Its first picture, from PyAV.
    width, height
        Size of the upright pictures.
    threads
        Threads of the decoders.

    Returns
    -------
    str or None
    """
    with open_container(path) as (container, _stream):
        # In MPEG-TS decord 0.6 gave 59 of 60 frames wrong with count and timestamps right; only this family held in
        # all trials.
        if "mp4" not in container.format.name:
            return f"decord is not used for {container.format.name} files"
        if len(container.streams.video) > 1:
            return "the file holds several video streams"
    if clock.source != "pts":
        return "the container stores no presentation timestamps"
    # Before decord opens it: an old decoder need not meet damage that a new one reports.
    if is_damaged(path, clock, threads=threads):
        return "the file is damaged"
    try:
        return _compare_with_decord(path, clock, first, width=width, height=height, threads=threads)
    except _decord_errors() as error:
        return f"decord failed ({type(error).__name__})"


def _compare_with_decord(
    path: Path, clock: FrameClock, first: FirstPicture, *, width: int, height: int, threads: int
) -> str | None:
    video = _open_decord(path, width=width, height=height, threads=threads)
    if len(video) != len(clock):
        return f"decord counts {len(video)} frames, the packets {len(clock)}"
    starts = video.get_frame_timestamp(np.arange(len(video)))[:, 0].astype(np.float64)
    # decord keeps float32 seconds, which step by more than 1 ms after 2.3 hours.
    tolerance = CLOCK_TOLERANCE_S + np.spacing(clock.times_s.astype(np.float32)).astype(np.float64)
    if (np.abs(starts - clock.times_s) > tolerance).any():
        return "decord's timestamps differ from the packets'"
    if first.index != 0:
        return "the first frame is damaged"
    stored_width, stored_height = first.orientation.size(width, height)
    rgb = first.frame.reformat(width=stored_width, height=stored_height, format="rgb24").to_ndarray()
    expected = first.orientation.apply(rgb).astype(np.int16)
    if np.abs(expected - video.next().asnumpy()).mean() > PICTURE_TOLERANCE:
        return "decord's first picture differs from PyAV's"
    return None


def read_with_decord(path: Path, *, width: int, height: int, threads: int, n_frames: int) -> Pictures:
    """Read in order with decord until the end or until it fails.

    Parameters
    ----------
    path
        A video that passed `check_decord`.
    width, height
        Size of the upright pictures.
    threads
        Threads of the decoder.
    n_frames
        Frames to read.

    Yields
    ------
    index, picture
        0, 1, ... and uint8 (height, width, 3) RGB.
    """
    try:
        video = _open_decord(path, width=width, height=height, threads=threads)
        for index in range(n_frames):
            # One by one: `get_batch` held two to four times the memory of a batch and was slower.
            picture = video.next().asnumpy()
            beat()
            yield index, picture
    except _decord_errors():
        return


def _open_decord(path: Path, *, width: int, height: int, threads: int) -> Any:
    import decord  # noqa: PLC0415  (has no wheel for some platforms; PyAV reads everything there)

    decord.logging.set_level(decord.logging.QUIET)
    # The smallest tolerance that is not "none": an error instead of repeated pictures.
    return decord.VideoReader(
        str(path.absolute()), ctx=decord.cpu(0), width=width, height=height, num_threads=threads, fault_tol=1e-9
    )


def _decord_errors() -> tuple[type[Exception], ...]:
    try:
        from decord import DECORDError  # noqa: PLC0415
    except (ImportError, OSError):
        return (ImportError, OSError)
    # StopIteration from next() at an early end; AssertionError for a count of zero.
    return (DECORDError, RuntimeError, StopIteration, AssertionError)
