"""Odd and broken recordings through the whole extraction: the frame table has the rows of the container."""

from __future__ import annotations

import shutil
from pathlib import Path

import av
import numpy as np
import pytest

from tasks.checking import check_study
from tasks.extraction_jobs import prepare_jobs, run_job
from tasks.rendering import encode_video
from tasks.tables import read_table


@pytest.fixture(scope="module")
def frames(tiny_study) -> list[np.ndarray]:
    with av.open(str(next((tiny_study / "sub-001" / "beh").glob("*.mp4")))) as container:
        return [frame.to_ndarray(format="rgb24") for frame in container.decode(video=0)]


def encode(path: Path, pictures: list[np.ndarray], codec: str, pixel_format: str, **options: str) -> None:
    with av.open(str(path), "w") as container:
        stream = container.add_stream(codec, rate=24)
        stream.height, stream.width = pictures[0].shape[:2]
        stream.pix_fmt = pixel_format
        stream.options = options
        for index, picture in enumerate(pictures):
            frame = av.VideoFrame.from_ndarray(np.ascontiguousarray(picture), format="rgb24")
            frame.pts = index
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))


def write_odd(path: Path, pictures: list[np.ndarray]) -> None:
    encode(path, [picture[:179, :319] for picture in pictures], "libx264", "yuv444p")


def write_ten_bit(path: Path, pictures: list[np.ndarray]) -> None:
    encode(path, pictures, "libx265", "yuv420p10le", **{"x265-params": "log-level=none"})


def write_grey(path: Path, pictures: list[np.ndarray]) -> None:
    encode(path, pictures, "libx264", "gray")


def write_damaged(path: Path, pictures: list[np.ndarray]) -> None:
    encode_video(path, pictures)
    with av.open(str(path)) as container:
        hit = [packet for packet in container.demux(video=0) if packet.size][5]
        start, size = hit.pos, hit.size
    data = bytearray(path.read_bytes())
    data[start : start + size] = bytes(range(256)) * (size // 256) + bytes(size % 256)
    path.write_bytes(data)


@pytest.mark.parametrize("write", [write_odd, write_ten_bit, write_grey, write_damaged])
def test_rows_are_those_of_the_container(study, frames, write):
    video = next((study / "sub-001" / "beh").glob("*.mp4"))
    write(video, frames)
    job = next(job for job in prepare_jobs(check_study(study)) if job.video.participant_id == "001")
    run_job(job)
    table = read_table(job.output)
    assert table["frame"].tolist() == list(range(len(frames)))
    np.testing.assert_allclose(table["time_s"], np.arange(len(frames)) / 24, atol=1e-4)
    lost = (table["invalid_reason"] == "decode_error").sum()
    assert 1 <= lost <= 3 if write is write_damaged else lost == 0
    # Half of the frames show the face at the least: colours and size do not hide it.
    assert table["valid"].mean() >= 0.5


def test_a_recording_that_cannot_be_read_leaves_the_others(study):
    video = next((study / "sub-001" / "beh").glob("*.mp4"))
    video.write_bytes(video.read_bytes()[: video.stat().st_size // 2])
    checked = check_study(study)
    assert "cannot be opened" in checked.study.failed["001"]
    (job,) = prepare_jobs(checked)
    run_job(job)
    assert len(read_table(job.output)) == 12
    shutil.rmtree(study / "sub-001")
    assert check_study(study).exit_code == 4
