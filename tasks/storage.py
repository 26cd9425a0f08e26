"""What can go wrong where results are stored: a full disk, a folder that cannot be written, files of a run that was killed."""

from __future__ import annotations

import errno
import re
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from tasks.errors import OutputError

TEMPORARY_INFIX: Final = ".tmp"
"""Stands before the suffix of a file that is being written: ``.<name>.<8 characters>.tmp.parquet``."""

_TEMPORARY: Final = re.compile(r"\..*\.[a-z0-9_]{8}\.tmp(\.\w+)?")

_FULL: Final = frozenset({errno.ENOSPC, getattr(errno, "EDQUOT", errno.ENOSPC), errno.EFBIG})
_FORBIDDEN: Final = frozenset({errno.EROFS, errno.EACCES, errno.EPERM})


@contextmanager
def explain_write_errors(path: Path, *, needs_bytes: int = 0) -> Iterator[None]:
    """Turn an error of the operating system while `path` is written into one that says what to do.

    Parameters
    ----------
    path
        The file that is being written, or the folder that is being made; only its name is printed.
    needs_bytes
        About how large it becomes, for the message; 0 where that is not known.

    Raises
    ------
    OutputError
        In place of any OSError.
    """
    try:
        yield
    except OSError as error:
        raise OutputError(_describe(error, path, needs_bytes)) from error


def _describe(error: OSError, path: Path, needs_bytes: int) -> str:
    reason = error.strerror or type(error).__name__
    for code in _FULL | _FORBIDDEN:
        if error.errno == code:
            # pyarrow puts the temporary file's whole path into its text.
            reason = errno.errorcode[code] + ", " + _MEANINGS[code]
    if error.errno in _FULL:
        needs = f" About {needs_bytes / 1e6:.2f} MB are needed for it," if needs_bytes else " Its size is not known,"
        return (
            f"Expected room for {path.name}, got an error of the disk ({reason}).{needs} {_free_megabytes(path):.2f} MB are free. "
            "Make room or raise the quota (`facetrace run STUDY --dry-run` says what a run needs), then run the command again: "
            "what was finished is kept."
        )
    if error.errno in _FORBIDDEN:
        return (
            f"Expected to be allowed to write {path.name}, got a refusal ({reason}). Give yourself the right to write in the "
            "folder derivatives/facetrace of the study, or copy the study to a disk where you have it; earlier results are kept."
        )
    return (
        f"Expected to write {path.name}, got an error of the disk ({reason}). Look at the disk or network share, then run the "
        "same command again: what was finished is kept."
    )


_MEANINGS: Final = {
    errno.ENOSPC: "no space left",
    getattr(errno, "EDQUOT", errno.ENOSPC): "quota used up" if hasattr(errno, "EDQUOT") else "no space left",
    errno.EFBIG: "largest allowed file size reached",
    errno.EROFS: "read-only disk",
    errno.EACCES: "permission denied",
    errno.EPERM: "operation not permitted",
}


def _free_megabytes(path: Path) -> float:
    there = next(folder for folder in path.absolute().parents if folder.exists())
    return shutil.disk_usage(there).free / 1e6


def remove_leftovers(folder: Path) -> list[Path]:
    """Remove the temporary files that a killed run left in a folder and those under it.

    Call it only while holding the lock of `tasks.run_lock`, so that no file of a run at work is taken for a leftover.

    Parameters
    ----------
    folder
        Folder of derivatives; it need not exist.

    Returns
    -------
    list of Path
        What was removed.

    Raises
    ------
    OutputError
        If one cannot be removed.
    """
    found = [path for path in folder.rglob(f".*{TEMPORARY_INFIX}*") if _TEMPORARY.fullmatch(path.name)]
    for path in found:
        with explain_write_errors(path):
            path.unlink(missing_ok=True)
    return found
