"""One run at a time on a study: a lock that the operating system lets go of when its process ends, however it ends."""

from __future__ import annotations

import errno
import json
import os
import platform
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

from tasks.errors import StudyBusyError
from tasks.provenance import FILE_MODE, make_folder
from tasks.storage import explain_write_errors

LOCK_NAME: Final = ".run.lock"
"""File in the derivatives folder. It stays there; what counts is the lock on it, not that it exists."""

_HELD_ELSEWHERE: Final = frozenset({errno.EAGAIN, errno.EACCES, errno.EDEADLK})


@contextmanager
def hold_run_lock(folder: Path, *, command: str) -> Iterator[None]:
    """Hold the lock of a study's derivatives; refuse where another run holds it.

    Parameters
    ----------
    folder
        Folder of derivatives; made where it is missing.
    command
        What is run, for the message of the run that is refused.

    Raises
    ------
    StudyBusyError
        If another run is at work on the study.
    OutputError
        If the lock cannot be written.
    """
    path = make_folder(folder) / LOCK_NAME
    with explain_write_errors(path):
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT, FILE_MODE)
    try:
        if not _try_lock(descriptor, path):
            raise StudyBusyError(_describe_holder(descriptor))
        _write(descriptor, path, _myself(command))
        yield
        _write(descriptor, path, {})
    finally:
        os.close(descriptor)


def _myself(command: str) -> dict[str, Any]:
    started = datetime.now(UTC).isoformat(timespec="seconds")
    return {"command": command, "process": os.getpid(), "started": started, "host": platform.node()}


def _write(descriptor: int, path: Path, holder: dict[str, Any]) -> None:
    with explain_write_errors(path):
        os.ftruncate(descriptor, 0)
        os.lseek(descriptor, 0, os.SEEK_SET)
        os.write(descriptor, json.dumps(holder).encode())


def _describe_holder(descriptor: int) -> str:
    """The message for the run that is refused; without the host's name, because Prefect stores it."""
    os.lseek(descriptor, 0, os.SEEK_SET)
    try:
        holder = json.loads(os.read(descriptor, 4096))
        who = f"`facetrace {holder['command']}`, process {holder['process']}, since {holder['started']}"
    except (ValueError, TypeError, KeyError):
        who = "one that is just beginning or ending"
    return (
        f"Expected no other run on this study, got {who}. Wait for it to end, or stop it, then run the same command again. "
        f"The file derivatives/facetrace/{LOCK_NAME} also names its computer."
    )


if sys.platform == "win32":
    import msvcrt

    _LOCKED_BYTE: Final = 1 << 30  # far behind the text, which others must be able to read

    def _try_lock(descriptor: int, path: Path) -> bool:
        os.lseek(descriptor, _LOCKED_BYTE, os.SEEK_SET)
        with explain_write_errors(path):
            try:
                msvcrt.locking(descriptor, msvcrt.LK_NBLCK, 1)
            except OSError as error:
                if error.errno in _HELD_ELSEWHERE:
                    return False
                raise
        return True
else:
    import fcntl

    def _try_lock(descriptor: int, path: Path) -> bool:
        with explain_write_errors(path):
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except OSError as error:
                if error.errno in _HELD_ELSEWHERE:
                    return False
                raise
        return True
