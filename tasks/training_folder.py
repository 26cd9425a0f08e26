"""A training folder: its settings, and where results go. Needs no PyTorch."""

from __future__ import annotations

from pathlib import Path
from typing import Final

from tasks.errors import InvalidInputError, SettingsError
from tasks.settings import Settings
from tasks.settings_file import read_settings

RESULTS: Final = "attributes"
"""Folder of the results in a training folder."""

CONFIG: Final = "config.yaml"


def read_training_settings(folder: Path, config: Path | None) -> Settings:
    """Settings of a training folder.

    Raises
    ------
    InvalidInputError
        If there is no such folder.
    SettingsError
        If it has no settings, or they cannot be used.
    """
    if not folder.is_dir():
        raise InvalidInputError(f"Expected the training folder {folder.name}, got no such folder.")
    path = config or folder / CONFIG
    if not path.is_file():
        raise SettingsError(
            f"Expected {path.name} with a section training in the training folder, it is missing. "
            "docs/attribute_training.md shows one; `facetrace render-faces` makes a folder to practise on."
        )
    return read_settings(path)
