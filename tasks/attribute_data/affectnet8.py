"""AffectNet's later release: folders train_set and val_set with an image and small .npy files of labels for each number.

The images are faces cut out already. val_set tests, as in Li et al. (2019); a part of train_set, chosen by a hash of the names,
validates.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Final

import numpy as np
import numpy.typing as npt

from features import facs
from features.attributes.labels import UNKNOWN_EXPRESSION, AttributeLabels
from tasks.attribute_data.findings import Findings
from tasks.attribute_data.labelled import LabelledImages, check_variety, join_parts
from tasks.attribute_data.splits import AFFECTNET_SHARES, TEST, split_by_hash

SETS: Final = ("train_set", "val_set")
LABELS: Final = {"exp": "expression", "val": "valence", "aro": "arousal"}
"""Ending of a label's file name -> what it holds."""

_UNKNOWN_DIMENSION: Final = -2.0


def read_affectnet8(name: str, labels: Path, folder: Path) -> LabelledImages:
    """Read AffectNet's release of one file for each label.

    Parameters
    ----------
    name
        Of the data set.
    labels
        Folder with ``train_set/annotations`` and ``val_set/annotations``, which hold ``<number>_exp.npy`` (class 0 to 7),
        ``<number>_val.npy`` and ``<number>_aro.npy`` (-1 to 1, -2 unknown).
    folder
        Folder with ``train_set/images`` and ``val_set/images``; mostly the same.

    Returns
    -------
    LabelledImages
        Whose boxes are the whole images.

    Raises
    ------
    InvalidInputError
        With everything that is wrong.
    """
    findings = Findings(name)
    parts = [_read_set(name, labels, folder, part, findings) for part in SETS]
    read = [part for part in parts if part is not None]
    if len(read) < len(parts):
        findings.stop()
    joined = join_parts(read)
    check_variety(findings, name, joined.labels, (), tuple(LABELS.values()))
    findings.raise_if_any()
    return joined.keep(joined.has_label, "no label")


def _read_set(name: str, labels: Path, folder: Path, part: str, findings: Findings) -> LabelledImages | None:
    annotations = _list(labels / part / "annotations", f"{part}/annotations", findings)
    pictures = _list(folder / part / "images", f"{part}/images", findings)
    if annotations is None or pictures is None:
        return None
    numbers = sorted({file.rpartition("_")[0] for file in annotations if file.endswith(".npy") and "_" in file})
    named = {picture.rpartition(".")[0]: picture for picture in sorted(pictures)}
    findings.add_items(
        f"{part}/images",
        "expected an image of each annotation, none is there of",
        [n for n in numbers if n not in named],
    )
    findings.add_items(
        f"{part}/annotations", "expected labels of each image, got none of", sorted(named.keys() - set(numbers))
    )
    there = set(annotations)
    values = {}
    for ending, what in LABELS.items():
        files = [f"{number}_{ending}.npy" for number in numbers]
        findings.add_items(
            f"{part}/annotations",
            f"expected a file of {what} for each image, missing:",
            [f for f in files if f not in there],
        )
        values[what] = _read_numbers(
            labels / part / "annotations", [f if f in there else "" for f in files], part, findings
        )
    checked = _check_values(values, numbers, part, findings)
    images = [f"{part}/images/{named.get(number, number + '.jpg')}" for number in numbers]
    whole = np.array([-np.inf, -np.inf, np.inf, np.inf], dtype=np.float32)
    split = np.full(len(images), TEST, dtype="U10") if part == SETS[1] else split_by_hash(images, AFFECTNET_SHARES)
    return LabelledImages(name, tuple(images), folder, np.tile(whole, (len(images), 1)), checked, split, (), {})


def _list(folder: Path, shown: str, findings: Findings) -> list[str] | None:
    try:
        return os.listdir(folder)  # noqa: PTH208  (hundreds of thousands of names, without a Path for each)
    except (FileNotFoundError, NotADirectoryError):
        findings.add(shown, "expected this folder, it is not there.")
        return None


def _read_numbers(folder: Path, files: Sequence[str], part: str, findings: Findings) -> npt.NDArray[np.float64]:
    """The number in each file; NaN where there is no file or no number in it."""
    values = np.full(len(files), np.nan)
    unreadable = []
    for row, file in enumerate(files):
        if not file:
            continue
        try:
            values[row] = _read_number(folder / file)
        except (OSError, ValueError, EOFError):
            unreadable.append(file)
    findings.add_items(f"{part}/annotations", "expected one number in a file, got something else in", unreadable)
    return values


def _read_number(path: Path) -> float:
    """The only number of a .npy file; some files hold it as text."""
    with path.open("rb") as file:
        array = np.load(file, allow_pickle=False)
    if not isinstance(array, np.ndarray) or array.size != 1:
        raise ValueError("not one number")
    return float(array.reshape(-1)[0])


def _check_values(
    values: dict[str, npt.NDArray[np.float64]], numbers: Sequence[str], part: str, findings: Findings
) -> AttributeLabels:
    names, file = np.asarray(numbers, dtype=object), f"{part}/annotations"
    expression = values["expression"]
    is_class = (expression >= 0) & (expression < len(facs.EXPRESSIONS)) & (expression == np.round(expression))
    wrong = np.flatnonzero(~is_class & ~np.isnan(expression))
    shown = [f"{expression[row]:g} ({names[row]}_exp.npy)" for row in wrong]
    findings.add_items(file, f"expected an expression from 0 to {len(facs.EXPRESSIONS) - 1}, got", shown)
    dimensions = {}
    for ending, what in (("val", "valence"), ("aro", "arousal")):
        column = values[what]
        inside = (column >= -1) & (column <= 1)
        wrong = np.flatnonzero(~inside & ~np.isnan(column) & (column != _UNKNOWN_DIMENSION))
        shown = [f"{column[row]:g} ({names[row]}_{ending}.npy)" for row in wrong]
        findings.add_items(file, f"expected {what} from -1 to 1, or -2 where it is unknown, got", shown)
        dimensions[what] = np.where(inside, column, np.nan).astype(np.float32)
    return AttributeLabels(
        np.where(is_class, np.nan_to_num(expression), UNKNOWN_EXPRESSION).astype(np.int64),
        dimensions["valence"],
        dimensions["arousal"],
        np.empty((len(numbers), 0), dtype=np.float32),
    )
