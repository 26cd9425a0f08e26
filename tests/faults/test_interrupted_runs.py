"""ctrl-C, SIGTERM and kill -9 of the real command in the middle of an extraction, and the run after them."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import av
import psutil
import pytest

from tasks.rendering import encode_video
from tasks.tables import read_table

COMMAND = (sys.executable, "-c", "from flows.cli import main; main()")
REPEATS = 40


@pytest.fixture(scope="module")
def long_study(tiny_study, tmp_path_factory) -> Path:
    """The tiny study with 480 frames of its first participant, some seconds of work: enough to interrupt."""
    folder = tmp_path_factory.mktemp("long") / "long"
    shutil.copytree(tiny_study, folder)
    path = next((folder / "sub-001" / "beh").glob("*.mp4"))
    with av.open(str(path)) as container:
        frames = [frame.to_ndarray(format="rgb24") for frame in container.decode(video=0)]
    encode_video(path, frames * REPEATS)
    return folder


@pytest.fixture(scope="module")
def environment(tmp_path_factory) -> dict[str, str]:
    return {**os.environ, "PREFECT_HOME": str(tmp_path_factory.mktemp("prefect_home"))}


def files_of(folder: Path) -> set[str]:
    return {path.name for path in (folder / "derivatives").rglob("*") if path.is_file()}


def start(folder: Path, environment: dict[str, str]) -> subprocess.Popen[str]:
    """Start `facetrace extract` and wait until it is in the middle of the first recording."""
    process = subprocess.Popen(
        [*COMMAND, "extract", folder], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment
    )
    lines = []
    for line in process.stderr:
        lines.append(line)
        if line.startswith("sub-001: "):
            return process
    raise AssertionError("".join(lines))


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_an_interrupted_run_ends_cleanly(long_study, environment, number):
    shutil.rmtree(long_study / "derivatives", ignore_errors=True)
    process = start(long_study, environment)
    process.send_signal(number)
    out, err = process.communicate(timeout=120)
    assert process.returncode == 130, err
    assert "Traceback" not in err
    assert "Interrupted. What was finished is kept; run the same command again to go on." in err
    assert out.splitlines()[-1] == "RESULT ok=0 failed=0 skipped=2 exit=130"
    # What checking found is there; the frame table is not begun; the run log accounts for both recordings.
    (log,) = long_study.glob("derivatives/facetrace/logs/run-*.json")
    checked = {"desc-triage_videos.parquet", "desc-triage_videos.json", "probes.json"}
    assert files_of(long_study) == {".run.lock", log.name, *checked}
    noted = json.loads(log.read_text())
    assert noted["exit_code"] == 130
    assert [(item["participant_id"], item["status"]) for item in noted["inputs"]] == [
        ("001", "skipped"),
        ("002", "skipped"),
    ]


def test_the_run_after_a_killed_one_completes(long_study, environment):
    shutil.rmtree(long_study / "derivatives", ignore_errors=True)
    process = start(long_study, environment)
    # Its Prefect server outlives it and holds the pipes open.
    servers = psutil.Process(process.pid).children(recursive=True)
    process.kill()
    for server in servers:
        server.kill()
    process.communicate()
    assert [name for name in files_of(long_study) if ".tmp." in name]
    done = subprocess.run(
        [*COMMAND, "extract", long_study], capture_output=True, text=True, check=False, env=environment
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines()[-1] == "RESULT ok=2 failed=0 skipped=0 exit=0"
    assert not [name for name in files_of(long_study) if ".tmp." in name]
    tables = sorted(long_study.glob("derivatives/facetrace/sub-*/beh/*.parquet"))
    assert [len(read_table(path)) for path in tables] == [12 * REPEATS, 12]
    assert all(json.loads(path.with_suffix(".json").read_text())["output_sha256"] for path in tables)
