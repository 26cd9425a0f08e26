"""Reading a data set in the format that the settings name."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Final

from tasks.attribute_data.affectnet import read_affectnet
from tasks.attribute_data.affectnet8 import read_affectnet8
from tasks.attribute_data.emotionet import read_emotionet
from tasks.attribute_data.labelled import LabelledImages
from tasks.attribute_data.plain_table import read_plain_table
from tasks.errors import InvalidInputError
from tasks.training_settings import TrainingSource

__all__ = ["READERS", "LabelledImages", "read_source"]

READERS: Final[dict[str, Callable[[str, Path, Path], LabelledImages]]] = {
    "affectnet": read_affectnet,
    "affectnet8": read_affectnet8,
    "emotionet": read_emotionet,
    "table": read_plain_table,
}
"""Format -> reader of name, labels and folder of images."""


def read_source(source: TrainingSource, folder: Path) -> LabelledImages:
    """Read the labels of a data set and check them against its images; no image is opened.

    Parameters
    ----------
    source
        What the settings say of the data set.
    folder
        The training folder, against which its paths are resolved.

    Returns
    -------
    LabelledImages

    Raises
    ------
    InvalidInputError
        With everything that is wrong with the data set.
    """
    labels, images = folder / source.labels, folder / source.images
    missing = [
        f"{what} {path}"
        for what, path, there in (
            ("labels", source.labels, labels.exists()),
            ("images", source.images, images.is_dir()),
        )
        if not there
    ]
    if missing:
        raise InvalidInputError(
            f"Data set {source.name}: expected {' and '.join(missing)} in the training folder or by a full path, found nothing "
            "there. Correct training.data in config.yaml."
        )
    return READERS[source.format](source.name, labels, images)
