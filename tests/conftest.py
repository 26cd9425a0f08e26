"""Fixtures that several parts of the suite share."""

from __future__ import annotations

import os
from pathlib import Path

import pytest


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
