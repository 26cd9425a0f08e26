"""Fixtures that several parts of the suite share."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest
from xdist.scheduler import LoadScopeScheduling


class ByFile(LoadScopeScheduling):
    """Tests of a file run in one process, and share what they set up; so do all flows, but for those with a server of their own."""

    def _split_scope(self, nodeid: str) -> str:
        file = nodeid.partition("::")[0]
        folder, _, name = file.rpartition("/")
        return folder if folder == "tests/flows" and name != "test_deployments.py" else file


def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> ByFile:
    """Spread the tests over the processes of ``-n``."""
    return ByFile(config, log)


@pytest.fixture(scope="session")
def real_media() -> Path:
    """Folder of real recordings, images and weights; tests that need it skip where it is not there."""
    folder = os.environ.get("REAL_MEDIA")
    if not folder:
        pytest.skip("REAL_MEDIA is not set: it names the folder of real recordings and weights")
    path = Path(folder)
    if not (path / "video").is_dir():
        pytest.skip(f"REAL_MEDIA names {path.name}, which has no folder video/")
    return path
