"""Two processes, one study."""

from __future__ import annotations

import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tasks.errors import ExitCode, StudyBusyError
from tasks.run_lock import LOCK_NAME, hold_run_lock

HOLD = """
import sys
from pathlib import Path
from tasks.run_lock import hold_run_lock
with hold_run_lock(Path(sys.argv[1]), command="study"):
    print("held", flush=True)
    sys.stdin.read()
"""


@contextmanager
def another_process_holds(folder: Path) -> Iterator[subprocess.Popen[str]]:
    with subprocess.Popen(
        [sys.executable, "-c", HOLD, folder], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout.readline() == "held\n"
        yield process


def test_the_second_run_is_refused_and_told_of_the_first(tmp_path):
    folder = tmp_path / "facetrace"
    with another_process_holds(folder) as process:
        with pytest.raises(StudyBusyError) as caught, hold_run_lock(folder, command="extract"):
            pass
        text = str(caught.value)
        assert f"`facetrace study`, process {process.pid}, since 20" in text
        assert "Wait for it to end" in text
        assert str(tmp_path) not in text
        assert caught.value.exit_code == ExitCode.UNEXPECTED
        process.communicate()
    with hold_run_lock(folder, command="extract"):
        pass


def test_a_killed_process_holds_nothing(tmp_path):
    with another_process_holds(tmp_path) as process:
        process.send_signal(signal.SIGKILL)
        process.wait()
        with hold_run_lock(tmp_path, command="extract"):
            pass


def test_a_lock_file_alone_locks_nothing(tmp_path):
    (tmp_path / LOCK_NAME).write_text('{"process": 1}')
    with (
        hold_run_lock(tmp_path, command="extract"),
        pytest.raises(StudyBusyError, match="`facetrace extract`"),
        hold_run_lock(tmp_path, command="report"),
    ):
        pass


def test_an_error_lets_go_of_the_lock(tmp_path):
    with pytest.raises(RuntimeError), hold_run_lock(tmp_path, command="extract"):
        raise RuntimeError
    with hold_run_lock(tmp_path, command="extract"):
        assert (tmp_path / LOCK_NAME).stat().st_mode & 0o777 == 0o600
