"""EmotioNet's annotation text: a line an image, with its address and the action units 1 to 60 (Fabian Benitez-Quiroz et al. 2016).

Which images trained, validated and tested in Li et al. (2019) is not published, nor is an official split known here: a hash of the
names splits them in the paper's proportions.

References
----------
.. [1] Fabian Benitez-Quiroz C., Srinivasan R., Martinez A. M. (2016). EmotioNet: an accurate, real-time algorithm for the
   automatic annotation of a million facial expressions in the wild. CVPR. doi:10.1109/CVPR.2016.600
"""

from __future__ import annotations

import csv
from pathlib import Path
from typing import Final

import numpy as np
import numpy.typing as npt
import pandas as pd

from features import facs
from features.attributes.labels import UNKNOWN_EXPRESSION, AttributeLabels
from tasks.attribute_data.columns import add_ragged
from tasks.attribute_data.findings import Findings
from tasks.attribute_data.labelled import FileIndex, LabelledImages, check_variety, drop_repeated, join_parts
from tasks.attribute_data.splits import EMOTIONET_SHARES, split_by_hash

UNKNOWN: Final = 999
NOT_THERE: Final = "image not downloaded"
MOST_MISSING: Final = 0.5
"""Share of images that may be missing: addresses on the internet die, but when most are missing the folder is wrong."""

_AU_COLUMNS: Final = tuple(int(unit.removeprefix("AU")) + 1 for unit in facs.EMOTIONET_AUS)
_N_COLUMNS: Final = max(_AU_COLUMNS) + 1


def read_emotionet(name: str, labels: Path, folder: Path) -> LabelledImages:
    """Read EmotioNet's annotation text.

    Column 0 is the address of an image, whose last part is its file name; action unit i is in column i + 1: 0 absent, 1 present,
    999 unknown. Images that are not in the folder are left out and counted, since addresses die.

    Parameters
    ----------
    name
        Of the data set.
    labels
        A text file, or a folder of ``*.txt``; columns are parted by tabs, commas or blanks.
    folder
        Folder of the images: all in it, or in folders named as the part of the address before the file name.

    Returns
    -------
    LabelledImages
        With the twelve units of `features.facs.EMOTIONET_AUS`.

    Raises
    ------
    InvalidInputError
        With everything that is wrong.
    """
    findings, there = Findings(name), FileIndex(folder)
    files = sorted(labels.glob("*.txt")) if labels.is_dir() else [labels]
    if not files:
        findings.add(labels.name, "expected text files (*.txt), got none.")
    parts = [part for file in files if (part := _read_file(name, file, there, folder, findings)) is not None]
    if not parts:
        findings.stop()
    joined = join_parts(parts)
    again = pd.Series(joined.images).duplicated().to_numpy()
    findings.add_items(
        labels.name,
        "expected each image in one file, got in several",
        [joined.images[row] for row in np.flatnonzero(again)],
    )
    missing = there.find_missing(joined.images)
    if missing.mean() > MOST_MISSING:
        shown = [joined.images[row] for row in np.flatnonzero(missing)]
        findings.add_items(
            labels.name, f"expected images in {folder.name}, {len(shown)} of {len(joined)} are missing:", shown
        )
    else:
        joined = joined.keep(~missing, NOT_THERE)
    joined = joined.keep(joined.has_label, "no label")
    check_variety(findings, labels.name, joined.labels, joined.aus, ())
    findings.raise_if_any()
    return joined


def _nest(parts: list[str], there: FileIndex) -> str:
    """Path with the folder that the address names, where the image is there; else the bare file name."""
    nested = "/".join(parts[-2:])
    return nested if there.holds(nested) else parts[-1]


def _read_file(name: str, path: Path, there: FileIndex, folder: Path, findings: Findings) -> LabelledImages | None:
    table = _read_cells(path, findings)
    if table is None:
        return None
    lines = table.index.to_numpy(dtype=np.int64)
    aus = _read_units(table, lines, path.name, findings)
    addresses = [address.partition("?")[0].rstrip("/").split("/") for address in table[0].fillna("").tolist()]
    names = [parts[-1] for parts in addresses]
    images = [name if there.holds(name) else _nest(parts, there) for name, parts in zip(names, addresses, strict=True)]
    kept = drop_repeated(findings, path.name, lines, images, table[list(_AU_COLUMNS)])
    unknown = np.full(len(images), np.nan, dtype=np.float32)
    read = LabelledImages(
        name=name,
        images=tuple(images),
        folder=folder,
        boxes=np.full((len(images), 4), np.nan, dtype=np.float32),
        labels=AttributeLabels(np.full(len(images), UNKNOWN_EXPRESSION, dtype=np.int64), unknown, unknown, aus),
        split=split_by_hash(names, EMOTIONET_SHARES),
        aus=facs.EMOTIONET_AUS,
        dropped={},
    )
    return read.keep(kept, "repeated row")


def _read_cells(path: Path, findings: Findings) -> pd.DataFrame | None:
    """Address and action units, indexed by line; None where the form is wrong."""
    try:
        with path.open(encoding="utf-8-sig") as file:
            first = file.readline()
    except UnicodeDecodeError as error:
        findings.add(path.name, f"expected UTF-8 text, got: {error}.")
        return None
    separator = next((mark for mark in "\t," if mark in first), r"\s+")
    cells = first.split() if separator == r"\s+" else first.rstrip("\n").split(separator)
    if len(cells) < _N_COLUMNS:
        findings.add(
            path.name,
            f"expected address, source and action units 1 to 60 in a line, at least {_N_COLUMNS} columns, got {len(cells)}.",
        )
        return None
    n_found = len(findings)
    add_ragged(path, path.name, findings, "" if separator == r"\s+" else separator, len(cells))
    if len(findings) > n_found:
        return None
    has_header = not cells[_AU_COLUMNS[0]].strip().isdigit()
    try:
        table = pd.read_csv(
            path,
            sep=separator,
            header=None,
            skiprows=int(has_header),
            names=range(len(cells)),
            usecols=[0, *_AU_COLUMNS],
            dtype={0: str},
            skip_blank_lines=False,
            low_memory=False,
            quoting=csv.QUOTE_NONE,
            encoding="utf-8-sig",
            index_col=False,
        )
    except (pd.errors.ParserError, UnicodeDecodeError) as error:
        findings.add(path.name, f"expected UTF-8 text with {len(cells)} columns in every line, got: {error}.")
        return None
    table.index = pd.RangeIndex(1 + has_header, 1 + has_header + len(table))
    return table.dropna(how="all")


def _read_units(
    table: pd.DataFrame, lines: npt.NDArray[np.int64], file: str, findings: Findings
) -> npt.NDArray[np.float32]:
    aus = np.full((len(table), len(_AU_COLUMNS)), np.nan, dtype=np.float32)
    for column, (unit, number) in enumerate(zip(facs.EMOTIONET_AUS, _AU_COLUMNS, strict=True)):
        values = pd.to_numeric(table[number], errors="coerce").to_numpy(dtype=np.float64, na_value=np.nan)
        known = (values == 0) | (values == 1)
        wrong = np.flatnonzero(~known & (values != UNKNOWN))
        message = f"expected 0, 1 or {UNKNOWN} for {unit} (column {number}), got"
        cells = table[number].to_numpy()[wrong].tolist()
        findings.add_rows(
            file, lines[wrong], message, [f"{cell:g}" if isinstance(cell, float) else cell for cell in cells]
        )
        aus[known, column] = values[known]
    return aus
