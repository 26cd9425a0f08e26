"""Recordings that cannot be read and report no error.

The stall is real: a write lease of the kernel (fcntl(2), F_SETLEASE) makes open(2) of the video wait, in C and without the
interpreter's lock, as a network share does that is gone. It waits until the lease is given back or for 45 s (lease-break-time),
which is longer than each of these tests may take.
"""

from __future__ import annotations

import fcntl
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import yaml

from tasks.checking import check_study
from tasks.errors import ExitCode, StalledError
from tasks.extraction_jobs import prepare_jobs, run_job
from tasks.frame_clock import read_clock
from tasks.pipelining import Watch, call_watched
from tasks.tables import read_table


@contextmanager
def stall_opening(path: Path) -> Iterator[None]:
    """Whoever opens the file waits until the block ends."""
    if not hasattr(fcntl, "F_SETLEASE"):
        pytest.skip("this system has no file leases")
    before = signal.signal(signal.SIGIO, signal.SIG_IGN)
    descriptor = os.open(path, os.O_RDWR)
    try:
        fcntl.fcntl(descriptor, fcntl.F_SETLEASE, fcntl.F_WRLCK)
    except OSError as error:
        os.close(descriptor)
        pytest.skip(f"this file system has no leases ({error})")
    try:
        yield
    finally:
        os.close(descriptor)
        signal.signal(signal.SIGIO, before)


@pytest.fixture
def impatient_study(study) -> Path:
    settings = yaml.safe_load((study / "config.yaml").read_text())
    settings["video"]["stall_timeout_s"] = 1
    (study / "config.yaml").write_text(yaml.safe_dump(settings))
    return study


def video_of(study: Path, participant_id: str) -> Path:
    return next((study / f"sub-{participant_id}" / "beh").glob("*.mp4"))


def test_a_reader_that_stalls_is_given_up_with_a_reason(study):
    path = video_of(study, "001")
    with stall_opening(path), pytest.raises(StalledError) as caught:
        call_watched(lambda: read_clock(path), Watch(path.name, 0.5))
    assert str(caught.value).startswith(f"Expected more of {path.name}, but nothing came for 0.5 s")
    assert "video.stall_timeout_s" in str(caught.value)
    assert len(call_watched(lambda: read_clock(path), Watch(path.name, 30))) == 12


def test_a_recording_that_stalls_in_the_run_fails_alone(impatient_study):
    jobs = prepare_jobs(check_study(impatient_study))
    with stall_opening(jobs[0].video.path):
        with pytest.raises(StalledError, match=jobs[0].video.path.name):
            run_job(jobs[0])
        run_job(jobs[1])
    assert not list(jobs[0].output.parent.iterdir())
    assert len(read_table(jobs[1].output)) == 12
    run_job(jobs[0])
    assert len(read_table(jobs[0].output)) == 12


def test_a_stalled_thread_does_not_keep_the_command_from_ending(impatient_study):
    path = video_of(impatient_study, "001")
    with stall_opening(path):
        done = subprocess.run(
            [sys.executable, "-c", "from flows.cli import main; main()", "check", impatient_study],
            capture_output=True,
            text=True,
            check=False,
            # The lease alone would hold it for 45 s.
            timeout=40,
        )
    assert done.returncode == ExitCode.SOME_PARTICIPANTS_FAILED, done.stderr
    assert "2 participants, 2 videos, 1 of them ready." in done.stdout
    assert f"Expected more of {path.name}, but nothing came for 1 s" in done.stdout


def test_slow_is_not_stalled():
    """Signs of life keep a reader alive for longer than the time that it may be silent."""
    from tasks.pipelining import beat

    def read_slowly() -> str:
        for _ in range(8):
            time.sleep(0.2)
            beat()
        return "read"

    assert call_watched(read_slowly, Watch("slow.mp4", 1.0)) == "read"


def test_leaving_a_stalled_reader_does_not_wait_for_it(study):
    path = video_of(study, "001")
    code = (
        "import sys; from pathlib import Path; from tasks.frame_clock import read_clock\n"
        "from tasks.pipelining import Watch, call_watched\n"
        "try: call_watched(lambda: read_clock(Path(sys.argv[1])), Watch('a.mp4', 0.5))\n"
        "except Exception as error: print(type(error).__name__); sys.exit(7)\n"
    )
    with stall_opening(path):
        done = subprocess.run(
            [sys.executable, "-c", code, path], capture_output=True, text=True, check=False, timeout=40
        )
    assert (done.returncode, done.stdout, done.stderr) == (7, "StalledError\n", "")
