"""A lab's own labels: a CSV file with a row for each image.

Columns: ``image`` (path in the folder of images); any of ``AU01`` ... (0 absent, 1 present, or an intensity from 0 to 1),
``expression`` (its name), ``valence`` and ``arousal`` (-1 to 1); where known ``split`` (train, validation, test),
``participant_id`` and the face's box ``x1, y1, x2, y2`` in pixels. A blank cell is unknown.
"""

from __future__ import annotations

import difflib
from pathlib import Path
from typing import Final

import numpy as np
import numpy.typing as npt
import pandas as pd

from features import facs
from features.attributes.labels import UNKNOWN_EXPRESSION, AttributeLabels
from tasks.attribute_data.columns import BLANK, LabelTable, read_table
from tasks.attribute_data.findings import SHOWN, Findings
from tasks.attribute_data.labelled import FileIndex, LabelledImages, check_boxes, check_variety
from tasks.attribute_data.splits import EMOTIONET_SHARES, SPLITS, split_by_hash

BOX: Final = ("x1", "y1", "x2", "y2")
_LABELS: Final = ("expression", "valence", "arousal")
_OTHERS: Final = ("image", "split", "participant_id")
_KNOWN: Final = (*_OTHERS, *_LABELS, *BOX)
_AMBIGUOUS: Final = "none"
"""Refused as an expression: it may mean a neutral face, a face that fits no class, or that nothing is known."""


def read_plain_table(name: str, path: Path, folder: Path) -> LabelledImages:
    """Read a lab's own table of labels.

    Parameters
    ----------
    name
        Of the data set.
    path
        The CSV file.
    folder
        Folder of the images.

    Returns
    -------
    LabelledImages
        Rows without any label are left out and counted.

    Raises
    ------
    InvalidInputError
        With everything that is wrong with the table, and the images that are missing.
    """
    findings = Findings(name)
    table = read_table(path, path.name, findings, required=("image",), choose=bool)
    if table is None:
        findings.stop()
    units = _find_units(table, findings)
    labels = AttributeLabels(
        _read_expressions(table, findings),
        _read_range(table, findings, "valence", -1, 1),
        _read_range(table, findings, "arousal", -1, 1),
        _read_units(table, findings, units),
    )
    boxes = _read_boxes(table, findings)
    images = table.text("image").str.replace("\\", "/", regex=False).to_numpy(dtype=object)
    _check_images(table, findings, folder, images)
    participants = None
    if "participant_id" in table.columns:
        participants = table.text("participant_id").str.removeprefix("sub-").to_numpy(dtype=object)
    split = _read_split(table, findings, images, participants)
    given = [column for column in _LABELS if column in table.columns]
    check_variety(findings, table.file, labels, list(units), given)
    if not units and not given:
        findings.add(table.file, "expected columns of labels such as AU12, expression, valence or arousal, got none.")
    findings.raise_if_any()
    read = LabelledImages(
        name, tuple(images.tolist()), folder, boxes, labels, split, tuple(units), {}, participants, _notes(table)
    )
    return read.keep(read.has_label, "no label")


def _find_units(table: LabelTable, findings: Findings) -> dict[str, str]:
    """Action unit -> column; unknown columns that look like a slip of the pen are findings."""
    units: dict[str, str] = {}
    for column in table.columns:
        if column in _KNOWN:
            continue
        try:
            unit = facs.au_column(column) if column.upper().startswith("AU") else ""
        except ValueError:
            unit = ""
        if unit and unit in units:
            findings.add(table.file, f"expected each action unit once, got {units[unit]} and {column}.")
        elif unit:
            units[unit] = column
        elif near := difflib.get_close_matches(column.strip().lower(), _KNOWN, 1, 0.75):
            findings.add(table.file, f"expected columns that are known, got '{column}'. Should it be '{near[0]}'?")
    return dict(sorted(units.items()))


def _notes(table: LabelTable) -> tuple[str, ...]:
    notes = []
    ignored = [column for column in table.columns if not _is_known(column)]
    if ignored:
        notes.append(f"columns that are not labels were not read: {', '.join(ignored)}")
    if "participant_id" not in table.columns and "split" not in table.columns:
        notes.append(
            "neither participant_id nor split: images of one person may be in training and in test, which flatters the figures"
        )
    return tuple(notes)


def _is_known(column: str) -> bool:
    try:
        return column in _KNOWN or (column.upper().startswith("AU") and bool(facs.au_column(column)))
    except ValueError:
        return False


def _read_expressions(table: LabelTable, findings: Findings) -> npt.NDArray[np.int64]:
    if "expression" not in table.columns:
        return np.full(len(table.lines), UNKNOWN_EXPRESSION, dtype=np.int64)
    codes, names = pd.factorize(table.text("expression"))
    ids = np.full(len(names), UNKNOWN_EXPRESSION, dtype=np.int64)
    unknown = np.zeros(len(names), dtype=bool)
    for number, text in enumerate(names):
        if text.lower() in BLANK - {_AMBIGUOUS}:
            continue
        unknown[number] = text.lower() == _AMBIGUOUS
        try:
            ids[number] = facs.EXPRESSIONS.index(facs.expression_name(text))
        except ValueError:
            unknown[number] = True
    wrong = np.flatnonzero(unknown[codes])
    message = f"expected an expression, one of {', '.join(facs.EXPRESSIONS)}, or a blank cell, got"
    findings.add_rows(table.file, table.lines[wrong], message, table.text("expression").to_numpy()[wrong])
    return np.asarray(ids[codes])


def _read_range(table: LabelTable, findings: Findings, name: str, low: float, high: float) -> npt.NDArray[np.float32]:
    """A column of numbers between two limits; all unknown where there is no such column."""
    if name not in table.columns:
        return np.full(len(table.lines), np.nan, dtype=np.float32)
    values, wrong = table.numbers(name)
    wrong |= (values < low) | (values > high)
    rows = np.flatnonzero(wrong)
    message = f"expected {name} between {low:g} and {high:g} or a blank cell, got"
    findings.add_rows(table.file, table.lines[rows], message, table.text(name).to_numpy()[rows])
    return np.where(wrong, np.nan, values).astype(np.float32)


def _read_units(table: LabelTable, findings: Findings, units: dict[str, str]) -> npt.NDArray[np.float32]:
    if not units:
        return np.empty((len(table.lines), 0), dtype=np.float32)
    return np.stack([_read_range(table, findings, column, 0, 1) for column in units.values()], axis=1)


def _read_boxes(table: LabelTable, findings: Findings) -> npt.NDArray[np.float32]:
    given = [name for name in BOX if name in table.columns]
    boxes = np.full((len(table.lines), len(BOX)), np.nan, dtype=np.float32)
    if not given:
        return boxes
    if len(given) < len(BOX):
        findings.add(table.file, f"expected all of {', '.join(BOX)} or none, got {', '.join(given)}.")
        return boxes
    for column, name in enumerate(BOX):
        values, wrong = table.numbers(name)
        rows = np.flatnonzero(wrong)
        findings.add_rows(
            table.file, table.lines[rows], f"expected pixels in {name}, got", table.text(name).to_numpy()[rows]
        )
        boxes[:, column] = values
    check_boxes(findings, table.file, table.lines, boxes)
    return boxes


def _check_images(table: LabelTable, findings: Findings, folder: Path, images: npt.NDArray[np.object_]) -> None:
    unnamed = np.flatnonzero(images == "")
    findings.add_rows(table.file, table.lines[unnamed], "expected the name of an image, got a blank cell in")
    outside = np.array([name.startswith("/") or ".." in name.split("/") for name in images.tolist()], dtype=bool)
    rows = np.flatnonzero(outside)
    findings.add_rows(table.file, table.lines[rows], "expected a path inside the folder of images, got", images[rows])
    repeated = np.flatnonzero(pd.Series(images).duplicated().to_numpy() & (images != ""))
    findings.add_rows(table.file, table.lines[repeated], "expected each image once, got again", images[repeated])
    missing = np.flatnonzero(FileIndex(folder).find_missing(images.tolist()) & (images != "") & ~outside)
    findings.add_rows(
        table.file,
        table.lines[missing],
        f"expected images in {folder.name}, {len(missing)} are missing:",
        images[missing],
    )


def _read_split(
    table: LabelTable,
    findings: Findings,
    images: npt.NDArray[np.object_],
    participants: npt.NDArray[np.object_] | None,
) -> npt.NDArray[np.str_]:
    if participants is not None:
        blank = np.flatnonzero(participants == "")
        findings.add_rows(table.file, table.lines[blank], "expected a participant_id, got a blank cell in")
    if "split" not in table.columns:
        groups = images if participants is None else participants
        return split_by_hash(groups.tolist(), EMOTIONET_SHARES)
    split = table.text("split").str.lower().to_numpy(dtype=object)
    wrong = np.flatnonzero(~np.isin(split, SPLITS))
    findings.add_rows(table.file, table.lines[wrong], f"expected the split {', '.join(SPLITS)}, got", split[wrong])
    if participants is not None:
        pairs = pd.DataFrame({"who": participants, "split": split}).drop_duplicates()
        torn = sorted(set(pairs["who"][pairs["who"].duplicated()]))
        if torn:
            shown = ", ".join(torn[:SHOWN]) + (f" and {len(torn) - SHOWN} more" if len(torn) > SHOWN else "")
            findings.add(table.file, f"expected each participant in one split, got {shown} in several.")
    return split.astype("U10")
