"""What a run would do and what it needs, without doing it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from tasks.attribute_checkpoints import CHECKPOINT_SUFFIXES
from tasks.checking import CheckedStudy
from tasks.errors import WeightsError
from tasks.tables import BYTES_PER_FRAME
from tasks.weights import describe_status, find_entry

REPORT_BYTES: Final = 200_000
"""Size of a participant report."""

ASSET_BYTES: Final = 5_000_000
"""Size of the group report's assets."""


def plan_run(checked: CheckedStudy) -> Iterator[str]:
    """Lines that say which recordings a run would read and what it needs.

    Parameters
    ----------
    checked
        A checked study.

    Yields
    ------
    str
    """
    videos = checked.study.videos
    n_frames = sum(checked.probes[video.label].packet_frames for video in videos)
    seconds = sum(checked.probes[video.label].duration_s for video in videos)
    done = len(checked.frame_tables())
    yield "Dry run: nothing is decoded or written."
    yield f"Recordings: {len(videos)}, of which {done} have a frame table (kept where nothing changed)."
    for video in videos:
        probe = checked.probes[video.label]
        yield (
            f"  {video.label}: {probe.width}x{probe.height}, {probe.packet_frames} frames, {probe.duration_s:.1f} s, "
            f"{probe.codec}, {probe.rate} rate"
        )
    yield f"Frames: {n_frames} ({seconds / 60:.1f} min of video)."
    disk = n_frames * BYTES_PER_FRAME + len(videos) * REPORT_BYTES + ASSET_BYTES
    yield f"Disk: about {disk / 1e6:.0f} MB under derivatives/facetrace."
    for name in (checked.settings.detection.weights, checked.settings.attributes.weights):
        yield f"Weights: {name} ({_weights_status(name)})."


def _weights_status(name: str) -> str:
    if name.endswith(CHECKPOINT_SUFFIXES):
        return "a checkpoint of the study"
    try:
        return describe_status(find_entry(name))
    except WeightsError:
        return "unknown"
