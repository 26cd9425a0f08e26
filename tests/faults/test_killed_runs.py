"""kill -9 wherever it hurts: the next run completes, and nothing differs from a run that was left alone, but times."""

from __future__ import annotations

import json
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import av
import pytest

from tasks.rendering import encode_video

KILL_POINTS = Path(__file__).with_name("kill_points.py")
SEED = 20261121


@pytest.fixture(scope="module")
def outcomes(tiny_study, tmp_path_factory) -> list[dict]:
    folder = tmp_path_factory.mktemp("killed") / "tiny"
    shutil.copytree(tiny_study, folder)
    # Six frames in batches of two: each kill costs two extractions.
    path = next((folder / "sub-001" / "beh").glob("*.mp4"))
    with av.open(str(path)) as container:
        frames = [frame.to_ndarray(format="rgb24") for frame in container.decode(video=0)]
    encode_video(path, frames[:6])
    settings = (folder / "config.yaml").read_text()
    (folder / "config.yaml").write_text(settings.replace("batch_frames: 4", "batch_frames: 2"))
    done = subprocess.run([sys.executable, KILL_POINTS, folder, str(SEED)], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def test_the_points_cover_every_write_step_and_ten_moments_of_the_work(outcomes):
    uninterrupted, *killed = outcomes
    assert uninterrupted["status"] == 0
    assert set(uninterrupted["tables"]) == {
        "group/desc-features_participants.parquet",
        "sub-001/beh/sub-001_task-clips_desc-frames_beh.parquet",
    }
    assert uninterrupted["strays"] == []
    # Two tables and their sidecars.
    one_write = ["before mkstemp", "after mkstemp", "before fsync", "after fsync", "before replace", "after replace"]
    assert uninterrupted["steps"] == 4 * one_write
    assert len(killed) == len(uninterrupted["steps"]) + 10
    assert {item["status"] for item in killed} == {signal.SIGKILL}


def test_the_run_after_a_kill_gives_what_an_uninterrupted_run_gives(outcomes):
    uninterrupted, *killed = outcomes
    for item in killed:
        assert item["again"] == 0, item["point"]
        assert item["tables"] == uninterrupted["tables"], item["point"]
        assert item["sidecars"] == uninterrupted["sidecars"], item["point"]


def test_temporary_files_of_a_killed_run_are_gone_after_the_next(outcomes):
    _, *killed = outcomes
    assert [name for item in killed for name in item["left"]], "Expected kills that leave temporary files"
    assert {item["point"]: item["strays"] for item in killed if item["strays"]} == {}
