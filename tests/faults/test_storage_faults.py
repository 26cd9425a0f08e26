"""A disk that is full, a folder that cannot be written: what is said, and what is left of earlier results."""

from __future__ import annotations

import contextlib
import os
import resource
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from features.frame_table import empty_rows
from tasks.errors import ExitCode, OutputError
from tasks.provenance import make_folder, write_text_atomic
from tasks.storage import remove_leftovers
from tasks.tables import ROW_GROUP, frame_table_writer, read_table, write_table

AUS = ("AU01", "AU12")


@pytest.fixture(params=["tmpfs", "file size limit"])
def small_disk(request, tmp_path):
    """A folder that holds 256 KiB: a file system of that size where mounting is allowed, and the limit of the file size."""
    if request.param == "tmpfs":
        mounted = subprocess.run(
            ["mount", "-t", "tmpfs", "-o", "size=256k", "tmpfs", tmp_path], capture_output=True, check=False
        )
        if mounted.returncode:
            pytest.skip("mounting a small file system is not permitted here")
        yield tmp_path
        subprocess.run(["umount", tmp_path], check=True)
        return
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (256 * 1024, before[1]))
    yield tmp_path
    resource.setrlimit(resource.RLIMIT_FSIZE, before)


def make_frames(n: int) -> pd.DataFrame:
    """Frames without a face but with numbers that do not compress."""
    rows = empty_rows(n, AUS)
    rows["participant_id"], rows["session"], rows["task"] = "001", "", "clips"
    rows["frame"] = np.arange(n, dtype=np.int32)
    rows["time_s"] = np.cumsum(np.random.default_rng(0).uniform(0.01, 0.1, n))
    return rows


def check_message(error: OutputError, name: str, folder: Path) -> None:
    text = str(error)
    assert error.exit_code == ExitCode.UNEXPECTED
    assert text.startswith(f"Expected room for {name}")
    assert "MB are needed" in text
    assert "MB are free" in text
    assert "run the command again" in text
    assert str(folder) not in text


def test_a_table_that_does_not_fit_leaves_the_old_one(small_disk):
    path = small_disk / "table.parquet"
    write_table(pd.DataFrame({"x": [1.0, 2.0]}), path)
    large = pd.DataFrame({"x": np.random.default_rng(0).random(100_000)})
    with pytest.raises(OutputError) as caught:
        write_table(large, path)
    check_message(caught.value, "table.parquet", small_disk)
    # 100,000 float64.
    assert "About 0.80 MB are needed" in str(caught.value)
    assert read_table(path)["x"].tolist() == [1.0, 2.0]
    assert [item.name for item in small_disk.iterdir()] == ["table.parquet"]


def test_a_frame_table_that_grows_too_large_leaves_the_old_one(small_disk):
    path = small_disk / "frames.parquet"
    with frame_table_writer(path, AUS) as writer:
        writer.append(make_frames(10))
    with pytest.raises(OutputError) as caught, frame_table_writer(path, AUS) as writer:
        for _ in range(20):
            writer.append(make_frames(ROW_GROUP))
    check_message(caught.value, "frames.parquet", small_disk)
    assert len(read_table(path)) == 10
    assert [item.name for item in small_disk.iterdir()] == ["frames.parquet"]


def test_the_end_of_a_table_may_be_what_does_not_fit(tmp_path):
    """The limit lies one byte under the whole file: all rows fit, Parquet's footer does not."""
    path = tmp_path / "frames.parquet"
    with frame_table_writer(path, AUS) as writer:
        writer.append(make_frames(ROW_GROUP))
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (path.stat().st_size - 1, before[1]))
    try:
        with pytest.raises(OutputError, match="Expected room"), frame_table_writer(path, AUS) as writer:
            writer.append(make_frames(ROW_GROUP))
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    assert len(read_table(path)) == ROW_GROUP
    assert [item.name for item in tmp_path.iterdir()] == ["frames.parquet"]


def test_text_that_does_not_fit_leaves_the_old_file(small_disk):
    write_text_atomic(small_disk / "a.json", "old")
    with pytest.raises(OutputError, match="0.30 MB are needed"):
        write_text_atomic(small_disk / "a.json", "x" * 300_000)
    assert (small_disk / "a.json").read_text() == "old"
    assert [item.name for item in small_disk.iterdir()] == ["a.json"]


WRITE_AS_ANOTHER = """
import os, sys
from pathlib import Path
from tasks.errors import OutputError
from tasks.provenance import write_text_atomic
os.setgroups([]), os.setgid(65534), os.setuid(65534)
try:
    write_text_atomic(Path(sys.argv[1]), "new")
except OutputError as error:
    print(error)
"""


@contextlib.contextmanager
def write_protected(folder: Path):
    """A folder in which this user may not write: by its mode, or, for root, as a read-only mount of itself."""
    if os.geteuid() != 0:
        folder.chmod(0o500)
        yield
        folder.chmod(0o700)
        return
    for command in (["mount", "--bind", folder, folder], ["mount", "-o", "remount,bind,ro", folder]):
        if subprocess.run(command, capture_output=True, check=False).returncode:
            pytest.skip("root ignores modes, and mounting a folder read-only is not permitted here")
    yield
    subprocess.run(["umount", folder], check=True)


def test_a_read_only_folder_is_named_with_what_to_do(tmp_path):
    folder = make_folder(tmp_path / "facetrace")
    write_text_atomic(folder / "a.json", "old")
    with write_protected(folder), pytest.raises(OutputError) as caught:
        write_text_atomic(folder / "a.json", "new")
    assert str(caught.value).startswith("Expected to be allowed to write a.json, got a refusal (E")
    assert "derivatives/facetrace" in str(caught.value)
    assert str(tmp_path) not in str(caught.value)
    assert (folder / "a.json").read_text() == "old"


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can become another user")
def test_another_users_folder_is_refused(tmp_path):
    for folder in (tmp_path, *tmp_path.parents[:2]):
        folder.chmod(folder.stat().st_mode | 0o011)
    write_text_atomic(tmp_path / "mine" / "a.json", "old")
    done = subprocess.run(
        [sys.executable, "-c", WRITE_AS_ANOTHER, tmp_path / "mine" / "a.json"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert "permission denied" in done.stdout, done.stderr
    assert (tmp_path / "mine" / "a.json").read_text() == "old"


def test_only_temporary_files_are_leftovers(tmp_path):
    keep = ["a.parquet", "a.json", ".run.lock", "a.tmp.parquet", ".hidden.parquet", "logs/run-1.json"]
    gone = [".a.0_abc9de.tmp.parquet", "sub-001/beh/.b.abcdefgh.tmp.json", ".group.12345678.tmp.html"]
    for name in keep + gone:
        write_text_atomic(tmp_path / name, "x")
    assert sorted(path.relative_to(tmp_path).as_posix() for path in remove_leftovers(tmp_path)) == sorted(gone)
    left = {path.relative_to(tmp_path).as_posix() for path in tmp_path.rglob("*") if path.is_file()}
    assert left == set(keep)
    assert remove_leftovers(tmp_path / "absent") == []
