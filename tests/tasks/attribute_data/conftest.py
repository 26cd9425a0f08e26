"""Small data sets in each documented layout, with real image files."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

import cv2
import numpy as np
import pytest

WriteImages = Callable[[Path, Sequence[str]], Path]
WriteText = Callable[[Path, Sequence[str]], Path]


@pytest.fixture
def write_images() -> WriteImages:
    """Writes an image of 40 x 30 pixels under each name: red left, blue right."""
    picture = np.zeros((30, 40, 3), dtype=np.uint8)
    picture[:, :20, 2] = 250
    picture[:, 20:, 0] = 250

    def write(folder: Path, names: Sequence[str]) -> Path:
        for name in names:
            path = folder / name
            path.parent.mkdir(parents=True, exist_ok=True)
            assert cv2.imwrite(str(path), picture)
        return folder

    return write


@pytest.fixture
def write_text() -> WriteText:
    """Writes lines into a file."""

    def write(path: Path, lines: Sequence[str]) -> Path:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("\n".join(lines) + "\n", encoding="utf-8")
        return path

    return write
