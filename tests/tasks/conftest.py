"""Videos whose frames say which frame they are, and study folders to put them in."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest

COLUMNS, ROWS = 4, 3
DARK, BRIGHT = 50, 200


def paint_index(index: int, *, width: int, height: int) -> np.ndarray:
    """RGB picture of 4 x 3 blocks: the binary digits of `index`, bright for 1; the last three blocks are red, green
    and blue."""
    bits = [(index >> k) & 1 for k in range(COLUMNS * ROWS - 3)]
    colours = [(BRIGHT,) * 3 if bit else (DARK,) * 3 for bit in bits] + [(220, 30, 30), (30, 220, 30), (30, 30, 220)]
    rows = np.arange(height) * ROWS // height
    columns = np.arange(width) * COLUMNS // width
    return np.array(colours, dtype=np.uint8)[rows[:, None] * COLUMNS + columns[None, :]]


def read_index(picture: np.ndarray) -> int:
    """The index that `paint_index` painted, from the centres of the blocks."""
    height, width = picture.shape[:2]
    index = 0
    for k in range(COLUMNS * ROWS - 3):
        y = int((k // COLUMNS + 0.5) * height / ROWS)
        x = int((k % COLUMNS + 0.5) * width / COLUMNS)
        index |= int(picture[y - 2 : y + 3, x - 2 : x + 3].mean() > (DARK + BRIGHT) / 2) << k
    return index


def write_video(
    path: Path,
    *,
    n: int = 60,
    width: int = 160,
    height: int = 120,
    times: Sequence[float] | None = None,
    codec: str = "libx264",
    pixel_format: str = "yuv420p",
    gop: int = 12,
    b_frames: int = 2,
    turns: int = 0,
    mirror: bool = False,
    container_options: Mapping[str, str] | None = None,
    codec_options: Mapping[str, str] | None = None,
    picture: Callable[[int], np.ndarray] | None = None,
) -> Path:
    """Encode `n` numbered frames at 30 frames/s, or at `times`.

    With `turns` the stored pixels are turned clockwise by that many right angles and the display matrix turns them
    back; with `mirror` they are also stored as a mirror image.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    base = Fraction(1, 30) if times is None else Fraction(1, 15360)
    with av.open(str(path), "w", options=dict(container_options or {})) as container:
        stream = container.add_stream(codec, rate=30)
        stored = (height, width) if turns % 2 else (width, height)
        stream.width, stream.height = stored
        stream.pix_fmt = pixel_format
        stream.codec_context.time_base = base
        stream.codec_context.gop_size = gop
        stream.codec_context.max_b_frames = b_frames
        stream.options = dict(codec_options or {})
        if turns or mirror:
            stream.set_display_rotation(90 * turns, hflip=mirror)
        for index in range(n):
            upright = picture(index) if picture else paint_index(index, width=width, height=height)
            if mirror:
                upright = upright[:, ::-1]
            frame = av.VideoFrame.from_ndarray(np.ascontiguousarray(np.rot90(upright, -turns)), format="rgb24")
            frame.time_base = base
            frame.pts = index if times is None else round(times[index] / base)
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    return path


def packet_places(path: Path) -> list[dict[str, Any]]:
    """Position, size, timestamp and key flag of each packet, in file order."""
    with av.open(str(path)) as container:
        return [
            {"pos": packet.pos, "size": packet.size, "pts": packet.pts, "key": packet.is_keyframe}
            for packet in container.demux(video=0)
            if packet.size
        ]


def write_study(folder: Path, *, rows: str | None = None, files: Mapping[str, str | bytes] | None = None) -> Path:
    """A study folder with participants.tsv from `rows` (lines of blank-separated cells) and other files."""
    folder.mkdir(parents=True, exist_ok=True)
    if rows is not None:
        lines = ["\t".join(line.split()) for line in rows.strip().splitlines()]
        (folder / "participants.tsv").write_text("\n".join(lines) + "\n", encoding="utf-8")
    for name, content in (files or {}).items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return folder


@pytest.fixture(scope="session")
def media() -> Any:
    """Namespace of the makers above; a fixture, because test files cannot import each other."""

    class Media:
        paint_index = staticmethod(paint_index)
        read_index = staticmethod(read_index)
        write_video = staticmethod(write_video)
        packet_places = staticmethod(packet_places)
        write_study = staticmethod(write_study)

    return Media


@pytest.fixture(scope="session")
def numbered_video(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """H.264 in MP4, 60 numbered frames at 30 frames/s with reordering."""
    return write_video(tmp_path_factory.mktemp("media") / "numbered.mp4")
